import html
import re

from odoo import SUPERUSER_ID, http
from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .doors import ELSEWHERE, NOTHING, OUTSIDERS, REFUSED, DoorsCase


@tagged("post_install", "-at_install")
class TestTakeover(DoorsCase):
    """Nobody but a Super User signs in as one, or puts one out of action."""

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
        # people may write the second by itself
        alike = self.env["res.partner"].create({"name": "Victim", "email": partner.email})
        alike.email_normalized = ELSEWHERE

        def merge_into_another(other=other):
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
                "partner.write email_normalized": self.door(
                    "res.partner", "write", partner.ids, {"email_normalized": ELSEWHERE}
                ),
                "users.write email_normalized": self.door(
                    "res.users", "write", self.victim.ids, {"email_normalized": ELSEWHERE}
                ),
                "partner.create user_ids": self.door(
                    "res.partner",
                    "create",
                    [{"name": "X", "email": ELSEWHERE, "user_ids": [[4, self.victim.id]]}],
                ),
                "users.create partner_id and email": self.door(
                    "res.users",
                    "create",
                    [{"name": "N", "login": "n", "partner_id": partner.id, "email": ELSEWHERE}],
                ),
                "a second user with the same contact, then its email": (
                    other_user_with_the_same_contact
                ),
                "merge of contacts": merge_into_another,
                "merge of contacts, alike": lambda: merge_into_another(alike),
            }
        )

    def test_no_second_user_has_a_super_users_contact(self):
        portal, ids = self.env.ref("base.group_portal").ids, self.victim.partner_id.ids
        new = {"name": "New", "login": "new@else.test"}
        self.assert_closed(
            {
                "users.create partner_id": self.door(
                    "res.users", "create", [{**new, "partner_id": ids[0]}]
                ),
                "users.create partner_id, portal": self.door(
                    "res.users",
                    "create",
                    [{**new, "partner_id": ids[0], "group_ids": [[6, 0, portal]]}],
                ),
                "users.create partner_id, archived": self.door(
                    "res.users", "create", [{**new, "partner_id": self.archived.partner_id.id}]
                ),
                "users.create with a contact of the context": self.door(
                    "res.users", "create", [new], context={"default_partner_id": ids[0]}
                ),
                "users.write partner_id, of another user": self.door(
                    "res.users", "write", self.accomplice.ids, {"partner_id": ids[0]}
                ),
                "partner.write user_ids create": self.door(
                    "res.partner", "write", ids, {"user_ids": [[0, 0, new]]}
                ),
                "partner.write user_ids link": self.door(
                    "res.partner", "write", ids, {"user_ids": [[4, self.accomplice.id]]}
                ),
            }
        )

    def test_putting_a_super_user_out_of_action(self):
        ids, queue = self.victim.ids, "res.users.deletion"
        asked = self.env[queue].create({"user_id": self.accomplice.id})
        doors = {
            "users.write active": self.door("res.users", "write", ids, {"active": False}),
            "users.write active, an archived one": self.door(
                "res.users", "write", self.archived.ids, {"active": True}
            ),
            "users.action_archive": self.door("res.users", "action_archive", ids),
            "users.action_unarchive": self.door("res.users", "action_unarchive", self.archived.ids),
            "users.unlink": self.door("res.users", "unlink", ids),
            "users.unlink, archived": self.door("res.users", "unlink", self.archived.ids),
            "partner.write user_ids delete": self.door(
                "res.partner", "write", self.victim.partner_id.ids, {"user_ids": [[2, *ids]]}
            ),
            "users.deletion.create": self.door(queue, "create", [{"user_id": ids[0]}]),
            "users.deletion.write": self.door(queue, "write", asked.ids, {"user_id": ids[0]}),
        }
        self.assert_closed(doors)

    def test_sudo_makes_nobody_a_super_user(self):
        """As where an HR officer changes an employee's work address."""
        for role in OUTSIDERS:
            victim_sudo = self.victim.with_user(self.people[role]).sudo()
            partner_sudo = victim_sudo.partner_id
            ways = {
                "address": lambda partner=partner_sudo: partner.write({"email": ELSEWHERE}),
                "login": lambda victim=victim_sudo: victim.write({"login": "taken"}),
                "delete": victim_sudo.unlink,
            }
            for title, way in ways.items():
                with (
                    self.subTest(role=role, way=title),
                    self.assertRaisesRegex(AccessError, "Victim: a Super User's"),
                    self.env.cr.savepoint(),
                ):
                    way()
            partner_sudo.write({"email": self.victim.email, "phone": "1"})  # no new address

    def test_a_super_user_changes_their_own(self):
        victim = self.victim.with_user(self.victim)
        victim.write({"email": "own@company.test"})
        victim.write({"login": "own", "password": "own own own"})
        self.assertEqual(self.victim.partner_id.email, "own@company.test")
        self.assertEqual(self.victim.login, "own")

    def test_a_link_to_choose_a_password_goes_to_its_owner_alone(self):
        """Not even by a mailbox that is the asker's own, chosen or because the address fits."""
        self.people["access rights"].group_ids += self.env.ref("base.group_partner_manager")
        for role in ("super user", "administrator", "access rights"):
            asker = self.people[role]
            theirs = self.smtp(role, logins={asker.email: "x"})
            mailbox = self.mailbox(theirs, asker.email, "x", owner_user_id=asker.id)
            chosen = {"default_mail_server_id": mailbox.id}
            self.log_in(role)
            for context, company_email in ((chosen, "office@company.test"), ({}, asker.email)):
                self.company.email = company_email
                before = len(self.received(self.victim.email))
                reset = self.door(
                    "res.users", "action_reset_password", self.victim.ids, context=context
                )
                with self.subTest(role=role, context=context):
                    reset()
                    self.assertEqual(len(self.received(self.victim.email)), before + 1)
                    if role != "super user":
                        self.assertFalse(theirs.accepted)

    def test_no_other_mail_holds_such_a_link(self):
        token, template = "reset_password?.*token=", self.env.ref("auth_signup.set_password_email")
        users = self.victim + self.accomplice
        users.partner_id.signup_prepare("reset")
        for role in ("super user", "administrator", "access rights"):
            self.log_in(role)
            for user in users:
                mail_id = self.call(
                    "mail.template",
                    "send_mail",
                    template.ids,
                    user.id,
                    email_values={"email_to": ELSEWHERE},
                )
                mail = self.env["mail.mail"].browse(mail_id)
                told = user == self.accomplice or role == "super user"
                with self.subTest(role=role, user=user.name):
                    self.assertEqual(bool(re.search(token, str(mail.body_html))), told)

    def test_who_forgot_a_password_chooses_another(self):
        self.authenticate(None, None)
        self.post("/web/reset_password", login=self.victim.login)
        [delivery] = self.system.accepted
        self.assertEqual(delivery.rcpt_to, (self.victim.email,))
        [link] = re.findall(r'href="[^"]*(/web/reset_password[^"]*)"', self.body(delivery))
        self.log_in("employee")  # whoever has the browser open
        new = {"password": "chosen anew", "confirm_password": "chosen anew"}
        self.post(html.unescape(link), login=self.victim.login, name="V", **new)
        credential = {"type": "password", "login": self.victim.login, "password": "chosen anew"}
        victim = self.victim.with_user(self.victim)
        victim._check_credentials(credential, {"interactive": True})  # raises if it is not

    def body(self, delivery):
        return delivery.message.get_body(("html",)).get_content()

    def post(self, path, **values):
        token = http.Request.csrf_token(self)
        response = self.url_open(path, data={**values, "csrf_token": token})
        self.assertEqual(response.status_code, 200)
        return response

    def test_becoming_the_superuser(self):
        for role, status, user in (
            ("super user", 303, SUPERUSER_ID),
            ("administrator", 403, None),
            ("access rights", 303, None),  # Odoo itself does nothing
            ("employee", 303, None),
        ):
            self.log_in(role)
            with self.subTest(role=role), mute_logger("odoo.http"):
                response = self.url_open("/web/become", allow_redirects=False)
                self.assertEqual(response.status_code, status)
                session = http.root.session_store.get(self.session.sid)
                self.assertEqual(session.uid, user or self.people[role].id)
            self.logout()

    def test_no_employee_runs_code_by_saving_settings(self):
        """Odoo saves them as superuser for anybody: what is not given is switched off, also that
        only some people write code in templates.
        """
        restriction = "mail.restrict.template.rendering"
        parameters = self.env["ir.config_parameter"]
        parameters.set_param(restriction, "1")
        editors = self.env.ref("mail.group_mail_template_editor").all_user_ids
        settings, names = "res.config.settings", ["restrict_template_rendering"]
        for role in ("access rights", "employee"):
            self.log_in(role)
            for door in (
                self.door(settings, "set_values", []),
                self.door(settings, "default_get", names),
                self.door(settings, "get_values"),
            ):
                self.assertEqual(self.outcome(door), REFUSED, role)
        self.env.invalidate_all()
        self.assertEqual(parameters.get_param(restriction), "1")
        self.assertEqual(self.env.ref("mail.group_mail_template_editor").all_user_ids, editors)
        self.log_in("administrator")
        self.assertIn(names[0], self.call(settings, "default_get", names))
        saved = self.call(settings, "create", [{names[0]: False}])
        self.call(settings, "execute", saved)
        self.assertFalse(parameters.get_param(restriction))
