import contextlib
import http.server
import json
import os
import threading
import time
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import SMTP_TIMEOUT, SystemMailCase
from .oauth_lab import OAuthLab

ANA = "ana@company.test"


@contextlib.contextmanager
def answering(status, body):
    """A service that has one answer for everybody; its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_args):
            """Silence: an address may hold a token."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class OdooOAuthCase(SystemMailCase):
    """Ana's mailbox is connected by one of Odoo's own OAuth modules, which come with mail."""

    authentication = module = ""

    def setUp(self):
        super().setUp()
        self.own.logins.clear()
        self.parameters = self.env["ir.config_parameter"]

    def connect(self, refresh_token, access_token):
        self.own_server.write(
            {
                "smtp_pass": False,
                "smtp_encryption": "starttls",
                "smtp_authentication": self.authentication,
            }
        )
        self.own.encryption = "starttls"
        self.set_token("refresh_token", refresh_token)
        self.set_token("access_token", access_token)
        self.set_token("access_token_expiration", int(time.time()) + 3600)
        self.env.flush_all()  # the own cursor sees what is in the database

    def set_token(self, name, value):
        self.own_server.sudo()[f"{self.module}_{name}"] = value

    def token(self, name):
        self.own_server.invalidate_recordset()
        return self.own_server.sudo()[f"{self.module}_{name}"]

    def expire(self):
        self.set_token("access_token_expiration", 0)

    def assert_falls_back(self, state, text=""):
        self.assert_arrives_once_by_system_mail(self.mention())
        health = self.health(self.own_server)
        self.assertEqual((health.state, health.phase), (state, "token"))
        self.assertIn(text, self.events("fallback").answer)


class SignInCase:
    """What holds for both modules where the administrator entered a client."""

    rotate = True

    def setUp(self):
        super().setUp()
        self.enterContext(patch.dict(os.environ, OAUTHLIB_INSECURE_TRANSPORT="1"))
        self.oauth = self.enterContext(OAuthLab(account=ANA, rotate=self.rotate))
        self.oauth.scope = (
            "openid email offline_access https://outlook.office.com/User.read "
            "https://outlook.office.com/SMTP.Send"
        )
        self.oauth.on_token = lambda account, token: self.own.tokens.update({account: token or ""})
        self.parameters.set_param(f"{self.module}_client_id", self.oauth.client_id)
        self.parameters.set_param(f"{self.module}_client_secret", self.oauth.client_secret)
        self.use_lab()
        token = self.oauth.issue()
        self.connect(token["refresh_token"], token["access_token"])

    def test_a_good_token_sends(self):
        self.mention()
        self.assertEqual(len(self.own.accepted), 1)

    def test_an_expired_token_is_replaced_as_odoo_does(self):
        self.expire()
        old, begin = self.token("refresh_token"), int(time.time())
        self.mention()
        self.assertEqual(len(self.own.accepted), 1)
        self.assertEqual(self.token("access_token"), self.own.tokens[ANA])
        self.assertGreaterEqual(
            self.token("access_token_expiration"), begin + self.oauth.expires_in
        )
        self.assertEqual(self.token("refresh_token") != old, self.rotate)

    def test_an_access_token_that_the_server_refuses_is_replaced_once(self):
        self.set_token("access_token", "refused")
        self.mention()
        self.assertEqual(len(self.own.accepted), 1)
        self.assertEqual(self.oauth.refreshes, 1)
        self.assertFalse(self.events("fallback"))

    def test_a_check_keeps_the_token_that_it_was_given(self):
        self.expire()
        self.env.flush_all()
        for _ in range(2):
            checks = list(self.own_server.system_mail_check_in_parallel())
            self.assertEqual(checks, [(self.own_server, None)])
        self.assertEqual(self.oauth.refreshes, 1)

    def test_a_revoked_grant_falls_back_and_disconnects(self):
        self.oauth.revoke(ANA)
        self.expire()
        self.assert_falls_back("disconnected", "invalid_grant")

    def test_a_grant_revoked_while_the_token_seems_good_falls_back_and_disconnects(self):
        self.oauth.revoke(ANA)
        self.assert_falls_back("disconnected")

    def test_a_mailbox_that_was_never_signed_in_falls_back_and_is_disconnected(self):
        self.set_token("refresh_token", False)
        self.expire()
        self.assert_falls_back("disconnected")
        self.assertFalse(self.oauth.requests)

    def test_a_provider_that_is_down_falls_back_but_does_not_disconnect(self):
        self.oauth.fail("token", status=503)
        self.expire()
        self.assert_falls_back("unstable")
        self.assertEqual(self.events("fallback").smtp_code, 503)

    def test_a_provider_that_drips_is_not_waited_for(self):
        self.oauth.fail("token", action="drip")
        self.expire()
        begin = time.monotonic()
        self.assert_falls_back("unstable")
        self.assertLess(time.monotonic() - begin, 2 * SMTP_TIMEOUT)

    def test_an_answer_without_a_token_falls_back_but_does_not_disconnect(self):
        self.expire()
        bodies = (b"{}", b"[]", b"null", b"<html>")
        for count, body in enumerate(bodies, 1):
            with self.subTest(body):
                fault = self.oauth.fail("token", status=200, body=body)
                self.mention()
                self.oauth.heal(fault)
                self.assertEqual(len(self.system.accepted), count)
                health = self.health(self.own_server)
                self.assertEqual((health.state, health.phase), ("unstable", "token"))
                health.give_new_chance()

    def test_a_wrong_client_secret_falls_back_but_does_not_disconnect(self):
        self.oauth.fail("token", error="invalid_client", description="AADSTS7000222: expired")
        self.expire()
        self.assert_falls_back("unstable", "AADSTS7000222")
        self.assertEqual(self.health(self.own_server).effect, "provider_misconfigured")
        self.env.invalidate_all()
        channel = self.env.ref("system_mail.channel_alerts")
        self.assertEqual(sum("client secret" in (m.body or "") for m in channel.message_ids), 1)


@tagged("post_install", "-at_install")
class TestOutlook(SignInCase, OdooOAuthCase):
    authentication, module = "outlook", "microsoft_outlook"

    def use_lab(self):
        self.parameters.set_param("microsoft_outlook.endpoint", f"{self.oauth.url}/")

    def test_outside_our_connections_odoo_asks_in_its_own_words(self):
        self.oauth.fail("token", error="invalid_grant", description="AADSTS70008: expired")
        self.expire()
        with self.assertRaisesRegex(UserError, "fetching the access token. AADSTS70008"):
            self.own_server.test_smtp_connection()
        [request] = self.oauth.requests
        self.assertIn("redirect_uri", dict(request.form))


@tagged("post_install", "-at_install")
class TestGmail(SignInCase, OdooOAuthCase):
    authentication, module, rotate = "gmail", "google_gmail", False

    def use_lab(self):
        google = self.env.ref("system_mail.oauth_provider_google")
        google.token_endpoint = self.oauth.token_endpoint

    def test_no_client_of_another_provider_gets_the_token(self):
        """A mailbox may have been another provider's before."""
        other = self.env["system.mail.oauth.provider"].search([("odoo_parameter", "=", False)])[0]
        other.token_endpoint = "http://127.0.0.1:1/token"
        self.own_server.sudo().system_mail_provider_id = other
        self.expire()
        self.mention()
        self.assertEqual(len(self.own.accepted), 1)


@tagged("post_install", "-at_install")
class TestInAppPurchase(OdooOAuthCase):
    """Odoo's own service, which asks Google where the administrator entered no client."""

    authentication, module = "gmail", "google_gmail"

    def setUp(self):
        super().setUp()
        self.parameters.set_param("google_gmail_client_id", False)
        self.own.tokens[ANA] = "good"
        self.connect("refresh", "old")
        self.expire()

    def answer(self, status, body):
        service = self.enterContext(answering(status, body))
        self.parameters.set_param("mail.server.gmail.iap.endpoint", service)

    def test_a_new_token_sends(self):
        self.answer(200, ["good", int(time.time()) + 3600])
        self.mention()
        self.assertEqual(len(self.own.accepted), 1)
        self.assertEqual(self.token("access_token"), "good")

    def test_a_revoked_grant_falls_back_and_disconnects(self):
        self.answer(200, {"error": "invalid_grant"})
        self.assert_falls_back("disconnected", "invalid_grant")

    def test_a_missing_subscription_falls_back_but_does_not_disconnect(self):
        self.answer(200, {"error": "no_subscription"})
        self.assert_falls_back("unstable", "no_subscription")

    def test_a_service_that_is_down_falls_back_but_does_not_disconnect(self):
        self.answer(503, {})
        self.assert_falls_back("unstable")

    def test_an_answer_without_a_token_falls_back_but_does_not_disconnect(self):
        self.answer(200, None)
        self.assert_falls_back("unstable")

    def test_outside_our_connections_odoo_says_it_in_its_own_words(self):
        self.answer(200, {"error": "no_subscription"})
        with self.assertRaisesRegex(UserError, "have an active subscription"):
            self.own_server.test_smtp_connection()
