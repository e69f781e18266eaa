"""Nothing that a stranger can choose decides about a mailbox, or loses mail."""

import smtplib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..failover.failure import Effect, Failure, Phase, Verdict
from ..failover.own_words import MailText, SentMail, own_words
from ..failover.rules import RULES, classify
from . import property_tests  # noqa: F401

BEN = "ben@corp.example"


def _decision(phase, code, reply, *addresses, **mail):
    text = MailText(headers=(mail.get("subject", ""),), body=mail.get("body", ""))
    failure = Failure.from_reply(
        phase, code, reply.encode(), addresses=addresses, mail=text, all_recipients=True
    )
    return classify(failure)


# --- cases


@pytest.mark.parametrize(
    "name", ["relay", "client", "helo", "quota", "blocked", "spam", "suspended"]
)
def test_a_colleagues_name_changes_nothing_of_what_the_server_says(name):
    address = f"{name}@corp.example"
    for reply in (
        "5.1.1 <{}>: Recipient address rejected: User unknown in virtual mailbox table",
        "4.2.2 <{}> over quota",
        "5.7.1 <{}>: Recipient address rejected: Access denied",
        "5.4.5 Daily sending quota exceeded for {}",
    ):
        code = 100 * int(reply[0]) + 50
        theirs = _decision(Phase.RCPT, code, reply.format(address), address)
        bens = _decision(Phase.RCPT, code, reply.format(BEN), BEN)
        assert (theirs.verdict, theirs.effect) == (bens.verdict, bens.effect), reply


@pytest.mark.parametrize(
    ("reply", "address"),
    [
        ("5.1.1 <relay@corp.example>: Recipient address rejected", "relay@corp.example"),
        ("5.1.10 <info@nullmx-relay.example>: nullMX", "info@nullmx-relay.example"),
        ("5.1.2 Domain nullmx-relay.example does not exist", "info@nullmx-relay.example"),
        ('"relay access denied"@corp.example is not here', '"relay access denied"@corp.example'),
        ("no mailbox relay=40corp.example", "relay@corp.example"),
        ("User relay not known", "relay@corp.example"),
        ("user daily-limit: no", "daily-limit@corp.example"),
        ("SendAsDenied has no mailbox here", "SendAsDenied@corp.example"),
        ("cannot authenticate", "authenticate@corp.example"),
    ],
)
def test_an_address_that_is_repeated_changes_no_state(reply, address):
    for phase in (Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.DOT):
        assert _decision(phase, 550, reply, address).effect is Effect.NONE


def test_a_subject_that_is_repeated_loses_no_mail_and_changes_no_state():
    for subject in ("Spam message discarded", "Relay access denied", "Account suspended"):
        decision = _decision(Phase.DOT, 554, f"Not accepted: {subject}", BEN, subject=subject)
        assert (decision.verdict, decision.effect) == (Verdict.FALLBACK, Effect.NONE)


def test_a_sentence_of_the_body_that_is_repeated_changes_nothing():
    body = "The server said: relay access denied. Is the daily quota exceeded?"
    for echo in ("relay access denied", "daily quota exceeded"):
        decision = _decision(Phase.DOT, 554, f'no: "{echo}"', BEN, body=body)
        assert (decision.verdict, decision.effect) == (Verdict.FALLBACK, Effect.NONE)


def test_what_a_third_server_said_is_not_the_servers_own():
    for reply in (
        "host mx.example.net[192.0.2.1] said: 550 5.7.1 Relay access denied (in reply to RCPT TO)",
        "Callout failed\nResponse: 550 5.7.1 Your account has been suspended\nPlease try later",
        "Remote server returned '550 5.1.8 Access denied, bad outbound sender'",
    ):
        assert _decision(Phase.RCPT, 550, reply, BEN).effect is Effect.NONE


def test_the_servers_own_words_count_beside_an_address():
    decision = _decision(Phase.RCPT, 554, f"5.7.1 <{BEN}>: Relay access denied", BEN)
    assert (decision.rule, decision.effect) == ("relay_denied", Effect.MISCONFIGURED)
    decision = _decision(
        Phase.RCPT, 550, 'Outgoing mail from "ana@x.test" has been suspended.', BEN
    )
    assert decision.rule == "sender_blocked"


def test_words_that_the_mail_has_too_prove_nothing():
    decision = _decision(Phase.RCPT, 554, "5.7.1 Relay access denied", "relay@corp.example")
    assert (decision.rule, decision.verdict) == ("unproven", Verdict.FALLBACK)
    assert decision.is_open


@pytest.mark.parametrize(
    "exc",
    [
        smtplib.SMTPDataError(554, b"5.7.1 Relay access denied"),
        smtplib.SMTPRecipientsRefused({BEN: (554, b"5.7.1 Relay access denied")}),
    ],
    ids=["data", "recipients"],
)
def test_a_reply_in_an_exception_is_read_beside_the_mail(exc):
    mail = MailText(["relay@corp.example"])
    assert classify(Failure.from_exception(Phase.DATA, exc)).rule == "relay_denied"
    assert classify(Failure.from_exception(Phase.DATA, exc, mail=mail)).rule == "unproven"


def test_a_reply_in_an_exception_is_read_beside_further_addresses():
    exc = smtplib.SMTPDataError(554, b"5.7.1 Relay access denied")
    failure = Failure.from_exception(Phase.DATA, exc, addresses=["relay@corp.example"])
    assert classify(failure).rule == "unproven"


def test_what_a_mail_repeats_of_the_sender_makes_no_refusal_sure():
    """The subject is not the server's own words, but hides nothing that the server says."""
    reply = b"5.1.1 Sender address: user unknown"
    for subject in ("", "Sender address"):
        mail = MailText(headers=[subject])
        decision = classify(Failure.from_reply(Phase.RCPT, 550, reply, mail=mail))
        assert (decision.verdict, decision.is_open) == (Verdict.FALLBACK, True)


def test_an_unknown_user_who_is_the_sender_is_no_recipient():
    ana = "ana@corp.example"
    mail = SentMail(ana, [BEN], b"").all_of_it
    for address, verdict in ((BEN, Verdict.REFUSE), (ana, Verdict.FALLBACK)):
        for reply in (f"5.1.1 <{address}>: User unknown", f"No such user: {address}"):
            failure = Failure.from_reply(Phase.RCPT, 550, reply.encode(), mail=mail)
            assert classify(failure).verdict is verdict, reply


def test_a_code_that_an_address_has_in_it_is_none():
    decision = _decision(Phase.RCPT, 550, "go away #5.1.1@corp.example", "#5.1.1@corp.example")
    assert decision.verdict is Verdict.FALLBACK
    assert _decision(Phase.RCPT, 550, "5.1.1 no", "5.1.1@corp.example").verdict is Verdict.FALLBACK
    subject = "5.7.501 in my log"
    assert _decision(Phase.DOT, 550, "5.7.501 no", BEN, subject=subject).effect is Effect.NONE


def test_what_a_mail_says_is_read_from_the_wire():
    content = (
        b"From: Ana <ana@corp.example>\r\nTo: ben@corp.example\r\n"
        b"Subject: =?utf-8?q?Daily_quota?=\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        b"<p>See <b>this</b></p>\r\n"
    )
    sent = SentMail("ana@corp.example", ["ben@corp.example"], content)
    text = sent.all_of_it
    assert text.addresses == ("ana@corp.example", "ben@corp.example")
    assert "Daily quota" in text.headers
    assert text.pairs == {("see", "this")}
    assert not sent.envelope_and_headers.pairs
    strange = content.replace(b"charset=utf-8", b"charset=no-such-thing")
    assert not SentMail("", [], strange).all_of_it.pairs


def test_each_text_of_a_mail_is_read_as_far_as_it_can_be():
    parts = (
        b"Content-Type: image/png\n\nno such",
        b"Content-Type: text/plain\n\nGr\xc3\xbc\xc3\x9fe aus",
        b"Content-Type: text/plain; charset=no-such-thing\n\nno such",
        b"Content-Type: text/plain\n\n \xff Bern",
    )
    head = b"Content-Type: multipart/mixed; boundary=b\n"
    content = b"\n--b\n".join([head, *parts]) + b"\n--b--\n"
    assert SentMail("", [], content).all_of_it.pairs == {("grüße", "aus"), ("aus", "bern")}


def test_what_stands_in_the_body_is_left_out_wherever_it_is_repeated():
    mail = MailText(body="See our relay access. The daily quota")
    said = own_words("554 no Relay access, but your daily quota", mail)
    assert said.without_quotes == said.without_mail_words == "554 no  , but your  "
    assert said.whole == "554 no Relay access, but your daily quota"


def test_a_long_reply_is_read_in_part():
    text = "550-" + "-" * 1_000_000
    assert len(own_words(text).without_quotes) <= 1_000
    failure = Failure.from_reply(Phase.RCPT, 550, b"5.1.1 no\n" + b"----\n" * 13_000)
    assert failure.enhanced == "5.1.1"


# --- what always holds

VOCABULARY = sorted(
    {
        word.strip("\\b")
        for rule in RULES
        for word in rule.says.pattern.replace("|", " ").replace("(", " ").replace(")", " ").split()
        if word.strip("\\b").isalpha()
    }
)
chosen = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=4)
PHRASES = [
    "relay access denied",
    "daily quota exceeded",
    "your account has been suspended",
    "helo command rejected",
    "client host blocked using spamhaus",
    "spam message discarded",
    "user unknown",
    "5.1.1",
    "message too big",
]
strangers = st.one_of(chosen.map(" ".join), st.sampled_from(PHRASES))
templates = st.sampled_from(
    [
        "5.7.1 <{}>: no",
        "{} no",
        "no: {}",
        "4.7.1 {}: Recipient address rejected: later",
        "5.1.1 {} unknown",
        "no ({})",
        'refused: "{}"',
        "no\nnever: {}\nbye",
    ]
)
transaction = st.sampled_from([Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.DOT])


@given(transaction, st.sampled_from([421, 450, 451, 550, 554]), templates, strangers, st.data())
def test_no_text_of_a_stranger_makes_a_state_worse_or_loses_mail(phase, code, template, text, data):
    joined = text.replace(" ", data.draw(st.sampled_from([".", "-", "_"])))
    domain = f"{joined.replace('_', '-')}.example"
    address, shown = data.draw(
        st.sampled_from(
            [
                (f"{joined}@corp.example", f"{joined}@corp.example"),
                (f"{joined}@corp.example", joined),
                (f'"{text}"@corp.example', f'"{text}"@corp.example'),
                (f"{joined}@corp.example", f"{joined}=40corp.example"),
                (f"x@{domain}", domain),
                (f"x@{domain}", f"x@{domain}"),
            ]
        )
    )
    plain = _decision(phase, code, template.format("X"), BEN)
    echoed = _decision(phase, code, template.format(shown), address)
    assert echoed.effect in (Effect.NONE, plain.effect)
    assert echoed.verdict is not Verdict.REFUSE or plain.verdict is Verdict.REFUSE
    echoed = _decision(phase, code, template.format(text), BEN, subject=text)
    assert echoed.effect in (Effect.NONE, plain.effect)
    assert echoed.verdict is not Verdict.REFUSE or plain.verdict is Verdict.REFUSE
