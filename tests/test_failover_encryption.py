"""What is said of a mailbox with the wrong encryption, or with an expired certificate."""

import contextlib
import datetime
import pathlib
import smtplib
import socket
import ssl
import time
import types
from unittest.mock import patch

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ..failover import encryption
from ..failover.connection import CONNECTION_ERRORS, Patience, leave, watching
from ..failover.failure import Failure, Kind, Phase
from ..failover.rules import classify
from ..failover.session import Route
from .leaks import none_from
from .smtp_lab import Liar, SmtpLab, SmtpServer
from .smtp_lab.certificates import of_unknown_version

HURRY = Patience(log_in=2, silence=0.2)
HOST = "127.0.0.1"


@pytest.fixture(name="lab")
def _lab():
    with SmtpLab() as lab:
        yield lab


def connect(server, kind=smtplib.SMTP, host=HOST, **options):
    return kind(host, server.port, local_hostname="here.test", timeout=60, **options)


def failing(connect_, patience=HURRY):
    """What failed, and after how many seconds."""
    begin = time.monotonic()
    with watching(patience) as trace, pytest.raises(CONNECTION_ERRORS) as caught:
        connect_()
    return trace.failure(caught.value), time.monotonic() - begin


class Choosy(Liar):
    """Serves its first client after ``pause`` seconds, and treats the others as ``further`` says:
    "wait", "close", or bytes to say.
    """

    def __init__(self, pause, further):
        super().__init__({"banner": [pause, b"220 hello\r\n"]})
        self._further = further
        self.lived = []
        """Seconds that each of the others stayed."""

    def _serve(self, sock):
        if self.clients == 1:
            return super()._serve(sock)
        begin = time.monotonic()
        with sock:
            sock.settimeout(5)
            if isinstance(self._further, bytes):
                sock.sendall(self._further)
            if self._further != "close":
                self._read_all(sock)
        self.lived.append(time.monotonic() - begin)
        return None

    def _read_all(self, sock):
        with contextlib.suppress(ConnectionResetError):
            while sock.recv(4096):
                pass


class TestPlainToTls:
    """The server waits for TLS to begin, and we for its greeting."""

    def test_a_server_that_waits_for_tls_is_told_from_a_slow_one(self, lab):
        server = lab.server(encryption="ssl")
        failure, seconds = failing(lambda: connect(server))
        assert (failure.phase, failure.kind) == (Phase.BANNER, Kind.HANDSHAKE)
        decision = classify(failure)
        assert (decision.rule, decision.remedy) == ("tls_mismatch", "encryption")
        assert seconds < 1

    def test_it_is_asked_by_its_name(self, lab):
        server, names = lab.server(encryption="ssl"), []
        server.tls_context.sni_callback = lambda _sock, name, _context: names.append(name)
        failure, _seconds = failing(lambda: connect(server, host="localhost"))
        assert failure.kind is Kind.HANDSHAKE
        assert names == ["localhost"]

    def test_it_leaves_nothing_behind(self, lab):
        route = Route("own", lambda: connect(server), patience=HURRY)
        server = lab.server(encryption="ssl")
        with none_from(lab, lambda _server: ()):
            assert not route.open()
            server.wait(lambda s: not any(c.open for c in s.connections))
        assert route.trouble.decision.rule == "tls_mismatch"

    def test_a_server_that_pauses_before_its_greeting_is_waited_for(self):
        with Liar({"banner": [3.0, b"220 hello\r\n"]}) as liar, watching(Patience()):
            connection = connect(liar)
            assert connection.noop()[0] == 250
            connection.close()
        assert liar.clients == 2

    @pytest.mark.parametrize("further", ["wait", "close", b"220 hello\r\n", b"\x15\3\1\0\2\2\x28"])
    def test_the_second_connection_never_outlives_the_first(self, further):
        with Choosy(0.8, further) as liar, watching(HURRY):
            begin = time.monotonic()
            connection = connect(liar)
            assert 0.8 <= time.monotonic() - begin < 1.2
            assert connection.noop()[0] == 250
            leave(connection)
        [lived] = liar.lived
        assert lived < 1

    def test_both_end_at_the_deadline(self, lab):
        server = lab.silent_server()
        failure, seconds = failing(lambda: connect(server), Patience(log_in=1, silence=0.2))
        assert (failure.phase, failure.kind) == (Phase.BANNER, Kind.TIMEOUT)
        assert 0.9 < seconds < 1.5
        server.wait(lambda s: [c.open for c in s.connections] == [False, False])

    def test_a_deadline_that_comes_first_leaves_no_time_to_ask(self, lab):
        server = lab.silent_server()
        _failure, seconds = failing(lambda: connect(server), Patience(log_in=0.3, silence=2))
        assert seconds < 1.5
        assert len(server.connections) == 1

    def test_a_port_that_never_begins_with_tls_is_not_asked(self, lab):
        server = lab.silent_server()
        with patch.object(encryption, "PLAIN_PORTS", (server.port,)):
            failing(lambda: connect(server), Patience(log_in=0.5, silence=0.1))
        assert len(server.connections) == 1

    def test_the_second_connection_goes_where_the_first_one_went(self, lab):
        server, asked = lab.server(encryption="ssl"), []

        def look_up(host, port, *_more):
            asked.append(host)
            address = HOST if len(asked) == 1 else "127.0.0.2"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        with patch.object(socket, "getaddrinfo", look_up):
            failure, _seconds = failing(lambda: connect(server, host="rebinding.test"))
        assert failure.kind is Kind.HANDSHAKE
        assert asked == ["rebinding.test"]


class TestTlsToPlain:
    def test_a_server_that_speaks_first_does_not_speak_tls(self, lab):
        server = lab.server()
        failure, _seconds = failing(lambda: connect(server, smtplib.SMTP_SSL))
        decision = classify(failure)
        assert (decision.rule, decision.remedy) == ("tls_mismatch", "encryption")

    @pytest.mark.parametrize(
        "text",
        [
            "[SSL] record layer failure (_ssl.c:1006)",
            "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure (_ssl.c:1000)",
            "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] ssl/tls alert handshake failure (_ssl.c:1032)",
            "bad handshake: Error([('SSL routines', '', 'wrong version number')])",
        ],
    )
    def test_in_all_the_words_of_openssl(self, text):
        failure = Failure.from_exception(Phase.TLS, ssl.SSLError(1, text))
        assert classify(failure).rule == "tls_mismatch"


class TestExpiredCertificate:
    @pytest.fixture(name="server", params=["ssl", "starttls"])
    def _server(self, lab, request):
        return lab.server(encryption=request.param, certificate="expired")

    @staticmethod
    def log_in(server):
        context = ssl.create_default_context(cafile=server.lab.cafile)
        if server.encryption == "ssl":
            connect(server, smtplib.SMTP_SSL, context=context)
        else:
            connect(server).starttls(context=context)

    def fail(self, server):
        with watching(HURRY) as trace, pytest.raises(ssl.SSLCertVerificationError) as caught:
            self.log_in(server)
        return trace, caught.value

    def test_the_day_is_told(self, server):
        trace, error = self.fail(server)
        failure = trace.failure(error)
        assert (failure.phase, failure.kind) == (Phase.TLS, Kind.CERTIFICATE)
        path = pathlib.Path(server.lab.cafile).with_name("expired.pem")
        day = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.date()
        assert failure.text.endswith(f": it expired on {day.isoformat()}")
        assert classify(failure).rule == "certificate_expired"
        trace.connection.close()
        server.wait(lambda s: not any(c.open for c in s.connections))

    @pytest.mark.parametrize("then", ["drop", "hang"])
    def test_where_it_cannot_be_asked_no_day_is_told(self, server, then):
        trace, error = self.fail(server)
        server.fail("connect", action=then)
        begin = time.monotonic()
        failure = trace.failure(error)
        assert time.monotonic() - begin < 2.5
        assert failure.kind is Kind.CERTIFICATE
        assert "expired on" not in failure.text

    def test_where_it_cannot_be_read_no_day_is_told(self, server):
        trace, error = self.fail(server)
        path = pathlib.Path(server.lab.cafile).with_name("expired.pem")
        key, begin, certificate = path.read_text().partition(ssl.PEM_HEADER)
        path.write_text(key + of_unknown_version(begin + certificate))
        server.tls_context.load_cert_chain(path)
        assert "expired on" not in trace.failure(error).text
        assert len(server.connections) == 2

    def test_no_day_is_told_of_a_certificate_whose_authority_has_expired(self, server):
        server.certificate = "expired-authority"
        trace, error = self.fail(server)
        failure = trace.failure(error)
        assert "certificate has expired" in failure.text
        assert "expired on" not in failure.text

    def test_no_other_certificate_is_read_again(self, server):
        server.certificate = "other-name"
        trace, error = self.fail(server)
        assert trace.failure(error).kind is Kind.CERTIFICATE
        assert len(server.connections) == 1

    def test_it_is_asked_as_the_first_time(self, lab):
        names, addresses = [], []

        class Curious(SmtpServer):
            async def _serve(self, sock):
                addresses.append(sock.getpeername()[0])
                await super()._serve(sock)

        server = lab.server(kind=Curious, encryption="starttls", certificate="expired")
        server.tls_context.sni_callback = lambda _sock, name, _context: names.append(name)
        context = ssl.create_default_context(cafile=lab.cafile)
        with watching(HURRY) as trace, pytest.raises(ssl.SSLCertVerificationError) as caught:
            connect(server, host="localhost", source_address=("127.0.0.9", 0)).starttls(
                context=context
            )
        assert "it expired on" in trace.failure(caught.value).text
        assert names == ["localhost"] * 2
        assert addresses == ["127.0.0.9"] * 2
        assert server.commands == [["EHLO here.test", "STARTTLS"]] * 2


class TestValidity:
    DAY = datetime.datetime(2026, 5, 3)

    def test_it_is_told_in_utc(self, lab):
        lab.authority.context("ends-soon")
        path = pathlib.Path(lab.cafile).with_name("ends-soon.pem")
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        begin, end = encryption.validity(certificate.public_bytes(Encoding.DER))
        now = datetime.datetime.now(datetime.timezone.utc)
        assert [(now - begin).days, (end - now).days] == [345, 19]

    def test_it_is_that_of_what_the_server_shows(self, lab):
        context = ssl.create_default_context(cafile=lab.cafile)
        with watching(HURRY) as trace:
            leave(connect(lab.server(encryption="ssl"), smtplib.SMTP_SSL, context=context))
        begin, end = encryption.validity(trace.certificate)
        assert (end - begin).days == 4
        with watching(HURRY) as trace:
            leave(connect(lab.server()))
        assert trace.certificate == b""

    def test_what_cannot_be_read_has_none(self, lab):
        lab.authority.context("valid")
        path = pathlib.Path(lab.cafile).with_name("valid.pem")
        _key, begin, certificate = path.read_text().partition(ssl.PEM_HEADER)
        strange = ssl.PEM_cert_to_DER_cert(of_unknown_version(begin + certificate))
        assert encryption.validity(strange) is encryption.validity(b"no certificate") is None

    @pytest.mark.parametrize("suffix", ["", "_utc"])
    def test_an_older_library_tells_it_without_the_zone(self, suffix):
        told = self.DAY.replace(tzinfo=datetime.timezone.utc)
        given = told if suffix else self.DAY
        names = (f"not_valid_before{suffix}", f"not_valid_after{suffix}")
        certificate = types.SimpleNamespace(**dict.fromkeys(names, given))
        assert encryption.begin_of(certificate) == encryption.end_of(certificate) == told
