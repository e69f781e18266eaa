from odoo import models

from ...constants import OURS


class IrRule(models.Model):
    _name = "ir.rule"
    _inherit = ["ir.rule", "system.mail.guarded"]

    def _system_mail_is_about_us(self):
        return self.model_id.model.startswith(OURS)
