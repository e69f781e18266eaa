from odoo.fields import Command
from odoo.tests import tagged

from .browser_case import BrowserCase
from .common import SystemMailCase

PASSWORD = "ana's own"


class BannerCase(SystemMailCase):
    """Ana's mailbox no longer takes her password; alerts to owners are on."""

    def setUp(self):
        super().setUp()
        self.alert_owners("True")
        self.own.logins["ana@company.test"] = "changed"

    def alert_owners(self, value):
        self.env["ir.config_parameter"].set_param("system_mail.alert_owners", value)

    def disconnect(self):
        self.mention()
        self.assertEqual(self.health(self.own_server).state, "disconnected")
        self.env.invalidate_all()

    def alert(self, user=None):
        return self.env["res.users"].with_user(user or self.ana).system_mail_alert()


@tagged("post_install", "-at_install")
class TestAlert(BannerCase):
    """What a web client is told of its user's own mailbox, and when."""

    def states_pushed(self):
        """Whose web clients were told to ask anew, since the last call."""
        self.env.cr.precommit.run()
        rows = self.env["bus.bus"].search([("message", "like", "system_mail/state")])
        channels = rows.mapped("channel")
        rows.unlink()
        return channels

    def test_what_happened_and_what_still_works(self):
        self.assertIs(self.alert(), False)
        self.disconnect()
        alert = self.alert()
        self.assertIn("Your mailbox ana@company.test has been disconnected since", alert)
        self.assertIn("the password was rejected (535 5.7.8)", alert)
        self.assertIn("sent from hello@company.test", alert)

    def test_a_passing_trouble_alerts_nobody(self):
        self.own.stop()
        self.mention()
        self.assertEqual(self.health(self.own_server).state, "unstable")
        self.env.invalidate_all()
        self.assertIs(self.alert(), False)

    def test_it_is_the_owners_alone(self):
        self.disconnect()
        for user in (self.ben, self.env.ref("base.user_admin")):
            self.assertIs(self.alert(user), False)

    def test_customers_and_whoever_switched_alerts_off_get_none(self):
        self.disconnect()
        portal = self._user(
            "Paul Portal",
            "paul@customer.test",
            group_ids=[Command.set(self.env.ref("base.group_portal").ids)],
        )
        self.assertIsNone(self.alert(portal))
        for off in ("False", "", False):
            self.alert_owners(off)
            self.assertIsNone(self.alert())

    def test_there_is_none_where_personal_mailboxes_are_switched_off(self):
        self.disconnect()
        parameter = "base_setup.default_external_email_server"
        self.env["ir.config_parameter"].set_param(parameter, False)
        self.assertIsNone(self.alert())

    def test_switched_off_it_asks_the_database_nothing(self):
        self.alert_owners(False)
        self.alert()
        with self.assertQueryCount(0):
            self.alert()

    def test_the_owners_web_client_is_told_when_the_state_changes(self):
        owner = f'["{self.env.cr.dbname}","res.partner",{self.ana.partner_id.id}]'
        self.states_pushed()
        self.disconnect()
        self.assertEqual(self.states_pushed(), [owner])
        self.mention()
        self.assertFalse(self.states_pushed(), "it was disconnected before")
        self.own_server.smtp_pass = "changed"
        self.assertFalse(self.own_server.system_mail_check())
        self.assertEqual(self.states_pushed(), [owner])
        self.mention()
        self.assertFalse(self.states_pushed(), "it was connected before")
        self.assertIs(self.alert(), False)

    def test_the_owners_web_client_is_told_when_the_mailbox_is_given_up(self):
        self.disconnect()
        self.states_pushed()
        self.env["res.users"].with_user(self.ana).action_setup_outgoing_mail_server("default")
        self.assertEqual(len(self.states_pushed()), 1)
        self.env.invalidate_all()
        self.assertIs(self.alert(), False)

    def test_reconnect_removes_no_mailbox_whatever_its_kind(self):
        self.own_server.smtp_authentication = "cli"
        action = self.ana.with_user(self.ana).action_system_mail_reconnect()
        self.assertEqual(action["tag"], "system_mail_connect")
        self.assertTrue(self.own_server.exists())

    def test_switched_off_nothing_is_pushed(self):
        self.alert_owners(False)
        self.disconnect()
        self.assertFalse(self.states_pushed())


@tagged("post_install", "-at_install")
class TestBanner(BannerCase, BrowserCase):
    """The line under the navbar, in a real browser."""

    def setUp(self):
        super().setUp()
        self.ana.password = PASSWORD

    def session_info(self):
        self.authenticate(self.ana.login, PASSWORD)
        return self.make_jsonrpc_request("/web/session/get_session_info")

    def test_the_session_knows_of_it_where_alerts_are_on(self):
        self.assertIs(self.session_info()["system_mail_alert"], False)
        self.disconnect()
        self.assertIn("disconnected", self.session_info()["system_mail_alert"])
        self.alert_owners(False)
        self.assertNotIn("system_mail_alert", self.session_info())

    def test_it_appears_reconnects_and_is_gone(self):
        self.disconnect()
        self.start_tour("/odoo", "system_mail_banner", login=self.ana.login)
        self.assertEqual(self.health(self.own_server).state, "connected")

    def test_it_can_be_hidden(self):
        self.disconnect()
        self.start_tour("/odoo", "system_mail_banner_hidden", login=self.ana.login)

    def test_on_a_phone_it_covers_nothing(self):
        self.disconnect()
        self.browser_size, self.touch_enabled = "375x667", True
        self.start_tour("/odoo", "system_mail_banner", login=self.ana.login)
