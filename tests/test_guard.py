from odoo import SUPERUSER_ID
from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import tagged

from ..constants import GROUP
from .doors import OUTSIDERS, REFUSED, DoorsCase


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

    def test_who_grants_it_to_himself_is_refused_at_once_and_for_good(self):
        administrator = self.people["administrator"]
        self.assertFalse(administrator.has_group(GROUP))
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            administrator.with_user(administrator).group_ids += self.group
        self.assertFalse(administrator.has_group(GROUP))  # nor is it left in a cache

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
