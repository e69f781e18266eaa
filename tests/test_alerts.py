import datetime

import lxml.html

from odoo import fields
from odoo.exceptions import ValidationError

from ..constants import GROUP
from .common import AlertsCase, SystemMailCase

REJECTED = "535 5.7.8 Rejected"


class TestAlerts(AlertsCase):
    def told_to(self, user):
        """What OdooBot wrote to the user."""
        chats = self.env["discuss.channel"].search([("channel_type", "=", "chat")])
        chats = chats.filtered(lambda c: user.partner_id in c.channel_member_ids.partner_id)
        messages = chats.message_ids.sorted("id")
        self.assertLessEqual(messages.author_id, self.env.ref("base.partner_root"))
        return [message.body for message in messages]

    def set_option(self, name, value):
        self.env["ir.config_parameter"].set_param(f"system_mail.{name}", value)

    # --- Super Users

    def test_system_mail_down_is_told_once_and_taken_back(self):
        self.system.fail("auth", reply=REJECTED)
        self.system_server.system_mail_check()
        self.tell()
        self.tell()
        [body] = self.told()
        self.assertIn("hello@company.test", body)
        self.assertIn("the password was rejected", body)
        self.system.heal()
        self.system_server.smtp_pass = "neutral"
        self.system_server.system_mail_check()
        self.tell()
        self.tell()
        [body] = self.told()
        self.assertIn("works again", body)

    def test_who_is_no_super_user_any_more_hears_no_more(self):
        (self.ana | self.ben).group_ids |= self.env.ref("system_mail.group_super_user")
        members = self.channel.channel_member_ids
        self.assertLessEqual(self.ana.partner_id | self.ben.partner_id, members.partner_id)
        self.ana.group_ids -= self.env.ref("system_mail.group_super_user")
        self.system.fail("auth", reply=REJECTED)
        self.system_server.system_mail_check()
        self.tell()
        self.assertEqual(len(self.told()), 1)
        self.assertNotIn(self.ana.partner_id, self.channel.channel_member_ids.partner_id)
        self.assertIn(self.ben.partner_id, self.channel.channel_member_ids.partner_id)

    def test_an_alert_calls_the_company_by_the_name_that_it_has_now(self):
        self.env["res.company"].system_mail_policies()  # cached from now on
        self.company.name = "Renamed Limited"
        self.system.fail("auth", reply=REJECTED)
        self.system_server.system_mail_check()
        self.tell()
        [body] = self.told()
        self.assertIn("Renamed Limited", body)

    def test_system_mail_unstable_for_a_moment_is_no_news(self):
        self.system.fail("auth", reply="454 4.7.0 Temporary failure")
        self.system_server.system_mail_check()
        self.tell()
        self.assertFalse(self.told())
        self.health(self.system_server).since -= datetime.timedelta(minutes=5)
        self.tell()
        self.assertEqual(len(self.told()), 1)

    def test_it_is_in_the_language_and_the_time_zone_of_most_super_users(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        super_users = self.env.ref(GROUP).all_user_ids
        self.assertTrue(super_users)
        super_users.write({"lang": "fr_FR", "tz": "Asia/Kolkata"})
        self.system.fail("auth", reply=REJECTED)
        self.system_server.system_mail_check()
        self.health(self.system_server).since = "2026-11-29 16:51:00"
        self.tell()
        [body] = self.told()
        self.assertIn("29 nov.", body)
        self.assertIn("22:21", body)

    def test_messages_are_guarded_from_the_first_alert_on(self):
        messages = self.env["mail.message"].with_user(self.ana)
        self.channel.message_ids.unlink()
        self.env.registry.clear_cache("stable")
        self.assertFalse(messages._system_mail_has_alerts())
        self.system.fail("auth", reply=REJECTED)
        self.system_server.system_mail_check()
        self.tell()
        self.assertTrue(messages._system_mail_has_alerts())

    def test_the_alert_leaves_by_no_mailbox(self):
        self.system.fail("auth", reply=REJECTED)
        self.system_server.system_mail_check()
        self.tell()
        self.run_queue()
        self.assertEqual(len(self.told()), 1)
        self.assertFalse(self.own.accepted + self.system.accepted)

    def test_a_new_address_is_told(self):
        self.company.with_user(
            self.env.ref("base.user_admin")
        ).system_mail_address = "new@company.test"
        [body] = self.told()
        self.assertIn("new@company.test", body)
        self.company.system_mail_scope = "all"
        self.assertFalse(self.told(), "the scope is in Activity")

    def test_an_emptied_address_is_one_change_and_told_once(self):
        admin = self.env.ref("base.user_admin")
        self.company.with_user(admin).system_mail_address = False
        self.assertFalse(self.system_server.exists())
        [body] = self.told()
        self.assertIn("turned System Mail of", body)
        changes = self.events("configured").mapped("reason")
        [change] = [text for text in changes if "hello@company.test → -" in text]
        self.assertEqual(change.count("hello@company.test → -"), 2, "its server, too")

    def test_a_mailbox_blocked_as_compromised_is_told_once(self):
        self.own.fail("mail", reply="550 5.7.501 Access denied, spam abuse detected")
        self.mention()
        self.tell()
        self.tell()
        [body] = self.told()
        self.assertIn("ana@company.test (Ana Author)", body)
        self.assertIn("compromised", body)

    def test_a_limit_that_is_reached_is_told_once_a_day(self):
        self.company.system_mail_limit_day = 1
        self.own.stop()
        self.mention()
        waiting = self.mention() | self.mention()
        self.run_queue(waiting.notification_ids.mail_mail_id)
        self.assertEqual(len(self.events("deferred")), 4)
        self.tell()
        self.mention()
        self.tell()
        [body] = self.told()
        self.assertIn("reached one of its limits (recipients a day: 1).", body)
        self.assertIn("2 messages wait", body)
        self.assertIn("/odoo/system-mail-activity", body)

    def test_one_message_that_waits_is_one(self):
        self.company.system_mail_limit_day = 1
        self.own.stop()
        self.mention()
        self.mention()
        self.tell()
        [body] = self.told()
        self.assertIn("1 message waits and is sent later.", body)

    def test_a_limit_that_held_mail_up_for_a_while_is_told_as_over(self):
        self.company.system_mail_limit_day = 1
        self.own.stop()
        self.mention()
        self.mention()
        self.company.system_mail_limit_day = 0
        self.tell()
        [body] = self.told()
        self.assertIn("reached one of its limits. No message waits any more.", body)

    def test_owners_are_told_in_all_ways_or_in_none(self):
        self.own.fail("auth", reply=REJECTED)
        self.own_server.system_mail_check()
        for value in ("yes", "2", "0", "True"):
            with self.subTest(value):
                self.set_option("alert_owners", value)
                settings = self.env["res.config.settings"].create({})
                banner = self.env["res.users"].with_user(self.ana).system_mail_alert()
                self.assertEqual(banner is not None, settings.system_mail_alert_owners)

    def test_many_disconnected_mailboxes_are_told_once(self):
        users = [self._user(f"User {n}", f"user{n}@company.test") for n in range(3)]
        servers = [
            self.mailbox(self.own, user.email, "wrong", owner_user_id=user.id) for user in users
        ]
        for server in servers[:2]:
            server.system_mail_check()
        self.tell()
        self.assertFalse(self.told(), "two are not many")
        servers[2].system_mail_check()
        self.tell()
        self.tell()
        [body] = self.told()
        self.assertIn("3 of 3", body)
        self.set_option("alert_share", "0")
        self.tell()
        self.assertFalse(self.told(), "a change of the setting mends nothing")
        self.set_option("alert_share", "20")
        self.tell()
        self.assertEqual(len(self.told()), 1)
        self.set_option("alert_share", "100")
        self.tell()
        [body] = self.told()
        self.assertIn(
            "Disconnected mailboxes: 3 of 3. You are told again when it is more than 100 percent",
            body,
        )

    def test_a_reminder_to_review_where_it_is_wanted(self):
        self.ana.group_ids += self.env.ref("system_mail.group_super_user")
        today = fields.Date.today()
        self.company.write(
            {
                "system_mail_steward_id": self.ana.id,
                "system_mail_review_on": today + datetime.timedelta(days=1),
            }
        )
        self.tell()
        self.assertFalse(self.told())
        self.company.system_mail_review_on = today
        self.tell()
        self.tell()
        [body] = self.told()
        self.assertIn("time to review System Mail", body)
        self.assertIn("Steward: Ana Author", body)
        self.assertFalse(self.company.system_mail_review_on)

    def test_a_reminder_to_review_that_comes_again(self):
        today = fields.Date.today()
        self.set_option("review_days", "30")
        self.tell()
        self.assertFalse(self.told())
        in_a_month = today + datetime.timedelta(days=30)
        self.assertEqual(self.company.system_mail_review_on, in_a_month)
        self.company.system_mail_review_on = today - datetime.timedelta(days=2)
        self.tell()
        self.tell()
        self.assertEqual(len(self.told()), 1)
        self.assertEqual(self.company.system_mail_review_on, in_a_month)

    # --- owners

    def test_owners_are_not_told_by_default(self):
        self.own.fail("auth", reply=REJECTED)
        self.mention()
        self.tell()
        self.assertFalse(self.told_to(self.ana))

    def test_an_owner_is_told_once_reminded_daily_and_told_when_it_is_over(self):
        self.set_option("alert_owners", "1")
        self.own.fail("auth", reply=REJECTED)
        self.mention()
        self.tell()
        self.tell()
        [body] = self.told_to(self.ana)
        self.assertIn("ana@company.test", body)
        self.assertIn("hello@company.test", body, "what still works")
        self.assertIn("/odoo/reconnect-mailbox", body)
        alert = self.env["system.mail.alert"].search([("key", "like", "owner:")])
        alert.told_at -= datetime.timedelta(days=1)
        self.tell()
        self.tell()
        self.assertEqual(len(self.told_to(self.ana)), 2)
        self.own.heal()
        self.own_server.smtp_pass = "secret"
        self.own_server.system_mail_check()
        self.tell()
        self.tell()
        self.assertIn("works again", self.told_to(self.ana)[2])
        self.assertEqual(len(self.told_to(self.ana)), 3)
        self.assertEqual(len(self.received("ana@company.test")), 0, "never by mail")

    def test_what_cannot_be_told_keeps_nothing_else_back(self):
        """Another addon may refuse a message; it is tried again the next time."""
        self.set_option("alert_owners", "1")
        self.own.fail("auth", reply=REJECTED)
        self.mention()
        self.system_server.system_mail_check()
        self.system.fail("auth", reply=REJECTED)
        self.system_server.system_mail_check()
        post = type(self.channel).message_post

        def refusing(channel, **kwargs):
            if channel == self.channel:
                raise RuntimeError("refused")
            return post(channel, **kwargs)

        self.patch(type(self.channel), "message_post", refusing)
        with self.assertLogs("odoo.addons.system_mail.models.alerts", "ERROR"):
            self.tell()
        self.assertFalse(self.told())
        self.assertEqual(len(self.told_to(self.ana)), 1)
        self.patch(type(self.channel), "message_post", post)
        self.tell()
        self.assertEqual(len(self.told()), 1)

    def test_a_mailbox_that_is_removed_does_not_work_again(self):
        self.set_option("alert_owners", "1")
        self.own.fail("auth", reply=REJECTED)
        self.mention()
        self.tell()
        self.own_server.unlink()
        self.tell()
        self.assertEqual(len(self.told_to(self.ana)), 1)

    def test_an_owner_who_can_do_nothing_is_not_told(self):
        self.set_option("alert_owners", "1")
        self.own.fail("auth", reply=REJECTED)
        self.mention()
        self.health(self.own_server).remedy_key = "https_on"
        self.tell()
        self.assertFalse(self.told_to(self.ana))

    def test_an_unstable_mailbox_is_no_news_for_its_owner(self):
        self.set_option("alert_owners", "1")
        self.own.stop()
        self.mention()
        self.tell()
        self.assertFalse(self.told_to(self.ana))

    # --- summary

    def test_the_weekly_summary_goes_by_mail_where_it_is_wanted(self):
        admin = self.env.ref("base.user_admin")
        admin.email = "admin@company.test"
        self.own.fail("auth", reply=REJECTED)
        self.company.system_mail_limit_day = 1
        self.mention()
        waiting = self.mention().notification_ids.mail_mail_id
        self.run_queue(waiting)
        self.assertEqual(len(self.events("deferred")), 2)
        self.company.system_mail_limit_day = 0
        self.env.invalidate_all()
        mails = self.env["mail.mail"].search([])
        self.env.ref("system_mail.ir_cron_summary").method_direct_trigger()
        self.assertFalse(self.env["mail.mail"].search([]) - mails)
        self.set_option("summary", "1")
        self.env.ref("system_mail.ir_cron_summary").method_direct_trigger()
        self.run_queue()
        [delivery] = self.received("admin@company.test")
        html = delivery.message.get_body(("html",)).get_content()
        text = " ".join(lxml.html.fromstring(html).text_content().split())
        self.assertIn("Mailboxes that need attention: 1.", text)
        self.assertIn("ana@company.test: the password was rejected", text)
        self.assertIn("Messages: 1, recipients: 1.", text)
        self.assertIn("Had to wait: 1", text)
        self.assertIn("the password was rejected", text)
        self.assertIn("hello@company.test", text)

    # --- options

    def test_an_option_takes_a_number(self):
        settings = self.env["res.config.settings"].create({"system_mail_alert_share": 5})
        settings.execute()
        self.assertEqual(
            self.env["ir.config_parameter"].system_mail_number("system_mail.alert_share"), 5
        )
        self.assertIn("→ 5", self.events("configured")[-1].reason)
        with self.assertRaisesRegex(ValidationError, "from 0 to"):
            self.env["res.config.settings"].create({"system_mail_alert_share": -5})

    def test_an_outsider_who_saves_the_settings_resets_nothing(self):
        self.set_option("alert_owners", "1")
        outsider = self._user(
            "Otto", "otto@company.test", group_ids=self.env.ref("base.group_system").ids
        )
        self.env["res.config.settings"].with_user(outsider).create({}).execute()
        self.assertTrue(
            self.env["ir.config_parameter"].system_mail_number("system_mail.alert_owners")
        )


class TestOutages(SystemMailCase):
    def outages(self):
        """All of Ana's mailbox, the oldest first."""
        self.env.invalidate_all()
        return self.env["system.mail.outage"].search(
            [("server_id", "=", self.own_server.id)], order="id"
        )

    def test_an_outage_counts_what_system_mail_carried(self):
        self.own.fail("auth", reply=REJECTED)
        self.mention()
        carol = self._user("Carol", "carol@company.test")
        self.mention(partners=self.ben.partner_id + carol.partner_id)
        [outage] = self.outages()
        self.assertEqual(outage.state, "disconnected")
        self.assertEqual(outage.user_id, self.ana)
        self.assertEqual((outage.message_count, outage.recipient_count), (2, 3))
        self.assertFalse(outage.ended_at)
        self.own.heal()
        self.own_server.smtp_pass = "secret"
        self.mention()
        [outage] = self.outages()
        self.assertTrue(outage.ended_at)
        self.assertEqual(outage.message_count, 2)
        self.own.fail("auth", reply=REJECTED)
        self.mention()
        self.assertEqual(self.outages().mapped("message_count"), [2, 1])

    def test_an_outage_lists_a_message_once_however_often_it_was_tried(self):
        self.own.fail("auth", reply=REJECTED)
        self.system.stop()
        message = self.mention()
        mails = self.env["mail.mail"].search([("mail_message_id", "=", message.id)])
        for _ in range(2):
            self.health(self.system_server).unlink()
            mails.send()
        tries = self.events("deferred")
        self.assertGreater(len(tries), 1)
        outage = self.env["system.mail.outage"].search([("server_id", "=", tries[0].server_id.id)])
        [event] = outage.event_ids
        self.assertIn(event, tries)
        self.assertEqual(event.id, max(tries.ids))
        shown = tries.search([("kind", "=", "deferred"), ("was_tried_again", "=", False)])
        self.assertEqual(shown, event, "and Activity does, too")
        self.assertEqual(tries.search([("was_tried_again", "=", True)]), tries - event)
        others = tries.search([("kind", "!=", "deferred")])
        self.assertFalse(others & tries.search([("was_tried_again", "=", True)]))

    def test_an_outage_keeps_its_worst_state(self):
        self.own.fail("auth", reply="454 4.7.0 Temporary failure")
        self.mention()
        self.assertEqual(self.outages().state, "unstable")
        self.own.heal()
        self.own.fail("auth", reply=REJECTED)
        self.own_server.system_mail_check()
        self.assertEqual(self.health(self.own_server).state, "disconnected")
        self.assertEqual(self.outages().state, "disconnected")

    def test_a_recipients_fault_is_no_outage(self):
        self.own.fail("rcpt", reply="550 5.1.1 No such user")
        self.mention()
        self.assertFalse(self.outages())

    def test_a_mailbox_that_is_removed_ends_its_outage(self):
        self.own.fail("auth", reply=REJECTED)
        self.mention()
        outage = self.outages()
        self.own_server.unlink()
        outage.invalidate_recordset()
        self.assertTrue(outage.ended_at)
        self.assertEqual(outage.server_name, "ana@company.test")
        self.assertEqual(outage.message_count, 1)

    def test_old_events_go_a_batch_at_a_time_and_changes_stay(self):
        events = self.env["system.mail.event"]
        events.create(
            [
                {"kind": kind, "company_id": self.company.id}
                for kind in ("fallback", "fallback", "configured")
            ]
        )
        old = fields.Datetime.now() - datetime.timedelta(days=181)
        self.env.flush_all()
        self.env.cr.execute("UPDATE system_mail_event SET create_date = %s", [old])
        events.create({"kind": "test", "company_id": self.company.id})
        self.env.flush_all()
        self.assertEqual(events._gc_events(), (2, 0))
        self.assertEqual(set(events.search([]).mapped("kind")), {"configured", "test"})
        self.env["ir.config_parameter"].set_param("system_mail.retention_days", "0")
        self.assertEqual(events._gc_events(), (0, 0))
