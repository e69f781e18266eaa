"""Providers that answer anything: a sign-in comes to tokens or to a failure that can be told, in
time and with little memory.
"""

import base64
import contextlib
import dataclasses
import datetime
import gzip
import itertools
import json
import logging
import os
import tracemalloc
from unittest.mock import patch
from urllib.parse import parse_qs, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ..connect import oauth
from ..connect.keys import (
    CODES,
    KeyFileError,
    make_key_pair,
    matches,
    read_certificate,
    read_private_key,
    read_service_account,
)
from ..failover.connection import MailboxError
from .leaks import everything_about, none_from
from .oauth_lab import WebLiar
from .property_tests import slow

CODE, VERIFIER, REFRESH, ACCESS = "4/the code", "the-verifier", "the/refresh+token", "the+access"
CLIENT_SECRET = "the client's~secret"
KEY, CERTIFICATE = make_key_pair("us", days=30)
BOMB = 200_000_000
"""Bytes that a small answer may become."""


def secrets(liar):
    signed = [
        assertion
        for form in map(parse_qs, (heard.decode("latin-1") for heard in liar.heard))
        for name in ("assertion", "client_assertion")
        for assertion in form.get(name, ())
    ]
    for secret in (CLIENT_SECRET, CODE, VERIFIER, REFRESH, ACCESS, *KEY.split("\n")[1:3], *signed):
        yield from (secret, quote_plus(secret), repr(secret)[1:-1])


# --- what providers say

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMES = (
    *("access_token", "refresh_token", "id_token", "token_type", "expires_in", "expires_at"),
    *("scope", "error", "error_description", "error_uri", "email", "email_verified"),
    *("preferred_username", "upn", "aud"),
)
likely = st.one_of(values, st.sampled_from(["token", "a b", "ana@company.test", 3600, "Bearer"]))
objects = st.dictionaries(st.sampled_from(NAMES), likely, max_size=6)
good = objects.map(lambda said: {**said, "access_token": "token"})
bodies = st.one_of(
    st.one_of(objects, good, values).map(lambda said: json.dumps(said).encode()),
    st.binary(max_size=200),
    st.sampled_from(
        [
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"access_token": "a\\u0000b", "refresh_token": "\\ud800"}',
            b'{"access_token": "x", "expires_in": 1e999}',
            b'{"access_token": "x", "expires_in": ' + b"9" * 5000 + b"}",
            b"access_token=x&token_type=Bearer",
            b"<html>",
            "\ufeff{}".encode("utf-16"),
        ]
    ),
)
HEADERS = (
    b"Content-Type: application/json",
    b"Content-Type: text/html; charset=rot13",
    b"Content-Encoding: gzip",
    b"Content-Encoding: br, gzip",
    b"Transfer-Encoding: chunked",
    b"Content-Length: 5",
    b"Content-Length: -1",
    b"Content-Length: 99999999999",
    b"Set-Cookie: a",
    b"Location: /",
    b"Location: http://[",
    b"Location: \xff",
    b"no header",
    b"X: " + b"a" * 70_000,
)
statuses = st.one_of(
    st.sampled_from([200, 200, 200, 204, 301, 302, 307, 400, 401, 403, 429, 500, 503]),
    st.integers(0, 999),
)


def http(status, headers, body):
    lines = [b"HTTP/1.1 %d What" % status, *headers, b"", body]
    return b"\r\n".join(lines)


answers = st.builds(http, statuses, st.lists(st.sampled_from(HEADERS), max_size=3), bodies)
deeds = st.sampled_from(
    ["reset", "flood", "endless", "echo", 0.05, 0.3, b"HTTP/1.1 100 C\r\n\r\n" * 9]
)
behaviours = st.lists(st.one_of(answers, answers, st.binary(max_size=50), deeds), max_size=3).map(
    lambda said: [*said, "close"]
)


# --- what we do


def client(liar):
    return oauth.Client(
        client_id="us",
        client_secret=CLIENT_SECRET,
        authorization_endpoint=liar.url,
        token_endpoint=liar.url,
        userinfo_endpoint=liar.url,
        scope="mail",
        redirect_uri="https://odoo.test/return",
    )


def application(us, grant="client_credentials", **values):
    return dataclasses.replace(us, grant=grant, **values)


def tokens(id_token=""):
    return oauth.Tokens(ACCESS, REFRESH, datetime.datetime(2026, 1, 1), id_token)


def jwt(claims):
    payload = base64.urlsafe_b64encode(claims).rstrip(b"=").decode()
    return f"e30.{payload}.c2ln"


ASKS = {
    "exchange": lambda us: oauth.exchange(us, CODE, VERIFIER),
    "refresh": lambda us: oauth.refresh(us, REFRESH),
    "identities": lambda us: oauth.identities(us, tokens()),
    "application": lambda us: oauth.application_token(application(us)),
    "certificate": lambda us: oauth.application_token(
        application(us, private_key=KEY, certificate=CERTIFICATE)
    ),
    "service account": lambda us: oauth.application_token(
        application(us, grant="service_account", private_key=KEY, issuer="robot@project.test"),
        "ana@company.test",
    ),
}


@pytest.fixture(autouse=True, scope="module")
def _in_a_hurry():
    logger = logging.getLogger("urllib3.connection")
    logger.addFilter(_without_traceback)
    with (
        patch.dict(os.environ, OAUTHLIB_INSECURE_TRANSPORT="1"),
        patch.multiple(oauth, TIMEOUT=0.2, PATIENCE=0.4),
    ):
        yield
    logger.removeFilter(_without_traceback)


def _without_traceback(record):
    """pytest keeps records, and a traceback keeps sockets."""
    record.msg, record.args, record.exc_info = record.getMessage(), (), None
    return True


def ask(what, says):
    """The provider's answer, or the failure; nothing is left behind."""
    liar = WebLiar({"answer": says})
    with none_from(liar, secrets) as told:
        try:
            found = ASKS[what](client(liar))
        except MailboxError as exc:  # not kept: its traceback would keep sockets open
            found = None
            told += [repr(exc.failure), *everything_about(exc)]
        told.append(repr(found))
    assert len(liar.heard) <= 1, "it asks once, and follows nobody"
    return found


def assert_well_formed(found):
    """What goes on to the database and to people's eyes."""
    if isinstance(found, oauth.Tokens):
        assert found.access_token
        for text in (found.access_token, found.refresh_token):
            assert text.isascii()
            assert text.isprintable()
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        lifetime = found.expires_at - now
        assert datetime.timedelta(seconds=-9) < lifetime < datetime.timedelta(days=31)
    for address in found if isinstance(found, set) else ():
        assert address.isprintable()
        assert address.count("@") == 1
        assert len(address) < 400


# --- what holds


@slow(25)
@given(what=st.sampled_from([*ASKS]), says=behaviours)
@example("refresh", ["echo"])
@example("application", [http(400, [], b""), "echo", "close"])
@example("certificate", [http(400, [], b""), "echo", "close"])
@example("service account", [http(400, [], b""), "echo", "close"])
@example("exchange", [http(400, [], b""), "echo", "close"])
@example("refresh", [http(200, [], b"[1, 2]"), "close"])
@example("refresh", [http(200, [], b'{"access_token": ["x"]}'), "close"])
@example("refresh", [http(200, [], b'{"access_token": "x", "expires_in": 1e999}'), "close"])
@example("refresh", [http(200, [], b'{"access_token": "x", "expires_in": "0"}'), "close"])
@example("refresh", [http(200, [], b'{"access_token": "x", "expires_in": 0.5}'), "close"])
@example("refresh", [http(200, [], b'{"access_token": "x", "expires_in": -5}'), "close"])
@example("refresh", [http(200, [], b'{"access_token": "x\\u0000"}'), "close"])
@example("refresh", [http(200, [], b'{"access_token": "x", "token_type": [1]}'), "close"])
@example("refresh", [http(400, [], b'{"error": [1], "error_description": {}}'), "close"])
@example("identities", [http(200, [], b'{"email": "a\\u0000@b"}'), "close"])
@example("identities", [http(200, [], b'{"email": ["a@b"]}'), "close"])
@example("identities", [http(200, [b"Location: /"], b"{}"), "close"])
def test_a_sign_in_comes_to_tokens_or_to_a_failure(what, says):
    assert_well_formed(ask(what, says))


@given(claims=st.one_of(bodies, st.binary(max_size=50)))
@example(b'{"aud": "us", "email": "a\\u0000@b"}')
@example(b'{"aud": ["us", {}], "email": {"a@b": 1}, "upn": "ana@company.test"}')
def test_an_id_token_tells_addresses_or_nothing(claims):
    us = oauth.Client("us", "", "", "", "", "", "")
    assert_well_formed(oauth.identities(us, tokens(jwt(claims))))
    assert_well_formed(oauth.identities(us, tokens(claims.decode("latin-1"))))


@pytest.mark.parametrize(
    "says",
    [
        [http(200, [b"Content-Encoding: gzip"], gzip.compress(b"0" * BOMB)), "close"],
        [http(200, [], b'{"a":"'), "flood", "close"],
        [http(200, [b"Transfer-Encoding: chunked"], b"ffffffff\r\n"), "flood", "close"],
        [http(200, [b"Transfer-Encoding: chunked"], b""), *[b"0" * 100_000] * 600, "close"],
        [http(200, [], b""), "endless"],
        ["endless"],
    ],
)
def test_no_answer_fills_the_memory(says):
    tracemalloc.start()
    try:
        assert ask("refresh", says) is None
        _size, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 25_000_000  # the liar's own flood included


def test_a_drip_holds_no_thread():
    drip = [*itertools.chain.from_iterable((b"H", 0.1) for _ in range(30))]
    assert ask("refresh", drip) is None


# --- what people upload as a key, a certificate or a service account

files = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=300),
    st.dictionaries(
        st.sampled_from(["type", "client_email", "private_key", "private_key_id", "client_id"]),
        st.one_of(values, st.sampled_from(["service_account", "a@b.test", KEY, CERTIFICATE])),
    ).map(json.dumps),
    bodies,
)


@st.composite
def damaged(draw, file):
    """A good file of which something is cut, doubled or replaced."""
    start = draw(st.integers(0, len(file)))
    end = draw(st.integers(start, min(len(file), start + 40)))
    return file[:start] + draw(st.text(max_size=10)) + file[end:]


@slow(40)
@given(file=st.one_of(files, damaged(KEY), damaged(CERTIFICATE), damaged(KEY + CERTIFICATE)))
@example(KEY.replace("PRIVATE", "ENCRYPTED PRIVATE"))
@example(KEY.replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n\n", 1))
@example("\ud800")
def test_a_file_is_read_or_refused_with_a_code(file):
    for read in (read_private_key, read_certificate, read_service_account, matches_ours):
        try:
            read(file)
        except KeyFileError as exc:  # nothing else may be raised
            assert exc.code in CODES
            assert exc.args == (exc.code,)


def matches_ours(file):
    return matches(KEY, file)


@given(
    said=st.dictionaries(st.sampled_from(["client_email", "private_key_id", "client_id"]), likely)
)
@example({"client_id": "1\n"})
@example({"client_email": "ana@company.test\n"})
def test_what_is_read_of_a_service_account_can_be_shown(said):
    known = {"type": "service_account", "client_email": "a@b.test", "private_key": KEY}
    with contextlib.suppress(KeyFileError):
        account = read_service_account(json.dumps({**known, **said}))
        for text in (account.email, account.key_id, account.client_id):
            assert text.isascii()
            assert text.isprintable() or not text
