from odoo import models

from ...constants import ALERTS, OURS


class IrRule(models.Model):
    _name = "ir.rule"
    _inherit = ["ir.rule", "system.mail.guarded"]

    def _system_mail_is_about_us(self):
        """Also what hides the alerts from a Super User."""
        model = self.model_id.model
        if model in ALERTS:
            return not self.env["discuss.channel"].system_mail_is_heard()
        return model.startswith(OURS)
