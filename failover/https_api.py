"""Sending by HTTPS where SMTP is closed: a provider's API, used as a ``Route`` uses an SMTP
connection.

The phases are those of SMTP. ``BODY`` lasts until the last byte of the request is written. From
then on it is ``DOT``: the provider may have accepted the message. HTTP libraries don't tell which
of the two it was when a connection breaks. That is why only the parsing of answers is theirs.
"""

import base64
import contextlib
import dataclasses
import email.utils
import http.client
import io
import re
import select
import smtplib
import ssl
import time
import urllib.request
from collections.abc import Callable
from datetime import datetime, timezone
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from .connection import (
    CONNECTION_ERRORS,
    Connection,
    MailboxError,
    NoReplyYet,
    Outcome,
    Patience,
    Trace,
)
from .failure import Failure, Kind, Phase, Verdict
from .network import connect, resolve
from .recipients import addressed
from .rules import classify
from .ssrf_guard import check
from .text import decode, json_object

HTTPS = 443
LONGEST_ANSWER = 65_536
"""Bytes of an answer's body that are read; some hundred are usual."""
LONGEST = 262_144
"""Bytes of an answer with all that comes before it."""
IDLE = 2.0
"""Seconds. A connection that was not used for longer may be closed at any moment, and then nobody
knows whether the next message was accepted: that message gets a new one.
"""
REST, LEAST = 5.0, 1.0
"""Seconds for the rest of an answer whose status is known, and where somebody waits no longer."""
_HEAD_ENDS = re.compile(rb"\r?\n\r?\n")
_INFORMATIONAL = re.compile(rb"HTTP/\S+ 1")
_PIECE = 65_536
_AT_ONCE = 0.001
_LONGEST_DATE = 40
_YES, _BAD_REQUEST = 200, 400


class Form(NamedTuple):
    """How a request carries a message."""

    content_type: str
    encode: Callable[[bytes], bytes]
    """From the message's bytes to those of the request."""
    no_message: bytes
    """What is refused as no message where everything else is in order."""


FORMS = {
    # https://learn.microsoft.com/graph/outlook-send-mime-message
    "graph": Form("text/plain", base64.b64encode, b"!"),
    # https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages/send
    "gmail": Form("message/rfc822", bytes, b""),
}


@dataclasses.dataclass(frozen=True)
class Api:
    """A mailbox at a provider's API."""

    endpoint: str
    """With ``{mailbox}``; https."""
    form: str
    """A key of ``FORMS``."""
    mailbox: str
    token: str = dataclasses.field(repr=False)

    @property
    def url(self):
        """The endpoint of this mailbox, split."""
        return urlsplit(self.endpoint.replace("{mailbox}", quote(self.mailbox, safe="@")))


class Answer(NamedTuple):
    """What the provider answered to a request."""

    status: int
    reason: str
    retry_after: float | None
    body: bytes

    @property
    def is_yes(self):
        return self.status // 100 * 100 == _YES

    def failure(self, **known):
        """
        :param known: as of ``Trace.known``
        :rtype: Failure
        """
        code, text = _error(self.body)
        return Failure.from_answer(
            self.status, code, text or self.reason, retry_after=self.retry_after, **known
        )


class ApiConnection(Connection):
    """Hands messages to a provider's API, several on one connection."""

    sock = None
    """There is nobody to say good-bye to."""

    def __init__(self, api, trace):
        """Connect.

        :param Api api: the mailbox
        :param Trace trace: how long it may take
        :raises OSError: the provider cannot be reached
        """
        self._api, self._form = api, FORMS[api.form]
        self.trace, trace.connection = trace, self
        trace.secrets += (api.token,)
        self._may_be_late, self._line, self._reader = False, None, None
        self._open()

    def _open(self):
        self.close()
        self._line = _tls_connection(self._api.url, self.trace)
        self._used_at, self._has_answered = time.monotonic(), False

    @property
    def lost(self):
        """True when no further request should be sent."""
        if self._line is None or time.monotonic() - self._used_at > IDLE:
            return True
        # before the first answer, what can be read is TLS's own
        return self._has_answered and bool(select.select([self._line], [], [], 0)[0])

    def send_message(self, message, from_addr, to_addrs):
        """Send a message to each recipient once. Never raises for what the provider does.

        The envelope's sender is the provider's matter: bounces go to the mailbox.

        :rtype: Outcome
        """
        accepted, failures, reply = [], {}, ""
        pending = list(addressed(message, to_addrs))
        self._may_be_late = self.trace.patience.may_be_late and len(pending) == 1
        while pending:
            copy, recipients = pending.pop(0)
            content = _flat(copy, recipients)
            try:
                failure, reply = self._hand_in(content, reply)
            except NoReplyYet:
                awaited = Failure(Phase.DOT, kind=Kind.AWAITED)
                return Outcome((), dict.fromkeys(recipients, awaited), is_late=True)
            if not failure:
                accepted += recipients
                self.trace.accepted += 1
                if self.on_accepted:
                    self.on_accepted(from_addr, content)
                continue
            decision = classify(failure)
            if len(recipients) > 1 and decision.rule == "bad_recipient":
                for address in recipients:  # the provider does not say which one it is
                    pending += addressed(message, [address])
                continue
            failures |= dict.fromkeys(recipients, failure)
            if decision.effect.state:  # the others would fail, too
                failures |= _untried(failure, decision, pending)
                break
        return Outcome(tuple(accepted), failures, reply)

    def _hand_in(self, content, reply):
        """:return: the failure or None, and the provider's last word on an accepted message"""
        try:
            answer = self._ask(self._form.encode(content))
        except CONNECTION_ERRORS as exc:
            self.close()
            return self.trace.failure(exc), reply
        if answer.is_yes:
            return None, f"{answer.status} {answer.reason}"
        return answer.failure(**self.trace.known()), reply

    def refusal(self):
        """Ask whether this log-in may send, without a message.

        :return: the Failure, or None
        :raises OSError: there is no answer
        """
        answer = self._ask(self._form.no_message)
        failure = answer.failure(**self.trace.known())
        is_form = answer.status == _BAD_REQUEST and not classify(failure).effect.state
        return None if is_form or answer.is_yes else failure

    def close(self):
        line, self._line = self._line, None
        if line is not None:
            line.close()

    # --- one request (RFC 9112)

    def _ask(self, body):
        """:rtype: Answer"""
        if self.lost:
            self._open()
        self._reader = _Reader(self._line, self.trace)
        self._begin(Phase.MAIL, self.trace.patience.body)
        # After an error, why the provider closed the connection may still be read.
        with contextlib.suppress(OSError):
            self._write(self._head(len(body)) + body)
            self._begin(Phase.DOT, self.trace.patience.dot)
            if self._may_be_late and not self.await_reply(self.trace.patience.budget.left):
                raise NoReplyYet
        is_whole = self.trace.phase is Phase.DOT
        answer = self._answer()
        if not is_whole:  # what is left of the request would be taken for another one
            self.close()
        return answer

    def _answer(self):
        try:
            return self._read()
        except http.client.HTTPException as exc:
            if isinstance(exc, OSError):  # closed without an answer
                raise
            failure = Failure.from_reply(self.trace.phase, None, str(exc), **self.trace.known())
            raise MailboxError(failure) from exc

    def await_reply(self, seconds):
        """Wait for the answer.

        :return: whether its status and headers are there, or the connection has ended
        """
        return self._reader.wait(seconds)

    def end_of_content(self):
        """Read the answer that was awaited.

        :raises OSError: the message was not accepted, or it is not known
        """
        answer = self._answer()
        if not answer.is_yes:
            raise MailboxError(answer.failure(**self.trace.known()))

    def _begin(self, phase, seconds):
        self.trace.phase = phase
        if self.trace.settled:
            self.trace.deadline = time.monotonic() + seconds

    def _head(self, length):
        url = self._api.url
        target = f"{url.path or '/'}{'?' if url.query else ''}{url.query}"
        lines = (
            f"POST {target} HTTP/1.1",
            f"Host: {url.netloc}",
            f"Authorization: Bearer {self._api.token}",
            f"Content-Type: {self._form.content_type}",
            f"Content-Length: {length}",
            "Accept: application/json",
            "Accept-Encoding: identity",
            "User-Agent: Odoo-System-Mail",
        )
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")

    def _write(self, request):
        for start in range(0, len(request), _PIECE):
            self._line.settimeout(self.trace.remaining())
            self._line.sendall(request[start : start + _PIECE])
            self.trace.phase = Phase.BODY

    def _read(self):
        response = http.client.HTTPResponse(self._reader)
        response.begin()
        if response.status < _YES:
            raise http.client.HTTPException(f"no final answer: {response.status}")
        body = b""
        self._begin(Phase.DOT, min(REST, max(self.trace.patience.budget.left, LEAST)))
        with contextlib.suppress(OSError, http.client.HTTPException):  # the status says it all
            body = response.read(LONGEST_ANSWER)
        if response.will_close or not response.isclosed():
            self.close()
        self._used_at, self._has_answered = time.monotonic(), True
        retry_after = _seconds(response.headers.get("Retry-After", ""))
        return Answer(response.status, response.reason, retry_after, body)


class OdooConnection(ApiConnection):
    """For Odoo's own code, which expects ``smtplib.SMTP``: outside ``watching()`` nothing of ours
    reads an Outcome.
    """

    esmtp_features: dict = {}

    def __init__(self, api, patience=None):
        super().__init__(api, Trace(patience or Patience()))
        self.trace.settled = True

    def send_message(self, message, from_addr, to_addrs):
        """:raises SMTPDataError: nobody was accepted; the others are returned, as smtplib does"""
        outcome = super().send_message(message, from_addr, to_addrs)
        refused = {
            address: (failure.code or 0, _said(failure).encode())
            for address, failure in outcome.failures.items()
        }
        if not outcome.accepted:
            raise smtplib.SMTPDataError(*next(iter(refused.values())))
        return refused

    def quit(self):
        self.close()

    # --- what Odoo's “Test Connection” asks

    def mail(self, _sender):
        failure = self.refusal()
        return (failure.code, _said(failure).encode()) if failure else (250, b"")

    def rcpt(self, _address):
        return 250, b""

    def putcmd(self, _command):
        """There is none."""

    def getreply(self):
        return 354, b""


def _said(failure):
    return " ".join(filter(None, (failure.enhanced, failure.text)))


class _Reader(io.RawIOBase):
    """Reads an answer until the deadline: a socket's own time-out begins anew with each byte."""

    def __init__(self, sock, trace):
        super().__init__()
        self._sock, self._trace, self._begun, self._room = sock, trace, b"", LONGEST

    def wait(self, seconds):
        """Wait for the head of the answer, and keep it.

        :return: whether it is there, or will not come: the connection has ended, or there is no end
        """
        end = time.monotonic() + max(seconds, _AT_ONCE)
        while not self._has_head() and (left := end - time.monotonic()) > 0:
            self._sock.settimeout(left)
            try:
                received = self._sock.recv(_PIECE)
            except TimeoutError:
                return False
            except OSError:  # whoever reads meets it, too
                return True
            if not received:
                return True
            self._begun += received
        return self._has_head()

    def _has_head(self):
        """Whether the head of the final answer has been kept (RFC 9110 15.2), or too much."""
        ends = [end.end() for end in _HEAD_ENDS.finditer(self._begun)]
        heads = (self._begun[start:] for start in (0, *ends[:-1])) if ends else ()
        is_final = any(not _INFORMATIONAL.match(head) for head in heads)
        return is_final or len(self._begun) > LONGEST

    def makefile(self, _mode):
        return io.BufferedReader(self)

    def readable(self):
        return True

    def readinto(self, buffer):
        if self._room <= 0:
            raise OSError("the answer does not end")
        if self._begun:
            count = min(len(buffer), len(self._begun))
            buffer[:count], self._begun = self._begun[:count], self._begun[count:]
        else:
            self._sock.settimeout(self._trace.remaining())
            count = self._sock.recv_into(buffer)
        self._room -= count
        return count


def _tls_connection(url, trace):
    """A connection to a server, by the environment's proxy if it names one.

    :raises OSError: there is none in time
    """
    proxy = _proxy_for(url)
    host, port = (proxy.hostname, proxy.port or 80) if proxy else (url.hostname, url.port or HTTPS)
    trace.host = url.hostname
    trace.begin(Phase.DNS)
    addresses = resolve(host, port, trace)
    if not proxy:
        check(addresses, port, allowed=(HTTPS,))
    trace.begin(Phase.CONNECT)
    sock, _peer = connect(addresses, trace, None)
    try:
        if proxy:
            _ask_for_tunnel(sock, proxy, url, trace)
        trace.begin(Phase.TLS)
        sock.settimeout(trace.remaining())
        sock = ssl.create_default_context().wrap_socket(sock, server_hostname=url.hostname)
    except OSError:
        sock.close()
        raise
    return sock


def _proxy_for(url):
    """Where HTTPS goes by a proxy, that one's address, split."""
    proxy = urllib.request.getproxies().get("https")
    if not proxy or urllib.request.proxy_bypass(url.netloc):
        return None
    return urlsplit(proxy if "//" in proxy else f"http://{proxy}")


def _ask_for_tunnel(sock, proxy, url, trace):
    """Have the proxy connect to the server (RFC 9110 9.3.6)."""
    place = f"{url.hostname}:{url.port or HTTPS}"
    head = f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n"
    if proxy.username:
        known_as = f"{proxy.username}:{proxy.password or ''}".encode()
        head += f"Proxy-Authorization: Basic {base64.b64encode(known_as).decode()}\r\n"
    sock.sendall(f"{head}\r\n".encode())
    response = http.client.HTTPResponse(_Reader(sock, trace))
    try:
        response.begin()
    except http.client.HTTPException as exc:
        raise ConnectionError(f"the proxy's answer is none: {exc}") from exc
    if response.status // 100 * 100 != _YES:
        raise ConnectionError(f"the proxy answered {response.status} {response.reason}")


def _untried(failure, decision, pending):
    """The failures of those who come after one that is the mailbox's or the provider's fault.

    :param pending: as of ``addressed``
    """
    if decision.verdict is Verdict.UNCERTAIN:  # they surely got nothing
        failure = Failure(Phase.MAIL, text=failure.text, kind=Kind.DROP)
    return {address: failure for _copy, recipients in pending for address in recipients}


def _flat(message, recipients):
    """The message as bytes, as smtplib writes it."""
    utf8 = not all(map(str.isascii, recipients))
    return message.as_bytes(policy=message.policy.clone(linesep="\r\n", utf8=utf8))


def _error(body):
    """The provider's code for an error, and its words.

    Microsoft: ``{"error": {"code": "ErrorSendAsDenied", "message": …}}``. Google: ``{"error":
    {"code": 403, "errors": [{"reason": "domainPolicy"}], "status": …, "message": …}}``.
    """
    error = (json_object(decode(body)) or {}).get("error")
    if not isinstance(error, dict):
        return "", decode(body)
    listed = [*_listed(error.get("errors")), *_listed(error.get("details"))]
    names = [error.get("code"), *(each.get("reason") for each in listed), error.get("status")]
    code = next((name for name in names if isinstance(name, str) and name), "")
    return code, decode(error.get("message"))


def _listed(value):
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _seconds(retry_after):
    """The seconds that a Retry-After means (RFC 9110 10.2.3), or None."""
    if retry_after.isdecimal():
        return float(retry_after[:9])
    try:
        moment = email.utils.parsedate_to_datetime(retry_after[:_LONGEST_DATE])
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds()) or None
    except (ValueError, TypeError, OverflowError):
        return None
