"""A sign-in on a connection of its own to the database, as a person's request has it: what it has
stored is not committed yet, and no other connection sees it.
"""

from urllib.parse import parse_qs, urlsplit

import pytest

from measure.instance import environment

from ...connect.oauth import authorization
from ..oauth_lab import OAuthLab
from .company import SYSTEM

SMTP_AUTH_DISABLED = (
    "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox."
)


class SignIn:
    """System Mail's address, at a provider where it can sign in."""

    def __init__(self, lab, company):
        self.lab, self.server = lab, company.system
        lab.on_token = self.server.tokens.__setitem__
        self.server.logins.clear()
        with environment() as env:
            self._provider_id = self._provider(env).id

    def _provider(self, env):
        return env["system.mail.oauth.provider"].create(
            {
                "name": "Lab Mail",
                "client_id": self.lab.client_id,
                "client_secret_input": self.lab.client_secret,
                "authorization_endpoint": self.lab.authorization_endpoint,
                "token_endpoint": self.lab.token_endpoint,
                "userinfo_endpoint": self.lab.userinfo_endpoint,
                "scope": self.lab.scope,
                "smtp_host": self.server.host,
                "smtp_port": self.server.port,
                "smtp_encryption": "none",
            }
        )

    def walk(self, env):
        """Consent, and come back; the dialog then."""
        provider = env["system.mail.oauth.provider"].browse(self._provider_id)
        self.lab.redirect_uri = provider.redirect_uri
        url, verifier = authorization(provider.oauth_client(), "state", SYSTEM.address)
        [code] = parse_qs(urlsplit(self.lab.consent(url)).query)["code"]
        dialog = env["system.mail.connect"].create(
            {
                "company_id": env.company.id,
                "address": SYSTEM.address,
                "smtp_user": SYSTEM.address,
                "method": str(provider.id),
                "oauth_verifier": verifier,
            }
        )
        dialog.finish_sign_in(code, None)
        return dialog


@pytest.fixture(name="sign_in")
def _sign_in(company, monkeypatch):
    # oauthlib wants https of all but the tests of its users
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    with OAuthLab(account=SYSTEM.address) as lab:
        yield SignIn(lab, company)
    with environment() as env:
        company.forget_sign_in(env, "Lab Mail")


def test_a_first_sign_in_says_that_the_mailbox_has_smtp_switched_off(sign_in):
    sign_in.server.fail("auth", reply=SMTP_AUTH_DISABLED)
    with environment() as env:
        dialog = sign_in.walk(env)
        assert dialog.state == "failed"
        assert dialog.remedy.startswith("Enable SMTP AUTH"), dialog.remedy
        assert not env["system.mail.oauth.token"].search([])


def test_a_first_token_that_has_ended_already_is_refreshed(sign_in):
    sign_in.lab.expires_in = 30
    with environment() as env:
        dialog = sign_in.walk(env)
        assert (dialog.state, dialog.problem) == ("connected", False)
    assert sign_in.lab.refreshes
