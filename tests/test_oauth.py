import contextlib
import datetime
import logging
import os
import threading
from unittest.mock import patch

from odoo import SUPERUSER_ID, api, fields
from odoo.tests import TransactionCase, tagged

from ..constants import OAUTH
from ..tools.encrypted import in_clear
from .browser_case import BrowserCase
from .common import SystemMailCase
from .oauth_lab import OAuthLab

HOUR = datetime.timedelta(hours=1)
HELLO, ANA = "hello@company.test", "ana@company.test"


class OAuthCase(BrowserCase, SystemMailCase):
    """A provider where hello@ and ana@ can sign in, and an SMTP server that knows its tokens."""

    def setUp(self):
        super().setUp()
        # oauthlib wants https of all but the tests of its users
        self.enterContext(patch.dict(os.environ, OAUTHLIB_INSECURE_TRANSPORT="1"))
        self.oauth = self.enterContext(OAuthLab(account=HELLO))
        self.oauth.on_token = self._follow
        self.provider = self.env["system.mail.oauth.provider"].create(
            {
                "name": "Lab Mail",
                "client_id": self.oauth.client_id,
                "client_secret_input": self.oauth.client_secret,
                "authorization_endpoint": self.oauth.authorization_endpoint,
                "token_endpoint": self.oauth.token_endpoint,
                "userinfo_endpoint": self.oauth.userinfo_endpoint,
                "scope": self.oauth.scope,
                "domains": "company.test",
                "smtp_host": self.system.host,
                "smtp_port": self.system.port,
                "smtp_encryption": "none",
            }
        )
        self.oauth.redirect_uri = self.provider.redirect_uri
        self.ana.password = "ana@company.test"
        self.authenticate("admin", "admin")
        self.system.logins.clear()

    def _follow(self, account, token):
        for server in (self.system, self.own):
            server.tokens[account] = token or ""

    def call(self, model, method, *args, **kwargs):
        """Over RPC, as the user who is logged in."""
        return self.make_jsonrpc_request(
            f"/web/dataset/call_kw/{model}/{method}",
            {"model": model, "method": method, "args": args, "kwargs": kwargs},
        )

    def dialog(self, address=HELLO, **values):
        """The connect dialog for System Mail, set to sign in with the provider."""
        action = self.call("res.company", "action_system_mail_connect", [self.company.id], address)
        dialog = self.env["system.mail.connect"].browse(action["res_id"])
        self.assertEqual(dialog.method, str(self.provider.id), "the domain tells the provider")
        dialog.write(values)
        return dialog

    def begin(self, dialog):
        """Press Sign In; where the browser is sent."""
        action = self.call(dialog._name, "action_sign_in", [dialog.id])
        dialog.invalidate_recordset()
        return action.get("url")

    def come_back(self, dialog, back):
        """The browser follows the provider's redirect."""
        response = self.url_open(back, allow_redirects=False)
        dialog.invalidate_recordset()
        return response

    def sign_in(self, dialog, **consent):
        """All of it, with consent."""
        return self.come_back(dialog, self.oauth.consent(self.begin(dialog), **consent))

    def assert_nothing_changed(self):
        self.company.invalidate_recordset()
        self.assertEqual(self.company.system_mail_server_id, self.system_server)
        self.assertEqual(self.system_server.smtp_authentication, "login")
        self.assertFalse(self.env["system.mail.oauth.token"].search([]))

    def token(self, server):
        token = self.env["system.mail.oauth.token"].search([("server_id", "=", server.id)])
        token.invalidate_recordset()
        return token


@tagged("post_install", "-at_install")
class TestSigningIn(OAuthCase):
    """System Mail by a provider's own sign-in."""

    def test_from_the_dialog_to_a_fallback_by_xoauth2(self):
        dialog = self.dialog()
        response = self.sign_in(dialog)
        self.assertEqual(response.status_code, 303)
        self.assertTrue(
            response.headers["Location"].endswith(f"/odoo/system-mail-connect/{dialog.id}")
        )
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        server = self.company.system_mail_server_id
        self.assertEqual(server, self.system_server, "the record is kept, with its history")
        self.assertEqual(server.smtp_authentication, OAUTH)
        self.assertEqual(self.company.system_mail_state, "connected")
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.assert_arrives_once_by_system_mail(self.mention())
        self.assertEqual(self.system.attempts[-1].mechanism, "XOAUTH2")

    def test_in_a_browser_from_the_settings_to_the_provider_and_back(self):
        self.company.system_mail_address = False
        self.oauth.ask = False
        self.start_tour("/odoo/settings", "system_mail_sign_in", login="admin")
        self.company.invalidate_recordset()
        self.assertEqual(self.company.system_mail_address, HELLO)
        self.assertEqual(self.company.system_mail_server_id.smtp_authentication, OAUTH)
        self.assertEqual(self.company.system_mail_state, "connected")

    def test_a_wrong_verifier_is_refused(self):
        dialog = self.dialog()
        back = self.oauth.consent(self.begin(dialog))
        dialog.sudo().oauth_verifier = "x" * 64
        self.come_back(dialog, back)
        self.assertEqual(dialog.state, "failed")
        self.assert_nothing_changed()

    def test_a_sign_in_serves_once(self):
        dialog = self.dialog()
        back = self.oauth.consent(self.begin(dialog))
        self.assertEqual(self.come_back(dialog, back).status_code, 303)
        self.assertEqual(self.come_back(dialog, back).status_code, 400)
        self.assertEqual(dialog.state, "connected")

    def test_nobody_finishes_anothers_sign_in(self):
        dialog = self.dialog()
        back = self.oauth.consent(self.begin(dialog))
        self.authenticate(ANA, ANA)
        self.assertEqual(self.come_back(dialog, back).status_code, 400)
        self.assert_nothing_changed()

    def test_another_browser_cannot_finish_it(self):
        dialog = self.dialog()
        back = self.oauth.consent(self.begin(dialog))
        self.authenticate("admin", "admin")  # a session of its own
        self.assertEqual(self.come_back(dialog, back).status_code, 400)
        self.assert_nothing_changed()

    def test_it_may_not_take_longer_than_ten_minutes(self):
        dialog = self.dialog()
        back = self.oauth.consent(self.begin(dialog))
        dialog.sudo().oauth_until = fields.Datetime.now() - datetime.timedelta(seconds=1)
        self.env.flush_all()
        self.assertEqual(self.come_back(dialog, back).status_code, 400)
        self.assert_nothing_changed()

    def test_a_state_that_is_none_or_missing(self):
        dialog = self.dialog()
        self.begin(dialog)
        for query in ("", "?state=", "?state=x&code=y", "?code=y"):
            response = self.url_open(f"/system_mail/oauth/return{query}", allow_redirects=False)
            self.assertEqual(response.status_code, 400)
        self.assert_nothing_changed()

    def test_another_accounts_consent_is_refused_by_name(self):
        self.oauth.account = "private@elsewhere.test"
        dialog = self.dialog()
        self.sign_in(dialog)
        self.assertEqual(dialog.state, "failed")
        self.assertIn("private@elsewhere.test", dialog.problem)
        self.assertIn(HELLO, dialog.problem)
        self.assert_nothing_changed()

    def test_a_denied_consent_says_so(self):
        dialog = self.dialog()
        self.sign_in(dialog, allow=False)
        self.assertEqual(dialog.state, "failed")
        self.assertIn("not completed", dialog.problem)
        self.assert_nothing_changed()

    def test_a_provider_that_is_down_keeps_what_was_typed(self):
        for fault in ({"status": 503, "body": b"<html>"}, {"action": "drop"}, {"action": "drip"}):
            with self.subTest(fault), patch("odoo.addons.system_mail.connect.oauth.PATIENCE", 1):
                dialog = self.dialog()
                self.oauth.fail("token", **fault)
                self.sign_in(dialog)
                self.oauth.heal()
                self.assertEqual(dialog.state, "failed")
                self.assertIn("sign-in service", dialog.problem)
                self.assertEqual(dialog.address, HELLO)
                self.assert_nothing_changed()

    def test_who_signed_in_is_asked_for_where_the_token_does_not_say(self):
        self.oauth.id_tokens = False
        dialog = self.dialog()
        self.sign_in(dialog)
        self.assertEqual(dialog.state, "connected")
        self.assertIn("userinfo", [request.endpoint for request in self.oauth.requests])

    def test_an_address_that_is_not_verified_is_nobodys(self):
        self.oauth.claims = {"email_verified": False}
        dialog = self.dialog()
        self.sign_in(dialog)
        self.assertEqual(dialog.state, "failed")
        self.assert_nothing_changed()

    def test_a_provider_without_refresh_tokens_is_refused(self):
        self.oauth.refresh_tokens = False
        dialog = self.dialog()
        self.sign_in(dialog)
        self.assertEqual(dialog.state, "failed")
        self.assertIn("no refresh token", dialog.problem)
        self.assert_nothing_changed()

    def test_scopes_may_be_worded_anew(self):
        self.oauth.scope_returned = "something else"
        dialog = self.dialog()
        self.sign_in(dialog)
        self.assertEqual(dialog.state, "connected")

    def test_an_smtp_server_that_refuses_the_token_is_no_connection(self):
        dialog = self.dialog()
        back = self.oauth.consent(self.begin(dialog))
        self.oauth.on_token = None
        self.come_back(dialog, back)
        self.assertEqual(dialog.state, "failed")
        self.assertTrue(dialog.answer)
        self.assert_nothing_changed()

    def test_a_provider_without_a_client_says_who_sets_it_up(self):
        dialog = self.dialog()
        self.provider.client_id = False
        self.assertFalse(self.begin(dialog))
        self.assertIn("not set up yet", dialog.problem)


@tagged("post_install", "-at_install")
class TestTokens(OAuthCase):
    """The access goes on, or ends, as the provider says."""

    def setUp(self):
        super().setUp()
        self.sign_in(self.dialog())
        self.own.fail("auth", reply="535 5.7.8 Rejected")

    def expire(self):
        self.token(self.system_server).expires_at = fields.Datetime.now()
        self.env.flush_all()

    def test_a_token_is_refreshed_and_its_successor_kept(self):
        before = in_clear(self.token(self.system_server), "refresh_token")
        for _ in range(2):
            self.expire()
            self.mention()
        self.assertEqual(len(self.received("ben@company.test")), 2)
        self.assertEqual(self.oauth.refreshes, 2)
        self.assertNotEqual(in_clear(self.token(self.system_server), "refresh_token"), before)

    def test_a_provider_that_does_not_rotate_keeps_the_one_it_gave(self):
        self.oauth.rotate = False
        before = in_clear(self.token(self.system_server), "refresh_token")
        self.expire()
        self.mention()
        self.assertEqual(in_clear(self.token(self.system_server), "refresh_token"), before)

    def test_a_fresh_token_asks_nobody(self):
        self.mention()
        self.assertFalse(self.oauth.refreshes)

    def test_a_token_that_the_server_refuses_is_replaced_once_at_once(self):
        self.system.tokens[HELLO] = "the provider's, and not ours any more"
        self.assert_arrives_once_by_system_mail(self.mention())
        self.assertEqual(self.oauth.refreshes, 1)
        self.assertEqual(self.health(self.system_server).state, "connected")
        self.mention()
        self.assertEqual(self.oauth.refreshes, 1)

    def test_a_new_token_that_the_server_refuses_too_disconnects(self):
        self.oauth.on_token = None
        self.system.tokens[HELLO] = "another"
        self.mention()
        self.assertEqual(self.oauth.refreshes, 1)
        self.assertEqual(self.health(self.system_server).state, "disconnected")

    def test_a_test_of_the_mailbox_replaces_a_refused_token_too(self):
        self.system.tokens[HELLO] = "another"
        self.assertIsNone(self.system_server.system_mail_check())
        self.assertEqual(self.oauth.refreshes, 1)

    def test_a_check_among_others_keeps_the_token_that_it_was_given(self):
        self.expire()
        self.env.flush_all()
        for _ in range(2):
            checks = list(self.system_server.system_mail_check_in_parallel())
            self.assertEqual(checks, [(self.system_server, None)])
        self.assertEqual(self.oauth.refreshes, 1)

    def test_a_revoked_grant_disconnects(self):
        self.oauth.revoke(HELLO)
        self.expire()
        self.mention()
        health = self.health(self.system_server)
        self.assertEqual((health.state, health.phase), ("disconnected", "token"))

    def test_a_provider_that_is_down_is_a_passing_trouble(self):
        self.oauth.fail("token", status=503)
        self.expire()
        message = self.mention()
        self.assertEqual(self.health(self.system_server).state, "unstable")
        self.assertEqual(message.notification_ids.notification_status, "ready", "it waits")

    def test_a_wrong_client_secret_is_the_providers_misconfiguration(self):
        self.oauth.fail("token", error="invalid_client", description="AADSTS7000222: expired")
        self.expire()
        self.mention()
        health = self.health(self.system_server)
        self.assertEqual((health.state, health.effect), ("unstable", "provider_misconfigured"))

    def test_super_users_are_told_once_of_a_wrong_client_secret(self):
        channel = self.env.ref("system_mail.channel_alerts")
        other = self.mailbox(
            self.own,
            "ben@company.test",
            False,
            smtp_authentication=OAUTH,
            system_mail_provider_id=self.provider.id,
        )
        self.env["system.mail.oauth.token"].create(
            {"server_id": other.id, "refresh_token": self.oauth.issue()["refresh_token"]}
        )
        self.oauth.fail("token", error="invalid_client")
        self.expire()
        mails = self.env["mail.mail"].search([])
        for server in (self.system_server, other, other):
            server.system_mail_check()
        told = [m for m in channel.message_ids if "client secret" in m.body]
        self.assertEqual(len(told), 1)
        self.assertIn("Lab Mail", told[0].body)
        self.assertEqual(self.env["mail.mail"].search([]), mails, "never by mail")
        self.assertIn(self.env.ref("base.partner_admin"), channel.channel_partner_ids)
        self.provider.client_secret_input = "renewed"
        self.assertFalse(self.provider.client_rejected_at)


@tagged("post_install", "-at_install")
class TestSecrets(OAuthCase):
    def test_no_secret_reaches_the_log_at_any_level(self):
        lines = []
        handler = logging.Handler(logging.NOTSET)
        handler.emit = lambda record: lines.append(f"{record.name}: {record.getMessage()}")
        root = logging.getLogger()
        noisy = [logging.getLogger(n) for n in ("requests_oauthlib", "oauthlib", "urllib3", "odoo")]
        levels = {logger: logger.level for logger in (root, *noisy)}
        root.addHandler(handler)
        try:
            for logger in levels:
                logger.setLevel(logging.DEBUG)
            self._live_through_everything()
        finally:
            root.removeHandler(handler)
            for logger, level in levels.items():
                logger.setLevel(level)
        secrets = {self.oauth.client_secret, "neutral", "a password of ana"}
        for request in self.oauth.requests:
            secrets |= {
                value
                for name, value in request.parameters.items()
                if name in ("client_secret", "refresh_token", "code_verifier")
            }
        secrets |= {token for token in self.system.tokens.values() if token}
        self.assertGreater(len(secrets), 5)
        self.assertGreater(len(lines), 100)
        # who told it, not what: a failure must not tell the secrets either
        tellers = {line.partition(":")[0] for line in lines for s in secrets if s in line}
        self.assertFalse(tellers)

    def _live_through_everything(self):
        self.sign_in(self.dialog())
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.mention()
        token = self.token(self.system_server)
        token.expires_at = fields.Datetime.now()
        self.env.flush_all()
        self.mention()
        self.oauth.fail("token", error="invalid_grant", times=1)
        token.expires_at = fields.Datetime.now()
        self.env.flush_all()
        self.mention()
        self.env.invalidate_all()
        dialog = self.dialog(method="password", smtp_pass="a password of ana")
        dialog.action_connect()
        self.assertEqual(dialog.state, "failed")


@tagged("post_install", "-at_install")
class TestRefreshRace(TransactionCase):
    """Two workers, each with a connection of its own to the database."""

    def setUp(self):
        super().setUp()
        self.enterContext(patch.dict(os.environ, OAUTHLIB_INSECURE_TRANSPORT="1"))
        self.oauth = self.enterContext(OAuthLab(account=HELLO, latency=0.3))
        with self._worker() as env:
            provider = env["system.mail.oauth.provider"].create(
                {
                    "name": "Race",
                    "client_id": self.oauth.client_id,
                    "client_secret_input": self.oauth.client_secret,
                    "authorization_endpoint": self.oauth.authorization_endpoint,
                    "token_endpoint": self.oauth.token_endpoint,
                    "scope": self.oauth.scope,
                    "smtp_host": "127.0.0.1",
                }
            )
            server = env["ir.mail_server"].create(
                {
                    "name": "Race",
                    "smtp_host": "127.0.0.1",
                    "smtp_user": HELLO,
                    "smtp_authentication": OAUTH,
                    "system_mail_provider_id": provider.id,
                    "active": False,
                }
            )
            env["system.mail.oauth.token"].create(
                {
                    "server_id": server.id,
                    "access_token": "old",
                    "refresh_token": self.oauth.issue()["refresh_token"],
                    "expires_at": fields.Datetime.now(),
                }
            )
        self.server_id = server.id
        self.addCleanup(self._clean_up, server.id, provider.id)

    def test_two_workers_refresh_once(self):
        got = []

        def work():
            with self._worker() as env:
                env["ir.mail_server"].search_count([])  # its snapshot is taken
                barrier.wait(5)
                own = env["ir.mail_server"].browse(self.server_id)
                got.append(env["system.mail.oauth.token"]._access_token(own))

        barrier = threading.Barrier(2)
        workers = [threading.Thread(target=work) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(20)
        self.assertEqual(self.oauth.refreshes, 1)
        self.assertEqual(len(got), 2)
        self.assertEqual(len(set(got)), 1)
        self.assertNotIn("old", got)

    def test_the_worker_that_replaced_a_token_uses_its_successor(self):
        with self._worker() as env:
            env["system.mail.oauth.token"].search([]).expires_at = fields.Datetime.now() + HOUR
        with self._worker() as env:
            own = env["ir.mail_server"].browse(self.server_id)
            tokens = env["system.mail.oauth.token"]
            self.assertEqual(tokens._access_token(own), "old")
            tokens._replace(own)
            self.assertEqual(self.oauth.refreshes, 1)
            self.assertNotEqual(tokens._access_token(own), "old")

    @contextlib.contextmanager
    def _worker(self):
        """An environment on a real connection, committed at the end."""
        with self.registry.cursor() as cr:
            yield api.Environment(cr, SUPERUSER_ID, {})

    def _clean_up(self, server_id, provider_id):
        with self._worker() as env:
            env["ir.mail_server"].with_context(active_test=False).browse(server_id).unlink()
            env["system.mail.oauth.provider"].browse(provider_id).unlink()
