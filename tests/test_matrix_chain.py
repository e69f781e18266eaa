"""Every way a mailbox can fail, of the second mailbox of a chain of three."""

from email.utils import parseaddr

from odoo.tests import tagged

from .https_lab import Gmail
from .matrix_case import ADDRESSES, MatrixCase
from .test_backups import BackupCase
from .test_matrix import SmtpMatrixCase
from .test_matrix_https import HttpsMatrixCase

# As in test_matrix; B: the second mailbox of System Mail carried it. The author's mailbox is down,
# and System Mail's first one fails:
FIRST_OF_SYSTEM_MAIL = """
         | 4xx                    | 5xx                    | 421               | drop               | hang               | drip
banner   | B sent unst fallb      | B sent unst fallb      | B sent unst fallb | B sent unst fallb  | B sent unst fallb  | B sent unst fallb
ehlo     | B sent unst fallb      | B sent unst fallb      | B sent unst fallb | B sent unst fallb  | B sent unst fallb  | B sent unst fallb
starttls | B sent unst fallb      | B sent unst fallb      | B sent unst fallb | B sent unst fallb  | B sent unst fallb  | B sent unst fallb
auth     | B sent unst fallb      | B sent disc fallb      | B sent unst fallb | B sent unst fallb  | B sent unst fallb  | B sent unst fallb
mail     | B sent unst fallb      | B sent none fallb      | B sent unst fallb | B sent unst fallb  | B sent unst fallb  | B sent unst fallb
rcpt 1   | -,S wait,sent conn defer,fallb | -,S fail,sent conn fail,fallb | B sent unst fallb | B sent unst fallb | B sent unst fallb | B sent unst fallb
rcpt 2   | S,- sent,wait conn fallb,defer | S,- sent,fail conn fallb,fail | B sent unst fallb | B sent unst fallb | B sent unst fallb | B sent unst fallb
data     | B sent unst fallb      | B sent none fallb      | B sent unst fallb | B sent unst fallb  | B sent unst fallb  | B sent unst fallb
mid-body |                        |                        | B sent unst fallb | B sent unst fallb  | B sent unst fallb  | B sent unst fallb
dot      | B sent unst fallb      | B sent none fallb      | B sent unst fallb | SB sent unst fallb | SB sent unst fallb | SB sent unst fallb
quit     | S sent conn fallb      | S sent conn fallb      | S sent conn fallb | S sent conn fallb  | S sent conn fallb  | S sent conn fallb
"""


class ChainCase(MatrixCase, BackupCase):
    """The author's mailbox is down; of System Mail's two mailboxes, the first one fails."""

    def _play(self, phase, mailbox, reader=None):
        cell = super()._play(phase, mailbox, reader)
        carriers, _fates, state, _events = cell.split()
        self.assertEqual(self.health(self.own_server).state, "unstable")
        if state in ("unst", "disc"):
            self.assertTrue(self.health(mailbox).reason)
        if "B" in carriers:
            self.assertEqual(self.health(self.second_server).state, "connected")
            sent_from = self.events("fallback")[-1].sent_from
            self.assertEqual(parseaddr(sent_from)[1], ADDRESSES["backup"])
        return cell


@tagged("post_install", "-at_install")
class TestMatrixOfChain(ChainCase, SmtpMatrixCase):
    """The next mailbox carries it in the same run: none is lost, and there is one copy, but where
    the server may have accepted the first.
    """

    def setUp(self):
        super().setUp()
        self.second_server.smtp_encryption = "starttls"

    def test_system_mails_first_mailbox_fails_in_every_phase_and_way(self):
        def breaks(fault):
            self.own.fail("connect", action="reset")
            return self.system.fail(**fault)

        self._walk(
            "The second mailbox of three fails", FIRST_OF_SYSTEM_MAIL, self.system_server, breaks
        )


class TestMatrixOfChainToHttps(HttpsMatrixCase, TestMatrixOfChain):
    """The third sends by HTTPS: that is all the same however the second fails before the dot."""

    phases = ("banner", "auth", "rcpt 1", "data", "dot")

    def setUp(self):
        super().setUp()
        self._by_https(self.second_server)


def with_one_behind(row):
    """The cell of a chain, from a row of the modes of HTTPS: what waits where there is no further
    mailbox is carried by it, in the same run.
    """
    _own, cell, _customer = row
    carriers, fate, state, _event = cell.split()
    return f"{carriers.strip('-')}B sent {state} fallb" if fate == "wait" else cell


@tagged("post_install", "-at_install")
class TestMatrixOfChainFromHttps(ChainCase, HttpsMatrixCase):
    """System Mail's first mailbox sends by HTTPS, and fails in every way."""

    def test_system_mails_first_mailbox_fails_in_every_mode(self):
        api = self._by_https(self.system_server)
        self._walk_modes(with_one_behind, api, self.system_server, down=True)


class TestMatrixOfChainFromGmail(TestMatrixOfChainFromHttps):
    kind = Gmail
