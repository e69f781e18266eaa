from odoo.exceptions import UserError

from .common import SystemMailCase


class TestAudit(SystemMailCase):
    def setUp(self):
        super().setUp()
        self.admin = self.env.ref("base.user_admin")
        self.seen = self.events("configured")

    def new_events(self):
        """What was written down since the last time."""
        new = self.events("configured") - self.seen
        self.seen |= new
        return new

    def assert_logged(self, what, user=None):
        [event] = self.new_events()
        self.assertIn(what, event.reason)
        self.assertEqual(event.user_id, user or self.admin)

    def test_each_setting_of_a_company_from_what_to_what(self):
        company = self.company.with_user(self.admin)
        for values, what in (
            ({"system_mail_scope": "all"}, "Mail to colleagues only → All mail but mass mailing"),
            ({"system_mail_limit_day": 50}, "- → 50"),
            ({"system_mail_accepted_clash": "ana@company.test"}, "- → ana@company.test"),
            ({"system_mail_address": "new@company.test"}, "hello@company.test → new@company.test"),
        ):
            company.write(values)
            self.assert_logged(what)
        company.write({"system_mail_scope": "all"})
        self.assertFalse(self.new_events(), "nothing changed")

    def test_a_change_of_system_mails_server_without_its_secrets(self):
        server = self.system_server.with_user(self.admin)
        port = server.smtp_port
        server.write({"smtp_host": "mail.company.test", "smtp_port": 2525, "smtp_pass": "hush"})
        [event] = self.new_events()
        self.assertIn("127.0.0.1 → mail.company.test", event.reason)
        self.assertIn(f"{port} → 2525", event.reason)
        self.assertIn("Password changed", event.reason)
        self.assertNotIn("hush", event.reason)
        self.assertNotIn("neutral", event.reason)
        self.assertEqual(event.server_id, self.system_server)
        self.assertEqual(event.display_name, "Change or decision")

    def test_a_mailbox_connected_and_disconnected(self):
        server = self.mailbox(self.own, "ben@company.test", "x", owner_user_id=self.ben.id)
        self.assert_logged("connected", self.env.user)
        server.with_user(self.admin).unlink()
        [event] = self.new_events()
        self.assertIn("disconnected by hand", event.reason)
        self.assertEqual((event.user_id, event.server_name), (self.admin, "ben@company.test"))

    def test_system_mail_disconnected(self):
        self.company.with_user(self.admin).action_system_mail_disconnect()
        reasons = " ".join(self.new_events().mapped("reason"))
        self.assertIn("System Mail hello@company.test → -".replace("System Mail ", ""), reasons)

    def test_what_odoo_counts_while_it_sends_is_no_change(self):
        self.mention()
        self.assertFalse(self.new_events())

    def test_unset_nothing_is_written_down(self):
        self.company.system_mail_address = False
        self.new_events()
        self.own_server.smtp_host = "mail.company.test"
        self.assertFalse(self.new_events())

    def test_a_server_that_is_archived_meanwhile(self):
        server = self.system_server.with_user(self.admin)
        server.active = False
        self.assert_logged("Active")
        server.smtp_host = "mail.company.test"
        self.assert_logged("127.0.0.1 → mail.company.test")
        server.active = True
        self.assert_logged("Active")

    def test_a_company_that_begins_with_one(self):
        server = self.mailbox(self.system, "hello@second.test", "other")
        values = {"system_mail_address": "hello@second.test", "system_mail_server_id": server.id}
        companies = self.env["res.company"].with_user(self.admin)
        second = companies.create({"name": "Second", **values})
        event, of_super_user = self.new_events().sorted(lambda each: each.company_id != second)
        self.assertIn("- → hello@second.test", event.reason)
        self.assertNotIn("- → -", event.reason)
        self.assertEqual((event.company_id, event.user_id), (second, self.admin))
        self.assertIn("Companies of Super User", of_super_user.reason)
        companies.create({"name": "Third"})
        self.assertIn("Second, Third", self.new_events().reason)

    def test_a_parameter_that_is_changed_by_hand(self):
        parameters = self.env["ir.config_parameter"].with_user(self.admin)
        parameters.set_param("system_mail.retention_days", "1")
        self.assert_logged("system_mail.retention_days: - → 1")
        parameters.set_param("system_mail.monitoring_token_sha256", "hush")
        [event] = self.new_events()
        self.assertEqual(event.reason, "system_mail.monitoring_token_sha256 changed")
        parameters.search([("key", "=", "system_mail.retention_days")]).key = "other"
        self.assert_logged("system_mail.retention_days: 1 → -")
        parameters.search([("key", "=", "other")]).unlink()
        parameters.search([("key", "=", "system_mail.monitoring_token_sha256")]).unlink()
        self.assert_logged("system_mail.monitoring_token_sha256 changed")

    def test_a_provider_without_its_secret(self):
        values = {
            "name": "Lab",
            "scope": "mail",
            "smtp_host": "smtp.lab.test",
            "authorization_endpoint": "https://lab.test/a",
            "token_endpoint": "https://lab.test/t",
        }
        provider = self.env["system.mail.oauth.provider"].with_user(self.admin).create(values)
        self.assert_logged("Provider Lab added")
        provider.write({"token_endpoint": "https://evil.test/t", "client_secret_input": "hush"})
        reasons = " ".join(self.new_events().mapped("reason"))
        self.assertIn("Lab: Token Address: https://lab.test/t → https://evil.test/t", reasons)
        self.assertIn("Lab: Stored Client Secret changed", reasons)
        self.assertNotIn("hush", reasons)
        provider.unlink()
        self.assert_logged("Provider Lab deleted")

    # --- nobody erases it

    def test_who_it_was_is_known_of_a_deleted_user(self):
        group = self.env.ref("system_mail.group_super_user")
        gone = self._user("Gone Soon", "gone@company.test", group_ids=[(6, 0, group.ids)])
        self.new_events()
        self.company.with_user(gone).system_mail_scope = "all"
        [event] = self.new_events()
        self.assertFalse(event.user_name)
        gone.with_user(self.admin).unlink()
        event.invalidate_recordset()
        self.assertFalse(event.user_id)
        self.assertEqual(event.user_name, "Gone Soon (gone@company.test)")

    def test_no_company_takes_it_along_nor_leaves_its_server_behind(self):
        server = self.mailbox(self.system, "hello@second.test", "other")
        values = {"system_mail_address": "hello@second.test", "system_mail_server_id": server.id}
        second = self.env["res.company"].create({"name": "Second", **values})
        administrator = self._user(
            "Otto", "otto@company.test", group_ids=[(6, 0, self.env.ref("base.group_system").ids)]
        )
        for way in (second.with_user(administrator), second.sudo()):
            with self.assertRaisesRegex(UserError, "Second has or had a System Mail"):
                way.unlink()
        second.system_mail_address = False
        self.assertFalse(server.exists())
        with self.assertRaisesRegex(UserError, "Archive it instead"):
            second.unlink()
        third = self.env["res.company"].create({"name": "Third"})
        third.unlink()
        self.assertFalse(third.exists())
