from contextlib import contextmanager
from unittest.mock import patch

from odoo.tests import tagged

from ..failover import ssrf_guard
from ..models.accounts.system_mail_attempt import MOST
from .common import SystemMailCase
from .smtp_lab import Liar
from .tables import REFUSED, tried
from .test_oauth import ANA

UNKNOWN = "mail.company.invalid"
INTERNAL = (
    "127.0.0.1",
    "localhost",
    "127.1",
    "2130706433",
    "0.0.0.0",
    "10.0.0.1",
    "169.254.169.254",
)


@tagged("post_install", "-at_install")
class TestReach(SystemMailCase):
    """The connect dialog is no window into the network that the server stands in."""

    def setUp(self):
        super().setUp()
        self.allow(False)

    def allow(self, allowed):
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("system_mail.allow_internal_hosts", str(int(allowed)))

    def tried(self, user=None, **values):
        """The dialog for the user's own mailbox, after Connect."""
        user = user or self.ana
        dialog = self.env["system.mail.connect"].with_user(user)
        dialog = dialog.create(
            {
                "user_id": user.id,
                "address": user.email,
                "smtp_host": self.own.host,
                "smtp_port": 25,
                "smtp_encryption": "none",
                "smtp_user": user.email,
                "smtp_pass": "secret",
                **values,
            }
        )
        dialog.action_connect()
        return dialog

    @contextmanager
    def mail_ports(self, *servers):
        """Take the ports of these servers for those of mail."""
        with patch.object(ssrf_guard, "PORTS", [server.port for server in servers]):
            yield

    def as_words(self, dialog):
        return dialog.problem.replace(dialog.smtp_host, "HOST"), dialog.remedy, dialog.answer

    def test_no_internal_server_is_found_and_nothing_says_why(self):
        words = {self.as_words(self.tried(smtp_host=host)) for host in (*INTERNAL, UNKNOWN)}
        self.assertEqual(len(words), 1, "an internal name is told from one that is none")
        [(problem, remedy, answer)] = words
        self.assertIn("No public mail server “HOST” was found", problem)
        self.assertIn("Super User", remedy)
        self.assertFalse(answer)
        tried("internal servers and ports (SSRF)", REFUSED, len(INTERNAL))

    def test_nobody_is_called(self):
        with Liar({}) as liar, self.mail_ports(liar):
            for host in INTERNAL[:3]:
                self.tried(smtp_host=host, smtp_port=liar.port)
            self.assertFalse(liar.clients)
            self.allow(True)
            self.tried(smtp_port=liar.port)
            self.assertTrue(liar.clients)

    def test_only_the_ports_of_mail(self):
        for port in (22, 80, 8069, self.own.port):
            dialog = self.tried(smtp_port=port)
            self.assertIn("25, 465, 587 or 2525", dialog.problem)
            tried("internal servers and ports (SSRF)", REFUSED)
        self.assertFalse(self.own.connections)

    def test_system_mail_may_be_anywhere(self):
        dialog = self.env["system.mail.connect"].create(
            {
                "company_id": self.company.id,
                "address": "hello@company.test",
                "smtp_host": self.system.host,
                "smtp_port": self.system.port,
                "smtp_encryption": "none",
                "smtp_user": "hello@company.test",
                "smtp_pass": "neutral",
            }
        )
        dialog.action_connect()
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))

    def test_a_super_users_own_mailbox_may_be_anywhere(self):
        self.own_server.unlink()
        self.ana.group_ids += self.env.ref("system_mail.group_super_user")
        dialog = self.tried(smtp_port=self.own.port)
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))

    def test_the_setting_allows_it(self):
        self.own_server.unlink()
        self.allow(True)
        dialog = self.tried(smtp_port=self.own.port)
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        self.allow(False)
        self.mention()
        self.assertEqual(len(self.own.accepted), 1, "what was allowed goes on")

    def test_what_an_administrator_set_up_goes_on(self):
        self.mention()
        self.assertEqual(len(self.own.accepted), 1)

    def test_a_name_that_becomes_internal_later_is_not_followed(self):
        self.own_server.system_mail_public_only = True  # as the dialog makes it
        with self.mail_ports(self.own):
            self.assert_arrives_once_by_system_mail(self.mention())
            self.company.system_mail_address = False
            self.mention()
            self.ana.with_user(self.ana).outgoing_mail_server_id.sudo().system_mail_check()
        self.assertFalse(self.own.connections)

    def test_a_mailbox_that_somebody_connects_is_marked(self):
        self.own_server.unlink()
        with (
            self.mail_ports(self.own),
            patch.object(ssrf_guard, "is_public", lambda _address: True),
        ):
            dialog = self.tried(smtp_port=self.own.port)
            self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        server = self.ana.outgoing_mail_server_id.sudo()
        self.assertTrue(server.system_mail_public_only)
        with self.mail_ports(self.own):
            self.assert_arrives_once_by_system_mail(self.mention())

    def test_nobody_tries_without_end(self):
        self.own_server.unlink()
        self.allow(True)
        for _ in range(MOST):
            dialog = self.tried(smtp_port=self.own.port, smtp_pass="wrong")
            self.assertIn("password was rejected", dialog.problem)
        attempts = len(self.own.attempts)
        with self.clock_ahead(15):  # another host's
            dialog = self.tried(smtp_port=self.own.port)
        self.assertEqual(dialog.state, "failed")
        self.assertIn("You have tried 10 times within 10 minutes", dialog.problem)
        self.assertEqual(len(self.own.attempts), attempts)
        self.own.logins["ben@company.test"] = "secret"
        dialog = self.tried(self.ben, smtp_port=self.own.port)
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        self.env["system.mail.attempt"].search([]).tried_at = "2026-01-01"
        self.env.flush_all()
        self.assertEqual(self.tried(smtp_port=self.own.port).state, "connected")
        self.env["system.mail.attempt"]._gc_attempts()
        self.assertEqual(len(self.env["system.mail.attempt"].search([])), 1)
        self.assertEqual(self.own.attempts[-1].login, ANA)
