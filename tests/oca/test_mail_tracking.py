from odoo.tests import tagged

from ..common import SystemMailCase

REJECTED = "535 5.7.8 Username and Password not accepted"


@tagged("post_install", "-at_install")
class TestMailTracking(SystemMailCase):
    """Each mail keeps its tracking record, on whatever route it leaves."""

    def trackings(self, message):
        return self.env["mail.tracking.email"].search(
            [("mail_message_id", "=", message.id)], order="id"
        )

    def assert_tracked(self, message, delivery):
        """The record of the recipient says "sent", and is the one that the message names."""
        tracking = self.trackings(message).filtered(lambda record: record.state == "sent")
        self.assertEqual(len(tracking), 1)
        self.assertEqual(tracking.recipient_address, "ben@company.test")
        self.assertEqual(tracking.tracking_event_ids.mapped("event_type"), ["sent"])
        self.assertEqual(delivery.message["X-Odoo-MailTracking-ID"], str(tracking.id))
        body = delivery.message.get_body(("html",)).get_content()
        self.assertIn(f"mail/tracking/open/{self.env.cr.dbname}/{tracking.id}/", body)

    def test_a_healthy_mailbox_sends_its_own_mail(self):
        message = self.mention()
        [delivery] = self.received("ben@company.test")
        self.assertIn(delivery, self.own.accepted)
        self.assert_tracked(message, delivery)

    def test_system_mail_carries_it_once_and_it_is_tracked(self):
        self.own.fail("auth", reply=REJECTED)
        message = self.mention()
        self.assert_tracked(message, self.assert_arrives_once_by_system_mail(message))
        self.assertEqual(len(self.trackings(message)), 1)

    def test_where_both_fail_the_next_try_is_tracked(self):
        self.own.fail("auth", reply=REJECTED)
        self.system.stop()
        message = self.mention()
        self.assertFalse(self.received("ben@company.test"))
        self.assertFalse(self.trackings(message), "nothing was tried for this mail yet")
        self.system.heal()
        self.env["system.mail.health"].search([]).give_new_chance()
        mail = self.env["mail.mail"].search([("mail_message_id", "=", message.id)])
        self.assertEqual(mail.state, "outgoing")
        self.run_queue(mail)
        self.assert_tracked(message, self.assert_arrives_once_by_system_mail(message))

    def test_a_refused_recipient_is_tracked_as_the_recipients_fault(self):
        self.own.fail("rcpt", reply="550 5.1.1 No such user")
        message = self.mention()
        self.assertFalse(self.received("ben@company.test"))
        tracking = self.trackings(message)
        self.assertEqual(tracking.state, "error")
        self.assertIn("5.1.1", tracking.error_description)
