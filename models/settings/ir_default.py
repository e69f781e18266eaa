import json

from odoo import models

from ...constants import OURS
from ...tools.commands import has_harm

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
        is_mail = field.model in HEARS | MAIL or field.relation in LEADS_TO
        hears = field.name == "manual_im_status"  # Odoo doesn't disturb who is busy
        return is_ours or is_mail or hears or self._system_mail_has_harm()

    def _system_mail_has_harm(self):
        """Whether it would change records that exist, which Odoo would not check."""
        model = self.env.get(self.field_id.model)
        if model is None:
            return False
        try:
            value = json.loads(self.json_value or "null")
        except ValueError:  # Odoo refuses it, too
            return False
        return has_harm(model, model._fields.get(self.field_id.name), value)
