from unittest.mock import patch

from cryptography.fernet import Fernet

from odoo.exceptions import AccessError
from odoo.tests import Form, tagged
from odoo.tools import file_open

from ..connect.oauth import Tokens
from ..constants import OAUTH
from ..hooks import uninstall_hook
from ..tools.encrypted import VARIABLE
from .common import SystemMailCase


@tagged("post_install", "-at_install")
class TestLife(SystemMailCase):
    """What is left of System Mail in a staging copy, and after it is uninstalled. Installing,
    updating and uninstalling for real are in tests/processes.
    """

    def setUp(self):
        super().setUp()
        self.own_server.write({"smtp_pass": False, "system_mail_password": "secret"})
        self.system_server.write({"smtp_pass": False, "system_mail_password": "neutral"})

    def signed_in(self, address, **values):
        return self.mailbox(self.own, address, False, smtp_authentication=OAUTH, **values)

    def test_a_staging_copy_cannot_send(self):
        """Nothing that this addon keeps, nor System Mail's password where Odoo keeps it."""
        provider = self.env["system.mail.oauth.provider"].search([], limit=1)
        provider.client_secret = "kept"
        tokens = self.env["system.mail.oauth.token"]
        tokens.store_tokens(self.own_server, Tokens("kept", "kept", None))
        dialog = self.env["system.mail.connect"].create(
            {"company_id": self.company.id, "address": "hello@company.test", "smtp_pass": "kept"}
        )
        dialog.sudo().oauth_verifier = "kept"
        self.system_server.smtp_pass = "kept"
        self.assertEqual(self.secrets().count("kept"), 5)
        self.neutralize()
        self.assertEqual(self.secrets(), [])
        self.assertFalse(self.system_server.smtp_pass)
        self.assertFalse(self.system_server.sudo().system_mail_password)

    def test_monitoring_does_not_open_a_staging_copy(self):
        monitoring = self.env["system.mail.monitoring"]
        token = monitoring.new_token()
        self.assertTrue(monitoring.is_token(token))
        self.neutralize()
        self.assertFalse(monitoring.is_token(token))

    def neutralize(self):
        self.env.flush_all()
        with file_open("system_mail/data/neutralize.sql") as script:
            self.env.cr.execute(script.read())
        self.env.invalidate_all()
        self.env.registry.clear_all_caches()

    def secrets(self):
        """All that is in a column of a secret of ours."""
        self.env.flush_all()
        found = []
        for model, field in self.env["system.mail.secret"]._encrypted_fields():
            self.env.cr.execute(f'SELECT "{field.name}" FROM "{model._table}"')
            found += [value for (value,) in self.env.cr.fetchall() if value]
        return found

    # --- uninstalling

    def test_no_system_mail_is_left_that_anybody_could_send_by(self):
        theirs = self.mailbox(self.system, "hello@closed.test", "neutral")
        self.env["res.company"].create(
            {
                "name": "Closed",
                "active": False,
                "system_mail_address": "hello@closed.test",
                "system_mail_server_id": theirs.id,
            }
        )
        uninstall_hook(self.env)
        self.assertFalse((self.system_server | theirs).exists())
        self.assertFalse(self.company.system_mail_server_id)

    def test_a_mailbox_with_a_password_goes_on(self):
        shared = self.mailbox(self.own, "sales@company.test", "other", system_mail_login="sales")
        uninstall_hook(self.env)
        self.assertEqual(self.own_server.smtp_pass, "secret")
        self.assertEqual(self.ana.outgoing_mail_server_id, self.own_server)
        self.assertEqual((shared.smtp_user, shared.smtp_pass), ("sales", "other"))

    def test_what_odoo_alone_cannot_log_in_to_is_removed(self):
        signed_in = self.signed_in("ben@company.test", owner_user_id=self.ben.id)
        renamed = self.mailbox(
            self.own,
            "carla@company.test",
            "secret",
            owner_user_id=self._user("Carla", "carla@company.test").id,
            system_mail_login="carla.login",
        )
        uninstall_hook(self.env)
        self.assertFalse(signed_in.exists())
        self.assertFalse(renamed.exists(), "Odoo takes no notice of such a log-in name")

    def test_a_mailbox_that_a_template_names_does_not_keep_the_addon(self):
        template = self.env["mail.template"].create(
            {
                "name": "Offer",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
                "mail_server_id": self.signed_in("sales@company.test").id,
            }
        )
        uninstall_hook(self.env)
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertFalse(template.mail_server_id, "its mail leaves by Odoo's own sender")

    def test_a_password_without_its_key_is_worth_nothing_to_odoo_either(self):
        with patch.dict("os.environ", {VARIABLE: Fernet.generate_key().decode()}):
            self.own_server.system_mail_password = "encrypted"
            self.env.flush_all()
        self.env.invalidate_all()
        uninstall_hook(self.env)
        self.assertFalse(self.own_server.exists())

    def test_no_setting_and_no_saved_search_is_left(self):
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("system_mail.retention_days", "90")
        self.env["system.mail.monitoring"].new_token()
        search = self.env["ir.filters"].create(
            {"name": "Mine", "model_id": "system.mail.event", "active": False}
        )
        uninstall_hook(self.env)
        self.assertFalse(parameters.search([("key", "=like", "system_mail.%")]))
        self.assertFalse(search.exists())

    # --- Odoo's question before it

    def question(self, user=None, module="system_mail"):
        modules = self.env["ir.module.module"].search([("name", "=", module)])
        wizards = self.env["base.module.uninstall"].with_user(
            user or self.env.ref("base.user_admin")
        )
        return wizards.create({"module_ids": [(6, 0, modules.ids)]})

    def test_the_question_names_the_mailboxes_and_what_becomes_of_them(self):
        self.signed_in("ben@company.test", owner_user_id=self.ben.id)
        sentences = self.question().system_mail_consequences.splitlines()
        self.assertEqual(len(sentences), 3)
        self.assertIn("ends at", sentences[0])
        self.assertIn("hello@company.test", sentences[0])
        self.assertIn("will be removed: 1 (ben@company.test)", sentences[1])
        self.assertIn("go on: 1 (ana@company.test)", sentences[2])

    def test_the_question_counts_messages_that_wait_and_that_are_held(self):
        customer = self.env["res.partner"].create({"name": "Cora", "email": "cora@customer.test"})
        self.own.fail("dot", action="drop", accept=True)
        self.mention(partners=customer)
        self.own.stop()
        self.system.stop()
        self.mention()
        text = self.question().system_mail_consequences
        self.assertIn("Notifications that wait: 1.", text)
        self.assertIn("may have been delivered: 1.", text)

    def test_long_lists_are_cut(self):
        for number in range(30):
            self.signed_in(f"shared{number}@company.test")
        text = self.question().system_mail_consequences
        self.assertIn("removed: 30 (", text)
        self.assertIn("shared19@company.test, …)", text)

    def test_it_is_asked_where_system_mail_goes_along(self):
        others = self.env["ir.module.module"].search(
            [("state", "=", "installed"), ("name", "!=", "system_mail")]
        )
        leaf = next(module for module in others if not module.downstream_dependencies())
        self.assertFalse(self.question(module=leaf.name).system_mail_consequences)
        self.assertTrue(self.question(module="mail").system_mail_consequences)

    def test_super_users_alone_read_it(self):
        outsider = self._user(
            "Otto", "otto@company.test", group_ids=self.env.ref("base.group_system").ids
        )
        for user, reads in ((self.env.ref("base.user_admin"), True), (outsider, False)):
            with self.subTest(user=user.name):
                form = Form(self.question(user), "base.view_base_module_uninstall")
                self.assertEqual("system_mail_consequences" in form._view["fields"], reads)
        with self.assertRaises(AccessError):
            self.question(outsider).read(["system_mail_consequences"])
