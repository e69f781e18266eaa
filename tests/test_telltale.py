import json
import re

from odoo.tests import tagged
from odoo.tools import mute_logger

from .tables import HARMLESS, tried
from .test_access import AccessCase

NOBODY = 999_999
OUTSIDERS = ("portal", "public")


@tagged("post_install", "-at_install")
class TestTelltale(AccessCase):
    """What is refused is refused in the same words, whether there is such a thing or not."""

    def setUp(self):
        super().setUp()
        dialogs = self.env["system.mail.connect"].with_user(self.ana)
        self.theirs = dialogs.create({"user_id": self.ana.id, "address": self.ana.email})
        self.test = (
            self.env["system.mail.test"].with_user(self.ana).create({"user_id": self.ana.id})
        )
        self.message = self.mention()

    def words(self, *call):
        """What is said to whoever is logged in, whatever it is; numbers left out."""
        model, method, *args = call
        params = {"model": model, "method": method, "args": args, "kwargs": {}}
        response = self.url_open(
            f"/web/dataset/call_kw/{model}/{method}",
            data=json.dumps({"params": params}),
            headers={"Content-Type": "application/json"},
        )
        said = response.json()
        error = said.get("error", {}).get("data", {})
        told = {name: error.get(name) for name in ("name", "message", "arguments", "context")}
        return re.sub(r"\d+", "#", str([response.status_code, said.get("result"), told]))

    def assert_same_words(self, roles, pairs):
        """``{title: (a call about what there is, the same about what there is not)}``"""
        for role in roles:
            self.log_in(role)
            for title, (real, unreal) in pairs.items():
                with self.subTest(title, role=role), mute_logger("odoo.http"):
                    self.assertEqual(self.words(*real), self.words(*unreal))
                tried("questions whether there is such a thing", HARMLESS)

    def test_outsiders_learn_of_no_user_dialog_or_message(self):
        connect, test, drill = "system.mail.connect", "system.mail.test", "system.mail.drill"
        ana, message = self.ana, self.message
        pairs = {
            "a dialog for a user": (
                (connect, "create", {"user_id": ana.id, "address": ana.email}),
                (connect, "create", {"user_id": NOBODY, "address": "x@company.test"}),
            ),
            "a test for a user": (
                (test, "create", {"user_id": ana.id}),
                (test, "create", {"user_id": NOBODY}),
            ),
            "a drill": (
                (drill, "create", {"company_id": self.company.id}),
                (drill, "create", {"company_id": NOBODY}),
            ),
        }
        for model, method, real in (
            (connect, "read", self.theirs),
            (connect, "action_connect", self.theirs),
            (connect, "action_sign_in", self.theirs),
            (connect, "action_detect", self.theirs),
            (connect, "action_send_held", self.theirs),
            (test, "action_send", self.test),
        ):
            pairs[f"{model} {method}"] = ((model, method, real.ids), (model, method, [NOBODY]))
        for model, record in (
            ("system.mail.health", self.system_health),
            ("system.mail.event", self.event),
            ("ir.mail_server", self.own_server),
        ):
            pairs[f"read {model}"] = ((model, "read", record.ids), (model, "read", [NOBODY]))
        self.assert_same_words(OUTSIDERS, pairs)
        decide = ("action_system_mail_send_again", "action_system_mail_drop")
        pairs = {
            method: (("mail.message", method, message.ids), ("mail.message", method, [NOBODY]))
            for method in decide
        }
        self.assert_same_words(("public",), pairs)

    def test_a_colleague_learns_of_no_address(self):
        employee, company = self.people["employee"], self.company
        connect, state = "system.mail.connect", ["system_mail_state", "system_mail_message"]

        def dialog(**values):
            return connect, "create", values

        def hint(address):
            values = {"user_id": employee.id, "address": address}
            return connect, "onchange", [], values, ["address"], {"password_hint": {}}

        self.assert_same_words(
            ("employee",),
            {
                "which is System Mail's": (
                    dialog(company_id=company.id, address="hello@company.test"),
                    dialog(company_id=company.id, address="x@company.test"),
                ),
                "who has a mailbox": (hint("ana@company.test"), hint("x@company.test")),
                "whose mailbox works": (
                    ("res.users", "read", self.ana.ids, state),
                    ("res.users", "read", self.ben.ids, state),
                ),
            },
        )

    def test_the_test_itself_can_tell(self):
        self.log_in("super user")
        with mute_logger("odoo.http"):
            self.assertNotEqual(
                self.words("res.users", "read", self.ana.ids, ["login"]),
                self.words("res.users", "read", [NOBODY], ["login"]),
            )
