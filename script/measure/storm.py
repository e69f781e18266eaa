"""The mail servers of a chaos run: a process of their own, with a ledger of what they accepted.

No client can kill it, and nothing it does depends on what the database says.
"""

import asyncio
import collections
import email
import threading
import time
from multiprocessing.connection import Connection
from typing import NamedTuple

from smtp_lab import SmtpLab, SmtpServer

from .diaries import PROBE
from .weather import CLEAR, Weather, cell, generator, in_their_names, outage, shower, weather

CHANGE = 0.7
"""Seconds between two changes of the weather."""
BLACKOUT = 0.1
"""Of the changes: so often every mailbox is out of order at once, System Mail's too."""
KILL_PATIENCE = 5.0
"""Seconds that a server waits for the kill which it asked for, before it answers all the same."""
SOCKETS_CLOSE = 0.5
"""Seconds before a server was stopped in which a reply may not have left."""
TAG = "X-Chaos"
"""Header of each mail: the worker that is to send it and its name, ``1 m7.0``."""


class Mailbox(NamedTuple):
    """One mail server with one account."""

    name: str
    address: str
    password: str
    encryption: str | None
    pipelining: bool | str = True
    """As the lab has it."""
    neighbour: str = ""
    """At whose server it is; by default, at one of its own."""


class Copy(NamedTuple):
    """One message that a server accepted, for the recipients of one transaction."""

    at: float
    """``time.monotonic()``, which all processes share."""
    mailbox: str
    login: str
    mail_from: str
    recipients: tuple[str, ...]
    message_id: str
    sent_from: str
    worker: str
    """What it called itself, without its domain."""
    mail: str
    unanswered: bool
    """The client was never told."""
    answered_after: float
    """Seconds that the server took for its reply."""


class Probe(NamedTuple):
    """A log-in by a client that only tries a mailbox."""

    at: float
    """``time.time()``, as the database has it."""
    mailbox: str
    client: str


class Ledger(NamedTuple):
    """What the servers saw."""

    copies: list[Copy]
    probes: list[Probe]
    faults: collections.Counter
    """By mailbox, phase and what happened."""


class StormServer(SmtpServer):
    """A server in the weather; ``storm`` and ``rng`` are set when it is made."""

    weather = CLEAR
    suffered = None

    def pick_fault(self, phase, login=None, recipient=None, **_where):
        if phase == "dot":
            self.suffered = None
        lasting = self.weather.outage
        if lasting and lasting.phase == phase:
            fault = lasting
        elif self.rng.random() < self.weather.showers:
            fault = shower(self.rng, phase)
        else:
            fault = None
        if fault:
            fault = in_their_names(fault, login, recipient)
            self.storm.faults[(self.name, *cell(fault))] += 1
        if phase == "dot":
            self.suffered = fault
        return fault

    def attempted(self, connection, mechanism, login, success):
        super().attempted(connection, mechanism, login, success)
        if connection.client.startswith(PROBE):
            self.storm.note_probe(login, connection.client)

    async def accept(self, connection, **values):
        # Nothing ran since the fault at the dot was picked.
        copy = self.storm.as_copy(self, connection, values)
        self.storm.copies.append(copy)
        await super().accept(connection, **values)
        await self.storm.maybe_kill(copy, self.rng)


class Storm:
    """The servers and their weather.

    :param Connection supervisor: takes ``("kill", worker)``, and tells what is to be done
    :param float calm: this share of the changes of the weather is to a clear sky
    """

    def __init__(self, lab, supervisor: Connection, seed: int, mailboxes, kill_rate, calm=0.0):
        self.copies, self.probes, self.faults = [], [], collections.Counter()
        self.raging = False
        self._supervisor, self._sending = supervisor, threading.Lock()
        self._kill_rate, self._calm = kill_rate, calm
        self._killed = collections.defaultdict(threading.Event)
        self._rng = generator(seed, "weather")
        self.at = {}
        """The server of each mailbox, by the mailbox's name."""
        self._names = {mailbox.address: mailbox.name for mailbox in mailboxes}
        for mailbox in mailboxes:
            server = self.at.get(mailbox.neighbour) or self._open(lab, mailbox, seed)
            server.logins[mailbox.address] = mailbox.password
            self.at[mailbox.name] = server
        self.servers = list(dict.fromkeys(self.at.values()))

    def _open(self, lab, mailbox, seed):
        server = lab.server(
            mailbox.name,
            kind=StormServer,
            logins={mailbox.address: mailbox.password},
            encryption=mailbox.encryption,
            pipelining=mailbox.pipelining,
            keep=False,
        )
        server.storm, server.rng = self, generator(seed, mailbox.name)
        return server

    def note_probe(self, login, client):
        """Somebody has logged in, or tried to, who sends nothing."""
        self.probes.append(Probe(time.time(), self._names.get(login, login), client))

    def as_copy(self, server, connection, values):
        """What the server has just accepted.

        :rtype: Copy
        """
        head = values["content"].partition(b"\r\n\r\n")[0]
        message = email.message_from_bytes(head + b"\r\n\r\n", policy=email.policy.default)
        mail = message[TAG].partition(" ")[2]
        fault = server.suffered
        return Copy(
            values["at"],
            self._names[values["login"]],
            values["login"],
            values["mail_from"],
            values["rcpt_to"],
            str(message["Message-Id"]).strip(),
            str(message["From"]),
            connection.client.partition(".")[0],
            mail,
            unanswered=bool(fault) and not fault.reply,
            answered_after=fault.delay if fault else 0.0,
        )

    async def maybe_kill(self, copy, rng):
        """Have the worker killed: now, when the message is accepted and it does not know; or soon,
        while it writes down that it does.
        """
        drawn = rng.random()
        if not self.raging or drawn > 2 * self._kill_rate:
            return
        if drawn < self._kill_rate:
            self._killed[copy.worker].clear()
            self._tell("kill", copy.worker, "at the dot")
            await asyncio.to_thread(self._killed[copy.worker].wait, KILL_PATIENCE)
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(rng.uniform(0, 0.02), self._tell, "kill", copy.worker, "after the dot")

    def _tell(self, *words):
        with self._sending:
            self._supervisor.send(words)

    def run(self):
        """Change the weather and obey, until told to stop."""
        change_at = time.monotonic()
        while True:
            if self.raging and time.monotonic() >= change_at:
                self._change()
                change_at = time.monotonic() + CHANGE
            if not self._supervisor.poll(0.05):
                continue
            match self._supervisor.recv():
                case ("rage",):
                    self.raging = True
                case ("heal",):
                    self.raging = False
                    for server in self.servers:
                        self._set(server, CLEAR)
                case ("killed", worker):
                    self._killed[worker].set()
                case ("ledger",):
                    self._tell("ledger", Ledger(self.copies, self.probes, self.faults))
                case ("stop",):
                    return

    def _change(self):
        if self._rng.random() < BLACKOUT * (1 - self._calm):
            for server in self.servers:
                self._set(server, Weather(outage=outage(self._rng, server.encryption)))
            return
        for server in self.servers:
            if self._rng.random() < 0.5:
                is_clear = self._rng.random() < self._calm
                self._set(server, CLEAR if is_clear else weather(self._rng, server.encryption))

    def _set(self, server, new):
        server.weather = new
        if new.down:
            self.faults[(server.name, "connect", "refused")] += 1
            server.stop()
            self._lose_replies(server)
        else:
            server.start()

    def _lose_replies(self, server):
        """Who awaited a reply of the server, which has been stopped, never gets it."""
        since = time.monotonic() - SOCKETS_CLOSE
        for number, copy in enumerate(self.copies):
            if self.at[copy.mailbox] is server and copy.at + copy.answered_after > since:
                self.copies[number] = copy._replace(unanswered=True)


def serve(
    supervisor: Connection, seed: int, mailboxes: list[Mailbox], kill_rate: float, calm: float = 0.0
):
    """The process: tells the ports of the mailboxes, then runs."""
    with SmtpLab() as lab:
        storm = Storm(lab, supervisor, seed, mailboxes, kill_rate, calm)
        supervisor.send({name: server.port for name, server in storm.at.items()})
        storm.run()
