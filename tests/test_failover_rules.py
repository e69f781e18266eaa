"""What each failure means: one test per row of ``failure_rules.csv``, and what always holds."""

import csv
import pathlib
import re
import smtplib
import socket
import ssl

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ..failover.failure import (
    Decision,
    Effect,
    Failure,
    Kind,
    MoreThanLimit,
    OverLimit,
    OverMailboxLimit,
    Phase,
    Verdict,
)
from ..failover.rules import (
    OWN_NETWORK,
    PACED,
    REFUSED_HERE,
    RULES,
    UNPROVEN,
    classify,
    classify_probe,
    classify_recipients,
    match,
)
from ..failover.text import TEXT_LIMIT
from ..failover.words import BY_SYSTEM_MAIL, REASONS, REMEDIES, describe

SECRET = "correct-horse-battery"

EXCEPTIONS = {
    "BrokenPipeError": BrokenPipeError(32, "Broken pipe"),
    "ConnectionRefusedError": ConnectionRefusedError(111, "Connection refused"),
    "ConnectionResetError": ConnectionResetError(104, "Connection reset by peer"),
    "KeyError": KeyError("x"),
    "MoreThanLimit": MoreThanLimit("30 recipients a minute"),
    "OverLimit": OverLimit("30 recipients a minute"),
    "OverMailboxLimit": OverMailboxLimit("30 recipients a minute"),
    "OSError": OSError(113, "No route to host"),
    "SMTPException": smtplib.SMTPException("No suitable authentication method found."),
    "SMTPNotSupportedError": smtplib.SMTPNotSupportedError("not supported by server"),
    "SMTPServerDisconnected": smtplib.SMTPServerDisconnected("Connection unexpectedly closed"),
    "SSLCertVerificationError": ssl.SSLCertVerificationError(1, "certificate verify failed"),
    "CertificateExpired": ssl.SSLCertVerificationError(1, "verify failed: certificate has expired"),
    "SSLEOFError": ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
    "SSLError": ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"),
    "TimeoutError": TimeoutError("timed out"),
    "UnicodeEncodeError": UnicodeEncodeError("ascii", f"{SECRET}é", 21, 22, "not in range"),
    "ValueError": ValueError("prohibited newline characters"),
    "gaierror": socket.gaierror(-2, "Name or service not known"),
}


class OAuthError(Exception):
    """As oauthlib raises: the error's name is an attribute."""

    def __init__(self, error):
        super().__init__(error)
        self.error, self.description = error, ""


OURS = {
    "treated as down": Kind.DRILL,
    "no key": Kind.NO_KEY,
    "switched off": Kind.PERSONAL_OFF,
    "archived": Kind.ARCHIVED,
    "other FROM Filtering": Kind.FROM_FILTER,
    "other user name": Kind.USER_NAME,
    "other sender": Kind.OTHER_SENDER,
    "no PEM file": Kind.CLIENT_CERTIFICATE,
    "Odoo refuses": Kind.UNUSABLE,
    "unusable key": Kind.UNUSABLE_KEY,
    "no time": Kind.NO_TIME,
    "no reply yet": Kind.AWAITED,
    "busy": Kind.BUSY,
}


def _failure(phase, example, **fields):
    """The failure that the CSV's example describes: a reply, an answer by HTTP or an exception."""
    first, _, rest = example.partition(" ")
    if first.isdigit():
        return Failure.from_reply(phase, int(first), rest.encode(), **fields)
    if example in OURS:
        return Failure(phase, kind=OURS[example], **fields)
    if example == "not SMTP":
        return Failure.from_reply(phase, -1, b"HTTP/1.1 400 Bad Request", **fields)
    if first in ("HTTP", "HTTPS"):
        return _answer(phase, rest, **fields)
    if first == "oauthlib":
        return Failure.from_exception(phase, OAuthError(rest), **fields)
    return Failure.from_exception(phase, EXCEPTIONS[first.rstrip(":")], **fields)


def _answer(phase, said, **fields):
    """What a provider answered to the request for a token, or for a message to be sent."""
    status, _, rest = said.partition(" ")
    if phase is Phase.TOKEN:
        return Failure.from_token_response(int(status), rest.encode(), **fields)
    code, _, text = rest.partition(" ")
    return Failure.from_answer(int(status), code.strip("-"), text, **fields)


def _failure_of(row):
    fields = {
        "accepted_before": {"accepted_before": 3},
        "all_recipients": {"all_recipients": True},
        "application": {"application": True},
    }
    return _failure(Phase(row["phase"]), row["example"], **fields.get(row["given"], {}))


with pathlib.Path(__file__).with_name("failure_rules.csv").open(newline="") as file:
    ROWS = list(csv.DictReader(file))
with pathlib.Path(__file__).with_name("provider_replies.tsv").open() as file:
    REPLIES = [line.rstrip("\n").split("\t") for line in file if line[:1] not in "#\n"]
ADDRESSES = ("a@example.com", "b@example.com")


def _reply_failure(phase, flags, reply):
    """The failure that a provider's reply makes."""
    code, _, text = reply.replace("\\n", "\n").partition(" ")
    application = "app" in flags
    if phase == "token":
        return Failure.from_token_response(int(code), text.encode(), application=application)
    return Failure.from_reply(
        Phase(phase),
        int(code),
        text.encode(),
        addresses=ADDRESSES,
        all_recipients="all" in flags,
        accepted_before=int("acc" in flags),
        application=application,
    )


@pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: f"{row['phase']}: {row['evidence']}: {row['example'][:40]}"
)
def test_a_failure_is_judged_as_the_table_says(row):
    decision = classify(_failure_of(row))
    flags = ("retry_forced_token", "reconnect_first", "internal_only", "quota", "is_open")
    assert (decision.verdict, decision.effect, decision.remedy) == (
        row["verdict"],
        row["mailbox_effect"],
        row["remedy"],
    ), decision
    assert [flag for flag in flags if getattr(decision, flag)] == row["flags"].split()


@pytest.mark.parametrize("row", REPLIES, ids=[f"{row[2]}: {row[4][:60]}" for row in REPLIES])
def test_what_real_servers_answered(row):
    verdicts, rules, phase, flags, reply, source = row
    decision = classify(_reply_failure(phase, flags.split(), reply))
    assert decision.verdict in verdicts.split("|"), (decision, source)
    assert rules == "*" or decision.rule in rules.split("|"), (decision, source)


SURE = [
    row
    for row in REPLIES
    if row[0] in ("refuse", "defer") and row[1] != "*" and "\\n" not in row[4]
]
UNSURE_WORDS = st.one_of(
    st.sampled_from(["sender", "expediteur", "from", "your", "quota", "contract", "ldap", "trial"]),
    st.text("abcdefghijklmnopqrstuvwxyzäéß", min_size=2, max_size=12),
)


@given(st.sampled_from(SURE), UNSURE_WORDS)
def test_one_word_more_that_is_not_plain_makes_a_sure_refusal_open(row, word):
    assume(not any(word in beside for beside in BESIDE))
    _, _, phase, flags, reply, _ = row
    codes = re.match(r"\d+ (?:\d\.\d+\.\d+ )?", reply)[0]
    decision = classify(
        _reply_failure(phase, flags.split(), f"{codes}{word} {reply[len(codes) :]}")
    )
    assert decision.verdict is Verdict.FALLBACK, (word, decision)


def test_no_reply_loses_mail_by_a_word_alone():
    """What fails or waits without a second opinion has to be all that the server says."""
    for rule in RULES:
        if Kind.REPLY in rule.kinds and rule.decision.verdict in (Verdict.REFUSE, Verdict.DEFER):
            assert rule.beside, rule


BESIDE = {rule.beside for rule in RULES if rule.beside}
DECISIONS = [
    UNPROVEN.decision,
    REFUSED_HERE,
    OWN_NETWORK,
    PACED,
    *(rule.decision for rule in RULES),
]


@pytest.mark.parametrize("reply", ["552 5.3.4 Too large", "550 5.1.1 Unknown", "599 No", "450 No"])
def test_what_a_probe_is_refused_with_is_the_mailboxs(reply):
    """There is no message, and no recipient, whose fault it could be."""
    failure = Failure.from_reply(Phase.MAIL, int(reply[:3]), reply[4:].encode())
    decision = classify_probe(failure)
    assert decision.effect.state == "unstable"
    assert "message is too big" not in describe(failure, decision)


def test_what_a_probe_is_refused_with_keeps_its_reason():
    failure = Failure.from_reply(Phase.AUTH, 535, b"5.7.8 Username and Password not accepted.")
    assert classify_probe(failure) == classify(failure)


def test_whose_fault_it_is_does_not_matter_to_a_message_that_was_not_tried():
    tried = classify(Failure.from_reply(Phase.DOT, 550, b"Computer says no"))
    assert tried.is_open
    expected = Decision(Verdict.FALLBACK, Effect.NONE, "refused", "refused")
    assert tried.untried() == expected


def test_every_rule_has_words():
    assert {decision.rule for decision in DECISIONS} == set(REASONS) - {BY_SYSTEM_MAIL}
    assert {decision.remedy for decision in DECISIONS} == set(REMEDIES)


def test_every_rule_is_needed():
    reached = [match(_failure_of(row)) for row in ROWS]
    reached += [match(_reply_failure(row[2], row[3].split(), row[4])) for row in REPLIES]
    assert [
        (r.decision.rule, r.says.pattern) for r in RULES if not any(r is o for o in reached)
    ] == []


def test_no_application_is_told_to_sign_in_again():
    tokens = [row[4] for row in REPLIES if row[2] == "token"]
    told = {classify(_reply_failure("token", ["app"], reply)).remedy for reply in tokens}
    assert "reconnect" not in told


def test_the_reason_is_said_in_plain_words_with_the_codes():
    failure = Failure.from_reply(Phase.AUTH, 535, b"5.7.8 Username and Password not accepted.")
    assert describe(failure, classify(failure)) == "the password was rejected (535 5.7.8)"
    failure = Failure.from_exception(Phase.CONNECT, EXCEPTIONS["TimeoutError"])
    assert describe(failure, classify(failure)) == "the server could not be reached"


def test_a_failure_is_the_mailboxs_own_until_a_message_is_begun():
    order = ["token", "dns", "connect", "tls", "banner", "ehlo", "auth"]
    assert [phase.value for phase in Phase if phase.before_mail] == order


class TestReading:
    """From what a server or a library says to a Failure."""

    def test_a_multiline_reply_becomes_one_line_with_its_code_once(self):
        failure = Failure.from_reply(Phase.AUTH, 535, b"5.7.8 Not accepted.\n5.7.8 Read\xff this")
        assert failure.enhanced == "5.7.8"
        assert failure.text == "Not accepted. Read\N{REPLACEMENT CHARACTER} this"

    @pytest.mark.parametrize(
        ("reply", "enhanced"),
        [
            (b"5.1.1 unknown", "5.1.1"),
            (b"[5.7.1] denied", "5.7.1"),
            (b"sorry, no mailbox here by that name (#5.1.1)", "5.1.1"),
            (b"5.1.1.7 is our address", None),
            (b"see 5.1.1", None),
            (b"", None),
            (None, None),
        ],
    )
    def test_the_enhanced_code_is_the_servers_own(self, reply, enhanced):
        assert Failure.from_reply(Phase.RCPT, 550, reply).enhanced == enhanced

    @pytest.mark.parametrize(
        "reply",
        [
            f"535 no {SECRET} here",
            "535 rejected password=hunter2hunter2",
            "535 unknown command AUTH PLAIN AGh1bnRlcjIAaHVudGVyMg==",
            "535 Bearer ya29.hunter2hunter2",
            "535 bad refresh_token: 1//0hunter2hunter2",
            "535 eyJ0eXAiOiJKV1QiLCJhbGciOiJodW50ZXIyaHVudGVyMiJ9hunter2",
        ],
    )
    def test_no_secret_survives(self, reply):
        text = Failure.from_reply(Phase.AUTH, 535, reply, secrets=(SECRET,)).text
        assert "***" in text
        assert not any(secret in text for secret in (SECRET, "hunter2", "AGh1bn"))

    def test_a_password_that_cannot_be_sent_is_not_quoted(self):
        failure = Failure.from_exception(Phase.AUTH, EXCEPTIONS["UnicodeEncodeError"])
        assert failure.text == "not in range"
        failure = Failure.from_exception(Phase.AUTH, ValueError(f"prohibited newline {SECRET}\n"))
        assert SECRET not in failure.text

    def test_a_read_timeout_that_smtplib_calls_a_disconnection_is_a_timeout(self):
        try:
            try:
                raise TimeoutError("timed out")
            except OSError as exc:
                raise smtplib.SMTPServerDisconnected(f"unexpectedly closed: {exc}")  # noqa: B904
        except smtplib.SMTPServerDisconnected as exc:
            assert Failure.from_exception(Phase.DOT, exc).kind is Kind.TIMEOUT

    def test_a_line_without_end_is_no_reply(self):
        endless = smtplib.SMTPResponseException(500, "Line too long.")
        failure = Failure.from_exception(Phase.DOT, endless)
        assert failure.kind is Kind.GARBAGE
        assert classify(failure).verdict is Verdict.UNCERTAIN

    @pytest.mark.parametrize(
        "exc",
        [
            smtplib.SMTPSenderRefused(535, b"5.7.8 no", "a@example.com"),
            smtplib.SMTPAuthenticationError(535, b"5.7.8 no"),
            smtplib.SMTPDataError(535, b"5.7.8 no"),
            smtplib.SMTPHeloError(535, b"5.7.8 no"),
            smtplib.SMTPConnectError(535, "5.7.8 no"),
        ],
    )
    def test_a_reply_in_an_exception_is_read(self, exc):
        failure = Failure.from_exception(Phase.MAIL, exc)
        assert (failure.code, failure.enhanced, failure.text) == (535, "5.7.8", "no")

    def test_an_http_answer_in_an_exception_is_read(self):
        class HTTPError(OSError):
            class response:  # noqa: N801
                status_code, content = 400, b'{"error": "invalid_grant"}'

        failure = Failure.from_exception(Phase.TOKEN, HTTPError())
        assert (failure.code, failure.kind) == (400, Kind.INVALID_GRANT)


class TestRecipients:
    DENIED = (554, b"5.7.1 <b@example.net>: Relay access denied")
    UNKNOWN = (550, b"5.1.1 <c@example.net>: User unknown")

    def test_refusals_in_an_exception_speak_for_the_mailbox_if_all_say_the_same(self):
        alike = {"b@x.net": self.DENIED, "d@x.net": (554, b"5.7.1 <d@x.net>: Relay access denied")}
        exc = smtplib.SMTPRecipientsRefused(alike)
        assert classify(Failure.from_exception(Phase.RCPT, exc)).effect is Effect.MISCONFIGURED
        exc = smtplib.SMTPRecipientsRefused({"b@x.net": self.DENIED, "c@x.net": self.UNKNOWN})
        assert classify(Failure.from_exception(Phase.RCPT, exc)).effect is Effect.NONE

    def test_a_421_speaks_for_the_connection(self):
        exc = smtplib.SMTPRecipientsRefused({"c": self.UNKNOWN, "d": (421, b"4.3.2 closing")})
        decision = classify(Failure.from_exception(Phase.RCPT, exc))
        assert (decision.verdict, decision.effect) == (Verdict.FALLBACK, Effect.TRANSIENT)

    def test_a_mixed_refusal_is_each_recipients_own(self):
        failures = {
            address: Failure.from_reply(Phase.RCPT, *reply, all_recipients=True)
            for address, reply in {"b": self.DENIED, "c": self.UNKNOWN}.items()
        }
        decisions = classify_recipients(failures)
        assert {d.effect for d in decisions.values()} == {Effect.NONE}
        assert classify_recipients({"b": failures["b"]})["b"].effect is Effect.MISCONFIGURED


phases = st.sampled_from(Phase)
codes = st.integers(200, 599)
WORDS = " ".join(rule.says.pattern for rule in RULES if rule.says.pattern)
replies = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(st.sampled_from(WORDS.replace("|", " ").split())).map(lambda w: " ".join(w).encode()),
)
exceptions = st.one_of(
    st.sampled_from(list(EXCEPTIONS.values())),
    st.builds(smtplib.SMTPResponseException, st.integers(), replies),
    st.builds(smtplib.SMTPRecipientsRefused, st.dictionaries(st.text(), st.tuples(codes, replies))),
    st.builds(OSError, st.integers(), st.text()),
    st.builds(RuntimeError, st.text()),
)


class TestAlways:
    @given(phases, st.one_of(st.integers(), st.none(), st.text()), replies, st.integers(0, 9))
    def test_any_reply_in_any_phase_gives_a_decision(self, phase, code, reply, accepted):
        failure = Failure.from_reply(phase, code, reply, accepted_before=accepted)
        decision = classify(failure)
        assert decision.verdict in Verdict
        assert decision.effect in Effect
        assert describe(failure, decision)
        assert decision.remedy in REMEDIES

    @given(phases, exceptions)
    def test_any_exception_in_any_phase_gives_a_decision(self, phase, exc):
        failure = Failure.from_exception(phase, exc, secrets=(SECRET,), accepted_before=1)
        assert classify(failure).verdict in Verdict

    @given(st.integers(), replies)
    def test_any_answer_for_a_token_gives_a_decision(self, status, body):
        failure = Failure.from_token_response(status, body)
        assert classify(failure).verdict is Verdict.FALLBACK

    @given(phases, codes, replies)
    def test_the_text_is_one_storable_line(self, phase, code, reply):
        text = Failure.from_reply(phase, code, reply, secrets=(SECRET,)).text
        assert len(text) <= TEXT_LIMIT
        assert all(char.isprintable() for char in text)
        text.encode()

    @given(codes, replies)
    def test_a_recipients_reply_changes_no_state(self, code, reply):
        assume(code != 421)
        assert classify(Failure.from_reply(Phase.RCPT, code, reply)).effect is Effect.NONE

    @given(codes, replies)
    def test_after_the_message_was_accepted_nothing_fails(self, code, reply):
        decision = classify(Failure.from_reply(Phase.QUIT, code, reply))
        assert (decision.verdict, decision.effect) == (Verdict.ACCEPTED, Effect.NONE)

    @given(phases, replies)
    def test_only_a_reply_disconnects(self, phase, reply):
        for kind in set(Kind) - {Kind.REPLY, Kind.INVALID_GRANT}:
            failure = Failure(phase, text=reply.decode("utf-8", "replace"), kind=kind)
            assert classify(failure).effect is not Effect.DISCONNECTED

    @given(phases, codes, replies)
    def test_only_what_may_have_been_accepted_is_uncertain(self, phase, code, reply):
        decision = classify(Failure.from_reply(phase, code, reply))
        assert decision.verdict is not Verdict.UNCERTAIN or phase is Phase.DOT
        # an explicit refusal is certain
        assert decision.verdict is not Verdict.UNCERTAIN or code < 400

    @given(phases, codes, replies)
    def test_a_message_counts_as_accepted_only_after_the_dot(self, phase, code, reply):
        if classify(Failure.from_reply(phase, code, reply)).verdict is Verdict.ACCEPTED:
            assert phase is Phase.QUIT or (phase in {Phase.RCPT, Phase.DOT} and code < 300)
