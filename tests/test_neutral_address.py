from odoo.exceptions import ValidationError

from .common import SystemMailCase


class TestNeutralAddress(SystemMailCase):
    def use(self, address):
        self.company.system_mail_address = address

    def assert_refused(self, address, whose):
        with self.assertRaisesRegex(ValidationError, whose), self.cr.savepoint():
            self.use(address)
        self.assertEqual(self.company.system_mail_address, "hello@company.test")

    def test_what_is_somebodys_own_is_refused_by_name(self):
        self._user("Lou Login", "lou@home.test", login="lou@company.test")
        self.assert_refused("ana@company.test", "Ana Author")
        self.assert_refused("ANA@company.test", "Ana Author")
        self.assert_refused("lou@company.test", "Lou Login")
        self.assert_refused("lou@home.test", "Lou Login")
        for given in ("second@company.test", "third@company.test, Second@company.test"):
            self.own_server.from_filter = given
            self.assert_refused("second@company.test", "personal mailbox of Ana Author")
        self._user("Ute Upper", "ute@home.test", login="Ute_U@Company.test")
        self.assert_refused("ute_u@company.test", "Ute Upper")
        self.assertFalse(self.company.system_mail_clash_of("ute-u@company.test"))

    def test_odoos_own_addresses_are_recognised(self):
        domain = self.env["mail.alias.domain"].create({"name": "company.test"})
        self.assert_refused("catchall@company.test", "replies or bounces")
        self.assert_refused("bounce@company.test", "replies or bounces")
        self.env["mail.alias"].create(
            {
                "alias_name": "jobs",
                "alias_domain_id": domain.id,
                "alias_model_id": self.env["ir.model"]._get_id("res.partner"),
            }
        )
        self.assert_refused("jobs@company.test", "alias")
        self.use("notifications@company.test")
        self.assertEqual(domain.default_from_email, self.company.system_mail_address)

    def test_the_risk_is_accepted_by_a_super_user_alone_and_shown_from_then_on(self):
        self.company.system_mail_accepted_clash = "ana@company.test"
        self.use("ana@company.test")
        self.assertIn("Ana Author", self.company.system_mail_clash)
        admin = self.env.ref("base.user_admin")
        overview = self.env["system.mail.connection"].with_user(admin).get_overview()
        self.assertIn("Ana Author", overview["systems"][0]["clash"])
        self.assertIn("ana@company.test", self.events("configured")[-2].reason)
        self.use("hello@company.test")
        self.assertFalse(self.company.system_mail_clash)

    def test_the_dialog_says_whose_it_is_and_takes_it_all_the_same(self):
        admin = self.env.ref("base.user_admin")
        dialog = (
            self.env["system.mail.connect"]
            .with_user(admin)
            .create(
                {
                    "company_id": self.company.id,
                    "address": "ana@company.test",
                    "smtp_host": self.system.host,
                    "smtp_port": self.system.port,
                    "smtp_encryption": "none",
                    "smtp_user": "hello@company.test",
                    "smtp_pass": "neutral",
                }
            )
        )
        self.assertIn("Ana Author", dialog.clash)
        dialog.action_connect()
        self.assertEqual(dialog.state, "failed")
        self.assertIn("Use this address anyway", dialog.problem)
        dialog.accepts_clash = True
        dialog.action_connect()
        self.assertEqual(dialog.state, "connected", dialog.problem)
        self.assertEqual(self.company.system_mail_address, "ana@company.test")

    def test_nobody_takes_the_address_later(self):
        taken = "hello@company.test"
        attempts = (
            lambda: self._user("Tim Taker", taken),
            lambda: self._user("Tim Taker", taken.upper(), login="tim@company.test"),
            lambda: self.ben.write({"login": taken}),
            lambda: self.ben.write({"email": taken}),
            lambda: self.ben.write({"email": '"hello"@company.test'}),
            lambda: self.ben.write({"email": r'"hel\lo"@company.test'}),
            lambda: self.ben.partner_id.write({"email": f"Ben <{taken}>"}),
            lambda: self.ben.partner_id.write({"email": f"ben@company.test, {taken}"}),
            lambda: self.own_server.write({"from_filter": taken}),
            lambda: self.own_server.write({"from_filter": f"ana@company.test,{taken}"}),
        )
        for attempt in attempts:
            with (
                self.assertRaisesRegex(ValidationError, "System Mail's address"),
                self.cr.savepoint(),
            ):
                attempt()
                self.env.flush_all()
            self.env.invalidate_all()
        self.env["res.partner"].create({"name": "The company", "email": taken})
        self.company.system_mail_accepted_clash = taken.title()
        self.ben.email = taken

    def test_who_takes_it_where_odoo_does_not_ask_is_shown(self):
        """An alias, or what else is made later: nothing hinders it, and the status view says so."""
        domain = self.env["mail.alias.domain"].create({"name": "company.test"})
        self.env["mail.alias"].create(
            {
                "alias_name": "hello",
                "alias_domain_id": domain.id,
                "alias_model_id": self.env["ir.model"]._get_id("res.partner"),
            }
        )
        admin = self.env.ref("base.user_admin")
        [system] = self.env["system.mail.connection"].with_user(admin).get_overview()["systems"]
        self.assertIn("is an alias", system["clash"])

    def test_no_risk_is_accepted_before_there_is_one(self):
        dialog = self.env["system.mail.connect"].create(
            {"company_id": self.company.id, "address": "free@company.test", "accepts_clash": True}
        )
        dialog.action_connect()
        self.assertFalse(self.company.system_mail_accepted_clash)

    def test_unset_it_minds_nobodys_address(self):
        self.company.system_mail_address = False
        self.ben.email = "hello@company.test"

    def test_free_mail_is_a_warning(self):
        self.use("company@gmail.com")
        self.assertIn("Anybody can get an address at gmail.com", self.company.system_mail_clash)
