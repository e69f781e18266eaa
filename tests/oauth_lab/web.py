"""The lab on HTTP: a thread for each request, faults, and an end that leaves nothing behind."""

import contextlib
import itertools
import logging
import socket
import socketserver
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

from .faults import ENDPOINTS, Answer
from .provider import Request

HOST = "127.0.0.1"

_logger = logging.getLogger(__name__)


class WebServer(socketserver.ThreadingTCPServer):
    """Holds a port of 127.0.0.1, where callers are refused until `start` and after `close`."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, lab, port=0):
        super().__init__((HOST, port), _Handler, bind_and_activate=False)
        self.lab = lab
        self.closing = threading.Event()
        self._live = set()
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.05,), name="oauth-lab", daemon=True
        )
        self.server_bind()
        self.port = self.server_address[1]

    def start(self):
        self.server_activate()
        self._thread.start()

    def close(self):
        """End all conversations. May be called twice."""
        self.closing.set()
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        for connection in self._live.copy():
            with contextlib.suppress(OSError):  # it has just closed
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()  # which joins the threads of the requests

    # What socketserver calls

    def get_request(self):
        connection, address = super().get_request()
        if self.lab.tls_context:
            connection = self.lab.tls_context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def process_request(self, request, client_address):
        self._live.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        super().shutdown_request(request)
        self._live.discard(request)

    def handle_error(self, request, client_address):
        # An OSError: the client left, or did not like the certificate.
        if not isinstance(sys.exc_info()[1], OSError):
            _logger.exception("The OAuth lab itself failed")


class _Handler(BaseHTTPRequestHandler):
    """One request, for HTTP/1.0 has no second one on a connection."""

    disable_nagle_algorithm = True

    def do_GET(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path[1:] not in ENDPOINTS:
            self._send(Answer(HTTPStatus.NOT_FOUND, {}, b""))
            return
        request = Request.parse(
            path[1:], self.command, query.encode(), body, self.headers.get("Authorization")
        )
        lab = self.server.lab
        fault = lab.heard(request)
        if self.server.closing.wait(lab.latency):
            return
        answer = lab.provider.answer(request) if not fault or fault.accept else None
        if not fault:
            self._send(answer)
        elif fault.action == "answer":
            self._send(lab.provider.refuse(request, fault))
        else:
            self._suffer(fault)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_args):
        """Silence: an address may hold a code."""

    def _send(self, answer):
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _suffer(self, fault):
        if fault.action == "hang":
            while self.rfile.read1():
                pass
        elif fault.action == "drip":
            for byte in itertools.cycle(b"HTTP/1.0 200 OK"):
                self.wfile.write(bytes((byte,)))
                if self.server.closing.wait(fault.interval):
                    return
