"""A server of the lab without sockets, threads and time of its own, for thousands of conversations
a second. It fails as the others do (``Fault``), but has no encryption.
"""

import base64
import collections
import math
from typing import NamedTuple

from .faults import Fault

SANE = {
    "banner": "220 memory.lab.test ESMTP",
    "helo": "250 memory.lab.test",
    "auth": "235 2.7.0 Welcome",
    "mail": "250 2.1.0 OK",
    "rcpt": "250 2.1.5 OK",
    "data": "354 End data with <CR><LF>.<CR><LF>",
    "dot": "250 2.0.0 OK, queued",
    "rset": "250 2.0.0 OK",
    "noop": "250 2.0.0 OK",
    "quit": "221 2.0.0 Bye",
}
REJECTED = "535 5.7.8 Username and Password not accepted"
DRIPS = 300
"""Bytes of a drip: nobody reads more."""
_VERBS = ("ehlo", "helo", "auth", "mail", "rcpt", "data", "rset", "noop", "quit")
_CLOSED, _RESET = b"", None


class MemoryDelivery(NamedTuple):
    """One accepted message; as ``Delivery``."""

    mail_from: str
    rcpt_to: tuple[str, ...]
    content: bytes
    login: str | None


class MemoryServer:
    """A server that is spoken to by its ``connect()``.

    :param clock: its ``monotonic()`` is the time; ``sleep(seconds)`` lets it pass
    :param logins: passwords by login
    """

    def __init__(self, name, clock, logins):
        self.name, self.clock, self.logins = name, clock, logins
        self.is_up, self.pipelining, self.faults, self.accepted = True, True, [], []
        self.on_step = lambda _phase: None
        """Called at each phase, before anything is said, and with "accepted"; it may raise."""

    def fail(self, phase, reply=None, *, action="reply", **when):
        """As ``SmtpServer.fail``."""
        self.faults.append(Fault(phase, action, reply, **when))
        return self.faults[-1]

    def heal(self):
        """Be up, and forget all faults."""
        self.is_up, self.faults = True, []

    def connect(self):
        """:rtype: MemorySocket"""
        if not self.is_up:
            raise ConnectionRefusedError(111, "Connection refused")
        return MemorySocket(self)


class MemorySocket:
    """The client's end of one connection, with what ``LineReader`` and ``smtplib`` use of a socket.
    Where nothing comes, the time of its time-out passes at once.
    """

    def __init__(self, server):
        self._clock, self._timeout = server.clock, None
        self._incoming, self.is_reset = collections.deque(), False
        self._conversation = _Conversation(server, self)

    def settimeout(self, seconds):
        self._timeout = seconds

    def setsockopt(self, *_option):
        pass

    def sendall(self, data):
        if self.is_reset:
            raise BrokenPipeError(32, "Broken pipe")
        self._conversation.hear(data)

    def recv(self, size):
        at, what = self._incoming[0] if self._incoming else (math.inf, _CLOSED)
        wait = at - self._clock.monotonic()
        if wait > self._timeout:
            self._clock.sleep(self._timeout)
            raise TimeoutError("timed out")
        self._clock.sleep(max(wait, 0))
        if what is _RESET:
            raise ConnectionResetError(104, "Connection reset by peer")
        if what:
            self._incoming.popleft()
            if what[size:]:
                self._incoming.appendleft((at, what[size:]))
        return what[:size]

    def close(self):
        pass

    def say(self, what, delay):
        """The server's end: it says this, after so many seconds."""
        self._incoming.append((self._clock.monotonic() + delay, what))


class _Conversation:
    """The server's side of one connection."""

    def __init__(self, server, sock):
        self._server, self._socket = server, sock
        self._heard, self._is_over, self._reads_content = b"", False, False
        self._accepted, self._login, self._claimed = 0, None, None
        self._sender, self._recipients, self._asked = None, [], 0
        if not self._suffers("connect"):
            self._answer("banner")

    def hear(self, data):
        self._heard += data
        while not self._is_over and self._step():
            pass

    def _step(self):
        """Deal with one line, or with the whole content.

        :return: whether there was one
        """
        if self._reads_content:
            return self._read_content()
        line, end, rest = self._heard.partition(b"\r\n")
        if end:
            self._heard = rest
            verb, _, argument = line.decode().partition(" ")
            if verb.lower() in _VERBS:
                getattr(self, f"_{verb.lower()}")(argument)
            else:
                self._say("500 5.5.2 Error: command not recognized")
        return bool(end)

    # --- commands

    def _ehlo(self, _host):
        features = ["SIZE 1000000", *["PIPELINING"] * self._server.pipelining, "AUTH PLAIN"]
        lines = [f"250-{line}\r\n" for line in (self._server.name, *features)]
        self._answer("ehlo", f"{''.join(lines)}250 ENHANCEDSTATUSCODES")

    def _helo(self, _host):
        self._answer("ehlo", SANE["helo"])

    def _auth(self, argument):
        _, self._claimed, password = base64.b64decode(argument.split()[1]).decode().split("\0")
        is_right = self._server.logins.get(self._claimed) == password
        if self._answer("auth", SANE["auth"] if is_right else REJECTED):
            self._login = self._claimed

    def _mail(self, argument):
        self._recipients, self._asked = [], 0
        if self._answer("mail"):
            self._sender = _address(argument)

    def _rcpt(self, argument):
        self._asked += 1
        if self._answer("rcpt", recipient=_address(argument)):
            self._recipients.append(_address(argument))

    def _data(self, _argument):
        if not self._recipients:
            self._say("503 5.5.1 Error: need RCPT command")
        elif self._answer("data", expected="3"):
            self._reads_content = True

    def _read_content(self):
        if self._heard and self._suffers("body"):
            return False
        content, end, rest = (b"\r\n" + self._heard).partition(b"\r\n.\r\n")
        if end:
            self._heard, self._reads_content = rest, False
            fault = self._strike("dot", self._recipients[-1])
            if fault is None or fault.keeps:
                self._accept(content[2:] + b"\r\n")
            self._say(SANE["dot"]) if fault is None else self._suffer(fault)
        return bool(end)

    def _accept(self, content):
        delivery = MemoryDelivery(self._sender, tuple(self._recipients), content, self._login)
        self._server.accepted.append(delivery)
        self._accepted += 1
        self._server.on_step("accepted")

    def _rset(self, _argument):
        self._answer("rset")

    def _noop(self, _argument):
        self._answer("noop")

    def _quit(self, _argument):
        self._answer("quit")

    # --- what it says

    def _answer(self, phase, sane=None, recipient=None, expected="2"):
        """Say the usual, or suffer a fault.

        :return: whether the client may go on
        """
        sane, fault = sane or SANE[phase], self._strike(phase, recipient)
        if fault:
            self._suffer(fault)
            return (fault.reply or "").startswith(expected)
        self._say(sane)
        return sane.startswith(expected)

    def _strike(self, phase, recipient=None):
        """The fault that is due, or None."""
        self._server.on_step(phase)
        where = {"accepted": self._accepted, "login": self._claimed}
        for fault in self._server.faults:
            if fault.applies(phase, recipient=recipient, nth=self._asked, **where):
                fault.struck += 1
                return fault
        return None

    def _suffers(self, phase):
        if fault := self._strike(phase):
            self._suffer(fault)
        return fault is not None

    def _suffer(self, fault):
        if fault.reply:
            self._say(fault.reply, fault.delay)
        if fault.closes or fault.action == "drop":
            self._socket.say(_CLOSED, fault.delay)
        elif fault.action == "reset":
            self._socket.is_reset = True
            self._socket.say(_RESET, fault.delay)
        elif fault.action == "drip":
            for number in range(DRIPS):
                self._socket.say(b"2", fault.delay + number * fault.interval)
        self._is_over = fault.closes or fault.action != "reply"

    def _say(self, reply, delay=0):
        self._socket.say(f"{reply}\r\n".encode(), delay)


def _address(argument):
    return argument.partition("<")[2].partition(">")[0]
