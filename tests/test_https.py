"""Mailboxes that send by their provider's API, over HTTPS, where SMTP is closed."""

import os
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged

from ..constants import OAUTH
from .https_lab import Gmail, Graph
from .test_application import ANA, HELLO, INFO, SCOPE, ApplicationCase
from .test_oauth import OAuthCase

API_SCOPE = "https://graph.lab.test/.default"


class HttpsCase(ApplicationCase):
    """System Mail at ``hello@company.test`` sends by an API that an application may use."""

    kind = Graph

    def setUp(self):
        super().setUp()
        self.enterContext(patch.dict(os.environ, SSL_CERT_FILE=self.lab.cafile))
        self.api = self.kind(self.lab.authority, "api")
        self.addCleanup(self.api.close)
        self.servers.append(self.api)
        self.allow(HELLO)
        self.provider.write(self._api_values())

    def _api_values(self):
        return {
            "api_form": self.kind.__name__.lower(),
            "api_endpoint": self.api.endpoint,
            "api_scope": API_SCOPE,
        }

    def _follow(self, account, token):
        super()._follow(account, token)
        if token:
            self.api.tokens.setdefault(token, set()).add(account)

    def allow(self, *mailboxes, **values):
        super().allow(*mailboxes, **{"scope": f"{SCOPE} {API_SCOPE}", **values})

    def connect(self, **values):
        return super().connect(**{"by_https": True, **values})

    def connected(self):
        """System Mail's server, connected by HTTPS, without what that sent."""
        dialog = self.connect()
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        self.api.accepted.clear()
        self.env.flush_all()
        return self.company.system_mail_server_id


@tagged("post_install", "-at_install")
class TestSystemMailByHttps(HttpsCase):
    def test_from_the_dialog_to_a_fallback_though_smtp_is_closed(self):
        self.system.stop()
        dialog = self.connect()
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        server = self.company.system_mail_server_id
        self.assertEqual(server.smtp_authentication, OAUTH)
        self.assertTrue(server.system_mail_https)
        self.assertEqual((server.smtp_host, server.smtp_port), ("127.0.0.1", self.api.port))
        [proof] = self.received("super@company.test")
        self.assertEqual(proof.mail_from, HELLO)
        self.assertEqual(len(self.api.tokens), 1)
        self.assertEqual(self.oauth.requests[-1].parameters["scope"], API_SCOPE)
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        message = self.mention()
        [delivery] = self.received(self.ben.email)
        self.assertIn(delivery, self.api.accepted)
        self.assertEqual(str(delivery.message["From"]), f"Ana Author <{HELLO}>")
        self.assertEqual(delivery.message["Reply-To"].addresses[0].addr_spec[-12:], "company.test")
        self.assertEqual(message.notification_ids.notification_status, "sent")
        self.assertEqual(self.company.system_mail_state, "connected")
        self.assertEqual([event.kind for event in self.events()][-1], "fallback")

    def test_a_working_mailbox_costs_the_api_nothing(self):
        self.connected()
        asked = len(self.api.requests), self.api.connections
        self.mention()
        self.assertEqual((len(self.api.requests), self.api.connections), asked)

    def test_what_the_api_refuses_is_a_state_with_a_remedy(self):
        server = self.connected()
        self.own.fail("connect", action="reset")
        self.api.fail("answer", status=403, code="ErrorSendAsDenied")
        message = self.mention()
        health = self.health(server)
        self.assertEqual((health.rule, health.state), ("send_as_denied", "unstable"))
        self.assertIn("403 ErrorSendAsDenied", health.reason)
        self.assertEqual(message.notification_ids.failure_type, "system_mail_waiting")

    def test_it_is_left_alone_for_as_long_as_the_provider_asks(self):
        server = self.connected()
        self.own.fail("connect", action="reset")
        self.api.fail("answer", status=429, headers={"Retry-After": "3000"})
        self.mention()
        health = self.health(server)
        seconds = (health.next_probe_at - health.last_failure).total_seconds()
        self.assertAlmostEqual(seconds, 3000, delta=2)
        asked = len(self.api.requests)
        self.mention()
        self.assertEqual(len(self.api.requests), asked)

    def test_a_probe_sends_nothing_and_brings_the_mail_that_waits(self):
        server = self.connected()
        self.own.fail("connect", action="reset")
        fault = self.api.fail("answer", status=403, code="ErrorAccessDenied")
        message = self.mention()
        self.assertEqual(self.health(server).rule, "application_no_access")
        self.assertEqual(fault.struck, 2, "once more, with a new token")
        for healed in (False, True):
            if healed:
                self.api.heal()
            self.health(server).next_probe_at = "2020-01-01"
            self.env.ref("system_mail.ir_cron_probe").method_direct_trigger()
            self.assertFalse(self.api.accepted)
            self.assertEqual(self.health(server).state == "connected", healed)
        self.run_queue(self.env["mail.mail"].search([("mail_message_id", "=", message.id)]))
        self.assertEqual(len(self.received(self.ben.email)), 1)

    def test_a_token_that_ended_is_fetched_again(self):
        self.connected()
        self.api.tokens.clear()
        self.own.fail("connect", action="reset")
        self.mention()
        self.assertEqual(len(self.received(self.ben.email)), 1)

    def test_a_line_cut_after_the_request_is_a_second_copy_for_colleagues_only(self):
        self.connected()
        self.own.fail("connect", action="reset")
        self.api.fail("answer", action="drop", accept=True, times=1)
        message = self.mention()
        self.assertEqual(message.notification_ids.failure_type, "system_mail_waiting")
        self.run_queue(self.env["mail.mail"].search([("mail_message_id", "=", message.id)]))
        ids = [d.message["Message-Id"] for d in self.received(self.ben.email)]
        self.assertEqual(ids, [message.message_id] * 2)

    def test_its_reach_is_tried_without_a_message(self):
        self.allow(HELLO, INFO)
        dialog = self.connect(other_mailbox=INFO)
        self.assertTrue(dialog.reach_is_wide)
        self.assertIn(INFO, dialog.reach)
        self.assertEqual({d.mail_from for d in self.api.accepted}, {HELLO})

    def test_back_to_smtp(self):
        server = self.connected()
        dialog = self.connect(by_https=False)
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        self.assertEqual(server, self.company.system_mail_server_id)
        self.assertFalse(server.system_mail_https)
        self.assertEqual(server.smtp_port, self.system.port)

    def test_nobody_is_forgotten_by_the_audit(self):
        self.connected()
        server = self.company.system_mail_server_id
        server.with_user(self.admin).system_mail_https = False
        self.assertIn("By HTTPS", self.events("configured")[-1].note)

    def test_a_test_and_a_drill_go_by_https(self):
        self.connected()
        company = self.company.with_user(self.admin)
        sent_from, problem = company.system_mail_send_test("super@company.test")
        self.assertEqual(problem, "")
        self.assertIn(HELLO, sent_from)
        self.assertEqual(len(self.api.accepted), 1)

    def test_odoos_own_test_of_the_server(self):
        server = self.connected().with_user(self.admin)
        server.test_smtp_connection()
        self.api.fail("answer", status=403, code="ErrorSendAsDenied")
        with self.assertRaisesRegex(UserError, "ErrorSendAsDenied"):
            server.test_smtp_connection()
        self.assertFalse(self.api.accepted)

    def test_the_addon_goes_and_the_server_with_it(self):
        server = self.connected()
        self.company.write({"system_mail_server_id": False})
        going_on, others = self.env["ir.mail_server"].system_mail_dependents()
        self.assertIn(server, others)
        self.assertNotIn(server, going_on)

    def test_what_is_known_of_a_provider_is_filled_in(self):
        def of(name):
            provider = self.env.ref(f"system_mail.oauth_provider_{name}")
            return provider.api_form, provider.api_scope

        self.assertEqual(of("yahoo"), (False, False))
        self.assertEqual(
            of("microsoft_application"), ("graph", "https://graph.microsoft.com/.default")
        )
        form, scope = of("google")
        self.assertEqual(form, "gmail")
        self.assertIn("gmail.send", scope)
        self.assertIn("openid", scope, "whose consent it was")
        self.assertFalse(self.register(api_form=False).api_form)

    def test_large_attachments_become_links(self):
        provider = self.env.ref("system_mail.oauth_provider_microsoft_application")
        self.assertEqual(provider.api_megabytes(), 2.9)
        server = self.connected()
        self.assertEqual(server.max_email_size, self.provider.api_megabytes())

    def test_an_address_without_https_is_none_of_an_api(self):
        for endpoint in (
            "http://127.0.0.1/{mailbox}",
            "https://api.test/",
            "https://a b/{mailbox}",
        ):
            with self.assertRaises(ValidationError):
                self.provider.api_endpoint = endpoint


@tagged("post_install", "-at_install")
class TestReplies(HttpsCase):
    """The provider gives each message an ID of its own, as Gmail does, and Microsoft 365 may."""

    def setUp(self):
        super().setUp()
        self.api.own_ids = self.api.own_ids or "prod.outlook.test"

    def test_a_reply_finds_its_thread(self):
        self.connected()
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        message = self.mention()
        [delivery] = self.received(self.ben.email)
        own_id = delivery.message["Message-Id"]
        self.assertNotEqual(own_id, message.message_id)
        self.env["mail.thread"].message_process(
            None,
            f"From: {self.ben.email}\r\nTo: {HELLO}\r\nSubject: Re: Lead\r\n"
            f"Message-Id: <reply@company.test>\r\nIn-Reply-To: {own_id}\r\n"
            f"References: {delivery.message['References']} {own_id}\r\n\r\nThank you\r\n".encode(),
        )
        reply = self.env["mail.message"].search([("message_id", "=", "<reply@company.test>")])
        self.assertEqual((reply.model, reply.res_id), (self.record._name, self.record.id))

    def test_so_does_a_reply_to_a_message_in_the_midst_of_a_thread(self):
        self.connected()
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        first = self.mention()
        self.mention(parent_id=first.id)
        delivery = self.received(self.ben.email)[-1]
        self.assertIn(first.message_id, delivery.message["References"])
        self.env["mail.thread"].message_process(
            None,
            f"From: {self.ben.email}\r\nTo: {HELLO}\r\nSubject: Re: Lead\r\n"
            f"Message-Id: <reply@company.test>\r\n"
            f"References: {delivery.message['References']}\r\n\r\nThank you\r\n".encode(),
        )
        reply = self.env["mail.message"].search([("message_id", "=", "<reply@company.test>")])
        self.assertEqual((reply.model, reply.res_id), (self.record._name, self.record.id))


class TestRepliesByGmail(TestReplies):
    kind = Gmail


class PersonalHttpsCase(HttpsCase):
    """Ana's mailbox sends by HTTPS, and System Mail by SMTP stands behind it."""

    def setUp(self):
        super().setUp()
        self.system.logins[HELLO] = "neutral"
        self.allow(ANA)
        self.provider.for_people = True
        action = self.ana.with_user(self.admin).system_mail_open_application()
        dialog = self.env["system.mail.connect"].with_user(self.admin).browse(action["res_id"])
        dialog.write({"method": str(self.provider.id), "smtp_user": ANA, "by_https": True})
        dialog.action_connect()
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        self.env.flush_all()
        self.api.accepted.clear()
        self.personal = self.ana.outgoing_mail_server_id


@tagged("post_install", "-at_install")
class TestPersonalMailboxByHttps(PersonalHttpsCase):
    def test_her_mail_goes_by_the_api(self):
        self.assertTrue(self.personal.system_mail_https)
        self.mention()
        [delivery] = self.received(self.ben.email)
        self.assertEqual((delivery.mail_from, delivery in self.api.accepted), (ANA, True))

    def test_system_mail_stands_in(self):
        self.api.stop()
        self.assert_arrives_once_by_system_mail(self.mention())
        self.assertEqual(self.health(self.personal).state, "unstable")

    def test_without_system_mail_odoo_itself_sends_by_it(self):
        self.company.system_mail_address = False
        message = self.mention()
        self.assertEqual(len(self.received(self.ben.email)), 1)
        self.assertEqual(message.notification_ids.notification_status, "sent")
        self.api.fail("answer", status=403, code="ErrorSendAsDenied")
        message = self.mention()
        self.assertEqual(message.notification_ids.notification_status, "exception")

    def test_who_is_in_bcc_gets_a_message_of_their_own(self):
        servers = self.env["ir.mail_server"]
        readers = [self.ben.email, "cleo@company.test"]
        message = servers._build_email__(ANA, [], "Hello", "See this", email_bcc=readers)
        servers.send_email(message, mail_server_id=self.personal.id)
        self.assertEqual([d.rcpt_to for d in self.api.accepted], [(r,) for r in readers])
        for delivery, other in zip(self.api.accepted, reversed(readers), strict=True):
            self.assertNotIn(other, delivery.content.decode())

    def test_a_mail_by_code_is_told_what_failed(self):
        self.company.system_mail_address = False
        servers = self.env["ir.mail_server"]
        message = servers._build_email__(ANA, [self.ben.email], "Hello", "See this")
        servers.send_email(message, mail_server_id=self.personal.id)
        self.assertEqual(len(self.received(self.ben.email)), 1)
        self.api.stop()
        with self.assertRaises(ConnectionRefusedError):
            servers.send_email(message, mail_server_id=self.personal.id)


class SignInByHttpsCase(OAuthCase):
    """A person signs in, and the mailbox sends by HTTPS."""

    def setUp(self):
        super().setUp()
        self.enterContext(patch.dict(os.environ, SSL_CERT_FILE=self.lab.cafile))
        self.api = Graph(self.lab.authority, "api")
        self.addCleanup(self.api.close)
        self.servers.append(self.api)
        self.oauth.scope += f" {API_SCOPE}"
        self.provider.write(
            {
                "api_form": "graph",
                "api_endpoint": self.api.endpoint,
                "api_scope": f"openid email {API_SCOPE}",
            }
        )

    def _follow(self, account, token):
        super()._follow(account, token)
        if token:
            self.api.tokens[token] = {account}


@tagged("post_install", "-at_install")
class TestSignInByHttps(SignInByHttpsCase):
    def test_what_is_consented_to_is_the_apis_scope(self):
        self.system.stop()
        dialog = self.dialog()
        self.sign_in(dialog)
        self.assertEqual(dialog.state, "failed")
        self.assertEqual(dialog.https_provider_id, self.provider.id)
        self.call(dialog._name, "action_use_https", [dialog.id])
        url = self.begin(dialog)
        [scope] = parse_qs(urlsplit(url).query)["scope"]
        self.assertEqual(scope, f"openid email {API_SCOPE}")
        self.come_back(dialog, self.oauth.consent(url))
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        server = self.company.system_mail_server_id
        server.invalidate_recordset()
        self.assertTrue(server.system_mail_https)
        self.assertFalse(self.api.accepted, "a person's mailbox is proved without a message")
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.mention()
        [delivery] = self.received(self.ben.email)
        self.assertIn(delivery, self.api.accepted)

    def test_the_dialog_remembers_that_it_sends_by_https(self):
        dialog = self.dialog(by_https=True)
        self.sign_in(dialog)
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        again = self.dialog()
        self.assertTrue(again.by_https)
        self.assertEqual(again.smtp_host, self.system.host, "what SMTP would need")


@tagged("post_install", "-at_install")
class TestProposal(HttpsCase):
    """The dialog proposes HTTPS where SMTP is closed."""

    def fails(self):
        dialog = self.connect(by_https=False)
        self.assertEqual(dialog.state, "failed")
        return dialog

    def test_where_the_tenant_forbids_smtp(self):
        self.system.fail(
            "auth", reply="535 5.7.139 SmtpClientAuthentication is disabled for the Tenant"
        )
        self.assertEqual(self.fails().https_provider_id, self.provider.id)

    def test_where_the_port_is_blocked(self):
        self.system.stop()
        dialog = self.fails()
        self.assertEqual(dialog.https_provider_id, self.provider.id)
        dialog.action_use_https()
        self.assertEqual((dialog.state, dialog.by_https), ("draft", True))
        dialog.action_connect()
        self.assertEqual((dialog.state, dialog.https_provider_id), ("connected", 0))

    def test_not_where_the_password_is_wrong(self):
        self.provider.client_secret_input = "wrong"
        self.assertFalse(self.fails().https_provider_id)

    def test_not_where_the_provider_has_no_api(self):
        self.provider.api_form = False
        self.system.stop()
        self.assertFalse(self.fails().https_provider_id)
