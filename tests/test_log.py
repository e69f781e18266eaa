"""What an operator reads in the log of the server."""

import contextlib
import logging
from types import SimpleNamespace
from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.base.models.ir_mail_server import MailDeliveryException
from odoo.addons.http_routing.tests.common import MockRequest
from odoo.addons.mail.models import mail_mail

from ..failover.breaker import THRESHOLD
from ..tools import log_throttle
from .common import SystemMailCase

REJECTED = "535 5.7.8 Username and Password not accepted"
SUBJECT = "Salaries"


def no_test():
    """Odoo leaves out some lines while a test runs."""
    modules = SimpleNamespace(module=SimpleNamespace(current_test=None))
    return patch.object(mail_mail, "modules", modules)


@tagged("post_install", "-at_install")
class TestLog(SystemMailCase):
    def setUp(self):
        super().setUp()
        self.env["system.mail.health"]._connected(self.own_server)
        self.place = f"ana@company.test at 127.0.0.1:{self.own.port}"

    @contextlib.contextmanager
    def log(self):
        """Collects lines as Odoo writes them where no test runs; none has a subject or a secret."""
        lines = []
        with (
            no_test(),
            self.assertLogs("odoo", logging.INFO) as log,
        ):
            yield lines
        lines += [f"{record.levelname} {record.getMessage()}" for record in log.records]
        self.assertFalse([line for line in lines if SUBJECT in line or "secret" in line])
        for words in ("SMTP server 'None'", "Ignoring invalid recipients"):
            self.assertFalse([line for line in lines if words in line])

    def send(self, *mails, **values):
        with self.log() as lines:
            mails = self.env["mail.mail"].union(*(mails or [self.mail(subject=SUBJECT)]))
            mails.send(**values)
        return lines

    def test_a_healthy_mail_has_odoos_own_lines(self):
        lines = self.send()
        self.assertEqual(len([line for line in lines if "successfully sent" in line]), 1)
        self.assertFalse([line for line in lines if "System Mail" in line or "mailbox" in line])

    def test_a_mailbox_that_fails_and_who_carries_its_mail(self):
        self.own.fail("auth", reply=REJECTED)
        lines = self.send(self.mail(subject=SUBJECT), self.mail(subject=SUBJECT))
        self.assertIn(
            f"WARNING mailbox {self.place}: the password was rejected (535 5.7.8); "
            "it is disconnected, and System Mail carries its mail",
            lines,
        )
        self.assertIn(
            "INFO System Mail hello@company.test carried 2 message(s) of ana@company.test: "
            "the password was rejected (535 5.7.8)",
            lines,
        )
        self.assertFalse([line for line in lines if "successfully sent" in line])
        told = [line for line in lines if line.endswith("1 accepted by hello@company.test")]
        self.assertEqual(len(told), 2)
        [batch] = [line for line in lines if "Processed batch" in line]
        self.assertTrue(batch.endswith(f"ID #{self.own_server.id} and System Mail"))

    def test_a_known_outage_is_not_told_again_with_each_mail(self):
        self.own.fail("auth", reply=REJECTED)
        self.send()
        lines = self.send()
        self.assertFalse([line for line in lines if line.startswith("WARNING")])
        self.assertTrue([line for line in lines if "carried 1 message(s)" in line])

    def test_a_failed_connection_that_changes_no_state(self):
        self.own.fail("banner", action="drop")
        for level, ending in (
            ("WARNING", "it is unstable, and System Mail carries its mail"),
            ("INFO", "the server is not available"),
        ):
            [line] = [line for line in self.send() if self.place in line]
            self.assertTrue(line.startswith(f"{level} mailbox"), line)
            self.assertTrue(line.endswith(ending), line)

    def test_it_works_again(self):
        self.own.fail("auth", reply=REJECTED)
        self.send()
        self.own.heal()
        with self.log() as lines:
            self.own_server.system_mail_check()
        self.assertIn(f"INFO mailbox {self.place}: it works again", lines)

    def test_both_fail_and_the_mail_waits(self):
        self.own.fail("rcpt", reply="451 4.3.0 Not now")
        self.system.fail("rcpt", reply="451 4.3.0 Not now")
        lines = self.send()
        [line] = [line for line in lines if line.startswith("INFO Message")]
        self.assertIn("1 waiting (ana@company.test: ", line)

    def test_a_refused_recipient_is_one_mail_of_two(self):
        self.own.fail("rcpt", reply="550 5.1.1 No such user", recipient="cleo@company.test")
        cleo = self._user("Cleo", "cleo@company.test")
        readers = self.ben.partner_id | cleo.partner_id
        lines = self.send(self.mail(subject=SUBJECT, recipient_ids=[(6, 0, readers.ids)]))
        [line] = [line for line in lines if "INFO Mail (mail.mail)" in line]
        self.assertIn("1 accepted by ana@company.test", line)
        self.assertIn("1 failed", line)

    def test_what_raises_an_exception_fails(self):
        self.own.fail("rcpt", reply="451 4.3.0 Not now")
        self.system.fail("rcpt", reply="451 4.3.0 Not now")
        with self.log() as lines, contextlib.suppress(MailDeliveryException):
            self.mail(subject=SUBJECT).send(raise_exception=True)
        [line] = [line for line in lines if line.startswith("INFO Message")]
        self.assertIn("1 failed", line)

    def test_what_a_person_does_not_wait_for(self):
        self.http_request_allow_all = True  # the mocked one has no cookies
        self.env["ir.config_parameter"].set_param("system_mail.person_seconds", "1")
        self.own.fail("mail", action="hang")
        with MockRequest(self.env):
            lines = self.send()
            later = self.send()
        told = (
            "1 message(s) are left to the mail queue: a person waits no longer for ana@company.test"
        )
        self.assertIn(f"INFO {told}", lines)
        self.assertIn(f"INFO {told}", later)

    def test_an_address_that_is_none_keeps_odoos_line(self):
        customer = self.env["res.partner"].create({"name": "C", "email": "not an address"})
        with self.assertLogs("odoo", logging.INFO) as log:
            self.mail(recipient_ids=[(6, 0, customer.ids)]).send()
        self.assertTrue([line for line in log.output if "Ignoring invalid recipients" in line])

    def test_lines_that_were_left_out_are_counted(self):
        throttle = log_throttle.LogThrottle()
        admitted = [throttle.admit("a server") for _ in range(log_throttle.LINES + 2)]
        self.assertEqual(admitted, [0] * log_throttle.LINES + [None] * 2)
        self.assertEqual(throttle.admit("another one"), 0)
        with patch.object(log_throttle, "WINDOW", 0):
            self.assertEqual(throttle.admit("a server"), 2)

    def test_an_outage_of_many_mailboxes_is_told_in_few_lines(self):
        self.own.stop()
        authors = [self._user(f"A{n}", f"a{n}@company.test") for n in range(8)]
        for author in authors:
            self.mailbox(self.own, author.email, "secret", owner_user_id=author.id)
        self.env.flush_all()
        lines = self.send(*(self.mail(author=author, subject=SUBJECT) for author in authors))
        told = [line for line in lines if f":{self.own.port}: " in line]
        self.assertEqual(len(told), THRESHOLD, "then the server is known to be down")
        self.assertEqual(len([line for line in lines if "carried 1" in line]), 8)
