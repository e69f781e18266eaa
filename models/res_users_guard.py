"""Who becomes a Super User, and what others may not do to one. The rest is in ``res_groups``."""

import contextlib
import contextvars

from odoo import api, models
from odoo.tools.misc import clean_context

_MEMBERSHIP = {"group_ids", "active"}
_SIGN_IN = {"new_password", "partner_id", "oauth_provider_id", "oauth_uid"}
"""What decides who can sign in as a user, beside what Odoo makes its session token from."""

mailing_token = contextvars.ContextVar("system_mail_mailing_token", default=False)
"""Set while Odoo sends a user a link to choose a password. No context key: those come from
callers.
"""


class ResUsers(models.Model):
    _inherit = "res.users"

    @api.model_create_multi
    def create(self, vals_list):
        groups = self.env["res.groups"]
        outsider = groups._system_mail_is_outsider()
        users = super().create(vals_list)
        after = groups._system_mail_standing()
        for user, vals in zip(users, vals_list, strict=True):
            if user.id in after.members and "group_ids" not in vals:
                groups._system_mail_refuse_default()
        groups._system_mail_settle(after.without(users.ids), after, outsider)
        return users

    def write(self, vals):
        if self._system_mail_sign_in_fields() & vals.keys():
            self._system_mail_protect()
        if not _MEMBERSHIP & vals.keys():
            return super().write(vals)
        with self.env["res.groups"]._system_mail_guard():
            return super().write(vals)

    def unlink(self):
        self._system_mail_protect()
        with self.env["res.groups"]._system_mail_guard():
            return super().unlink()

    def copy(self, default=None):
        self._system_mail_protect()
        return super().copy(default)

    def _system_mail_sign_in_fields(self):
        names = self._get_session_token_fields() | _SIGN_IN
        # Choosing a password by a mailed link: whoever sits there, auth_signup writes it by sudo().
        return names - {"password"} if self.env.su else names

    def _system_mail_protect(self):
        """:raises AccessError: an outsider is about to take over, or disable, a Super User"""
        groups = self.env["res.groups"]
        if not self or not groups._system_mail_is_outsider():
            return
        members = groups._system_mail_standing().members
        names = [members[id_].name for id_ in self.ids if id_ in members]
        if names:
            groups._system_mail_refuse(
                self.env._(
                    "%(names)s: a Super User's login, e-mail address and password, and archiving, "
                    "copying, merging or deleting a Super User, are for Super Users alone. Nothing "
                    "was changed; ask one of them.",
                    names=", ".join(names),
                )
            )

    def _action_reset_password(self, *args, **kwargs):
        # auth_signup's. The mail goes to the user's own address, whoever asks for it, if the
        # caller's defaults are kept out: they could add a recipient.
        # pylint: disable-next=context-overridden
        users = self.with_context(clean_context(self.env.context))
        with _mailing_token():
            return super(ResUsers, users)._action_reset_password(*args, **kwargs)


@contextlib.contextmanager
def _mailing_token():
    reset = mailing_token.set(True)
    try:
        yield
    finally:
        mailing_token.reset(reset)
