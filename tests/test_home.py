import datetime
from ast import literal_eval

from lxml import etree

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import Form

from .common import SystemMailCase

REJECTED = "535 5.7.8 Rejected"


class HomeCase(SystemMailCase):
    def setUp(self):
        super().setUp()
        self.super_user = self.env.ref("base.user_admin")
        self.super_user.email = "admin@company.test"
        self.home = self.env["system.mail.home"].with_user(self.super_user)

    def page(self):
        """What the page shows now."""
        self.env.flush_all()
        self.env.invalidate_all()
        return self.home.get_page()

    def lines(self):
        """The texts of the work list."""
        return [task["text"] for task in self.page()["tasks"]]

    def press(self, button):
        """What a click on a button of the page does."""
        records = self.env[button["model"]].with_user(self.super_user).browse(button["ids"])
        return getattr(records, button["method"])(*button["args"])

    def button(self, label):
        """The button of the work list, or of System Mail, with this label."""
        page = self.page()
        buttons = [
            *(task["button"] for task in page["tasks"]),
            *(button for system in page["systems"] for button in system["buttons"]),
        ]
        return next(button for button in buttons if button["label"] == label)

    def listed(self, key):
        """How many records the list behind a number shows, as its search view filters it."""
        [number] = [number for number in self.page()["numbers"] if number["key"] == key]
        action = self.press(number)
        model = self.env[action["res_model"]].with_user(self.super_user)
        view_id = (action.get("search_view_id") or [False])[0]
        view = self.env["ir.ui.view"].browse(view_id).arch if view_id else ""
        view = view or model.get_views([(False, "search")])["views"]["search"]["arch"]
        [filter_name] = [
            name.removeprefix("search_default_")
            for name in self.context_of(action)
            if name != "search_default_last_week"
        ]
        return number["count"], model.search_count(self.domain_of(view, filter_name))

    @staticmethod
    def context_of(action):
        return literal_eval(str(action["context"]))

    @staticmethod
    def domain_of(arch, filter_name):
        [found] = etree.fromstring(arch).xpath(f"//filter[@name='{filter_name}']")
        return literal_eval(found.get("domain"))

    def drill(self):
        """Run a drill, as the button does."""
        return self.press(self.button("Run Drill"))

    def break_own(self):
        self.own.fail("auth", reply=REJECTED)
        self.mention()


class TestHome(HomeCase):
    """The home page: its sentence, System Mail and the numbers."""

    def test_only_super_users_open_it(self):
        administrator = self._user(
            "Otto Outsider",
            "otto@company.test",
            group_ids=[(6, 0, self.env.ref("base.group_system").ids)],
        )
        for user in (self.ana, administrator):
            home = self.env["system.mail.home"].with_user(user)
            with self.assertRaises(AccessError):
                home.get_page()
            with self.assertRaises(AccessError):
                home.action_open("held")
            with self.assertRaises(AccessError):
                home.action_open_scheduler()

    def test_without_an_address_it_leads_to_the_set_up(self):
        self.company.system_mail_address = False
        page = self.page()
        self.assertEqual(page["headline"], "System Mail is not set up yet.")
        self.assertEqual(page["tasks"], [])
        self.assertEqual(
            [number["key"] for number in page["numbers"]],
            ["connected", "unstable", "disconnected", "not_connected"],
        )
        action = self.press(self.button("Set Up System Mail"))
        self.assertEqual(action["res_model"], "system.mail.connect")

    def test_where_it_was_turned_off_it_says_so(self):
        self.drill()
        self.company.system_mail_address = False
        self.assertEqual(self.page()["headline"], "System Mail is off.")

    def test_where_all_works_it_says_so(self):
        self.press(self.button("Test"))
        self.assertEqual(
            self.lines(),
            [
                "System Mail hello@company.test has had no drill yet. A drill sends one real "
                "notification, only to you."
            ],
        )
        self.drill()
        page = self.page()
        self.assertEqual(page["headline"], "Everything works.")
        self.assertEqual(page["tasks"], [])
        [system] = page["systems"]
        self.assertIn("passed", system["drill"])
        self.assertEqual(system["mailboxes"][0]["state"], "connected")
        self.assertIn(
            "sent nothing for other mailboxes today. No message waits. No failed message",
            page["figures"],
        )

    def test_it_never_says_that_everything_works_while_something_does_not(self):
        self.press(self.button("Test"))
        self.drill()
        health = self.env["system.mail.health"]
        health._connected(self.own_server)
        self.own_server.system_mail_health_ids.state = "unstable"
        self.assertEqual(self.page()["headline"], "Nothing needs you.")
        self.system_server.system_mail_health_ids.state = "unstable"
        self.assertEqual(
            self.page()["headline"], "System Mail can't send at the moment. Nothing needs you."
        )

    def test_the_sentence_counts_what_system_mail_did(self):
        self.break_own()
        self.assertIn("sent 1 e-mail today", self.page()["figures"])
        self.mention()
        page = self.page()
        self.assertIn("sent 2 e-mails today", page["figures"])
        self.assertEqual([day["count"] for day in page["days"]], [0, 0, 0, 0, 0, 0, 2])

    def test_each_number_is_that_of_the_list_behind_it(self):
        self.own.stop()
        self.system.stop()
        self.mention()
        self.own.fail("dot", action="drop", accept=True)
        for key in ("waiting", "held", "failed", "carried", "connected", "unstable"):
            count, listed = self.listed(key)
            self.assertEqual(count, listed, key)
        self.assertEqual(self.listed("waiting"), (1, 1))

    def test_many_mailboxes_cost_no_more_queries(self):
        self.break_own()
        before = self.queries()
        for number in range(30):
            user = self._user(f"User {number}", f"user{number}@company.test")
            server = self.mailbox(self.own, user.email, "x", owner_user_id=user.id)
            self.env["system.mail.health"].create(
                {"server_id": server.id, "state": "disconnected", "rule": "password_rejected"}
            )
        self.assertEqual(self.queries(), before)

    def queries(self):
        """How many the page costs, once the caches of the registry are filled."""
        self.page()
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        self.home.get_page()
        return self.env.cr.sql_log_count - before


class TestWorkList(HomeCase):
    """What somebody has to do, a line for each thing."""

    def setUp(self):
        super().setUp()
        self.press(self.button("Test"))
        self.drill()
        self.assertEqual(self.lines(), [])

    def test_an_owner_is_asked_to_reconnect_and_when_is_remembered(self):
        self.break_own()
        [task] = self.page()["tasks"]
        self.assertIn("Ana Author (ana@company.test): the password was rejected", task["text"])
        self.assertIn("Fallbacks in 7 days: 1.", task["text"])
        self.assertEqual(task["note"], "")
        self.assertEqual(self.page()["headline"], "1 mailbox needs you.")
        self.press(task["button"])
        [task] = self.page()["tasks"]
        self.assertEqual(task["note"], "Asked today")
        self.env["system.mail.alert"].search([]).told_at -= datetime.timedelta(days=1)
        self.assertEqual(self.page()["tasks"][0]["note"], "Asked yesterday")

    def test_who_was_asked_by_hand_gets_no_reminder_the_same_day(self):
        self.env["ir.config_parameter"].set_param("system_mail.alert_owners", "1")
        self.break_own()
        self.press(self.page()["tasks"][0]["button"])
        chat = self.env["discuss.channel"].search([("channel_type", "=", "chat")])
        asked = len(chat.message_ids)
        self.env["system.mail.alert"]._tell_owners()
        self.env.invalidate_all()
        self.assertEqual(len(chat.message_ids), asked)

    def test_the_owner_of_a_mailbox_reconnects_it_here(self):
        own = self.mailbox(self.own, "admin@company.test", "x", owner_user_id=self.super_user.id)
        self.env["system.mail.health"].create(
            {"server_id": own.id, "state": "disconnected", "rule": "password_rejected"}
        )
        self.assertEqual(self.page()["tasks"][0]["button"]["label"], "Reconnect")

    def test_system_mail_comes_before_people(self):
        self.break_own()
        self.system.fail("auth", reply=REJECTED)
        self.press(self.page()["systems"][0]["mailboxes"][0]["buttons"][0])
        lines = self.lines()
        self.assertIn("System Mail hello@company.test: the password was rejected", lines[0])
        self.assertIn("their messages to colleagues wait until System Mail works again.", lines[0])
        self.assertIn("Ana Author", lines[1])
        self.assertEqual(self.page()["headline"], "System Mail doesn't work. 2 things need you.")

    def test_further_mailboxes_of_system_mail_are_listed_in_their_order(self):
        for address, sequence in (("third@other.test", 20), ("second@other.test", 10)):
            smtp = self.smtp(address, logins={address: "other"})
            server = self.mailbox(smtp, address, "other")
            self.env["system.mail.backup"].create(
                {
                    "company_id": self.company.id,
                    "address": address,
                    "sequence": sequence,
                    "server_id": server.id,
                }
            )
        [system] = self.page()["systems"]
        addresses = ["hello@company.test", "second@other.test", "third@other.test"]
        self.assertEqual([mailbox["address"] for mailbox in system["mailboxes"]], addresses)
        for mailbox in system["mailboxes"]:
            self.press(mailbox["buttons"][0])
        self.assertEqual(self.lines(), [])
        self.system.fail("auth", reply=REJECTED)
        self.press(system["mailboxes"][0]["buttons"][0])
        [line] = self.lines()
        self.assertIn("System Mail hello@company.test: the password was rejected", line)
        self.assertNotIn("waits", line, "another one sends it")

    def test_the_domain_of_a_further_mailbox_shows_once(self):
        for address in ("second@other.test", "third@other.test"):
            server = self.mailbox(self.system, address, "other")
            backup = self.env["system.mail.backup"].create(
                {"company_id": self.company.id, "address": address, "server_id": server.id}
            )
            self.env["system.mail.health"]._connected(server)
            self.env["system.mail.domain.finding"].create(
                {
                    "company_id": self.company.id,
                    "backup_id": backup.id,
                    "kind": "spf",
                    "status": "bad",
                    "domain": "other.test",
                }
            )
        [line] = self.lines()
        self.assertIn("Mail from other.test may be taken for spam", line)

    def test_an_unstable_system_mail_shows_when_it_lasts(self):
        self.system.stop()
        self.press(self.page()["systems"][0]["mailboxes"][0]["buttons"][0])
        self.assertEqual(self.health(self.system_server).state, "unstable")
        self.assertEqual(self.lines(), [])
        self.health(self.system_server).since -= datetime.timedelta(minutes=10)
        self.assertIn("System Mail hello@company.test", self.lines()[0])

    def test_an_unstable_system_mail_needs_attention_after_an_hour(self):
        self.system.stop()
        self.press(self.page()["systems"][0]["mailboxes"][0]["buttons"][0])
        row = self.env["system.mail.connection"].search([("server_id", "=", self.system_server.id)])
        self.assertFalse(row.needs_attention)
        self.health(self.system_server).since -= datetime.timedelta(minutes=61)
        self.env.invalidate_all()
        self.assertTrue(row.needs_attention)
        self.assertEqual(self.page()["tasks"][0]["button"]["label"], "Test", "it mends itself")

    def test_the_worst_comes_first(self):
        smtp = self.smtp("second", logins={"second@other.test": "other"})
        server = self.mailbox(smtp, "second@other.test", "other")
        self.env["system.mail.backup"].create(
            {
                "company_id": self.company.id,
                "address": "second@other.test",
                "server_id": server.id,
            }
        )
        self.own.fail("dot", action="drop", accept=True)
        customer = self.env["res.partner"].create({"name": "Cora", "email": "cora@customer.test"})
        self.mention(partners=customer)
        held, untried = self.lines()[:2]
        self.assertIn("may have been delivered", held)
        self.assertIn("was not tried yet", untried)

    def test_a_drill_that_did_not_pass_shows(self):
        self.system.fail("dot", reply="554 5.7.1 No")
        self.drill()
        self.assertIn("did not pass", self.lines()[0])

    def test_what_is_held_is_decided_on_here(self):
        self.own.fail("dot", action="drop", accept=True)
        customer = self.env["res.partner"].create({"name": "Cora", "email": "cora@customer.test"})
        for body in ("One", "Two"):
            self.mention(partners=customer, body=body)
        [line] = [line for line in self.lines() if "may have been delivered" in line]
        self.assertEqual(line, "2 messages may have been delivered. Send them again?")
        self.assertEqual(self.listed("held"), (2, 2))
        mails = self.env["mail.mail"].search([("failure_type", "=", "system_mail_held")])
        self.own.heal()
        mails[0].with_user(self.super_user).action_system_mail_drop()
        mails[1].with_user(self.super_user).action_system_mail_send_again()
        self.assertEqual(mails[0].state, "cancel")
        self.assertEqual(self.listed("held"), (0, 0))
        self.assertIn("Dropped a message", self.events("configured")[-2].reason)

    def test_only_who_wrote_it_or_a_super_user_decides(self):
        self.own.fail("dot", action="drop", accept=True)
        customer = self.env["res.partner"].create({"name": "Cora", "email": "cora@customer.test"})
        self.mention(partners=customer)
        mail = self.env["mail.mail"].search([("failure_type", "=", "system_mail_held")])
        administrator = self._user(
            "Otto Outsider",
            "otto@company.test",
            group_ids=[(6, 0, self.env.ref("base.group_system").ids)],
        )
        for method in ("action_system_mail_send_again", "action_system_mail_drop"):
            for user in (self.ben, administrator):
                with self.assertRaises(AccessError):
                    getattr(mail.with_user(user), method)()

    def test_a_secret_that_ends_soon_leads_to_its_registration(self):
        provider = self.env["system.mail.oauth.provider"].search([], limit=1)
        provider.client_id = "ours"
        provider.client_secret_ends_on = fields.Date.today() + datetime.timedelta(days=12)
        [line] = self.lines()
        self.assertIn(f"{provider.name}: the provider's client secret will expire on", line)
        action = self.press(self.button("Renew"))
        self.assertEqual(action["res_id"], provider.id)

    def test_a_provider_that_rejects_us_is_one_line_not_one_for_each_mailbox(self):
        provider = self.env["system.mail.oauth.provider"].search([], limit=1)
        provider.write({"client_id": "ours"})
        provider.client_rejected_at = fields.Datetime.now()
        self.env["system.mail.health"].create(
            {
                "server_id": self.own_server.id,
                "state": "unstable",
                "rule": "token_client",
                "effect": "provider_misconfigured",
            }
        )
        [line] = self.lines()
        self.assertIn(f"{provider.name} has rejected this system", line)

    def test_a_queue_that_nobody_sends_shows(self):
        mail = self.mail()
        self.assertEqual(self.lines(), [])
        mail.scheduled_date = fields.Datetime.now() - datetime.timedelta(hours=3)
        self.assertIn("Mail has been due for more than 2 hours", self.lines()[0])
        action = self.press(self.button("Show Scheduled Action"))
        self.assertEqual(action["res_model"], "ir.cron")

    def test_a_limit_that_is_reached_shows_while_mail_waits_for_it(self):
        self.company.system_mail_limit_day = 1
        self.own.stop()
        self.mention()
        mail = self.mention().notification_ids.mail_mail_id
        [line] = [line for line in self.lines() if "limit" in line]
        self.assertIn(
            "A limit of System Mail hello@company.test is reached (recipients a day: 1).", line
        )
        self.assertIn("1 message waits", line)
        self.assertEqual(self.press(self.button("Show Messages"))["res_model"], "mail.mail")
        other = self.mention().notification_ids.mail_mail_id
        self.assertIn("2 messages wait, the last until", " ".join(self.lines()))
        (mail | other).cancel()
        self.assertFalse([line for line in self.lines() if "limit" in line])

    def test_a_limit_that_holds_mail_up_for_a_moment_does_not_show(self):
        self.company.system_mail_limit_minute = 1
        self.own.stop()
        self.mention()
        self.mention()
        self.assertEqual(len(self.env["system.mail.usage"].waiting(self.company)), 1)
        self.assertFalse([line for line in self.lines() if "limit" in line])

    def test_more_mailboxes_than_it_shows_are_a_line_of_their_own(self):
        for number in range(12):
            user = self._user(f"User {number}", f"user{number}@company.test")
            server = self.mailbox(self.own, user.email, "x", owner_user_id=user.id)
            self.env["system.mail.health"].create(
                {"server_id": server.id, "state": "disconnected", "rule": "password_rejected"}
            )
        page = self.page()
        self.assertEqual(page["headline"], "12 mailboxes need you.")
        self.assertEqual(page["tasks"][-1]["text"], "2 more mailboxes need attention.")

    def test_settings_open_those_of_the_company(self):
        other = self.env["res.company"].create({"name": "Harbour Foods"})
        self.super_user.company_ids += other
        of_both = {"allowed_company_ids": (self.company + other).ids}
        action = other.with_user(self.super_user).with_context(**of_both)
        action = action.action_system_mail_settings()
        self.assertEqual(action["params"]["company_ids"], (other + self.company).ids)

    def test_a_server_that_is_down_is_named_once(self):
        self.own.stop()
        self.mention()
        servers = self.env["system.mail.server.health"]
        down = servers.search([("port", "=", self.own.port)])
        down.breaker_state = "open"
        self.assertEqual(self.lines()[0], down.in_words())


class TestSetUp(HomeCase):
    """Three steps: the address, the way to connect that fits its provider, the drill."""

    def setUp(self):
        super().setUp()
        self.company.system_mail_address = False
        self.providers = self.env["system.mail.oauth.provider"]

    def open(self, address=""):
        action = self.company.with_user(self.super_user).action_system_mail_connect(address)
        return self.env["system.mail.connect"].with_user(self.super_user).browse(action["res_id"])

    def test_it_asks_for_the_address_first(self):
        dialog = self.open()
        self.assertTrue(dialog.asks_address)
        dialog.address = "nonsense"
        dialog.action_detect()
        self.assertTrue(dialog.asks_address)
        self.assertIn("“nonsense” can't be connected", dialog.problem)
        dialog.address = "hello@gmail.com"
        dialog.action_detect()
        self.assertFalse(dialog.asks_address)
        self.assertEqual((dialog.state, dialog.smtp_host), ("draft", "smtp.gmail.com"))

    def test_only_what_fits_the_provider_is_offered(self):
        google = self.env.ref("system_mail.oauth_provider_google")
        microsoft = self.env.ref("system_mail.oauth_provider_microsoft")
        offered = self.open("hello@gmail.com").offered
        self.assertIn(str(google.id), offered)
        self.assertNotIn(str(microsoft.id), offered)
        self.assertIn("password", offered)

    def test_of_an_unknown_provider_everything_is_offered(self):
        offered = self.open("hello@nowhere.test").offered
        for name in ("google", "microsoft"):
            self.assertIn(str(self.env.ref(f"system_mail.oauth_provider_{name}").id), offered)

    def test_where_passwords_end_an_application_is_chosen(self):
        self.dns.publish("corp.test", "MX", "0 corp-test.mail.protection.outlook.com.")
        dialog = self.open("hello@corp.test")
        application = self.env.ref("system_mail.oauth_provider_microsoft_application")
        self.assertEqual(dialog.method, str(application.id))
        self.assertTrue(dialog.missing)
        sign_in = self.env.ref("system_mail.oauth_provider_microsoft")
        self.assertEqual(self.open("hello@outlook.com").method, str(sign_in.id))

    def test_the_limits_of_an_application_that_is_chosen_by_hand_are_proposed(self):
        application = self.env.ref("system_mail.oauth_provider_microsoft_application")
        self.company.write({"system_mail_address": False, "system_mail_server_id": False})
        with Form(self.open("hello@byhand.test")) as form:
            self.assertFalse(form.limit_day)
            form.method = str(application.id)
            self.assertEqual(form.limit_day, application.limit_day)
            self.assertTrue(form.limit_day)
            form.limit_day = 70
            form.method = "password"
            self.assertEqual((form.limit_day, form.limit_minute), (70, 0))

    def test_a_sign_in_that_is_not_set_up_leads_to_its_registration_and_back(self):
        google = self.env.ref("system_mail.oauth_provider_google")
        dialog = self.open("hello@gmail.com")
        dialog.method = str(google.id)
        self.assertIn("nobody can sign in", dialog.missing)
        action = dialog.action_open_provider()
        self.assertEqual(action["res_id"], google.id)
        google.client_id = "ours"
        back = google.with_context(**action["context"]).action_go_on()
        self.assertEqual(back["res_id"], dialog.id)
        dialog.invalidate_recordset()
        self.assertFalse(dialog.missing)

    def test_an_employee_is_not_offered_a_sign_in_that_is_not_set_up(self):
        google = self.env.ref("system_mail.oauth_provider_google")
        dialogs = self.env["system.mail.connect"].with_user(self.ana)
        dialog = dialogs.create({"user_id": self.ana.id})
        self.assertNotIn(str(google.id), dialog.offered)
        google.client_id = "ours"
        dialog.invalidate_recordset()
        self.assertIn(str(google.id), dialog.offered)
        self.assertFalse(dialog.missing)

    def test_the_drill_is_one_button_away(self):
        dialog = self.open("hello@company.test")
        dialog.write(
            {
                "method": "password",
                "smtp_host": self.system.host,
                "smtp_port": self.system.port,
                "smtp_encryption": "none",
                "smtp_user": "hello@company.test",
                "smtp_pass": "neutral",
            }
        )
        dialog.action_connect()
        self.assertEqual(dialog.state, "connected", dialog.problem)
        action = dialog.action_drill()
        drill = self.env["system.mail.drill"].browse(action["res_id"])
        self.assertEqual(drill.state, "passed", drill.verdict)

    def test_after_the_installation_odoo_opens_the_home_page(self):
        todo = self.env.ref("system_mail.system_mail_home_todo")
        self.env["ir.actions.todo"].search([]).state = "done"
        todo.state = "open"
        modules = self.env["ir.module.module"]
        administrator = self._user(
            "Otto Outsider",
            "otto@company.test",
            group_ids=[(6, 0, self.env.ref("base.group_system").ids)],
        )
        self.assertEqual(modules.with_user(administrator).next()["url"], "/odoo")
        opened = modules.with_user(self.super_user).next()
        # an address: the page that installed the addon does not have its JavaScript
        self.assertEqual((opened["type"], opened["target"]), ("ir.actions.act_url", "self"))
        self.assertEqual(opened["url"], "/odoo/system-mail")
        self.assertEqual(modules.with_user(self.super_user).next()["url"], "/odoo", "once")
