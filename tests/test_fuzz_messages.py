"""Authors of any name: what leaves in System Mail's name is one message from System Mail."""

import contextlib
import email
import email.policy
import time
from email.message import EmailMessage
from email.utils import formataddr

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ..failover.rewrite import LONGEST_NAME, in_the_name_of, sender

HELLO, ANA, THREAD = "hello@company.test", "ana@company.test", "catchall@company.test"
HEADERS = {
    *("From", "To", "Message-Id", "Reply-To", "Subject"),
    *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
}
QUICK = 1.0
"""Seconds: far more than one takes, on a busy machine too."""

specials = st.text(alphabet='"\\<>()[]@,;:.=?_ \r\n\0\x0b\x85\u2028\u202e\ud800ä🎉a', max_size=80)
encoded = st.tuples(st.sampled_from("qQbB"), st.text(alphabet="=0AD3C40a_BccQ", max_size=30)).map(
    lambda parts: f"=?utf-8?{parts[0]}?{parts[1]}?="
)
names = st.one_of(st.text(max_size=80), specials, st.lists(encoded, max_size=5).map(" ".join))
addresses = st.one_of(
    st.emails(), st.sampled_from([ANA, "", "zoë@bücher.test", "a@b>, <eve@x.test"]), specials
)
authors = st.one_of(
    st.builds(lambda name, address: f"{name} <{address}>", names, addresses),
    st.builds(lambda name, address: f'"{name}" <{address}>', names, addresses),
    names,
    addresses,
)


def written(author=ANA, **headers):
    message = EmailMessage(policy=email.policy.SMTP)
    message["Message-Id"] = "<1@company.test>"
    message["To"] = "ben@company.test"
    message["Subject"] = "Hello"
    message["From"] = author
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("See this")
    return message


def assert_from_system_mail(message, author, reply_to=None):
    """It parses again, as one message from System Mail that says no more than it should."""
    begin = time.process_time()
    raw = in_the_name_of(message, HELLO, author).as_bytes()
    assert time.process_time() - begin < QUICK
    head = raw.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) < 998
    assert b"\n" not in head.replace(b"\r\n", b"")
    arrived = email.message_from_bytes(raw, policy=email.policy.default)
    assert len(arrived.keys()) == len({*arrived.keys()}), "no header twice"
    assert {*arrived.keys()} <= HEADERS
    [from_] = arrived["From"].addresses
    assert from_.addr_spec == HELLO
    assert len(from_.display_name) <= 2 * LONGEST_NAME
    if reply_to:
        assert [address.addr_spec for address in arrived["Reply-To"].addresses] == [reply_to]
    assert arrived["Reply-To"] is None or len(arrived["Reply-To"].addresses) == 1
    assert arrived.get_content().strip() == "See this"


@given(author=authors)
@example("=?utf-8?q?Ana=0ABcc=3A_eve=40x.test?= <ana@company.test>")
@example('"=?utf-8?q?Ana=0D=0A=0D=0ANew_body?= long long" <ana@company.test>')
@example("=?utf-8?b?QW5hCkJjYzogZXZlQHgudGVzdAo=?=")
@example('"Ana\r\nBcc: eve@x.test" <ana@company.test>')
@example("Ana\ud800 <ana@company.test>")
@example("Ana <a@b>, <eve@x.test>")
def test_no_author_adds_a_header_or_an_address(author):
    assert_from_system_mail(written(), author)
    assert_from_system_mail(written(Reply_To=THREAD), author, reply_to=THREAD)


@given(name=names, subject=names)
@example("Ben\r\nBcc: eve@x.test\r\n\r\nNew body", "Hello\r\nBcc: eve@x.test")
@example("=?utf-8?q?a?= " * 200, "=?utf-8?q?a?= " * 200)
@example("=?utf-8?q?Ben=0ABcc=3A_eve=40x.test?=", "=?utf-8?q?Lead=0ABcc=3A_eve=40x.test?=")
@example("=?utf-8?q?=3D=3Futf-8=3Fq=3FBen=3D0ABcc=3D3A_a=3F=3D?=", "")
@example("", "=??Q?=0A_")
@example("0, \x85", "")  # what the header shows is not all that is written
def test_no_reader_or_document_adds_a_header(name, subject):
    """As Odoo writes them: the name encoded, the subject on one line."""
    written_name = formataddr((name.encode("utf-8", "replace").decode(), "ben@company.test"))
    message = written()
    for header, value in (("To", written_name), ("Reply-To", written_name), ("Subject", subject)):
        del message[header]
        with contextlib.suppress(ValueError):  # which Odoo could not write
            message[header] = [value] if header == "To" else value
    try:
        message.as_bytes()
    except UnicodeError:  # nor could Python: it is refused as what cannot be written
        assume(False)
    assert_from_system_mail(message, f'"Ana" <{ANA}>')


@given(name=st.text(min_size=1, max_size=60))
def test_an_author_whom_odoo_lets_write_is_named_and_answered(name):
    author = formataddr((name.encode("utf-8", "replace").decode(), ANA))
    assert_from_system_mail(written(), author, reply_to=ANA)


@pytest.mark.parametrize(
    "name",
    [
        "a" * 100_000,
        "ä" * 100_000,
        "🎉" * 100_000,
        "a b " * 25_000,
        "=?utf-8?q?a?= " * 8_000,
        "(" * 100_000,
        "(" * 900,
        '\\"' * 50_000,
        "<" * 100_000,
        "@," * 50_000,
    ],
    ids=lambda name: f"{name[:4]!a} {len(name)}",
)
def test_no_name_is_too_long(name):
    for author in (f'"{name}" <{ANA}>', f"{name} <{ANA}>"):
        assert_from_system_mail(written(), author, reply_to=None)
        assert ANA not in sender(author, HELLO)
    assert_from_system_mail(written(), name)


def test_thousands_of_recipients_stay_as_they_are():
    readers = ", ".join(f"reader{number}@company.test" for number in range(2_000))
    message = written(Cc=readers)
    system = in_the_name_of(message, HELLO, f'"Ana" <{ANA}>')
    assert system["Cc"] is message["Cc"]
    assert [address.addr_spec for address in system["From"].addresses] == [HELLO]
