import contextlib
import typing

from odoo import api, models
from odoo.api import SUPERUSER_ID
from odoo.exceptions import AccessError

from ...constants import GROUP, INCOMING, MODULE
from ...tools.changes import change
from ...tools.odoo_20 import clear_caches

_MEMBERSHIP_FIELDS = {"user_ids", "implied_ids", "implied_by_ids"}
"""Fields of a group that decide who is a Super User. ``all_user_ids`` writes ``user_ids``."""
_RECORD_FIELDS = ("rule_groups", "menu_access", "view_access")
"""Fields of a group that limit records to it. Odoo writes them past the models of these records."""


class Member(typing.NamedTuple):
    """A Super User, as plain values: they stay readable after the user is deleted."""

    name: str
    active: bool
    company_id: int
    companies: tuple[str, ...]
    """Names of the companies that they may work in, their own first. None for OdooBot."""


class Membership(typing.NamedTuple):
    """The groups that make somebody a Super User, the Super Users, archived ones included, and the
    names of the groups that they get with it.
    """

    group_ids: frozenset[int]
    members: dict[int, Member]
    implied: dict[int, str]

    @property
    def rights(self):
        """All that an outsider must not change: the groups on both sides, and for each Super User
        whether they are active.
        """
        active = {id_: member.active for id_, member in self.members.items()}
        return self.group_ids, active, set(self.implied)

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
        # Always: what the values leave out may come from a default.
        with self.system_mail_guard():
            return super().create(vals_list)

    def write(self, vals):
        if not _MEMBERSHIP_FIELDS & vals.keys():
            is_ours = vals and self._system_mail_group_id() in self.ids
            if is_ours and self._system_mail_is_outsider():
                self._system_mail_refuse_change()
            return super().write(vals)
        with self.system_mail_guard():
            return super().write(vals)

    def unlink(self):
        # Not @api.ondelete(at_uninstall=False): any caller can say that it is an uninstallation.
        if self._system_mail_group_id() in self.ids and self.env.uid != SUPERUSER_ID:
            self._system_mail_refuse(
                self.env._("The group “Super User” stays as long as System Mail is installed.")
            )
        with self.system_mail_guard():
            return super().unlink()

    @api.constrains("rule_groups", "menu_access", "view_access")
    def _check_system_mail_records(self):
        """Check that no outsider limits this addon's record rules, menus and views to a group: a
        rule would no longer hold for anybody else, and a menu would be hidden. Nor does one take a
        group from a rule that then hides the alerts. Odoo writes these fields past the models of
        the records.
        """
        names = self.env["ir.model.data"].sudo()
        for records in (self.rule_groups, self.menu_access, self.view_access):
            of_ours = [("module", "=", MODULE), ("model", "=", records._name)]
            ours = names.search([*of_ours, ("res_id", "in", records.ids)])
            names._system_mail_check_change(ours.mapped("complete_name"))
        if (
            self._system_mail_is_outsider()
            and not self.env["discuss.channel"].system_mail_is_heard()
        ):
            names._system_mail_check_change(self.mapped("name"))

    @api.model
    def _system_mail_group_id(self):
        return self.env["ir.model.data"]._xmlid_to_res_id(GROUP)

    @api.model
    def _system_mail_is_outsider(self):
        """Whether the current user is an *outsider*: neither a Super User nor OdooBot, who installs
        modules and runs scheduled actions. ``sudo()`` doesn't change the current user. Mail that
        comes in does, to its sender: there everybody is an outsider.
        """
        if self.env.context.get(INCOMING):
            return True
        return self.env.uid != SUPERUSER_ID and not self.env.user._has_group(GROUP)

    @api.model
    def _system_mail_membership(self):
        group_id = self._system_mail_group_id()
        if not group_id:  # not installed yet, or no longer
            return Membership(frozenset(), {}, {})
        users_sudo = self.env["res.users"].sudo().with_context(active_test=False)
        # A search, not all_user_ids: the cache may hold a value from the middle of the change.
        members_sudo = users_sudo.search_fetch(
            [("all_group_ids", "in", [group_id])],
            ["name", "active", "company_id", "company_ids"],
            order="id",
        )
        implied_sudo = self.sudo().browse(group_id).implied_ids
        return Membership(
            frozenset([group_id, *self._get_group_definitions().get_subset_ids([group_id])]),
            {user.id: user._system_mail_member() for user in members_sudo},
            {group.id: group.full_name for group in implied_sudo},
        )

    @api.model
    @api.private
    @contextlib.contextmanager
    def system_mail_guard(self):
        """Compare the Super Users before and after the block, and log the difference.

        :raises AccessError: the current user may not make this change, or nobody may
        """
        outsider = self._system_mail_is_outsider()  # before the block, which may change the answer
        if outsider and not self._system_mail_group_id():  # nobody knows who is a Super User
            self._system_mail_refuse_change()
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
        if before == after:
            return
        if outsider and before.rights != after.rights:
            self._system_mail_refuse_change()
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
        self._system_mail_log_membership(before, after)

    @api.model
    def _system_mail_refuse_change(self):
        """:raises AccessError: always: an outsider would change the Super Users or their group"""
        self._system_mail_refuse(
            self.env._(
                "Nothing was changed: only a Super User decides who is a Super User and what that "
                "means. Ask one of them."
            )
        )

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
        """Log what changed of the Super Users.

        :param Membership before: before the change
        :param Membership after: now
        """
        note = self.env["system.mail.event"].note_change
        for id_, member in sorted({**before.members, **after.members}.items()):
            company = self.env["res.company"].browse(member.company_id)
            for reason in self._system_mail_member_changes(
                before.members.get(id_), after.members.get(id_)
            ):
                note(reason, company)
        if before.implied != after.implied:
            names = (", ".join(implied.values()) for implied in (before.implied, after.implied))
            what = change(self.env._("Groups that a Super User gets"), *names)
            self.env["system.mail.event"].note_change_for_all(what)

    @api.model
    def _system_mail_member_changes(self, old, new):
        """What became of a Super User, line by line.

        :param Member old: before the change, or None
        :param Member new: now, or None
        """
        if not old:
            yield self.env._("Super User granted to %(name)s", name=new.name)
            return
        if not new:
            yield self.env._("Super User withdrawn from %(name)s", name=old.name)
            return
        if new.active and not old.active:
            yield self.env._("Super User %(name)s is active again", name=new.name)
        elif old.active and not new.active:
            yield self.env._("Super User %(name)s was archived", name=new.name)
        if old.companies != new.companies:
            label = self.env._("Companies of Super User %(name)s", name=new.name)
            yield change(label, ", ".join(old.companies), ", ".join(new.companies))
