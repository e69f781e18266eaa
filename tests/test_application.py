import base64
import datetime
import os
import time
from unittest.mock import patch

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, tagged

from ..connect.keys import make_key_pair, read_private_key
from ..constants import GROUP, OAUTH
from ..models.accounts.system_mail_attempt import MOST
from ..tools.encrypted import VARIABLE
from .browser_case import BrowserCase
from .common import SystemMailCase
from .oauth_lab import Application, OAuthLab, ServiceAccount
from .test_failover_application import KEY, service_account

HELLO, ANA, INFO = "hello@company.test", "ana@company.test", "info@company.test"
PUBLIC_KEY = (
    read_private_key(KEY)
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
CLIENT_ID = "11111111-2222-3333-4444-555555555555"
OBJECT_ID = "66666666-7777-8888-9999-000000000000"
SCOPE = "https://mail.lab.test/.default"


class ApplicationCase(SystemMailCase):
    """A provider that knows an application and a service account, and no person."""

    def setUp(self):
        super().setUp()
        # oauthlib wants https of all but the tests of its users
        self.enterContext(patch.dict(os.environ, OAUTHLIB_INSECURE_TRANSPORT="1"))
        self.oauth = self.enterContext(OAuthLab())
        self.oauth.on_token = self._follow
        self.allow(HELLO)
        self.admin = self.env.ref("base.user_admin")
        self.admin.group_ids += self.env.ref(GROUP)
        self.admin.email = "super@company.test"
        self.provider = self.register()
        self.system.logins.clear()

    def _follow(self, account, token):
        for server in (self.system, self.own):
            server.tokens[account] = token or ""

    def allow(self, *mailboxes, **values):
        """What the provider lets the application do."""
        self.oauth.applications[CLIENT_ID] = Application(
            **{"secret": "hush~hush", "scope": SCOPE, "mailboxes": mailboxes, **values}
        )

    def register(self, **values):
        return (
            self.env["system.mail.oauth.provider"]
            .with_user(self.admin)
            .create(
                {
                    "name": "Lab Application",
                    "grant": "client_credentials",
                    "client_id": CLIENT_ID,
                    "client_secret_input": "hush~hush",
                    "token_endpoint": self.oauth.token_endpoint,
                    "scope": SCOPE,
                    "smtp_host": self.system.host,
                    "smtp_port": self.system.port,
                    "smtp_encryption": "none",
                    **values,
                }
            )
        )

    def dialog(self, **values):
        company = self.company.with_user(self.admin)
        action = company.action_system_mail_connect(HELLO)
        dialog = self.env["system.mail.connect"].with_user(self.admin).browse(action["res_id"])
        dialog.write({"method": str(self.provider.id), "smtp_user": HELLO, **values})
        return dialog

    def connect(self, **values):
        dialog = self.dialog(**values)
        dialog.action_connect()
        return dialog


@tagged("post_install", "-at_install")
class TestApplication(ApplicationCase):
    def test_from_the_dialog_to_a_fallback_without_a_person(self):
        dialog = self.connect()
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        server = self.company.system_mail_server_id
        self.assertEqual(server.smtp_authentication, OAUTH)
        [proof] = self.received("super@company.test")
        self.assertEqual(proof.mail_from, HELLO)
        self.assertEqual(self.company.system_mail_state, "connected")
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.assert_arrives_once_by_system_mail(self.mention())
        token = self.env["system.mail.oauth.token"].search([("server_id", "=", server.id)])
        self.assertTrue(token.access_token)
        self.assertFalse(token.refresh_token)

    def test_a_token_that_ended_is_fetched_again(self):
        self.connect()
        token = self.env["system.mail.oauth.token"].search([])
        token.expires_at = datetime.datetime(2020, 1, 1)
        self.env.flush_all()
        asked = len(self.oauth.requests)
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.assert_arrives_once_by_system_mail(self.mention())
        self.assertEqual(len(self.oauth.requests), asked + 1)

    def test_an_integrators_server_needs_no_dialog(self):
        self.system_server.write(
            {
                "smtp_authentication": OAUTH,
                "system_mail_login": HELLO,
                "system_mail_provider_id": self.provider.id,
            }
        )
        self.env.flush_all()
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.assert_arrives_once_by_system_mail(self.mention())

    def test_a_wrong_secret_changes_nothing_and_says_so(self):
        self.provider.client_secret_input = "wrong"
        dialog = self.connect()
        self.assertEqual(dialog.state, "failed")
        self.assertIn("AADSTS7000215", dialog.answer)
        self.assertNotIn("wrong", dialog.answer)
        self.assertEqual(self.company.system_mail_server_id.smtp_authentication, "login")

    def test_who_may_not_send_is_not_connected(self):
        self.system.fail("dot", reply="554 5.2.252 SendAsDenied; not allowed to send as")
        dialog = self.connect()
        self.assertEqual(dialog.state, "failed", "the message proves it, not the log-in")
        self.assertEqual(self.company.system_mail_server_id.smtp_authentication, "login")

    def test_a_secret_that_ended_and_is_renewed(self):
        self.connect()
        self.allow(HELLO, secret_ends_at=time.time() - 1)
        token = self.env["system.mail.oauth.token"].search([])
        token.expires_at = datetime.datetime(2020, 1, 1)
        self.env.flush_all()
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        message = self.mention()
        self.assertFalse(self.received("ben@company.test"))
        told = self.env.ref("system_mail.channel_alerts").message_ids.mapped("body")
        self.assertTrue([body for body in told if "Lab Application" in body and "secret" in body])
        self.allow(HELLO, secret="new~new")
        self.env.invalidate_all()  # as in the next request
        self.provider.write({"client_secret_input": "new~new"})
        self.env.flush_all()
        self.run_queue()
        self.assert_arrives_once_by_system_mail(message)

    def test_every_user_of_the_provider_gone(self):
        self.connect()
        self.oauth.revoke(ANA)
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.assert_arrives_once_by_system_mail(self.mention())

    def test_a_drill_passes(self):
        self.connect()
        self.env.flush_all()
        action = self.company.with_user(self.admin).action_system_mail_drill()
        dialog = self.env[action["res_model"]].with_user(self.admin).browse(action["res_id"])
        dialog.action_send()
        self.assertEqual(dialog.state, "passed")

    def test_a_certificate_in_place_of_a_secret(self):
        self.provider.client_secret_input = False
        self.provider.action_make_certificate()
        certificate = base64.b64decode(self.provider.certificate_file).decode()
        self.assertIn("BEGIN CERTIFICATE", certificate)
        self.assertNotIn("PRIVATE", certificate)
        self.assertGreater(
            self.provider.certificate_ends_on, datetime.date.today() + datetime.timedelta(700)
        )
        self.allow(HELLO, secret="", certificate=certificate)
        self.assertEqual(self.connect().state, "connected")

    def test_only_super_users_press_its_buttons(self):
        self.provider.action_make_certificate()
        outsiders = self.ana + self._user(
            "Settings", "settings@company.test", group_ids=self.env.ref("base.group_system").ids
        )
        for user in outsiders:
            for button in ("make_certificate", "remove_certificate", "reuse_client"):
                with self.subTest(button, user=user.name), self.assertRaises(AccessError):
                    getattr(self.provider.with_user(user), f"action_{button}")()
        self.assertTrue(self.provider.sudo().private_key)

    def test_a_certificate_of_ones_own(self):
        key, certificate = make_key_pair("Odoo")
        self.provider.write({"certificate_input": certificate, "private_key_input": key})
        self.allow(HELLO, secret="", certificate=certificate)
        self.assertEqual(self.connect().state, "connected")
        self.assertFalse(self.provider.private_key_input)
        with self.assertRaisesRegex(ValidationError, "do not belong together"):
            self.provider.certificate_input = make_key_pair("Other")[1]

    def test_only_the_commands_for_its_own_values(self):
        provider = self.env.ref("system_mail.oauth_provider_microsoft_application")
        provider.write({"client_id": CLIENT_ID, "object_id": OBJECT_ID, "tenant": "company.test"})
        usual, narrow = provider.commands_for("o'neill@company.test")
        self.assertIn(f"New-ServicePrincipal -AppId '{CLIENT_ID}' -ObjectId '{OBJECT_ID}'", usual)
        self.assertIn("-Identity 'o''neill@company.test'", usual)
        self.assertIn("SendAs -Confirm:$false\n", usual, "or the next line answers its question")
        self.assertIn("'PrimarySmtpAddress -eq ''o''''neill@company.test'''", narrow)
        provider.client_id = "x'; Remove-Mailbox *"
        self.assertNotIn("Remove-Mailbox", provider.commands_for(HELLO)[0])

    def test_it_says_what_is_missing(self):
        provider = self.env.ref("system_mail.oauth_provider_microsoft_application")
        for values, missing in (
            ({}, "client ID"),
            ({"client_id": CLIENT_ID}, "directory"),
            ({"tenant": "common"}, "directory"),
            ({"tenant": "company.test"}, "client secret"),
            ({"client_secret_input": "x"}, ""),
        ):
            provider.write(values)
            self.assertIn(missing, provider.missing())
            self.assertEqual(bool(missing), bool(provider.missing()))

    def test_its_registration_leads_back_to_the_dialog(self):
        self.provider.client_id = False
        dialog = self.dialog()
        action = dialog.action_open_provider()
        self.assertEqual((action["target"], action["res_id"]), ("new", self.provider.id))
        back = self.provider.with_context(**action["context"]).action_go_on()
        self.assertEqual((back["res_model"], back["res_id"]), (dialog._name, dialog.id))

    def test_how_far_it_reaches(self):
        dialog = self.connect(other_mailbox=INFO)
        self.assertEqual(dialog.state, "connected")
        self.assertIn("refused", dialog.reach)
        self.assertFalse(dialog.reach_is_wide)
        self.allow(HELLO, INFO)
        dialog = self.connect(other_mailbox=INFO)
        self.assertIn("may send as other people", dialog.reach)
        self.assertTrue(dialog.reach_is_wide)
        self.assertFalse(self.received(INFO))
        self.assertFalse([d for d in self.system.accepted if d.mail_from == INFO])
        self.assertEqual(self.company.system_mail_server_id.system_mail_login, HELLO)

    def test_a_refusal_that_says_nothing_of_the_reach(self):
        dialog = self.connect()
        dialog.other_mailbox = INFO
        for reply in (
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled",
            "454 4.7.0 Temporary authentication failure",
        ):
            fault = self.system.fail("auth", reply=reply)
            dialog._look_at_reach()
            self.system.heal(fault)
            with self.subTest(reply):
                self.assertIn("not known", dialog.reach)
                self.assertTrue(dialog.reach_is_wide)

    def test_its_own_mailbox_is_no_other_one(self):
        dialog = self.connect(other_mailbox=HELLO.upper())
        self.assertEqual(dialog.state, "failed")
        self.assertIn("another mailbox", dialog.problem)

    def test_a_secret_that_this_server_cannot_read(self):
        def use_keys(*keys):
            self.env.flush_all()
            self.env.invalidate_all()
            self.startPatcher(patch.dict(os.environ, {VARIABLE: " ".join(keys)}))

        use_keys(Fernet.generate_key().decode())
        self.provider.client_secret_input = "hush~again"
        use_keys()
        dialog = self.connect()
        self.assertEqual(dialog.state, "failed")
        self.assertIn("a key that this server does not have", dialog.problem)
        self.assertFalse(self.oauth.requests)

    def test_another_address_needs_another_connection(self):
        self.connect()
        server = self.company.system_mail_server_id
        server.system_mail_login = INFO
        self.assertFalse(server.system_mail_provider_id)


@tagged("post_install", "-at_install")
class TestInBrowser(BrowserCase, ApplicationCase):
    def test_nobody_waits_for_a_silent_provider(self):
        self.connect()
        self.env["system.mail.oauth.token"].search([]).expires_at = datetime.datetime(2020, 1, 1)
        self.oauth.fail("token", action="hang")
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.ana.write(
            {
                "password": "ana's own",
                "group_ids": [(4, self.env.ref("base.group_partner_manager").id)],
            }
        )
        self.authenticate(self.ana.login, "ana's own")
        begin = time.monotonic()
        self.make_jsonrpc_request(
            "/web/dataset/call_kw/res.partner/message_post",
            {
                "model": "res.partner",
                "method": "message_post",
                "args": [self.record.ids],
                "kwargs": {
                    "body": "See this",
                    "message_type": "comment",
                    "subtype_xmlid": "mail.mt_comment",
                    "partner_ids": self.ben.partner_id.ids,
                },
            },
        )
        self.assertLess(time.monotonic() - begin, 6)

    def test_from_the_settings_without_leaving_them(self):
        self.company.system_mail_address = False
        self.start_tour("/odoo/settings", "system_mail_application", login="admin")
        self.company.invalidate_recordset()
        self.assertEqual(self.company.system_mail_address, HELLO)
        self.assertEqual(self.company.system_mail_server_id.smtp_authentication, OAUTH)


@tagged("post_install", "-at_install")
class TestServiceAccount(ApplicationCase):
    def setUp(self):
        super().setUp()
        self.oauth.service_accounts["odoo@project.iam.gserviceaccount.com"] = ServiceAccount(
            PUBLIC_KEY, "0123456789abcdef", scope=SCOPE, mailboxes=[HELLO, INFO]
        )
        self.provider = self.register(
            name="Lab (service account)",
            grant="service_account",
            client_id=False,
            client_secret_input=False,
        )

    def test_from_the_key_file_to_a_fallback(self):
        self.assertIn("key file", self.provider.missing())
        self.provider.service_account_file = base64.b64encode(service_account().encode())
        self.assertFalse(self.provider.service_account_file)
        self.assertFalse(self.provider.service_account_input)
        self.assertEqual(self.provider.client_id, "112233445566778899")
        self.assertFalse(
            self.env["ir.attachment"].search([("res_model", "=", self.provider._name)])
        )
        dialog = self.connect()
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        self.assertEqual(dialog.delegation_client, "112233445566778899")
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.assert_arrives_once_by_system_mail(self.mention())

    def test_a_file_that_is_none_says_why(self):
        for text, why in (
            ("{", "not JSON"),
            (service_account(type="authorized_user"), "not the key of a service account"),
            (service_account(private_key="none"), "no key"),
            ("x" * 20_000, "too large"),
        ):
            with self.assertRaisesRegex(ValidationError, why):
                self.provider.service_account_input = text
        with self.assertRaisesRegex(ValidationError, "too large"):
            self.provider.service_account_file = base64.b64encode(b"x" * 200_000)

    def test_a_client_that_is_not_delegated(self):
        self.provider.service_account_input = service_account()
        self.oauth.service_accounts.clear()
        dialog = self.connect()
        self.assertEqual(dialog.state, "failed")


@tagged("post_install", "-at_install")
class TestPeoplesMailboxes(ApplicationCase):
    def setUp(self):
        super().setUp()
        self.allow(HELLO, ANA)
        self.provider.for_people = True
        self.provider.write({"smtp_port": self.own.port})
        self.own.logins.clear()

    def open(self, user=None):
        user = (user or self.ana).with_user(self.admin)
        action = user.system_mail_open_application()
        return self.env["system.mail.connect"].with_user(self.admin).browse(action["res_id"])

    def test_a_super_user_connects_anas_mailbox(self):
        dialog = self.open()
        self.assertEqual(dialog.method, str(self.provider.id))
        dialog.action_connect()
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        server = self.ana.outgoing_mail_server_id
        self.assertEqual(server.system_mail_provider_id, self.provider)
        [told] = self.received(ANA)
        self.assertEqual(told.mail_from, ANA)
        self.mention()
        [delivery] = self.received("ben@company.test")
        self.assertIn(delivery, self.own.accepted)

    def test_employees_are_never_offered_it(self):
        dialogs = self.env["system.mail.connect"].with_user(self.ana)
        self.assertNotIn(str(self.provider.id), dict(dialogs._methods()))
        self.assertNotIn(str(self.provider.id), dialogs.create({"user_id": self.ana.id}).offered)
        with self.assertRaises(AccessError):
            self.ben.with_user(self.ana).system_mail_open_application()
        with self.assertRaises(AccessError):
            dialogs.create({"user_id": self.ben.id, "address": "ben@company.test"})
        dialog = dialogs.create({"user_id": self.ana.id, "address": ANA, "smtp_user": ANA})
        with self.assertRaises(AccessError):
            dialog.method = str(self.provider.id)

    def test_only_at_the_owners_address(self):
        dialog = self.open()
        dialog.smtp_user = HELLO
        dialog.action_connect()
        self.assertEqual(dialog.state, "failed")
        self.assertIn("only at their e-mail address", dialog.problem)

    def test_not_at_an_address_that_is_a_colleagues_as_well(self):
        self.ben.email = ANA
        dialog = self.open()
        dialog.action_connect()
        self.assertEqual(dialog.state, "failed")
        self.assertIn("Ben Reader", dialog.problem)
        self.ben.email = "ben@company.test"
        self.ana.email = "ben@company.test"
        dialog = self.open()
        dialog.action_connect()
        self.assertIn("Ben Reader", dialog.problem)
        self.assertFalse(self.system.accepted + self.own.accepted)

    def test_the_dialog_says_whose_mailbox_it_is(self):
        dialog = self.open()
        self.assertIn("Ana Author", dialog.reopen()["name"])
        self.assertFalse(dialog.person_behind)
        self.assertTrue(dialog.is_of_other)
        self.assertFalse(self.dialog().is_of_other)
        own = dialog.with_user(self.ana).create({"user_id": self.ana.id, "address": ANA})
        self.assertFalse(own.is_of_other)

    def test_the_dialog_offers_what_fits_the_mailbox(self):
        self.assertEqual(self.open().offered, [str(self.provider.id)], "the password is hers")
        offered = self.dialog(method="password").offered
        self.assertIn("password", offered)
        self.assertNotIn(str(self.provider.id), offered)

    def test_a_super_user_connects_more_than_a_person_tries(self):
        for _time in range(MOST + 1):
            dialog = self.open()
            dialog.action_connect()
            self.assertEqual((dialog.state, dialog.problem), ("connected", False))

    def test_a_registration_in_use_stays_for_people(self):
        self.open().action_connect()
        with self.assertRaisesRegex(ValidationError, "ana@company.test"):
            self.provider.for_people = False

    def test_another_owner_or_address_forgets_it(self):
        for values in ({"owner_user_id": self.ben.id}, {"system_mail_login": HELLO}):
            self.open().action_connect()
            server = self.ana.outgoing_mail_server_id
            self.assertTrue(server.system_mail_provider_id)
            server.write(values)
            self.assertFalse(server.system_mail_provider_id)

    def test_a_token_goes_nowhere_but_where_it_was_connected(self):
        self.ana.group_ids += self.env.ref("base.group_system")  # she may write to her own server
        self.allow(HELLO, ANA, INFO)
        for values in ({"system_mail_login": INFO}, {"smtp_host": "localhost"}):
            self.open().action_connect()
            server = self.ana.outgoing_mail_server_id
            server.with_user(self.ana).write(values)
            self.env.flush_all()
            tried = len(self.own.attempts)
            _failure, decision = server.system_mail_check()
            with self.subTest(values):
                self.assertEqual(decision.remedy, "reconnect")
                self.assertEqual(len(self.own.attempts), tried)
                self.assertFalse(self.env["system.mail.oauth.token"].search([]))

    def test_an_owner_with_another_address_does_not_send_as_the_old_one(self):
        self.open().action_connect()
        server = self.ana.outgoing_mail_server_id
        self.ana.email = "anna@company.test"
        self.assertTrue(server.system_mail_check())

    def test_each_kind_of_mailbox_has_its_own_registration(self):
        dialog = self.connect()
        self.assertEqual(dialog.state, "failed")
        self.assertIn("registration of its own", dialog.problem)
        self.provider.for_people = False
        with self.assertRaisesRegex(UserError, "No registration"):
            self.open()


@tagged("post_install", "-at_install")
class TestPersonBehind(ApplicationCase):
    def test_a_person_that_system_mail_signs_in_as_is_shown(self):
        self.assertFalse(self.company.system_mail_clash)
        self.system_server.system_mail_login = ANA
        self.company.invalidate_recordset()
        self.assertIn("Ana Author", self.company.system_mail_clash)
        self.assertIn("Sent folder", self.company.system_mail_clash)
        dialog = self.dialog(method="password", smtp_user=ANA)
        self.assertIn("Ana Author", dialog.person_behind)
        dialog.method = str(self.provider.id)
        self.assertIn("Ana Author", dialog.person_behind)

    def test_an_application_is_proposed_the_address_in_place_of_a_person(self):
        self.system_server.system_mail_login = ANA
        company = self.company.with_user(self.admin)
        dialog = self.env["system.mail.connect"].with_user(self.admin)
        with Form(dialog.browse(company.action_system_mail_connect()["res_id"])) as form:
            self.assertEqual(form.smtp_user, ANA)
            form.shows_server = True
            form.method = str(self.provider.id)
            self.assertEqual(form.smtp_user, HELLO)
