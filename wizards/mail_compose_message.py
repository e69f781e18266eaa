from odoo import models


class MailComposeMessage(models.TransientModel):
    """Writes to nobody about a document that the sender may not read."""

    _inherit = "mail.compose.message"

    def _action_send_mail_mass_mail(self, res_ids, auto_commit=False):
        self.env["mail.message"].system_mail_check_documents(self.model, res_ids)
        return super()._action_send_mail_mass_mail(res_ids, auto_commit=auto_commit)
