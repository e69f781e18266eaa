"""Which servers a mailbox may be at that anybody could set up."""

import smtplib
import socket
from unittest.mock import patch

import pytest

from ..failover import ssrf_guard
from ..failover.connection import CONNECTION_ERRORS, Patience, watching
from ..failover.failure import Kind, Phase
from ..failover.ssrf_guard import OutOfReach, check, is_public, public_only
from .smtp_lab import Liar

PUBLIC = ["8.8.8.8", "142.250.1.1", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
INTERNAL = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1"),
    *("2001:db8::1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1", "100::1"),
    *("192.0.0.192", "192.88.99.1", "3fff::1", "64:ff9b::c058:6301"),
]
SPELLINGS = ["127.0.0.1", "localhost", "127.1", "0x7f.1", "2130706433", "0", "::1"]
"""Of this machine."""


def found(*addresses, port=25):
    """As ``getaddrinfo`` says it."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize("address", INTERNAL)
def test_internal_addresses(address):
    assert not is_public(address)


@pytest.mark.parametrize("port", [22, 80, 443, 5432, 8069, 26])
def test_only_the_ports_of_mail(port):
    with public_only(), pytest.raises(OutOfReach):
        check(found(*PUBLIC[:1]), port)


def test_one_internal_address_among_others_is_enough():
    with public_only(), pytest.raises(OutOfReach):
        check(found("8.8.8.8", "10.0.0.1"), 25)
    with public_only():
        check(found("8.8.8.8", "142.250.1.1"), 25)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("watched", [True, False])
def test_nothing_is_said_to_this_machine_however_it_is_spelt(spelling, watched):
    with Liar({}) as liar, patch.object(ssrf_guard, "PORTS", (liar.port,)):
        with public_only(), pytest.raises(OutOfReach):
            dial(spelling, liar.port, watched)
        assert not liar.clients
        dial(liar.host, liar.port, watched)
        assert liar.clients


@pytest.mark.parametrize("watched", [True, False])
def test_what_was_checked_is_connected_to_whatever_the_dns_says_next(watched):
    answers, connected = ["8.8.8.8", "127.0.0.1", "127.0.0.1"], []

    def look_up(host, port, *_more):
        address = answers.pop(0) if host == "rebinding.test" else host
        return found(address, port=port)

    class Unplugged(socket.socket):
        def connect(self, address):
            connected.append(address[0])
            raise ConnectionRefusedError

    unplugged = patch.multiple(socket, getaddrinfo=look_up, socket=Unplugged)
    with unplugged, public_only(), pytest.raises(ConnectionRefusedError):
        dial("rebinding.test", 25, watched)
    assert connected == ["8.8.8.8"]


def test_it_says_no_more_than_where_there_is_no_such_name():
    failures = []
    for host in ("127.0.0.1", "no-such-name.invalid"):
        with public_only(), watching(Patience()) as trace, pytest.raises(CONNECTION_ERRORS) as exc:
            smtplib.SMTP(host, 25, "here.test", timeout=5)
        failures.append(trace.failure(exc.value))
    assert (failures[0].phase, failures[0].kind) == (Phase.DNS, Kind.UNKNOWN_HOST)
    assert failures[0] == failures[1]


def dial(host, port, watched):
    if watched:
        with watching(Patience(log_in=2)):
            smtplib.SMTP(host, port, "here.test", timeout=2).close()
    else:
        smtplib.SMTP(host, port, "here.test", timeout=2).close()
