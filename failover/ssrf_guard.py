"""Where a mailbox may be that anybody could set up: at a public mail server.

Else a server inside a network would look into it for whoever asks (server-side request forgery).
The name is resolved once: what was checked is what is connected to, whatever the DNS says later.
"""

import contextlib
import contextvars
import ipaddress
import socket

PORTS = (25, 465, 587, 2525)
"""Where mail is handed in."""
_SPECIAL = [  # RFC 6890, 7526 and 9637: older versions of Python take them for public
    ipaddress.ip_network(network) for network in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")
]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in its last 32 bits


class OutOfReach(socket.gaierror):
    """The server is none that may be connected to. It says the same as where there is no such name:
    whoever asks does not learn which names the network knows.
    """

    def __init__(self):
        super().__init__(socket.EAI_NONAME, "Name or service not known")


@contextlib.contextmanager
def public_only(limited=True):
    """Let this thread's SMTP connections reach public mail servers alone, within the block.

    :param bool limited: False leaves everything as it was
    """
    token = _limited.set(limited)
    try:
        yield
    finally:
        _limited.reset(token)


def is_limited():
    """Whether it is within such a block."""
    return _limited.get()


def check(addresses, port, allowed=None):
    """
    :param addresses: as ``getaddrinfo`` returns them
    :param allowed: ports; None: mail's
    :raises OutOfReach: one of them is not public, or the port is not allowed
    """
    if is_limited() and not (
        port in (allowed or PORTS) and all(is_public(found[4][0]) for found in addresses)
    ):
        raise OutOfReach


def is_public(address):
    """Whether an IP address is one of the Internet's, and of one machine.

    :param str address: as a socket has it
    """
    ip = ipaddress.ip_address(address)
    if ip.version == 6:
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.ip_address(int(ip) & 0xFFFF_FFFF)
        if inner:
            return is_public(str(inner))
    special = ip.is_multicast or ip.is_reserved or any(ip in network for network in _SPECIAL)
    return ip.is_global and not (special or _is_site_local(ip))


def _is_site_local(ip):
    return ip.version == 6 and ip.is_site_local


_limited = contextvars.ContextVar("system_mail_public_only", default=False)
