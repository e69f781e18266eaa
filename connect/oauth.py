"""Signing in with a provider by OAuth 2.0: as a person, with an authorization code and PKCE (RFC
6749, 7636), and whose consent it was (OpenID Connect Core 1.0); or as an application, without a
person (RFC 6749 4.4, RFC 7523).
"""

import base64
import binascii
import contextlib
import dataclasses
import datetime
import io
import json
import logging
import queue
import re
import threading
from urllib.parse import quote_plus

import requests
from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error, WebApplicationClient
from requests_oauthlib import OAuth2Session

from ..failover.connection import MailboxError
from ..failover.failure import Failure, Kind, Phase
from ..failover.text import decode, json_object
from . import assertion
from .bounded import bound
from .keys import KeyFileError

TIMEOUT = 5
"""Seconds for a provider to take a connection, and between two bytes of its answer."""
PATIENCE = 8
"""Seconds for an answer in all."""
VERIFIER_LENGTH = 64
DEFAULT_LIFETIME = 3600
"""Seconds that an access token lives where the provider does not say."""
LONGEST_LIFETIME = 30 * 86400
"""Seconds."""
SIGN_IN_ERRORS = (OAuth2Error, requests.RequestException, Warning, ValueError)
"""What oauthlib and requests raise."""
_THREAD = "system_mail_sign_in"
"""The name of the threads in which our requests are made."""
_TEXTS = ("access_token", "refresh_token", "id_token", "error", "error_description")
_ADDRESS = re.compile(r"[^\s@,;<>]{1,64}@[^\s@,;<>]{1,255}")
_CLAIMS = ("email", "preferred_username", "upn", "unique_name")


@dataclasses.dataclass(frozen=True)
class Client:
    """Ourselves, as a provider knows us."""

    client_id: str
    client_secret: str = dataclasses.field(repr=False)
    token_endpoint: str
    authorization_endpoint: str = ""
    userinfo_endpoint: str = ""
    scope: str = ""
    redirect_uri: str = ""
    grant: str = "authorization_code"
    """How it gets tokens; or "client_credentials" or "service_account", which need no person."""
    private_key: str = dataclasses.field(default="", repr=False)
    """PEM. With client credentials, it signs in place of the secret."""
    certificate: str = ""
    """PEM, of the private key."""
    issuer: str = ""
    """The service account's e-mail address."""
    key_id: str = ""
    """The service account's name for its key."""

    @property
    def is_application(self):
        return self.grant != "authorization_code"


@dataclasses.dataclass(frozen=True)
class Tokens:
    """What a provider gave."""

    access_token: str = dataclasses.field(repr=False)
    refresh_token: str = dataclasses.field(repr=False)
    """Empty where it gave none: then the one we have stays in use. An application has none."""
    expires_at: datetime.datetime
    """Naive UTC."""
    id_token: str = dataclasses.field(default="", repr=False)


def authorization(client, state, login_hint):
    """Where to send the browser, and the PKCE verifier to keep until it comes back.

    :rtype: tuple[str, str]
    """
    proof = WebApplicationClient(client.client_id)
    verifier = proof.create_code_verifier(VERIFIER_LENGTH)
    url, _state = _session(client, client.scope).authorization_url(
        client.authorization_endpoint,
        state=state,
        code_challenge=proof.create_code_challenge(verifier, "S256"),
        code_challenge_method="S256",
        login_hint=login_hint,
        access_type="offline",  # Google gives a refresh token only for these two
        prompt="consent",
    )
    return url, verifier


def exchange(client, code, verifier):
    """The tokens for an authorization code.

    :raises MailboxError: the provider refused or did not answer
    :rtype: Tokens
    """
    with _failing_clearly(client, code, verifier), _session(client) as session:
        token = _in_time(
            session.fetch_token,
            client.token_endpoint,
            code=code,
            code_verifier=verifier,
            client_secret=client.client_secret,
            include_client_id=True,
            timeout=TIMEOUT,
        )
    return _tokens(token)


def refresh(client, refresh_token, patience=PATIENCE):
    """New tokens for a refresh token.

    :param float patience: seconds for the answer
    :raises MailboxError: there is none, or it was revoked; the provider refused us or did not
        answer
    :rtype: Tokens
    """
    if not refresh_token:
        raise MailboxError(Failure(Phase.TOKEN, kind=Kind.INVALID_GRANT))
    with _failing_clearly(client, refresh_token), _session(client) as session:
        token = _in_time(
            session.refresh_token,
            client.token_endpoint,
            refresh_token=refresh_token,
            client_id=client.client_id,
            client_secret=client.client_secret,
            timeout=TIMEOUT,
            patience=patience,
        )
    return _tokens(token, known=refresh_token)


def application_token(client, subject="", patience=PATIENCE):
    """An access token for an application. No person is asked, and there is no refresh token.

    :param str subject: the mailbox that a service account sends for
    :param float patience: seconds for the answer
    :raises MailboxError: our key cannot be used; the provider refused us or did not answer
    :rtype: Tokens
    """
    with _failing_clearly(client):
        known_as, proof = _application(client, subject)
    with _failing_clearly(client, *proof.values()), _session(client, known_as=known_as) as session:
        token = _in_time(
            session.fetch_token,
            client.token_endpoint,
            include_client_id=True,
            timeout=TIMEOUT,
            patience=patience,
            **proof,
        )
    return dataclasses.replace(_tokens(token), refresh_token="")


def identities(client, tokens):
    """The addresses of the account that consented, in lower case; what the provider says is not
    verified does not count.

    The ID token came from the token endpoint itself, over TLS: its signature says nothing more
    (OpenID Connect Core 3.1.3.7, 6).

    :raises MailboxError: the provider did not answer
    :rtype: set[str]
    """
    claims = _claims_of(tokens.id_token)
    if claims and client.client_id not in _listed(claims.get("aud")):
        claims = {}
    found = _addresses(claims)
    if not found and client.userinfo_endpoint:
        secret = tokens.access_token
        with _failing_clearly(client, secret), bound(requests.Session()) as session:
            response = _in_time(
                session.get,
                client.userinfo_endpoint,
                headers={"Authorization": f"Bearer {secret}"},
                timeout=TIMEOUT,
                allow_redirects=False,
            )
            response.raise_for_status()
        found = _addresses(json_object(response.text) or {})
    return found


def _application(client, subject):
    """An application, as oauthlib knows it, and what proves that we are it.

    :raises KeyFileError: our key or certificate cannot be used
    """
    if client.grant == "service_account":
        return _ServiceAccount(None), {"assertion": assertion.of_service_account(client, subject)}
    known_as = BackendApplicationClient(client.client_id, scope=client.scope)
    if client.private_key:
        return known_as, {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion.of_application(client),
        }
    return known_as, {"client_secret": client.client_secret}


class _ServiceAccount(BackendApplicationClient):
    grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def _in_time(call, *args, patience=PATIENCE, **kwargs):
    """What the call of a session returns or raises. The time-out of requests is for each read: a
    provider that sends a byte now and then would hold a worker for ever, so the call has a thread
    to itself, which ends when the session is closed.

    :param float patience: seconds to wait for it
    :raises requests.Timeout: it took longer
    """
    answer = queue.SimpleQueue()

    def run():
        try:
            answer.put((call(*args, **kwargs), None))
        except SIGN_IN_ERRORS as exc:
            answer.put((None, exc))

    threading.Thread(target=run, name=_THREAD, daemon=True).start()
    try:
        result, error = answer.get(timeout=patience)
    except queue.Empty:
        raise requests.Timeout("the provider's answer took too long") from None
    if error:
        try:
            raise error
        finally:
            del error  # its traceback holds this frame, and the sockets of those that it went by
    return result


def _session(client, scope=None, known_as=None):
    # A provider may word the scopes anew; oauthlib raises where it knows what was asked for.
    session = OAuth2Session(
        client.client_id, known_as, redirect_uri=client.redirect_uri or None, scope=scope
    )
    session.max_redirects = 0
    for kind in ("access_token_response", "refresh_token_response"):
        session.register_compliance_hook(kind, _as_expected)
    return bound(session)


def _as_expected(response):
    """The answer of a token endpoint, without what is not as it should be: oauthlib looks at the
    body alone, takes an outage for a malformed token, and stumbles over lists and endless numbers.
    """
    if response.status_code >= 500 or response.status_code == 429:  # noqa: PLR2004
        response.raise_for_status()
    said = json_object(response.text) or {}
    known = {name: said[name] for name in _TEXTS if isinstance(said.get(name), str)}
    lifetime = _seconds(said.get("expires_in"))
    expected = requests.Response()
    expected.status_code, expected.encoding = response.status_code, "utf-8"
    expected.raw = io.BytesIO(json.dumps({**known, "expires_in": lifetime}).encode())
    return expected


def _seconds(lifetime):
    try:
        return max(1, min(int(lifetime or DEFAULT_LIFETIME), LONGEST_LIFETIME))  # oauthlib drops 0
    except (TypeError, ValueError, OverflowError):
        return DEFAULT_LIFETIME


@contextlib.contextmanager
def _failing_clearly(client, *secrets):
    of = {"application": client.is_application}
    try:
        yield
    except KeyFileError as exc:
        failure = Failure(Phase.TOKEN, text=exc.code, kind=Kind.UNUSABLE_KEY, **of)
        raise MailboxError(failure) from None
    except SIGN_IN_ERRORS as exc:
        secrets = [client.client_secret, *filter(None, secrets)]
        secrets += [quote_plus(secret) for secret in secrets]  # as they were sent
        failure = Failure.from_exception(Phase.TOKEN, exc, secrets=secrets, **of)
        # Neither requests nor oauthlib leave a secret out of what they raise.
        raise MailboxError(failure) from None


def _tokens(token, known=""):
    """:raises MailboxError: there is no token in it, or one that is none (RFC 6749, A.12, A.17)"""
    access, given = token.get("access_token") or "", token.get("refresh_token") or ""
    if not access or not all(map(_is_visible, (access, given))):
        raise MailboxError(
            Failure(Phase.TOKEN, text="no access token", kind=Kind.SIGN_IN_UNAVAILABLE)
        )
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    return Tokens(
        access_token=access,
        refresh_token="" if given == known else given,
        expires_at=now + datetime.timedelta(seconds=token["expires_in"]),
        id_token=token.get("id_token") or "",
    )


def _is_visible(text):
    return text.isascii() and text.isprintable()


def _claims_of(id_token):
    """The payload of a JWT, or nothing."""
    parts = id_token.split(".")
    if len(parts) != 3:  # noqa: PLR2004
        return {}
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
    except (binascii.Error, ValueError):
        return {}
    return json_object(decode(payload)) or {}


def _addresses(claims):
    if claims.get("email_verified") in (False, "false"):
        claims = {name: value for name, value in claims.items() if name != "email"}
    found = (claims[name] for name in _CLAIMS if isinstance(claims.get(name), str))
    addresses = (address.strip().lower() for address in found)
    return {a for a in addresses if a.isprintable() and _ADDRESS.fullmatch(a)}


def _listed(value):
    return value if isinstance(value, list) else [value]


def _without_values(record):
    """Keep the line, but not what it quotes, where it tells of a request of ours: requests_oauthlib
    writes whole requests to the debug log, the refresh token and the client's secret included.
    """
    if threading.current_thread().name == _THREAD:
        record.args = ()
    return True


logging.getLogger("requests_oauthlib.oauth2_session").addFilter(_without_values)
