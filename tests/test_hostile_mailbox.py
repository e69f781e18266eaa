import time
import tracemalloc

from odoo.tests import tagged

from .common import SystemMailCase
from .smtp_lab import Liar


@tagged("post_install", "-at_install")
class TestHostileMailbox(SystemMailCase):
    """A person's mailbox is at a server that wants to cost time, memory or disk."""

    MOST_MEMORY = 50_000_000
    """Bytes. The test's own server takes 20 million of them, and says a thousand million."""
    MOST_LOGGED = 20_000
    LONGEST = 20

    def test_a_server_without_an_end_costs_little_and_loses_nothing(self):
        for phase, what in (("banner", "flood"), ("ehlo", "endless"), ("auth", "endless")):
            with self.subTest(phase, what=what), Liar({phase: [what]}) as liar:
                self.own_server.write({"smtp_host": liar.host, "smtp_port": liar.port})
                before = len(self.system.accepted)
                tracemalloc.start()
                begin = time.monotonic()
                with self.assertLogs("odoo", "DEBUG") as log:
                    message = self.mention()
                _now, peak = tracemalloc.get_traced_memory()
                tracemalloc.stop()
                self.assertEqual(message.notification_ids.notification_status, "sent")
                self.assertEqual(len(self.system.accepted), before + 1)
                self.assertLess(time.monotonic() - begin, self.LONGEST)
                self.assertLess(peak, self.MOST_MEMORY)
                told = [line for line in log.output if ":odoo.sql_db:" not in line]
                self.assertLess(len("".join(told)), self.MOST_LOGGED)
