import contextlib
import datetime
import itertools

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from .common import SystemMailCase

SECOND, MINUTE, HOUR = (datetime.timedelta(seconds=s) for s in (1, 60, 3600))


@tagged("post_install", "-at_install")
class TestBothDown(SystemMailCase):
    """Neither mailbox works: the mail waits, and is not forgotten."""

    def setUp(self):
        super().setUp()
        self.own.stop()
        self.system.fail("banner", reply="421 4.3.2 Shutting down")

    def waits(self, mail):
        """For how long."""
        self.assertEqual(mail.state, "outgoing")
        return mail.scheduled_date - fields.Datetime.now()

    def give_up_after(self, hours):
        self.env["ir.config_parameter"].set_param("system_mail.give_up_hours", hours)

    def test_it_is_tried_again_after_a_growing_while(self):
        mail = self.mail()
        mail.send()
        for attempt, longest in enumerate((MINUTE, 2 * MINUTE, 4 * MINUTE), 1):
            self.assertEqual(mail.system_mail_attempts, attempt)
            self.assertLessEqual(self.waits(mail), longest)
            self.assertGreaterEqual(self.waits(mail), longest / 2 - datetime.timedelta(seconds=5))
            self.run_queue(mail)

    def test_the_queue_is_woken_when_it_is_due(self):
        cron = self.env.ref("mail.ir_cron_mail_scheduler_action")
        mail = self.mail()
        mail.send()
        triggers = self.env["ir.cron.trigger"].search([("cron_id", "=", cron.id)])
        [woken] = triggers.filtered(lambda trigger: trigger.call_at > mail.scheduled_date)
        self.assertLess(woken.call_at - mail.scheduled_date, datetime.timedelta(seconds=3))

    def test_after_two_days_it_fails_with_both_reasons(self):
        message = self.mention()
        mail = message.notification_ids.mail_mail_id
        mail.system_mail_waiting_since = fields.Datetime.now() - 49 * HOUR
        self.run_queue(mail)
        self.assertEqual(mail.state, "exception")
        notification = message.notification_ids
        self.assertEqual(notification.notification_status, "exception")
        for reason in (mail.failure_reason, notification.failure_reason):
            self.assertIn("ana@company.test: the server could not be reached", reason)
            self.assertIn("hello@company.test: the server is not available (421", reason)
        self.assertEqual(len(self.events("failed")), 1)

    def test_how_long_it_is_tried_can_be_set(self):
        self.give_up_after("1")
        mail = self.mail()
        mail.system_mail_waiting_since = fields.Datetime.now() - 2 * HOUR
        mail.send()
        self.assertEqual(mail.state, "exception")

    def test_a_malformed_setting_stops_no_mail(self):
        self.give_up_after("two days")
        mail = self.mail()
        mail.send()
        self.assertEqual(mail.state, "outgoing")

    def test_a_caller_who_wants_an_exception_gets_it_and_nothing_is_queued(self):
        mail = self.mail()
        with self.assertRaises(MailDeliveryException):
            mail.send(raise_exception=True)
        self.assertFalse(mail.system_mail_attempts)
        self.assertFalse(mail.scheduled_date)

    def test_a_caller_who_wants_an_exception_gets_it_also_at_the_dot(self):
        self.own.heal()
        self.system.heal()
        for server in (self.own, self.system):
            server.fail("dot", reply="451 4.3.0 Local error")
        mail = self.mail()
        with self.assertRaises(MailDeliveryException):
            mail.send(raise_exception=True)
        self.assertFalse(mail.system_mail_attempts)

    def test_what_was_said_to_the_caller_does_not_wait_in_the_activity(self):
        self.system.heal()
        for phase, options in (("dot", {"reply": "451 4.3.0 No"}), ("dot", {"action": "drop"})):
            fault = self.system.fail(phase, **options)
            with contextlib.suppress(MailDeliveryException):  # else it would be rolled back
                self.mail().send(raise_exception=True)
            self.system.heal(fault)
        self.assertEqual(self.events().mapped("kind"), ["failed"] * 2)

    def test_the_chatter_says_that_it_waits(self):
        message = self.mention()
        self.assertEqual(message.notification_ids.failure_type, "system_mail_waiting")
        self.assertEqual(message.notification_ids.notification_status, "ready")
        self.assertIn(message.notification_ids, message.notification_ids._filtered_for_web_client())


@tagged("post_install", "-at_install")
class TestOdoosOwnSender(SystemMailCase):
    """Dora has no mailbox: System Mail stands in for Odoo's own sender, and that for it."""

    def setUp(self):
        super().setUp()
        self.dora = self._user("Dora Author", "dora@company.test")
        self.plain = self.smtp("plain", logins={"odoo@company.test": "plain"})
        self.mailbox(self.plain, "odoo@company.test", "plain", from_filter=False)

    def test_system_mail_carries_it_as_a_matter_of_routine(self):
        self.assert_arrives_once_by_system_mail(self.mention(author=self.dora))
        self.assertFalse(self.events())

    def test_odoos_own_sender_carries_what_system_mail_cannot(self):
        for phase, reply in (
            ("banner", "421 4.3.2 Shutting down"),
            ("auth", "535 5.7.8 Rejected"),
            ("rcpt", "550 5.1.1 No such user here"),
            ("rcpt", "450 4.2.1 Mailbox busy"),
            ("data", "454 Throttling failure: Maximum sending rate exceeded."),
            ("dot", "554 5.7.1 Looks like spam"),
        ):
            with self.subTest(phase):
                fault = self.system.fail(phase, reply=reply)
                before = len(self.plain.accepted)
                message = self.mention(author=self.dora)
                self.assertEqual(message.notification_ids.notification_status, "sent")
                self.assertEqual(len(self.plain.accepted), before + 1)
                self.system.heal(fault)
        self.assertFalse(self.system.accepted)

    def test_what_waits_its_turn_waits_but_not_where_the_caller_wants_an_exception(self):
        """As a password reset does, whose mail would be rolled back with it."""
        self.company.system_mail_limit_day = 1
        first, waiting, urgent = (self.mail(author=self.dora) for _ in range(3))
        (first | waiting).send()
        self.assertEqual((first.state, waiting.state), ("sent", "outgoing"))
        self.assertFalse(self.plain.accepted)
        urgent.send(raise_exception=True)
        self.assertEqual(urgent.state, "sent")
        self.assertEqual(len(self.plain.accepted), 1)


@tagged("post_install", "-at_install")
class TestHeld(SystemMailCase):
    """The line was lost after the dot, and the reader is a customer: the author decides."""

    def setUp(self):
        super().setUp()
        customer = self.env["res.partner"].create({"name": "C", "email": "c@elsewhere.test"})
        self.own.fail("dot", action="drop", accept=True, times=1)
        self.message = self.mention(partners=customer)
        self.held = self.message.notification_ids.mail_mail_id
        self.assertEqual(self.held.failure_type, "system_mail_held")

    def test_the_queue_leaves_it_alone(self):
        self.run_queue()
        self.assertEqual(len(self.received("c@elsewhere.test")), 1)
        self.assertEqual(len(self.events("held")), 1)

    def test_the_author_sends_it_again(self):
        self.message.with_user(self.ana).action_system_mail_send_again()
        self.run_queue()
        first, second = self.received("c@elsewhere.test")
        self.assertEqual(first.message["Message-Id"], second.message["Message-Id"])
        self.assertEqual(self.message.notification_ids.notification_status, "sent")

    def test_the_author_drops_it(self):
        self.message.with_user(self.ana).action_system_mail_drop()
        self.run_queue()
        self.assertEqual(len(self.received("c@elsewhere.test")), 1)
        self.assertEqual(self.held.state, "cancel")
        self.assertEqual(self.message.notification_ids.notification_status, "canceled")

    def test_nobody_else_decides(self):
        for action in ("action_system_mail_send_again", "action_system_mail_drop"):
            with self.subTest(action), self.assertRaises(AccessError):
                getattr(self.message.with_user(self.ben), action)()
        self.assertEqual(self.held.state, "exception")


@tagged("post_install", "-at_install")
class TestLimits(SystemMailCase):
    """So many recipients, and the rest waits its turn."""

    def setUp(self):
        super().setUp()
        self.own.fail("auth", reply="535 5.7.8 Rejected")

    def mails(self, count, **values):
        return self.env["mail.mail"].union(*(self.mail(**values) for _ in range(count)))

    def pass_time(self, passed):
        self.env["system.mail.usage"].invalidate_model()  # the own cursor has written there
        for usage in self.env["system.mail.usage"].search([]):
            usage.minute -= passed
        self.env.flush_all()

    def carried(self):
        return [delivery.message["Message-Id"] for delivery in self.system.accepted]

    def test_over_the_limit_of_a_minute_mail_waits_in_order(self):
        self.company.system_mail_limit_minute = 2
        mails = self.mails(5)
        mails.send()
        self.assertEqual(mails.mapped("state"), ["sent"] * 2 + ["outgoing"] * 3)
        now, minutes = fields.Datetime.now(), (1, 1, 2)
        for mail, minute in zip(mails[2:], minutes, strict=True):
            self.assertAlmostEqual(mail.scheduled_date - now, minute * MINUTE, delta=10 * SECOND)
        for _ in range(2):
            self.pass_time(MINUTE)
            self.run_queue(mails.filtered(lambda mail: mail.state == "outgoing"))
        self.assertEqual(self.carried(), mails.mapped("message_id"))
        self.assertFalse(any(mails.mapped("system_mail_attempts")), "it was its turn, no failure")
        self.assertNotEqual(self.health(self.system_server).state, "unstable")

    def test_nobody_overtakes_and_each_is_told_of_once(self):
        self.company.system_mail_limit_minute = 1
        waiting = self.mails(4)
        waiting.send()
        turns = waiting[1:].mapped("scheduled_date")
        self.assertEqual([b - a for a, b in itertools.pairwise(turns)], [MINUTE] * 2)
        self.pass_time(MINUTE)
        late = self.mail()
        late.send()
        self.assertEqual(late.state, "outgoing", "it is not its turn")
        for _ in waiting:
            self.run_queue(min(waiting + late, key=lambda m: (m.state == "sent", m.id)))
            self.pass_time(MINUTE)
        self.assertEqual(self.carried(), (waiting + late).mapped("message_id"))
        self.assertEqual(len(self.events("deferred")), 4)

    def test_a_turn_that_nobody_takes_is_lost(self):
        self.company.system_mail_limit_day = 1
        first, gone = self.mails(2)
        (first | gone).send()
        gone.cancel()
        self.pass_time(24 * HOUR)
        mail = self.mail()
        mail.send()
        self.assertEqual(mail.state, "outgoing", "the other may still come")
        self.pass_time(HOUR)
        self.run_queue(mail)
        self.assertEqual(mail.state, "sent")

    def test_what_may_not_wait_takes_no_turn(self):
        self.company.system_mail_limit_minute = 1
        self.mail().send()
        with self.assertRaises(MailDeliveryException):
            self.mail().send(raise_exception=True)
        waiting = self.mail()
        waiting.send()
        self.assertLessEqual(waiting.scheduled_date - fields.Datetime.now(), MINUTE)

    def test_the_limit_of_an_author_is_nobody_elses(self):
        self.company.system_mail_limit_user_hour = 1
        dora = self._user("Dora Author", "dora@company.test")
        own = self.mails(2)
        theirs = self.mail(author=dora)
        (own | theirs).send()
        self.assertEqual(own.mapped("state"), ["sent", "outgoing"])
        self.assertEqual(theirs.state, "sent")

    def test_what_no_person_wrote_counts_for_its_recipient_and_subject(self):
        """Visitors could otherwise use up what others need to log in."""
        self.company.system_mail_limit_user_hour = 1
        visitor, odoobot = self.env.ref("base.public_user"), self.env.ref("base.user_root")
        mails = self.env["mail.mail"].union(
            *(
                self.mail(
                    author=writer,
                    email_from="office@company.test",
                    email_to=reader.email,
                    recipient_ids=[],
                    subject=subject,
                )
                for writer, reader, subject in (
                    (visitor, self.ben, "Password reset"),
                    (visitor, self.ben, "Password reset"),
                    (visitor, self.ana, "Password reset"),
                    (odoobot, self.ana, "Password reset"),
                    (visitor, self.ben, "Your code"),
                )
            )
        )
        mails.send()
        self.assertEqual(mails.mapped("state"), ["sent", "outgoing", "sent", "outgoing", "sent"])

    def test_nobody_waits_behind_all_that_another_author_wrote(self):
        self.company.system_mail_limit_minute = 2
        dora = self._user("Dora Author", "dora@company.test")
        many = self.mails(20)
        many.send()
        late = self.mail(author=dora) | self.mail(author=dora)
        late.send()
        now = fields.Datetime.now()
        for mail, minutes in zip(late, (1, 2), strict=True):
            self.assertLessEqual(mail.scheduled_date - now, minutes * MINUTE)
        for sent in (1, 2):
            self.pass_time(MINUTE)
            self.run_queue((many | late).filtered(lambda mail: mail.state == "outgoing"))
            self.assertEqual(len(self.carried()), 2 + 2 * sent, "no more than the limit")
            self.assertEqual(late.mapped("state").count("sent"), sent)

    def test_a_limit_that_is_raised_lets_go_what_waits_for_it(self):
        self.company.system_mail_limit_day = 1
        mails = self.mails(3)
        mails.send()
        waiting = mails[1:]
        self.company.system_mail_limit_day = 2
        self.assertFalse(any(waiting.mapped("scheduled_date")))
        self.run_queue()
        self.assertEqual(mails.mapped("state"), ["sent", "sent", "outgoing"])
        self.company.system_mail_limit_day = 0
        self.assertFalse(self.env["system.mail.usage"].waiting(self.company))
        self.run_queue()
        self.assertEqual(set(mails.mapped("state")), {"sent"})

    def test_of_many_readers_those_who_fit_get_it_now_and_the_others_wait(self):
        self.company.system_mail_limit_day = 3
        readers = [f"reader{number}@company.test" for number in range(5)]
        users = [self._user("Reader", address) for address in readers]
        mail = self.mail(recipient_ids=[(6, 0, [user.partner_id.id for user in users])])
        mail.send()
        self.assertEqual(
            (mail.state, mail.recipient_ids),
            ("outgoing", users[3].partner_id | users[4].partner_id),
        )
        self.pass_time(24 * HOUR)
        self.run_queue(mail)
        self.assertEqual(
            [delivery.rcpt_to for delivery in self.system.accepted], [(a,) for a in readers]
        )

    def test_of_one_message_to_many_those_who_fit_get_it_now_and_the_others_wait(self):
        self.company.system_mail_limit_day = 3
        readers = [
            self._user("Reader", f"reader{number}@company.test").email for number in range(3)
        ]
        self.mail().send()
        mail = self.mail(recipient_ids=False, email_to=", ".join(readers))
        mail.send()
        self.assertEqual((mail.state, mail.email_to), ("outgoing", readers[2]))
        self.assertGreater(mail.scheduled_date, fields.Datetime.now() + 22 * HOUR)
        self.pass_time(24 * HOUR)
        self.run_queue(mail)
        carried = [delivery.rcpt_to for delivery in self.system.accepted[1:]]
        self.assertEqual(carried, [tuple(readers[:2]), (readers[2],)])

    def test_one_message_to_more_than_a_limit_allows_fails_at_once_and_says_why(self):
        self.company.system_mail_limit_day = 2
        readers = [
            self._user("Reader", f"reader{number}@company.test").email for number in range(3)
        ]
        mail = self.mail(recipient_ids=False, email_to=", ".join(readers))
        mail.send()
        self.assertEqual(mail.state, "exception")
        self.assertIn("2 recipients a day", mail.failure_reason)
        self.assertFalse(self.system.accepted)
        self.mail().send()
        self.assertEqual(len(self.system.accepted), 1, "it takes nobody's turn")

    def test_its_author_reads_that_it_waits_for_a_limit(self):
        self.company.system_mail_limit_day = 1
        self.mention()
        message = self.mention()
        self.assertEqual(message.notification_ids.system_mail_rule, "over_limit")
        self.assertIn("1 recipient a day", message.mail_ids.failure_reason)
        self.assertNotIn("1 recipients", message.mail_ids.failure_reason)

    def test_the_limit_of_a_day(self):
        self.company.system_mail_limit_day = 1
        mails = self.mails(2)
        mails.send()
        self.assertEqual(mails.mapped("state"), ["sent", "outgoing"])
        self.assertGreater(mails[1].scheduled_date, fields.Datetime.now() + 22 * HOUR)
        self.assertEqual(len(self.events("deferred")), 1, "a Super User sees it")

    def test_odoos_throttle_does_not_delay_what_a_dead_mailbox_does_not_send(self):
        self.mail().send()
        mails = self.mails(40)
        mails.send()
        self.assertEqual(set(mails.mapped("state")), {"sent"})
        self.assertEqual(len(self.carried()), 41)

    def test_nor_where_the_mailbox_is_found_dead_only_now(self):
        self.own.heal()
        self.own.stop()
        mails = self.mails(40)
        mails.send()
        self.assertEqual(set(mails.mapped("state")), {"sent"})
        self.assertEqual(self.carried(), mails.mapped("message_id"))
        self.assertLessEqual(self.health(self.own_server).failure_count, 2)

    def test_odoos_throttle_spares_a_mailbox_that_works(self):
        self.own.heal()
        mails = self.mails(35)
        mails.send()
        self.assertEqual(len(self.own.accepted), 30)
        self.assertEqual(mails.mapped("state").count("outgoing"), 5)

    def test_the_count_of_a_busy_day_is_forgotten_to_the_last_row(self):
        self.env.cr.execute(
            """INSERT INTO system_mail_usage (company_id, author_id, minute, recipient_count)
               SELECT %s, 0, now() AT TIME ZONE 'utc' - interval '2 days', 1
                 FROM generate_series(1, 10001)""",
            [self.company.id],
        )
        usage = self.env["system.mail.usage"]
        self.assertEqual(usage._gc_usage(), (10_000, 1), "it is called again")
        self.assertEqual(usage._gc_usage(), (1, 0))
        self.assertFalse(usage.search_count([]))


@tagged("post_install", "-at_install")
class TestSplit(SystemMailCase):
    """Each part of a mail comes to its own end; the message stays while one of them needs it."""

    def test_a_part_that_waits_keeps_the_message_of_the_part_that_was_sent(self):
        fault = self.own.fail("rcpt", reply="450 4.2.1 Busy", recipient="ben@company.test")
        mail = self.mail(
            recipient_ids=False, email_to="ben@company.test, c@elsewhere.test", auto_delete=True
        )
        message = mail.mail_message_id
        mail.send()
        self.assertEqual(len(self.received("c@elsewhere.test")), 1)
        self.assertEqual((mail.state, mail.email_to), ("outgoing", "ben@company.test"))
        self.own.heal(fault)
        self.run_queue(mail)
        self.assertEqual(len(self.received("ben@company.test")), 1)
        self.assertFalse(message.exists(), "the last part takes it along")

    def test_a_part_that_failed_outlives_the_part_that_waited(self):
        self.own.fail("rcpt", reply="550 5.1.1 No such user", recipient="c@elsewhere.test")
        fault = self.own.fail("rcpt", reply="450 4.2.1 Busy", recipient="ben@company.test")
        mail = self.mail(
            recipient_ids=False, email_to="ben@company.test, c@elsewhere.test", auto_delete=True
        )
        message = mail.mail_message_id
        mail.send()
        self.own.heal(fault)
        self.run_queue(mail)
        self.assertFalse(mail.exists())
        [left] = self.env["mail.mail"].search([("mail_message_id", "=", message.id)])
        self.assertEqual((left.state, left.email_to), ("exception", "c@elsewhere.test"))
