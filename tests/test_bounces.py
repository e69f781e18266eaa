"""Bounces of what System Mail sent, fetched from its mailbox or sent to Odoo's bounce address."""

from odoo.tests import tagged
from odoo.tools import mute_logger

from . import bounces
from .common import SystemMailCase
from .imap_server import ImapServer

HELLO = "hello@company.test"
GATEWAY = "odoo.addons.mail.models.mail_thread"
FETCHMAIL = "odoo.addons.mail.models.fetchmail"


class BounceCase(SystemMailCase):
    """System Mail carried Ana's mention of Ben. What comes in would make a contact of its own."""

    def setUp(self):
        super().setUp()
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.message = self.mention()
        self.assert_arrives_once_by_system_mail(self.message)

    def bounce(self, text, message=None, recipient=None, sender=HELLO):
        return text.format(
            sender=sender,
            recipient=recipient or self.ben.email,
            message_id=(message or self.message).message_id,
        )

    def come_in(self, text):
        with mute_logger(GATEWAY):
            self.env["mail.thread"].message_process("res.partner", text)

    @property
    def status(self):
        return self.message.notification_ids.notification_status

    def assert_bounced(self):
        notification = self.message.notification_ids
        self.assertEqual(notification.notification_status, "bounce")
        self.assertEqual(notification.failure_type, "mail_bounce")
        self.assertEqual(notification.system_mail_sent_from, HELLO)

    def known(self):
        """What must not change: the mailboxes' health, and how many contacts and messages."""
        self.env.flush_all()
        self.env.invalidate_all()
        health = self.env["system.mail.health"].search([], order="id")
        return (
            health.read(["server_id", "state", "rule", "failure_count", "last_failure"]),
            self.env["res.partner"].with_context(active_test=False).search_count([]),
            self.record.message_ids.ids,
        )


@tagged("post_install", "-at_install")
class TestBounces(BounceCase):
    def assert_bounces(self, text):
        before = self.known()
        with self.env.cr.savepoint() as savepoint:
            self.come_in(text)
            self.assert_bounced()
            self.assertEqual(self.known(), before)
            savepoint.rollback()
        self.env.invalidate_all()

    def test_each_servers_bounce_to_system_mail_marks_its_message(self):
        for title, text in bounces.BOUNCES.items():
            with self.subTest(title):
                self.assert_bounces(self.bounce(text))

    def test_an_author_who_looks_at_it_is_told(self):
        self.env.cr.precommit.run()
        self.env["bus.bus"].search([]).unlink()
        self.come_in(self.bounce(bounces.POSTFIX))
        self.env.cr.precommit.run()
        told = self.env["bus.bus"].search([("message", "like", '"bounce"')])
        self.assertIn(f'"res.partner",{self.ana.partner_id.id}]', ",".join(told.mapped("channel")))

    def test_each_servers_bounce_to_odoos_address_does_too(self):
        self.env["mail.alias.domain"].create({"name": "company.test"})
        for title, text in bounces.BOUNCES.items():
            with self.subTest(title):
                self.assert_bounces(self.bounce(text, sender="bounce@company.test"))

    def test_only_the_recipient_that_bounced_is_marked(self):
        cleo = self._user("Cleo Reader", "cleo@company.test").partner_id
        both = self.mention(partners=self.ben.partner_id | cleo)
        for title, text in bounces.BOUNCES.items():
            if text == bounces.POSTFIX_FORWARDED:
                continue
            with self.subTest(title), self.env.cr.savepoint() as savepoint:
                self.come_in(self.bounce(text, both, cleo.email))
                states = {n.res_partner_id: n.notification_status for n in both.notification_ids}
                self.assertEqual(states, {self.ben.partner_id: "sent", cleo: "bounce"})
                savepoint.rollback()

    def test_each_recipient_of_one_bounce_is_marked(self):
        cleo = self._user("Cleo Reader", "cleo@company.test").partner_id
        both = self.mention(partners=self.ben.partner_id | cleo)
        other = f"Final-Recipient: rfc822; {cleo.email}\nAction: failed\nStatus: 5.1.1\n\nFinal"
        self.come_in(self.bounce(bounces.POSTFIX.replace("Final", other, 1), both))
        self.assertEqual(set(both.notification_ids.mapped("notification_status")), {"bounce"})

    def test_without_the_original_the_thread_of_the_bounce_tells(self):
        text = self.bounce(bounces.POSTFIX_WITHOUT_ORIGINAL)
        self.come_in(text)
        self.assertEqual(self.status, "sent", "nothing in it names the message")
        thread = f"In-Reply-To: {self.message.message_id}\nMessage-Id: <another-"
        self.come_in(text.replace("Message-Id: <", thread, 1))
        self.assert_bounced()

    def test_what_is_only_late_or_read_is_no_bounce_and_no_document(self):
        for title in ("POSTFIX_DELAYED", "RECEIPT"):
            with self.subTest(title):
                before = self.known()
                self.come_in(self.bounce(getattr(bounces, title)))
                self.assertEqual(self.status, "sent")
                self.assertEqual(self.known(), before)

    def test_an_automatic_reply_is_no_bounce(self):
        before = self.record.message_ids
        self.come_in(self.bounce(bounces.VACATION))
        self.assertEqual(self.status, "sent")
        [reply] = self.record.message_ids - before
        self.assertEqual(reply.author_id, self.ben.partner_id)

    def test_mail_that_a_person_writes_to_system_mail_comes_in(self):
        text = self.bounce(bounces.EXCHANGE_2003).replace("Return-Path: <>\n", "")
        before = self.known()
        self.come_in(text)
        self.assertEqual(self.status, "sent")
        self.assertNotEqual(self.known(), before, "a postmaster may write, too")

    def test_what_is_for_others_about_other_mail_is_left_to_odoo(self):
        self.own.heal()
        self.health(self.own_server).give_new_chance()
        for text, as_in_odoo in [(bounces.EXIM_TEXT, "sent"), (bounces.POSTFIX_DELAYED, "bounce")]:
            message = self.mention()
            self.assertFalse(message.notification_ids.system_mail_sent_from)
            self.come_in(self.bounce(text, message, sender=self.ana.email))
            self.assertEqual(message.notification_ids.notification_status, as_in_odoo)

    def test_without_system_mail_all_is_left_to_odoo(self):
        self.company.system_mail_address = False
        self.come_in(self.bounce(bounces.EXIM_TEXT))
        self.assertEqual(self.status, "sent")

    def test_an_unknown_message_is_ignored(self):
        for title, text in bounces.BOUNCES.items():
            with self.subTest(title):
                before = self.known()
                unknown = text.replace("{message_id}", "<unknown@company.test>")
                self.come_in(self.bounce(unknown))
                self.assertEqual(self.status, "sent")
                self.assertEqual(self.known(), before)

    def test_what_no_database_takes_is_read_as_odoo_reads_it(self):
        """An error would lose the mail: Odoo marks what it fetched as read."""
        before = self.known()
        text = self.bounce(bounces.EXCHANGE_2003).replace(
            self.message.message_id, "<\0@company.test>"
        )
        self.come_in(text)
        self.assertEqual(self.known(), before)

    def test_who_was_not_written_to_is_not_marked(self):
        """A forger knows the message, and names somebody else."""
        cleo = self._user("Cleo Reader", "cleo@company.test").partner_id
        both = self.mention(partners=self.ben.partner_id | cleo)
        for title, text in bounces.BOUNCES.items():
            with self.subTest(title):
                forged = text.replace("{recipient}", "eve@elsewhere.test")
                forged = forged.replace("somebody@forwarded.test", "eve@elsewhere.test")
                self.come_in(self.bounce(forged, both))
                self.assertEqual(set(both.notification_ids.mapped("notification_status")), {"sent"})


@tagged("post_install", "-at_install")
class TestFetchedBounces(BounceCase):
    """Odoo fetches System Mail's mailbox, and makes a contact of what it finds there."""

    def test_what_is_fetched_from_system_mails_mailbox_marks_its_message(self):
        imap = self.enterContext(ImapServer("right"))
        incoming = self.env["fetchmail.server"].create(
            {
                "name": "System Mail",
                "server": "127.0.0.1",
                "port": imap.port,
                "user": HELLO,
                "password": "right",
                "state": "done",
                "object_id": self.env["ir.model"]._get_id("res.partner"),
            }
        )
        messages = [self.message, *(self.mention() for _title in [*bounces.BOUNCES][1:])]
        imap.mails = [
            self.bounce(text, message)
            for message, text in zip(messages, bounces.BOUNCES.values(), strict=True)
        ]
        before = self.known()
        with mute_logger(GATEWAY, FETCHMAIL), self.registry.cursor() as cr:
            incoming.with_env(self.env(cr=cr)).fetch_mail()
        self.env.invalidate_all()
        for title, message in zip(bounces.BOUNCES, messages, strict=True):
            self.assertEqual(message.notification_ids.notification_status, "bounce", title)
        self.assertEqual(self.known(), before)
        self.assertEqual(len(imap.seen), len(bounces.BOUNCES))
