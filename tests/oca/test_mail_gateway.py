from odoo.tests import tagged

from odoo.addons.mail.tools.discuss import Store

from ..common import SystemMailCase


@tagged("post_install", "-at_install")
class TestMailGateway(SystemMailCase):
    """A message goes to a chat of that addon, and by e-mail."""

    def test_system_mail_carries_the_e_mail_only(self):
        self.own.stop()
        message = self.mention()
        chat = self.env["mail.notification"].create(
            {
                "mail_message_id": message.id,
                "notification_type": "gateway",
                "notification_status": "sent",
            }
        )
        by_mail = message.notification_ids - chat
        self.assertEqual(by_mail.system_mail_sent_from, "hello@company.test")
        self.assertFalse(chat.system_mail_sent_from)
        self.assertEqual(len(self.received("ben@company.test")), 1)
        for user in (self.ana, self.ben):
            store = Store().add(message.with_user(user)).get_result()
            [shown] = [n for n in store["mail.notification"] if n["id"] == by_mail.id]
            self.assertEqual(shown["system_mail_sent_from"], "hello@company.test")
