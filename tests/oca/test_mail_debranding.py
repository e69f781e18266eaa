from odoo.tests import tagged

from ..common import SystemMailCase


@tagged("post_install", "-at_install")
class TestMailDebranding(SystemMailCase):
    """That addon takes links to odoo.com out of each mail."""

    def test_system_mail_carries_it_without_them(self):
        self.own.stop()
        delivery = self.assert_arrives_once_by_system_mail(self.mention())
        body = delivery.message.get_body(("html",)).get_content()
        self.assertIn("See this", body)
        self.assertNotIn("odoo.com", body)

    def test_what_waited_too(self):
        self.own.stop()
        self.system.stop()
        message = self.mention()
        self.own.heal()
        for server in self.own_server | self.system_server:
            self.health(server).give_new_chance()
        self.run_queue(message.notification_ids.mail_mail_id)
        [delivery] = self.received("ben@company.test")
        self.assertNotIn("odoo.com", delivery.message.get_body(("html",)).get_content())
