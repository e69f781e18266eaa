"""How long a mailbox may take, and what is known of a message when it fails."""

import contextlib
import email.policy
import smtplib
import socket
import threading
import time
import tracemalloc
from email.message import EmailMessage
from unittest.mock import patch

import pytest

from ..failover.connection import CONNECTION_ERRORS, Patience, watching
from ..failover.envelope import trust_again
from ..failover.failure import Effect, Kind, Phase, Verdict
from ..failover.probe import probe
from ..failover.rules import classify, classify_recipients
from ..failover.session import Route
from .smtp_lab import Liar, SmtpLab

IMPATIENT = Patience(log_in=0.4, command=0.4, body=0.4, dot=0.4, quit=0.4)
MESSAGE = b"Subject: Hello\r\n\r\nSee this\r\n"


@pytest.fixture(name="server", params=[True, False], ids=["pipelined", "one by one"])
def _server(request):
    trust_again()
    with SmtpLab() as lab:
        yield lab.server(pipelining=request.param)


def connect(server, host=None):
    return smtplib.SMTP(host or server.host, server.port, local_hostname="here.test", timeout=60)


def failing(server, host=None):
    """What failed when connecting, and how long it took."""
    begin = time.monotonic()
    with watching(IMPATIENT) as trace, pytest.raises(CONNECTION_ERRORS) as caught:
        connect(server, host).ehlo()
    return trace.failure(caught.value), time.monotonic() - begin


def send(server, *recipients, host=None):
    """The outcome of one message."""
    with watching(IMPATIENT) as trace:
        connection = connect(server, host)
        connection.ehlo()
        trace.settled = True
    with contextlib.closing(connection):
        return connection.sendmail("ana@company.test", recipients or ["ben@company.test"], MESSAGE)


class TestPatience:
    @pytest.mark.parametrize(
        ("phase", "action", "found"),
        [
            ("connect", "hang", Phase.BANNER),
            ("banner", "hang", Phase.BANNER),
            ("banner", "drip", Phase.BANNER),
            ("ehlo", "drip", Phase.EHLO),
        ],
    )
    def test_silence_and_drips_end_at_the_deadline(self, server, phase, action, found):
        server.fail(phase, action=action)
        failure, seconds = failing(server)
        assert (failure.phase, failure.kind) == (found, Kind.TIMEOUT)
        assert seconds < 2

    def test_the_deadline_covers_the_look_up_of_the_name(self, server):
        answered = threading.Event()

        def never(*_args):
            answered.wait(10)
            return []

        with patch.object(socket, "getaddrinfo", never):
            failure, seconds = failing(server, "mail.company.test")
            answered.set()
        assert (failure.phase, failure.kind) == (Phase.DNS, Kind.TIMEOUT)
        assert seconds < 2

    def test_the_deadline_covers_a_handshake_after_a_late_answer_to_starttls(self):
        patience = Patience(log_in=2)
        with SmtpLab() as lab:
            server = lab.server(encryption="starttls")
            server.fail("tls", action="hang")
            server.latency = 0.6  # of the greeting, EHLO and STARTTLS
            begin = time.monotonic()
            with watching(patience) as trace, pytest.raises(CONNECTION_ERRORS) as caught:
                connect(server).starttls()
            seconds = time.monotonic() - begin
        failure = trace.failure(caught.value)
        assert (failure.phase, failure.kind) == (Phase.TLS, Kind.TIMEOUT)
        assert seconds < 2.4

    def test_a_family_of_addresses_that_is_switched_off_does_not_hide_the_other(self, server):
        unknown = (12345, socket.SOCK_STREAM, 0, "", (server.host, server.port))
        known = (socket.AF_INET, socket.SOCK_STREAM, 0, "", (server.host, server.port))
        found = patch.object(socket, "getaddrinfo", lambda *_args: [unknown, known])
        with found, watching(IMPATIENT):
            assert connect(server, "mail.company.test").noop()[0] == 250

    def test_after_the_dot_it_waits_as_long_as_it_was_told(self, server):
        server.fail("dot", action="drip")
        begin = time.monotonic()
        [failure] = send(server).failures.values()
        assert (failure.phase, failure.kind) == (Phase.DOT, Kind.TIMEOUT)
        assert time.monotonic() - begin < 2

    def test_elsewhere_smtplib_is_as_it_was(self, server):
        assert type(connect(server)) is smtplib.SMTP


class TestOutcome:
    DENIED = "554 5.7.1 Relay access denied"

    def test_each_recipient_has_a_fate_of_their_own(self, server):
        server.fail("rcpt", reply="550 5.1.1 No such user", nth=2)
        outcome = send(server, "a@x.test", "b@x.test", "c@x.test")
        assert outcome.accepted == ("a@x.test", "c@x.test")
        assert [failure.code for failure in outcome.failures.values()] == [550]

    @pytest.mark.parametrize("phase", ["mail", "rcpt", "dot", "rset"])
    def test_any_2xx_is_a_yes(self, server, phase):
        server.fail(phase, reply="251 2.0.0 As you like")
        assert send(server).accepted == ("ben@company.test",)
        assert len(server.accepted) == 1

    @pytest.mark.parametrize("at_reset", [None, "drop", "hang"])
    def test_what_is_said_to_all_is_said_of_the_mailbox(self, server, at_reset):
        server.fail("rcpt", reply=self.DENIED)
        if at_reset:
            server.fail("rset", action=at_reset)
        outcome = send(server, "a@x.test", "b@x.test")
        decisions = classify_recipients(outcome.failures).values()
        assert {decision.rule for decision in decisions} == {"relay_denied"}

    def test_nobody_has_it_when_the_line_closes_at_a_later_recipient(self, server):
        server.fail("rcpt", reply="421 4.3.2 Shutting down", nth=2)
        outcome = send(server, "a@x.test", "b@x.test")
        assert not outcome.accepted
        assert {failure.code for failure in outcome.failures.values()} == {421}
        assert not server.accepted


class TestUnwritable:
    """What smtplib refuses to send is the message's own fault, whatever was said before it."""

    ADDRESS = "zoë@bücher.test"

    @staticmethod
    def message(policy=email.policy.SMTP, **headers):
        message = EmailMessage(policy)
        message["Message-Id"] = "<1@company.test>"
        for name, value in headers.items():
            message[name] = value
        return message

    def two_blocks(self):
        message = self.message()
        for _ in range(2):
            message["Resent-Date"] = "Mon, 23 Nov 2026 10:00:00 +0000"
        return message

    def decisions(self, server, message, reader):
        """The decision on it as the first message of a connection, and as its second."""

        def log_in():
            connection = connect(server)
            connection.ehlo()
            return connection

        route = Route("own", log_in, patience=IMPATIENT)
        readers = [reader]
        first = route.send(message, "ana@company.test", readers, "")
        assert route.send(self.message(), "ana@company.test", ["ben@company.test"], "").accepted
        second = route.send(message, "ana@company.test", readers, "")
        route.close()
        assert len(server.connections) == 1
        return {carried.troubles[reader].decision for carried in (first, second)}

    def test_an_address_that_the_server_cannot_take(self, server):
        server.smtputf8 = False
        [decision] = self.decisions(server, self.message(), self.ADDRESS)
        assert (decision.rule, decision.effect) == ("no_smtputf8", Effect.NONE)

    def test_a_header_that_would_be_two(self, server):
        injected = self.message(email.policy.compat32, Subject="Hello\nBcc: eve@elsewhere.test")
        [decision] = self.decisions(server, injected, "ben@company.test")
        assert (decision.rule, decision.effect) == ("unwritable", Effect.NONE)

    def test_headers_that_contradict_each_other(self, server):
        [decision] = self.decisions(server, self.two_blocks(), "ben@company.test")
        assert (decision.rule, decision.effect) == ("unwritable", Effect.NONE)


class TestLies:
    """A server that does not keep to SMTP."""

    HOST = "127.0.0.1"
    USER, PASSWORD = "ana", "her \\ own"

    def log_in(self, liar, send="MAIL", patience=IMPATIENT):
        """What failed, and how long it took."""
        begin = time.monotonic()
        with watching(patience) as trace, pytest.raises(CONNECTION_ERRORS) as caught:
            connection = connect(liar, self.HOST)
            connection.trace.secrets += (self.PASSWORD,)
            connection.login(self.USER, self.PASSWORD)
        assert trace.connection.sock is None or not trace.connection.close()
        return trace.failure(caught.value), time.monotonic() - begin

    @pytest.mark.parametrize("phase", ["banner", "ehlo", "auth"])
    @pytest.mark.parametrize("what", ["flood", "endless"])
    def test_a_reply_without_an_end_fills_no_memory(self, phase, what):
        patient = Patience(log_in=20)
        tracemalloc.start()
        with Liar({phase: [what]}) as liar:
            failure, seconds = self.log_in(liar, patience=patient)
        _size, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert failure.kind in (Kind.GARBAGE, Kind.DROP)
        assert seconds < patient.log_in
        assert peak < 40_000_000  # the liar's own flood included

    @pytest.mark.parametrize("answer", [["echo"], [b"334 R28gb24=\r\n", "echo"]])
    def test_a_server_that_quotes_the_log_in_tells_no_secret(self, answer):
        with Liar({"auth": answer}) as liar:
            failure, _seconds = self.log_in(liar)
            sent = b" ".join(liar.heard[1:]).decode().split()
        secrets = [self.PASSWORD, *(word for word in sent if len(word) > 5)]
        assert len(secrets) > 1
        assert not [secret for secret in secrets if secret in failure.text], failure.text

    def test_a_challenge_that_is_none_is_no_fault_of_the_user_name_or_password(self):
        with Liar({"auth": [b"334 !a\r\n"]}) as liar:
            failure, _seconds = self.log_in(liar)
        assert (failure.phase, failure.kind) == (Phase.AUTH, Kind.GARBAGE)
        assert classify(failure).rule == "login_unavailable"

    def test_a_good_bye_takes_its_own_time_also_in_the_middle_of_a_log_in(self):
        patient = Patience(log_in=0.4, command=5, quit=0.2)

        def log_in():
            connect(liar, self.HOST).login(self.USER, self.PASSWORD)

        with Liar({"auth": [b"334 R28gb24=\r\n"], "quit": [1.5]}) as liar:
            begin = time.monotonic()
            assert probe(log_in, patient).phase is Phase.AUTH
            assert time.monotonic() - begin < 1
            assert liar.heard[-1] == b"quit\r\n"

    def test_a_message_is_not_accepted_by_a_reply_that_came_before_it(self):
        answers = b"354 Go on\r\n250 2.0.0 Queued\r\n"
        with Liar({"data": [answers], "dot": [b"554 5.0.0 No\r\n"]}) as liar:
            [failure] = send(liar, host=self.HOST).failures.values()
        assert (failure.phase, failure.kind) == (Phase.DATA, Kind.GARBAGE)
        assert classify(failure).verdict is Verdict.FALLBACK
        assert not liar.dots
