from odoo import models

from ...constants import OURS


class IrModelAccess(models.Model):
    _name = "ir.model.access"
    _inherit = ["ir.model.access", "system.mail.guarded"]

    def _system_mail_is_about_us(self):
        return self.model_id.model.startswith(OURS)
