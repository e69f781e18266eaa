import json

from odoo import fields
from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import HttpCase, JsonRpcException, tagged

from odoo.addons.mail.tools.discuss import Store

from ..constants import GROUP
from .browser_case import BrowserCase
from .common import SystemMailCase

PASSWORD = "a reader's own"
WHY = "the password was rejected (535 5.7.8)"
NOT_NOW = "System Mail can't send it at the moment"
PRIVATE = ("system_mail_sent_from", "system_mail_reason")


class ChatterCase(SystemMailCase):
    """Ana writes to Ben, and Otto, Sue and Paul read it: an employee, a Super User, a customer."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.ana | cls.ben).password = PASSWORD
        cls.otto = cls._user("Otto Other", "otto@company.test", password=PASSWORD)
        cls.sue = cls._user(
            "Sue Superuser",
            "sue@company.test",
            password=PASSWORD,
            group_ids=[Command.set(cls.env.ref(GROUP).ids)],
        )
        cls.customer = cls.env["res.partner"].create(
            {"name": "Cora Customer", "email": "cora@customer.test"}
        )

    def reject_password(self):
        self.own.fail("auth", reply="535 5.7.8 Username and Password not accepted")

    def stop_both(self):
        self.own.fail("auth", reply="535 5.7.8 Username and Password not accepted")
        self.system.fail("banner", reply="421 4.3.2 System Mail's own trouble")

    def store(self, user, message):
        """What the chatter gets of the message's notifications, for that user."""
        self.env.invalidate_all()
        data = Store().add(message.with_user(user)).get_result()
        return data.get("mail.notification", [])

    def ours(self, user, message):
        """That part of it which is System Mail's."""
        return [
            {name: value for name, value in told.items() if name.startswith("system_mail_")}
            for told in self.store(user, message)
        ]

    def pushed(self):
        """What the bus was given since the last call: ``[(channel, message)]``."""
        self.env.cr.precommit.run()
        rows = self.env["bus.bus"].search([], order="id")
        messages = [(json.loads(row.channel)[1:], row.message) for row in rows]
        rows.unlink()
        return messages

    def outcome(self, user, records, method):
        """What is told when a user presses a button."""
        action = getattr(records.with_user(user), method)()
        messages = self.env["mail.message"].browse(action["params"]["message_ids"])
        return messages.with_user(user).system_mail_outcome()


@tagged("post_install", "-at_install")
class TestCarried(ChatterCase):
    """System Mail carried it: everybody sees from where, its author and Super Users see why."""

    def test_its_author_and_super_users_see_why(self):
        self.reject_password()
        message = self.mention()
        seen = {
            "system_mail_sent_from": "hello@company.test",
            "system_mail_mailbox": "ana@company.test",
            "system_mail_reason": WHY,
        }
        self.assertEqual(self.ours(self.sue, message), [seen])
        self.assertEqual(self.ours(self.ana, message), [{**seen, "system_mail_reconnect": True}])

    def test_its_author_is_not_asked_to_reconnect_for_what_was_dropped(self):
        self.reject_password()
        self.system.stop()
        message = self.mention()
        [told] = self.ours(self.ana, message)
        self.assertTrue(told["system_mail_reconnect"])
        self.env["mail.mail"].search(
            [("mail_message_id", "=", message.id)]
        ).action_system_mail_drop()
        self.assertEqual(message.notification_ids.notification_status, "canceled")
        for told in self.ours(self.ana, message):
            self.assertNotIn("system_mail_reconnect", told)

    def test_its_author_is_not_asked_to_reconnect_what_works_or_mends_itself(self):
        self.reject_password()
        message = self.mention()
        for state in ("unstable", "connected"):
            self.health(self.own_server).state = state
            [told] = self.ours(self.ana, message)
            self.assertNotIn("system_mail_reconnect", told)

    def test_a_notification_takes_its_message_as_a_record_too(self):
        message = self.mention()
        notification = message.notification_ids
        notification.sudo().write({"mail_message_id": message})
        self.assertEqual(notification.mail_message_id, message)

    def test_others_see_from_where_alone(self):
        self.reject_password()
        message = self.mention()
        for user in (self.otto, self.ben):
            self.assertEqual(
                self.ours(user, message), [{"system_mail_sent_from": "hello@company.test"}]
            )

    def test_only_the_recipients_it_carried_the_message_to(self):
        self.own.fail("data", reply="550 5.4.5 Daily user sending limit exceeded", after=1)
        message = self.mention(partners=self.ben.partner_id | self.otto.partner_id)
        told = {
            notification["res_partner_id"]: notification.get("system_mail_sent_from")
            for notification in self.store(self.ana, message)
        }
        [own], [carried] = self.own.accepted, self.system.accepted  # Odoo chose who is first
        of_address = {user.email: told[user.partner_id.id] for user in (self.ben, self.otto)}
        self.assertIsNone(of_address[own.rcpt_to[0]])
        self.assertEqual(of_address[carried.rcpt_to[0]], "hello@company.test")

    def test_a_recipient_who_is_but_an_address(self):
        self.company.system_mail_scope = "all"
        self.reject_password()
        message = self.mention(outgoing_email_to="dan@elsewhere.test")
        told = {
            notification["mail_email_address"]: notification.get("system_mail_sent_from")
            for notification in self.store(self.ana, message)
        }
        self.assertEqual(told["dan@elsewhere.test"], "hello@company.test")

    def test_it_is_shown_also_where_odoo_shows_no_envelope(self):
        subtype = self.env["mail.message.subtype"].create({"name": "Won"})
        healthy = self.mention()
        self.reject_password()
        carried = self.mention()
        (healthy | carried).subtype_id = subtype
        self.assertFalse(self.store(self.ana, healthy))
        self.assertEqual(len(self.store(self.ana, carried)), 1)

    def test_what_system_mail_sends_as_a_matter_of_routine_is_not_told(self):
        dora = self._user("Dora Author", "dora@company.test")
        message = self.mention(author=dora)
        self.assertEqual(len(self.system.accepted), 1)
        self.assertEqual(self.ours(dora, message), [{}])

    def test_the_authors_web_client_is_told_at_once_and_nobody_elses(self):
        self.reject_password()
        self.pushed()
        self.mention()
        told = [(channel, message) for channel, message in self.pushed() if WHY in message]
        self.assertEqual(
            [channel for channel, _ in told], [["res.partner", self.ana.partner_id.id]]
        )

    def test_a_channel_is_not_told_why(self):
        self.reject_password()
        message = self.mention()
        channel = self.env["discuss.channel"].create({"name": "General"})
        for sender in (self.ana, self.sue):
            store = Store(bus_channel=channel.with_user(sender))
            [told] = store.add(message.with_user(sender)).get_result()["mail.notification"]
            self.assertEqual(told["system_mail_sent_from"], "hello@company.test")
            self.assertFalse({"system_mail_reason", "system_mail_mailbox"}.intersection(told))

    def test_another_user_is_not_told_why_what_the_author_sends_them(self):
        self.reject_password()
        message = self.mention()
        for sender, readers in ((self.ana, [self.otto]), (self.otto, [self.ana, self.sue])):
            for reader in readers:
                store = Store(bus_channel=reader)
                [told] = store.add(message.with_user(sender)).get_result()["mail.notification"]
                self.assertEqual("system_mail_reason" in told, reader != self.otto)

    def asked(self, do):
        """What was asked of the table while it was done."""
        self.env.flush_all()
        with self.assertLogs("odoo.sql_db", "DEBUG") as log:
            do()
            self.env.flush_all()
        return [line for line in log.output if "mail_notification" in line]

    def test_a_healthy_mail_costs_nothing(self):
        self.mention()
        configured = self.asked(self.mention)
        self.company.system_mail_address = False
        self.mention()
        self.assertEqual(len(configured), len(self.asked(self.mention)))

    def test_it_is_written_with_what_odoo_writes_anyway(self):
        self.mention()
        healthy = self.asked(self.mention)
        self.reject_password()
        carried = self.asked(self.mention)
        for asked in (healthy, carried):
            self.assertEqual(len([line for line in asked if "UPDATE" in line]), 2, asked)

    def test_what_odoo_itself_tells_of_a_failure_costs_nothing(self):
        self.company.system_mail_address = False
        self.own.stop()
        messages = self.mention() | self.mention()
        self.env.invalidate_all()
        notifications = messages.with_user(self.ana).notification_ids
        store = Store(bus_channel=self.ana)
        asked = self.asked(lambda: store.add(notifications._filtered_for_web_client()))
        self.assertEqual(len(asked), 1)


@tagged("post_install", "-at_install")
class TestWaiting(ChatterCase):
    """Neither mailbox works: who waits, why, until when, and Send Now."""

    def setUp(self):
        super().setUp()
        self.stop_both()
        self.pushed()
        self.message = self.mention()
        self.waiting = self.message.notification_ids.mail_mail_id

    def test_everybody_sees_until_when(self):
        times = {
            "system_mail_next_try": fields.Datetime.to_string(self.waiting.scheduled_date),
            "system_mail_last_try": fields.Datetime.to_string(
                fields.Datetime.add(self.waiting.system_mail_waiting_since, hours=48)
            ),
        }
        self.assertEqual(self.ours(self.otto, self.message), [times])
        seen = {**times, "system_mail_reason": NOT_NOW, "system_mail_may_decide": True}
        self.assertEqual(self.ours(self.sue, self.message), [seen])
        self.assertEqual(
            self.ours(self.ana, self.message), [{**seen, "system_mail_reconnect": True}]
        )

    def test_the_authors_web_client_is_told(self):
        channels = [
            channel for channel, message in self.pushed() if "system_mail_next_try" in message
        ]
        self.assertEqual(channels, [["res.partner", self.ana.partner_id.id]])

    def test_the_reasons_are_not_for_every_employee(self):
        self.assertFalse(self.message.notification_ids.failure_reason)
        self.assertIn("System Mail's own trouble", self.waiting.failure_reason)

    def test_its_author_and_a_super_user_send_it_now(self):
        for user in (self.ana, self.sue):
            message = self.mention()
            self.own.heal()
            self.own_server.smtp_pass = "secret"  # a new chance
            before = len(self.received("ben@company.test"))
            self.pushed()
            message.with_user(user).action_system_mail_send_now()
            self.assertEqual(len(self.received("ben@company.test")), before + 1)
            self.assertEqual(message.notification_ids.notification_status, "sent")
            self.assertFalse(message.notification_ids.system_mail_reason)
            told = [channel for channel, text in self.pushed() if '"sent"' in text]
            self.assertIn(["res.partner", user.partner_id.id], told)
            self.stop_both()

    def test_what_cannot_be_sent_now_waits_as_if_it_were_new(self):
        self.waiting.write(
            {
                "system_mail_attempts": 6,
                "system_mail_waiting_since": fields.Datetime.subtract(
                    fields.Datetime.now(), days=3
                ),
            }
        )
        self.message.with_user(self.ana).action_system_mail_send_now()
        self.assertEqual((self.waiting.state, self.waiting.system_mail_attempts), ("outgoing", 1))

    def test_nobody_else_sends_it(self):
        with self.assertRaises(AccessError):
            self.message.with_user(self.otto).action_system_mail_send_now()

    def test_mail_that_is_merely_queued_is_left_alone(self):
        self.own.heal()
        queued = self.mail(mail_message_id=self.message.id)
        self.message.with_user(self.ana).action_system_mail_send_now()
        self.assertEqual(queued.state, "outgoing")

    def test_what_waits_its_turn_has_no_last_try(self):
        self.system.heal()
        self.env["system.mail.health"]._connected(self.system_server)
        self.company.system_mail_limit_day = 1
        self.mention()
        [told] = self.ours(self.ana, self.mention())
        self.assertTrue(told["system_mail_next_try"])
        self.assertFalse(told["system_mail_last_try"])

    def test_who_sends_it_now_learns_what_became_of_it(self):
        send_now = "action_system_mail_send_now"
        told = self.outcome(self.ana, self.message, send_now)
        self.assertIn("1 message still can't be sent. It is tried again on ", told["text"])
        self.assertFalse(told["is_good"])
        self.waiting.scheduled_date = False  # as when a mailbox works again meanwhile
        being_sent = self.message.with_user(self.ana).system_mail_outcome()["text"]
        self.assertEqual(being_sent, "1 message is being sent.")
        [mark] = told["store"]["mail.notification"]
        self.assertEqual(mark["failure_type"], "system_mail_waiting")
        self.system.heal()
        self.env["system.mail.health"]._connected(self.system_server)
        told = self.outcome(self.sue, self.message, send_now)
        self.assertEqual((told["text"], told["is_good"]), ("1 message was sent.", True))
        with self.assertRaises(AccessError):
            self.message.with_user(self.otto).system_mail_outcome()

    def test_what_became_of_several_messages(self):
        self.system.heal()
        self.env["system.mail.health"]._connected(self.system_server)
        self.system.fail("rcpt", reply="550 5.1.1 User unknown", times=1)
        failed = self.mention()
        self.company.system_mail_limit_day = 1
        self.mention()
        limited = self.mention() | self.mention()
        mails = (failed | limited).notification_ids.mail_mail_id
        self.assertEqual(mails.sorted("id").mapped("state"), ["exception", "outgoing", "outgoing"])
        told = self.outcome(self.sue, mails, "action_system_mail_send_again")
        self.assertIn(
            "3 messages wait for a limit of System Mail. The last is sent on ", told["text"]
        )
        self.assertEqual({*mails.mapped("state")}, {"outgoing"})


@tagged("post_install", "-at_install")
class TestHeldAndFailed(ChatterCase):
    def test_what_is_held_is_its_authors_and_super_users_to_decide(self):
        self.own.fail("dot", action="drop", accept=True)
        message = self.mention(partners=self.customer)
        reason = "the connection was lost before the server confirmed a message"
        for user in (self.ana, self.sue):
            [told] = self.ours(user, message)
            self.assertIn(reason, told["system_mail_reason"])
            self.assertTrue(told["system_mail_may_decide"])
        self.assertEqual(self.ours(self.otto, message), [{}])

    def test_who_wrote_it_decides_whoever_is_named_as_its_author(self):
        self.own.fail("dot", action="drop", accept=True)
        message = self.mention(partners=self.customer)
        message.author_id = self.otto.partner_id
        [told] = self.ours(self.otto, message)
        self.assertNotIn("system_mail_may_decide", told)
        for action in ("send_again", "drop", "send_now"):
            with self.subTest(action), self.assertRaisesRegex(AccessError, "wrote"):
                getattr(message.with_user(self.otto), f"action_system_mail_{action}")()
        told = self.outcome(self.ana, message, "action_system_mail_send_again")
        self.assertIn("1 message was sent, but the server did not confirm it.", told["text"])
        before = self.events("configured")
        told = message.with_user(self.ana).action_system_mail_drop()
        self.assertEqual(told["params"]["message"], "1 message was dropped.")
        self.assertEqual(message.notification_ids.notification_status, "canceled")
        event = self.events("configured") - before
        self.assertEqual(event.reason, "Dropped what may have been delivered")
        self.assertEqual((event.user_id, event.mail_message_id), (self.ana, message.id))

    def test_nor_does_an_administrator_in_the_technical_menu(self):
        self.own.fail("dot", action="drop", accept=True)
        message = self.mention(partners=self.customer)
        held = message.notification_ids.mail_mail_id
        self.otto.group_ids += self.env.ref("base.group_system")
        for way in ("mark_outgoing", "cancel", "unlink"):
            with self.subTest(way), self.assertRaisesRegex(AccessError, "wrote"):
                getattr(held.with_user(self.otto), way)()
        before = self.events("configured")
        self.sue.group_ids += self.env.ref("base.group_system")
        held.with_user(self.sue).cancel()
        self.assertEqual(held.state, "cancel")
        self.assertEqual((self.events("configured") - before).user_id, self.sue)

    def test_each_decision_is_an_event(self):
        before = self.events("configured")
        self.own.fail("dot", action="drop", accept=True, times=1)
        message = self.mention(partners=self.customer)
        message.with_user(self.sue).action_system_mail_send_again()
        self.stop_both()
        self.mention().with_user(self.ana).action_system_mail_send_now()
        events = self.events("configured") - before
        self.assertEqual(
            [(event.user_id, event.reason) for event in events],
            [
                (self.sue, "Tried again what may have been delivered"),
                (self.ana, "Tried at once what waited for its next try"),
            ],
        )

    def test_why_it_failed_is_for_its_author_and_super_users(self):
        self.own.fail("rcpt", reply="550 5.1.1 No such user")
        message = self.mention()
        for user in (self.ana, self.sue):
            [told] = self.ours(user, message)
            self.assertIn("550 5.1.1", told["system_mail_reason"])
        self.assertEqual(self.ours(self.otto, message), [{}])


@tagged("post_install", "-at_install")
class TestReader(ChatterCase, BrowserCase):
    """What a colleague sees, in a real browser; its author's chatter is walked in test_tours."""

    def test_a_colleague_sees_from_where_and_not_why(self):
        self.otto.group_ids += self.env.ref("base.group_partner_manager")
        self.mention(body="It is healthy")
        self.own.fail("dot", action="drop", accept=True)
        self.mention(partners=self.customer, body="It is held")
        self.own.heal()
        self.reject_password()
        self.mention(body="It was carried")
        self.system.stop()
        self.mention(body="It waits")
        url = f"/odoo/res.partner/{self.record.id}"
        self.start_tour(url, "system_mail_reader", login=self.otto.login)

    def test_its_author_reconnects_from_there_and_is_asked_no_more(self):
        self.ana.group_ids += self.env.ref("base.group_partner_manager")
        self.own.logins["ana@company.test"] = "changed"
        self.mention(body="It was carried")
        url = f"/odoo/res.partner/{self.record.id}"
        self.start_tour(url, "system_mail_reconnect", login=self.ana.login)


@tagged("post_install", "-at_install")
class TestAccess(ChatterCase, HttpCase):
    """Over RPC, as a browser would."""

    def setUp(self):
        super().setUp()
        self.reject_password()
        self.company.system_mail_scope = "all"
        self.paul = (
            self.env["res.users"]
            .with_context(no_reset_password=True)
            .create(
                {
                    "name": "Paul Portal",
                    "login": "paul@customer.test",
                    "email": "paul@customer.test",
                    "password": PASSWORD,
                    "group_ids": [Command.set(self.env.ref("base.group_portal").ids)],
                }
            )
        )
        self.rita = self._user(
            "Rita Administrator",
            "rita@company.test",
            password=PASSWORD,
            group_ids=[Command.set(self.env.ref("base.group_system").ids)],
        )
        self.message = self.mention(partners=self.ben.partner_id | self.paul.partner_id)
        self.notifications = self.message.notification_ids
        self.assertEqual(set(self.notifications.mapped("system_mail_reason")), {WHY})

    def call(self, method, *args):
        params = {"model": "mail.notification", "method": method, "args": args, "kwargs": {}}
        return self.make_jsonrpc_request(f"/web/dataset/call_kw/mail.notification/{method}", params)

    def test_a_super_user_reads_the_fields(self):
        self.authenticate("sue@company.test", PASSWORD)
        rows = self.call("read", self.notifications.ids, [*PRIVATE])
        self.assertEqual({row["system_mail_reason"] for row in rows}, {WHY})

    def test_nobody_else_does(self):
        for user in (self.ana, self.ben, self.otto, self.paul, self.rita):
            self.authenticate(user.login, PASSWORD)
            own = self.notifications.filtered(
                lambda n, user=user: n.res_partner_id == user.partner_id
            )
            ids = (own or self.notifications).ids
            self.assertTrue(self.call("read", ids, ["notification_status"]), "Odoo allows that")
            for name in PRIVATE:
                for call in (
                    ("read", ids, [name]),
                    ("search", [(name, "=like", "h%")]),
                    ("search", [], 0, 9, name),
                    ("formatted_read_group", [], [name], ["__count"]),
                    ("write", ids, {name: "forged@company.test"}),
                ):
                    with (
                        self.subTest(user=user.name, call=call),
                        self.assertLogs("odoo.http", "WARNING"),
                        self.assertRaises(JsonRpcException),
                    ):
                        self.call(*call)

    def thread(self, user):
        """What the chatter of the document answers, as text."""
        self.authenticate(user.login, PASSWORD)
        params = {"thread_model": "res.partner", "thread_id": self.record.id}
        return json.dumps(self.make_jsonrpc_request("/mail/thread/messages", params))

    def test_the_chatter_over_rpc(self):
        for user, knows in ((self.ana, True), (self.sue, True), (self.otto, False)):
            text = self.thread(user)
            self.assertIn("hello@company.test", text)
            self.assertEqual(WHY in text, knows, user.name)

    def test_a_customer_sees_nothing_of_it(self):
        self.record.message_subscribe(self.paul.partner_id.ids)
        self.assertNotIn("hello@company.test", self.thread(self.paul))
        self.assertFalse(self.store(self.paul, self.message.sudo()), "Odoo sends none to portal")
