"""One cell of a matrix of failures: what came of a mention, and that nothing is lost."""

import contextlib
from email.utils import parseaddr
from unittest.mock import patch

from odoo.addons.base.models import ir_mail_server

from ..failover.envelope import trust_again
from .common import SystemMailCase

SMTP_TIMEOUT = 1
"""Seconds: so many cells have a silent server."""
STATES = {
    False: "none",
    "not_connected": "none",
    "connected": "conn",
    "unstable": "unst",
    "disconnected": "disc",
}
ADDRESSES = {
    "own": "ana@company.test",
    "system": "hello@company.test",
    "backup": "second@other.test",
}
"""By the name of the server: what is in From of all that it carries."""
EVENTS = {"fallback": "fallb", "deferred": "defer", "held": "held", "failed": "fail"}


class MatrixCase(SystemMailCase):
    """Whatever happens wherever: nothing is lost, and nobody gets a second copy but where the
    server may have accepted the first.

    What a cell says, recipient by recipient where they differ::

        copies and who carried them (O: the author's mailbox, S: System Mail, B: its second mailbox)
        sent, wait, held or fail   what is known of it
        conn, unst or disc         the state of the mailbox that failed
        fallb, defer, held, fail   the event, if any
    """

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cleo = cls._user("Cleo Reader", "cleo@company.test")
        cls.customer = cls.env["res.partner"].create(
            {"name": "Customer", "email": "customer@elsewhere.test"}
        )

    def setUp(self):
        super().setUp()
        self.startPatcher(patch.object(ir_mail_server, "SMTP_TIMEOUT", SMTP_TIMEOUT))
        self.http_request_allow_all = True  # the mocked one has no cookies
        # on a busy machine a person's time would be up before the servers' faults are told apart
        self.env["ir.config_parameter"].set_param("system_mail.person_seconds", "0")

    @contextlib.contextmanager
    def _cell(self):
        """Begin with healthy servers and an unwritten past, as each cell does."""
        with self.env.cr.savepoint() as savepoint:
            try:
                yield
            finally:
                savepoint.rollback()
                self._heal()

    def _heal(self):
        trust_again()
        for server in self.servers:
            server.heal()

    def _play(self, phase, mailbox, reader=None):
        """Send, and tell in one cell what came of it.

        Two recipients share one transaction where RCPT is the matter; otherwise Ana mentions one.
        """
        self._seen = {server: len(server.accepted) for server in self.servers}
        if phase.startswith("rcpt"):
            outside = [reader.email, "purchasing@elsewhere.test"] if reader else []
            self._readers = outside or [self.ben.email, self.cleo.email]
            self._message = self._send_to(self._readers).mail_message_id
        else:
            reader = reader or self.ben.partner_id
            self._readers = [reader.email]
            self._message = self.mention(partners=reader)
        events = [EVENTS[e.kind] for e in self.events() if e.kind in EVENTS]
        return " ".join(
            (
                self._by_reader(self._carriers),
                self._by_reader(self._fate),
                STATES[self.health(mailbox).state],
                ",".join(events) or "-",
            )
        )

    def _send_to(self, addresses):
        mail = self.mail(recipient_ids=False, email_to=", ".join(addresses))
        mail.send()
        return mail

    def _by_reader(self, tell):
        words = [tell(address) for address in self._readers]
        return words[0] if len(set(words)) == 1 else ",".join(words)

    def _carriers(self, address):
        """Who accepted the message for the address: a letter for each copy."""
        letters = ""
        for server in self.servers:
            for delivery in server.accepted[self._seen[server] :]:
                self.assertEqual(self._id_of(delivery), self._message.message_id)
                sender = parseaddr(str(delivery.message["From"]))[1]
                self.assertEqual(sender, ADDRESSES[server.name])
                letters += server.name[0].upper() * delivery.rcpt_to.count(address)
        return letters or "-"

    def _id_of(self, delivery):
        """The Message-ID by which replies find their thread."""
        return delivery.message["Message-Id"]

    def _mails(self):
        return self.env["mail.mail"].search([("mail_message_id", "=", self._message.id)])

    def _fate(self, address):
        """What Odoo knows of the address, by its notification, or else by its mail."""
        notification = self._message.notification_ids.filtered(
            lambda n: n.res_partner_id.email == address
        )
        if notification:
            waits = notification.failure_type == "system_mail_waiting"
            self.assertEqual(waits, notification.notification_status == "ready")
            status, failure_type = notification.notification_status, notification.failure_type
        else:
            [mail] = self._mails().filtered(lambda m: address in (m.email_to or ""))
            status, failure_type = mail.state, mail.failure_type
            waits = status == "outgoing"
        if waits:
            [mail] = self._mails().filtered(lambda m: m.state == "outgoing")
            self.assertTrue(mail.scheduled_date, "the queue would take it again at once, for ever")
            return "wait"
        if status == "exception":
            [mail] = self._mails().filtered(lambda m: m.state == "exception")
            self.assertTrue(mail.failure_reason)
            return "held" if failure_type == "system_mail_held" else "fail"
        self.assertEqual(status, "sent")
        return "sent"

    def _recover(self, cell):
        """All is well again: what waits arrives, and nothing else does."""
        before = [self._carriers(address) for address in self._readers]
        fates = [self._fate(address) for address in self._readers]
        self._heal()
        self.env["system.mail.health"].search([]).next_probe_at = "2020-01-01"
        self.env.ref("system_mail.ir_cron_probe").method_direct_trigger()
        self.run_queue(self._mails())
        for address, letters, fate in zip(self._readers, before, fates, strict=True):
            after = self._carriers(address).strip("-")
            waited = fate == "wait"
            self.assertEqual(len(after), len(letters.strip("-")) + waited)
            self.assertEqual(self._fate(address), "sent" if waited else fate)
        for health in self.env["system.mail.health"].search([]):
            self.assertEqual(health.breaker_state, "closed")
