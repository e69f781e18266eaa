from odoo.tests import tagged

from ..common import SystemMailCase

REJECTED = "535 5.7.8 Username and Password not accepted"


@tagged("post_install", "-at_install")
class TestMailPostDefer(SystemMailCase):
    """That addon notifies half a minute later; until somebody was notified, a message can be
    changed.
    """

    def setUp(self):
        super().setUp()
        self.record = self.record.with_context(test_mail_post_defer=True)

    def notify_later(self):
        """Half a minute has passed."""
        schedules = self.env["mail.message.schedule"].search([])
        schedules.scheduled_datetime = "2020-01-01"
        self.env["mail.message.schedule"]._send_notifications_cron()
        self.run_queue()

    def edit(self, message, body):
        record = self.record.with_user(self.ana)
        record._message_update_content(message.with_user(self.ana), body=body)
        self.env.invalidate_all()

    def test_it_falls_back_when_it_is_due(self):
        self.own.fail("auth", reply=REJECTED)
        message = self.mention()
        self.assertFalse(self.received("ben@company.test"))
        self.notify_later()
        self.assert_arrives_once_by_system_mail(message)

    def test_what_waits_is_sent_as_its_author_changed_it(self):
        self.own.fail("auth", reply=REJECTED)
        self.system.stop()
        message = self.mention()
        self.notify_later()
        self.assertEqual(message.notification_ids.failure_type, "system_mail_waiting")
        self.edit(message, "See that")
        self.system.heal()
        self.health(self.system_server).give_new_chance()
        self.notify_later()
        delivery = self.assert_arrives_once_by_system_mail(message)
        self.assertIn(b"See that", delivery.content)

    def test_what_is_held_is_not_sent_because_it_was_changed(self):
        customer = self.env["res.partner"].create({"name": "C", "email": "c@elsewhere.test"})
        self.own.fail("dot", action="drop", accept=True, times=1)
        message = self.mention(partners=customer)
        self.notify_later()
        self.assertEqual(message.notification_ids.failure_type, "system_mail_held")
        self.edit(message, "See that")
        self.notify_later()
        self.assertEqual(len(self.received("c@elsewhere.test")), 1)
