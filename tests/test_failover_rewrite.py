import email
import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ..failover.rewrite import LONGEST_NAME, in_the_name_of

HELLO, BEN = "hello@company.test", "ben@company.test"


def written_by(author, **headers):
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = author
    message["Message-Id"] = "<1@company.test>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("See this")
    return message


def name_of(system):
    [mailbox] = system["From"].addresses
    assert mailbox.addr_spec == HELLO
    return mailbox.display_name


def test_the_original_stays_as_it_is():
    message = written_by('"Ana" <ana@company.test>', Sender="ana@company.test")
    before = message.as_bytes()
    in_the_name_of(message, HELLO, message["From"])
    assert message.as_bytes() == before


def test_each_author_has_their_own_name_however_often_they_write():
    for name in ("Ana", "Ben", "Ana"):
        author = f'"{name}" <{name.lower()}@company.test>'
        system = in_the_name_of(written_by(author), HELLO, author)
        assert f'From: "{name}" <{HELLO}>\r\n'.encode() in system.as_bytes()
        assert f"Reply-To: {author}\r\n".encode() in system.as_bytes()
        assert system["Message-Id"] == "<1@company.test>"


@pytest.mark.parametrize(
    ("author", "name"),
    [
        ('"Ana" <ana@company.test>', "Ana"),
        (r'"Ana \"the Boss\"" <ana@company.test>', 'Ana "the Boss"'),
        (r'"Ana \\ Co" <ana@company.test>', r"Ana \ Co"),
        ('"Ana\x00\u2028Author" <ana@company.test>', "Ana Author"),
        (f"{'a' * LONGEST_NAME} <ana@company.test>", "a" * LONGEST_NAME),
    ],
)
def test_the_name_that_readers_see(author, name):
    system = in_the_name_of(written_by("ana@company.test"), HELLO, author, "Another Name")
    for header, address in (("From", HELLO), ("Reply-To", "ana@company.test")):
        [mailbox] = system[header].addresses
        assert (mailbox.display_name, mailbox.addr_spec) == (name, address)


@pytest.mark.parametrize(
    ("known_as", "name"),
    [
        ("Ana Author", "Ana Author"),
        ("Ana\r\nBcc: Eve", "Ana Bcc: Eve"),
        ("", "sales"),
        ("ana@company.test", "sales"),
    ],
)
def test_an_author_who_wrote_no_name_has_one_all_the_same(known_as, name):
    author = "sales@company.test"
    system = in_the_name_of(written_by(author), HELLO, author, known_as)
    assert name_of(system) == name
    assert system["Reply-To"] == author


def test_a_message_of_nobody_has_no_reply_to():
    system = in_the_name_of(written_by("ana@company.test"), HELLO, None)
    assert (name_of(system), system["Reply-To"]) == ("hello", None)


def test_a_reply_to_that_is_there_is_kept_and_personal_headers_are_not():
    message = written_by(
        "ana@company.test",
        Reply_To="catchall@company.test",
        Sender="ana@company.test",
        Return_Path="ana@company.test",
        Disposition_Notification_To="ana@company.test",
    )
    system = in_the_name_of(message, HELLO, "ana@company.test")
    assert system["Reply-To"] == "catchall@company.test"
    assert name_of(system) == "ana"
    assert not system["Sender"]
    assert not system["Return-Path"]
    assert not system["Disposition-Notification-To"]


@given(st.text(max_size=60))
@example("\x0c0\r")
@example("Ana\r\nBcc: eve@elsewhere.test")
def test_no_name_adds_a_header_or_an_address(name):
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    system = in_the_name_of(written_by("ana@company.test"), HELLO, f'"{quoted}" <ana@company.test>')
    head = system.as_bytes().partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in b" \t"]
    assert sorted(names) == sorted({*names}), "no header twice"
    assert {*names} <= {
        b"From",
        b"Message-Id",
        b"Content-Type",
        b"Content-Transfer-Encoding",
        b"MIME-Version",
        b"Reply-To",
    }
    assert [a.addr_spec for a in system["From"].addresses] == [HELLO]


def test_who_has_several_addresses_is_answered_at_the_one_of_their_from():
    message = EmailMessage()
    message["Reply-To"] = "Ana <ana@company.test>, eve@elsewhere.test"
    author, own = "Ana <ana@company.test>", ["ana@company.test", "eve@elsewhere.test"]
    system = in_the_name_of(message, "hello@company.test", author, "", own)
    assert [a.addr_spec for a in system["Reply-To"].addresses] == ["ana@company.test"]
    system = in_the_name_of(message, "hello@company.test", author, "", own[:1])
    assert len(system["Reply-To"].addresses) == 2, "somebody chose them for this message"


def test_a_reply_to_of_one_address_is_kept_also_if_it_is_the_authors():
    message = written_by("ana@company.test", Reply_To="Sales <ana@company.test>")
    author = "Ana <ana@company.test>"
    system = in_the_name_of(message, HELLO, author, "", ["ana@company.test"])
    assert system["Reply-To"] == "Sales <ana@company.test>"


def test_a_message_of_pythons_old_kind_is_rewritten_too():
    message = email.message_from_string("From: ana@company.test\nReply-To: sales@company.test\n\n")
    system = in_the_name_of(message, HELLO, "Ana <ana@company.test>")
    assert (system["From"], system["Reply-To"]) == (f'"Ana" <{HELLO}>', "sales@company.test")


def rewritten(header, value):
    """A message with this header after all others, among them one that could not be written."""
    message = written_by("ana@company.test", **{"X No Header": "No"})
    message[header] = value
    system = in_the_name_of(message, HELLO, "ana@company.test")
    assert "X No Header" not in system
    return message[header], system[header]


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        ("Subject", "=?utf-8?q?Lead=0ABcc=3A_eve=40x.test?=", "Lead Bcc: eve@x.test"),
        ("Subject", "=?utf-8?q?Lead=0A_or_not?=", "Lead or not"),
        ("Subject", "=?utf-8?q?Lead=0D_or_not?=", "Lead or not"),
        ("Subject", "Is it =?utf-8", "Is it = ?utf-8"),
        ("To", f"=?utf-8?q?Dan=0CDoe?= <dan@x.test>, {BEN}", f"Dan Doe <dan@x.test>, {BEN}"),
        ("Cc", f"no\0body, {BEN}", f'"no body", {BEN}'),
        ("To", f'"{"a" * 238}" <{BEN}>', f"{'a' * (LONGEST_NAME - 1)}… <{BEN}>"),
    ],
)
def test_what_may_be_read_as_something_else_is_written_anew(header, value, expected):
    _before, after = rewritten(header, value)
    assert after == expected


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Subject", "Grüße"),
        ("Subject", "all that " * LONGEST_NAME),
        ("To", f"{HELLO}, {BEN}"),
        ("To", f'"{"a" * 237}" <{BEN}>'),
    ],
)
def test_all_else_stays_as_it_is(header, value):
    before, after = rewritten(header, value)
    assert after is before


def test_the_parts_of_the_body_are_still_told_apart():
    message = written_by("ana@company.test")
    message.make_mixed(boundary="=?")
    system = in_the_name_of(message, HELLO, "ana@company.test")
    assert system.get_boundary() == "=?"
