"""The lines between hosts, mail servers and PostgreSQL, for script/hosts: a process of its own that
passes bytes on, until it is told to cut some lines.
"""

import asyncio
import contextlib
from multiprocessing.connection import Connection
from typing import NamedTuple

from smtp_lab.protocol import reset_on_close


class Line(NamedTuple):
    """One line: whoever connects to it speaks with ``target``."""

    host: str
    """Whose it is."""
    what: str
    """Where it leads: those of one host that lead there are cut together."""
    address: tuple[str, int]
    """It listens here; port 0 for any."""
    target: tuple[str, int] | str
    """An address, or the path of a socket."""


class _End(asyncio.Protocol):
    """One end of a connection: what it reads, the other end writes."""

    transport = other = None

    def __init__(self, wire):
        self._wire = wire

    def connection_made(self, transport):
        self.transport = transport
        self._wire.ends.add(self)

    def data_received(self, data):
        self.other.transport.write(data)

    def pause_writing(self):
        self.other.transport.pause_reading()

    def resume_writing(self):
        if not self._wire.is_cut:
            self.other.transport.resume_reading()

    def connection_lost(self, error):
        self._wire.ends.discard(self)
        other = self.other and self.other.transport
        if not other or other.is_closing():
            return
        if self._wire.is_cut:  # whoever is behind the cut is not told
            self._wire.orphans.add(self.other)
        elif isinstance(error, ConnectionResetError):
            self.other.reset()
        else:
            other.close()

    def reset(self):
        """Close the connection as a host does that knows nothing of it."""
        reset_on_close(self.transport.get_extra_info("socket"))
        self.transport.abort()


class _NearEnd(_End):
    """That of whoever connected to the line."""

    def connection_made(self, transport):
        super().connection_made(transport)
        transport.pause_reading()
        self._wire.begin(self)


class _Wire:
    """One line, and the connections on it."""

    def __init__(self, line):
        self.line, self.target = line, line.target
        self.is_cut, self.ends, self.orphans = False, set(), set()
        self._waiting, self._tasks = set(), set()

    async def listen(self):
        """:return: the port"""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _NearEnd(self), *self.line.address)
        return server.sockets[0].getsockname()[1]

    def begin(self, near):
        """Somebody has connected: go on to the target, once the line is whole."""
        if self.is_cut:
            self._waiting.add(near)
            return
        task = asyncio.get_running_loop().create_task(self._connect(near))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, near):
        loop, far = asyncio.get_running_loop(), _End(self)
        far.other = near
        try:
            if isinstance(self.target, str):
                await loop.create_unix_connection(lambda: far, self.target)
            else:
                await loop.create_connection(lambda: far, *self.target)
        except OSError:
            near.reset()
            return
        near.other = far
        if near.transport.is_closing():
            far.transport.abort()
        elif self.is_cut:
            far.transport.pause_reading()
        else:
            near.transport.resume_reading()

    def cut(self):
        """Pass no byte on; nobody is told."""
        self.is_cut = True
        for end in self.ends:
            end.transport.pause_reading()

    def give_up(self):
        """The target's side gives up its connections, as after its keepalives; ours is not told."""
        for end in [*self.ends]:
            if not isinstance(end, _NearEnd) and end.other:
                self.orphans.add(end.other)
                end.transport.abort()

    def mend(self, lose):
        """Pass on what has waited.

        :param bool lose: the connections have not survived
        """
        self.is_cut = False
        for end in [*self.ends] if lose else [*self.orphans]:
            if end in self.ends:
                end.reset()
        self.orphans.clear()
        for end in self.ends:
            if end.other:
                with contextlib.suppress(RuntimeError):  # it is closing
                    end.transport.resume_reading()
        waiting, self._waiting = self._waiting, set()
        for near in waiting & self.ends:
            self.begin(near)


def serve(supervisor: Connection, lines: list[Line]):
    """The process: tells the ports of the lines, then obeys, and answers when an order is done:

    ``("cut", host, what)``, ``("give_up", host, what)``, ``("mend", host, what, lose)``,
    ``("lead", what, target)``, ``("stop",)``
    """
    asyncio.run(_serve(supervisor, lines))


async def _serve(supervisor, lines):
    wires = [_Wire(line) for line in lines]
    supervisor.send([await wire.listen() for wire in wires])
    stopped = asyncio.Event()

    def obey():
        name, *arguments = supervisor.recv()
        if name == "stop":
            stopped.set()
        elif name == "lead":
            what, target = arguments
            for wire in wires:
                if wire.line.what == what:
                    wire.target = target
        else:
            host, what, *options = arguments
            for wire in wires:
                if (wire.line.host, wire.line.what) == (host, what):
                    getattr(wire, name)(*options)
        supervisor.send(name)

    asyncio.get_running_loop().add_reader(supervisor.fileno(), obey)
    await stopped.wait()
