"""Every way a mailbox can fail, of the second mailbox of a chain of three."""

from odoo.tests import tagged

from .test_backups import BackupCase
from .test_matrix import SmtpMatrixCase

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


@tagged("post_install", "-at_install")
class TestMatrixOfChain(SmtpMatrixCase, BackupCase):
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
