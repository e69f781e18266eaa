"""How long a person waits whose request sends mail, and what becomes of the mail meanwhile."""

import contextlib
import html
import re
import threading
import time
from datetime import datetime, timedelta

import psycopg2

from odoo.exceptions import UserError
from odoo.tests import HttpCase, tagged
from odoo.tests.common import release_test_lock

from odoo.addons.base.models.ir_mail_server import MailDeliveryException
from odoo.addons.http_routing.tests.common import MockRequest

from ..sending.send_run import SendRun, Treatment
from .common import SystemMailCase
from .smtp_lab.liar import Liar

SECONDS = 2
"""What a person waits at most; the tests' servers may take 3 for a command (SMTP_TIMEOUT)."""
BEFORE_THE_DOT = ("connect", "banner", "ehlo", "auth", "mail", "rcpt", "data")
PASSWORD = "an author's own"
MANY = 30
"""Seconds that no wait takes, however busy this machine is."""


class PersonCase(SystemMailCase):
    def setUp(self):
        super().setUp()
        self.http_request_allow_all = True  # the mocked one has no cookies
        self.set_seconds(SECONDS)
        self.env["system.mail.health"]._connected(self.own_server)
        self.queue = self.env.ref("mail.ir_cron_mail_scheduler_action")
        self.triggers().unlink()
        self.known = 0

    def set_seconds(self, seconds):
        self.env["ir.config_parameter"].set_param("system_mail.person_seconds", str(seconds))

    def triggers(self):
        return self.env["ir.cron.trigger"].search([("cron_id", "=", self.queue.id)])

    @contextlib.contextmanager
    def request(self):
        """A person's request; it is back before ``MANY`` seconds."""
        begin = time.monotonic()
        with MockRequest(self.env):
            yield
        self.assertLess(time.monotonic() - begin, MANY)

    def mention_in_request(self, **values):
        with self.request():
            message = self.mention(**values)
        self.env.invalidate_all()
        return message

    def connections(self):
        """How often anybody connected to Ana's server since this was asked last."""
        self.known, before = len(self.own.connections), self.known
        return self.known - before

    def assert_left_to_queue(self, message):
        """It waits in Odoo's queue, which begins at once; nobody is blamed, nothing was sent."""
        notification, mail = message.notification_ids, message.notification_ids.mail_mail_id
        self.assertEqual((mail.state, mail.scheduled_date), ("outgoing", False))
        self.assertFalse(mail.failure_reason)
        self.assertEqual(notification.notification_status, "ready")
        self.assertFalse(notification.failure_type)
        self.assertFalse(notification.system_mail_rule)
        self.assertTrue(self.triggers())
        self.assertFalse(self.system.accepted)
        self.assertFalse(self.events())
        health = self.health(self.own_server)
        self.assertEqual((health.state, health.failure_count), ("connected", 0))

    def assert_sent_once_by_queue(self, message, server):
        self.run_queue()
        self.env.invalidate_all()
        [delivery] = [
            d
            for d in self.received("ben@company.test")
            if d.message["Message-Id"] == message.message_id
        ]
        self.assertIn(delivery, server.accepted)
        self.assertEqual(message.notification_ids.notification_status, "sent")


@tagged("post_install", "-at_install")
class TestPerson(PersonCase):
    def test_a_mailbox_silent_or_dripping_before_the_dot(self):
        self.set_seconds(1)
        for phase in BEFORE_THE_DOT:
            for action in ("hang", "drip") if phase != "connect" else ("hang",):
                with self.subTest(phase=phase, action=action), self.env.cr.savepoint() as undo:
                    self.own.fail(phase, action=action)
                    message = self.mention_in_request()
                    self.assert_left_to_queue(message)
                    self.assertEqual(self.connections(), 1)
                    later = self.mention_in_request()
                    self.assert_left_to_queue(later)
                    self.assertEqual(self.connections(), 0, "it is known to be slow")
                    self.own.heal()
                    self.assert_sent_once_by_queue(message, self.own)
                    self.connections()
                    undo.rollback()

    def test_a_body_that_is_not_read(self):
        self.own.fail("body", action="hang", after_bytes=1)
        message = self.mention_in_request(body="x" * 12_000_000)
        self.assert_left_to_queue(message)
        self.own.heal()
        self.assert_sent_once_by_queue(message, self.own)

    def test_a_mailbox_that_stays_silent_is_stood_in_for_by_the_queue(self):
        self.own.fail("mail", action="hang")
        message = self.mention_in_request()
        self.assert_left_to_queue(message)
        self.assert_sent_once_by_queue(message, self.system)
        self.assertEqual(self.health(self.own_server).state, "unstable")
        message = self.mention_in_request()
        self.assertEqual(message.notification_ids.notification_status, "sent")
        self.assertEqual(len(self.system.accepted), 2)

    def test_one_that_is_slow_with_each_reply_sends_from_the_queue_as_long_as_it_is(self):
        self.own.latency = 0.7
        message = self.mention_in_request()
        self.assert_left_to_queue(message)
        self.assert_sent_once_by_queue(message, self.own)
        health = self.health(self.own_server)
        self.assertGreater(health.slow_seconds, SECONDS)
        self.own.latency = 0
        for _ in range(3):
            self.connections()
            message = self.mention_in_request()
            self.assertEqual(self.connections(), 0)
            self.assert_left_to_queue(message)
            self.assert_sent_once_by_queue(message, self.own)
        self.assertFalse(self.health(self.own_server).slow_seconds)
        message = self.mention_in_request()
        self.assertEqual(message.notification_ids.notification_status, "sent")

    def test_a_link_to_choose_a_password_is_sent_now_or_an_error_tells(self):
        """Odoo keeps no mail that has one: it can't wait."""
        if "auth_signup" not in self.env["ir.module.module"]._installed():
            self.skipTest("auth_signup is not installed")
        users = self.env["res.users"].with_user(self.env.ref("base.public_user")).sudo()

        def forget():
            """As a visitor's page asks for it."""
            with self.request(), self.env.cr.savepoint():
                users.reset_password(self.ben.login)

        self.system.latency = 0.7
        for number in (1, 2, 3):
            forget()
            self.assertEqual(len(self.received(self.ben.email)), number)
        self.system.latency = 0
        self.company.system_mail_limit_minute = 1
        self.mail(author=self.ben).send()
        with self.assertRaisesRegex(UserError, "deliver your Email"):
            forget()
        self.company.system_mail_limit_minute = 0
        self.system.fail("mail", reply="451 4.3.0 Not now")
        with self.assertRaisesRegex(UserError, "deliver your Email"):
            forget()
        self.assertEqual(len(self.received(self.ben.email)), 4)

    def test_one_that_gets_no_link_takes_it_from_nobody_else(self):
        if "auth_signup" not in self.env["ir.module.module"]._installed():
            self.skipTest("auth_signup is not installed")
        users = self.ana | self.ben | self._user("Cleo", "cleo@company.test")
        self.system.fail("rcpt", reply="550 5.1.1 User unknown", recipient=self.ben.email)
        told = users.action_reset_password()["params"]
        self.assertEqual(
            (told["type"], told["message"]), ("warning", "No link was sent to: Ben Reader.")
        )
        for user in users - self.ben:
            [delivery] = self.received(user.email)
            body = delivery.message.get_body(("html",)).get_content()
            token = re.search(r"token=([\w.=-]+)", html.unescape(body))[1]
            partners = self.env["res.partner"]
            self.assertEqual(partners._get_partner_from_token(token), user.partner_id)
        self.system.heal()
        self.system.stop()
        with self.assertRaisesRegex(UserError, "mail server|deliver your Email"):
            users.action_reset_password()

    def test_whoever_changes_a_slow_mailbox_gives_it_a_new_chance(self):
        self.own.fail("rcpt", action="hang")
        self.mention_in_request()
        self.own.heal()
        self.own_server.smtp_pass = "secret"
        message = self.mention_in_request()
        self.assertEqual(message.notification_ids.notification_status, "sent")

    def test_the_mails_of_a_request_share_the_time(self):
        self.own.fail("mail", action="hang")
        with self.request():
            messages = [self.mention() for _ in range(3)]
        for message in messages:
            self.assert_left_to_queue(message)
        self.assertEqual(self.connections(), 1)

    def test_recipients_who_were_reached_in_time_get_no_second_copy(self):
        partners = self.ben.partner_id
        for number in range(5):
            partners |= self._user(f"R{number}", f"r{number}@company.test").partner_id
        self.own.fail("rcpt", action="hang", after=2)
        message = self.mention_in_request(partners=partners)
        states = message.notification_ids.mapped("notification_status")
        self.assertEqual(sorted(states), ["ready"] * 4 + ["sent"] * 2)
        self.own.heal()
        self.run_queue()
        copies = [d.rcpt_to for d in self.own.accepted]
        self.assertEqual(sorted(copies), sorted((p.email,) for p in partners))

    def test_system_mail_sends_within_the_time_that_is_left(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.assert_arrives_once_by_system_mail(self.mention_in_request())

    def test_system_mail_is_silent_too(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        fault = self.system.fail("mail", action="hang")
        message = self.mention_in_request()
        mail = message.notification_ids.mail_mail_id
        self.assertEqual((mail.state, mail.scheduled_date), ("outgoing", False))
        self.assertEqual(message.notification_ids.notification_status, "ready")
        self.assertEqual(self.health(self.system_server).failure_count, 0)
        self.system.heal(fault)
        self.assert_sent_once_by_queue(message, self.system)

    def test_an_author_without_a_mailbox(self):
        dora = self._user("Dora Author", "dora@company.test")
        self.system.fail("mail", action="hang")
        message = self.mention_in_request(author=dora)
        self.assertEqual(message.notification_ids.notification_status, "ready")
        self.system.heal()
        self.assert_sent_once_by_queue(message, self.system)

    def test_mail_to_others_than_colleagues(self):
        customer = self.env["res.partner"].create({"name": "C", "email": "c@elsewhere.test"})
        self.own.fail("data", action="hang")
        message = self.mention_in_request(partners=customer)
        self.assert_left_to_queue(message)
        self.own.heal()
        self.run_queue()
        self.assertEqual(len(self.received("c@elsewhere.test")), 1)

    def test_a_rollback_loses_nothing(self):
        self.own.fail("mail", action="hang")
        mail = self.mail()
        self.env.flush_all()
        with self.request(), self.env.cr.savepoint() as undo:
            mail.send()
            undo.rollback()
        self.env.invalidate_all()
        self.assertEqual(mail.state, "outgoing")
        self.own.heal()
        self.run_queue()
        self.assertEqual(len(self.received("ben@company.test")), 1)

    def test_what_odoo_delays_stays_delayed(self):
        self.env["ir.config_parameter"].set_param("mail.server.personal.limit.minutes", "1")
        self.own.fail("mail", action="hang")
        mails = self.mail() | self.mail()
        self.own_server.owner_limit_count = 0
        with self.request():
            mails.send()
        self.assertEqual(mails.mapped("state"), ["outgoing"] * 2)
        self.assertEqual([bool(d) for d in mails.mapped("scheduled_date")], [False, True])

    def test_no_limit(self):
        self.set_seconds(0)
        self.own.latency = 0.7
        message = self.mention_in_request()
        self.assertEqual(message.notification_ids.notification_status, "sent")
        self.assertEqual(len(self.own.accepted), 1)

    def test_without_a_request_nobody_waits(self):
        self.own.latency = 0.7
        message = self.mention()
        self.assertEqual(message.notification_ids.notification_status, "sent")


@tagged("post_install", "-at_install")
class TestRaiseException(PersonCase):
    """Whoever asks for an exception gets it, or a sent mail: nothing is queued."""

    def send(self, mail):
        with self.request():
            mail.send(raise_exception=True)
        self.assertFalse(self.triggers())

    def test_system_mail_sends_what_the_mailbox_had_no_time_for(self):
        self.own.latency = 0.7
        mail = self.mail()
        self.send(mail)
        self.assertEqual(mail.state, "sent")
        self.assertEqual(len(self.system.accepted), 1)

    def test_a_slow_mailbox_sends_where_system_mail_fails(self):
        for fault in (
            {"phase": "auth", "reply": "535 5.7.8 Rejected"},
            {"phase": "rcpt", "reply": "550 5.7.1 Client host rejected"},
        ):
            with self.subTest(fault):
                self.system.fail(**fault)
                self.own.latency = 0.5
                before = len(self.own.accepted)
                mail = self.mail()
                self.send(mail)
                self.assertEqual(mail.state, "sent")
                self.assertEqual(len(self.own.accepted), before + 1)
                self.system.heal()

    def test_without_system_mail_it_takes_its_time(self):
        customer = self.env["res.partner"].create({"name": "C", "email": "c@elsewhere.test"})
        self.own.latency = 0.5
        self.send(self.mail(recipient_ids=[(6, 0, customer.ids)]))
        self.assertEqual(self.connections(), 1)
        self.assertEqual(len(self.received("c@elsewhere.test")), 1)

    def test_both_fail(self):
        self.own.fail("mail", action="hang")
        self.system.stop()
        mail = self.mail()
        with self.assertRaises(MailDeliveryException):
            self.send(mail)
        self.assertFalse(self.triggers())
        self.assertEqual(self.connections(), 2)


@tagged("post_install", "-at_install")
class TestAfterTheDot(PersonCase):
    """The whole message was sent, and the server takes its time to say that it has it."""

    def setUp(self):
        super().setUp()
        self.set_seconds(1)
        self.customer = self.env["res.partner"].create({"name": "C", "email": "c@elsewhere.test"})
        self.own_reply, self.system_reply = (self.hold_reply(s) for s in (self.own, self.system))
        # what is not settled takes no place of the next test's
        self.addCleanup(self.env.cr.postrollback.run)

    def hold_reply(self, server):
        """Have a server wait with its replies to the dot until the event is set."""
        event = threading.Event()
        self.addCleanup(event.set)
        server.deliver = lambda _delivery: event.wait(MANY)
        return event

    def commit(self):
        """What is done after the transaction's commit."""
        self.env.flush_all()
        self.env.cr.postcommit.run()

    def wait_for_watchers(self):
        with release_test_lock():  # of the database's connection, which all share here
            for thread in threading.enumerate():
                if thread.name == "system_mail_watcher":
                    thread.join(MANY)
        self.env.invalidate_all()

    def assert_awaited(self, message):
        notification, mail = message.notification_ids, message.notification_ids.mail_mail_id
        self.assertEqual(mail.state, "outgoing")
        self.assertGreater(mail.scheduled_date, datetime.now() + timedelta(minutes=9))
        self.assertEqual(notification.notification_status, "ready")
        self.assertFalse(notification.failure_type)
        self.assertFalse(self.events())

    def settle(self, *replies):
        """Commit, let these servers reply, and have the watchers store it."""
        self.commit()
        for reply in replies:
            reply.set()
        self.wait_for_watchers()

    def assert_sent_once(self, message, server, partner=None):
        self.assertEqual(message.notification_ids.notification_status, "sent")
        self.assertFalse(message.notification_ids.failure_type)
        self.assertEqual(self.received((partner or self.ben.partner_id).email), server.accepted)
        self.assertEqual(len(server.accepted), 1)

    def test_it_is_accepted_once_and_nobody_waited(self):
        message = self.mention_in_request()
        self.assert_awaited(message)
        self.settle(self.own_reply)
        self.assert_sent_once(message, self.own)
        self.assertFalse(message.notification_ids.system_mail_sent_from)
        self.assertFalse(self.events())
        health = self.health(self.own_server)
        self.assertEqual((health.state, health.failure_count), ("connected", 0))
        self.assertGreater(health.slow_seconds, 0.5)

    def test_the_queue_and_whoever_presses_send_now_leave_it_alone(self):
        message = self.mention_in_request()
        mail = message.notification_ids.mail_mail_id
        self.run_queue()
        mail.send()
        mail.with_user(self.env.ref("base.user_admin")).send()
        mail.scheduled_date = False
        self.run_queue()
        self.assertEqual(self.connections(), 1)
        self.assertEqual(mail.state, "outgoing")
        self.settle(self.own_reply)
        self.assert_sent_once(message, self.own)

    def test_so_does_a_queue_that_took_it_before_it_was_sent(self):
        message = self.mention_in_request()
        mail = message.notification_ids.mail_mail_id
        until = mail.system_mail_reply_until
        policy = self.env["res.company"].system_mail_policies()[self.company.id]
        run = SendRun(self.env["ir.mail_server"], policy, Treatment(True, True, False, ""), False)
        mail.with_context(system_mail_run=run)._send()
        self.assertEqual((mail.state, mail.scheduled_date), ("outgoing", until))
        self.assertFalse(mail.failure_type)
        self.assertEqual(message.notification_ids.notification_status, "ready")
        self.assertFalse(message.notification_ids.failure_type)

    def test_system_mail_confirms_late_what_it_sent_for_a_dead_mailbox(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        message = self.mention_in_request()
        self.assertFalse(self.events("fallback"))
        self.settle(self.system_reply)
        self.assert_sent_once(message, self.system)
        self.assertEqual(message.notification_ids.system_mail_sent_from, "hello@company.test")
        self.assertEqual(message.notification_ids.system_mail_rule, "password_rejected")
        event = self.events("fallback")
        self.assertEqual((event.server_id, event.rule), (self.own_server, "password_rejected"))

    def test_a_refusal_sends_it_to_the_queue(self):
        self.own_reply.set()
        refusal = "452 4.3.1 Insufficient system storage"
        with Liar({"dot": [1.5, f"{refusal}\r\n".encode()]}) as own:
            self.own_server.smtp_port = own.port
            message = self.mention_in_request()
            self.assert_awaited(message)
            self.settle()
        mail = message.notification_ids.mail_mail_id
        self.assertEqual((mail.state, mail.scheduled_date), ("outgoing", False))
        self.assertFalse(self.events())
        self.system_reply.set()
        self.run_queue()
        self.assert_sent_once(message, self.system)

    def lose_connection(self, **values):
        self.own_reply.set()
        with Liar({"dot": [1.5, "close"]}) as own:
            self.own_server.smtp_port = own.port
            message = self.mention_in_request(**values)
            self.assert_awaited(message)
            self.settle()
        return message

    def test_a_lost_connection_sends_a_colleague_the_same_message_again(self):
        message = self.lose_connection()
        mail = message.notification_ids.mail_mail_id
        self.assertEqual((mail.state, mail.scheduled_date), ("outgoing", False))
        self.assertEqual(self.health(self.own_server).rule, "unanswered")
        self.assertEqual(self.health(self.own_server).failure_count, 1)
        self.system_reply.set()
        self.run_queue()
        self.assert_sent_once(message, self.system)
        self.assertEqual(self.system.accepted[0].message["Message-Id"], message.message_id)

    def assert_held(self, message):
        notification, mail = message.notification_ids, message.notification_ids.mail_mail_id
        self.assertEqual((mail.state, mail.failure_type), ("exception", "system_mail_held"))
        self.assertIn("ana@company.test: ", mail.failure_reason)
        self.assertEqual(notification.failure_type, "system_mail_held")
        self.assertEqual(notification.system_mail_rule, "unanswered")
        [event] = self.events("held")
        self.assertEqual((event.server_id, event.rule), (self.own_server, "unanswered"))
        self.assertEqual((event.phase, event.recipient_count), ("dot", 1))
        self.assertEqual(event.message_id, message.message_id)
        self.run_queue()
        self.assertFalse(self.system.accepted)

    def test_a_lost_connection_holds_what_is_for_others(self):
        message = self.lose_connection(partners=self.customer)
        self.assert_held(message)

    def kill_watcher(self, **values):
        """Its process dies, and the lease ends."""
        message = self.mention_in_request(**values)
        self.env.cr.postcommit.clear()
        self.own_reply.set()
        self.connections()
        mail = message.notification_ids.mail_mail_id
        past = datetime.now() - timedelta(minutes=1)
        mail.write({"system_mail_reply_until": past, "scheduled_date": past})
        return message

    def test_where_nobody_waits_any_longer_a_colleague_gets_it_again(self):
        message = self.kill_watcher()
        self.run_queue()
        self.assertEqual(self.connections(), 1)
        self.assertEqual(message.notification_ids.notification_status, "sent")
        self.assertEqual(
            [d.message["Message-Id"] for d in self.own.accepted], [message.message_id] * 2
        )

    def test_where_nobody_waits_any_longer_what_is_for_others_is_held(self):
        message = self.kill_watcher(partners=self.customer)
        self.run_queue()
        self.assertEqual(self.connections(), 0)
        self.assert_held(message)

    def test_a_lease_from_before_the_clock_was_set_back_is_over(self):
        message = self.kill_watcher()
        mail = message.notification_ids.mail_mail_id
        later = datetime.now() + timedelta(hours=6)
        mail.write({"system_mail_reply_until": later, "scheduled_date": later})
        self.run_queue()
        self.assertEqual(message.notification_ids.notification_status, "sent")

    def test_nothing_more_goes_by_the_mailbox_meanwhile(self):
        first, second = self.mention_in_request(), self.mention_in_request()
        self.assert_left_to_queue(second)
        self.run_queue()
        self.assertEqual(self.connections(), 1)
        mail = second.notification_ids.mail_mail_id
        lease = first.notification_ids.mail_mail_id.scheduled_date
        self.assertEqual((mail.state, mail.scheduled_date), ("outgoing", lease))
        self.settle(self.own_reply)
        self.assertFalse(mail.scheduled_date)
        self.run_queue()
        self.assertEqual(
            (first | second).notification_ids.mapped("notification_status"), ["sent"] * 2
        )
        self.assertEqual(len(self.own.accepted), 2)
        self.assertFalse(self.system.accepted)

    def test_each_recipient_has_a_fate_of_its_own(self):
        self.own.deliver = None
        self.own.fail("rcpt", reply="550 5.1.1 User unknown", recipient="gone@company.test")
        gone, last = (
            self._user(name, f"{name}@company.test").partner_id for name in ("gone", "last")
        )
        reply = threading.Event()
        self.addCleanup(reply.set)

        def deliver(delivery):
            if "ben@company.test" in delivery.rcpt_to:
                reply.wait(MANY)

        self.own.deliver = deliver
        message = self.mention_in_request(partners=gone | self.ben.partner_id | last)
        self.settle(reply)
        self.run_queue()
        states = {n.res_partner_id: n.notification_status for n in message.notification_ids}
        self.assertEqual(states, {gone: "exception", self.ben.partner_id: "sent", last: "sent"})
        for partner in self.ben.partner_id | last:
            self.assertEqual(len(self.received(partner.email)), 1)

    def test_after_a_rollback_nobody_waits(self):
        mail = self.mail()
        self.env.flush_all()
        with self.request(), self.assertRaises(psycopg2.Error), self.env.cr.savepoint():
            mail.send()
            self.env.cr.execute("SELECT nonsense")
        self.env.cr.postrollback.run()
        self.env.cr.postcommit.clear()
        self.own.wait(lambda server: not any(c.open for c in server.connections))

    def test_somebody_cancels_it_meanwhile(self):
        message = self.mention_in_request()
        message.notification_ids.mail_mail_id.cancel()
        self.settle(self.own_reply)
        self.assertEqual(message.notification_ids.mail_mail_id.state, "cancel")

    def test_with_raise_exception_the_request_waits(self):
        threading.Timer(2, self.own_reply.set).start()
        mail = self.mail()
        with self.request():
            mail.send(raise_exception=True)
        self.assertEqual(mail.state, "sent")
        self.assertEqual(len(self.own.accepted), 1)

    def test_no_limit_of_a_person_means_no_watcher(self):
        self.set_seconds(0)
        threading.Timer(2, self.own_reply.set).start()
        message = self.mention_in_request()
        self.assert_sent_once(message, self.own)


@tagged("post_install", "-at_install")
class TestOverHttp(PersonCase, HttpCase):
    """In a browser's own requests."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ana.password = PASSWORD
        cls.ana.group_ids += cls.env.ref("base.group_partner_manager")

    def post(self):
        begin = time.monotonic()
        answer = self.make_jsonrpc_request(
            "/mail/message/post",
            {
                "thread_model": "res.partner",
                "thread_id": self.record.id,
                "post_data": {
                    "body": "See this",
                    "message_type": "comment",
                    "subtype_xmlid": "mail.mt_comment",
                    "partner_ids": self.ben.partner_id.ids,
                },
            },
        )
        self.assertLess(time.monotonic() - begin, MANY)
        self.env.invalidate_all()
        return self.env["mail.message"].browse(answer["message_id"])

    def test_each_request_has_its_own_time(self):
        self.authenticate(self.ana.login, PASSWORD)
        self.own.fail("rcpt", action="drip")
        message = self.post()
        self.assert_left_to_queue(message)
        self.assert_left_to_queue(self.post())
        self.assertEqual(self.connections(), 1)
        self.own.heal()
        self.assert_sent_once_by_queue(message, self.own)
        self.own_server.smtp_pass = "secret"  # a new chance
        message = self.post()
        self.assertEqual(message.notification_ids.notification_status, "sent")
