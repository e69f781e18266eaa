"""Who becomes a Super User, and what others may not do to one. The rest is in ``res_groups``."""

from odoo import api, models
from odoo.api import SUPERUSER_ID

_MEMBERSHIP = {"group_ids", "active"}
_SIGN_IN = {"new_password", "partner_id", "oauth_provider_id", "oauth_uid"}
"""What decides who can sign in as a user, beside what Odoo makes its session token from."""


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
            self.system_mail_protect()
        if not _MEMBERSHIP & vals.keys():
            return super().write(vals)
        with self.env["res.groups"]._system_mail_guard():
            return super().write(vals)

    def unlink(self):
        self.system_mail_protect()
        self.env["system.mail.event"].keep_names(self)
        with self.env["res.groups"]._system_mail_guard():
            return super().unlink()

    def copy(self, default=None):
        self.system_mail_protect()
        return super().copy(default)

    def _system_mail_sign_in_fields(self):
        names = self._get_session_token_fields() | _SIGN_IN
        # Choosing a password by a mailed link: whoever sits there, auth_signup writes it by sudo().
        return names - {"password"} if self.env.su else names

    def _system_mail_super_users(self):
        """The names of those of the users who are Super Users, archived or not."""
        members = self.env["res.groups"]._system_mail_standing().members
        return [members[id_].name for id_ in self.ids if id_ in members]

    @api.private
    def system_mail_protect(self):
        """:raises AccessError: an outsider is about to take over, or disable, a Super User"""
        groups = self.env["res.groups"]
        if not self or not groups._system_mail_is_outsider():
            return
        if names := self._system_mail_super_users():
            groups._system_mail_refuse(
                self.env._(
                    "%(names)s: a Super User's login, e-mail address and password, and archiving, "
                    "copying, merging or deleting a Super User, are for Super Users alone. Nothing "
                    "was changed; ask one of them.",
                    names=", ".join(names),
                )
            )

    def _action_reset_password(self, *args, **kwargs):
        """auth_signup's. A link to choose a Super User's password goes to their own address,
        whoever asks for it, as OdooBot's mail: an outsider's could leave by a mailbox of theirs.
        """
        users = self
        if self.env["res.groups"]._system_mail_is_outsider() and self._system_mail_super_users():
            self.check_access("write")
            context = {key: self.env.context.get(key) for key in ("create_user", "lang")}
            # pylint: disable-next=context-overridden
            users = self.with_user(SUPERUSER_ID).with_context(context)
        return super(ResUsers, users)._action_reset_password(*args, **kwargs)
