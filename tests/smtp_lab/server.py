"""One SMTP server of the lab: its rules, its faults, and what it saw."""

import asyncio
import email
import email.message
import email.policy
import socket
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from .faults import Fault
from .protocol import FaultySMTP, reset_on_close

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Delivery:
    """One accepted message: `rcpt_to` has the accepted recipients, `content` the bytes as sent.

    `at` is `time.monotonic()`, which all processes of a machine share. `connection` counts the
    server's connections from 1.
    """

    mail_from: str
    rcpt_to: tuple[str, ...]
    content: bytes = field(repr=False)
    login: str | None
    tls: bool
    at: float
    connection: int

    @cached_property
    def message(self) -> email.message.EmailMessage:
        """The message, parsed."""
        return email.message_from_bytes(self.content, policy=email.policy.default)


class Attempt(NamedTuple):
    """One login that was tried, with its outcome. Its secret is not kept."""

    mechanism: str
    login: str
    success: bool
    connection: int


@dataclass(eq=False)
class Connection:
    """What one client did. `commands` are without secrets; `accepted` counts its messages; `client`
    is what it called itself in EHLO or HELO.
    """

    number: int
    client: str = ""
    commands: list[str] = field(default_factory=list)
    accepted: int = 0
    tls: bool = False
    open: bool = True


@dataclass(eq=False)
class SmtpServer:
    """A server on 127.0.0.1. Made by `SmtpLab.server`; every option may be changed as it runs.

    :param logins: passwords by login, for PLAIN and LOGIN
    :param tokens: access tokens by login, for XOAUTH2; of several logins, where it is the token of
        an application
    :param encryption: None, "starttls" or "ssl"
    :param certificate: one of `certificates.KINDS`
    :param require_auth: 530 to MAIL before a login; by default if there are logins or tokens
    :param require_tls: 530 to whatever comes before STARTTLS
    :param allowed_senders: 550 5.7.60 to MAIL from any other address
    :param size_limit: bytes; 0 for none
    :param pipelining: offered (RFC 2920); else the connection of who uses it ends in a 554.
        "closes" and "forgets": offered, but from RCPT on the server closes the connection, or
        after each command it forgets those that came with it
    :param nagle: small replies wait until the one before them is acknowledged, as at most servers
    :param latency: seconds before each reply
    :param deliver: called in a thread with each accepted Delivery, before the client is told;
        if it raises, the client gets a 451 and the message is not accepted
    :param keep: remember messages and commands; if not, they are only counted (for benches)
    """

    lab: object = field(repr=False)
    name: str
    logins: dict[str, str] = field(default_factory=dict, repr=False)
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    encryption: str | None = None
    certificate: str = "valid"
    require_auth: bool | None = None
    require_tls: bool = False
    offer_auth: bool = True
    allowed_senders: Collection[str] | None = None
    size_limit: int = 0
    pipelining: bool | str = True
    nagle: bool = False
    latency: float = 0.0
    smtputf8: bool = True
    deliver: Callable[[Delivery], None] | None = None
    keep: bool = True
    port: int = 0

    host = HOST

    def __post_init__(self):
        if self.encryption not in (None, "starttls", "ssl"):
            raise ValueError(f"no such encryption: {self.encryption}")
        if self.require_auth is None:
            self.require_auth = bool(self.logins or self.tokens)
        self.accepted_count = 0
        self._accepted = []
        self._attempts = []
        self._connections = []
        self._faults = ()
        self._changed = threading.Condition()
        self._live = set()
        self._tasks = set()
        self._listener = None
        self._socket = bound_socket(self.port)
        self.port = self._socket.getsockname()[1]

    # What tests say

    def fail(self, phase: str, reply: str | None = None, *, action: str | None = None, **when):
        """Let something go wrong from now on, and return the `Fault` (its `struck` counts).

        Of several faults that apply, the one set first strikes. `when`: see `Fault`.
        """
        fault = Fault(phase, action or "reply", reply, **when)
        self._faults += (fault,)
        return fault

    def heal(self, *faults: Fault):
        """Forget these faults; without any, forget all and be up. Who hangs goes on hanging."""
        self._faults = tuple(f for f in self._faults if faults and f not in faults)
        if not faults:
            self.start()

    def start(self):
        """Listen (again), on the same port."""
        if self._listener is None:
            self.lab.run(self._start())

    def stop(self):
        """Die: drop every connection and refuse new ones, until `start` or `heal`."""
        if self._listener is not None:
            self.lab.run(self.halt())
            self._socket = bound_socket(self.port)

    def wait(self, condition: Callable[["SmtpServer"], object], timeout: float = 10):
        """Wait until `condition(server)` is true and return its value; else TimeoutError.

        It is looked at whenever the server saw or did something.
        """
        with self._changed:
            if value := self._changed.wait_for(lambda: condition(self), timeout):
                return value
        raise TimeoutError(f"not seen by {self.name} within {timeout} s")

    # What tests see

    @property
    def accepted(self) -> list[Delivery]:
        """The messages for which this server took responsibility, as a copy."""
        return list(self._accepted)

    @property
    def attempts(self) -> list[Attempt]:
        """The logins tried, as a copy."""
        return list(self._attempts)

    @property
    def connections(self) -> list[Connection]:
        """The connections so far, as a copy."""
        return list(self._connections)

    @property
    def commands(self) -> list[list[str]]:
        """What each connection said."""
        return [list(connection.commands) for connection in self._connections]

    # What the protocol asks and tells, in the loop's thread

    @property
    def tls_context(self):
        return self.lab.authority.context(self.certificate)

    @property
    def mechanisms(self):
        """The AUTH mechanisms that EHLO offers."""
        passwords = ["PLAIN", "LOGIN"] if self.logins else []
        bearer = ["XOAUTH2"] if self.tokens else []
        return passwords + bearer if self.offer_auth else []

    def may_send_as(self, address):
        return self.allowed_senders is None or address in self.allowed_senders

    def pick_fault(self, phase, **where):
        for fault in self._faults:
            if fault.applies(phase, **where):
                with self._changed:
                    fault.struck += 1
                    self._changed.notify_all()
                return fault
        return None

    def opened(self, smtp):
        self._live.add(smtp)

    def closed(self, smtp):
        self._live.discard(smtp)
        self._over(smtp.connection)

    def heard(self, connection, command):
        if self.keep:
            with self._changed:
                connection.commands.append(command)
                self._changed.notify_all()

    def attempted(self, connection, mechanism, login, success):
        with self._changed:
            self._attempts.append(Attempt(mechanism, login, success, connection.number))
            self._changed.notify_all()

    async def accept(self, connection, **values):
        delivery = Delivery(connection=connection.number, **values)
        if self.deliver:
            # a client that hangs up now has sent all of the message: it is delivered
            await asyncio.shield(asyncio.create_task(self._deliver(connection, delivery)))
        else:
            self._keep(connection, delivery)

    async def _deliver(self, connection, delivery):
        await asyncio.to_thread(self.deliver, delivery)
        self._keep(connection, delivery)

    def _keep(self, connection, delivery):
        with self._changed:
            connection.accepted += 1
            self.accepted_count += 1
            if self.keep:
                self._accepted.append(delivery)
            self._changed.notify_all()

    # The socket, in the loop's thread

    async def _start(self):
        self._socket.listen()
        self._listener = asyncio.create_task(self._listen())

    async def halt(self):
        """Close every socket of this server."""
        tasks = [*self._tasks, self._listener] if self._listener else [*self._tasks]
        for task in tasks:
            task.cancel()
        for smtp in self._live:
            smtp.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener = None
        self._socket.close()

    async def _listen(self):
        loop = asyncio.get_running_loop()
        while True:
            sock, _peer = await loop.sock_accept(self._socket)
            task = loop.create_task(self._serve(sock))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, sock):
        loop = asyncio.get_running_loop()
        with self._changed:
            connection = Connection(len(self._connections) + 1)
            self._connections.append(connection)
            self._changed.notify_all()
        implicit = self.encryption == "ssl"
        try:
            if fault := self.pick_fault("connect") or (implicit and self.pick_fault("tls")):
                with sock:
                    await self._suffer(fault, sock)
                self._over(connection)
            else:
                await loop.connect_accepted_socket(
                    lambda: FaultySMTP(self, connection, loop),
                    sock,
                    ssl=self.tls_context if implicit else None,
                )
        except OSError:  # the client left, or did not like the certificate
            self._over(connection)

    async def _suffer(self, fault, sock):
        if fault.action == "reset":
            reset_on_close(sock)
        elif fault.action == "hang":
            while await asyncio.get_running_loop().sock_recv(sock, 2**16):
                pass

    def _over(self, connection):
        with self._changed:
            connection.open = False
            self._changed.notify_all()


def bound_socket(port=0):
    """A socket that holds a port and, until it listens, has the system refuse its callers."""
    # asyncio sets TCP_NODELAY only where the protocol is spelt out.
    sock = socket.socket(proto=socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setblocking(False)
    sock.bind((HOST, port))
    return sock
