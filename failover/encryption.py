"""What a second connection to the same server tells about its encryption.

It verifies no certificate, so nothing is sent over it once it is encrypted. It goes to the very
address of the first one, and keeps to its deadline.
"""

import contextlib
import selectors
import socket
import ssl

PLAIN_PORTS = (25,)
"""Ports that never begin with TLS. Their servers may blame a client that speaks before them."""


def awaits_tls(first, trace):
    """Whether a server says nothing on a new connection because it waits for TLS to begin.

    Honest servers pause before their banner, too: only a handshake proves it, on a second
    connection. It ends at once when the server speaks on the first.

    :param socket.socket first: the connection, on which nothing has been said
    :param Trace trace: how long to wait before it is asked, and how much time is left
    """
    silence = trace.patience.silence
    with contextlib.suppress(OSError, ValueError), selectors.DefaultSelector() as selector:
        selector.register(first, selectors.EVENT_READ)
        if trace.peer[4][1] in PLAIN_PORTS or trace.remaining() <= silence:
            return False
        if not selector.select(silence):
            return _shakes_hands(first, trace, selector)
    return False


def _shakes_hands(first, trace, selector):
    """Whether the server agrees on TLS on a second connection, before it speaks on the first."""
    family, kind, protocol, _name, address = trace.peer
    with _unverified().wrap_socket(
        socket.socket(family, kind, protocol),
        server_hostname=trace.host,
        do_handshake_on_connect=False,
    ) as second:
        second.setblocking(False)
        second.connect_ex(address)
        selector.register(second, selectors.EVENT_WRITE)
        while ready := selector.select(trace.remaining()):
            if any(key.fileobj is first for key, _events in ready):
                return False
            try:
                second.do_handshake()
            except ssl.SSLWantReadError:
                selector.modify(second, selectors.EVENT_READ)
            except ssl.SSLWantWriteError:
                selector.modify(second, selectors.EVENT_WRITE)
            else:
                return True
    return False


def _unverified():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
