from odoo import models

from ...constants import OURS

HEARS = {"discuss.channel.member", "res.users.settings"}
"""The models that say what a Super User hears."""
MAIL = {"mail.mail", "mail.message", "mail.notification"}
"""Odoo makes records of these as superuser, with the defaults of whom it does so for."""
LEADS_TO = MAIL | HEARS | {"discuss.channel", "ir.mail_server"}


class IrDefault(models.Model):
    _name = "ir.default"
    _inherit = ["ir.default", "system.mail.guarded"]

    def _system_mail_is_about_us(self):
        """A default could fill in a form for a Super User, who would not notice, or be how the
        next one hears of alerts. Also one's own could have Odoo take another's mail, or an alert.
        """
        field = self.field_id
        is_ours = field.model.startswith(OURS) or field.name.startswith("system_mail_")
        return is_ours or field.model in HEARS | MAIL or field.relation in LEADS_TO
