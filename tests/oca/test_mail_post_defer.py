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
        record._message_update_content(message.with_user(self.ana).sudo(), body=body)
        self.env.invalidate_all()

    def test_it_falls_back_when_it_is_due(self):
        self.own.fail("auth", reply=REJECTED)
        message = self.mention()
        self.assertFalse(self.received("ben@company.test"))
        self.notify_later()
        self.assert_arrives_once_by_system_mail(message)

    def test_whoever_changes_what_is_held_sends_it_again(self):
        customer = self.env["res.partner"].create({"name": "C", "email": "c@elsewhere.test"})
        self.own.fail("dot", action="drop", accept=True, times=1)
        message = self.mention(partners=customer)
        self.notify_later()
        self.assertEqual(message.notification_ids.failure_type, "system_mail_held")
        before = self.events("configured")
        self.edit(message, "See that")
        self.assertTrue(self.events("configured") - before, "somebody decided")
        self.assertEqual(len(self.received("c@elsewhere.test")), 1)
        self.notify_later()
        self.assertEqual(len(self.received("c@elsewhere.test")), 2)
