from odoo import SUPERUSER_ID
from odoo.exceptions import AccessError, ValidationError
from odoo.fields import Command
from odoo.tests import JsonRpcException, tagged

from ..constants import GROUP
from .doors import NOTHING, OUTSIDERS, REFUSED, DoorsCase


def _new(**values):
    return {"name": "New", "login": "new@company.test", **values}


@tagged("post_install", "-at_install")
class TestGuard(DoorsCase):
    """Only Super Users decide who is one."""

    def test_the_group_of_a_user(self):
        gid, uid = self.group.id, self.accomplice.id
        imply = {"name": "New", "implied_ids": [[4, gid]]}
        self.assert_closed(
            {
                "users.write group_ids link": self.door(
                    "res.users", "write", [uid], {"group_ids": [[4, gid]]}
                ),
                "users.write group_ids set": self.door(
                    "res.users", "write", [uid], {"group_ids": [[6, 0, [gid]]]}
                ),
                "users.write group_ids, an implying group": self.door(
                    "res.users", "write", [uid], {"group_ids": [[4, self.implying.id]]}
                ),
                "users.write group_ids, a new implying group": self.door(
                    "res.users", "write", [uid], {"group_ids": [[0, 0, imply]]}
                ),
                "users.web_save group_ids": self.door(
                    "res.users", "web_save", [uid], {"group_ids": [[4, gid]]}, specification={}
                ),
                "users.create group_ids": self.door(
                    "res.users", "create", [_new(group_ids=[[6, 0, [gid]]])]
                ),
                "users.create group_ids, a new implying group": self.door(
                    "res.users", "create", [_new(group_ids=[[0, 0, imply]])]
                ),
                "users.load groups": self.imported(
                    "res.users",
                    ["name", "login", "group_ids/.id"],
                    ["New", "new@company.test", str(gid)],
                ),
                "users.copy": self.door("res.users", "copy", self.victim.ids),
                "users.copy with other groups": self.door(
                    "res.users", "copy", self.victim.ids, {"group_ids": [[6, 0, []]]}
                ),
                "users.copy, archived": self.door("res.users", "copy", self.archived.ids),
                "partner.write user_ids.group_ids": self.door(
                    "res.partner",
                    "write",
                    self.accomplice.partner_id.ids,
                    {"user_ids": [[1, uid, {"group_ids": [[4, gid]]}]]},
                ),
                "company.write user_ids.group_ids": self.door(
                    "res.company",
                    "write",
                    self.company.ids,
                    {"user_ids": [[1, uid, {"group_ids": [[4, gid]]}]]},
                ),
            }
        )

    def test_the_users_of_a_group(self):
        gid, uid, vassal = self.group.id, self.accomplice.id, self.vassal.id
        imply = {"name": "New", "implied_ids": [[4, gid]]}
        self.accomplice.group_ids += self.vassal
        self.assert_closed(
            {
                "groups.write user_ids": self.door(
                    "res.groups", "write", [gid], {"user_ids": [[4, uid]]}
                ),
                "groups.write user_ids of an implying group": self.door(
                    "res.groups", "write", self.implying.ids, {"user_ids": [[4, uid]]}
                ),
                "groups.write all_user_ids": self.door(
                    "res.groups", "write", [gid], {"all_user_ids": [[4, uid]]}
                ),
                "groups.write user_ids, a new user": self.door(
                    "res.groups", "write", [gid], {"user_ids": [[0, 0, _new()]]}
                ),
                "groups.write implied_by_ids": self.door(
                    "res.groups", "write", [gid], {"implied_by_ids": [[4, vassal]]}
                ),
                "groups.write implied_ids": self.door(
                    "res.groups", "write", [vassal], {"implied_ids": [[4, gid]]}
                ),
                "groups.write implied_ids, through another": self.door(
                    "res.groups", "write", [vassal], {"implied_ids": [[4, self.implying.id]]}
                ),
                "groups.write implied_ids, a new implying group": self.door(
                    "res.groups", "write", [vassal], {"implied_ids": [[0, 0, imply]]}
                ),
                "groups.create implied_ids": self.door("res.groups", "create", [imply]),
                "groups.create implied_ids and user_ids": self.door(
                    "res.groups", "create", [{**imply, "user_ids": [[4, uid]]}]
                ),
                "groups.copy of an implying group": self.door(
                    "res.groups", "copy", self.implying.ids
                ),
                "groups.load implied_ids": self.imported(
                    "res.groups", ["name", "implied_ids/.id"], ["New", str(gid)]
                ),
                "privilege.write group_ids.user_ids": self.door(
                    "res.groups.privilege",
                    "write",
                    self.group.privilege_id.ids,
                    {"group_ids": [[1, gid, {"user_ids": [[4, uid]]}]]},
                ),
            }
        )

    def test_the_name_of_the_group(self):
        names = self.env["ir.model.data"]
        own = names.search([("module", "=", "system_mail"), ("name", "=", "group_super_user")])
        older = names.search([("id", "<", own.id)], limit=1)
        self.assert_closed(
            {
                "external ID: another group": self.door(
                    "ir.model.data", "write", own.ids, {"res_id": self.vassal.id}
                ),
                "external ID: another name": self.door(
                    "ir.model.data", "write", own.ids, {"name": "other"}
                ),
                "external ID: deleted": self.door("ir.model.data", "unlink", own.ids),
            }
        )
        hides = {"model": "res.groups", "res_id": self.group.id}  # Odoo reads the oldest name
        self.assert_closed(
            {
                "external ID: an older one before it": self.door(
                    "ir.model.data", "write", older.ids, hides
                ),
            },
            super_user=REFUSED,
        )

    def test_nobody_makes_it_a_default(self):
        default, gid = self.env.ref("base.default_user_group"), self.group.id
        doors = {
            "default_user_group.write implied_ids": self.door(
                "res.groups", "write", default.ids, {"implied_ids": [[4, gid]]}
            ),
            "default_user_group, by implied_by_ids": self.door(
                "res.groups", "write", [gid], {"implied_by_ids": [[4, default.id]]}
            ),
            "default_user_group, an implying group": self.door(
                "res.groups", "write", default.ids, {"implied_ids": [[4, self.implying.id]]}
            ),
            "users.create with a default of the context": self.door(
                "res.users",
                "create",
                [_new()],
                context={"default_group_ids": [[6, 0, [gid]]]},
            ),
        }
        doors["users.create with a default that is kept (ir.default)"] = self.kept_default
        self.assert_closed(doors, super_user=REFUSED)
        with self.assertRaisesRegex(AccessError, "cannot be a default"):
            default.implied_ids += self.group

    def kept_default(self):
        self.call("ir.default", "set", "res.users", "group_ids", self.group.ids)
        self.call("res.users", "create", [_new()])

    def test_who_signs_up_is_none(self):
        """Whoever may choose which user new ones are copies of."""
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("auth_signup.invitation_scope", "b2c")
        parameters.set_param("base.template_portal_user_id", self.victim.id)
        users = self.env["res.users"].with_user(self.env.ref("base.public_user")).sudo()
        values = {"login": "new@else.test", "name": "New", "email": "new@else.test"}
        with self.assertRaisesRegex(Exception, "Super User"), self.env.cr.savepoint():
            users.signup({**values, "password": "chosen chosen"})
        parameters.set_param("base.template_portal_user_id", self.accomplice.id)
        users.signup({**values, "password": "chosen chosen"})
        self.assertTrue(users.search([("login", "=", "new@else.test")]))

    def test_withdrawing_it(self):
        gid, ids = self.group.id, self.victim.ids
        self.implying.user_ids = self.accomplice
        self.assert_closed(
            {
                "users.write group_ids unlink": self.door(
                    "res.users", "write", ids, {"group_ids": [[3, gid]]}
                ),
                "groups.write user_ids unlink": self.door(
                    "res.groups", "write", [gid], {"user_ids": [[3, *ids]]}
                ),
                "groups.write implied_ids unlink": self.door(
                    "res.groups", "write", self.implying.ids, {"implied_ids": [[3, gid]]}
                ),
                "groups.unlink of an implying group": self.door(
                    "res.groups", "unlink", self.implying.ids
                ),
            }
        )
        self.assert_closed(
            {
                "groups.unlink": self.door("res.groups", "unlink", [gid]),
                "groups.unlink as if uninstalling": self.door(
                    "res.groups", "unlink", [gid], context={"_force_unlink": True}
                ),
            },
            super_user=REFUSED,
        )

    def test_sudo_makes_nobody_a_super_user(self):
        for role in OUTSIDERS:
            env = self.env(user=self.people[role], su=True)
            with (
                self.subTest(role=role),
                self.assertRaisesRegex(AccessError, "Ask one"),
                self.env.cr.savepoint(),
            ):
                self.accomplice.with_env(env).group_ids += self.group.with_env(env)
            self.assertNotIn(self.group, self.accomplice.all_group_ids)
            self.env.invalidate_all()

    def test_sudo_takes_no_mailbox_of_system_mail(self):
        """As where an administrator deletes what a person left behind (Privacy Lookup)."""
        canary = {"company_id": self.company.id, "address": "spare@company.test"}
        backup = self.env["system.mail.backup"].create(canary)
        hook = self.env["system.mail.webhook"].create(
            {"name": "Hook", "url_input": "https://hooks.test/x"}
        )
        administrator = self.people["administrator"]
        server, backup, hook = (
            record.with_user(administrator).sudo() for record in (self.system_server, backup, hook)
        )
        for attempt in (
            server.unlink,
            lambda: server.write({"active": False}),
            lambda: server.write({"smtp_host": "else.test"}),
            backup.unlink,
            hook.unlink,
        ):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                attempt()
        server.write({"sequence": 7})
        self.own_server.with_user(administrator).sudo().unlink()
        server.with_user(self.people["super user"]).sudo().active = False

    def test_who_grants_it_to_himself_is_refused_at_once_and_for_good(self):
        administrator = self.people["administrator"]
        self.assertFalse(administrator.has_group(GROUP))
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            administrator.with_user(administrator).group_ids += self.group
        self.assertFalse(administrator.has_group(GROUP))  # nor is it left in a cache

    def test_where_the_group_cannot_be_found_nobody_is_made_one(self):
        module, name = GROUP.split(".")
        self.env.cr.execute(
            "DELETE FROM ir_model_data WHERE module = %s AND name = %s", [module, name]
        )
        self.env.registry.clear_cache()
        otto = self.accomplice.with_user(self.people["administrator"])
        with self.assertRaisesRegex(AccessError, "only a Super User decides"):
            otto.write({"group_ids": [Command.link(self.group.id)]})

    def test_odoobot_installs_and_uninstalls(self):
        self.env["res.groups"].create({"name": "N", "implied_ids": [Command.link(self.group.id)]})
        self.assertEqual(self.env.uid, SUPERUSER_ID)
        self.group.model_access.unlink()
        self.group.unlink()
        self.assertFalse(self.people["super user"].has_group(GROUP))

    def test_ordinary_administration_goes_on(self):
        self.people["access rights"].group_ids += self.env.ref("base.group_partner_manager")
        for role in ("administrator", "access rights"):
            env = self.env(user=self.people[role])
            groups, users = env["res.groups"], env["res.users"]
            with self.subTest(role=role):
                user = users.create(_new(login=role, email=f"{role}@new.test"))
                user.write({"password": "chosen chosen", "email": "x@new.test", "login": "x"})
                group = groups.create({"name": role, "user_ids": [Command.link(user.id)]})
                group.implied_ids = env.ref("base.group_multi_company")
                user.group_ids += env.ref("base.group_system")
                copy = user.copy({"login": "copy"})
                copy.active = False
                (copy + user).unlink()
                group.unlink()
                self.victim.with_env(env).write({"name": "Renamed", "signature": "V"})

    def test_the_last_super_user_stays(self):
        others = self.group.all_user_ids - self.victim
        others.filtered("active").group_ids -= self.group + self.implying
        self.assertEqual(self.group.all_user_ids.filtered("active"), self.victim)
        ways = {
            "withdraw": lambda: self.victim.write({"group_ids": [Command.unlink(self.group.id)]}),
            "by the group": lambda: self.group.write({"user_ids": [Command.clear()]}),
            "archive": self.victim.action_archive,
            "delete": self.victim.unlink,
        }
        for title, way in ways.items():
            with (
                self.subTest(title),
                self.assertRaisesRegex(
                    AccessError, "without Victim no Super User.*Make somebody else"
                ),
                self.env.cr.savepoint(),
            ):
                way()
        self.group.user_ids += self.accomplice
        self.victim.unlink()
        self.assertEqual(self.group.all_user_ids.filtered("active"), self.accomplice)

    def test_without_a_system_mail_code_may_archive_the_last_one_but_no_person_may(self):
        (self.group.all_user_ids - self.victim).filtered("active").group_ids -= (
            self.group + self.implying
        )
        self.env["res.company"].search([]).write(
            {"system_mail_address": False, "system_mail_server_id": False}
        )
        with self.assertRaisesRegex(AccessError, "no Super User"), self.env.cr.savepoint():
            self.group.with_user(self.victim).user_ids = False
        self.victim.action_archive()
        self.assertFalse(self.victim.active)

    def test_each_grant_and_withdrawal_is_an_event(self):
        before = self.events("configured")
        chief = self.people["super user"]
        accomplice = self.accomplice.with_user(chief)
        accomplice.group_ids += self.group
        accomplice.group_ids = accomplice.group_ids  # nothing new
        accomplice.active = False
        accomplice.active = True
        accomplice.group_ids -= self.group
        self.group.with_user(chief).all_user_ids += accomplice
        accomplice.unlink()
        new = (
            self.env["res.users"]
            .with_user(chief)
            .create(_new(group_ids=[Command.set(self.group.ids)]))
        )
        events = self.events("configured") - before
        self.assertEqual(
            events.mapped("reason"),
            [
                "Super User granted to Accomplice",
                "Super User Accomplice was archived",
                "Super User Accomplice is active again",
                "Super User withdrawn from Accomplice",
                "Super User granted to Accomplice",
                "Super User withdrawn from Accomplice",
                "Super User granted to New",
            ],
        )
        self.assertEqual(events.user_id, chief)
        self.assertEqual(events.company_id, new.company_id)


@tagged("post_install", "-at_install")
class TestRecordsOfOurs(DoorsCase):
    """Only Super Users change what Odoo keeps for this addon; what they change is an event."""

    def ref(self, name):
        return self.env.ref(f"system_mail.{name}")

    def row(self, name):
        """The external ID itself."""
        return self.env["ir.model.data"].search(
            [("module", "=", "system_mail"), ("name", "=", name)]
        )

    def field_id(self, model, name):
        return self.env["ir.model.fields"]._get(model, name).id

    def test_external_ids(self):
        own = self.env["discuss.channel"].create({"name": "Mine"})
        row, model = self.row("channel_alerts"), "ir.model.data"
        new = {"module": "system_mail", "name": "new", "model": "res.partner", "res_id": 1}
        elsewhere = {"module": "elsewhere", "name": "name", "model": own._name, "res_id": own.id}
        other = self.env[model].create(elsewhere)
        self.assert_closed(
            {
                "external ID of the channel: another channel": self.door(
                    model, "write", row.ids, {"res_id": own.id}
                ),
                "external ID of the channel: another name": self.door(
                    model, "write", row.ids, {"name": "other"}
                ),
                "external ID of the channel: deleted": self.door(model, "unlink", row.ids),
                "external ID of a scheduled action: deleted": self.door(
                    model, "unlink", self.row("ir_cron_tell").ids
                ),
                "external ID: a new one of ours": self.door(model, "create", [new]),
                "external ID: moved into ours": self.door(
                    model, "write", other.ids, {"module": "system_mail"}
                ),
                "external ID: never updated": self.door(
                    model, "toggle_noupdate", "ir.cron", self.ref("ir_cron_tell").id
                ),
                "external ID: imported": self.imported(
                    "res.partner", ["id", "name"], ["system_mail.new", "New"]
                ),
            },
        )

    def test_external_ids_of_odoo_that_we_rely_on(self):
        """By them, Odoo knows a visitor and OdooBot, and finds how alerts go out."""
        model, doors = "ir.model.data", {}
        for xml_id, res_id in (
            ("base.public_user", self.victim.id),
            ("base.user_root", self.accomplice.id),
            ("base.partner_root", self.accomplice.partner_id.id),
            ("mail.ir_cron_web_push_notification", self.ref("ir_cron_tell").id),
        ):
            module, name = xml_id.split(".")
            row = self.env[model].search([("module", "=", module), ("name", "=", name)])
            moved = {"res_id": res_id}
            doors |= {
                f"{xml_id}: moved": self.door(model, "write", row.ids, moved),
                f"{xml_id}: renamed": self.door(model, "write", row.ids, {"name": "other"}),
            }
        self.assert_closed(doors, super_user=NOTHING)  # of what is looked at
        push = self.env.ref("mail.ir_cron_web_push_notification")
        archived = self.door("ir.cron", "write", push.ids, {"active": False})
        self.assert_closed({"the scheduled action for pushes: archived": archived})

    def test_scheduled_actions(self):
        cron, action = self.ref("ir_cron_tell"), "ir.actions.server"
        self.assert_closed(
            {
                "cron.write active": self.door("ir.cron", "write", cron.ids, {"active": False}),
                "cron.toggle_active": self.door("ir.cron", "action_archive", cron.ids),
                "cron.write nextcall": self.door(
                    "ir.cron", "write", cron.ids, {"nextcall": "2099-01-01 00:00:00"}
                ),
                "cron.write interval_number": self.door(
                    "ir.cron", "write", cron.ids, {"interval_number": 999}
                ),
                "cron.write code": self.door("ir.cron", "write", cron.ids, {"code": "pass"}),
                "cron.unlink": self.door("ir.cron", "unlink", cron.ids),
                "action.write code": self.door(
                    action, "write", cron.ir_actions_server_id.ids, {"code": "pass"}
                ),
                "action.unlink": self.door(
                    action, "unlink", self.ref("ir_cron_probe").ir_actions_server_id.ids
                ),
            },
            {("action.unlink", "super user"): "ValidationError"},  # by Odoo: it is scheduled
        )

    def test_access_rights(self):
        rule, access = self.ref("ir_mail_server_rule_system_mail"), "ir.model.access"
        right = self.ref("system_mail_event_access_super_user")
        model_id = self.env["ir.model"]._get_id("system.mail.event")
        new = {"name": "Mine", "model_id": model_id, "perm_read": True}
        other = self.env[access].create(
            {**new, "model_id": self.env["ir.model"]._get_id("res.bank")}
        )
        other_rule = self.env["ir.rule"].create({"name": "R", "model_id": other.model_id.id})
        self.assert_closed(
            {
                "rule.write active": self.door("ir.rule", "write", rule.ids, {"active": False}),
                "rule.write domain_force": self.door(
                    "ir.rule", "write", rule.ids, {"domain_force": "[(1, '=', 1)]"}
                ),
                "rule.unlink": self.door("ir.rule", "unlink", rule.ids),
                "rule.create": self.door(
                    "ir.rule", "create", [{"name": "Mine", "model_id": model_id}]
                ),
                "rule.write model_id": self.door(
                    "ir.rule", "write", other_rule.ids, {"model_id": model_id}
                ),
                "access.write active": self.door(access, "write", right.ids, {"active": False}),
                "access.unlink": self.door(access, "unlink", right.ids),
                "access.create": self.door(access, "create", [new]),
                "access.write model_id": self.door(
                    access, "write", other.ids, {"model_id": model_id}
                ),
                "group.write model_access": self.door(
                    "res.groups", "write", self.vassal.ids, {"model_access": [[0, 0, new]]}
                ),
            }
        )

    def test_the_channel_of_the_alerts(self):
        channel = self.ref("channel_alerts")
        self.assert_closed(
            {
                "channel.write name": self.door(
                    channel._name, "write", channel.ids, {"name": "Other"}
                ),
                "channel.write active": self.door(
                    channel._name, "write", channel.ids, {"active": False}
                ),
                "channel.unlink": self.door(channel._name, "unlink", channel.ids),
            }
        )
        as_other = channel.with_user(self.people["administrator"]).sudo()
        with self.assertRaisesRegex(AccessError, "System Mail.*Only a Super User"):
            as_other.active = False

    def test_a_thread_in_the_channel_of_the_alerts(self):
        """Nobody makes one. One that was made before is for Super Users."""
        parent = {"parent_channel_id": self.ref("channel_alerts").id}
        channels = self.env["discuss.channel"]
        with self.assertRaisesRegex(ValidationError, "no threads"), self.env.cr.savepoint():
            channels.create({"name": "Thread", **parent})
        thread = channels.create({"name": "Thread"})
        self.env.cr.execute(
            "UPDATE discuss_channel SET parent_channel_id = %s WHERE id = %s",
            [*parent.values(), thread.id],
        )
        self.env.invalidate_all()
        member = self.env["discuss.channel.member"].create(
            {"channel_id": thread.id, "partner_id": self.people["super user"].partner_id.id}
        )
        for role in ("super user", *OUTSIDERS):
            self.log_in(role)
            for record in (thread, member):
                with self.subTest(role=role, model=record._name):
                    found = self.call(record._name, "search", [("id", "=", record.id)])
                    self.assertEqual(found, record.ids if role == "super user" else [])

    def test_defaults(self):
        accepts = self.field_id("system.mail.connect", "accepts_clash")
        scope = self.field_id("res.company", "system_mail_scope")
        default = self.env["ir.default"].create(
            {"field_id": self.field_id("res.partner", "active"), "json_value": "true"}
        )
        self.assert_closed(
            {
                "default of a dialog": self.door(
                    "ir.default", "set", "system.mail.connect", "accepts_clash", True
                ),
                "default of a dialog, created": self.door(
                    "ir.default", "create", [{"field_id": accepts, "json_value": "true"}]
                ),
                "default of a dialog, turned into one": self.door(
                    "ir.default", "write", default.ids, {"field_id": accepts}
                ),
                "default of a setting": self.door(
                    "ir.default", "create", [{"field_id": scope, "json_value": '"all"'}]
                ),
                "default of what the next Super User hears": self.door(
                    "ir.default",
                    "set",
                    "discuss.channel.member",
                    "custom_notifications",
                    "no_notif",
                ),
                "default of what they hear of all channels": self.door(
                    "ir.default", "set", "res.users.settings", "channel_notifications", "no_notif"
                ),
            },
        )

    def test_parameters(self):
        model = "ir.config_parameter"
        self.assert_closed(
            {
                "parameter.set_param": self.door(
                    model, "set_param", "system_mail.retention_days", "1"
                ),
                "parameter.create": self.door(
                    model, "create", [{"key": "system_mail.x", "value": "1"}]
                ),
                "parameter.set_param, of a copy": self.door(
                    model, "set_param", "database.is_neutralized", "True"
                ),
            }
        )
        as_other = self.env[model].with_user(self.people["administrator"]).sudo()
        with self.assertRaisesRegex(AccessError, "Only Super Users"):
            as_other.set_param("system_mail.summary", "1")

    def test_the_group_itself(self):
        gid, system = self.group.id, self.env.ref("base.group_system")
        self.assert_closed(
            {
                "group.write implied_ids, of Super User": self.door(
                    "res.groups", "write", [gid], {"implied_ids": [[3, system.id]]}
                ),
                "group.write implied_ids, more for Super User": self.door(
                    "res.groups", "write", [gid], {"implied_ids": [[4, self.vassal.id]]}
                ),
                "group.write implied_by_ids, of Administrator": self.door(
                    "res.groups", "write", system.ids, {"implied_by_ids": [[3, gid]]}
                ),
                "group.write name, of Super User": self.door(
                    "res.groups", "write", [gid], {"name": "Other"}
                ),
            }
        )

    def test_a_default_for_what_new_groups_imply(self):
        def implied_by_default():
            self.call("ir.default", "set", "res.groups", "implied_ids", self.group.ids)
            self.call("res.groups", "create", [{"name": "New"}])

        self.assert_closed({"group.create, by default implying": implied_by_default})

    def test_uninstalling(self):
        module = self.env.ref("base.module_system_mail")
        self.assert_closed(
            {
                "module.button_uninstall": self.door(module._name, "button_uninstall", module.ids),
                "module.button_uninstall of what we need": self.door(
                    module._name, "button_uninstall", self.env.ref("base.module_mail").ids
                ),
                "module.write state": self.door(
                    module._name, "write", module.ids, {"state": "uninstalled"}
                ),
                **{
                    f"module.write {name}": self.door(
                        module._name, "write", module.ids, {name: value}
                    )
                    for name, value in (("name", "x"), ("demo", True), ("latest_version", "0.1"))
                },
                **{
                    f"{needed}.write {vals}": self.door(
                        module._name, "write", self.env.ref(f"base.module_{needed}").ids, vals
                    )
                    for needed in ("base_setup", "mail", "bus", "base")
                    for vals in ({"state": "to remove"}, {"state": "uninstalled"}, {"name": "x"})
                },
            },
            {
                (title, "employee"): "AccessDenied"  # by Odoo
                for title in (
                    "module.button_uninstall",
                    "module.button_uninstall of what we need",
                )
            },
        )

    def test_uninstalling_what_the_database_says_we_do_not_need(self):
        needed = self.env.ref("base.module_base_setup")
        self.env["ir.module.module.dependency"].search([("name", "=", needed.name)]).unlink()
        self.env.flush_all()
        door = self.door(needed._name, "write", needed.ids, {"state": "to remove"})
        self.assert_closed({"base_setup.write state": door})

    def test_running_scheduled_actions(self):
        """The summary is mailed to each Super User whenever it runs."""
        model_id = self.env["ir.model"]._get_id("res.partner")
        other = self.env["ir.cron"].create({"name": "O", "model_id": model_id, "code": "True"})
        run = "ir.cron", "method_direct_trigger"
        for role in OUTSIDERS:
            self.log_in(role)
            for name in ("ir_cron_summary", "ir_cron_sweep"):
                with (
                    self.subTest(role, name=name),
                    self.assertLogs("odoo.http", "WARNING"),
                    self.assertRaisesRegex(JsonRpcException, REFUSED),
                ):
                    self.call(*run, self.ref(name).ids)
        for role, cron in (("super user", self.ref("ir_cron_summary")), ("administrator", other)):
            self.log_in(role)
            self.assertTrue(self.call(*run, cron.ids))

    def test_what_hides_the_alerts(self):
        """Odoo lets administrators limit Discuss for everybody, Super Users included."""
        self.env["system.mail.alert"].tell_super_users("Look here")
        channel = self.ref("channel_alerts")
        self.people["super user"].partner_id.channel_ids += channel
        hiding = {
            "discuss.channel": f"[('id', '!=', {channel.id})]",
            "discuss.channel.member": f"[('channel_id', '!=', {channel.id})]",
            "mail.message": "[('model', '!=', 'discuss.channel')]",
        }
        doors = {}
        for model, domain in hiding.items():
            rule = {"name": "Mine", "model_id": self.env["ir.model"]._get_id(model)}
            open_rule = self.env["ir.rule"].create({**rule, "groups": self.vassal.ids})
            hiding_rule = open_rule.copy({"domain_force": domain})
            accesses = self.env["ir.model.access"].search([("model_id", "=", rule["model_id"])])
            doors |= {
                f"rule.create, {model}": self.door(
                    "ir.rule", "create", [{**rule, "domain_force": domain}]
                ),
                f"rule.write, {model}": self.door(
                    "ir.rule", "write", open_rule.ids, {"domain_force": domain, "groups": [[5]]}
                ),
                f"groups.write, {model}": self.door(
                    "res.groups", "write", self.vassal.ids, {"rule_groups": [[3, hiding_rule.id]]}
                ),
                f"access.write, {model}": self.door(
                    "ir.model.access", "write", accesses.ids, {"perm_read": False}
                ),
            }
            harmless = {**rule, "domain_force": "[('id', '!=', 0)]"}
            self.log_in("administrator")
            self.call("ir.rule", "create", [harmless])
        self.assert_closed(doors)

    def test_sudo_opens_no_door(self):
        for role in OUTSIDERS:
            env = self.env(user=self.people[role], su=True)
            ways = {
                "cron": lambda env=env: env.ref("system_mail.ir_cron_tell").write(
                    {"active": False}
                ),
                "record": lambda env=env: env.ref("system_mail.privilege_system_mail").unlink(),
                "external ID": self.row("channel_alerts").with_env(env).unlink,
            }
            for title, way in ways.items():
                with (
                    self.subTest(role=role, way=title),
                    self.assertRaisesRegex(AccessError, "ask one of them"),
                    self.env.cr.savepoint(),
                ):
                    way()

    def test_what_a_super_user_changes_is_an_event(self):
        before = self.events("configured")
        chief = self.people["super user"]
        cron, channel = self.ref("ir_cron_tell"), self.ref("channel_alerts")
        cron.with_user(chief).write({"active": False, "interval_number": 3})
        cron.with_user(chief).write({"active": False})  # nothing new
        channel.with_user(chief).name = "Post"
        channel.with_user(chief).message_post(body="Seen")
        mine = self.env["discuss.channel"].create({"name": "Mine"})
        self.row("channel_alerts").with_user(chief).res_id = mine
        self.row("ir_cron_sweep").with_user(chief).unlink()
        self.ref("ir_mail_server_rule_system_mail").with_user(chief).active = False
        self.env["ir.default"].with_user(chief).set("system.mail.connect", "accepts_clash", True)
        self.group.with_user(chief).implied_ids += self.vassal
        events = self.events("configured") - before
        self.assertEqual(events.user_id, chief)
        self.assertEqual(
            events.mapped("reason"),
            [
                "Scheduled Actions, System Mail: tell who must know: Active: True → -; "
                "Interval Number: 1 → 3",
                "Discussion Channel, Post: Name: System Mail → Post",
                f"Model Data, system_mail.channel_alerts: Record ID: {channel.id} → {mine.id}",
                "Model Data, system_mail.ir_cron_sweep: deleted",
                "Record Rule, System Mail servers: Super Users only: Active: True → -",
                "Default Values, Use this address anyway (Connect a Mailbox): created",
                "Groups that a Super User gets: Role / Administrator → Role / Administrator, "
                "Vassal",
            ],
        )

    def test_moving_super_users_and_companies_about_is_an_event(self):
        other, ours = self.env["res.company"].create({"name": "Other"}), self.company.name
        before = self.events("configured")
        chief = self.people["administrator"]
        victim = self.victim.with_user(chief)
        victim.company_ids += other
        victim.write({"company_id": other.id})
        self.company.with_user(chief).user_ids -= self.victim
        self.accomplice.with_user(chief).company_ids += other
        self.company.with_user(chief).name = "Renamed"
        events = self.events("configured") - before
        self.assertEqual(events.user_id, chief)
        self.assertEqual(
            events.mapped("reason"),
            [
                f"Companies of Super User Victim: {ours} → {ours}, Other",
                f"Companies of Super User Victim: {ours}, Other → Other, {ours}",
                f"Companies of Super User Victim: Other, {ours} → Other",
            ],
        )

    def test_archiving_a_company_is_an_event(self):
        mailbox = self.mailbox(self.system, "hello@other.test", "neutral")
        with_one, without = self.env["res.company"].create(
            [
                {
                    "name": "With",
                    "system_mail_address": "hello@other.test",
                    "system_mail_server_id": mailbox.id,
                },
                {"name": "Without"},
            ]
        )
        before = self.events("configured")
        administrator = self.people["administrator"]
        (with_one + without).with_user(administrator).sudo().active = False
        events = self.events("configured") - before
        [events] = events.filtered(lambda event: event.reason == "Active: True → -")
        self.assertEqual((events.user_id, events.company_id), (administrator, with_one))
