"""Every way a mailbox can fail, one by one: phase by phase and action by action."""

from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.base.models import ir_mail_server
from odoo.addons.http_routing.tests.common import MockRequest

from .common import SMTP_TIMEOUT
from .matrix_case import MatrixCase
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


class SmtpMatrixCase(MatrixCase):
    """In each phase of SMTP, in each way."""

    phases = tuple(REPLIES)
    """Those that are walked."""

    def setUp(self):
        super().setUp()
        for server in self.servers:
            server.encryption = "starttls"
        (self.own_server | self.system_server).smtp_encryption = "starttls"

    def _smtp(self, mailbox):
        return self.system if mailbox == self.system_server else self.own

    # --- one cell

    def _walk(self, title, table, mailbox, breaks, reader=None):
        """Go through the cells of a table; compare and print what really happens.

        :param mailbox: the server whose state a cell tells
        :param breaks: sets a fault
        :param reader: the partner who is mentioned, Ben by default
        """
        cells = parsed(table).items()
        expected = {cell: what for cell, what in cells if cell[0] in self.phases}
        found = {}

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


@tagged("post_install", "-at_install")
class TestMatrix(SmtpMatrixCase):
    """The walks through the tables."""

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


class TestMatrixWithoutPipelining(TestMatrix):
    """Likewise where the servers want one command at a time: it is all the same until MAIL."""

    pipelining = False
    phases = ("mail", "rcpt 1", "rcpt 2", "data", "mid-body")
