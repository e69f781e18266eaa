from email.utils import parseaddr

from odoo import fields
from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import tagged

from ..constants import GROUP
from ..failover.drill_check import Copy, Expected
from ..failover.session import Report
from ..sending.fire_drill import FireDrill
from .browser_case import BrowserCase
from .common import SystemMailCase


class DrillCase(SystemMailCase):
    """Ana is a Super User with a mailbox of her own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ana.group_ids += cls.env.ref(GROUP)

    def dialog(self, user=None):
        """The dialog as it opens from the settings page."""
        action = self.company.with_user(user or self.ana).action_system_mail_drill()
        return self.env[action["res_model"]].with_user(user or self.ana).browse(action["res_id"])

    def drill(self, user=None):
        """The dialog after the click on Send It."""
        dialog = self.dialog(user)
        self.env.flush_all()
        dialog.action_send()
        self.env.invalidate_all()
        return dialog


@tagged("post_install", "-at_install")
class TestDrill(DrillCase):
    def left_behind(self):
        """How much there is that a failed drill must leave as it was."""
        models = ("mail.mail", "mail.message", "mail.notification", "ir.cron.trigger", "bus.bus")
        self.env.cr.flush()
        return {model: self.env[model].sudo().search_count([]) for model in models}

    def assert_drill_is_noted(self, dialog):
        """One event, a test, whatever came of it."""
        event = self.events()
        self.assertEqual((event.kind, event.user_id), ("test", self.ana))
        self.assertEqual(event.company_id, self.company)
        self.assertEqual(event.server_id, self.system_server)
        self.assertEqual(event.recipient_count, int(dialog.state == "passed"))
        said = "A drill passed" if dialog.state == "passed" else dialog.verdict
        self.assertIn(said, event.reason)
        return event

    # --- what arrives, and what is shown of it

    def test_a_drill_that_passed_is_the_last_success(self):
        self.env["system.mail.health"]._connected(self.system_server)
        health = self.system_server.system_mail_health_ids
        health.last_success = fields.Datetime.subtract(fields.Datetime.now(), minutes=30)
        self.drill()
        age = fields.Datetime.now() - self.system_server.system_mail_health_ids.last_success
        self.assertLess(age.total_seconds(), 60)

    def test_it_arrives_once_by_system_mail_and_the_own_mailbox_is_not_touched(self):
        dialog = self.drill()
        [delivery] = self.received("ana@company.test")
        self.assertEqual(self.system.accepted, [delivery])
        self.assertFalse(self.own.connections)
        self.assertEqual(delivery.rcpt_to, ("ana@company.test",))
        self.assertIn(b'\r\nFrom: "Ana Author" <hello@company.test>\r\n', delivery.content)
        self.assertEqual(delivery.message["Reply-To"].addresses[0].addr_spec, "ana@company.test")
        self.assertEqual(dialog.state, "passed", dialog.checks)
        self.assertIn("It works: with your own mailbox ana@company.test", dialog.verdict)
        self.assertIn("No mailbox changed", dialog.verdict)
        self.assertEqual(dialog.checks.count("<strong>Yes:</strong>"), 6)

    def test_what_is_shown_is_what_the_server_received(self):
        dialog = self.drill()
        [delivery] = self.system.accepted
        head = delivery.content.partition(b"\r\n\r\n")[0].decode()
        self.assertEqual(dialog.headers, head.replace("\r\n", "\n"))
        message = delivery.message
        self.assertEqual(dialog.sent_from, message["From"])
        self.assertEqual(dialog.reply_to, message["Reply-To"])
        self.assertEqual(dialog.message_id, message["Message-Id"])
        self.assertEqual(dialog.envelope_from, delivery.mail_from)
        self.assertEqual(dialog.answer.partition(" ")[0], "250")
        self.assertGreater(dialog.seconds, 0)

    def test_it_is_an_event_of_its_own_and_opens_the_authors_contact(self):
        dialog = self.drill()
        event = self.assert_drill_is_noted(dialog)
        self.assertEqual(event.message_id, self.system.accepted[0].message["Message-Id"])
        self.assertEqual(parseaddr(event.sent_from), ("Ana Author", "hello@company.test"))
        self.assertIn("ana@company.test was treated as down", event.reason)
        message = self.env["mail.message"].browse(event.mail_message_id)
        self.assertEqual((message.model, message.res_id), ("res.partner", self.ana.partner_id.id))
        opened = event.action_open_document()["params"]
        self.assertEqual(opened["message_id"], message.id)
        self.assertEqual(opened["action"]["res_model"], message.model)

    def test_nobody_else_reads_of_it(self):
        partner = self.ana.partner_id
        before = partner.message_ids
        self.drill()
        self.assertEqual(partner.message_ids, before)
        message = self.env["mail.message"].search([], order="id desc", limit=1)
        self.assertEqual(message.notified_partner_ids, partner)
        self.assertFalse(message.mail_ids, "nothing is left in the queue")
        self.assertEqual(message.notification_ids.notification_status, "sent")

    def test_it_comes_by_e_mail_also_to_who_reads_the_others_in_odoo(self):
        self.ana.notification_type = "inbox"
        self.assertEqual(self.drill().state, "passed")
        self.assertEqual(len(self.received("ana@company.test")), 1)
        self.assertFalse(self.ana.partner_id._get_needaction_count())

    def test_replies_and_bounces_come_to_odoo_where_it_receives_mail(self):
        self.env["mail.alias.domain"].create({"name": "company.test"})
        self.system_server.from_filter = "company.test"
        dialog = self.drill()
        [delivery] = self.system.accepted
        self.assertEqual(delivery.mail_from, "bounce@company.test")
        self.assertEqual(dialog.state, "passed", dialog.checks)
        self.assertEqual(dialog.envelope_from, "bounce@company.test")
        self.assertIn("Replies reach the document in Odoo, at catchall@company.test", dialog.checks)
        self.assertIn("Bounces come to Odoo, at bounce@company.test", dialog.checks)

    def test_who_has_no_mailbox_is_told_so(self):
        self.own_server.unlink()
        dialog = self.drill()
        self.assertEqual(dialog.state, "passed", dialog.checks)
        self.assertIn("You have no mailbox of your own", dialog.verdict)
        self.assertEqual(len(self.system.accepted), 1)
        event = self.assert_drill_is_noted(dialog)
        self.assertIn("no mailbox", event.reason)

    def test_a_shared_mailbox_that_serves_the_author_is_treated_as_down(self):
        self.own_server.write({"owner_user_id": False, "from_filter": "company.test"})
        self.assertIn("with your own mailbox ana@company.test", self.drill().verdict)
        self.assertFalse(self.own.connections)
        self.assertEqual(len(self.system.accepted), 1)

    def test_it_tries_the_system_mail_of_the_company_it_was_asked_for(self):
        theirs = self.smtp("theirs")
        server = self.mailbox(theirs, "info@branch.test", False, smtp_user=False)
        branch = self.env["res.company"].create(
            {
                "name": "Branch",
                "system_mail_address": "info@branch.test",
                "system_mail_server_id": server.id,
            }
        )
        self.ana.company_ids += branch
        self.ana.partner_id.company_id = self.company
        self.company = branch
        dialog = self.drill()
        self.assertEqual(dialog.state, "passed", dialog.checks)
        self.assertEqual(theirs.accepted[0].mail_from, "info@branch.test")
        self.assertFalse(self.system.connections)
        self.assertEqual(self.events().company_id, branch)

    def test_what_is_not_as_it_should_be_is_marked(self):
        drill = FireDrill(self.company.system_mail_policies()[self.company.id].mailboxes[0])
        content = b"From: ana@company.test\r\nMessage-Id: <1@company.test>\r\n\r\nSee this\r\n"
        drill.copies.append(Copy("ana@company.test", content))
        drill.report = Report("<1@company.test>", ("ana@company.test",), True)
        expected = Expected(
            "hello@company.test",
            "Ana <b>Author</b>",
            "ana@company.test",
            "ana@company.test",
            frozenset({"hello@company.test"}),
            "<1@company.test>",
        )
        shown = self.dialog()._sent(drill, expected)
        self.assertEqual(shown["state"], "wrong")
        self.assertIn("not as it should be", shown["verdict"])
        self.assertEqual(shown["checks"].count("<strong>No:</strong>"), 5)
        self.assertIn("Ana &lt;b&gt;Author", shown["checks"])

    # --- what it must not touch

    def test_the_health_of_the_own_mailbox_stays_as_it_was(self):
        limits = ["owner_limit_count", "owner_limit_time"]
        self.mention()
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.mention()
        self.env.invalidate_all()
        before = self.health(self.own_server).read() + self.own_server.read(limits)
        connections, events = len(self.own.connections), self.events()
        self.assertEqual(self.drill().state, "passed")
        self.assertEqual(self.health(self.own_server).read() + self.own_server.read(limits), before)
        self.assertEqual(len(self.own.connections), connections)
        self.assertEqual((self.events() - events).kind, "test")

    def test_it_is_not_counted_against_the_limit_of_a_healthy_mailbox(self):
        limits = ["owner_limit_count", "owner_limit_time"]
        self.mention()
        self.env.invalidate_all()
        before = self.own_server.read(limits)
        self.assertTrue(before[0]["owner_limit_count"])
        self.drill()
        self.assertEqual(self.own_server.read(limits), before)

    def test_a_mailbox_never_tried_gets_no_health(self):
        self.drill()
        self.assertFalse(self.health(self.own_server))

    def test_other_mail_goes_on_by_its_own_mailbox(self):
        self.drill()
        self.mention()
        [delivery] = self.received("ben@company.test")
        self.assertIn(delivery, self.own.accepted)

    def test_mail_that_another_module_sends_meanwhile_goes_its_own_way(self):
        other, notifications = self.mail(), self.registry["mail.notification"]
        write = notifications.write

        def write_and_send(self, vals):
            if vals.get("notification_status") == "sent":
                other.with_env(self.env).send()
            return write(self, vals)

        self.patch(notifications, "write", write_and_send)
        self.assertEqual(self.drill().state, "passed")
        [delivery] = self.received("ben@company.test")
        self.assertIn(delivery, self.own.accepted)

    def test_a_context_that_came_by_rpc_is_no_drill(self):
        for value in (True, "drill", {"mailbox": ""}):
            self.mail().with_context(system_mail_drill=value).send()
        self.assertEqual(len(self.own.accepted), 3)
        self.assertFalse(self.system.connections)

    # --- when System Mail fails

    def assert_fails(self, reason, remedy=""):
        """A plain verdict; nothing is sent, and nothing is left."""
        dialog = self.dialog()
        before, accepted = self.left_behind(), self.system.accepted
        dialog.action_send()
        self.env.invalidate_all()
        self.assertEqual(self.left_behind(), before)
        self.assertEqual(dialog.state, "failed")
        self.assertIn(reason, dialog.verdict)
        self.assertIn(remedy, dialog.remedy)
        self.assertFalse(self.own.connections)
        self.assertEqual(self.system.accepted, accepted)
        return dialog

    def test_a_rejected_password(self):
        self.system.fail("auth", reply="535 5.7.8 Wrong: password=neutral")
        dialog = self.assert_fails("the password was rejected (535 5.7.8)", "Reconnect")
        self.assertIn("Wrong", dialog.answer)
        self.assertNotIn("neutral", dialog.answer)
        event = self.assert_drill_is_noted(dialog)
        self.assertEqual((event.phase, event.smtp_code), ("auth", 535))
        self.assertIn("the password was rejected", event.reason)

    def test_a_server_that_is_down(self):
        self.system.stop()
        dialog = self.assert_fails("the server could not be reached", "Try again in a few minutes")
        self.assert_drill_is_noted(dialog)

    def test_a_reader_whom_the_server_refuses(self):
        self.system.fail("rcpt", reply="550 5.1.1 User unknown")
        self.assert_fails("the recipient's address was refused (550 5.1.1)", "My Preferences")

    def test_a_line_that_is_lost_after_the_dot(self):
        self.system.fail("dot", action="drop")
        self.assert_fails("before the server confirmed", "look in your inbox")

    def test_a_limit_that_is_reached(self):
        self.company.system_mail_limit_day = 1
        self.assertEqual(self.drill().state, "passed")
        self.assert_fails("the limit set for System Mail is reached", "in a few minutes")

    def test_reconnect_comes_first_where_it_mends(self):
        self.system.fail("auth", reply="535 5.7.8 Rejected", times=1)
        dialog = self.assert_fails("the password was rejected")
        self.assertTrue(dialog.needs_reconnect)
        self.assertEqual(dialog.action_reconnect()["res_model"], "system.mail.connect")
        dialog.action_send()
        self.assertFalse(dialog.needs_reconnect)
        self.system.stop()
        self.assertFalse(self.assert_fails("could not be reached").needs_reconnect)

    def test_odoos_own_sender_does_not_stand_in(self):
        other = self.smtp("other")
        self.own_server.unlink()
        self.mailbox(other, "any", False, smtp_user=False, from_filter=False)
        self.system.stop()
        self.assert_fails("the server could not be reached")
        self.assertFalse(other.connections)

    def test_system_mail_that_was_down_is_tried_anew(self):
        self.own.stop()
        self.system.logins["hello@company.test"] = "changed"
        self.mention()
        self.assertEqual(self.health(self.system_server).state, "disconnected")
        self.system.logins["hello@company.test"] = "neutral"
        self.assertEqual(self.drill().state, "passed")
        self.assertEqual(self.health(self.system_server).state, "connected")

    def test_after_a_failure_the_same_dialog_tries_again(self):
        self.system.fail("auth", reply="535 5.7.8 Rejected", times=1)
        dialog = self.assert_fails("the password was rejected")
        dialog.action_send()
        self.assertEqual(dialog.state, "passed")
        self.assertFalse(dialog.remedy)

    def test_without_system_mail(self):
        dialog = self.dialog()
        self.system_server.active = False
        dialog.action_send()
        self.assertEqual(dialog.state, "failed")
        self.assertIn("not connected", dialog.verdict)
        self.assertFalse(self.own.connections)

    def test_without_an_address(self):
        self.ana.email = False
        dialog = self.drill()
        self.assertEqual(dialog.state, "failed")
        self.assertIn("no e-mail address", dialog.verdict)
        self.assertFalse(self.servers[0].connections + self.system.connections)
        dialog.own_email = "Ana <ana@company.test>"
        dialog.action_send()
        self.assertEqual(dialog.state, "passed", dialog.verdict)
        self.assertEqual(dialog.recipient, "ana@company.test")
        self.assertEqual(self.ana.email_normalized, "ana@company.test")

    def test_who_has_an_address_keeps_it(self):
        dialog = self.dialog()
        dialog.own_email = "other@company.test"
        dialog.action_send()
        self.assertEqual(self.ana.email_normalized, "ana@company.test")

    # --- who may

    def test_others_are_refused(self):
        administrator = self._user(
            "Otto",
            "otto@company.test",
            group_ids=[Command.set(self.env.ref("base.group_system").ids)],
        )
        dialog = self.dialog()
        for user in (self.ben, administrator):
            with self.assertRaises(AccessError):
                self.dialog(user)
            with self.assertRaises(AccessError):
                self.env["system.mail.drill"].with_user(user).create(
                    {"company_id": self.company.id}
                )
            with self.assertRaises(AccessError):
                dialog.with_user(user).action_send()
        self.assertFalse(self.system.connections)

    def test_another_super_users_dialog_is_theirs(self):
        self.ben.group_ids += self.env.ref(GROUP)
        with self.assertRaises(AccessError):
            self.dialog().with_user(self.ben).action_send()
        self.assertFalse(self.system.connections)


@tagged("post_install", "-at_install")
class TestDrillTour(DrillCase, BrowserCase):
    def test_a_super_user_tries_the_fallback(self):
        self.system.fail("auth", reply="535 5.7.8 Rejected", times=1)
        self.start_tour("/odoo/settings", "system_mail_drill", login=self.ana.login)
        [delivery] = self.system.accepted
        self.assertEqual(delivery.rcpt_to, ("ana@company.test",))
        self.assertFalse(self.own.connections)
