from odoo.tests import tagged

from ..common import SystemMailCase

REJECTED = "535 5.7.8 Username and Password not accepted"
STATIC = "desk@company.test"


@tagged("post_install", "-at_install")
class TestMailOutboundStatic(SystemMailCase):
    """A server's static From is that server's: what System Mail carries has System Mail's."""

    def setUp(self):
        super().setUp()
        # That addon takes the first server for a message's; System Mail's is made behind it.
        self.own_server.sequence = 1

    def test_a_healthy_mailbox_sends_with_its_static_from(self):
        self.own_server.smtp_from = STATIC
        self.mention()
        [delivery] = self.received("ben@company.test")
        self.assertIn(delivery, self.own.accepted)
        self.assertEqual(delivery.message["From"].addresses[0].addr_spec, STATIC)
        self.assertEqual(delivery.mail_from, STATIC)

    def test_a_healthy_mailbox_without_one_keeps_the_authors(self):
        self.mention()
        [delivery] = self.received("ben@company.test")
        self.assertIn(delivery, self.own.accepted)
        self.assertIn(b'\r\nFrom: "Ana Author" <ana@company.test>\r\n', delivery.content)

    def test_system_mail_carries_it_once_from_its_own_address(self):
        self.own.fail("auth", reply=REJECTED)
        self.assert_from_system_mail(self.mention())

    def test_the_static_from_of_the_failed_mailbox_stays_behind(self):
        self.own_server.smtp_from = STATIC
        self.own.fail("auth", reply=REJECTED)
        delivery = self.assert_from_system_mail(self.mention())
        self.assertNotIn(STATIC.encode(), delivery.content)

    def test_a_rejected_message_leaves_the_static_from_behind_too(self):
        self.own_server.smtp_from = STATIC
        self.own.fail("mail", reply="530 5.7.57 Client not authenticated to send mail")
        self.assert_from_system_mail(self.mention())

    def assert_from_system_mail(self, message):
        delivery = self.assert_arrives_once_by_system_mail(message)
        self.assertIn(b'\r\nFrom: "Ana Author" <hello@company.test>\r\n', delivery.content)
        self.assertEqual(delivery.mail_from, "hello@company.test")
        self.assertEqual(delivery.message["Reply-To"].addresses[0].addr_spec, "ana@company.test")
        return delivery
