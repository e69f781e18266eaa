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
    "system_mail.drill_days": 0,
    "system_mail.allow_internal_hosts": 0,
    "system_mail.own_domains_only": 0,
    "system_mail.person_seconds": 5,
    "system_mail.reply_seconds": 600,
}
"""Our system parameters with their defaults. Each is a whole number; a switch is 0 or 1."""
SWITCHES = {
    "system_mail.alert_owners",
    "system_mail.summary",
    "system_mail.allow_internal_hosts",
    "system_mail.own_domains_only",
}
HIGHEST = 99_999
PERCENT = {"system_mail.alert_share"}
NEUTRALIZED = "database.is_neutralized"
PUSH = "mail.web_push_vapid_"
"""Begins the keys for push notifications: without one, Odoo forgets everybody's browsers."""


class IrConfigParameter(models.Model):
    """Lets only Super Users change the system parameters of this addon, and logs each change."""

    _inherit = "ir.config_parameter"

    @api.model_create_multi
    def create(self, vals_list):
        parameters = super().create(vals_list)
        parameters._system_mail_check_access()
        parameters._system_mail_log({})
        return parameters

    def write(self, vals):
        self._system_mail_check_access()
        before = self._system_mail_edited()
        result = super().write(vals)
        if "key" in vals:
            self._system_mail_check_access()
        self._system_mail_log(before)
        return result

    def unlink(self):
        self._system_mail_check_access()
        before = self._system_mail_edited()
        result = super().unlink()
        self._system_mail_log(before)
        return result

    def _system_mail_edited(self):
        """Our parameters among these, ``{key: value}``. Empty with ``sudo()``: that is how the
        settings page writes them, and it logs its own changes.
        """
        if self.env.su:
            return {}
        return {p.key: p.value for p in self.exists() if p.key.startswith(PARAMETERS)}

    def _system_mail_log(self, before):
        """Log the parameters that somebody edited. Only numbers are logged with their value: any
        other parameter may be a secret.

        :param dict before: what ``_system_mail_edited`` returned before the change
        """
        after = self._system_mail_edited()
        for key in sorted(before.keys() | after.keys()):
            old, new = before.get(key), after.get(key)
            if old == new:
                continue
            if key in DEFAULTS:
                note = change(key, old, new)
            else:
                note = self.env._("%(setting)s changed", setting=key)
            self.env["system.mail.event"].note_change_for_all(note)

    def _system_mail_check_access(self):
        """Check that the current user may change these parameters. Without this check, any
        administrator could switch monitoring on with a token of their own, or have nobody try
        mailboxes again: that is not done in a copy of the database. Or have Super Users hear of
        no alert; Odoo itself makes the keys for that as superuser.

        :raises AccessError: one of them is ours, and the current user is no Super User
        """
        in_use = self.env["res.company"].system_mail_policies()
        guarded = (PARAMETERS, NEUTRALIZED) if in_use else (PARAMETERS,)
        if in_use and not self.env.su:
            guarded += (PUSH,)
        if any(parameter.key.startswith(guarded) for parameter in self.sudo()):
            self.env.company.check_system_mail_access()

    @api.model
    @api.private
    def system_mail_number(self, name):
        """The value of one of our parameters; its default where it is not set, or is no whole
        number of at most five digits.

        :param str name: a key of ``DEFAULTS``
        :rtype: int
        """
        given = parameter(self.env, name).strip()
        if given.lower() in ("true", "false"):
            return int(given.lower() == "true")
        return int(given) if re.fullmatch(r"\d{1,5}", given) else DEFAULTS[name]

    @api.model
    def _system_mail_set_number(self, name, number, label):
        """Change one of our parameters, and log it.

        :param str name: a key of ``DEFAULTS``
        :param str label: the setting's name on screen
        :raises ValidationError: the number is negative or has more than five digits
        """
        highest = 100 if name in PERCENT else HIGHEST
        if not 0 <= number <= highest:
            raise ValidationError(
                self.env._(
                    "“%(label)s” takes a number from 0 to %(highest)s.",
                    label=label,
                    highest=f"{highest:,}",
                )
            )
        old = self.system_mail_number(name)
        set_parameter(self.env, name, str(number))
        values = [str(old), str(number)]
        if name in SWITCHES:
            values = [self.env._("on") if value else self.env._("off") for value in (old, number)]
        self.env["system.mail.event"].note_change_for_all(change(label, *values))
