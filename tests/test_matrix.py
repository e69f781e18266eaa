"""Every way a mailbox can fail, one by one: phase by phase and action by action."""

import contextlib
from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.base.models import ir_mail_server
from odoo.addons.http_routing.tests.common import MockRequest

from ..failover.envelope import trust_again
from .common import SMTP_TIMEOUT, SystemMailCase
from .smtp_lab.certificates import KINDS as CERTIFICATES

ACTIONS = ("4xx", "5xx", "421", "drop", "hang", "drip")
SILENT = ("hang", "drip")
SHORT = (0.7, 4)
"""Seconds: Odoo's time-out where a server is silent, in a person's request also after the dot. The
second where the first was over before the fault could strike: on a busy machine.
"""

REPLIES = {
    "banner": ("450 4.3.2 Come back later", "554 5.3.2 No SMTP service here"),
    "ehlo": ("451 4.3.0 Not now", "554 5.3.0 Go away"),
    "starttls": ("454 4.7.0 TLS not available now", "502 5.5.1 Not implemented"),
    "auth": ("454 4.7.0 Temporary authentication failure", "535 5.7.8 Not accepted"),
    "mail": ("451 4.3.0 Local error", "554 5.0.0 No"),
    "rcpt 1": ("450 4.2.1 Busy", "550 5.1.1 No such user"),
    "rcpt 2": ("450 4.2.1 Busy", "550 5.1.1 No such user"),
    "data": ("451 4.3.0 Local error", "554 5.0.0 No"),
    "mid-body": (None, None),  # the server may only close
    "dot": ("451 4.3.0 Local error", "554 5.0.0 No"),
    "quit": ("451 4.3.0 Local error", "554 5.0.0 No"),
}
CLOSING = "421 4.3.2 Shutting down"

# What a cell says, recipient by recipient where they differ:
#     copies and who carried them (O: the author's mailbox, S: System Mail)
#     sent, wait, held or fail   what is known of it
#     conn, unst or disc         the state of the mailbox that failed
#     fallb, defer, held, fail   the event, if any
OWN_MAILBOX = """
         | 4xx                    | 5xx                    | 421               | drop               | hang               | drip
banner   | S sent unst fallb      | S sent unst fallb      | S sent unst fallb | S sent unst fallb  | S sent unst fallb  | S sent unst fallb
ehlo     | S sent unst fallb      | S sent unst fallb      | S sent unst fallb | S sent unst fallb  | S sent unst fallb  | S sent unst fallb
starttls | S sent unst fallb      | S sent unst fallb      | S sent unst fallb | S sent unst fallb  | S sent unst fallb  | S sent unst fallb
auth     | S sent unst fallb      | S sent disc fallb      | S sent unst fallb | S sent unst fallb  | S sent unst fallb  | S sent unst fallb
mail     | S sent unst fallb      | S sent none fallb      | S sent unst fallb | S sent unst fallb  | S sent unst fallb  | S sent unst fallb
rcpt 1   | -,O wait,sent conn defer | -,O fail,sent conn - | S sent unst fallb | S sent unst fallb  | S sent unst fallb  | S sent unst fallb
rcpt 2   | O,- sent,wait conn defer | O,- sent,fail conn - | S sent unst fallb | S sent unst fallb  | S sent unst fallb  | S sent unst fallb
data     | S sent unst fallb      | S sent none fallb      | S sent unst fallb | S sent unst fallb  | S sent unst fallb  | S sent unst fallb
mid-body |                        |                        | S sent unst fallb | S sent unst fallb  | S sent unst fallb  | S sent unst fallb
dot      | S sent unst fallb      | S sent none fallb      | S sent unst fallb | OS sent unst fallb | OS sent unst fallb | OS sent unst fallb
quit     | O sent conn -          | O sent conn -          | O sent conn -     | O sent conn -      | O sent conn -      | O sent conn -
"""
# The author's mailbox is down, and System Mail fails:
SYSTEM_MAIL = """
         | 4xx                    | 5xx                    | 421               | drop              | hang              | drip
banner   | - wait unst defer      | - wait unst defer      | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
ehlo     | - wait unst defer      | - wait unst defer      | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
starttls | - wait unst defer      | - wait unst defer      | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
auth     | - wait unst defer      | - wait disc defer      | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
mail     | - wait unst defer      | - wait none defer      | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
rcpt 1   | -,S wait,sent conn defer,fallb | -,S fail,sent conn fail,fallb | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
rcpt 2   | S,- sent,wait conn fallb,defer | S,- sent,fail conn fallb,fail | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
data     | - wait unst defer      | - wait none defer      | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
mid-body |                        |                        | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
dot      | - wait unst defer      | - wait none defer      | - wait unst defer | S wait unst defer | S wait unst defer | S wait unst defer
quit     | S sent conn fallb      | S sent conn fallb      | S sent conn fallb | S sent conn fallb | S sent conn fallb | S sent conn fallb
"""
# Mail to a customer, which System Mail may not carry:
OUT_OF_SCOPE = """
         | 4xx                    | 5xx                    | 421               | drop              | hang              | drip
banner   | - wait unst defer      | - wait unst defer      | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
ehlo     | - wait unst defer      | - wait unst defer      | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
starttls | - wait unst defer      | - fail unst fail       | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
auth     | - wait unst defer      | - fail disc fail       | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
mail     | - wait unst defer      | - fail none -          | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
rcpt 1   | -,O wait,sent conn defer | -,O fail,sent conn - | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
rcpt 2   | O,- sent,wait conn defer | O,- sent,fail conn - | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
data     | - wait unst defer      | - fail none -          | - wait unst defer | - wait unst defer | - wait unst defer | - wait unst defer
mid-body |                        |                        | - wait unst defer | - held unst held  | - held unst held  | - held unst held
dot      | - wait unst defer      | - fail none -          | - wait unst defer | O held unst held  | O held unst held  | O held unst held
quit     | O sent conn -          | O sent conn -          | O sent conn -     | O sent conn -     | O sent conn -     | O sent conn -
"""

STATES = {
    False: "none",
    "not_connected": "none",
    "connected": "conn",
    "unstable": "unst",
    "disconnected": "disc",
}
EVENTS = {"fallback": "fallb", "deferred": "defer", "held": "held", "failed": "fail"}


def parsed(table):
    """``{(phase, action): cell}`` of one of the tables above."""
    _heading, *rows = table.strip("\n").splitlines()
    cells = {}
    for row in rows:
        phase, *row_cells = (cell.strip() for cell in row.split("|"))
        cells.update({(phase, a): c for a, c in zip(ACTIONS, row_cells, strict=True) if c})
    return cells


def printed(cells):
    """The cells as a table: a row for each phase, a column for each action."""
    phases = list(dict.fromkeys(phase for phase, _action in cells))
    rows = [("", *ACTIONS), *((p, *(cells.get((p, a), "") for a in ACTIONS)) for p in phases)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(ACTIONS) + 1)]
    return "\n".join(
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


@tagged("post_install", "-at_install")
class TestMatrix(SystemMailCase):
    """Whatever happens wherever: nothing is lost, and nobody gets a second copy but where the
    server may have accepted the first.
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
        for server in self.servers:
            server.encryption = "starttls"
        (self.own_server | self.system_server).smtp_encryption = "starttls"
        self.http_request_allow_all = True  # the mocked one has no cookies
        # on a busy machine a person's time would be up before the servers' faults are told apart
        self.env["ir.config_parameter"].set_param("system_mail.person_seconds", "0")

    # --- the walks

    def test_the_authors_mailbox_fails_in_every_phase_and_way(self):
        def breaks(fault):
            return self.own.fail(**fault)

        self._walk("The author's mailbox fails", OWN_MAILBOX, self.own_server, breaks)

    def test_system_mail_fails_in_every_phase_and_way_while_the_authors_mailbox_is_down(self):
        def breaks(fault):
            self.own.fail("connect", action="reset")
            return self.system.fail(**fault)

        self._walk("System Mail fails too", SYSTEM_MAIL, self.system_server, breaks)

    def test_mail_to_a_customer_waits_fails_or_is_held(self):
        def breaks(fault):
            return self.own.fail(**fault)

        self._walk(
            "Mail to a customer", OUT_OF_SCOPE, self.own_server, breaks, reader=self.customer
        )
        self.assertFalse(self.system.connections)

    def test_a_bad_certificate_is_never_accepted(self):
        self.own_server.smtp_encryption = "starttls_strict"
        for kind in CERTIFICATES[1:]:
            with self.subTest(kind), self._cell():
                self.own.certificate = kind
                self.assertEqual(self._play("tls", self.own_server), "S sent unst fallb")
                self.assertEqual(self.health(self.own_server).phase, "tls")
                self.assertEqual(self.health(self.own_server).kind, "certificate")
        self.assertFalse(self.own.attempts, "a password by a line that may be tapped")

    def _smtp(self, mailbox):
        return self.system if mailbox == self.system_server else self.own

    # --- one cell

    def _walk(self, title, table, mailbox, breaks, reader=None):
        """Go through the cells of a table; compare and print what really happens.

        :param mailbox: the server whose state a cell tells
        :param breaks: sets a fault
        :param reader: the partner who is mentioned, Ben by default
        """
        expected, found = parsed(table), {}

        def fault_strikes(cell, seconds):
            phase, action = cell
            with self._cell():
                fault = breaks(self._fault(phase, action))
                silence = patch.object(ir_mail_server, "SMTP_TIMEOUT", seconds)
                with silence, MockRequest(self.env):
                    found[cell] = self._play(phase, mailbox, reader)
                if phase == "quit":  # nobody waits for the answer
                    self._smtp(mailbox).wait(lambda _: fault.struck)
                if fault.struck:
                    self.assertEqual(found[cell], expected[cell])
                    self._recover(found[cell])
                return fault.struck

        for cell in expected:
            phase, action = cell
            with self.subTest(title, phase=phase, action=action):
                tries = SHORT if action in SILENT else [SMTP_TIMEOUT]
                self.assertTrue(
                    any(fault_strikes(cell, seconds) for seconds in tries),
                    "the fault did not strike: the cell proves nothing",
                )
        print(f"\n\n{title}\n{printed(found)}")  # pylint: disable=print-used
        self.assertEqual(printed(found), printed(expected))

    @contextlib.contextmanager
    def _cell(self):
        """Begin with healthy servers and an unwritten past, as each cell does."""
        with self.env.cr.savepoint() as savepoint:
            try:
                yield
            finally:
                savepoint.rollback()
                self._heal()

    @staticmethod
    def _fault(phase, action):
        fault = {"phase": phase.replace("mid-", "").partition(" ")[0]}
        if phase.startswith("rcpt"):
            fault["nth"] = int(phase[-1])
        if phase == "mid-body":
            fault["after_bytes"] = 100
        if action in ("4xx", "5xx"):
            fault["reply"] = REPLIES[phase][action == "5xx"]
        elif action == "421":
            fault["reply"] = CLOSING
        else:
            fault["action"] = action
            if phase == "dot":
                fault["accept"] = True  # the nastier half: the server has it
        return fault

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
                self.assertEqual(delivery.message["Message-Id"], self._message.message_id)
                letters += server.name[0].upper() * delivery.rcpt_to.count(address)
        return letters or "-"

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


class TestMatrixWithoutPipelining(TestMatrix):
    """Likewise where the servers want one command at a time."""

    pipelining = False
