"""The lab: one event loop in one thread for all its servers."""

import asyncio
import tempfile
import threading

from .certificates import CertificateAuthority
from .server import SmtpServer, bound_socket


class SmtpLab:
    """A context manager, or: runs from its making until `close`. Used by one thread.

    `cafile` is the PEM file of the authority that signs the servers' valid certificates.
    """

    def __init__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="smtp-lab-")
        self.authority = CertificateAuthority(self._directory.name)
        self.cafile = self.authority.cafile
        self._servers = []
        self._closed_ports = []
        started = threading.Event()
        self._thread = threading.Thread(
            target=asyncio.run, args=(self._main(started),), name="smtp-lab", daemon=True
        )
        self._thread.start()
        started.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def server(self, name: str = "smtp", *, kind=SmtpServer, **options) -> SmtpServer:
        """Start a server. Its options: see `SmtpServer`, of which `kind` may be a subclass."""
        server = kind(self, name, **options)
        self._servers.append(server)
        server.start()
        return server

    def silent_server(self) -> SmtpServer:
        """A server that accepts connections and says nothing."""
        server = self.server("silent")
        server.fail("connect", action="hang")
        return server

    def closed_port(self) -> int:
        """A port where connections are refused for as long as the lab lives."""
        self._closed_ports.append(bound_socket())
        return self._closed_ports[-1].getsockname()[1]

    def close(self):
        """Close all servers, connections and files. May be called twice."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
        for sock in self._closed_ports:
            sock.close()
        self._directory.cleanup()

    def run(self, coroutine):
        """Run a coroutine in the lab's loop and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _main(self, started):
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        started.set()
        await self._stop.wait()
        for server in self._servers:
            await server.halt()
