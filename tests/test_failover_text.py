"""What is kept of what servers say: all that helps, and no secret, whichever way it came."""

import json
import smtplib
import ssl

import pytest

from ..failover.failure import LONGEST_CODE, Failure, Kind, OverLimit, Phase
from ..failover.text import TEXT_LIMIT, challenge, clean

SECRET = "s3cret, of two words"
QUOTED = f"Rejected: {SECRET} is wrong"
KEPT = "Rejected: *** is wrong"


class HTTPError(OSError):
    """As requests raises it."""

    def __init__(self, status, content):
        super().__init__("400 Client Error")
        self.response = type("Response", (), {"status_code": status, "content": content})


class OAuth2Error(Exception):
    """As oauthlib raises it."""

    def __init__(self, error, **values):
        super().__init__(error)
        self.error = error
        self.__dict__.update(values)


def failure_of(exc, phase=Phase.AUTH, **fields):
    return Failure.from_exception(phase, exc, secrets=(SECRET,), accepted_before=2, **fields)


BODY = {"error": "invalid_grant", "error_description": QUOTED}
WAYS = {
    "a reply": (smtplib.SMTPResponseException(535, QUOTED),),
    "no reply": (smtplib.SMTPResponseException(-1, QUOTED),),
    "refusals": (smtplib.SMTPRecipientsRefused({"b@x.test": (550, QUOTED.encode())}),),
    "an error": (ssl.SSLError(1, QUOTED),),
    "JSON": (HTTPError(400, json.dumps(BODY).encode()), Phase.TOKEN),
    "a page": (HTTPError(400, QUOTED.encode()), Phase.TOKEN),
    "oauthlib": (OAuth2Error("invalid_grant", description=QUOTED), Phase.TOKEN),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_secret_is_kept_and_all_else_is(way):
    failure = failure_of(*way)
    assert KEPT in failure.text
    assert failure.accepted_before == 2


def test_a_secret_within_another_leaves_no_rest_of_it():
    assert clean("It is long-secret", ("secret", "long-secret")) == "It is ***"
    assert clean("It is long-secret", ("long-secret", "secret")) == "It is ***"


def test_a_secret_has_four_characters():
    assert clean("a pass is abc or abcd", ("abc", "abcd")) == "a pass is abc or ***"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("client_secret=hush; next", "client_secret=***; next"),
        ("Bearer abc123 was sent", "Bearer *** was sent"),
        (f"got {'A' * 40} there", "got *** there"),
    ],
)
def test_what_looks_like_a_secret_is_none_any_more(said, kept):
    assert clean(said) == kept


def test_a_long_text_is_cut_where_one_sees_it():
    assert clean("x " * TEXT_LIMIT) == ("x " * TEXT_LIMIT)[: TEXT_LIMIT - 1] + "…"
    whole = "xy " * (TEXT_LIMIT // 3) + "xy"
    assert len(whole) == TEXT_LIMIT
    assert clean(whole) == whole


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (" eyJzdGF0dXMiOiI0MDEiLCJzY29wZSI6bnVsbH0= ", "status=401 scope="),
        ("WzFd", ""),  # base64 of what is no JSON object
        ("Go ahead 1", "Go ahead 1"),  # would be base64 without its spaces
    ],
)
def test_an_error_hidden_in_base64_is_read(said, read):
    assert challenge(said) == read


def test_an_error_without_words_has_its_name():
    assert failure_of(ConnectionResetError()).text == "ConnectionResetError"
    assert failure_of(UnicodeEncodeError("ascii", SECRET, 0, 1, "no ASCII")).text == "no ASCII"
    assert failure_of(ValueError(SECRET)).text == "ValueError"


def test_an_answer_for_a_token_that_nobody_can_read():
    exc = HTTPError(400, b"")
    exc.response = object()
    failure = failure_of(exc, Phase.TOKEN)
    assert (failure.kind, failure.code, failure.text) == (Kind.SIGN_IN_UNAVAILABLE, None, "")


@pytest.mark.parametrize("body", ["", None, {}, "[]"])
def test_no_answer_for_a_token(body):
    failure = Failure.from_token_response(503, body)
    assert (failure.kind, failure.code, failure.text) == (
        Kind.SIGN_IN_UNAVAILABLE,
        503,
        "[]" if body == "[]" else "",
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("invalid_client", Kind.INVALID_CLIENT),
        ("unauthorized_client", Kind.INVALID_CLIENT),
        ("invalid_grant", Kind.INVALID_GRANT),
        ("interaction_required", Kind.INVALID_GRANT),
        ("temporarily_unavailable", Kind.SIGN_IN_UNAVAILABLE),
    ],
)
def test_what_the_token_endpoint_says(error, kind):
    failure = failure_of(OAuth2Error(error), Phase.TOKEN)
    assert (failure.kind, failure.text) == (kind, error)


def test_a_limit_of_ours_tells_until_when():
    limit = OverLimit("20 a minute", retry_at="12:30")
    assert (str(limit), limit.retry_at) == ("20 a minute", "12:30")


@pytest.mark.parametrize(
    ("phase", "exc", "kind"),
    [
        (Phase.CONNECT, OSError("No route to host"), Kind.REFUSED),
        (Phase.BANNER, OSError("No route to host"), Kind.DROP),
        (Phase.TLS, ssl.SSLError("bad record"), Kind.HANDSHAKE),
        (Phase.MAIL, ssl.SSLError("bad record"), Kind.DROP),
    ],
)
def test_what_breaks_once_it_was_there_is_a_lost_line(phase, exc, kind):
    assert failure_of(exc, phase).kind is kind


def test_refusals_speak_for_all_only_as_the_caller_says():
    refusals = {"a@x.test": (550, b"5.1.1 No"), "b@x.test": (550, b"5.1.1 No")}
    assert Failure.from_refusals(refusals).all_recipients
    assert not Failure.from_refusals(refusals, all_recipients=False).all_recipients
    failure = Failure.from_refusals({"a@x.test": (550, b"5.1.1 No")}, all_recipients=False)
    assert (failure.enhanced, failure.text, failure.all_recipients) == ("5.1.1", "No", False)
    failure = Failure.from_refusals({}, accepted_before=1, secrets=(SECRET,))
    assert (failure.phase, failure.accepted_before) == (Phase.RCPT, 1)


@pytest.mark.parametrize(("status", "phase"), [(401, Phase.AUTH), (403, Phase.DOT)])
def test_an_answer_by_https_is_read_with_its_code(status, phase):
    failure = Failure.from_answer(
        status, f"Error {SECRET}", QUOTED, secrets=(SECRET,), application=True, retry_after=9
    )
    assert (failure.phase, failure.kind, failure.code) == (phase, Kind.ANSWER, status)
    assert (failure.enhanced, failure.text) == ("Error ***", KEPT)
    assert (failure.application, failure.retry_after) == (True, 9)
    assert failure.own_words.whole == "", "no rule reads the text"


def test_an_answers_code_is_short_or_none():
    assert Failure.from_answer(400, "No." * LONGEST_CODE, "").enhanced == f"{'No.' * 21}N"
    assert Failure.from_answer(400, "", "").enhanced is None
