"""Names, sockets and lines, each within its time."""

import socket
import threading
import time
from unittest.mock import patch

import pytest

from ..failover import network
from ..failover.connection import Patience, Trace
from ..failover.network import LineReader, connect, resolve
from .smtp_lab.protocol import reset_on_close

HOST = "127.0.0.1"


def trace(seconds=5.0):
    return Trace(Patience(log_in=seconds))


class TestNames:
    def test_an_address_is_found_once(self):
        [(family, kind, _protocol, _name, address)] = resolve(HOST, 25, trace())
        assert (family, kind, address) == (socket.AF_INET, socket.SOCK_STREAM, (HOST, 25))

    def test_what_can_be_no_name_is_told_as_such(self):
        with pytest.raises(UnicodeError):
            resolve("x" * 64 + ".test", 25, trace())

    def test_the_wait_for_an_answer_has_an_end_and_keeps_no_process_alive(self):
        asked, answered = [], threading.Event()

        def never(*_args):
            asked.append(threading.current_thread())
            answered.wait(5)
            return []

        with patch.object(socket, "getaddrinfo", never):
            with pytest.raises(TimeoutError, match=r"^no answer for the name mail\.company\.test$"):
                resolve("mail.company.test", 25, trace(0.05))
            answered.set()
        [thread] = asked
        assert thread.daemon
        assert thread.name == "system_mail_resolver"


@pytest.fixture(name="server")
def _server():
    with socket.create_server((HOST, 0)) as listener:
        yield listener


@pytest.fixture(name="silent")
def _silent():
    """A port whose queue of callers is full: who calls hears nothing."""
    with (
        socket.create_server((HOST, 0), backlog=0) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        yield listener


@pytest.fixture(name="closed")
def _closed():
    with socket.socket() as closed:
        closed.bind((HOST, 0))
        yield closed


def places(*sockets):
    """As ``getaddrinfo`` says it."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", sock.getsockname()) for sock in sockets]


class TestSockets:
    def test_the_first_address_that_answers_is_taken(self, closed, server):
        found = places(closed, server, closed)
        sock, peer = connect(found, trace(), None)
        with sock:
            assert peer is found[1]
            assert sock.getpeername() == server.getsockname()

    def test_small_commands_leave_at_once_and_have_all_the_time_that_is_left(self, server):
        sock, _peer = connect(places(server, server), trace(5), None)
        with sock:
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert 4 < sock.gettimeout() <= 5

    def test_it_comes_from_the_address_that_it_is_told(self, server):
        sock, _peer = connect(places(server), trace(), ("127.0.0.2", 0))
        with sock:
            assert sock.getsockname()[0] == "127.0.0.2"

    def test_a_silent_address_leaves_time_for_the_next(self, silent, server):
        begin = time.monotonic()
        sock, _peer = connect(places(silent, server), trace(0.4), None)
        with sock:
            assert sock.getpeername() == server.getsockname()
        assert 0.2 <= time.monotonic() - begin < 0.4

    def test_silent_addresses_use_up_the_time_together(self, silent):
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            connect(places(silent, silent, silent), trace(0.3), None)
        assert 0.28 <= time.monotonic() - begin < 0.5

    def test_why_the_last_one_failed_is_told(self, silent, closed):
        with pytest.raises(ConnectionRefusedError):
            connect(places(silent, closed), trace(0.1), None)

    def test_a_name_without_an_address(self):
        with pytest.raises(OSError, match=r"^the name has no address$"):
            connect([], trace(), None)


class Line:
    """A connection to ourselves: what is said at one end is read at the other."""

    def __init__(self, seconds=5.0):
        with socket.create_server((HOST, 0)) as listener:
            self._theirs = socket.create_connection(listener.getsockname())
            self._ours, _peer = listener.accept()
        self.reader = LineReader(self._ours, trace(seconds))

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.end()
        self._ours.close()

    def say(self, words):
        self._theirs.sendall(words)

    def end(self, reset=False):
        if reset:
            reset_on_close(self._theirs)
        self._theirs.close()


class TestLines:
    def test_each_is_read_by_itself(self):
        with Line() as line:
            line.say(b"250-one\r\n250 two\r\n25")
            assert line.reader.readline(100) == b"250-one\r\n"
            assert line.reader.unread == b"250 two\r\n25"
            assert line.reader.readline(100) == b"250 two\r\n"
            line.end()
            assert line.reader.readline(100) == b"25"
            assert line.reader.readline(100) == b""

    def test_one_that_is_too_long_comes_in_pieces(self):
        with Line() as line:
            line.say(b"250 two")
            assert line.reader.readline(7) == b"250 two"
            line.say(b"250 three\r\n")
            assert line.reader.readline(7) == b"250 thr"
            assert line.reader.readline(7) == b"ee\r\n"

    def test_one_without_an_end_is_given_up(self):
        with Line(seconds=0.05) as line:
            line.say(b"250")
            with pytest.raises(TimeoutError):
                line.reader.readline(100)

    def test_a_reply_may_be_as_long_as_it_may_be_and_no_longer(self):
        with Line() as line, patch.object(network, "LONGEST_REPLY", 10):
            for _ in range(2):
                line.reader.begin_reply()
                line.say(b"250-\r\n250\n")
                assert line.reader.readline(100) + line.reader.readline(100)
            line.say(b"\n")
            with pytest.raises(OSError, match=r"^the reply does not end$"):
                line.reader.readline(100)


class TestAwaitedReplies:
    @pytest.mark.parametrize(
        ("said", "is_reply"),
        [
            (b"", False),
            (b"250 Ok", False),
            (b"250 Ok\r\n", True),
            (b"250\n", True),
            (b"\r\n", True),
            (b"250-one\r\n", False),
            (b"250-one\r\n250 two", False),
            (b"250-one\r\n250 two\r\n", True),
            (b"250-one\r\n250-two\r\n", False),
            (b"250-one\r\n250-two\r\n250 three\r\n", True),
            (b"250 one\r\n250-", True),
        ],
    )
    def test_it_is_there_with_its_last_line(self, said, is_reply):
        with Line() as line:
            line.say(said)
            assert line.reader.await_reply(0.02) is is_reply
            assert line.reader.unread == said

    def test_what_is_there_is_seen_without_waiting(self):
        with Line() as line:
            assert not line.reader.await_reply(-1)
            line.say(b"250 Ok\r\n")
            assert line.reader.await_reply(0)

    def test_it_is_waited_for_as_long_as_one_may(self):
        with Line() as line:
            threading.Timer(0.05, line.say, [b"250 Ok\r\n"]).start()
            begin = time.monotonic()
            assert not line.reader.await_reply(0.02)
            assert time.monotonic() - begin >= 0.02
            assert line.reader.await_reply(5)
            assert time.monotonic() - begin < 2

    def test_a_line_that_goes_on_ends_the_wait_when_it_is_too_long(self):
        with patch.object(network, "LONGEST_REPLY", 10), Line() as line:
            line.say(b"250-6789\r\n")
            assert not line.reader.await_reply(0.02)
            line.say(b"\r")
            assert line.reader.await_reply(5)

    @pytest.mark.parametrize("reset", [False, True])
    def test_the_end_of_the_connection_ends_the_wait(self, reset):
        with Line() as line:
            line.say(b"250-one\r\n")
            line.end(reset)
            assert line.reader.await_reply(5)
