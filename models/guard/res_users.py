from odoo import api, models
from odoo.api import SUPERUSER_ID

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ...constants import NOT_KEPT
from .res_groups import Member

_MEMBERSHIP_FIELDS = {"group_ids", "active", "company_id", "company_ids"}
"""Fields of a user that decide whether, and in which companies, they are a Super User."""
_SIGN_IN_FIELDS = {"new_password", "partner_id", "oauth_provider_id", "oauth_uid"}
"""Fields that decide who can sign in as a user, in addition to those of Odoo's session token."""
_HEARING_FIELDS = {"manual_im_status"}
"""Fields that decide whether a user hears of an alert: Odoo doesn't disturb who is busy."""


class ResUsers(models.Model):
    """Checks each change of users that makes somebody a Super User, or that would let an outsider
    sign in as one. ``res_groups`` has the rules.
    """

    _inherit = "res.users"

    @api.model_create_multi
    def create(self, vals_list):
        groups = self.env["res.groups"]
        outsider = groups._system_mail_is_outsider()
        users = super().create(vals_list)
        after = groups._system_mail_membership()
        for user, vals in zip(users, vals_list, strict=True):
            if user.id in after.members and "group_ids" not in vals:
                groups._system_mail_refuse_default()
        groups._system_mail_check_membership(after.without(users.ids), after, outsider)
        return users

    def write(self, vals):
        if (self._system_mail_sign_in_fields() | _HEARING_FIELDS) & vals.keys():
            self.system_mail_protect()
        if not _MEMBERSHIP_FIELDS & vals.keys():
            return super().write(vals)
        with self.env["res.groups"].system_mail_guard():
            return super().write(vals)

    def unlink(self):
        self.system_mail_protect()
        self.env["system.mail.event"].keep_names(self)
        with self.env["res.groups"].system_mail_guard():
            return super().unlink()

    def copy(self, default=None):
        self.system_mail_protect()
        return super().copy(default)

    def _system_mail_sign_in_fields(self):
        """The fields that decide who can sign in as a user."""
        names = self._get_session_token_fields() | _SIGN_IN_FIELDS
        # auth_signup writes a new password by sudo() when somebody follows a reset link.
        return names - {"password"} if self.env.su else names

    @api.constrains("partner_id")
    def _check_system_mail_contact(self):
        """Check that an outsider gives no second user to a Super User's contact: that user would
        receive the Super User's mail, and could change the contact's e-mail address.
        """
        (self.sudo().partner_id.system_mail_users() - self).system_mail_protect()

    def _system_mail_member(self):
        own = self.company_id
        companies = (own | self.company_ids) if self.id != SUPERUSER_ID else own.browse()
        return Member(self.name, self.active, own.id, tuple(companies.mapped("name")))

    def _system_mail_super_users(self):
        """The names of the Super Users among these users, archived ones included."""
        members = self.env["res.groups"]._system_mail_membership().members
        return [members[id_].name for id_ in self.ids if id_ in members]

    @api.private
    def system_mail_protect(self):
        """Check that the current user may change how these users sign in, or delete them.

        :raises AccessError: one of them is a Super User, and the current user is an outsider
        """
        groups = self.env["res.groups"]
        if not self or not groups._system_mail_is_outsider():
            return
        if names := self._system_mail_super_users():
            groups._system_mail_refuse(
                self.env._(
                    "%(names)s: a Super User's login, contact, e-mail address, password and "
                    "presence, and archiving, copying, merging or deleting a Super User, are for "
                    "Super Users alone. Nothing was changed; ask one of them.",
                    names=", ".join(names),
                )
            )

    def _action_reset_password(self, *args, **kwargs):
        """Send the link that resets a Super User's password as OdooBot where an outsider asks for
        it: sent as the outsider, it could leave through a mailbox that the outsider can read.
        Extends the module auth_signup, which keeps no such mail: one that waited would be lost.
        """
        users = self
        if self.env["res.groups"]._system_mail_is_outsider() and self._system_mail_super_users():
            self.check_access("write")
            context = {key: self.env.context.get(key) for key in ("create_user", "lang")}
            # pylint: disable-next=context-overridden
            users = self.with_user(SUPERUSER_ID).with_context(context)
        users = users.with_context(system_mail_not_kept=NOT_KEPT)
        if len(users) == 1 or not self.env["res.company"].system_mail_policies():
            return super(ResUsers, users)._action_reset_password(*args, **kwargs)
        result, errors = None, {}
        for user in users:  # an error for one would take back the links that the others have
            try:
                with self.env.cr.savepoint():
                    result = super(ResUsers, user)._action_reset_password(*args, **kwargs)
            except MailDeliveryException as exc:
                errors[user.name] = exc
        if errors and result is None:
            raise next(iter(errors.values()))
        if errors:
            result["params"] |= {
                "type": "warning",
                "sticky": True,
                "message": self.env._("No link was sent to: %(names)s.", names=", ".join(errors)),
            }
        return result
