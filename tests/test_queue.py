"""Whose mail Odoo's queue sends next, and for how long."""

import datetime
import math
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged

from ..sending import queue_run
from .common import SystemMailCase


class QueueCase(SystemMailCase):
    def setUp(self):
        super().setUp()
        self.health_model = self.env["system.mail.health"]
        self.health_model._connected(self.own_server)
        self.good = self.smtp("good", logins={"dora@company.test": "good"})
        self.dora = self._user("Dora Author", "dora@company.test")
        self.mailbox(self.good, "dora@company.test", "good", owner_user_id=self.dora.id)
        self.queue = self.env.ref("mail.ir_cron_mail_scheduler_action")
        self.triggers().unlink()

    def triggers(self):
        return self.env["ir.cron.trigger"].search([("cron_id", "=", self.queue.id)])

    def sent_in_order(self):
        """The subjects of all messages that were accepted."""
        accepted = [delivery for server in self.servers for delivery in server.accepted]
        return [d.message["Subject"] for d in sorted(accepted, key=lambda d: d.at)]

    def be_slow(self, server):
        self.health_model._of(server).slow_seconds = 4

    def make_queue(self, *subjects, author=None):
        mails = self.env["mail.mail"]
        for subject in subjects:
            mails |= self.mail(author=author, subject=subject)
        return mails


@tagged("post_install", "-at_install")
class TestTurns(QueueCase):
    def test_authors_take_turns(self):
        self.make_queue("a1", "a2", "a3")
        self.make_queue("d1", author=self.dora)
        with patch("odoo.addons.system_mail.models.queue.mail_mail.AT_ONCE", 2):
            self.run_queue()
        self.assertEqual(self.sent_in_order()[:2], ["a1", "d1"])
        self.assertEqual(self.sent_in_order()[2:], ["a2", "a3"])

    def test_the_size_that_an_administrator_set_is_kept(self):
        self.env["ir.config_parameter"].set_param("mail.mail.queue.batch.size", "2")
        self.make_queue("a1", "a2", "a3")
        self.make_queue("d1", author=self.dora)
        self.run_queue()
        self.assertEqual(self.sent_in_order(), ["a1", "d1", "a2", "a3"])

    def test_who_has_least_in_the_queue_is_first(self):
        self.make_queue("a1", "a2")
        self.make_queue("d1", author=self.dora)
        self.run_queue()
        self.assertEqual(self.sent_in_order(), ["d1", "a1", "a2"])

    def test_a_slow_mailbox_is_last_and_alone(self):
        self.be_slow(self.own_server)
        self.make_queue("a1", "a2")
        self.make_queue("d1", "d2", "d3", author=self.dora)
        self.run_queue()
        self.assertEqual(self.sent_in_order(), ["d1", "d2", "d3", "a1", "a2"])
        self.assertEqual(len(self.own.connections), 2)
        self.assertEqual(len(self.good.connections), 1)
        self.assertFalse(self.triggers())

    def test_a_mailbox_that_takes_too_long_makes_way(self):
        self.own.fail("mail", action="hang", times=1)
        self.make_queue("a1")
        self.make_queue("d1", "d2", author=self.dora)
        with patch.object(queue_run, "TURN", 1):
            self.run_queue()
        self.assertEqual(self.sent_in_order(), ["d1", "d2", "a1"])
        self.assertEqual(len(self.own.accepted), 1)
        self.assertTrue(self.health(self.own_server).slow_seconds)
        self.assertEqual(self.health(self.own_server).state, "connected")
        self.assertFalse(self.triggers())

    def test_a_last_turn_that_is_not_enough_is_the_mailbox_s_failure(self):
        self.own.fail("mail", action="hang")
        self.be_slow(self.own_server)
        self.make_queue("a1")
        with patch.object(queue_run, "LAST_TURN", 1):
            self.run_queue()
        self.assertEqual(len(self.system.accepted), 1)
        self.assertEqual(self.health(self.own_server).state, "unstable")

    def test_mail_that_has_failed_before_is_waited_for_longer(self):
        self.own.latency = 0.3
        self.be_slow(self.own_server)
        customer = self.env["res.partner"].create({"name": "C", "email": "c@elsewhere.test"})
        mail = self.mail(recipient_ids=[(6, 0, customer.ids)])
        with patch.object(queue_run, "LAST_TURN", 0.5):
            self.run_queue()
            self.assertEqual(mail.state, "outgoing")
            self.assertTrue(mail.system_mail_waiting_since)
            self.health(self.own_server).give_new_chance()
            self.be_slow(self.own_server)
            self.run_queue(mail)
        self.assertEqual(mail.state, "sent")

    def test_a_mail_with_many_recipients_takes_several_last_turns(self):
        self.be_slow(self.own_server)
        self.own.latency = 0.1
        partners = self.ben.partner_id
        for number in range(5):
            partners |= self._user(f"R{number}", f"r{number}@company.test").partner_id
        self.mail(recipient_ids=[(6, 0, partners.ids)])
        with patch.object(queue_run, "LAST_TURN", 3):
            self.run_queue()
        self.assertEqual(len(self.triggers()), 1)
        self.run_queue()
        copies = [d.rcpt_to for d in self.own.accepted]
        self.assertEqual(sorted(copies), sorted((p.email,) for p in partners))
        self.assertEqual(self.health(self.own_server).state, "connected")


@tagged("post_install", "-at_install")
class TestTime(QueueCase):
    def test_what_is_left_when_the_time_is_over_is_sent_by_the_next_run(self):
        self.make_queue("a1", "a2")
        cron = self.env["mail.mail"].with_context(cron_id=self.queue.id)
        with patch("odoo.addons.system_mail.models.queue.mail_mail.seconds_left", lambda: 5):
            cron.process_email_queue()
        self.assertFalse(self.sent_in_order())
        self.assertTrue(self.triggers())

    def test_a_run_by_the_scheduled_action(self):
        self.make_queue("a1", "a2")
        self.env.flush_all()
        self.queue.method_direct_trigger()
        self.assertEqual(self.sent_in_order(), ["a1", "a2"])
        self.assertFalse(self.triggers())
        self.assertFalse(self.env["system.mail.queue.run"].search([]))


@tagged("post_install", "-at_install")
class TestClock(QueueCase):
    def wait_until(self, mail, hours):
        due = self.env.cr.now() + datetime.timedelta(hours=hours)
        mail.write({"scheduled_date": due, "system_mail_waiting_since": self.env.cr.now()})
        self.run_queue()

    def test_mail_that_was_put_off_before_the_clock_was_set_back_is_due(self):
        mail = self.mail()
        self.wait_until(mail, 30)
        self.assertEqual(mail.state, "sent")

    def test_it_runs_at_once_also_where_the_clock_of_this_host_is_wrong(self):
        for minutes in (5, -5):
            with self.clock_ahead(minutes):
                self.triggers().unlink()
                self.env["mail.mail"].system_mail_trigger_queue()
                [trigger] = self.triggers()
                self.assertLessEqual(trigger.call_at, self.env.cr.now(), "then Odoo runs it")
                self.assertLessEqual(trigger.call_at, fields.Datetime.now(), "workers are woken")

    def test_mail_over_a_limit_that_was_put_off_before_the_clock_was_set_back_is_due(self):
        mail = self.mail(scheduled_date=self.env.cr.now() + datetime.timedelta(days=365))
        mail.failure_reason = "2 recipients a minute"
        self.run_queue()
        self.assertEqual(mail.state, "outgoing")
        self.env.flush_all()
        self.env.cr.execute("UPDATE mail_mail SET write_date = scheduled_date")
        self.env.invalidate_all()
        self.run_queue()
        self.assertEqual(mail.state, "sent")

    def test_mail_that_waits_is_not(self):
        mail = self.mail()
        self.wait_until(mail, 1)
        self.assertEqual(mail.state, "outgoing")

    def test_mail_that_a_person_has_scheduled_is_not(self):
        mail = self.mail(scheduled_date=self.env.cr.now() + datetime.timedelta(days=30))
        self.run_queue()
        self.assertEqual(mail.state, "outgoing")


@tagged("post_install", "-at_install")
class TestDeaths(QueueCase):
    """Workers that were killed. tests/processes/test_queue.py kills real ones."""

    def die(self, *groups):
        """As a worker that was killed while it sent these leaves it."""
        groups = [group.id if len(group) == 1 else group.ids for group in groups]
        self.env.flush_all()
        self.env["system.mail.queue.run"].create({"key": 1, "mail_ids": groups})

    def test_the_first_one_that_was_not_sent_is_last(self):
        first, *others = self.make_queue("a1", "a2", "a3")
        sent = self.mail()
        sent.state = "sent"
        self.die(sent, first, *others)
        self.run_queue()
        self.assertEqual(self.sent_in_order(), ["a2", "a3", "a1"])
        self.assertEqual(len(self.own.connections), 2)
        self.assertFalse(self.env["system.mail.queue.run"].search([]))

    def test_where_it_is_not_known_which_each_is_tried_alone(self):
        """The worker was killed by what is read of all before the first is sent."""
        mails = self.make_queue("a1", "a2", "b1")
        late = self.make_queue("a3")
        self.die(mails)
        self.run_queue()
        self.assertEqual(self.sent_in_order(), ["a3", "a1", "a2", "b1"])
        self.assertEqual(len(self.own.connections), 4)
        self.assertEqual(late.system_mail_deaths, 0)

    def test_they_are_noted_before_anything_is_read_of_them(self):
        noted = []
        run = queue_run.QueueRun(math.inf, False, list, noted.append)
        run.begin_turns([1, 2])
        run.begin_last_turn(3, has_failed_before=False)
        self.assertEqual(noted, [[[1, 2]], [3]])

    def test_the_second_time_it_is_put_off(self):
        mail = self.mail()
        for _ in range(2):
            self.die(mail)
            self.env["system.mail.queue.run"].blame_for_deaths()
        mail.invalidate_recordset()
        self.run_queue()
        self.assertEqual(mail.state, "outgoing")
        self.assertGreater(mail.scheduled_date, self.env.cr.now())
        self.assertTrue(mail.failure_reason)
        self.assertFalse(self.sent_in_order())
        self.run_queue(mail)
        self.assertEqual(mail.state, "sent")
