"""Other addons extend the same methods of Odoo. Each test has one above ours, as if it had been
loaded after it, or below.
"""

import contextlib
from email.message import EmailMessage

from odoo import models
from odoo.tests import tagged
from odoo.tools import email_normalize, mute_logger

from ..sending.ledger import HEADER
from .common import SystemMailCase

ARCHIVE = "archive@elsewhere.test"
DEAD = "535 5.7.8 Rejected"
BUSY = "450 4.2.1 Busy"
CORE = "odoo.addons.mail.models.mail_mail"


class GuestCase(SystemMailCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cleo = cls._user("Cleo Colleague", "cleo@company.test")
        cls.both = cls.ben.partner_id | cls.cleo.partner_id

    @contextlib.contextmanager
    def addon(self, model, below=False, **methods):
        """Another addon's methods on a model, each called as ``method(super(), self, ...)``."""
        name = model.replace(".", "_")
        guest = type(models.BaseModel)(name, (models.BaseModel,), {"_register": False})
        for method, function in methods.items():
            setattr(guest, method, _extension(guest, function))
        model_class = self.registry[model]
        bases = model_class.__bases__
        ours = [n for n, base in enumerate(bases) if "system_mail" in base.__module__]
        place = ours[-1] + 1 if below else 0
        model_class.__bases__ = (*bases[:place], guest, *bases[place:])
        try:
            yield
        finally:
            model_class.__bases__ = bases

    def changing_the_list(self, change, **options):
        """An addon that changes the list of e-mails in place."""

        def prepare(parent, _mail, *args, **kwargs):
            emails = parent._prepare_outgoing_list(*args, **kwargs)
            change(emails)
            return emails

        return self.addon("mail.mail", _prepare_outgoing_list=prepare, **options)

    def statuses(self, message):
        return {
            notification.res_partner_id.name.split()[0]: notification.notification_status
            for notification in message.notification_ids
        }

    def copies(self, address):
        """How often it arrived."""
        return len(self.received(address))


def _extension(guest, function):
    def method(self, *args, **kwargs):
        return function(super(guest, self), self, *args, **kwargs)

    return method


def archived(emails):
    """Another addon sends everything to an archive, too."""
    emails.append(
        {
            **{name: value for name, value in emails[0].items() if name != "partner_id"},
            "headers": {},
            "email_to": [ARCHIVE],
            "email_cc": [],
            "email_to_normalized": [ARCHIVE],
        }
    )


@tagged("post_install", "-at_install")
class TestListOfEmails(GuestCase):
    """Another addon adds an e-mail to the list, takes one away, or changes their order."""

    def test_no_server_sees_the_mark(self):
        self.mention()
        self.own.stop()
        self.mention()
        for delivery in (*self.own.accepted, *self.system.accepted):
            self.assertNotIn(HEADER.encode(), delivery.content)

    def test_an_added_email_leaves_too_and_the_mail_is_sent(self):
        for below in (False, True):
            for fault in (lambda: None, self.own.stop):
                with self.subTest(below=below), self.changing_the_list(archived, below=below):
                    fault()
                    before = self.copies(ARCHIVE)
                    message = self.mention(partners=self.both)
                    self.assertEqual(self.statuses(message), {"Ben": "sent", "Cleo": "sent"})
                    self.assertEqual(self.copies(ARCHIVE), before + 1)
            self.own.start()
            self.env["system.mail.health"].search([]).unlink()

    def test_who_waits_waits_though_the_order_is_another(self):
        self.own.fail("rcpt", reply=BUSY, recipient="ben@company.test")
        self.system.fail("rcpt", reply=BUSY, recipient="ben@company.test")
        with self.changing_the_list(list.reverse):
            message = self.mention(partners=self.both)
            self.assertEqual(self.statuses(message), {"Ben": "ready", "Cleo": "sent"})
            self.own.heal()
            self.run_queue(message.notification_ids.mail_mail_id.filtered("scheduled_date"))
        self.assertEqual(self.statuses(message), {"Ben": "sent", "Cleo": "sent"})
        self.assertEqual([self.copies(p.email) for p in self.both], [1, 1])

    def test_partners_that_share_an_address_are_told_apart(self):
        twin = self.env["res.partner"].create({"name": "Twin", "email": "ben@company.test"})
        busy = {"reply": BUSY, "recipient": "ben@company.test"}
        self.own.fail("rcpt", after=1, **busy)
        self.system.fail("rcpt", **busy)
        mail = self.mail(recipient_ids=[(6, 0, (self.ben.partner_id | twin).ids)])
        first, second = mail.recipient_ids
        with self.changing_the_list(list.reverse):
            mail.send()
        parts = self.env["mail.mail"].search([("message_id", "=", mail.message_id)])
        self.assertEqual(
            {part.recipient_ids: part.state for part in parts},
            {first: "outgoing", second: "sent"},
        )

    def test_who_was_taken_away_is_neither_sent_to_nor_failed(self):
        def without_ben(emails):
            emails[:] = [email for email in emails if email["partner_id"] != self.ben.partner_id]

        with self.changing_the_list(without_ben):
            message = self.mention(partners=self.both)
        self.assertEqual(self.copies("ben@company.test"), 0)
        self.assertEqual(self.copies("cleo@company.test"), 1)
        self.assertEqual(set(self.statuses(message).values()), {"sent"}, "as in Odoo")

    def test_an_added_email_that_arrived_is_not_sent_again_with_one_that_waits(self):
        for server in (self.own, self.system):
            server.fail("rcpt", reply=BUSY, recipient="ben@company.test")
        with self.changing_the_list(archived):
            message = self.mention()
            self.assertEqual(self.copies(ARCHIVE), 1)
            mail = message.notification_ids.mail_mail_id
            self.assertEqual((mail.state, mail.system_mail_served), ("outgoing", ARCHIVE))
            for _ in range(2):
                self.run_queue(mail)
            self.own.heal()
            self.run_queue(mail)
        self.assertEqual(self.statuses(message), {"Ben": "sent"})
        self.assertEqual((self.copies("ben@company.test"), self.copies(ARCHIVE)), (1, 1))

    def test_an_added_email_that_waits_does_not_have_the_mail_sent_again(self):
        for server in (self.own, self.system):
            server.fail("rcpt", reply=BUSY, recipient=ARCHIVE)
        with self.changing_the_list(archived):
            message = self.mention()
            self.assertEqual(self.statuses(message), {"Ben": "sent"})
            mail = self.env["mail.mail"].search([("message_id", "=", message.message_id)])
            self.assertEqual((mail.state, mail.email_to), ("outgoing", ARCHIVE))
            self.own.heal()
            self.run_queue(mail)
        self.assertEqual((self.copies("ben@company.test"), self.copies(ARCHIVE)), (1, 1))

    def test_where_all_wait_the_other_addon_adds_its_own_again(self):
        self.own.stop()
        self.system.stop()
        with self.changing_the_list(archived):
            message = self.mention()
            mail = message.notification_ids.mail_mail_id
            self.assertEqual((mail.state, mail.email_to), ("outgoing", False))
            self.system.start()
            self.env["system.mail.health"].search([]).unlink()
            self.run_queue(mail)
        self.assertEqual((self.copies("ben@company.test"), self.copies(ARCHIVE)), (1, 1))


@tagged("post_install", "-at_install")
class TestMessages(GuestCase):
    """Another addon builds or sends the message in its own way."""

    def test_a_message_built_anew_is_still_the_recipients_own(self):
        def build(parent, _servers, *args, **kwargs):
            message = parent._build_email__(*args, **kwargs)
            anew = EmailMessage(policy=message.policy)
            for name in ("Message-Id", "From", "To", "Subject"):
                anew[name] = message[name]
            anew.set_content("Signed")
            return anew

        for server in (self.own, self.system):
            server.fail("rcpt", reply=BUSY, recipient="ben@company.test")
        with self.addon("ir.mail_server", _build_email__=build):
            message = self.mention(partners=self.both)
        self.assertEqual(self.statuses(message), {"Ben": "ready", "Cleo": "sent"})

    def test_a_second_try_of_another_addons_own_counts(self):
        def send(parent, _servers, *args, **kwargs):
            try:
                return parent.send_email(*args, **kwargs)
            except AssertionError:
                self.own.heal()
                return parent.send_email(*args, **kwargs)

        for server in (self.own, self.system):
            server.fail("rcpt", reply=BUSY, recipient="ben@company.test")
        with self.addon("ir.mail_server", send_email=send):
            message = self.mention(partners=self.both)
        self.assertEqual(self.statuses(message), {"Ben": "sent", "Cleo": "sent"})
        self.assertEqual([self.copies(p.email) for p in self.both], [1, 1])

    def test_what_another_addon_sent_without_us_is_not_sent_again(self):
        by_api = []

        def send(parent, _servers, message, *args, **kwargs):
            if "ben@" in message["To"]:
                by_api.append(message)
                return message["Message-Id"]
            return parent.send_email(message, *args, **kwargs)

        for server in (self.own, self.system):
            server.fail("rcpt", reply=BUSY, recipient="cleo@company.test")
        with self.addon("ir.mail_server", send_email=send):
            message = self.mention(partners=self.both)
            self.assertEqual(self.statuses(message), {"Ben": "sent", "Cleo": "ready"})
            self.own.heal()
            self.run_queue(message.notification_ids.mail_mail_id.filtered("scheduled_date"))
        self.assertEqual(self.statuses(message), {"Ben": "sent", "Cleo": "sent"})
        self.assertEqual((len(by_api), self.copies("cleo@company.test")), (1, 1))

    def test_an_error_after_it_left_fails_nobody_who_has_it(self):
        def send(parent, _servers, *args, **kwargs):
            parent.send_email(*args, **kwargs)
            raise RuntimeError("another addon's error")

        for fault in (lambda: None, self.own.stop):
            fault()
            with self.addon("ir.mail_server", send_email=send), mute_logger(CORE):
                message = self.mention(partners=self.both)
            self.assertEqual(sorted(self.statuses(message).values()), ["exception", "sent"])
            [failed] = message.notification_ids.filtered(
                lambda n: n.notification_status == "exception"
            )
            self.assertIn("another addon's error", failed.failure_reason)
            failed.mail_mail_id.action_retry()
            self.run_queue()
            self.assertEqual(set(self.statuses(message).values()), {"sent"})
            for reader in self.both:
                ids = [copy.message["Message-Id"] for copy in self.received(reader.email)]
                self.assertEqual(ids.count(message.message_id), 1)

    def test_an_error_before_it_left_is_odoos_to_tell(self):
        def build(_parent, _servers, *_args, **_kwargs):
            raise RuntimeError("another addon's error")

        with self.addon("ir.mail_server", _build_email__=build), mute_logger(CORE):
            message = self.mention()
        self.assertEqual(message.notification_ids.failure_reason, "another addon's error")
        self.assertFalse(self.events())

    def test_a_message_that_another_addon_sends_meanwhile_changes_nothing(self):
        def send(parent, servers, message, *args, **kwargs):
            if "ben@" in message["To"]:
                report = servers._build_email__(self.ana.email, [ARCHIVE], "Report", "Sent")
                with contextlib.suppress(Exception):
                    parent.send_email(report)
            return parent.send_email(message, *args, **kwargs)

        for server in (self.own, self.system):
            server.fail("rcpt", reply="550 5.1.1 No such user", recipient=ARCHIVE)
        with self.addon("ir.mail_server", send_email=send), mute_logger(CORE):
            message = self.mention(partners=self.both)
        self.assertEqual(self.statuses(message), {"Ben": "sent", "Cleo": "sent"})


class Api:
    """A session of another addon's own: it is no SMTP, and no other code can use it."""

    def __init__(self):
        self.sent, self.left, self.most = [], 0, None

    def quit(self):
        self.left += 1


@tagged("post_install", "-at_install")
class TestSessions(GuestCase):
    """Another addon's ``_connect__`` returns an object of its own."""

    def setUp(self):
        super().setUp()
        self.api = Api()

    @contextlib.contextmanager
    def by_api(self, below, wanted):
        """An addon that sends what leaves by a server of this name by its own service."""

        def connect(parent, servers, *args, **kwargs):
            server = servers.browse(kwargs.get("mail_server_id") or ())
            if server.sudo().name == wanted:
                return self.api
            return parent._connect__(*args, **kwargs)

        def send(parent, _servers, message, *args, smtp_session=None, **kwargs):
            if smtp_session is not self.api:
                return parent.send_email(message, *args, smtp_session=smtp_session, **kwargs)
            if len(self.api.sent) == self.api.most:
                raise RuntimeError("the service is down")
            self.api.sent.append(email_normalize(message["To"]))
            return message["Message-Id"]

        with (
            self.addon("ir.mail_server", below=below, _connect__=connect),
            self.addon("ir.mail_server", send_email=send),
        ):
            yield

    def test_it_is_used_as_odoo_alone_uses_it(self):
        for below in (False, True):
            with self.subTest(below=below), self.by_api(below, "ana@company.test"):
                message = self.mention(partners=self.both)
                self.assertEqual(sorted(self.api.sent), self.both.mapped("email"))
                self.assertEqual(self.statuses(message), {"Ben": "sent", "Cleo": "sent"})
                self.assertEqual(self.api.left, 1)
            self.api = Api()
        self.assertFalse(self.events())
        self.assertFalse(self.own.connections + self.system.connections)

    def test_what_it_fails_at_fails_and_what_left_is_not_sent_again(self):
        for below in (False, True):
            self.api.most = 1
            with (
                self.subTest(below=below),
                self.by_api(below, "ana@company.test"),
                mute_logger(CORE),
            ):
                message = self.mention(partners=self.both)
                self.assertEqual({*self.statuses(message).values()}, {"sent", "exception"})
                self.api.most = None
                failed = message.notification_ids.mail_mail_id.filtered("failure_reason")
                self.assertIn("the service is down", failed.failure_reason)
                failed.action_retry()
                self.run_queue()
                self.assertEqual(sorted(self.api.sent), self.both.mapped("email"))
            self.api = Api()

    def test_odoos_own_sender_may_be_one_where_system_mail_fails(self):
        self.own_server.active = False
        self.mailbox(self.own, "plain", "secret", from_filter=False)
        self.system.stop()
        for below in (False, True):
            with self.subTest(below=below), self.by_api(below, "plain"):
                for _ in range(2):  # System Mail fails, and is known to be down
                    message = self.mention()
                    self.assertEqual(self.statuses(message), {"Ben": "sent"})
                self.assertEqual(self.api.sent, ["ben@company.test"] * 2)
            self.api = Api()
            self.env["system.mail.health"].search([]).unlink()

    def test_a_batch_by_it_is_not_taken_for_the_one_before(self):
        dora = self._user("Dora Author", "dora@company.test")
        dead = self.smtp("dead", logins={})
        self.mailbox(dead, "dora@company.test", "x", owner_user_id=dora.id)
        dead.stop()
        self.system.stop()
        with self.by_api(False, "ana@company.test"):
            mails = self.mail(author=dora) | self.mail()
            mails.send()
        self.assertEqual(mails.mapped("state"), ["outgoing", "sent"])
