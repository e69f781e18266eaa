from odoo.tests import tagged

from ..common import SystemMailCase


@tagged("post_install", "-at_install")
class TestMailNotificationCustomSubject(SystemMailCase):
    """A subject that a template gives goes with the message."""

    def test_system_mail_carries_it_with_that_subject(self):
        self.env["mail.message.custom.subject"].create(
            {
                "name": "Contacts",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
                "subtype_ids": [(4, self.env.ref("mail.mt_comment").id)],
                "subject_template": "About {{ object.name }}",
            }
        )
        self.own.stop()
        delivery = self.assert_arrives_once_by_system_mail(self.mention())
        self.assertEqual(delivery.message["Subject"], "About Lead")
