import datetime
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged
from odoo.tools import config

from odoo.addons.base.models import ir_mail_server
from odoo.addons.http_routing.tests.common import MockRequest

from ..sending.send_run import patience
from .common import SystemMailCase


@tagged("post_install", "-at_install")
class TestHealth(SystemMailCase):
    """What is known of a mailbox, and when it is left alone."""

    def test_a_daily_limit_leaves_the_mailbox_alone_until_it_resets(self):
        self.own.fail("data", reply="550 5.4.5 Daily user sending limit exceeded")
        self.mention()
        health = self.health(self.own_server)
        self.assertEqual((health.state, health.breaker_state), ("unstable", "open"))
        self.assertGreater(
            health.next_probe_at, fields.Datetime.now() + datetime.timedelta(hours=23)
        )
        self.mention()
        self.assertEqual(len(self.own.connections), 1)
        self.assertEqual(len(self.system.accepted), 2)

    def test_a_mailbox_that_relays_for_nobody_is_left_alone_and_its_mail_goes_by_system_mail(self):
        self.own.fail("rcpt", reply="554 5.7.1 Relay access denied")
        for _ in range(2):
            self.mention()
        self.assertEqual(len(self.own.connections), 1)
        self.assertEqual(len(self.system.accepted), 2)

    def test_a_line_lost_at_the_dot_holds_no_mail_that_was_never_tried(self):
        customer = self.env["res.partner"].create({"name": "C", "email": "c@elsewhere.test"})
        self.own.fail("dot", action="hang", accept=True)
        self.http_request_allow_all = True  # the mocked one has no cookies
        mails = self.env["mail.mail"].union(
            *(self.mail(recipient_ids=[(6, 0, customer.ids)]) for _ in range(2))
        )
        later = self.mail(recipient_ids=[(6, 0, customer.ids)])
        self.env["ir.config_parameter"].set_param("system_mail.person_seconds", "0")
        with MockRequest(self.env):  # which waits less long for the answer than the queue
            mails.send()
            later.send()
        self.assertEqual(mails.mapped("state"), ["exception", "outgoing"])
        self.assertEqual(later.state, "outgoing")
        self.assertEqual(len(self.own.accepted), 1)

    def test_a_success_ends_a_trouble_also_on_the_same_connection(self):
        self.mention()
        self.own.fail("mail", reply="451 4.3.0 Not now", times=1)
        mails = self.mail() | self.mail()
        mails.send()
        self.assertEqual(len(self.own.connections), 2)
        self.assertEqual((len(self.own.accepted), len(self.system.accepted)), (2, 1))
        health = self.health(self.own_server)
        self.assertEqual((health.state, health.failure_count), ("connected", 0))
        self.assertTrue(self.env["system.mail.outage"].search([]).ended_at)

    def test_a_success_on_a_host_whose_clock_is_fast_hides_no_failure_on_another(self):
        with self.clock_ahead(5):
            self.mention()
        self.own.fail("mail", reply="451 4.3.0 Not now", times=1)
        self.mention()
        health = self.health(self.own_server)
        self.assertGreaterEqual(health.last_failure, health.last_success)

    def test_what_system_mail_has_just_sent_is_its_last_success(self):
        """A person's mailbox that works costs no write for an hour."""
        earlier = fields.Datetime.now() - datetime.timedelta(minutes=2)
        self.mention()
        self.health(self.own_server).last_success = earlier
        self.mention()
        self.assertEqual(self.health(self.own_server).last_success, earlier)
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.mention()
        self.health(self.system_server).last_success = earlier
        self.mention()
        self.assertGreater(self.health(self.system_server).last_success, earlier)

    def test_why_nothing_could_be_sent_is_told_in_the_chatter(self):
        customer = self.env["res.partner"].create({"name": "C", "email": "c@elsewhere.test"})
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        message = self.mention(partners=customer)
        self.assertIn("the password was rejected", message.notification_ids.failure_reason)

    def test_rejected_credentials_stay_the_reason_when_the_server_is_down_too(self):
        fault = self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.mention()
        self.own.heal(fault)
        self.own.fail("banner", action="drop")
        self.own_server.system_mail_check()
        health = self.health(self.own_server)
        self.assertEqual((health.state, health.phase), ("disconnected", "auth"))
        self.assertIn("the password was rejected", health.reason)

    def test_how_long_a_mailbox_may_take(self):
        """The queue waits after the dot as RFC 5321 asks, or as long as its worker may live; a
        person for a minute.
        """
        self.startPatcher(patch.object(ir_mail_server, "SMTP_TIMEOUT", 60))
        for cron, real, expected in (
            (-1, 120, 100),
            (900, 120, 600),
            (300, 120, 280),
            (-1, 0, 600),
        ):
            limits = {"limit_time_real_cron": cron, "limit_time_real": real}
            with self.subTest(limits), patch.dict(config.options, limits):
                self.assertEqual((patience().log_in, patience().dot), (12, expected))
        self.http_request_allow_all = True  # the mocked one has no cookies
        with MockRequest(self.env):
            self.assertEqual((patience().log_in, patience().dot), (12, 60))
