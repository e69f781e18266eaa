from odoo import api, models


class MailMessageReaction(models.Model):
    """Odoo stores a reaction as superuser, with any text, for whoever follows a channel."""

    _inherit = "mail.message.reaction"

    @api.constrains("message_id")
    def _check_system_mail_alerts(self):
        self.message_id.system_mail_check_alerts()
