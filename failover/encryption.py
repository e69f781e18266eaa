"""What a second connection to the same server tells about its encryption.

It verifies no certificate, so nothing is sent over it once it is encrypted. It goes to the very
address of the first one, and keeps to its deadline.
"""

import contextlib
import datetime
import selectors
import smtplib
import socket
import ssl

from cryptography import x509

from .network import LineReader, connect

PLAIN_PORTS = (25,)
"""Ports that never begin with TLS. Their servers may blame a client that speaks before them."""

UNREADABLE = (ValueError, x509.InvalidVersion)
"""What the reading of a certificate may raise."""

_CERTIFICATE_HAS_EXPIRED = 10  # OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED


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
    *kind, _name, address = trace.peer
    with _unverified().wrap_socket(
        socket.socket(*kind),
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
            else:
                return True
    return False


def has_expired(exc):
    """Whether a connection failed because of a certificate that is no longer valid."""
    return getattr(exc, "verify_code", None) == _CERTIFICATE_HAS_EXPIRED


def expiry(failed, trace):
    """The day on which the server's certificate expired, in UTC. None where it does not show it in
    time, or shows one that is valid: then the authority's has expired.

    :param smtplib.SMTP failed: the connection whose handshake failed
    :param Trace trace: how much time is left
    :rtype: datetime.date | None
    """
    with contextlib.suppress(OSError, *UNREADABLE):
        valid_until = end_of(x509.load_der_x509_certificate(_certificate(failed, trace)))
        if valid_until < datetime.datetime.now(datetime.timezone.utc):
            return valid_until.date()
    return None


def _certificate(failed, trace):
    """The certificate that the server shows, whatever it is worth.

    :rtype: bytes
    """
    sock, _peer = connect([trace.peer], trace, failed.source_address)
    with sock:
        if not isinstance(failed, smtplib.SMTP_SSL):
            _ask_for_tls(sock, failed.local_hostname, trace)
        with _unverified().wrap_socket(sock, server_hostname=trace.host) as encrypted:
            return encrypted.getpeercert(binary_form=True)


def _ask_for_tls(sock, local_hostname, trace):
    """Say all that comes before the handshake where TLS begins with STARTTLS (RFC 3207)."""
    connection = smtplib.SMTP(local_hostname=local_hostname, timeout=trace.remaining())
    connection.sock, connection.file = sock, LineReader(sock, trace)
    connection.getreply()
    connection.ehlo()
    connection.docmd("STARTTLS")


def shown_on(sock):
    """The certificate that the server shows on a connection, in DER; b"" without encryption.

    :param socket.socket sock: any
    """
    is_encrypted = hasattr(sock, "getpeercert")
    return (is_encrypted and sock.getpeercert(binary_form=True)) or b""


def validity(certificate):
    """From when until when a certificate is valid, in UTC.

    :param bytes certificate: in DER
    :return: None where it does not say so as it should
    :rtype: tuple[datetime.datetime, datetime.datetime] | None
    """
    try:
        read = x509.load_der_x509_certificate(certificate)
        return begin_of(read), end_of(read)
    except UNREADABLE:
        return None


def begin_of(certificate):
    """When a certificate begins, in UTC; arguments and errors as for ``end_of``.

    :rtype: datetime.datetime
    """
    return _in_utc(certificate, "not_valid_before")


def end_of(certificate):
    """When a certificate ends, in UTC.

    :param x509.Certificate certificate: any
    :raises ValueError: it does not say so as it should
    :rtype: datetime.datetime
    """
    return _in_utc(certificate, "not_valid_after")


def _in_utc(certificate, name):
    if hasattr(certificate, f"{name}_utc"):  # from cryptography 42 on
        return getattr(certificate, f"{name}_utc")
    return getattr(certificate, name).replace(tzinfo=datetime.timezone.utc)


def _unverified():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
