"""An SMTP connection that knows how far it is, how long it may take, and what became of a message.

smtplib forgets the phase it was in, has no bound on a slow server but one per byte, and counts a
partial refusal as success. Within ``watching()`` each connection that smtplib opens is a
``WatchedConnection``; everywhere else smtplib is as it was.
"""

import base64
import binascii
import contextlib
import contextvars
import dataclasses
import functools
import re
import smtplib
import socket
import time
from collections.abc import Callable

from .budget import Budget
from .encryption import awaits_tls, expiry, has_expired, shown_on
from .envelope import Envelope
from .failure import Failure, Kind, Phase
from .network import LineReader, connect, resolve
from .own_words import SentMail
from .ssrf_guard import check, is_limited
from .text import challenge, decode

CONNECTION_ERRORS = (OSError, UnicodeError, ValueError)
"""What opening a connection may raise (SMTPException and ssl.SSLError are OSErrors)."""

_PHASE_OF_VERB = {
    "ehlo": Phase.EHLO,
    "helo": Phase.EHLO,
    "starttls": Phase.TLS,
    "auth": Phase.AUTH,
    "mail": Phase.MAIL,
    "rcpt": Phase.RCPT,
    "data": Phase.DATA,
    "quit": Phase.QUIT,
}
_LEADING_DOT = re.compile(rb"(?m)^\.")
_MECHANISM_UNKNOWN = range(500, 505)  # RFC 4954: the next mechanism may do


@dataclasses.dataclass(frozen=True)
class Patience:
    """Upper bounds in seconds."""

    log_in: float = 12.0
    """For everything up to the log-in: name resolution, connection, TLS, greeting, AUTH."""
    silence: float = 2.0
    """Before the greeting, until the server is asked whether it waits for TLS."""
    command: float = 60.0
    """For the reply to one command."""
    body: float = 180.0
    """For the writing of the body (RFC 5321 4.5.3.2.5)."""
    dot: float = 600.0
    """For the reply after the final dot (RFC 5321 4.5.3.2.6)."""
    quit: float = 5.0
    """For the good-bye, when all is said."""
    budget: Budget = dataclasses.field(default_factory=Budget)
    """What is left of the time of a person who waits: for all of it together, except for the reply
    after the final dot.
    """
    may_be_late: bool = False
    """The reply after the final dot: when a person's time is up, ``sendmail`` returns without it,
    and leaves it to a ``LateReply``. Otherwise whoever sends waits for it.
    """


class LogInRefused(smtplib.SMTPResponseException):
    """AUTH was answered with no. No sibling of SMTPAuthenticationError: at that one smtplib tries
    the same password again by the next mechanism, and the account is locked twice as fast.
    """


class NoReplyYet(Exception):
    """The time for which a person waits for the reply to the dot is up."""


class MailboxError(OSError):
    """A failure that its finder describes better than an exception could."""

    def __init__(self, failure):
        super().__init__(failure.text)
        self.failure = failure


@dataclasses.dataclass
class Trace:
    """What one connection has come to."""

    patience: Patience
    secrets: tuple[str, ...] = ()
    phase: Phase = Phase.DNS
    deadline: float = 0.0
    accepted: int = 0
    """Messages accepted on this connection."""
    settled: bool = False
    """The log-in is over: from now on each command has its own time."""
    connection: smtplib.SMTP | None = None
    host: str = ""
    """The server's name."""
    peer: tuple = ()
    """The address that it is connected to, as ``getaddrinfo`` has it."""
    certificate: bytes = b""
    """What the server showed, in DER; empty without encryption."""
    mail: SentMail | None = None
    """The mail that is being sent."""
    application: bool = False
    """The log-in is an application's (see ``Failure``)."""

    def __post_init__(self):
        self.deadline = time.monotonic() + self.patience.log_in

    def remaining(self):
        """Seconds left, raises TimeoutError when there are none."""
        seconds = self.deadline - time.monotonic()
        if self.phase is not Phase.DOT:
            seconds = min(seconds, self.patience.budget.left)
        if seconds <= 0:
            raise TimeoutError("timed out")
        return seconds

    def begin(self, phase):
        """A command of this phase is written, or its reply read: from now on its time runs."""
        self.phase = phase
        if self.settled:
            seconds = self.patience.quit if phase is Phase.QUIT else self.patience.command
            self.deadline = time.monotonic() + seconds

    def known(self):
        """What a reply is read with, as arguments of ``Failure.from_reply``."""
        known = {
            "secrets": self.secrets,
            "accepted_before": self.accepted,
            "application": self.application,
        }
        if self.mail and self.phase >= Phase.DATA:
            return known | {"mail": self.mail.all_of_it}
        if self.mail:
            mail = self.mail.envelope_and_headers
            return known | {"mail": mail, "addresses": (self.mail.recipient,)}
        return known

    def failure(self, exc):
        """The exception as a ``Failure``, with what smtplib forgot about it. Where the server has
        not answered and the person's time is up, nothing is known of the mailbox.
        """
        found = self._found(exc)
        if found.code is None and self.phase is not Phase.DOT and self.patience.budget.is_used_up:
            return dataclasses.replace(found, kind=Kind.NO_TIME)
        return found

    def _found(self, exc):
        if isinstance(exc, MailboxError):
            return exc.failure
        found = Failure.from_exception(self.phase, exc, **self.known())
        if self.peer and has_expired(exc) and (day := expiry(self.connection, self)):
            return dataclasses.replace(found, text=f"{found.text}: it expired on {day}")
        return found


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of each recipient of one message."""

    accepted: tuple[str, ...]
    failures: dict[str, Failure]
    reply: str = ""
    """The server's last word on an accepted message."""
    try_again: bool = False
    """The connection broke while commands were pipelined. A new one gets them one by one."""
    is_late: bool = False
    """The reply to the dot has not come yet (``LateReply``)."""


@contextlib.contextmanager
def watching(patience, secrets=()):
    """Watch the connections that this thread opens within the block.

    :param Patience patience: its ``log_in`` bounds the whole block, reads included
    :param secrets: strings that must not appear in a failure's text
    :return: the Trace of the connection
    """
    trace = Trace(patience, secrets=tuple(secrets))
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


def current_trace():
    """The Trace of the connection that this thread is opening, or None outside ``watching()``."""
    return _current.get()


def leave(connection):
    """Say good-bye and close; whatever the server answers, all messages were settled before. After
    a message nobody waits for that answer.
    """
    if connection.sock is not None:
        after_message = connection.trace.phase is Phase.DOT
        connection.trace.settled = True
        connection.challenged = False  # or the good-bye were taken for an answer to it
        with contextlib.suppress(*CONNECTION_ERRORS):
            if after_message:
                connection.putcmd("quit")
            else:
                connection.quit()
    connection.close()


class Connection:
    """A connection that knows its phase and its deadline: by SMTP (``WatchedConnection``) or by
    HTTPS (``https_api``). Its ``send_message`` returns an Outcome.
    """

    trace: Trace
    on_accepted: Callable[[str, bytes], None] | None = None
    """Called with the envelope sender and the content of each message that was accepted."""


class WatchedConnection(Connection):
    """Mixin over ``smtplib.SMTP``; ``sendmail`` returns an Outcome instead of raising."""

    greeted = False
    challenged = False
    mechanism = ""

    def starttls(self, *args, **kwargs):
        self.ehlo_or_helo_if_needed()
        self.trace.phase = Phase.TLS  # also where it is not offered: then no command is sent
        return super().starttls(*args, **kwargs)

    def login(self, *args, **kwargs):
        self.ehlo_or_helo_if_needed()
        self.trace.phase = Phase.AUTH
        return super().login(*args, **kwargs)

    def putcmd(self, cmd, args=""):
        trace = self.trace
        verb, _, rest = f"{cmd} {args}".strip().partition(" ")
        if not (trace.phase is Phase.AUTH and self.challenged):
            trace.phase = _PHASE_OF_VERB.get(verb.lower(), trace.phase)
            if trace.phase is Phase.AUTH:
                self.mechanism = rest.partition(" ")[0].upper()
        if trace.phase is Phase.AUTH:  # what it says, as it says it: a server may quote it
            trace.secrets += (rest.partition(" ")[2] if verb.lower() == "auth" else verb,)
        self.challenged = False
        trace.begin(trace.phase)
        if self.sock:
            self.sock.settimeout(trace.remaining())
        super().putcmd(cmd, args)

    def write_commands(self, commands):
        """Write them as bytes. An error proves nothing: the server may have said why before it
        closed the connection, and that is still to be read.
        """
        if self.lost:
            raise smtplib.SMTPServerDisconnected("the connection was closed")
        if self.debuglevel:
            self._print_debug("send:", repr(commands))
        self.sock.settimeout(self.trace.remaining())
        with contextlib.suppress(OSError):
            self.sock.sendall(commands)

    def getreply(self):
        trace = self.trace
        if not self.greeted:
            trace.phase = Phase.BANNER
            self._look_for_tls()
        self.greeted = True
        if self.file is None:
            self.file = LineReader(self.sock, trace)
            trace.certificate = shown_on(self.sock)
        self.file.begin_reply()
        code, text = super().getreply()
        if trace.phase is Phase.AUTH:
            return self._read_log_in(code, text)
        if trace.phase is Phase.TLS:
            self.sock.settimeout(trace.remaining())  # of the handshake, which begins now
        return code, text

    def _look_for_tls(self):
        if not isinstance(self, smtplib.SMTP_SSL) and awaits_tls(self.sock, self.trace):
            self.close()
            text = "the server waits for TLS to begin"
            raise MailboxError(Failure(self.trace.phase, text=text, kind=Kind.HANDSHAKE))

    def _read_log_in(self, code, text):
        if code == 334 and self.mechanism == "XOAUTH2":
            # The error is in the challenge; an empty line brings the final reply.
            error = challenge(decode(text))
            self.send("\r\n")
            code, text = super().getreply()  # pylint: disable=super-method-mismatch
            text = text + b" " + error.encode()
        if code == 334:
            self._check_challenge(text)
        self.challenged = code == 334
        if code >= 400 and code not in _MECHANISM_UNKNOWN:
            raise LogInRefused(code, text)
        return code, text

    def _check_challenge(self, text):
        """What is not base64 would look like a fault of ours."""
        try:
            base64.decodebytes(text)
        except binascii.Error:
            raise MailboxError(self._failure(None, text)) from None

    def _print_debug(self, *args):
        if self.trace.phase is not Phase.AUTH:
            super()._print_debug(*args)

    def sendmail(self, from_addr, to_addrs, msg, mail_options=(), rcpt_options=()):
        """One transaction (RFC 5321 3.3). Never raises for what the server does.

        :param bytes msg: the message, as ``send_message`` flattens it
        :rtype: Outcome
        """
        accepted, failures, reply, try_again = [], {}, b"", False
        self.trace.mail = SentMail(from_addr, to_addrs, msg)
        options = self._mail_options(msg, mail_options)
        envelope = Envelope(self, from_addr, to_addrs, options, rcpt_options)
        try:
            self._command(*envelope.reply())
            for address in to_addrs:
                failure = self._refusal_of(address, envelope)
                if failure:
                    failures[address] = failure
                else:
                    accepted.append(address)
            if accepted:
                self._command(*envelope.reply(), expected=3)
                reply = self._send_content(msg)
            else:
                failures = _mark_unanimous(failures)
                self._make_fit(envelope)
        except NoReplyYet:
            failures |= dict.fromkeys(accepted, Failure(Phase.DOT, kind=Kind.AWAITED))
            return Outcome((), failures, is_late=True)
        except CONNECTION_ERRORS as exc:
            failure = self.trace.failure(exc)
            try_again = envelope.blame(failure)
            for address in to_addrs:
                failures.setdefault(address, failure)
            accepted = []
            if failure.kind is Kind.REPLY and failure.code != 421:
                self._make_fit(envelope)
            else:
                self.close()
        else:
            self.trace.accepted += bool(accepted)
            if accepted and self.on_accepted:
                self.on_accepted(from_addr, msg)
        self.trace.mail = None
        return Outcome(tuple(accepted), failures, reply.decode("utf-8", "replace"), try_again)

    def _refusal_of(self, address, envelope):
        """:return: the Failure of a recipient, or None"""
        self.trace.mail.recipient = address
        code, text = envelope.reply()
        if code == 421:
            self._command(code, text)
        return None if is_yes(code) else self._failure(code, text)

    def _mail_options(self, msg, options):
        if self.does_esmtp and self.has_extn("size"):
            return (*options, f"size={len(msg)}")
        return options

    def _send_content(self, msg):
        if self.file.unread:  # it would be taken for the reply to the dot
            raise MailboxError(self._failure(None, self.file.unread))
        self.trace.phase = Phase.BODY
        self.trace.deadline = time.monotonic() + self.trace.patience.body
        self.sock.settimeout(self.trace.remaining())
        self.send(_LEADING_DOT.sub(b"..", msg) + (b"" if msg.endswith(b"\r\n") else b"\r\n"))
        self.send(b".\r\n")  # an error here means that it never left: nothing was accepted
        self.trace.phase = Phase.DOT
        self.trace.deadline = time.monotonic() + self.trace.patience.dot
        patience = self.trace.patience
        if patience.may_be_late and not self.await_reply(patience.budget.left):
            raise NoReplyYet
        return self.end_of_content()

    def await_reply(self, seconds):
        """Wait for the reply to the dot (``LineReader.await_reply``)."""
        return self.file.await_reply(seconds)

    def end_of_content(self):
        """Read the reply to the dot.

        :raises OSError: the message was not accepted, or it is not known
        """
        code, text = self.getreply()
        self._command(code, text)
        return text

    def _command(self, code, text, expected=2):
        if code // 100 != expected:
            raise smtplib.SMTPResponseException(code, text)

    def _failure(self, code, text):
        """A reply that is no yes; without a code it is none at all."""
        return Failure.from_reply(self.trace.phase, code, text, **self.trace.known())

    def _make_fit(self, envelope):
        """Make the connection fit for the next message, or close it."""
        with contextlib.suppress(*CONNECTION_ERRORS):
            # smtplib's own _rset swallows a disconnection and leaves the socket open
            if envelope.drain() and is_yes(self.rset()[0]):
                return
        self.close()

    @property
    def lost(self):
        """True when no further command can be sent."""
        return self.sock is None


def is_yes(code):
    """The first digit tells (RFC 5321 4.2.1, 4.3.2): a server may say 251 to the dot."""
    return code // 100 == 2


def _mark_unanimous(failures):
    """Every recipient was refused: tell each failure, so that "relaying denied" for all of them
    can be told from one bad address.
    """
    return {
        address: dataclasses.replace(failure, all_recipients=True)
        for address, failure in failures.items()
    }


_current = contextvars.ContextVar("system_mail_trace", default=None)
_get_socket = smtplib.SMTP._get_socket


@functools.cache
def _watched(connection_class):
    return type(f"Watched{connection_class.__name__}", (WatchedConnection, connection_class), {})


@functools.wraps(_get_socket)
def _get_watched_socket(connection, host, port, timeout):
    """smtplib's only seam between a name and a socket: it has no other place for a deadline."""
    trace = _current.get()
    if trace is None:
        if is_limited():
            found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
            check(found, port)
            host = found[0][4][0]
        return _get_socket(connection, host, port, timeout)
    connection.__class__ = _watched(type(connection))
    connection.trace, trace.connection = trace, connection
    trace.phase, trace.host = Phase.DNS, host
    addresses = resolve(host, port, trace)
    check(addresses, port)
    trace.phase = Phase.CONNECT
    sock, trace.peer = connect(addresses, trace, connection.source_address)
    trace.phase = Phase.TLS if isinstance(connection, smtplib.SMTP_SSL) else Phase.BANNER
    return sock


smtplib.SMTP._get_socket = _get_watched_socket
