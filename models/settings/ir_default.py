from odoo import models

from ...constants import OURS


class IrDefault(models.Model):
    _name = "ir.default"
    _inherit = ["ir.default", "system.mail.guarded"]

    def _system_mail_is_about_us(self):
        """A default could fill in a form for a Super User, who would not notice."""
        return self.field_id.model.startswith(OURS) or self.field_id.name.startswith("system_mail_")
