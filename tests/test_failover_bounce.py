"""What is read of a bounce, and how quickly."""

import base64
import email
import email.policy
import time

import pytest

from ..failover.bounce import LOOKED_AT, MOST, has_signs, read
from . import bounces

HELLO, BEN, ID = "hello@company.test", "ben@elsewhere.test", "<1@company.test>"
QUICK = 2.0
"""Seconds: far more than one takes, on a busy machine too."""


def parsed(text, recipient=BEN, message_id=ID):
    written = text.format(sender=HELLO, recipient=recipient, message_id=message_id)
    return email.message_from_bytes(written.encode(), policy=email.policy.SMTP)


@pytest.mark.parametrize("text", bounces.BOUNCES.values(), ids=bounces.BOUNCES)
def test_a_failure_names_its_recipient(text):
    said = read(parsed(text))
    assert said.is_failure
    assert any(BEN in names for names in said.recipients)


@pytest.mark.parametrize(
    "text",
    [
        *(bounces.EXIM_TEXT, bounces.GMAIL_TEXT, bounces.QMAIL, bounces.EXCHANGE_2003),
        bounces.GMAIL_API,
        bounces.GMAIL_API.replace(
            "Content-Type: message/rfc822", "Content-Type: text/rfc822-headers"
        ),
    ],
)
def test_a_message_is_known_by_what_quotes_it(text):
    assert read(parsed(text)).message_ids == (ID,)


def test_who_is_named_after_the_quoted_message_began_is_not_meant():
    text = bounces.QMAIL.replace("See this", "Write to ann@elsewhere.test")
    assert ("ann@elsewhere.test",) not in read(parsed(text)).recipients


def test_a_forwarded_message_has_both_addresses():
    said = read(parsed(bounces.POSTFIX_FORWARDED))
    assert said.recipients == ((BEN, "somebody@forwarded.test"),)


LATE_GLOBALLY = bounces.POSTFIX_SMTPUTF8.replace("Action: failed", "Action: delayed")
_BEGIN = LATE_GLOBALLY.index("Reporting-MTA")
_END = LATE_GLOBALLY.index("--9A1B2C.1764152402/mx.relay.test\nContent-Description: Und")
LATE_IN_BASE64 = "".join(
    (
        LATE_GLOBALLY[:_BEGIN].rstrip("\n") + "\nContent-Transfer-Encoding: base64\n\n",
        base64.encodebytes(LATE_GLOBALLY[_BEGIN:_END].encode()).decode() + "\n",
        LATE_GLOBALLY[_END:],
    )
)


@pytest.mark.parametrize(
    "text", [bounces.POSTFIX_DELAYED, bounces.RECEIPT, LATE_GLOBALLY, LATE_IN_BASE64]
)
def test_what_is_late_or_read_did_not_fail(text):
    assert not read(parsed(text)).is_failure


def test_a_report_in_any_script_names_its_recipient_and_its_message():
    said = read(parsed(bounces.POSTFIX_SMTPUTF8, recipient="bén@elsewhere.test"))
    assert said == (True, (("bén@elsewhere.test",),), (ID,))


def test_only_those_that_failed_count():
    arrived = "Final-Recipient: rfc822; ann@elsewhere.test\nAction: relayed\nStatus: 2.0.0\n\nFinal"
    said = read(parsed(bounces.POSTFIX.replace("Final", arrived, 1)))
    assert said.is_failure
    assert said.recipients == ((BEN,),)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Action: Failed (of three)\nStatus: 4.4.7\n", True),
        ("Action: delayed\nStatus: 5.0.0\n", False),
        ("Status: 5.1.1\n", True),
        ("Status: 4.4.1\n", False),
        ("", False),
    ],
)
def test_the_status_tells_where_there_is_no_action(said, expected):
    text = bounces.POSTFIX.replace("Action: failed\nStatus: 5.1.1\n", said)
    assert read(parsed(text)).is_failure is expected


@pytest.mark.parametrize(
    "value", ["rfc822; <BEN@ELSEWHERE.FOX>", "ben@elsewhere.fox", "a;b; ben@elsewhere.fox "]
)
def test_a_recipient_is_a_bare_address_in_small_letters(value):
    text = bounces.POSTFIX_FORWARDED.replace("rfc822; somebody@forwarded.test", value)
    assert read(parsed(text)).recipients == ((BEN, "ben@elsewhere.fox"),)


def test_only_a_report_of_the_delivery_counts():
    text = bounces.RECEIPT.replace("Disposition:", "Action: failed\nDisposition:")
    assert not read(parsed(text)).is_failure


def test_the_last_reference_of_the_returned_message_is_its_own():
    first = "References: <0@company.test>\n"
    text = bounces.GMAIL_API.replace(first, f"{first} <1@x.test>\nReferences:\n")
    assert read(parsed(text)).message_ids == (ID,)


def test_a_header_names_who_failed_however_many_it_takes():
    text = bounces.EXIM_TEXT.replace("Auto-", "X-Failed-Recipients: cleo@elsewhere.test\nAuto-")
    assert read(parsed(text)).recipients == ((BEN,), ("cleo@elsewhere.test",))


def of_parts(*parts):
    """A message of several parts, without a report for machines."""
    lines = [b"Content-Type: multipart/mixed; boundary=b", b""]
    for kind, content in parts:
        lines += [b"--b", b"Content-Type: " + kind, b"", content]
    return email.message_from_bytes(b"\n".join([*lines, b"--b--", b""]), policy=email.policy.SMTP)


def test_all_its_texts_are_read_and_no_message_that_is_attached():
    attached = b"From: ann@elsewhere.test\nMessage-Id: <0@company.test>\n\nMessage-Id: <9@x.test>"
    said = read(
        of_parts(
            (b"text/plain", BEN.encode()),
            (b"text/plain\nContent-Transfer-Encoding: base64", b"Y2xlb0BlbHNld2hlcmUudGVzdA=="),
            (b"message/rfc822", attached),
            (b"text/html", b"dora@elsewhere.test"),
        )
    )
    assert said == (True, ((BEN,), ("cleo@elsewhere.test",)), ())


def test_what_is_no_text_is_no_matter():
    said = read(of_parts((b"text/plain", b"\xff " + BEN.encode())))
    assert said.recipients == ((BEN,),)
    broken = email.message_from_string(f"Content-Type: multipart/mixed\n\n{BEN}")
    assert read(broken).recipients == ()


def test_an_empty_report_is_read_as_text():
    report, _, rest = bounces.GMAIL.partition("Reporting-MTA")
    said = read(parsed(report + rest[rest.index("--0000") :]))
    assert said.is_failure
    assert said.recipients == ((BEN,),)


@pytest.mark.parametrize(
    ("text", "sender", "expected"),
    [
        (bounces.EXCHANGE_2003, "postmaster@elsewhere.test", True),
        (bounces.EXCHANGE_2003.replace("<>", f"<{BEN}>"), "postmaster@elsewhere.test", False),
        (bounces.EXCHANGE_2003, BEN, False),
        (bounces.EXIM_TEXT, "mail@relay.test", True),
        (bounces.EXCHANGE_ONLINE, "microsoftexchange329e@company.test", True),
        (bounces.VACATION, BEN, False),
    ],
)
def test_signs_of_a_bounce(text, sender, expected):
    assert has_signs(parsed(text), sender) is expected


@pytest.mark.parametrize(
    "body",
    [
        "a" * LOOKED_AT * 4,
        " " * LOOKED_AT * 4,
        "@" * LOOKED_AT * 4,
        "message-id:" * LOOKED_AT,
        "message-id: <" * LOOKED_AT,
        "Message-Id: <1@x>\n" * LOOKED_AT,
        "\n> " * LOOKED_AT,
    ],
    ids=range(7),
)
def test_a_hostile_text_is_read_quickly(body):
    message = email.message_from_string(f"From: a@b\n\n{body}", policy=email.policy.SMTP)
    begin = time.monotonic()
    said = read(message)
    assert time.monotonic() - begin < QUICK
    assert len(said.recipients) <= MOST
    assert len(said.message_ids) <= MOST


def test_a_report_that_has_an_encoding_of_its_own_is_read():
    twice = LATE_IN_BASE64.replace(
        base64.encodebytes(LATE_GLOBALLY[_BEGIN:_END].encode()).decode(),
        "Content-Transfer-Encoding: base64\n\nUmVwb3J0aW5nLU1UQTogZG5zOyBteA==\n",
    )
    assert "base64\n\nContent-Transfer-Encoding" in twice
    assert read(parsed(twice)).is_failure


def test_what_no_database_takes_is_left_out():
    message = parsed(bounces.EXCHANGE_2003)
    message["X-MS-TNEF-Correlator"] = "<\0@company.test>"
    assert ID in read(message).message_ids
    assert all(map(str.isprintable, read(message).message_ids))
