"""A server that says anything at any time; it keeps to SMTP only where it is not told otherwise."""

import base64
import contextlib
import socket
import threading
import time

from .protocol import reset_on_close

PATIENCE = 5.0
"""Seconds: a client that is silent for so long has gone."""
_SANE = {
    "banner": b"220 hello\r\n",
    "ehlo": b"250-here\r\n250-STARTTLS\r\n250-SIZE 1000000\r\n250 AUTH PLAIN LOGIN XOAUTH2\r\n",
    "auth": b"235 2.7.0 Welcome\r\n",
    "data": b"354 Go on\r\n",
    "quit": b"221 Bye\r\n",
}
_PIPELINING = {"ehlo": _SANE["ehlo"].replace(b"250-STARTTLS", b"250-PIPELINING\r\n250-STARTTLS")}
_VERBS = {
    b"EHLO": "ehlo",
    b"HELO": "ehlo",
    b"STAR": "starttls",
    b"AUTH": "auth",
    b"MAIL": "mail",
    b"RCPT": "rcpt",
    b"DATA": "data",
    b"RSET": "rset",
    b"NOOP": "noop",
    b"QUIT": "quit",
}


class Liar:
    """A context manager: a thread for each client.

    :param bool pipelining: offered
    :param dict says: by phase ("banner", "ehlo", …, "data", "dot", …), a list of what it does
        there: bytes to send, seconds to wait (a float), or "close", "reset", "flood" (a line
        without an end), "endless" (a reply without an end), "echo" (a 500 with what it heard, also
        decoded)
    """

    host = "127.0.0.1"
    PHASES = ("banner", *dict.fromkeys(_VERBS.values()), "dot")

    def __init__(self, says, pipelining=False):
        self.clients, self.dots, self.heard = 0, 0, []
        self._says, self._threads = says, []
        self._sane = _SANE | (_PIPELINING if pipelining else {})

    def __enter__(self):
        self._listener = socket.create_server((self.host, 0))
        self.port = self._listener.getsockname()[1]
        self._start(self._listen)
        return self

    def __exit__(self, *_exc):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _listen(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _peer = self._listener.accept()
                self.clients += 1
                self._start(self._serve, sock)

    def _start(self, *work):
        thread = threading.Thread(target=work[0], args=work[1:], name="liar", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, sock):
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with sock, contextlib.suppress(OSError, EOFError), sock.makefile("rb") as lines:
            self._converse(sock, lines)

    def _converse(self, sock, lines):
        self._say(sock, "banner")
        phase = ""
        for line in lines:
            self.heard.append(line)
            phase = _VERBS.get(line[:4].upper(), phase)  # or more of the same: AUTH's
            self._say(sock, phase, line)
            if phase == "data":
                self._read_body(lines)
                self._say(sock, "dot")

    def _read_body(self, lines):
        size = 0
        for line in lines:
            if line == b".\r\n":
                self.dots += bool(size or self._accepts_recipients)
                return
            size += len(line)
        raise EOFError

    @property
    def _accepts_recipients(self):
        said = self._says.get("rcpt", [b"250"])
        return b"".join(what for what in said if isinstance(what, bytes)).startswith(b"2")

    def _say(self, sock, phase, heard=b""):
        for what in self._says.get(phase, [self._sane.get(phase, b"250 2.0.0 Ok\r\n")]):
            if isinstance(what, bytes):
                sock.sendall(what)
            elif isinstance(what, float):
                time.sleep(what)
            elif what == "flood":
                sock.sendall(b"250 " + b"a" * 10_000_000)
            elif what == "endless":
                for _ in range(100_000):
                    sock.sendall(b"250-more\r\n" * 1000)
            elif what == "echo":
                sock.sendall(b"500 %b %b\r\n" % (heard.strip(), _decoded(heard)))
            else:
                if what == "reset":
                    reset_on_close(sock)
                raise EOFError(what)


def _decoded(line):
    """What was said in base64, on one line."""
    try:
        said = base64.b64decode(line.split()[-1])
    except (IndexError, ValueError):
        return b""
    return b" ".join(said.split(b"\0")).replace(b"\r", b" ").replace(b"\n", b" ")
