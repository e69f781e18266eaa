import contextlib
import http.server
import json
import os
import threading
import time
from unittest.mock import patch

from odoo.tests import tagged

from .common import SystemMailCase
from .oauth_lab import OAuthLab

ANA = "ana@company.test"


@contextlib.contextmanager
def answering(status, **body):
    """A service that has one answer for everybody; its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_args):
            """Silence: an address may hold a token."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class OdooOAuthCase(SystemMailCase):
    """Ana's mailbox is connected by one of Odoo's own OAuth modules, which come with mail."""

    def setUp(self):
        super().setUp()
        self.own.logins.clear()
        self.parameters = self.env["ir.config_parameter"]

    def connect(self, authentication, **tokens):
        self.own_server.write(
            {
                "smtp_pass": False,
                "smtp_encryption": "starttls",
                "smtp_authentication": authentication,
            }
        )
        self.own.encryption = "starttls"
        self.own_server.sudo().write(tokens)
        self.env.flush_all()  # the own cursor sees what is in the database

    def assert_falls_back(self, state, phase):
        self.assert_arrives_once_by_system_mail(self.mention())
        health = self.health(self.own_server)
        self.assertEqual((health.state, health.phase), (state, phase))


@tagged("post_install", "-at_install")
class TestOutlook(OdooOAuthCase):
    def setUp(self):
        super().setUp()
        self.enterContext(patch.dict(os.environ, OAUTHLIB_INSECURE_TRANSPORT="1"))
        self.oauth = self.enterContext(OAuthLab(account=ANA))
        self.oauth.scope = (
            "openid email offline_access https://outlook.office.com/User.read "
            "https://outlook.office.com/SMTP.Send"
        )
        self.oauth.on_token = lambda account, token: self.own.tokens.update({account: token or ""})
        for name, value in {
            "microsoft_outlook.endpoint": f"{self.oauth.url}/",
            "microsoft_outlook_client_id": self.oauth.client_id,
            "microsoft_outlook_client_secret": self.oauth.client_secret,
        }.items():
            self.parameters.set_param(name, value)
        token = self.oauth.issue()
        self.connect(
            "outlook",
            microsoft_outlook_refresh_token=token["refresh_token"],
            microsoft_outlook_access_token=token["access_token"],
            microsoft_outlook_access_token_expiration=int(time.time()) + 3600,
        )

    def expire(self):
        self.own_server.sudo().microsoft_outlook_access_token_expiration = 0

    def test_a_good_token_sends(self):
        self.mention()
        self.assertEqual(len(self.own.accepted), 1)

    def test_an_access_token_that_the_server_refuses_is_replaced_once(self):
        self.own_server.sudo().microsoft_outlook_access_token = "refused"
        self.mention()
        self.assertEqual(len(self.own.accepted), 1)
        self.assertEqual(self.oauth.refreshes, 1)
        self.assertFalse(self.events("fallback"))

    def test_a_check_keeps_the_token_that_it_was_given(self):
        self.expire()
        self.env.flush_all()
        for _ in range(2):
            checks = list(self.own_server.system_mail_check_in_parallel())
            self.assertEqual(checks, [(self.own_server, None)])
        self.assertEqual(self.oauth.refreshes, 1)

    def test_a_revoked_grant_falls_back_and_disconnects(self):
        self.oauth.revoke(ANA)
        self.expire()
        self.assert_falls_back("disconnected", "token")

    def test_a_grant_revoked_while_the_token_seems_good_falls_back_and_disconnects(self):
        self.oauth.revoke(ANA)
        self.assert_falls_back("disconnected", "token")

    def test_a_provider_that_is_down_falls_back_but_does_not_disconnect(self):
        self.oauth.fail("token", status=503)
        self.expire()
        self.assert_falls_back("unstable", "token")

    def test_an_answer_without_a_token_falls_back_but_does_not_disconnect(self):
        self.expire()
        bodies = (b"{}", b"[]", b"null", b"<html>")
        for count, body in enumerate(bodies, 1):
            with self.subTest(body):
                fault = self.oauth.fail("token", status=200, body=body)
                self.mention()
                self.oauth.heal(fault)
                self.assertEqual(len(self.system.accepted), count)
                health = self.health(self.own_server)
                self.assertEqual((health.state, health.phase), ("unstable", "token"))
                health._reset()

    def test_a_wrong_client_secret_falls_back_but_does_not_disconnect(self):
        self.oauth.fail("token", error="invalid_client", description="AADSTS7000222: expired")
        self.expire()
        self.assert_falls_back("unstable", "token")
        self.assertEqual(self.health(self.own_server).effect, "provider_misconfigured")
        self.env.invalidate_all()
        channel = self.env.ref("system_mail.channel_alerts")
        self.assertEqual(sum("client secret" in (m.body or "") for m in channel.message_ids), 1)


@tagged("post_install", "-at_install")
class TestGmail(OdooOAuthCase):
    """Google's own address cannot be another's; the service that stands in for it can."""

    def setUp(self):
        super().setUp()
        self.connect(
            "gmail",
            google_gmail_refresh_token="refresh",
            google_gmail_access_token="good",
            google_gmail_access_token_expiration=int(time.time()) + 3600,
        )
        self.own.tokens[ANA] = "good"

    def sends_with(self, status, **body):
        service = self.enterContext(answering(status, **body))
        self.parameters.set_param("mail.server.gmail.iap.endpoint", service)
        self.parameters.set_param("google_gmail_client_id", False)

    def test_a_good_token_sends(self):
        self.mention()
        self.assertEqual(len(self.own.accepted), 1)

    def test_a_revoked_grant_falls_back_and_disconnects(self):
        self.own.tokens[ANA] = "another"
        self.sends_with(400, error="invalid_grant")
        self.assert_falls_back("disconnected", "token")

    def test_a_provider_that_is_down_falls_back_but_does_not_disconnect(self):
        self.own_server.sudo().google_gmail_access_token_expiration = 0
        self.sends_with(503)
        self.assert_falls_back("unstable", "token")
