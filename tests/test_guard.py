import logging
import time

from odoo import http
from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import HttpCase, JsonRpcException, tagged

from ..models.res_company import GROUP
from .common import SystemMailCase

_logger = logging.getLogger(__name__)

OUTSIDERS = ("administrator", "access rights", "employee")
REFUSED, DONE, NOTHING = "AccessError", "done", "nothing"
ELSEWHERE = "taken@else.test"


class Undo(Exception):
    """Roll back what a door let through."""


@tagged("post_install", "-at_install")
class TestGuard(HttpCase, SystemMailCase):
    """Every door to Super User, or to taking one over, tried as a browser would: by those who are
    not one, and, so that a broken door is no proof, by a Super User.
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
            role: cls._user(
                role.title(),
                f"{role.replace(' ', '.')}@company.test",
                password=f"the {role}'s own",
                group_ids=[Command.set((cls.env.ref("base.group_user") + cls.env.ref(group)).ids)],
            )
            for role, group in groups.items()
        }
        cls.accomplice = cls._user("Accomplice", "accomplice@company.test")
        cls.victim = cls._user(
            "Victim",
            "victim@company.test",
            password="the victim's own",
            group_ids=[Command.set((cls.env.ref("base.group_user") + cls.group).ids)],
        )
        cls.archived = cls._user(
            "Archived",
            "archived@company.test",
            active=False,
            group_ids=[Command.set((cls.env.ref("base.group_user") + cls.group).ids)],
        )
        cls.vassal = cls.env["res.groups"].create({"name": "Vassal"})  # implies nothing yet
        cls.implying = cls.env["res.groups"].create(
            {"name": "Implying", "implied_ids": [Command.link(cls.group.id)]}
        )
        cls.outcomes = {}

    @classmethod
    def tearDownClass(cls):
        roles = ("super user", *OUTSIDERS)
        rows = [f"{'':62}" + "".join(f"{role:>15}" for role in roles)]
        rows += [
            f"{door:62}" + "".join(f"{by_role.get(role, ''):>15}" for role in roles)
            for door, by_role in cls.outcomes.items()
        ]
        _logger.info("The doors to Super User:\n%s", "\n".join(rows))
        super().tearDownClass()

    def call(self, model, method, *args, **kwargs):
        """Over RPC, as the user who is logged in."""
        return self.make_jsonrpc_request(
            f"/web/dataset/call_kw/{model}/{method}",
            {"model": model, "method": method, "args": args, "kwargs": kwargs},
        )

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
        default = self.env.ref("base.default_user_group")
        return (
            group.id,
            group.all_user_ids.ids,
            group.all_implied_by_ids.ids,
            group.get_external_id(),
            group in default.all_implied_ids,
            self.env["res.users.deletion"].search([]).user_id.ids,
            self.env["res.users"].with_context(active_test=False).search_count([]),
            victims,
        )

    def outcome(self, door):
        """What became of the door, which is taken back."""
        before, result = self.state(), NOTHING
        try:
            with self.env.cr.savepoint():
                door()
                if self.state() != before:
                    result = DONE
                raise Undo
        except Undo:
            pass
        except JsonRpcException as exc:
            result = str(exc).removeprefix("odoo.exceptions.")
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
                for title, door in doors.items():
                    outcomes[title, role] = self.outcome(door)
                    expected[title, role] = super_user if role == "super user" else REFUSED
                    self.outcomes.setdefault(title, {})[role] = outcomes[title, role]
        expected |= otherwise or {}
        self.assertEqual({key: out for key, out in outcomes.items() if out != expected[key]}, {})

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

    # --- becoming one

    def test_the_group_of_a_user(self):
        gid, uid, new = self.group.id, self.accomplice.id, self._new
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
                    "res.users", "create", [new(group_ids=[[6, 0, [gid]]])]
                ),
                "users.create group_ids, a new implying group": self.door(
                    "res.users", "create", [new(group_ids=[[0, 0, imply]])]
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

    def _new(self, **values):
        return {"name": "New", "login": "new@company.test", **values}

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
                    "res.groups", "write", [gid], {"user_ids": [[0, 0, self._new()]]}
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
                [self._new()],
                context={"default_group_ids": [[6, 0, [gid]]]},
            ),
        }
        self.assert_closed(doors, super_user=REFUSED)
        with self.assertRaisesRegex(AccessError, "cannot be a default"):
            default.implied_ids += self.group

    # --- taking one over

    def test_how_a_super_user_signs_in(self):
        ids, wizard = self.victim.ids, "change.password.wizard"
        self.env.cr.execute("UPDATE res_users SET totp_secret = 'x' WHERE id = %s", ids)

        def change_password():
            line = {"user_id": ids[0], "user_login": "victim", "new_passwd": "taken taken"}
            [id_] = self.call(wizard, "create", [{"user_ids": [[0, 0, line]]}])
            self.call(wizard, "change_password_button", [id_])

        def write(**values):
            return self.door("res.users", "write", ids, values)

        self.assert_closed(
            {
                "users.write login": write(login="taken"),
                "users.write password": write(password="taken taken"),
                "users.write password, empty": write(password=""),
                "users.write new_password": write(new_password="taken taken"),
                "users.write email": write(email=ELSEWHERE),
                "users.write partner_id": write(partner_id=self.record.id),
                "users.write password, several users": self.door(
                    "res.users", "write", [self.accomplice.id, *ids], {"password": "taken taken"}
                ),
                "users.write password, archived": self.door(
                    "res.users", "write", self.archived.ids, {"password": "taken taken"}
                ),
                "users.load login": self.imported(
                    "res.users", [".id", "login"], [str(ids[0]), "taken"]
                ),
                "change.password.wizard": change_password,
                "users.action_totp_disable": self.door("res.users", "action_totp_disable", ids),
            },
            {
                # Odoo 19 ignores it but on creation
                ("users.write new_password", "super user"): NOTHING,
                # ... and answers False
                ("users.action_totp_disable", "employee"): NOTHING,
            },
        )

    def test_the_address_of_a_super_user(self):
        partner, merge = self.victim.partner_id, "base.partner.merge.automatic.wizard"
        other = self.env["res.partner"].create({"name": "Victim", "email": ELSEWHERE})

        def merge_into_another():
            values = {
                "partner_ids": [[6, 0, (partner + other).ids]],
                "dst_partner_id": other.id,
            }
            [id_] = self.call(merge, "create", [values])
            self.call(merge, "action_merge", [id_])

        def other_user_with_the_same_contact():
            uid = self.accomplice.id
            self.call("res.users", "write", [uid], {"partner_id": partner.id})
            self.call("res.users", "write", [uid], {"email": ELSEWHERE})

        self.assert_closed(
            {
                "partner.write email": self.door(
                    "res.partner", "write", partner.ids, {"email": ELSEWHERE}
                ),
                "partner.write email, empty": self.door(
                    "res.partner", "write", partner.ids, {"email": False}
                ),
                "partner.write email, several": self.door(
                    "res.partner", "write", (other + partner).ids, {"email": "x@else.test"}
                ),
                "partner.write email, archived user": self.door(
                    "res.partner", "write", self.archived.partner_id.ids, {"email": ELSEWHERE}
                ),
                "partner.load email": self.imported(
                    "res.partner", [".id", "email"], [str(partner.id), ELSEWHERE]
                ),
                "partner.create user_ids": self.door(
                    "res.partner",
                    "create",
                    [{"name": "X", "email": ELSEWHERE, "user_ids": [[4, self.victim.id]]}],
                ),
                "users.create partner_id and email": self.door(
                    "res.users", "create", [self._new(partner_id=partner.id, email=ELSEWHERE)]
                ),
                "a second user with the same contact, then its email": (
                    other_user_with_the_same_contact
                ),
                "merge of contacts": merge_into_another,
            }
        )
