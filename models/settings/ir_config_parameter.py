import re

from odoo import api, models
from odoo.exceptions import ValidationError

from ...constants import PARAMETERS
from ...failover.breaker import GIVE_UP_HOURS
from ...tools.changes import change
from ...tools.odoo_20 import parameter, set_parameter

DEFAULTS = {
    "system_mail.give_up_hours": GIVE_UP_HOURS,
    "system_mail.retention_days": 180,
    "system_mail.alert_owners": 0,
    "system_mail.alert_share": 20,
    "system_mail.summary": 0,
    "system_mail.review_days": 0,
    "system_mail.allow_internal_hosts": 0,
}
"""What integrators and Super Users may set, each a whole number; a switch is 0 or 1."""
HIGHEST = 99_999


class IrConfigParameter(models.Model):
    _inherit = "ir.config_parameter"

    @api.model_create_multi
    def create(self, vals_list):
        parameters = super().create(vals_list)
        parameters._system_mail_check_access()
        parameters._system_mail_log({})
        return parameters

    def write(self, vals):
        self._system_mail_check_access()
        before = self._system_mail_by_hand()
        result = super().write(vals)
        if "key" in vals:
            self._system_mail_check_access()
        self._system_mail_log(before)
        return result

    def unlink(self):
        self._system_mail_check_access()
        before = self._system_mail_by_hand()
        result = super().unlink()
        self._system_mail_log(before)
        return result

    def _system_mail_by_hand(self):
        """Ours, ``{key: value}``, where somebody changes them by hand: the settings, which do it by
        sudo, write it down in their own words.
        """
        if self.env.su:
            return {}
        return {p.key: p.value for p in self.exists() if p.key.startswith(PARAMETERS)}

    def _system_mail_log(self, before):
        """Write down who changed what by hand; a value only where it is no secret."""
        after = self._system_mail_by_hand()
        for key in sorted(before.keys() | after.keys()):
            old, new = before.get(key), after.get(key)
            if old == new:
                continue
            if key in DEFAULTS:
                reason = change(key, old, new)
            else:
                reason = self.env._("%(setting)s changed", setting=key)
            self.env["system.mail.event"].note_change(reason, self.env.company)

    def _system_mail_check_access(self):
        """Only Super Users change ours: who may write parameters could else switch monitoring on,
        with a token of their own.
        """
        if not self.env.su and any(parameter.key.startswith(PARAMETERS) for parameter in self):
            self.env.company.check_system_mail_access()

    @api.model
    @api.private
    def system_mail_number(self, name):
        """A parameter of ours, as a whole number of at most five digits; its default where it is
        not set or is no such number.

        :rtype: int
        """
        given = parameter(self.env, name).strip()
        if given.lower() in ("true", "false"):
            return int(given.lower() == "true")
        return int(given) if re.fullmatch(r"\d{1,5}", given) else DEFAULTS[name]

    @api.model
    def _system_mail_set_number(self, name, number, label):
        """Change a parameter of ours, and write down who did.

        :param str label: as people read it
        """
        if not 0 <= number <= HIGHEST:
            raise ValidationError(
                self.env._(
                    "“%(label)s” takes a number from 0 to 99,999; 0 switches it off.", label=label
                )
            )
        old = self.system_mail_number(name)
        set_parameter(self.env, name, str(number))
        self.env["system.mail.event"].note_change(
            change(label, str(old), str(number)), self.env.company
        )
