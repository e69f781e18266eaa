from odoo.tests import Form, tagged

from ..common import SystemMailCase


@tagged("post_install", "-at_install")
class TestMailForward(SystemMailCase):
    """A message that is forwarded to another document."""

    def test_system_mail_carries_it(self):
        self.env["ir.model"]._get("res.partner").enable_forward_to = True
        self.ana.group_ids += self.env.ref("base.group_partner_manager")
        other = self.env["res.partner"].create({"name": "Other"})
        composer = Form(
            self.env["mail.compose.message"]
            .with_user(self.ana)
            .with_context(default_model="res.partner", default_res_ids=self.record.ids)
        )
        composer.subject, composer.body = "Lead", "<p>Forwarded</p>"
        composer.partner_ids.add(self.ben.partner_id)
        composer.forward_type = "another_thread"
        composer.forward_thread = other
        self.own.stop()
        composer.save()._action_send_mail()
        message = other.message_ids[0]
        delivery = self.assert_arrives_once_by_system_mail(message)
        self.assertEqual(delivery.message["Subject"], "Fwd: Lead")
