from odoo import models

from ...constants import OURS


class IrUiMenu(models.Model):
    _name = "ir.ui.menu"
    _inherit = ["ir.ui.menu", "system.mail.guarded"]


class IrUiView(models.Model):
    _name = "ir.ui.view"
    _inherit = ["ir.ui.view", "system.mail.guarded"]
    _system_mail_long_fields = frozenset({"arch", "arch_base", "arch_db", "arch_prev"})

    def _system_mail_is_about_us(self):
        return (self.model or "").startswith(OURS)
