from odoo import api, models

from .drill import Drill


class ResPartner(models.Model):
    _inherit = "res.partner"

    @api.constrains("email")
    def _check_system_mail_address(self):
        for partner in self.filtered("user_ids"):
            self.env["res.company"]._check_system_mail_not_taken([partner.email], partner.name)

    def _notify_get_recipients(self, message, msg_vals=False, **kwargs):
        recipients = super()._notify_get_recipients(message, msg_vals, **kwargs)
        if Drill.of(self.env):
            for recipient in recipients:  # by e-mail, also who reads the others in Odoo
                recipient["notif"] = "email"
        return recipients
