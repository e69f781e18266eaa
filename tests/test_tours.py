from odoo.tests import tagged

from ..models.settings.res_company import AUDITED_FIELDS
from ..tools.changes import snapshot
from . import bounces
from .browser_case import BrowserCase
from .common import SystemMailCase


@tagged("post_install", "-at_install")
class TestTours(SystemMailCase, BrowserCase):
    """What a person sees, walked in a real browser."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ana.group_ids += cls.env.ref("base.group_partner_manager")
        cls.customer = cls.env["res.partner"].create(
            {"name": "Cora Customer", "email": "cora@customer.test"}
        )

    def walk(self, url, tour, user, **options):
        """Have the user, in a browser of desktop size, walk the tour."""
        self.start_tour(url, tour, login=user.login, **options)
        self.env.invalidate_all()

    def on_record(self):
        """The address of the document that messages are posted on."""
        return f"/odoo/res.partner/{self.record.id}"

    # --- settings

    def test_a_super_user_connects_tests_disconnects_and_clears_system_mail(self):
        self.company.system_mail_address = False
        self.walk(
            "/odoo/settings",
            "system_mail_super_user",
            self.env.ref("base.user_admin"),
            cookies={"system_mail_port": str(self.system.port)},
        )
        [delivery] = self.system.accepted
        self.assertEqual(delivery.rcpt_to, ("ben@company.test",))
        self.assertEqual(delivery.mail_from, "hello@company.test")
        outcomes = [attempt.success for attempt in self.system.attempts]
        self.assertEqual(outcomes, [False, True, True, True])
        self.assertFalse(self.company.system_mail_address)
        servers = self.env["ir.mail_server"].with_context(active_test=False)
        self.assertEqual(servers.search([("smtp_host", "=", "127.0.0.1")]), self.own_server)
        self.own.stop()
        self.mention()
        self.assertFalse(self.received("ben@company.test")[1:], "blank: no fallback")

    def test_a_settings_administrator_sees_nothing_of_it(self):
        before = snapshot(self.company, sorted(AUDITED_FIELDS))
        outsider = self._user(
            "Otto Outsider",
            "otto@company.test",
            group_ids=[(6, 0, self.env.ref("base.group_system").ids)],
        )
        self.env["ir.config_parameter"].set_param("base_setup.default_external_email_server", False)
        self.walk("/odoo/settings", "system_mail_settings_administrator", outsider)
        self.assertTrue(
            self.env["ir.config_parameter"].get_param("base_setup.default_external_email_server"),
            "the settings page was saved",
        )
        self.assertEqual(snapshot(self.company, sorted(AUDITED_FIELDS)), before)

    # --- the home page

    def test_a_super_user_sets_system_mail_up_in_three_steps(self):
        self.company.system_mail_address = False
        self.own_server.unlink()
        admin = self.env.ref("base.user_admin")
        admin.email = False
        self.walk(
            "/odoo/system-mail",
            "system_mail_set_up",
            admin,
            cookies={"system_mail_port": str(self.system.port)},
        )
        self.assertEqual(admin.email, "admin@company.test")
        self.assertEqual(self.events("test").drill, "passed")

    def test_a_super_user_sees_what_needs_them_and_does_it(self):
        self.own.fail("dot", action="drop", accept=True)
        held = self.mention(partners=self.customer, body="Was it delivered?")
        self.own.heal()
        self.own.logins["ana@company.test"] = "changed"
        self.mention()
        self.system_server.system_mail_check()
        self.env.ref("base.user_admin").email = "admin@company.test"
        self.walk("/odoo/settings", "system_mail_home", self.env.ref("base.user_admin"))
        self.assertEqual(held.notification_ids.notification_status, "canceled")
        self.assertEqual(self.events("test").drill, "passed")

    def test_settings_open_those_of_another_company(self):
        admin = self.env.ref("base.user_admin")
        other = self.env["res.company"].create(
            {"name": "Harbour Foods", "system_mail_address": "hello@harbour.test"}
        )
        admin.company_ids += other
        self.walk(
            "/odoo/system-mail",
            "system_mail_other_company",
            admin,
            cookies={"cids": f"{self.company.id}-{other.id}"},
        )

    # --- preferences

    def test_an_employee_connects_tests_and_disconnects_their_own_mailbox(self):
        self.own_server.unlink()
        self.walk(
            f"/odoo/my-preferences/{self.ana.id}",
            "system_mail_preferences",
            self.ana,
            cookies={"system_mail_port": str(self.own.port)},
        )
        [delivery] = self.own.accepted
        self.assertEqual(delivery.rcpt_to, ("ana@company.test",))
        self.assertFalse(self.ana.outgoing_mail_server_id)
        servers = self.env["ir.mail_server"].with_context(active_test=False)
        self.assertFalse(servers.search([("owner_user_id", "=", self.ana.id)]))

    def test_an_employee_stops_waiting_for_a_silent_server(self):
        self.own.fail("banner", action="hang")
        self.walk(f"/odoo/my-preferences/{self.ana.id}", "system_mail_stop", self.ana)
        self.assertFalse(self.own_server.system_mail_health_ids)

    # --- chatter

    def test_an_employee_mentions_a_colleague_though_the_mailbox_is_dead(self):
        self.own.logins["ana@company.test"] = "changed"
        self.walk(self.on_record(), "system_mail_mention", self.ana)
        message = self.record.message_ids[0]
        delivery = self.assert_arrives_once_by_system_mail(message)
        self.assertIn(b'\r\nFrom: "Ana Author" <hello@company.test>\r\n', delivery.content)
        self.assertEqual(self.events("fallback").message_id, message.message_id)

    def test_an_employee_sees_what_waits_and_decides_on_what_is_held(self):
        self.own.fail("dot", action="drop", accept=True)
        again = self.mention(partners=self.customer, body="Send it again")
        dropped = self.mention(partners=self.customer, body="Drop it")
        self.own.stop()
        bounced = self.mention(body="It bounced")
        self.env["mail.thread"].message_process(
            "res.partner",
            bounces.POSTFIX.format(
                sender="hello@company.test",
                recipient=self.ben.email,
                message_id=bounced.message_id,
            ),
        )
        self.system.stop()
        waiting = self.mention(body="It waits")
        self.own.heal()
        self.env.invalidate_all()  # a new request knows nothing of the old one
        self.own_server.smtp_pass = "secret"  # a new chance, after so many failures
        self.walk(self.on_record(), "system_mail_waiting_and_held", self.ana)
        self.assertEqual(waiting.notification_ids.notification_status, "sent")
        self.run_queue()
        copies = [delivery.message["Message-Id"] for delivery in self.own.accepted]
        self.assertEqual(copies.count(again.message_id), 2)
        self.assertEqual(copies.count(dropped.message_id), 1)
        self.assertEqual(dropped.notification_ids.notification_status, "canceled")
