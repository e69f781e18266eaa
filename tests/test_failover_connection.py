"""How long a mailbox may take, and what is known of a message when it fails."""

import base64
import contextlib
import dataclasses
import email.policy
import operator
import smtplib
import socket
import ssl
import threading
import time
import tracemalloc
from email.message import EmailMessage
from unittest.mock import patch

import pytest

from ..failover.breaker import is_failure_of_server
from ..failover.budget import Budget
from ..failover.connection import (
    CONNECTION_ERRORS,
    MailboxError,
    Patience,
    Trace,
    current_trace,
    is_yes,
    watching,
)
from ..failover.envelope import trust_again
from ..failover.failure import Effect, Failure, Kind, Phase, Verdict
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
        patience = Patience(log_in=1)
        with SmtpLab() as lab:
            server = lab.server(encryption="starttls")
            server.fail("tls", action="hang")
            server.latency = 0.3  # of the greeting, EHLO and STARTTLS
            begin = time.monotonic()
            with watching(patience) as trace, pytest.raises(CONNECTION_ERRORS) as caught:
                connect(server).starttls()
            seconds = time.monotonic() - begin
        failure = trace.failure(caught.value)
        assert (failure.phase, failure.kind) == (Phase.TLS, Kind.TIMEOUT)
        assert seconds < 1.2

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
    @pytest.mark.parametrize("code", [200, 299])
    def test_any_2xx_is_a_yes(self, server, phase, code):
        server.fail(phase, reply=f"{code} 2.0.0 As you like")
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
        found = {(failure.code, failure.text) for failure in outcome.failures.values()}
        assert (found, outcome.reply) == ({(421, "Shutting down")}, "")
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


PATIENT = Patience(log_in=5, command=5, body=5, dot=5, quit=5)
PASSWORD = "correct horse"
TLS = ssl._create_unverified_context()
START_TLS = operator.methodcaller("starttls")


@pytest.fixture(name="lab")
def _lab():
    trust_again()
    with SmtpLab() as lab:
        yield lab


@contextlib.contextmanager
def logged_in(server, patience=PATIENT, log_in=None):
    """A connection, after ``log_in``, which is called with it."""
    with watching(patience) as trace:
        connection = connect(server)
        (log_in or smtplib.SMTP.ehlo)(connection)
        trace.settled = True
    with contextlib.closing(connection):
        yield connection


def log_in_failure(server, log_in):
    """What failed in it."""
    with watching(PATIENT, [PASSWORD]) as trace:
        connection = connect(server)
        with contextlib.closing(connection), pytest.raises(CONNECTION_ERRORS) as caught:
            log_in(connection)
    return trace.failure(caught.value)


def by_token(connection, token="a-token", user="ana"):
    connection.ehlo()
    credentials = f"user={user}\1auth=Bearer {token}\1\1"
    connection.auth("XOAUTH2", lambda challenge=None: "" if challenge else credentials)


def by_password(connection):
    connection.login("ana", PASSWORD)


class TestLogIn:
    def test_a_password_that_is_refused_is_said_once(self, lab):
        server = lab.server(logins={"ana": "another"})
        failure = log_in_failure(server, by_password)
        assert (failure.phase, failure.code, failure.enhanced) == (Phase.AUTH, 535, "5.7.8")
        assert [attempt.mechanism for attempt in server.attempts] == ["PLAIN"]

    def test_where_the_server_does_not_know_how_the_next_way_is_taken(self, lab):
        server = lab.server(logins={"ana": PASSWORD})
        server.fail("auth", reply="504 5.5.4 Unrecognized authentication type", times=1)
        with logged_in(server, log_in=by_password):
            assert [attempt.mechanism for attempt in server.attempts] == ["PLAIN", "LOGIN"]

    @pytest.mark.parametrize("code", [400, 454, 500, 504, 505])
    def test_where_no_way_is_left_the_servers_words_are_told(self, lab, code):
        server = lab.server(logins={"ana": PASSWORD})
        server.fail("auth", reply=f"{code} So sorry")
        failure = log_in_failure(server, by_password)
        assert (failure.phase, failure.code, failure.text) == (Phase.AUTH, code, "So sorry")
        ways = ["PLAIN", "LOGIN"] if 500 <= code <= 504 else ["PLAIN"]
        assert [attempt.mechanism for attempt in server.attempts] == ways

    def test_why_a_token_is_refused_is_told_with_the_servers_last_word(self, lab):
        server = lab.server(tokens={"ana": "another"})
        failure = log_in_failure(server, by_token)
        assert (failure.code, failure.enhanced) == (535, "5.7.8")
        told = "status=400 schemes=Bearer scope=https://mail.google.com/"
        assert failure.text == f"Username and Password not accepted {told}"

    def test_a_token_that_is_taken(self, lab):
        server = lab.server(tokens={"ana": "a-token"})
        with logged_in(server, log_in=by_token) as connection:
            assert connection.sendmail("ana@company.test", ["ben@company.test"], MESSAGE).accepted

    def test_a_password_that_reads_like_a_command_is_none(self, lab):
        password = base64.b64decode("MAIL").decode()
        server = lab.server(logins={"ana": password})
        server.fail("auth", reply="504 5.5.4 Unrecognized authentication type", times=1)
        server.fail("auth", reply="535 5.7.8 No LOGIN for you")
        log_in = operator.methodcaller("login", "ana", password, initial_response_ok=False)
        failure = log_in_failure(server, log_in)
        assert (failure.phase, failure.code) == (Phase.AUTH, 535)
        assert failure.text == "No LOGIN for you"
        assert [attempt.mechanism for attempt in server.attempts] == ["PLAIN", "LOGIN"]

    def test_a_refused_token_is_answered_with_an_empty_line(self):
        with Liar({"auth": [b"334 e30=\r\n"]}) as liar:
            log_in_failure(liar, by_token)
        assert liar.heard[2] == b"\r\n"

    def test_whether_the_password_comes_with_the_command_is_the_callers_choice(self):
        with Liar({"auth": [b"334 \r\n"]}) as liar:
            ask = operator.methodcaller("login", "ana", PASSWORD, initial_response_ok=False)
            log_in_failure(liar, ask)
        assert liar.heard[1] == b"AUTH PLAIN\r\n"

    @pytest.mark.parametrize(
        ("ask", "phase"),
        [(START_TLS, Phase.TLS), (by_password, Phase.AUTH)],
    )
    def test_what_the_server_does_not_offer(self, lab, ask, phase):
        failure = log_in_failure(lab.server(), ask)
        assert (failure.phase, failure.kind) == (phase, Kind.NOT_OFFERED)

    @pytest.mark.parametrize("ask", [START_TLS, by_password])
    def test_a_server_that_refuses_its_greeting_is_not_asked_for_more(self, lab, ask):
        server = lab.server(logins={"ana": PASSWORD}, encryption="starttls")
        server.fail("ehlo", reply="554 5.7.1 Go away")
        failure = log_in_failure(server, ask)
        assert (failure.phase, failure.code) == (Phase.EHLO, 554)

    def test_the_conversation_is_shown_but_for_the_log_in(self, lab):
        shown = []

        def log_in(connection):
            connection.set_debuglevel(1)
            by_password(connection)

        server = lab.server(logins={"ana": PASSWORD})
        show = patch.object(smtplib.SMTP, "_print_debug", lambda _smtp, *said: shown.append(said))
        with show, logged_in(server, log_in=log_in) as connection:
            assert connection.sendmail("ana@company.test", ["ben@company.test"], MESSAGE).accepted
        assert ("send:", "'ehlo here.test\\r\\n'") in shown
        envelope = b"mail FROM:<ana@company.test>\r\nrcpt TO:<ben@company.test>\r\ndata\r\n"
        assert ("send:", repr(envelope)) in shown
        assert not [words for words in shown if "send:" in words and "AUTH" in words[1]]
        assert "235" not in str(shown)

    def test_a_server_that_waits_for_tls_is_told_as_one(self, lab):
        server = lab.server(encryption="ssl")
        with watching(Patience(silence=0.01)) as trace, pytest.raises(MailboxError) as caught:
            connect(server)
        failure = trace.failure(caught.value)
        assert (failure.phase, failure.kind) == (Phase.BANNER, Kind.HANDSHAKE)
        assert failure.text == "the server waits for TLS to begin"

    @pytest.mark.parametrize("encryption", [None, "ssl", "starttls"])
    def test_the_certificate_is_kept(self, lab, encryption):
        server = lab.server(encryption=encryption)
        with watching(PATIENT) as trace:
            if encryption == "ssl":
                connection = smtplib.SMTP_SSL(server.host, server.port, "here.test", context=TLS)
            else:
                connection = connect(server)
            if encryption == "starttls":
                connection.starttls(context=TLS)
            connection.ehlo()
        with contextlib.closing(connection):
            assert trace.certificate[:1] == (b"\x30" if encryption else b""), "DER"
            assert (trace.host, trace.peer[4]) == (server.host, (server.host, server.port))
            assert trace.connection is connection

    def test_an_answer_that_the_server_quotes_is_no_part_of_the_reason(self):
        class Parrot(Liar):
            def _say(self, sock, phase, heard=b""):
                if phase == "auth":
                    asked = heard.startswith(b"AUTH")
                    sock.sendall(b"334 \r\n" if asked else b"535 5.7.8 Not %b" % heard)
                else:
                    super()._say(sock, phase, heard)

        with Parrot({}) as liar:
            ask = operator.methodcaller("login", "ana", "its own", initial_response_ok=False)
            failure = log_in_failure(liar, ask)
        assert (failure.code, failure.text) == (535, "Not ***")

    def test_what_is_said_after_it_is_not_said_of_the_password(self, lab):
        server = lab.server(logins={"ana": PASSWORD})
        server.fail("noop", reply="550 5.3.2 No more noop here")

        def log_in():
            connection = connect(server)
            connection.login("ana", PASSWORD)
            return connection

        failure = probe(log_in, PATIENT)
        assert (failure.phase, failure.code) == (Phase.MAIL, 550)
        assert failure.text == "No more noop here"
        assert not is_failure_of_server(failure), "others log in there"

    def test_a_command_that_is_none_of_ours_changes_nothing(self, lab):
        with logged_in(lab.server()) as connection:
            assert connection.docmd("vrfy", "ben")[0] == 252
            assert connection.trace.phase is Phase.EHLO


class TestOneMessage:
    READER = "ben@company.test"

    def send(self, connection, content=MESSAGE, readers=(READER,)):
        return connection.sendmail("ana@company.test", list(readers), content)

    @pytest.mark.parametrize(
        ("content", "arrives"),
        [
            (MESSAGE, MESSAGE),
            (MESSAGE[:-2], MESSAGE),
            (b".a\r\n.\r\n..b\r\n c.", b".a\r\n.\r\n..b\r\n c.\r\n"),
        ],
    )
    def test_it_arrives_as_it_is(self, lab, content, arrives):
        server = lab.server()
        with logged_in(server) as connection:
            outcome = self.send(connection, content)
            assert (outcome.accepted, outcome.failures) == ((self.READER,), {})
            assert (outcome.reply, outcome.is_late) == ("2.0.0 OK, queued", False)
            assert connection.trace.mail is None
        assert server.accepted[0].content == arrives

    def test_a_connection_that_was_closed_is_lost(self, lab):
        with logged_in(lab.server()) as connection:
            connection.close()
            [failure] = self.send(connection).failures.values()
        assert (failure.phase, failure.kind) == (Phase.MAIL, Kind.DROP)
        assert failure.text == "the connection was closed"

    def test_a_server_that_is_leaving_is_told_nothing_more(self):
        with Liar({"mail": [b"421 4.3.2 Closing\r\n"]}) as liar, logged_in(liar) as connection:
            [failure] = self.send(connection).failures.values()
            assert connection.lost
        assert (failure.code, len(liar.heard)) == (421, 2)

    def test_options_go_with_the_commands_and_whatever_it_says_is_readable(self):
        with Liar({"dot": [b"250 Danke sch\xf6n\r\n"]}) as liar, logged_in(liar) as connection:
            readers, options = [self.READER], (["BODY=8BITMIME"], ["NOTIFY=NEVER"])
            outcome = connection.sendmail("ana@company.test", readers, MESSAGE, *options)
        assert outcome.reply == "Danke sch\ufffdn"
        mail, rcpt = (line.split()[2:] for line in liar.heard[1:3])
        assert (mail[0], rcpt) == (b"BODY=8BITMIME", [b"NOTIFY=NEVER"])

    def test_whoever_wants_it_sees_what_was_accepted(self, lab):
        server, seen = lab.server(), []
        with logged_in(server) as connection:
            connection.on_accepted = lambda *sent: seen.append(sent)
            self.send(connection)
            server.fail("rcpt", reply="550 5.1.1 User unknown")
            self.send(connection)
        assert seen == [("ana@company.test", MESSAGE)]

    @pytest.mark.parametrize(("limit", "told"), [(1000, f" size={len(MESSAGE)}"), (0, "")])
    def test_its_size_is_told_where_the_server_wants_to_know(self, lab, limit, told):
        server = lab.server(size_limit=limit)
        with logged_in(server) as connection:
            self.send(connection)
        assert server.commands[0][1] == f"MAIL FROM:<ana@company.test>{told}"

    def test_what_was_accepted_before_is_known_of_a_failure(self, lab):
        server = lab.server()
        server.fail("mail", reply="421 4.4.2 Too many", after=2)
        with logged_in(server) as connection:
            connection.trace.application = True
            assert self.send(connection).accepted
            assert self.send(connection).accepted
            [failure] = self.send(connection).failures.values()
        assert (failure.code, failure.accepted_before, failure.application) == (421, 2, True)

    WORDS = "554 5.7.1 Relay access denied"

    @pytest.mark.parametrize(
        ("phase", "content", "rule"),
        [
            ("mail", b"Subject: Denied: access, relay\r\n\r\n", "unproven"),
            ("mail", b"Subject: Hello\r\n\r\nRelay access denied\r\n", "relay_denied"),
            ("rcpt", b"Subject: Denied: access, relay\r\n\r\n", "unproven"),
            ("dot", b"Subject: Hello\r\n\r\nI see\r\n", "relay_denied"),
            ("data", b"Subject: Hello\r\n\r\nRelay access denied\r\n", "refused"),
            ("dot", b"Subject: Hello\r\n\r\nRelay access denied\r\n", "refused"),
        ],
    )
    def test_words_of_the_mail_are_not_taken_for_the_servers(self, lab, phase, content, rule):
        server = lab.server()
        server.fail(phase, reply=self.WORDS)
        with logged_in(server) as connection:
            outcome = self.send(connection, content)
        [decision] = classify_recipients(outcome.failures).values()
        assert decision.rule == rule

    def test_the_last_of_many_addresses_is_not_taken_for_the_servers_words_either(self, lab):
        server, last = lab.server(), "relay.access.denied@company.test"
        server.fail("rcpt", reply=self.WORDS, recipient=last)
        readers = [*(f"reader{number}@company.test" for number in range(60)), last]
        with logged_in(server) as connection:
            outcome = self.send(connection, readers=readers)
        assert len(outcome.accepted) == 60
        assert classify(outcome.failures[last]).rule == "unproven"

    @pytest.mark.parametrize(
        ("phase", "found"),
        [("mail", Phase.MAIL), ("dot", Phase.DOT)],
    )
    @pytest.mark.parametrize("action", ["hang", "drip"])
    def test_each_step_has_its_own_time(self, lab, phase, found, action):
        own = {"mail": "command", "dot": "dot"}[phase]
        server = lab.server()
        server.fail(phase, action=action)
        with logged_in(server, dataclasses.replace(PATIENT, **{own: 0.1})) as connection:
            begin = time.monotonic()
            [failure] = self.send(connection).failures.values()
            assert time.monotonic() - begin < 2
            assert connection.lost
        assert (failure.phase, failure.kind) == (found, Kind.TIMEOUT)

    def test_a_server_that_stops_reading_is_given_up(self, lab):
        server = lab.server()
        server.fail("body", action="hang")
        with logged_in(server, dataclasses.replace(PATIENT, body=0.2)) as connection:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            begin = time.monotonic()
            [failure] = self.send(connection, b"x" * 8_000_000).failures.values()
            assert time.monotonic() - begin < 2
        assert (failure.phase, failure.kind) == (Phase.BODY, Kind.TIMEOUT)
        assert classify(failure).verdict is Verdict.FALLBACK

    def test_a_message_may_take_longer_than_a_command(self, lab):
        server = lab.server()
        server.fail("dot", reply="250 2.0.0 At last", delay=0.2)
        with logged_in(server, dataclasses.replace(PATIENT, command=0.1)) as connection:
            assert self.send(connection).reply == "2.0.0 At last"


@pytest.mark.parametrize(
    ("code", "expected"), [(199, False), (200, True), (250, True), (299, True), (300, False)]
)
def test_what_is_a_yes(code, expected):
    assert is_yes(code) is expected


def test_what_a_mailbox_error_says():
    assert str(MailboxError(Failure(Phase.AUTH, 535, text="No"))) == "No"


class TestTime:
    def test_when_none_is_left_it_is_over(self):
        with patch.object(time, "monotonic", lambda: 9.0):
            trace = Trace(Patience(log_in=0))
            with pytest.raises(TimeoutError, match=r"^timed out$"):
                trace.remaining()

    def test_a_person_waits_for_everything_but_the_reply_to_the_dot(self):
        trace = Trace(Patience(log_in=9, budget=Budget(1)))
        assert trace.remaining() == 1
        trace.phase = Phase.DOT
        assert 8 < trace.remaining() <= 9

    def test_nobody_watches_outside_of_it(self):
        assert current_trace() is None
        with watching(PATIENT, ["secret"]) as trace:
            assert current_trace() is trace
            assert trace.secrets == ("secret",)
        assert current_trace() is None


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
        assert (failure.text, classify(failure).rule) == ("!a", "login_unavailable")

    def test_a_good_bye_takes_its_own_time_also_in_the_middle_of_a_log_in(self):
        patient = Patience(log_in=0.2, command=5, quit=0.1)

        def log_in():
            connect(liar, self.HOST).login(self.USER, self.PASSWORD)

        with Liar({"auth": [b"334 R28gb24=\r\n"], "quit": [0.8]}) as liar:
            begin = time.monotonic()
            assert probe(log_in, patient).phase is Phase.AUTH
            assert time.monotonic() - begin < 0.7
            assert liar.heard[-1] == b"quit\r\n"

    def test_a_message_is_not_accepted_by_a_reply_that_came_before_it(self):
        answers = b"354 Go on\r\n250 2.0.0 Queued\r\n"
        with Liar({"data": [answers], "dot": [b"554 5.0.0 No\r\n"]}) as liar:
            [failure] = send(liar, host=self.HOST).failures.values()
        assert (failure.phase, failure.kind) == (Phase.DATA, Kind.GARBAGE)
        assert failure.text == "250 2.0.0 Queued"
        assert classify(failure).verdict is Verdict.FALLBACK
        assert not liar.dots
