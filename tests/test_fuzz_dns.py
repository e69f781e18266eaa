"""Name servers that answer anything: an address has a known service, or none, in time."""

import contextlib
import socket
import threading
import time

import dns.resolver
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ..connect.detection import Detected, detect, password_services
from .property_tests import slow

SECONDS = 0.2
LONGEST = 3.0
"""Seconds: far more than a look may take, on a busy machine too."""
ANSWER, TRUNCATED, MX, CNAME, IN = 0x8180, 0x8380, 15, 5, 1
SERVICES = password_services()
END_OF_QUESTION = b"\0\0\x0f\0\x01"  # of the name, the type MX, the class IN
QUESTION_NAME = b"\xc0\x0c"
"""A pointer to the name that was asked for."""


class NameServer:
    """Answers by UDP with what it is told: whole answers, or what follows the identifier."""

    def __init__(self):
        self.answers = []
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self):
        while True:
            data, client = self._socket.recvfrom(65_535)
            if not data:
                return
            for answer in self.answers:
                with contextlib.suppress(OSError):  # it is too long
                    self._socket.sendto(answer(data), client)


@pytest.fixture(scope="module", name="server")
def _server():
    before, server = dns.resolver.default_resolver, NameServer()
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], server.port
    dns.resolver.default_resolver = resolver
    yield server
    dns.resolver.default_resolver = before
    server.close()


# --- what name servers say


def name(labels):
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def record(kind, data, ttl=60):
    head = kind.to_bytes(2, "big") + IN.to_bytes(2, "big") + ttl.to_bytes(4, "big")
    return QUESTION_NAME + head + len(data).to_bytes(2, "big") + data


def mx(preference, labels):
    return record(MX, preference.to_bytes(2, "big") + name(labels))


def said(records, flags=ANSWER):
    """An answer to the very question."""

    def answer(query):
        counts = (1, len(records), 0, 0)
        head = query[:2] + flags.to_bytes(2, "big")
        head += b"".join(count.to_bytes(2, "big") for count in counts)
        asked = query[12:].partition(END_OF_QUESTION)[0] + END_OF_QUESTION
        return head + asked + b"".join(records)

    return answer


labels = st.lists(st.binary(min_size=1, max_size=63), max_size=3)
records = st.one_of(
    st.builds(mx, st.integers(0, 65_535), labels),
    st.builds(mx, st.integers(0, 65_535), st.just([b"mx", b"messagingengine", b"com"])),
    st.builds(record, st.sampled_from([MX, CNAME, 1, 16]), st.binary(max_size=60)),
    st.just(record(CNAME, QUESTION_NAME)),
    st.binary(max_size=60),
)
answers = st.one_of(
    st.builds(said, st.lists(records, max_size=5), st.sampled_from([ANSWER, TRUNCATED, 0x8183])),
    st.builds(said, st.lists(records, max_size=5), st.integers(0, 65_535)),
    st.binary(max_size=100).map(lambda junk: lambda _query: junk),
    st.binary(max_size=100).map(lambda junk: lambda query: query[:2] + junk),
)
addresses = st.one_of(
    st.emails(), st.text(max_size=80), st.text(max_size=300).map(lambda domain: f"ana@{domain}")
)


# --- what holds


@slow(30)
@given(address=addresses, told=st.lists(answers, max_size=3))
@example("ana@company.test", [said([mx(1, [b"a\0b.\xff", b"messagingengine", b"com"])])])
@example("ana@company.test", [said([record(CNAME, QUESTION_NAME)])])
@example("ana@company.test", [said([mx(1, [])])])
@example("ana@company.test", [said([], flags=TRUNCATED)])
@example("ana@" + "a" * 70 + ".test", [])
@example("ana@a..test", [])
@example("ana@\ud800.test", [])
@example("ana@\0", [])
def test_an_address_has_a_known_service_or_none(server, address, told):
    server.answers = told
    begin = time.monotonic()
    found = detect(address, SERVICES, SECONDS)
    assert time.monotonic() - begin < LONGEST
    assert isinstance(found, Detected)
    assert found.service in (None, *SERVICES)


def test_the_test_itself_can_tell(server):
    server.answers = [said([mx(9, [b"in1", b"messagingengine", b"com"])])]
    assert detect("ana@company.test", SERVICES, LONGEST).service.name == "Fastmail"


@pytest.mark.parametrize("host", ["evilmessagingengine.com", "messagingengine.com.evil.test"])
def test_no_name_that_is_only_like_it_counts(server, host):
    server.answers = [said([mx(9, [label.encode() for label in host.split(".")])])]
    found = detect("ana@company.test", SERVICES, LONGEST)
    assert found == Detected(None, looked_up=True)


def test_many_hosts_take_no_time(server):
    server.answers = [said([mx(9, [b"%d" % number, b"test"]) for number in range(2_000)])]
    begin = time.monotonic()
    assert detect("ana@company.test", SERVICES, LONGEST).service is None
    assert time.monotonic() - begin < LONGEST
