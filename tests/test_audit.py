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
