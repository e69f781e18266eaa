from odoo.tests import tagged

from .common import SystemMailCase


@tagged("post_install", "-at_install")
class TestFallback(SystemMailCase):
    def test_a_healthy_mailbox_sends_its_own_mail(self):
        self.mention()
        self.assertEqual(len(self.own.accepted), 1)
        self.assertFalse(self.system.accepted)
        self.assertFalse(self.events())

    def test_a_rejected_password_sends_by_system_mail(self):
        self.own.fail("auth", reply="535 5.7.8 Username and Password not accepted")
        message = self.mention()
        [delivery] = self.system.accepted
        self.assertIn(b'From: "Ana Author" <hello@company.test>\r\n', delivery.content)
        self.assertEqual(delivery.message["Message-Id"], message.message_id)
        self.assertEqual(delivery.mail_from, "hello@company.test")
        self.assertIn("ana@company.test", delivery.message["Reply-To"])
        event = self.events("fallback")
        self.assertEqual(event.recipient_count, 1)
        self.assertEqual(event.user_id, self.ana)
        self.assertEqual(event.smtp_code, 535)
        self.assertEqual(self.own_server.system_mail_health_ids.state, "disconnected")
        self.assertEqual(message.notification_ids.notification_status, "sent")
