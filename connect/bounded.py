"""HTTP with an end, however slowly a provider speaks and however much it says."""

import contextlib
import io
import socket

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

LONGEST = 262_144
"""Bytes of an answer; some thousand are usual."""
_PIECE = 16_384


class BoundedAdapter(HTTPAdapter):
    """Reads at most ``LONGEST`` bytes, as they were sent: a few that are compressed may mean any
    number. ``close`` also ends what another thread is waiting for.
    """

    def __init__(self):
        self._lines, self._over = [], False
        super().__init__()

    def send(self, request, stream=False, **options):
        """:raises requests.RequestException: the answer cannot be had, or is too long"""
        request.headers["Accept-Encoding"] = "identity"
        try:
            response = super().send(request, stream=True, **options)
            with contextlib.closing(response.raw):
                body = self._read(response)
        except HTTPError as exc:
            raise requests.ConnectionError(exc, request=request) from exc
        response.raw, response.encoding = io.BytesIO(body), "utf-8"
        return response

    @staticmethod
    def _read(response):
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise requests.exceptions.ContentDecodingError("the answer is compressed unasked")
        body = b""
        # not stream(): it reads a line of any length for the size of a chunk
        while piece := response.raw.read(_PIECE, decode_content=False):
            body += piece
            if len(body) > LONGEST:
                raise requests.exceptions.ContentDecodingError("the answer is too long")
        return body

    def close(self):
        self._over = True
        for line in self._lines:
            with contextlib.suppress(OSError):  # it has ended by itself
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        self._lines.clear()
        super().close()

    def peer_of(self, connection):
        """The host or address to connect to. May raise what its caller knows.

        :param urllib3.connection.HTTPConnection connection: not open yet
        """
        return connection.host

    # --- what urllib3 opens

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, **kwargs)
        self._follow(self.poolmanager)

    def proxy_manager_for(self, *args, **kwargs):
        manager = super().proxy_manager_for(*args, **kwargs)
        self._follow(manager)
        return manager

    def _follow(self, manager):
        manager.pool_classes_by_scheme = {
            scheme: self._followed(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
        }

    def _followed(self, pool):
        adapter = self

        class Connection(pool.ConnectionCls):
            def _new_conn(self):
                name, self._dns_host = self._dns_host, adapter.peer_of(self)
                try:
                    sock = super()._new_conn()
                finally:
                    self._dns_host = name  # the certificate is for it
                adapter._lines.append(sock.dup())  # TLS takes the socket itself away
                if adapter._over:
                    adapter.close()
                return sock

        return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def bound(session):
    """Have all that the session does come to an end, at the latest when it is closed.

    :param requests.Session session: any
    """
    adapter = BoundedAdapter()
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter)
    return session
