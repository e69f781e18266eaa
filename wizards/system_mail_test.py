from odoo import fields, models


class SystemMailTest(models.TransientModel):
    """Sends a test by System Mail and says what was really sent."""

    _name = "system.mail.test"
    _description = "Test System Mail"

    company_id = fields.Many2one("res.company", required=True, ondelete="cascade", readonly=True)
    recipient = fields.Char(
        "Send To", required=True, default=lambda self: self.env.user.email_normalized
    )
    state = fields.Selection(
        [("draft", "Draft"), ("failed", "Failed"), ("sent", "Sent")], default="draft"
    )
    sent_from = fields.Char(readonly=True)
    problem = fields.Text(readonly=True)

    def action_send(self):
        """Send the test; what was typed stays, whatever comes of it."""
        self.ensure_one()
        sent_from, problem = self.company_id._system_mail_send_test(self.recipient)
        self.write(
            {
                "state": "failed" if problem else "sent",
                "sent_from": sent_from,
                "problem": problem,
            }
        )
        return self._reopen()

    def _reopen(self):
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Test System Mail"),
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "target": "new",
        }
