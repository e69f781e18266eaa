import contextlib
import typing

from odoo import api, models
from odoo.api import SUPERUSER_ID
from odoo.exceptions import AccessError

from ...constants import GROUP
from ...tools.odoo_20 import clear_caches

_MEMBERSHIP_FIELDS = {"user_ids", "implied_ids", "implied_by_ids"}
"""Fields of a group that decide who is a Super User. ``all_user_ids`` writes ``user_ids``."""


class Member(typing.NamedTuple):
    """A Super User, as plain values: they stay readable after the user is deleted."""

    name: str
    company_id: int
    active: bool


class Membership(typing.NamedTuple):
    """The groups that make somebody a Super User, and the Super Users, archived ones included."""

    group_ids: frozenset[int]
    members: dict[int, Member]

    @property
    def rights(self):
        """The groups, and for each Super User whether they are active. An outsider must not change
        any of it.
        """
        return self.group_ids, {id_: member.active for id_, member in self.members.items()}

    @property
    def people(self):
        """The ids of the active Super Users without OdooBot, who is no person."""
        return {id_ for id_, member in self.members.items() if member.active} - {SUPERUSER_ID}

    def without(self, user_ids):
        """The same as if these users were no Super Users."""
        members = {id_: m for id_, m in self.members.items() if id_ not in user_ids}
        return self._replace(members=members)


class ResGroups(models.Model):
    _inherit = "res.groups"

    @api.model_create_multi
    def create(self, vals_list):
        if not any(_MEMBERSHIP_FIELDS & vals.keys() for vals in vals_list):
            return super().create(vals_list)
        with self._system_mail_guard():
            return super().create(vals_list)

    def write(self, vals):
        if not _MEMBERSHIP_FIELDS & vals.keys():
            return super().write(vals)
        with self._system_mail_guard():
            return super().write(vals)

    def unlink(self):
        # Not @api.ondelete(at_uninstall=False): any caller can say that it is an uninstallation.
        if self._system_mail_group_id() in self.ids and self.env.uid != SUPERUSER_ID:
            self._system_mail_refuse(
                self.env._("The group “Super User” stays as long as System Mail is installed.")
            )
        with self._system_mail_guard():
            return super().unlink()

    @api.model
    def _system_mail_group_id(self):
        return self.env["ir.model.data"]._xmlid_to_res_id(GROUP)

    @api.model
    def _system_mail_is_outsider(self):
        """Whether the current user is an *outsider*: neither a Super User nor OdooBot, who installs
        modules and runs scheduled actions. ``sudo()`` doesn't change the current user.
        """
        return self.env.uid != SUPERUSER_ID and not self.env.user._has_group(GROUP)

    @api.model
    def _system_mail_membership(self):
        group_id = self._system_mail_group_id()
        if not group_id:  # not installed yet, or no longer
            return Membership(frozenset(), {})
        users_sudo = self.env["res.users"].sudo().with_context(active_test=False)
        # A search, not all_user_ids: the cache may hold a value from the middle of the change.
        members_sudo = users_sudo.search_fetch(
            [("all_group_ids", "in", [group_id])], ["name", "company_id", "active"], order="id"
        )
        return Membership(
            frozenset([group_id, *self._get_group_definitions().get_subset_ids([group_id])]),
            {user.id: Member(user.name, user.company_id.id, user.active) for user in members_sudo},
        )

    @api.model
    @contextlib.contextmanager
    def _system_mail_guard(self):
        """Compare the Super Users before and after the block, and log the difference.

        :raises AccessError: the current user may not make this change, or nobody may
        """
        outsider = self._system_mail_is_outsider()  # before the block, which may change the answer
        before = self._system_mail_membership()
        yield
        self._system_mail_check_membership(before, self._system_mail_membership(), outsider)

    @api.model
    def _system_mail_check_membership(self, before, after, outsider):
        """Refuse a change of the Super Users, or log it.

        :param Membership before: before the change
        :param Membership after: now
        :param bool outsider: whether an outsider makes the change
        :raises AccessError: it is refused
        """
        if before.rights == after.rights:
            return
        if outsider:
            self._system_mail_refuse(
                self.env._(
                    "Nothing was changed: only a Super User decides who is a Super User. Ask one "
                    "of them."
                )
            )
        default_id = self.env["ir.model.data"]._xmlid_to_res_id("base.default_user_group")
        if default_id in after.group_ids - before.group_ids:
            self._system_mail_refuse_default()
        group_sudo = self.browse(self._system_mail_group_id()).exists().sudo()
        if not group_sudo:  # uninstalled
            return
        # Without a System Mail, OdooBot may archive the last Super User, as in stock Odoo.
        must_stay = self.env.uid != SUPERUSER_ID or self.env["res.company"].system_mail_server_ids()
        if must_stay and before.people and not after.people:
            self._system_mail_refuse(
                self.env._(
                    "Nothing was changed: without %(names)s no Super User would be left. Make "
                    "somebody else one first.",
                    names=", ".join(before.members[id_].name for id_ in sorted(before.people)),
                )
            )
        if before.people - after.people:
            # Lock the group row: two Super Users who remove each other at the same time must not
            # both succeed. PostgreSQL refuses the second write, and Odoo tries it again.
            group_sudo.write({})
        self._system_mail_log_membership(before.members, after.members)

    @api.model
    def _system_mail_refuse(self, sentence):
        """Refuse a change. Clears the caches, which may hold what is now rolled back.

        :param str sentence: what to tell the user
        :raises AccessError: always
        """
        clear_caches(self.env, "default", "groups")
        raise AccessError(sentence)

    @api.model
    def _system_mail_refuse_default(self):
        """:raises AccessError: always: Super User would become a default group of new users"""
        self._system_mail_refuse(
            self.env._(
                "Super User cannot be a default: every new user would be one. Nothing was changed; "
                "a Super User grants it to one person at a time."
            )
        )

    @api.model
    def _system_mail_log_membership(self, before, after):
        """Log each Super User who was added, removed, archived or unarchived.

        :param dict before: ``{user id: Member}`` before the change
        :param dict after: the same, now
        """
        events = []
        for id_, member in sorted({**before, **after}.items()):
            if id_ not in before:
                note = self.env._("Super User granted to %(name)s", name=member.name)
            elif id_ not in after:
                note = self.env._("Super User withdrawn from %(name)s", name=member.name)
            elif before[id_].active == member.active:
                continue
            elif member.active:
                note = self.env._("Super User %(name)s is active again", name=member.name)
            else:
                note = self.env._("Super User %(name)s was archived", name=member.name)
            events.append(
                {
                    "kind": "configured",
                    "company_id": member.company_id,
                    "user_id": self.env.uid,
                    "note": note,
                }
            )
        self.env["system.mail.event"].sudo().create(events)
