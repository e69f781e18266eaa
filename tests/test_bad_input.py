import contextlib
import http.server
import threading

from odoo.exceptions import ValidationError
from odoo.tests import tagged

from .common import SystemMailCase
from .tables import REFUSED, tried


@contextlib.contextmanager
def web_server():
    """An HTTP server, as somebody may take it for an SMTP server; its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@tagged("post_install", "-at_install")
class TestBadInput(SystemMailCase):
    """Whatever is typed in the connect dialog: a sentence, and nothing saved half-way."""

    def setUp(self):
        super().setUp()
        self.before = self.snapshot()

    def snapshot(self):
        self.env.invalidate_all()
        servers = self.env["ir.mail_server"].with_context(active_test=False).search([])
        return (
            self.company.system_mail_address,
            self.company.system_mail_server_id,
            [(s.id, s.smtp_host, s.smtp_port, s.smtp_user, s.sudo().smtp_pass) for s in servers],
        )

    def refused(self, **values):
        """Press Connect; what the dialog says, with what was typed still there."""
        dialog = self.env["system.mail.connect"].create(
            {
                "company_id": self.company.id,
                "address": "hello@company.test",
                "smtp_host": "127.0.0.1",
                "smtp_port": self.system.port,
                "smtp_encryption": "none",
                "smtp_user": "hello@company.test",
                "smtp_pass": "neutral",
                **values,
            }
        )
        dialog.action_connect()
        self.assertEqual(dialog.state, "failed")
        self.assertTrue(dialog.problem.strip().endswith("."), dialog.problem)
        self.assertNotIn("Traceback", dialog.problem)
        for name in set(values) - {"smtp_pass"}:
            self.assertEqual(dialog[name], values[name])
        self.assertEqual(self.snapshot(), self.before)
        tried(f"typed in the connect dialog: {' and '.join(values) or 'another address'}", REFUSED)
        return f"{dialog.problem} {dialog.remedy or ''}"

    def test_addresses(self):
        for address in (
            False,
            " ",
            "hello",
            "@company.test",
            "hello@",
            "hello@@company.test",
            "Hello <hello@company.test>",
            "a@company.test, b@company.test",
            "höllo@company.test",
            "hello@cömpany.test",
            "hello @company.test",
            "hello@company.test\r\nBcc: eve@elsewhere.test",
        ):
            with self.subTest(address):
                self.assertRegex(self.refused(address=address), "address")

    def test_hosts(self):
        for host in (False, "", "smtp company test", "http://smtp.company.test", "a@b", "smtp/x"):
            with self.subTest(host):
                self.assertIn("not the name of a server", self.refused(smtp_host=host))
        for host in ("smtp.company.invalid", "smtp..company.test", "x" * 300, "-"):
            with self.subTest(host):
                self.assertIn("server name", self.refused(smtp_host=host))

    def test_ports(self):
        for port in (-1, 0, 65536, 99999):
            with self.subTest(port):
                self.assertIn("is not a port", self.refused(smtp_port=port))

    def test_a_port_where_nobody_listens(self):
        self.assertIn("could not be reached", self.refused(smtp_port=self.lab.closed_port()))

    def test_a_web_server(self):
        with web_server() as port:
            self.assertIn("not available", self.refused(smtp_port=port))

    def test_a_server_without_log_in(self):
        server = self.smtp("bare", logins={"hello@company.test": "neutral"}, offer_auth=False)
        self.assertIn("does not accept this kind of log-in", self.refused(smtp_port=server.port))

    def test_encryption_that_is_not_there(self):
        self.assertIn("encryption", self.refused(smtp_encryption="starttls_strict"))
        self.assertIn("encryption", self.refused(smtp_encryption="ssl_strict"))

    def test_passwords(self):
        self.assertIn("password was rejected", self.refused(smtp_pass="wrong"))
        self.assertIn("longer than", self.refused(smtp_pass="x" * 3_000_000))
        self.assertIn("cannot be sent", self.refused(smtp_pass="pässwörd", smtp_user="hällo"))

    def test_a_log_in_that_may_not_send_as_the_address(self):
        self.system.allowed_senders = ["other@company.test"]
        self.assertIn("may not send from this address", self.refused())

    def test_limits_below_zero(self):
        self.assertIn("0 is no limit", self.refused(limit_day=-5))

    def test_limits_below_zero_in_the_settings(self):
        for name in ("minute", "day", "user_hour"):
            with self.subTest(name), self.assertRaisesRegex(ValidationError, "0 is no limit"):
                self.company[f"system_mail_limit_{name}"] = -1

    def test_providers(self):
        good = {
            "name": "Lab",
            "authorization_endpoint": "https://provider.test/authorize",
            "token_endpoint": "https://provider.test/token",
            "scope": "mail",
            "smtp_host": "smtp.provider.test",
        }
        provider = self.env["system.mail.oauth.provider"]
        self.assertTrue(provider.create(good))
        for bad in (
            {"token_endpoint": "http://provider.test/token"},
            {"token_endpoint": "provider.test/token"},
            {"token_endpoint": "https://provider.test/to ken"},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"authorization_endpoint": "https://[provider"},
            {"tenant": "a b", "token_endpoint": "https://provider.test/{tenant}/token"},
            {"smtp_port": 0},
            {"smtp_port": 99999},
        ):
            with self.subTest(bad), self.assertRaises(ValidationError):
                provider.create({**good, **bad})
            tried("addresses of a provider", REFUSED)
