"""An API server: HTTP/1.1 over TLS in a thread for each client, faults, and what it saw."""

import contextlib
import itertools
import json
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Collection
from http import HTTPStatus
from typing import NamedTuple

from ..smtp_lab import Delivery
from ..smtp_lab.protocol import reset_on_close
from .faults import Fault
from .mime import without

HOST = "127.0.0.1"
PATIENCE = 10.0
"""Seconds: a client that is silent for so long has gone."""
_DRIPPED = b"HTTP/1.1 202 Accepted"


class Refusal(Exception):
    """What the API answers instead of sending the message."""

    def __init__(self, status, code, text, **headers):
        super().__init__(code)
        self.status, self.code, self.text, self.headers = status, code, text, headers


class Request(NamedTuple):
    """What a client asked for."""

    method: str
    target: str
    headers: dict[str, str]
    """By name in lower case."""
    body: bytes


class ApiServer:
    """A context manager. Every option may be changed as it runs.

    :param CertificateAuthority authority: signs its certificate
    :param str name: as deliveries are told apart in the tests
    :param tokens: the mailboxes that an access token may send from
    :param unknown: mailboxes that do not exist, or have no licence
    :param allowed_senders: further addresses that may be in From
    :param refused_recipients: addresses that it does not accept
    :param str own_ids: the domain of the Message-IDs that it gives; empty: each keeps its own
    :param float latency: seconds between a request and its answer
    :param str certificate: the kind that it shows (``smtp_lab.certificates``)
    """

    path = ""
    """What a request is sent to, with ``{mailbox}``."""
    longest = 0
    """Bytes of a request."""
    own_ids = ""

    def __init__(
        self,
        authority,
        name="api",
        *,
        tokens: dict[str, Collection[str]] | None = None,
        certificate="valid",
    ):
        self.name, self.certificate, self._authority = name, certificate, authority
        self.tokens = tokens or {}
        self.unknown, self.allowed_senders, self.refused_recipients = set(), set(), set()
        self.latency = 0.0
        self.accepted: list[Delivery] = []
        self.requests: list[Request] = []
        self.connections = 0
        self._faults, self._live, self._threads = (), set(), []
        self._changed, self._closing = threading.Condition(), threading.Event()
        self._listener = None
        self.port = 0
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    @property
    def endpoint(self):
        """Its address for one mailbox, as a provider has it."""
        return f"https://{HOST}:{self.port}{self.path}"

    def with_own_id(self, content):
        """The message, with the ID that this API gives it."""
        if not self.own_ids:
            return content
        own_id = f"<{uuid.uuid4().hex}@{self.own_ids}>"
        return b"Message-ID: %s\r\n" % own_id.encode() + without(content, "Message-Id")

    # What tests say

    def fail(self, phase, **what) -> Fault:
        """Let something go wrong from now on, and return the `Fault`, which see."""
        fault = Fault(phase, **what)
        self._faults += (fault,)
        return fault

    def heal(self):
        """Forget all faults, and be up. Who hangs goes on hanging."""
        self._faults = ()
        self.certificate = "valid"
        self.start()

    def start(self):
        """Listen (again), on the same port."""
        if self._listener is None:
            self._closing.clear()
            self._listener = socket.create_server((HOST, self.port), backlog=128)
            self.port = self._listener.getsockname()[1]
            self._start(self._listen, self._listener)

    def stop(self):
        """Die: drop every connection and refuse new ones."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        self._closing.set()
        for sock in (listener, *self._live.copy()):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    close = stop

    def wait(self, condition, timeout=10):
        """Wait until `condition(server)` is true and return its value; else TimeoutError."""
        with self._changed:
            if value := self._changed.wait_for(lambda: condition(self), timeout):
                return value
        raise TimeoutError(f"not seen by {self.name} within {timeout} s")

    # What a kind of API says

    def message_of(self, request) -> Delivery:
        """What a request asks to send, raises Refusal."""
        raise NotImplementedError

    def yes(self):
        """The status and the body where it was accepted."""
        raise NotImplementedError

    def error(self, status, code, text) -> dict:
        """The body of a refusal."""
        raise NotImplementedError

    def mailbox_of(self, request):
        """Whose mailbox a request names, by a token that may use it. Raises Refusal."""
        raise NotImplementedError

    # The conversation

    def _listen(self, listener):
        with contextlib.suppress(OSError):
            while True:
                sock, _peer = listener.accept()
                self.connections += 1
                self._start(self._serve, sock)

    def _start(self, *work):
        thread = threading.Thread(target=work[0], args=work[1:], name=self.name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, sock):
        self._live.add(sock)
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError, EOFError, ValueError):
            self._suffer("connect", sock)
            self._suffer("tls", sock)
            context = self._authority.context(self.certificate)
            sock = self._followed(sock, context)
            self._converse(sock)
        with contextlib.suppress(OSError):
            sock.close()
        self._live.discard(sock)

    def _followed(self, sock, context):
        secure = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._live.discard(sock)
        self._live.add(secure)
        secure.do_handshake()
        return secure

    def _converse(self, sock):
        accepted = 0
        with sock.makefile("rb") as lines:
            while request := self._request(sock, lines, accepted):
                self.requests.append(request)
                accepted += self._answer(sock, request, accepted)

    def _request(self, sock, lines, accepted):
        first = lines.readline(65_536).decode("ascii").split()
        if not first:
            return None
        method, target, version = first
        headers = {}
        while line := lines.readline(65_536).decode("ascii").strip():
            name, _colon, value = line.partition(":")
            if name.lower() in headers:
                raise ValueError(f"{name} twice")
            headers[name.lower()] = value.strip()
        if version != "HTTP/1.1" or headers.get("host") != f"{HOST}:{self.port}":
            raise ValueError(first)
        self._suffer("head", sock, accepted)
        length = int(headers.get("content-length", "0"))
        body = lines.read(min(1, length))
        self._suffer("body", sock, accepted)
        body += lines.read(length - len(body))
        if len(body) < length:
            return None
        return Request(method, target, headers, body)

    def _answer(self, sock, request, accepted):
        """:return: whether the message was accepted"""
        delivery, refusal = None, None
        try:
            delivery = self.message_of(request)
        except Refusal as exc:
            refusal = exc
        recipients = delivery.rcpt_to if delivery else ()
        if self._closing.wait(self.latency):
            return False
        fault = self._fault("answer", accepted, recipients)
        if fault and not fault.accept:
            delivery = None
        if delivery:
            with self._changed:
                self.accepted.append(delivery)
                self._changed.notify_all()
        if fault:
            self._strike(fault, sock)
            return bool(delivery)
        if refusal:
            body = json.dumps(self.error(refusal.status, refusal.code, refusal.text)).encode()
            self._say(sock, refusal.status, body, refusal.headers)
            return False
        status, body = self.yes()
        self._say(sock, status, body, rest=self._fault("rest", accepted, recipients))
        return True

    def _say(self, sock, status, body, headers=(), rest=None):
        head = {
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(len(body) + (9 if rest else 0)),
            **dict(headers),
        }
        lines = [f"HTTP/1.1 {int(status)} {HTTPStatus(status).phrase}"]
        lines += [f"{name}: {value}" for name, value in head.items()]
        sock.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        if rest:
            self._strike(rest, sock)
        sock.sendall(body)

    # Faults

    def _fault(self, phase, accepted=0, recipients=()):
        found = next(
            (f for f in self._faults if f.applies(phase, accepted=accepted, recipients=recipients)),
            None,
        )
        if found:
            with self._changed:
                found.struck += 1
                self._changed.notify_all()
        return found

    def _suffer(self, phase, sock, accepted=0):
        if fault := self._fault(phase, accepted):
            self._strike(fault, sock)
            raise EOFError(fault.action)

    def _strike(self, fault, sock):
        if fault.raw:
            sock.sendall(fault.raw)
        elif fault.action == "answer":
            told = self.error(fault.status, fault.code, "by command")
            body = json.dumps(told).encode() if fault.body is None else fault.body
            self._say(sock, fault.status, body, fault.headers)
            if fault.phase == "answer":
                return
        elif fault.action == "hang":
            with contextlib.suppress(TimeoutError):
                while sock.recv(4096):
                    pass
        elif fault.action == "drip":
            for byte in itertools.cycle(_DRIPPED):
                sock.sendall(bytes((byte,)))
                if self._closing.wait(fault.interval):
                    break
        elif fault.action == "reset":
            reset_on_close(sock)
        if fault.action != "reset" and isinstance(sock, ssl.SSLSocket):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        raise EOFError(fault.action)


def delivery(mailbox, recipients, content):
    """What was accepted, as the SMTP lab tells it."""
    return Delivery(mailbox, tuple(recipients), content, mailbox, True, time.monotonic(), 0)
