from odoo.tests import tagged

from ..common import SystemMailCase


@tagged("post_install", "-at_install")
class TestMailForward(SystemMailCase):
    """A message that is forwarded to another document."""

    def test_system_mail_carries_it(self):
        self.env["ir.model"]._get("res.partner").enable_forward_to = True
        self.ana.group_ids += self.env.ref("base.group_partner_manager")
        other = self.env["res.partner"].create({"name": "Other"})
        composer = (
            self.env["mail.compose.message"]
            .with_user(self.ana)
            .create(
                {
                    "model": "res.partner",
                    "res_ids": self.record.ids,
                    "subject": "Lead",
                    "body": "<p>Forwarded</p>",
                    "partner_ids": self.ben.partner_id.ids,
                    "forward_type": "another_thread",
                    "forward_thread": f"res.partner,{other.id}",
                }
            )
        )
        self.own.stop()
        composer._action_send_mail()
        message = other.message_ids[0]
        delivery = self.assert_arrives_once_by_system_mail(message)
        self.assertEqual(delivery.message["Subject"], "Fwd: Lead")
