"""The commands before a message's content, in one go where the server offers ``PIPELINING``
(RFC 2920).
"""

import collections
import time
from smtplib import CRLF, quoteaddr

from .failure import Kind, Phase

GROUP = 100
"""Recipients whose replies are outstanding at once: more could fill what lies in between."""
LEFTOVER = 5.0
"""Seconds for replies that decide nothing. Many servers give none to an empty message."""
DISTRUST = 3600.0
"""Seconds for which a server's offer is not used after a conversation broke in the middle of it."""

_CLOSING = 421
_distrusted: dict[tuple, float] = {}
"""Until when (``time.monotonic()``), by the server's address. Each process learns it by itself."""


class Envelope:
    """MAIL, RCPT and DATA of one message. Each is written when its reply is asked for, or together
    with those before it; each reply is read in its place.
    """

    def __init__(self, connection, from_addr, to_addrs, mail_options=(), rcpt_options=()):
        """
        :param WatchedConnection connection: logged in
        :param mail_options: of MAIL, such as ``size=100``
        :param rcpt_options: of each RCPT
        """
        self._connection, self._trace = connection, connection.trace
        self._encoding = "utf-8" if "SMTPUTF8" in mail_options else "ascii"
        self._is_pipelined = may_pipeline(connection)
        mail = Phase.MAIL, " ".join((f"mail FROM:{quoteaddr(from_addr)}", *mail_options))
        recipients = [
            (Phase.RCPT, " ".join((f"rcpt TO:{quoteaddr(address)}", *rcpt_options)))
            for address in to_addrs
        ]
        at_once = _groups if self._is_pipelined else _one_by_one
        self._unwritten = collections.deque(at_once(mail, recipients, (Phase.DATA, "data")))
        self._unanswered = collections.deque()
        self._is_for_nobody = True

    def reply(self):
        """:return: the reply to the next command, as ``getreply``, whose errors it raises"""
        if not self._unanswered:
            self._write(self._unwritten.popleft())
        self._trace.begin(self._unanswered[0])
        return self._read()

    def _write(self, commands):
        lines = []
        for phase, command in commands:
            self._trace.begin(phase)  # in which it fails where it cannot be written
            lines.append(_line(command, self._encoding))
        self._trace.begin(commands[0][0])
        self._connection.write_commands(b"".join(lines))
        self._unanswered.extend(phase for phase, _command in commands)

    def _read(self):
        phase = self._unanswered.popleft()
        code, text = self._connection.getreply()
        if phase is Phase.RCPT and not _is_refusal(code):
            self._is_for_nobody = False
        return code, text

    def drain(self):
        """Read the replies that decide nothing, and end what a DATA among the commands began.

        :return: whether the connection is fit for another command
        """
        self._trace.deadline = time.monotonic() + LEFTOVER
        codes = [self._read()[0] for _phase in tuple(self._unanswered)]
        if codes and codes[-1] // 100 == 3:  # the server awaits the content
            return self._is_for_nobody and self._send_nothing()
        return all(_is_refusal(code) for code in codes)

    def _send_nothing(self):
        """End the content before it begins (RFC 2920 3.1). Only where every recipient was refused:
        the others would get an empty message.
        """
        self._connection.write_commands(f".{CRLF}".encode())
        return self._connection.getreply()[0] != _CLOSING

    def blame(self, failure):
        """Note that the server may not bear the pipelining that it offers: the conversation broke
        before the content. From now on it gets the commands one by one.

        :return: whether to try that at once: it did not break at the first command, and nobody
            waited for it, which nobody should twice
        """
        broken = failure.kind in (Kind.DROP, Kind.GARBAGE, Kind.TIMEOUT)
        if not (self._is_pipelined and broken and Phase.MAIL <= failure.phase <= Phase.DATA):
            return False
        _distrusted[self._trace.peer] = time.monotonic() + DISTRUST
        return failure.phase is not Phase.MAIL and failure.kind is not Kind.TIMEOUT


def may_pipeline(connection):
    """Whether the server offers it, and is not known to break it."""
    offered = connection.does_esmtp and connection.has_extn("pipelining")
    return offered and _distrusted.get(connection.trace.peer, 0) < time.monotonic()


def trust_again():
    """Forget which servers broke it."""
    _distrusted.clear()


def _is_refusal(code):
    return code // 100 in (4, 5) and code != _CLOSING


def _line(command, encoding):
    if "\r" in command or "\n" in command:
        raise ValueError("a command is one line")
    return f"{command}{CRLF}".encode(encoding)


def _one_by_one(mail, recipients, data):
    """:return: the commands in the groups in which they are written"""
    return [[command] for command in (mail, *recipients, data)]


def _groups(mail, recipients, data):
    """:return: likewise, with up to ``GROUP`` recipients in each"""
    starts = range(0, len(recipients), GROUP)
    groups = [recipients[start : start + GROUP] for start in starts] or [[]]
    groups[0].insert(0, mail)
    groups[-1].append(data)
    return groups
