"""Signing in as an application: keys, certificates and the files that they come in; tokens from a
strict provider, which needs no person.
"""

import dataclasses
import datetime
import json
import os
import smtplib
import time
from unittest.mock import patch

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ..connect import assertion, oauth
from ..connect.keys import (
    CODES,
    KeyFileError,
    make_key_pair,
    matches,
    read_certificate,
    read_private_key,
    read_service_account,
)
from ..failover.connection import (
    CONNECTION_ERRORS,
    MailboxError,
    Patience,
    WatchedConnection,
    watching,
)
from ..failover.failure import Kind
from ..failover.rules import classify
from .oauth_lab import Application, OAuthLab, ServiceAccount
from .smtp_lab import SmtpLab
from .smtp_lab.certificates import of_unknown_version

KEY, CERTIFICATE = make_key_pair("Odoo of Company")
ROBOT = "odoo@project.iam.gserviceaccount.com"
HELLO, INFO = "hello@company.test", "info@company.test"
APP_ID, SECRET = "7a6d-app", "hush~hush"
SCOPE = "https://mail.lab.test/.default"


def pem(key, password=None):
    encryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    ).decode()


def weak_key():
    return rsa.generate_private_key(65537, 1024)


def service_account(**values):
    said = {
        "type": "service_account",
        "project_id": "project",
        "private_key_id": "0123456789abcdef",
        "private_key": KEY,
        "client_email": ROBOT,
        "client_id": "112233445566778899",
        "token_uri": "https://evil.test/token",
    }
    return json.dumps({name: value for name, value in {**said, **values}.items() if value})


# --- keys and certificates


def test_a_new_pair_belongs_together_and_to_nothing_else():
    key, certificate = make_key_pair("Odoo of Company", days=30)
    assert matches(key, certificate)
    assert not matches(key, CERTIFICATE)
    assert read_private_key(key).key_size == 3072
    ends_in = read_certificate(certificate).ends_at - utc_now()
    assert datetime.timedelta(days=29, hours=23) < ends_in <= datetime.timedelta(days=30)


def test_a_certificate_says_what_microsoft_shows():
    certificate = x509.load_pem_x509_certificate(CERTIFICATE.encode())
    known = read_certificate(CERTIFICATE)
    assert known.ends_at.tzinfo is None
    assert len(bytes.fromhex(known.thumbprint)) == 20
    assert len(bytes.fromhex(known.sha256)) == 32
    assert known.thumbprint.isupper()
    assert (
        certificate.serial_number
        != x509.load_pem_x509_certificate(
            make_key_pair("Odoo of Company")[1].encode()
        ).serial_number
    )


def test_a_long_name_is_cut():
    _key, certificate = make_key_pair("x" * 100)
    assert read_certificate(certificate)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("unreadable_key", ""),
        ("unreadable_key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        ("unreadable_key", CERTIFICATE),
        ("too_large", KEY + "x" * 8192),
        ("encrypted_key", pem(rsa.generate_private_key(65537, 2048), b"secret")),
        ("weak_key", pem(weak_key())),
        ("not_rsa", pem(ec.generate_private_key(ec.SECP256R1()))),
    ],
    ids=lambda value: value if value in CODES else "",
)
def test_a_key_that_cannot_be_used(code, text):
    assert refusal(read_private_key, text) == code
    if text:
        assert refusal(read_service_account, service_account(private_key=text)) == code


@pytest.mark.parametrize(
    "text", ["", KEY, CERTIFICATE.replace("M", "A"), of_unknown_version(CERTIFICATE), "é"]
)
def test_a_certificate_that_cannot_be_read(text):
    assert refusal(read_certificate, text) == "unreadable_certificate"
    assert refusal(matches, KEY, text) == "unreadable_certificate"


# --- the file of a service account


def test_a_service_account_is_read_and_its_token_uri_is_not():
    account = read_service_account(service_account())
    assert (account.email, account.private_key) == (ROBOT, KEY)
    assert (account.key_id, account.client_id) == ("0123456789abcdef", "112233445566778899")
    assert "evil" not in repr(account)
    assert "PRIVATE" not in repr(account)
    assert read_service_account("\ufeff" + service_account()) == account
    assert read_service_account(service_account().encode()) == account


def test_a_service_account_with_odd_numbers_is_read_without_them():
    account = read_service_account(service_account(client_id='1"; rm', private_key_id=[1]))
    assert (account.key_id, account.client_id) == ("", "")


@pytest.mark.parametrize(
    ("code", "file"),
    [
        ("not_json", ""),
        ("not_json", "[]"),
        ("not_json", "[" * 16_000),
        ("too_large", service_account(universe_domain="x" * 16_384)),
        ("authorized_user", '{"type": "authorized_user", "refresh_token": "1//"}'),
        ("oauth_client", '{"web": {"client_id": "x"}}'),
        ("oauth_client", '{"installed": {"client_id": "x"}}'),
        ("other_kind", "{}"),
        ("other_kind", service_account(type=["service_account"])),
        ("no_email", service_account(client_email=None)),
        ("no_email", service_account(client_email="a@b@c.test")),
        ("no_email", service_account(client_email="a@c.test\n")),
        ("no_key", service_account(private_key=None)),
        ("no_key", service_account(private_key={"a": 1})),
    ],
)
def test_a_file_that_is_no_service_account(code, file):
    assert refusal(read_service_account, file) == code


def test_a_refusal_repeats_nothing_of_the_file():
    with pytest.raises(KeyFileError) as caught:
        read_service_account(service_account(private_key="not-a-key"))
    assert "not-a-key" not in repr(caught.value)


def refusal(read, *given):
    """The code of the refusal."""
    with pytest.raises(KeyFileError) as caught:
        read(*given)
    assert caught.value.code in CODES
    return caught.value.code


def utc_now():
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


# --- tokens


@pytest.fixture(name="lab")
def _lab():
    """A provider that knows one application and one service account, both for hello@ only."""
    public_key = read_private_key(KEY).public_key()
    public_pem = public_key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with (
        patch.dict(os.environ, OAUTHLIB_INSECURE_TRANSPORT="1"),
        OAuthLab(
            applications={APP_ID: Application(SECRET, CERTIFICATE, SCOPE, mailboxes=[HELLO])},
            service_accounts={ROBOT: ServiceAccount(public_pem, "key-1", SCOPE, [HELLO])},
        ) as lab,
    ):
        lab.tokens = {}
        lab.on_token = lab.tokens.__setitem__
        yield lab


def client(lab, **values):
    known = {"client_id": APP_ID, "client_secret": "", "grant": "client_credentials"}
    return oauth.Client(token_endpoint=lab.token_endpoint, scope=SCOPE, **{**known, **values})


def by_secret(lab):
    return client(lab, client_secret=SECRET)


def by_certificate(lab):
    return client(lab, private_key=KEY, certificate=CERTIFICATE)


def by_service_account(lab):
    return client(
        lab,
        client_id="1122",
        grant="service_account",
        private_key=KEY,
        issuer=ROBOT,
        key_id="key-1",
    )


WAYS = pytest.mark.parametrize("way", [by_secret, by_certificate, by_service_account])


@WAYS
def test_a_token_without_a_person(way, lab):
    tokens = oauth.application_token(way(lab), HELLO)
    assert lab.tokens == {HELLO: tokens.access_token}
    assert tokens.refresh_token == ""
    assert abs(tokens.expires_at - utc_now() - datetime.timedelta(hours=1)).total_seconds() < 60
    [request] = lab.requests
    assert request.authorization is None


@WAYS
def test_nothing_is_sent_that_need_not_be(way, lab):
    oauth.application_token(way(lab), HELLO)
    [request] = lab.requests
    assert (
        set(request.parameters)
        == {
            by_secret: {"grant_type", "client_id", "scope", "client_secret"},
            by_certificate: {
                *("grant_type", "client_id", "scope", "client_assertion", "client_assertion_type")
            },
            by_service_account: {"grant_type", "assertion"},
        }[way]
    )


@WAYS
def test_a_second_token_is_as_good_as_the_first(way, lab):
    first = oauth.application_token(way(lab), HELLO)
    assert oauth.application_token(way(lab), HELLO) != first


@WAYS
def test_a_refresh_token_that_nobody_asked_for_is_not_kept(way, lab):
    lab.fail("token", status=200, body=b'{"access_token": "a", "refresh_token": "r"}')
    assert oauth.application_token(way(lab), HELLO).refresh_token == ""


@WAYS
def test_an_outage_is_the_providers(way, lab):
    lab.fail("token", status=503)
    assert failure_of(way(lab)).kind is Kind.SIGN_IN_UNAVAILABLE
    lab.stop()
    assert classify(failure_of(way(lab))).rule == "token_unavailable"


@WAYS
def test_a_provider_that_says_nothing_is_not_waited_for(way, lab):
    lab.fail("token", action="hang")
    begin = time.monotonic()
    assert classify(failure_of(way(lab), patience=0.2)).rule == "token_unavailable"
    assert time.monotonic() - begin < oauth.TIMEOUT


@pytest.mark.parametrize(
    "values",
    [
        {"private_key": "no key"},
        {"private_key": pem(weak_key())},
        {"certificate": "no certificate"},
    ],
)
def test_a_key_that_cannot_be_read(values, lab):
    broken = dataclasses.replace(by_certificate(lab), **values)
    decision = classify(failure_of(broken))
    assert (decision.rule, decision.effect) == ("application_key", "provider_misconfigured")
    assert lab.requests == []


def failure_of(us, subject=HELLO, **options):
    with pytest.raises(MailboxError) as caught:
        oauth.application_token(us, subject, **options)
    assert caught.value.failure.application
    return caught.value.failure


# --- what refuses an application, and what it is told


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"client_secret": "wrong"}, "token_client"),
        ({"client_id": "another"}, "application_unknown"),
        ({"scope": "mail"}, "application_rejected"),
    ],
)
def test_an_application_that_the_provider_refuses(values, rule, lab):
    assert classify(failure_of(dataclasses.replace(by_secret(lab), **values))).rule == rule


def test_a_secret_that_has_ended_and_a_new_one(lab):
    lab.applications[APP_ID] = Application(SECRET, scope=SCOPE, secret_ends_at=0)
    assert classify(failure_of(by_secret(lab))).remedy == "client_secret"
    lab.applications[APP_ID] = Application("new", scope=SCOPE, mailboxes=[HELLO])
    assert oauth.application_token(client(lab, client_secret="new"))


def test_a_certificate_that_is_not_registered(lab):
    key, certificate = make_key_pair("another")
    us = dataclasses.replace(by_certificate(lab), private_key=key, certificate=certificate)
    assert classify(failure_of(us)).rule == "application_key"
    us = dataclasses.replace(by_certificate(lab), private_key=key)
    assert classify(failure_of(us)).rule == "application_key"


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"private_key": make_key_pair("another")[0]}, "application_key"),
        ({"key_id": "another"}, "application_key"),
        ({"issuer": "nobody@project.test"}, "application_unknown"),
        ({"scope": "calendar"}, "application_not_allowed"),
    ],
)
def test_a_service_account_that_the_provider_refuses(values, rule, lab):
    assert classify(failure_of(dataclasses.replace(by_service_account(lab), **values))).rule == rule


def test_a_mailbox_that_a_service_account_may_not_send_for(lab):
    us = by_service_account(lab)
    assert classify(failure_of(us, "nobody@company.test")).rule == "application_mailbox"
    assert classify(failure_of(us, "ana@elsewhere.test")).rule == "application_not_allowed"


@pytest.mark.parametrize("way", [by_certificate, by_service_account])
def test_a_clock_that_is_wrong(way, lab):
    with patch.object(assertion, "time") as clock:
        clock.time.return_value = time.time() + 86400
        assert classify(failure_of(way(lab))).rule == "application_clock"


def test_a_mailbox_that_the_application_has_no_right_to(lab):
    with SmtpLab() as smtp:
        server = smtp.server(tokens={INFO: "of another application"})
        lab.on_token = server.tokens.__setitem__
        token = oauth.application_token(by_secret(lab)).access_token
        assert log_in(server, HELLO, token) is None
        decision = classify(log_in(server, INFO, token))
        assert (decision.rule, decision.retry_forced_token) == ("application_no_access", True)
        assert classify(log_in(server, HELLO, "old")).rule == "application_no_access"


def log_in(server, login, token):
    """Log in as an application; the failure, or None."""
    credentials = f"user={login}\1auth=Bearer {token}\1\1"
    with watching(Patience(), [token]) as trace:
        trace.application = True
        connection = smtplib.SMTP(timeout=10)
        try:
            connection.connect(server.host, server.port)
            assert isinstance(connection, WatchedConnection)
            connection.ehlo()
            connection.auth("XOAUTH2", lambda challenge=None: "" if challenge else credentials)
        except CONNECTION_ERRORS as exc:
            return trace.failure(exc)
        finally:
            connection.close()
    return None
