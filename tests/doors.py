"""Doors: what somebody could call to become a Super User or to take one over."""

import contextlib
import time

from odoo import http
from odoo.fields import Command
from odoo.tests import HttpCase, JsonRpcException

from ..constants import GROUP
from . import tables
from .common import SystemMailCase

OUTSIDERS = ("administrator", "access rights", "employee")
REFUSED, DONE, NOTHING = "AccessError", "done", "nothing"
ELSEWHERE = "taken@else.test"


class Undo(Exception):
    """Roll back what a door let through."""


class DoorsCase(HttpCase, SystemMailCase):
    """Doors, each tried as a browser would: by those who are no Super User and, so that a broken
    call is no proof, by one who is::

        self.assert_closed({"write login": self.door("res.users", "write", ids, {"login": "x"})})
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.group = cls.env.ref(GROUP)
        groups = {
            "super user": GROUP,
            "administrator": "base.group_system",
            "access rights": "base.group_erp_manager",
            "employee": "base.group_partner_manager",
        }
        cls.people = {
            role: cls.person(role.title(), cls.env.ref(group), password=f"the {role}'s own")
            for role, group in groups.items()
        }
        cls.accomplice = cls.person("Accomplice")
        cls.victim = cls.person("Victim", cls.group)
        cls.archived = cls.person("Archived", cls.group, active=False)
        cls.vassal = cls.env["res.groups"].create({"name": "Vassal"})  # implies nothing
        cls.implying = cls.env["res.groups"].create(
            {"name": "Implying", "implied_ids": [Command.link(cls.group.id)]}
        )

    @classmethod
    def person(cls, name, groups=None, **values):
        """An internal user, in the groups as well."""
        all_groups = cls.env.ref("base.group_user") + (groups or cls.env["res.groups"])
        email = f"{name.lower().replace(' ', '.')}@company.test"
        return cls._user(name, email, group_ids=[Command.set(all_groups.ids)], **values)

    def call(self, model, method, *args, **kwargs):
        """Over RPC, as the user who is logged in."""
        return self.make_jsonrpc_request(
            f"/web/dataset/call_kw/{model}/{method}",
            {"model": model, "method": method, "args": args, "kwargs": kwargs},
        )

    def door(self, *call, **kwargs):
        return lambda: self.call(*call, **kwargs)

    def imported(self, model, names, row):
        """An import: it tells of a refusal in its answer."""

        def door():
            answer = self.call(model, "load", names, [row])
            if not answer["ids"]:
                self.assertRegex(answer["messages"][0]["message"], "Super User|not allowed")
                raise JsonRpcException(0, REFUSED)

        return door

    def log_in(self, role):
        session = self.authenticate(self.people[role].login, f"the {role}'s own")
        session["identity-check-last"] = time.time()  # asked for the password a moment ago
        http.root.session_store.save(session)

    def state(self):
        """All that the doors lead to, fresh from the database."""
        self.env.flush_all()
        self.env.invalidate_all()
        self.env.registry.clear_cache("default", "groups")
        self.env.cr.execute(
            "SELECT u.id, login, password, u.active, totp_secret, partner_id, email "
            "FROM res_users u JOIN res_partner p ON p.id = partner_id WHERE u.id IN %s",
            [(*self.victim.ids, *self.archived.ids)],
        )
        victims = sorted(self.env.cr.fetchall())
        groups = self.env["res.groups"].with_context(active_test=False)
        group = groups.browse(self.env["ir.model.data"]._xmlid_to_res_id(GROUP)).exists()
        return (
            *self.records_of_ours(),
            group.id,
            group.all_user_ids.ids,
            group.all_implied_by_ids.ids,
            group.get_external_id(),
            self.env["res.users.deletion"].search([]).user_id.ids,
            self.env["res.users"].with_context(active_test=False).search_count([]),
            victims,
        )

    def records_of_ours(self):
        """What Odoo keeps for this addon, row by row."""
        for query in (
            "SELECT id, module, name, model, res_id, noupdate FROM ir_model_data"
            " WHERE module = 'system_mail'",
            "SELECT c.id, c.active, nextcall, interval_number, priority, user_id, a.code"
            " FROM ir_cron c JOIN ir_act_server a ON a.id = ir_actions_server_id",
            "SELECT id, active, name, description, group_public_id FROM discuss_channel",
            "SELECT id, active, domain_force, model_id FROM ir_rule",
            "SELECT id, active, perm_read, model_id FROM ir_model_access",
            "SELECT d.id, json_value FROM ir_default d JOIN ir_model_fields f ON f.id = field_id"
            " WHERE f.model LIKE 'system.mail.%' OR f.name LIKE 'system_mail_%'"
            " OR f.model IN ('discuss.channel.member', 'res.users.settings')",
            "SELECT key, value FROM ir_config_parameter WHERE key LIKE 'system_mail.%'"
            " OR key = 'database.is_neutralized'",
            "SELECT id, name, state, demo, latest_version FROM ir_module_module"
            " WHERE state = 'installed' OR name LIKE 'system_mail%'",
            "SELECT id, name::text FROM res_groups",
            "SELECT gid, hid FROM res_groups_implied_rel",
            "SELECT id, email_normalized FROM res_partner",
            "SELECT id, partner_id FROM res_users",
            "SELECT id, partner_id, endpoint FROM mail_push_device",
            "SELECT id, mail_push_device_id FROM mail_push",
            "SELECT f.id, model_id, domain, is_default FROM ir_filters f",
            "SELECT id, parent_action_id FROM ir_embedded_actions",
            "SELECT id, cron_id, call_at FROM ir_cron_trigger",
            "SELECT id, cron_id, timed_out_counter FROM ir_cron_progress",
            "SELECT id, channel_notifications FROM res_users_settings",
            "SELECT id, name, domain, path FROM ir_act_window WHERE res_model LIKE 'system.mail.%'",
            "SELECT id, active, name FROM ir_ui_menu",
            "SELECT v.id, active, arch_db FROM ir_ui_view v LEFT JOIN ir_model_data d"
            " ON d.model = 'ir.ui.view' AND res_id = v.id"
            " WHERE v.model LIKE 'system.mail.%' OR d.module = 'system_mail'"
            " OR v.key LIKE 'system_mail.%' OR v.inherit_id IN"
            " (SELECT res_id FROM ir_model_data WHERE model = 'ir.ui.view'"
            " AND module = 'system_mail')",
            "SELECT rule_group_id, group_id FROM rule_group_rel",
            "SELECT menu_id, gid FROM ir_ui_menu_group_rel",
            "SELECT view_id, group_id FROM ir_ui_view_group_rel",
            "SELECT id, path FROM ir_actions",
            "SELECT id, view_mode, act_window_id FROM ir_act_window_view",
            "SELECT id, name FROM ir_model WHERE model LIKE 'system.mail.%'",
            "SELECT id, field_description, help FROM ir_model_fields"
            " WHERE model LIKE 'system.mail.%' OR name LIKE 'system_mail_%'",
            "SELECT id, value, name FROM ir_model_fields_selection",
            "SELECT id, name FROM res_groups_privilege",
        ):
            self.env.cr.execute(query)
            yield sorted(self.env.cr.fetchall(), key=repr)

    def outcome(self, door, before=None):
        """What became of the door, which is taken back.

        :param before: the state, which it is to leave as it was
        """
        before = before or self.state()
        with contextlib.suppress(Undo), self.env.cr.savepoint():
            try:
                door()
                result = NOTHING if self.state() == before else DONE
            except JsonRpcException as exc:
                result = str(exc).removeprefix("odoo.exceptions.")
                self.assertEqual(self.state(), before)
            raise Undo
        if result == DONE:
            self.assertEqual(self.state(), before)
        return result

    def assert_closed(self, doors, otherwise=None, super_user=DONE):
        """Each door, ``{title: callable}``, is open to a Super User alone.

        :param otherwise: ``{(title, role): outcome}`` where Odoo itself does something else
        :param super_user: what a Super User gets
        """
        expected, outcomes = {}, {}
        with self.assertLogs("odoo.http", "WARNING"):  # a refusal is logged as one
            for role in ("super user", *OUTSIDERS):
                self.log_in(role)
                before = self.state()
                for title, door in doors.items():
                    outcomes[title, role] = self.outcome(door, before)
                    expected[title, role] = super_user if role == "super user" else REFUSED
                    tables.put("Doors to Super User", title, role, outcomes[title, role])
        expected |= otherwise or {}
        self.assertEqual({key: out for key, out in outcomes.items() if out != expected[key]}, {})
