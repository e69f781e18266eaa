"""From a name to a socket, and to the lines that come from it, within a deadline."""

import queue
import socket
import threading
import time

LONGEST_REPLY = 65_536
"""Bytes; a reply of some hundred lines is long (RFC 5321 4.5.3.1.5: 512 bytes a line)."""

_PIECE = 4096
_AT_ONCE = 0.001
"""Seconds: what is there already is read within."""
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)
"""On Linux. Some servers send small replies one by one, each only when the one before it was
acknowledged, for which the system takes its time (40 ms).
"""


def resolve(host, port, trace):
    """getaddrinfo with a deadline: it has none of its own, so it works in a thread.

    :param Trace trace: how much time is left
    :raises OSError: there is no such name, or no answer in time
    """
    answer = queue.SimpleQueue()

    def look_up():
        try:
            answer.put(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as exc:
            answer.put(exc)

    threading.Thread(target=look_up, name="system_mail_resolver", daemon=True).start()
    try:
        found = answer.get(timeout=trace.remaining())
    except queue.Empty:
        raise TimeoutError(f"no answer for the name {host}") from None
    if isinstance(found, Exception):
        raise found
    return found


def connect(addresses, trace, source_address):
    """A socket to the first address that answers; those before it share the time equally.

    :param addresses: as ``resolve`` returns them
    :return: the socket, and which of the addresses it is connected to
    :raises OSError: none did
    """
    error = OSError("the name has no address")
    for tried, peer in enumerate(addresses):
        family, kind, protocol, _name, address = peer
        try:
            sock = socket.socket(family, kind, protocol)  # refused where the family is switched off
        except OSError as exc:
            error = exc
            continue
        try:
            sock.settimeout(trace.remaining() / (len(addresses) - tried))
            if source_address:
                sock.bind(source_address)
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)  # the dot awaits no ACK
            sock.settimeout(trace.remaining())
        except OSError as exc:
            sock.close()
            error = exc
        else:
            return sock, peer
    raise error


class LineReader:
    """Reads lines until a deadline; smtplib's own file waits anew for each byte, and takes a reply
    for as long as it goes on.
    """

    def __init__(self, sock, trace):
        self._sock, self._trace, self._buffer, self._room = sock, trace, b"", LONGEST_REPLY

    def begin_reply(self):
        """What is read from now on is one reply."""
        self._room = LONGEST_REPLY

    @property
    def unread(self):
        """What has come, and nobody has asked for yet."""
        return self._buffer

    def await_reply(self, seconds):
        """Wait for a reply, without reading it: the connection stays as it is.

        :return: whether there is one, or will be none: the connection has ended, or the reply is
            too long
        """
        end = time.monotonic() + max(seconds, _AT_ONCE)
        while not self._has_reply() and (left := end - time.monotonic()) > 0:
            try:
                received = self._receive(left)
            except TimeoutError:
                return False
            except OSError:  # whoever reads the reply meets it, too
                return True
            if not received:
                return True
            self._buffer += received
        return self._has_reply()

    def _has_reply(self):
        """Whether the buffer has the last line of a reply, or more than anybody reads."""
        complete, line_end, _unfinished = self._buffer.rpartition(b"\n")
        last = complete.rpartition(b"\n")[2]
        is_last = bool(line_end) and last[3:4] != b"-"
        return is_last or len(self._buffer) > self._room

    def readline(self, limit):
        while b"\n" not in self._buffer and len(self._buffer) < limit:
            received = self._receive(self._trace.remaining())
            if not received:
                break
            self._buffer += received
        end = self._buffer.find(b"\n") + 1 or len(self._buffer)
        end = min(end, limit)
        line, self._buffer = self._buffer[:end], self._buffer[end:]
        self._room -= len(line)
        if self._room < 0:
            raise OSError("the reply does not end")
        return line

    def _receive(self, seconds):
        self._sock.settimeout(seconds)
        if _QUICKACK:  # only until the next ACK, so again and again
            self._sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, True)
        return self._sock.recv(_PIECE)

    def close(self):
        """The socket belongs to the connection."""
