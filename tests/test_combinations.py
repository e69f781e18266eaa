"""What fails together: several recipients, routes, limits, splits and clocks in one mail."""

import contextlib
import datetime
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged
from odoo.tools import config

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from .common import SystemMailCase

MINUTE, HOUR = (datetime.timedelta(seconds=s) for s in (60, 3600))


class CombinationsCase(SystemMailCase):
    """Two readers, an author without a mailbox, and a customer."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cleo = cls._user("Cleo Colleague", "cleo@company.test")
        cls.dora = cls._user("Dora Author", "dora@company.test")
        cls.both = cls.ben.partner_id | cls.cleo.partner_id
        cls.customer = cls.env["res.partner"].create({"name": "C", "email": "c@elsewhere.test"})

    def down(self):
        self.own.stop()
        self.system.fail("banner", reply="421 4.3.2 Shutting down")

    def up(self):
        self.own.heal()
        self.system.heal()
        for server in (self.own_server, self.system_server):
            self.health(server).give_new_chance()

    def mails(self, count, **values):
        return self.env["mail.mail"].union(*(self.mail(**values) for _ in range(count)))

    def parts(self, mail):
        return self.env["mail.mail"].search([("message_id", "=", mail.message_id)])

    def in_order(self, message, partners):
        """The message's mail, in the queue still, with its recipients in this order."""
        mail = message.notification_ids.mail_mail_id
        mail.recipient_ids = False
        mail.recipient_ids = [(4, partner.id) for partner in partners]
        self.env.invalidate_all()
        self.assertEqual(mail.recipient_ids, partners)
        return mail


@tagged("post_install", "-at_install")
class TestOdooConf(CombinationsCase):
    """No server but Ana's and System Mail: Dora's mail to a customer, out of scope, goes by the one
    of Odoo's configuration file.
    """

    def setUp(self):
        super().setUp()
        self.plain = self.smtp("plain")
        ours = self.own_server | self.system_server
        self.env["ir.mail_server"].search([("id", "not in", ours.ids)]).active = False
        options = {"smtp_server": self.plain.host, "smtp_port": self.plain.port}
        self.enterContext(patch.dict(config.options, options))

    def test_what_it_sent_is_sent(self):
        mail = self.mail(author=self.dora, recipient_ids=[(6, 0, self.customer.ids)])
        mail.send()
        self.assertEqual(len(self.plain.accepted), 1)
        self.assertEqual((mail.state, mail.failure_reason), ("sent", False))

    def mention_two_customers(self):
        other = self.env["res.partner"].create({"name": "E", "email": "e@elsewhere.test"})
        self.plain.fail("rcpt", reply="550 5.1.1 No", recipient="e@elsewhere.test")
        readers = self.customer | other
        message = self.mention(author=self.dora, partners=readers, force_send=False)
        self.in_order(message, readers).send()
        self.assertEqual(len(self.received("c@elsewhere.test")), 1)
        told = {n.res_partner_id.name: n.notification_status for n in message.notification_ids}
        self.assertEqual(told, {"C": "sent", "E": "exception"})

    def test_who_got_it_is_not_told_to_have_failed(self):
        self.mention_two_customers()

    def test_as_in_stock_odoo(self):
        self.company.system_mail_address = False
        self.mention_two_customers()


@tagged("post_install", "-at_install")
class TestOneCopy(CombinationsCase):
    def test_a_mail_settled_meanwhile_does_not_go_back_to_the_queue(self):
        """Another worker sends (here: a person cancels) the second of the queue's mails while this
        one sends the first; for the second there is no mailbox then.
        """
        shared = self.smtp("shared")
        self.mailbox(shared, "dora@company.test", "x")
        shared.stop()
        self.system.fail("banner", reply="421 4.3.2 Shutting down")
        first, second = self.mail(), self.mail(author=self.dora)

        def meanwhile(ids):
            if first.id in ids:
                second.cancel()

        (first | second).send(post_send_callback=meanwhile)
        self.assertEqual((first.state, second.state), ("sent", "cancel"))

    def test_a_shared_mailbox_that_works_again_sends_what_waits_at_once(self):
        shared = self.smtp("shared", logins={"dora@company.test": "x"})
        mailbox = self.mailbox(shared, "dora@company.test", "x")
        for server in (shared, self.own, self.system):
            server.fail("banner", reply="421 4.3.2 Shutting down")
        mails = self.mail() | self.mail(author=self.dora)
        mails.send()
        self.assertTrue(all(mails.mapped("scheduled_date")))
        self.env.flush_all()
        shared.heal()
        self.assertFalse(mailbox.system_mail_check())
        self.env.invalidate_all()
        self.assertEqual([bool(mail.scheduled_date) for mail in mails], [True, False])

    def test_what_was_sent_is_not_sent_again(self):
        mail = self.mail()
        mail.send()
        self.down()
        mail.send()  # as a worker does that read it as outgoing
        self.up()
        self.run_queue(mail)
        self.assertEqual(len(self.received("ben@company.test")), 1)

    def test_an_address_in_to_and_cc_gets_one_copy(self):
        self.own.fail("rcpt", reply="452 4.5.3 Too many recipients", nth=2)
        ben = "ben@company.test"
        self.mail(recipient_ids=False, email_to=ben, email_cc=ben).send()
        self.assertEqual(len(self.received(ben)), 1)


@tagged("post_install", "-at_install")
class TestRaiseException(CombinationsCase):
    def test_a_recipient_who_was_refused_is_known(self):
        self.own.fail("rcpt", reply="550 5.1.1 No such user", recipient="ben@company.test")
        mail = self.mail(recipient_ids=False, email_to="ben@company.test, cleo@company.test")
        with contextlib.suppress(MailDeliveryException):
            mail.send(raise_exception=True)
        self.assertEqual(len(self.received("cleo@company.test")), 1)
        states = {part.email_to: part.state for part in self.parts(mail)}
        self.assertEqual(states.get("ben@company.test"), "exception", states)

    def test_a_retry_repeats_nothing(self):
        self.own.fail("rcpt", reply="450 4.2.1 Busy", recipient="cleo@company.test")
        message = self.mention(partners=self.both, force_send=False)
        mail = self.in_order(message, self.both)
        with contextlib.suppress(MailDeliveryException):  # a caller that goes on
            mail.send(raise_exception=True)
        self.own.heal()
        failed = [("message_id", "=", message.message_id), ("state", "=", "exception")]
        self.env["mail.mail"].search(failed).action_retry()
        self.run_queue()
        for reader in self.both:
            self.assertEqual(len(self.received(reader.email)), 1, reader.name)

    def test_what_both_mailboxes_refused_at_the_log_in_is_an_event_too(self):
        self.down()
        with contextlib.suppress(MailDeliveryException):
            self.mail().send(raise_exception=True)
        self.assertEqual(self.events().mapped("kind"), ["failed"])


@tagged("post_install", "-at_install")
class TestBreaker(CombinationsCase):
    def test_a_success_closes_what_the_same_connection_opened(self):
        for _ in range(2):
            fault = self.own.fail("mail", reply="451 4.3.0 Not now")
            self.mention()
            self.own.heal(fault)
        self.own.fail("mail", reply="451 4.3.0 Not now", times=1)
        self.mails(2).send()
        self.assertEqual(len(self.own.accepted), 1, "a real success, after the third failure")
        health = self.health(self.own_server)
        self.assertEqual((health.state, health.breaker_state), ("connected", "closed"))

    def test_a_new_client_certificate_is_a_new_chance(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.mention()
        self.env.invalidate_all()  # a new request knows nothing of the old one
        self.own_server.write({"smtp_ssl_certificate": b"Zm9v", "smtp_ssl_private_key": b"Zm9v"})
        self.assertEqual(self.health(self.own_server).breaker_state, "closed")


@tagged("post_install", "-at_install")
class TestHowLong(CombinationsCase):
    def test_a_retry_of_what_failed_has_its_time_anew(self):
        mail = self.mail()
        self.down()
        mail.send()
        self.up()
        self.own.fail("rcpt", reply="550 5.1.1 No such user")
        self.run_queue(mail)
        self.assertEqual(mail.state, "exception")
        self.assertFalse(mail.system_mail_waiting_since)
        self.up()
        self.down()
        mail.action_retry()
        self.run_queue(mail)
        self.assertEqual(mail.state, "outgoing")

    def test_the_wait_for_a_turn_is_no_outage(self):
        self.company.system_mail_limit_day = 1
        first, mail = self.mails(2)
        self.down()
        mail.send()  # a minute's trouble
        self.health(self.system_server).give_new_chance()
        self.system.heal()
        first.send()
        self.run_queue(mail)
        self.assertGreater(mail.scheduled_date, fields.Datetime.now() + 23 * HOUR, "its turn")
        # the turn, three days ahead, has come
        for usage in self.env["system.mail.usage"].search([]):
            usage.minute -= 72 * HOUR
        self.assertFalse(mail.system_mail_waiting_since)
        self.env.flush_all()
        self.system.fail("banner", reply="421 4.3.2 Shutting down")
        self.run_queue(mail)
        self.assertEqual(mail.state, "outgoing")

    def test_who_is_busy_does_not_wait_for_anothers_turn(self):
        self.company.system_mail_limit_day = 1
        fault = self.own.fail("auth", reply="454 4.7.0 Temporary")
        self.mail().send()  # uses the day's limit up
        self.own.heal(fault)
        self.health(self.own_server).give_new_chance()
        self.own.fail("dot", reply="451 4.3.0 Local error", times=1)
        self.own.fail("rcpt", reply="450 4.2.1 Greylisted", recipient="cleo@company.test")
        mail = self.mail(recipient_ids=[(6, 0, self.both.ids)])
        mail.send()
        self.assertLessEqual(mail.scheduled_date, fields.Datetime.now() + HOUR)

    def test_what_odoos_throttle_splits_off_keeps_its_time(self):
        self.env["ir.config_parameter"].set_param("mail.server.personal.limit.minutes", "1")
        since = fields.Datetime.now() - 47 * HOUR
        self.own.fail("rcpt", reply="450 4.2.1 Busy", times=1)
        mail = self.mail(
            recipient_ids=[(6, 0, self.both.ids)],
            system_mail_waiting_since=since,
            system_mail_attempts=9,
        )
        mail.send()
        self.assertEqual(set(self.parts(mail).mapped("system_mail_waiting_since")), {since})


@tagged("post_install", "-at_install")
class TestCaps(CombinationsCase):
    def test_what_nobody_accepted_uses_up_no_limit(self):
        self.own.stop()
        self.company.system_mail_limit_day = 1
        self.system.fail("dot", reply="451 4.3.0 Local error", times=1)
        mail = self.mail()
        mail.send()
        self.assertFalse(self.system.accepted)
        self.run_queue(mail)
        self.assertEqual(mail.state, "sent", mail.scheduled_date)

    def test_the_throttle_delays_nothing_of_an_earlier_batch_either(self):
        self.env["ir.config_parameter"].set_param("mail.session.batch.size", "3")
        self.env["ir.config_parameter"].set_param("mail.server.personal.limit.minutes", "2")
        mails = self.mails(6)

        def a_minute_passes(_ids):
            if len(self.own.accepted) == 2:
                minute = datetime.datetime.now().replace(second=0, microsecond=0)
                self.own_server.owner_limit_time = minute - MINUTE
                self.own.fail("data", reply="550 5.4.5 Daily user sending limit exceeded")

        mails.send(post_send_callback=a_minute_passes)
        self.assertEqual(mails.mapped("state"), ["sent"] * 6)


@tagged("post_install", "-at_install")
class TestReasons(CombinationsCase):
    def test_an_address_that_is_none_hides_no_others_reason(self):
        self.ben.partner_id.email = "nobody at all"
        self.own.fail("rcpt", reply="552 5.2.2 Mailbox full for good")
        message = self.mention(partners=self.both, force_send=False)
        self.in_order(message, self.both).send()
        told = {n.res_partner_id: n for n in message.notification_ids}
        cleo = told[self.cleo.partner_id]
        self.assertTrue(cleo.mail_mail_id, "auto_delete took what failed")
        self.assertIn("552", cleo.failure_reason)

    def test_each_is_told_their_own_reason(self):
        self.own.fail("rcpt", reply="550 5.1.1 No such user", recipient="ben@company.test")
        self.own.fail("rcpt", reply="550 5.7.124 Restricted", recipient="cleo@company.test")
        message = self.mention(partners=self.both, force_send=False)
        self.in_order(message, self.both).send()
        told = {n.res_partner_id: n.failure_reason for n in message.notification_ids}
        self.assertIn("5.7.124", told[self.cleo.partner_id])

    def test_an_address_that_odoo_left_out_has_a_reason(self):
        self.own.fail("rcpt", reply="450 4.2.1 Busy", recipient="ben@company.test")
        mail = self.mail(recipient_ids=False, email_to="ben@company.test, cleo@bücher.test")
        mail.send()
        [left] = self.parts(mail) - mail
        self.assertEqual(left.state, "exception")
        self.assertTrue(left.failure_reason and left.failure_type)


@tagged("post_install", "-at_install")
class TestClock(CombinationsCase):
    """The clock was a year ahead for a while, and is set right again."""

    def test_a_mailbox_is_not_left_alone_for_a_year(self):
        self.own.fail("banner", action="hang", times=1)
        self.mention()
        health = self.health(self.own_server)
        health.next_probe_at += datetime.timedelta(days=365)
        self.assertIn(health, health._due_for_probe())

    def test_a_limit_of_a_minute_is_not_reached_for_a_year(self):
        self.own.stop()
        self.company.system_mail_limit_minute = 1
        self.mail().send()
        for usage in self.env["system.mail.usage"].search([]):
            usage.minute += datetime.timedelta(days=365)
        self.env.flush_all()
        mail = self.mail()
        mail.send()
        self.assertTrue(
            mail.state == "sent" or mail.scheduled_date < fields.Datetime.now() + HOUR,
            mail.scheduled_date,
        )
