import re
import time
from email.utils import parseaddr

from odoo.tests import tagged
from odoo.tools.profiler import Profiler, SQLCollector

from .common import SystemMailCase


@tagged("post_install", "-at_install")
class TestFallback(SystemMailCase):
    """The author's mailbox fails in every way it can; the mention arrives once, in the same run."""

    def assert_falls_back(self, *, phase, state, code=0):
        """Ana's mention arrives by System Mail, and event and health say why."""
        message = self.mention()
        delivery = self.assert_arrives_once_by_system_mail(message)
        self.assertIn(b'\r\nFrom: "Ana Author" <hello@company.test>\r\n', delivery.content)
        self.assertEqual(delivery.message["Reply-To"].addresses[0].addr_spec, "ana@company.test")
        self.assertEqual(delivery.mail_from, "hello@company.test")
        event = self.events("fallback")
        self.assertRecordValues(
            event,
            [
                {
                    "company_id": self.company.id,
                    "user_id": self.ana.id,
                    "server_id": self.own_server.id,
                    "message_id": message.message_id,
                    "mail_message_id": message.id,
                    "recipient_count": 1,
                    "phase": phase,
                    "smtp_code": code,
                }
            ],
        )
        self.assertEqual(parseaddr(event.original_from), ("Ana Author", "ana@company.test"))
        self.assertEqual(parseaddr(event.sent_from), ("Ana Author", "hello@company.test"))
        self.assertTrue(event.reason)
        health = self.health(self.own_server)
        self.assertEqual((health.state, health.phase), (state, phase))
        self.assertTrue(health.reason)
        self.assertTrue(health.since)
        self.assertTrue(health.last_failure)
        self.assertEqual(health.failure_count, 1)
        self.assertEqual(self.health(self.system_server).state, "connected")

    def test_a_healthy_mailbox_sends_its_own_mail(self):
        self.mention()
        [delivery] = self.received("ben@company.test")
        self.assertIn(delivery, self.own.accepted)
        self.assertFalse(self.system.connections)
        self.assertFalse(self.events())
        self.assertEqual(self.health(self.own_server).state, "connected")

    # --- before the message

    def test_a_refused_connection_falls_back(self):
        self.own.stop()
        self.assert_falls_back(phase="connect", state="unstable")

    def test_an_unknown_host_falls_back(self):
        self.own_server.smtp_host = "mail.company.invalid"
        self.assert_falls_back(phase="dns", state="unstable")

    def test_a_host_name_that_is_none_falls_back(self):
        self.own_server.smtp_host = "mail..company.test"
        self.assert_falls_back(phase="dns", state="unstable")

    def test_a_silent_server_falls_back_within_fifteen_seconds(self):
        self.own.fail("connect", action="hang")
        begin = time.monotonic()
        self.assert_falls_back(phase="banner", state="unstable")
        self.assertLess(time.monotonic() - begin, 15)

    def test_a_server_that_hangs_up_at_once_falls_back(self):
        self.own.fail("connect", action="drop")
        self.assert_falls_back(phase="banner", state="unstable")

    def test_a_drop_before_the_banner_falls_back(self):
        self.own.fail("banner", action="drop")
        self.assert_falls_back(phase="banner", state="unstable")

    def test_a_banner_that_says_no_falls_back(self):
        self.own.fail("banner", reply="554 5.3.2 No SMTP service here")
        self.assert_falls_back(phase="banner", state="unstable", code=554)

    def test_a_drop_at_ehlo_falls_back(self):
        self.own.fail("ehlo", action="drop")
        self.assert_falls_back(phase="ehlo", state="unstable")

    def test_a_missing_starttls_falls_back(self):
        self.own_server.smtp_encryption = "starttls"
        self.assert_falls_back(phase="tls", state="unstable")

    def test_a_certificate_nobody_signed_falls_back(self):
        secure = self.smtp(
            "secure", logins={"ana@company.test": "secret"}, encryption="ssl", certificate="expired"
        )
        self.own_server.write({"smtp_port": secure.port, "smtp_encryption": "ssl_strict"})
        self.assert_falls_back(phase="tls", state="unstable")
        self.assertFalse(secure.attempts)

    def test_a_rejected_password_falls_back_and_disconnects(self):
        self.own.logins["ana@company.test"] = "changed"
        self.assert_falls_back(phase="auth", state="disconnected", code=535)
        self.assertEqual(len(self.own.attempts), 1, "one log-in, or the account is locked out")

    def test_a_drop_at_auth_falls_back(self):
        self.own.fail("auth", action="drop")
        self.assert_falls_back(phase="auth", state="unstable")

    def test_a_temporary_log_in_failure_falls_back_but_does_not_disconnect(self):
        self.own.fail("auth", reply="454 4.7.0 Temporary authentication failure")
        self.assert_falls_back(phase="auth", state="unstable", code=454)

    # --- with the message

    def test_a_refused_sender_falls_back(self):
        self.own.allowed_senders = ["somebody@company.test"]
        self.assert_falls_back(phase="mail", state="unstable", code=550)

    def test_a_drop_at_mail_falls_back(self):
        self.own.fail("mail", action="drop")
        self.assert_falls_back(phase="mail", state="unstable")

    def test_a_drop_at_rcpt_falls_back(self):
        self.own.fail("rcpt", action="drop")
        self.assert_falls_back(phase="rcpt", state="unstable")

    def test_a_drop_at_data_falls_back(self):
        self.own.fail("data", action="drop")
        self.assert_falls_back(phase="data", state="unstable")

    def test_a_daily_limit_falls_back(self):
        self.own.fail("data", reply="550 5.4.5 Daily user sending limit exceeded")
        self.assert_falls_back(phase="data", state="unstable", code=550)

    def test_a_drop_within_the_body_falls_back(self):
        self.own.fail("body", action="drop", after_bytes=100)
        self.assert_falls_back(phase="dot", state="unstable")

    def test_a_server_that_closes_within_the_body_falls_back(self):
        self.own.fail("body", reply="421 4.3.2 Shutting down", after_bytes=100)
        self.assert_falls_back(phase="dot", state="unstable", code=421)

    def test_a_temporary_error_after_the_body_falls_back(self):
        self.own.fail("dot", reply="451 4.3.0 Local error in processing")
        self.assert_falls_back(phase="dot", state="unstable", code=451)

    def test_a_colleague_gets_a_second_copy_rather_than_none_when_it_is_uncertain(self):
        self.own.fail("dot", action="drop", accept=True)
        message = self.mention()
        copies = self.received("ben@company.test")
        self.assertEqual(len(copies), 2)
        for copy in copies:
            self.assertEqual(copy.message["Message-Id"], message.message_id)
        self.assertEqual(len(self.events("fallback")), 1)

    def test_a_drop_at_the_good_bye_is_no_failure(self):
        self.own.fail("quit", action="drop")
        self.mention()
        self.assertEqual(len(self.received("ben@company.test")), 1)
        self.assertFalse(self.events())
        self.assertEqual(self.health(self.own_server).state, "connected")

    # --- after it

    def test_a_disconnected_mailbox_is_left_alone(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.mention()
        message = self.mention()
        self.assert_arrives_once_by_system_mail_again(message)
        self.assertEqual(len(self.own.connections), 1)
        self.assertEqual(len(self.events("fallback")), 2)

    def assert_arrives_once_by_system_mail_again(self, message):
        mine = [d for d in self.system.accepted if d.message["Message-Id"] == message.message_id]
        self.assertEqual(len(mine), 1)
        self.assertEqual(message.notification_ids.notification_status, "sent")

    def test_a_new_password_ends_the_outage(self):
        self.own.logins["ana@company.test"] = "changed"
        self.mention()
        self.env.invalidate_all()  # a new request knows nothing of the old one
        self.own_server.smtp_pass = "changed"
        self.mention()
        self.assertEqual(len(self.own.accepted), 1)
        self.assertEqual(self.health(self.own_server).state, "connected")
        self.assertEqual(len(self.events("reconnected")), 1)

    def test_a_disconnection_is_an_event_once(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.mention()
        self.mention()
        event = self.events("disconnected")
        self.assertEqual(len(event), 1)
        self.assertEqual(event.server_id, self.own_server)
        self.assertEqual(event.user_id, self.ana)

    def test_no_secret_is_written_down(self):
        self.own.fail("auth", reply="535 5.7.8 No such user: AUTH PLAIN c2VjcmV0PQ==")
        message = self.mention()
        health = self.health(self.own_server)
        written = [
            *(health.answer, health.reason),
            *(value for event in self.events() for value in (event.answer, event.reason)),
            message.notification_ids.failure_reason or "",
        ]
        for text in written:
            self.assertNotIn("c2VjcmV0PQ", text or "")

    def test_replies_reach_the_thread_where_odoo_receives_mail(self):
        self.env["mail.alias.domain"].create({"name": "company.test"})
        self.own.stop()
        message = self.mention()
        delivery = self.assert_arrives_once_by_system_mail(message)
        [reply_to] = delivery.message["Reply-To"].addresses
        self.assertEqual(reply_to.addr_spec, "catchall@company.test")

    def test_bounces_reach_system_mail(self):
        self.env["mail.alias.domain"].create({"name": "company.test"})
        self.own.stop()
        delivery = self.assert_arrives_once_by_system_mail(self.mention())
        self.assertEqual(delivery.mail_from, "hello@company.test")

    def test_bounces_reach_odoo_when_system_mails_server_may_use_its_domain(self):
        self.env["mail.alias.domain"].create({"name": "company.test"})
        self.system_server.from_filter = "company.test"
        self.own.stop()
        delivery = self.assert_arrives_once_by_system_mail(self.mention())
        self.assertEqual(delivery.mail_from, "bounce@company.test")

    def test_system_mails_server_does_not_lend_the_author_its_envelope(self):
        self.system_server.from_filter = "company.test"
        self.own.stop()
        delivery = self.assert_arrives_once_by_system_mail(self.mention())
        self.assertEqual(delivery.mail_from, "hello@company.test")

    def test_the_authors_own_mail_is_not_rewritten(self):
        self.mention()
        [delivery] = self.own.accepted
        self.assertIn(b'\r\nFrom: "Ana Author" <ana@company.test>\r\n', delivery.content)
        self.assertEqual(delivery.mail_from, "ana@company.test")

    def test_an_author_who_writes_as_nobody_has_their_contacts_name(self):
        self.own.stop()
        self.mail(email_from="ana@company.test").send()
        customer = self.env["res.partner"].create({"name": "Joe", "email": "joe@else.test"})
        self.company.system_mail_scope = "all"
        self.mail(email_from="joe@else.test", author_id=customer.id).send()
        self.mail(email_from="sales@company.test", author_id=False).send()
        names = [copy.message["From"].addresses[0].display_name for copy in self.system.accepted]
        self.assertEqual(names, ["Ana Author", "Joe", "sales"])


@tagged("post_install", "-at_install")
class TestNotInUse(SystemMailCase):
    """Installed, but not set up."""

    def tables_of_ours_that_a_message_asks(self):
        self.mention()  # what is asked once only is in the caches
        self.env.flush_all()
        self.env.invalidate_all()
        queries = SQLCollector()
        with Profiler(collectors=[queries], db=None):
            self.mention()
            self.env.flush_all()
        self.assertGreater(len(queries.entries), 20)
        of_ours = re.compile(r'(?:FROM|JOIN|INTO|UPDATE)\s+"?(system_mail_\w+)')
        return {name for query in queries.entries for name in of_ours.findall(query["query"])}

    def test_a_message_asks_none_of_our_tables(self):
        self.assertIn("system_mail_health", self.tables_of_ours_that_a_message_asks())
        self.company.system_mail_server_id = False
        (self.own_server | self.system_server).unlink()
        self.env["system.mail.alert"].search([]).unlink()
        self.assertEqual(self.tables_of_ours_that_a_message_asks(), set())
