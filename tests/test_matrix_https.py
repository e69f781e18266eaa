"""Every way a mailbox can fail that sends by HTTPS."""

import os
from operator import itemgetter
from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.base.models import ir_mail_server
from odoo.addons.http_routing.tests.common import MockRequest

from ..constants import OAUTH
from .common import SMTP_TIMEOUT
from .https_lab import Gmail, Graph
from .matrix_case import ADDRESSES, MatrixCase
from .oauth_lab import Application, OAuthLab

SCOPE = "https://graph.lab.test/.default"
SILENT = 0.7
"""Seconds: Odoo's time-out where a server is silent."""
_JUNK = b"220 mail.company.test ESMTP\r\n"

MODES = {
    # the way to the provider
    "nobody listens": "stop",
    "closes at once": {"phase": "connect", "action": "drop"},
    "resets at once": {"phase": "connect", "action": "reset"},
    "says nothing": {"phase": "connect", "action": "hang"},
    "closes before TLS": {"phase": "tls", "action": "drop"},
    "certificate expired": "expired",
    "certificate of another": "other-name",
    # the token
    "no token: 503": {"token": {"status": 503}},
    "no token: dropped": {"token": {"action": "drop"}},
    "no token: secret": {"token": {"error": "invalid_client"}},
    # a line cut before the request was read: all of it was written, so nobody knows
    "cut at the head": {"phase": "head", "action": "drop"},
    "reset in the body": {"phase": "body", "action": "reset"},
    # answers
    "401": {"status": 401, "code": "InvalidAuthenticationToken"},
    "403 access": {"status": 403, "code": "ErrorAccessDenied"},
    "403 send as": {"status": 403, "code": "ErrorSendAsDenied"},
    "403 blocked": {"status": 403, "code": "ErrorMessageSubmissionBlocked"},
    "403 unknown": {"status": 403, "code": "SomethingNew"},
    "404 mailbox": {"status": 404, "code": "ErrorInvalidUser"},
    "400 recipient": {"status": 400, "code": "ErrorInvalidRecipients"},
    "400 unknown": {"status": 400, "code": "invalidArgument"},
    "413": {"status": 413},
    "429": {"status": 429, "headers": {"Retry-After": "120"}},
    "429 day": {"status": 429, "code": "ErrorExceededMessageLimit"},
    "503": {"status": 503, "headers": {"Retry-After": "120"}},
    "500": {"status": 500},
    "504": {"status": 504},
    "507": {"status": 507, "code": "ErrorQuotaExceeded"},
    # a line cut after the request was sent
    "dropped after it": {"action": "drop", "accept": True},
    "reset after it": {"action": "reset", "accept": True},
    "silent after it": {"action": "hang", "accept": True},
    "dripping after it": {"action": "drip", "accept": True},
    "no HTTP after it": {"raw": _JUNK, "accept": True},
    # a yes
    "yes, cut short": {"phase": "rest", "action": "drop"},
    "yes, never sent": {"status": 202},
}

OF_PROVIDER = "S sent unst fallb | - wait unst defer | - wait unst defer"
NOBODY_KNOWS = "S sent unst fallb | - wait unst defer | - held unst held"
CUT_AFTER = "OS sent unst fallb | S wait unst defer | O held unst held"
EXPECTED = {  # the author's mailbox fails | System Mail fails, too | mail to a customer
    "no token: secret": "S sent unst fallb | - wait unst defer | - fail unst fail",
    "certificate expired": "S sent unst fallb | - wait unst defer | - fail unst fail",
    "certificate of another": "S sent unst fallb | - wait unst defer | - fail unst fail",
    "cut at the head": NOBODY_KNOWS,
    "reset in the body": NOBODY_KNOWS,
    "401": "S sent unst fallb | - wait unst defer | - fail unst fail",
    "403 access": "S sent unst fallb | - wait unst defer | - fail unst fail",
    "403 send as": "S sent unst fallb | - wait unst defer | - fail unst fail",
    "403 blocked": "S sent disc fallb | - wait disc defer | - fail disc fail",
    "403 unknown": "S sent none fallb | - wait none defer | - fail none -",
    "404 mailbox": "S sent unst fallb | - wait unst defer | - fail unst fail",
    "400 recipient": "- fail none - | - fail none fail | - fail none -",
    "400 unknown": "S sent none fallb | - wait none defer | - fail none -",
    "413": "- fail none - | - fail none fail | - fail none -",
    "504": NOBODY_KNOWS,
    "507": "S sent unst fallb | - wait unst defer | - fail unst fail",
    "dropped after it": CUT_AFTER,
    "reset after it": CUT_AFTER,
    "silent after it": CUT_AFTER,
    "dripping after it": CUT_AFTER,
    "no HTTP after it": CUT_AFTER,
    "yes, cut short": "O sent conn - | S sent conn fallb | O sent conn -",
    # nothing tells it from a yes that is true
    "yes, never sent": "- sent conn - | - sent conn fallb | - sent conn -",
}


class HttpsMatrixCase(MatrixCase):
    """Some of the mailboxes send by HTTPS."""

    kind = Graph

    def setUp(self):
        super().setUp()
        self.enterContext(
            patch.dict(os.environ, SSL_CERT_FILE=self.lab.cafile, OAUTHLIB_INSECURE_TRANSPORT="1")
        )
        self.oauth, self.apis = self.enterContext(OAuthLab()), []
        self.oauth.on_token = self._follow
        self.oauth.applications["app"] = Application(
            secret="hush~hush", scope=SCOPE, mailboxes=tuple(ADDRESSES.values())
        )

    def _follow(self, account, token):
        for api in self.apis:
            api.tokens.setdefault(token, set()).add(account)

    def _by_https(self, server):
        """Have a mailbox send by HTTPS.

        :return: the API, in the place of the mailbox's SMTP server
        """
        [place] = (i for i, smtp in enumerate(self.servers) if smtp.port == server.smtp_port)
        api = self.kind(self.lab.authority, self.servers[place].name)
        self.addCleanup(api.close)
        self.apis.append(api)
        self.servers[place] = api
        provider = self.env["system.mail.oauth.provider"].create(
            {
                "name": "Lab",
                "grant": "client_credentials",
                "for_people": bool(server.owner_user_id),
                "client_id": "app",
                "client_secret_input": "hush~hush",
                "token_endpoint": self.oauth.token_endpoint,
                "scope": SCOPE,
                "smtp_host": "127.0.0.1",
                "api_form": self.kind.__name__.lower(),
                "api_endpoint": api.endpoint,
                "api_scope": SCOPE,
            }
        )
        server.write(
            {
                "smtp_authentication": OAUTH,
                "system_mail_https": True,
                "smtp_host": "127.0.0.1",
                "smtp_port": api.port,
                "smtp_encryption": "ssl_strict",
                "system_mail_login": server.from_filter,
                "system_mail_provider_id": provider.id,
            }
        )
        self.env.flush_all()
        return api

    def _heal(self):
        super()._heal()
        self.oauth.heal()

    def _id_of(self, delivery):
        """Where the provider gives an ID of its own, the last of the References is Odoo's."""
        own = super()._id_of(delivery)
        return delivery.message["References"].split()[-1] if Gmail.own_ids in own else own

    def _walk_modes(self, expected_of, api, mailbox, reader=None, down=False):
        """Go through the modes.

        :param expected_of: returns the cell of a mode, from its row in ``EXPECTED``
        :param down: whether the author's mailbox is down
        """
        for name, mode in MODES.items():
            expected = expected_of(EXPECTED.get(name, OF_PROVIDER).split(" | "))
            with self.subTest(name), self._cell():
                if down:
                    self.own.fail("connect", action="reset")
                fault = self._break(api, mode)
                timeout = SILENT if self._is_silent(mode) else SMTP_TIMEOUT
                with patch.object(ir_mail_server, "SMTP_TIMEOUT", timeout), MockRequest(self.env):
                    self.assertEqual(self._play(name, mailbox, reader), expected)
                self.assertTrue(fault is None or fault.struck, "the cell proves nothing")
                self._recover(expected)

    @staticmethod
    def _is_silent(mode):
        return isinstance(mode, dict) and mode.get("action") in ("hang", "drip")

    def _break(self, api, mode):
        """:return: the fault, if it tells whether it has struck"""
        if mode == "stop":
            api.stop()
            return None
        if isinstance(mode, str):
            api.certificate = mode
            return None
        if "token" in mode:
            return self.oauth.fail("token", **mode["token"])
        return api.fail(**{"phase": "answer", **mode})


@tagged("post_install", "-at_install")
class TestMatrixByHttps(HttpsMatrixCase):
    """The walks through the modes."""

    def test_the_authors_mailbox_fails(self):
        api = self._by_https(self.own_server)
        self._walk_modes(itemgetter(0), api, self.own_server)

    def test_system_mail_fails_while_the_authors_mailbox_is_down(self):
        api = self._by_https(self.system_server)
        self._walk_modes(itemgetter(1), api, self.system_server, down=True)

    def test_mail_to_a_customer_waits_fails_or_is_held(self):
        api = self._by_https(self.own_server)
        self._walk_modes(itemgetter(2), api, self.own_server, reader=self.customer)


class TestMatrixByGmail(TestMatrixByHttps):
    """The same, where each message gets an ID of the provider's own."""

    kind = Gmail
