"""Commands in one go (RFC 2920), at servers that bear it and at servers that don't."""

import contextlib
import smtplib
import ssl
import time
from email.message import EmailMessage

import pytest

from ..failover import envelope
from ..failover.connection import Patience, leave, watching
from ..failover.failure import Kind, Phase
from ..failover.session import Route
from .smtp_lab import Liar, SmtpLab

ANA, BEN, CLEO = "ana@company.test", "ben@company.test", "cleo@company.test"
BEN_AND_CLEO = [BEN, CLEO]
CONTENT = b"Subject: Hello\r\n\r\nSee this\r\n"
IMPATIENT = Patience(log_in=5, command=0.4, body=0.4, dot=0.4, quit=2)


@pytest.fixture(name="lab", scope="module")
def _lab():
    with SmtpLab() as lab:
        yield lab


@pytest.fixture(name="server")
def _server(lab):
    server = lab.server()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _trust():
    envelope.trust_again()


@contextlib.contextmanager
def connected(server, patience=IMPATIENT, context=None):
    """A connection to the server, which is closed at the end."""
    with watching(patience) as trace:
        connection = smtplib.SMTP("127.0.0.1", server.port, "here.test", timeout=60)
        if context:
            connection._host = "localhost"
            connection.starttls(context=context)
        connection.ehlo_or_helo_if_needed()
    trace.settled = True
    try:
        yield connection
    finally:
        connection.close()


def send(connection, readers=(BEN,)):
    return connection.sendmail(ANA, list(readers), CONTENT)


class Wire:
    """What a connection wrote, piece by piece; stands in the place of its socket."""

    def __init__(self, connection):
        self._sock, self.written = connection.sock, []
        connection.sock = self

    def __getattr__(self, name):
        return getattr(self._sock, name)

    def sendall(self, data):
        self.written.append(data)
        self._sock.sendall(data)


class TestInOneGo:
    def test_sender_recipients_and_data_leave_together(self, server):
        with connected(server) as connection:
            wire = Wire(connection)
            assert send(connection, BEN_AND_CLEO).accepted == (BEN, CLEO)
        assert wire.written[0].split(b"\r\n") == [
            b"mail FROM:<ana@company.test>",
            b"rcpt TO:<ben@company.test>",
            b"rcpt TO:<cleo@company.test>",
            b"data",
            b"",
        ]
        assert [sent.rcpt_to for sent in server.accepted] == [(BEN, CLEO)]

    def test_where_it_is_not_offered_they_leave_one_by_one(self, server):
        server.pipelining = False
        with connected(server) as connection:
            wire = Wire(connection)
            assert send(connection, BEN_AND_CLEO).accepted == (BEN, CLEO)
        assert [len(written.splitlines()) for written in wire.written[:4]] == [1, 1, 1, 1]

    def test_at_most_a_hundred_recipients_are_unanswered(self, server):
        readers = [f"reader{number}@company.test" for number in range(250)]
        with connected(server) as connection:
            wire = Wire(connection)
            assert send(connection, readers).accepted == tuple(readers)
        groups = [written.count(b"rcpt TO:") for written in wire.written[:3]]
        assert groups == [100, 100, 50]
        assert wire.written[2].endswith(b"\r\ndata\r\n")

    def test_options_follow_their_command(self, server):
        with connected(server) as connection:
            wire = Wire(connection)
            connection.sendmail(ANA, BEN_AND_CLEO, CONTENT, ["body=8bitmime"], ["notify=never"])
        assert wire.written[0].split(b"\r\n")[:3] == [
            b"mail FROM:<ana@company.test> body=8bitmime",
            b"rcpt TO:<ben@company.test> notify=never",
            b"rcpt TO:<cleo@company.test> notify=never",
        ]

    def test_many_messages_go_by_one_connection(self, server):
        with connected(server) as connection:
            for _ in range(3):
                assert send(connection).accepted
            server.fail("rcpt", "550 5.1.1 No such user", times=1)
            assert not send(connection).accepted
            assert send(connection).accepted
        assert len(server.connections) == 1
        assert len(server.accepted) == 4

    def test_an_address_beyond_ascii(self, server):
        message = EmailMessage()
        message["Subject"] = "Hello"
        with connected(server) as connection:
            assert connection.send_message(message, ANA, ["zoë@bücher.test"]).accepted
        assert server.accepted[0].rcpt_to == ("zoë@bücher.test",)

    def test_nothing_is_sent_of_commands_of_which_one_cannot_be_written(self, server):
        with connected(server) as connection:
            outcome = send(connection, [BEN, "zoë@company.test"])
        assert {failure.kind for failure in outcome.failures.values()} == {Kind.INVALID}
        server.wait(lambda _: not server.connections[0].open)
        assert server.commands[0] == ["EHLO here.test"]

    @pytest.mark.parametrize("end", ["\r", "\n"])
    def test_nor_of_a_command_that_would_be_two(self, server, end):
        with connected(server) as connection:
            outcome = connection.sendmail(ANA, [BEN], CONTENT, [f"size=9{end}rset"])
        assert outcome.failures[BEN].kind is Kind.INVALID
        server.wait(lambda _: not server.connections[0].open)
        assert server.commands[0] == ["EHLO here.test"]

    def test_a_server_near_by_that_sends_small_replies_one_by_one_is_not_slow(self, lab):
        server = lab.server(nagle=True)
        with connected(server, Patience()) as connection:
            begin = time.monotonic()
            for _ in range(20):
                assert send(connection, BEN_AND_CLEO).accepted
        assert time.monotonic() - begin < 20 * 0.03, "40 ms a message: a delayed ACK"


class TestEachReplyInItsPlace:
    def test_a_refused_sender_wins_over_what_comes_after(self, server):
        for action in ({"reply": "421 4.3.2 Closing"}, {"action": "drop"}, {"action": "reset"}):
            server.heal()
            server.fail("mail", "550 5.7.60 Not this sender")
            server.fail("data", **action)
            with connected(server) as connection:
                [failure] = send(connection).failures.values()
                assert (failure.phase, failure.code) == (Phase.MAIL, 550)
                assert connection.lost

    def test_on_a_line_that_is_lost_it_is_the_first(self, server):
        with connected(server) as connection:
            connection.close()
            [failure] = send(connection).failures.values()
        assert (failure.phase, failure.kind) == (Phase.MAIL, Kind.DROP)

    def test_a_refused_sender_leaves_the_connection_fit(self, server):
        server.fail("mail", "550 5.7.60 Not this sender", times=1)
        with connected(server) as connection:
            assert not send(connection).accepted
            assert send(connection).accepted
        assert len(server.connections) == 1

    def test_refused_recipients_win_over_a_drop_at_data(self, server):
        server.fail("rcpt", "554 5.7.1 Relay access denied")
        server.fail("data", action="drop")
        with connected(server) as connection:
            outcome = send(connection, BEN_AND_CLEO)
            assert connection.lost
        found = {(f.phase, f.code, f.all_recipients) for f in outcome.failures.values()}
        assert found == {(Phase.RCPT, 554, True)}
        assert not outcome.try_again

    def test_the_phase_is_that_of_the_reply_that_is_missing(self, server):
        for phase in ("mail", "rcpt", "data"):
            for action in ("hang", "drip", "drop"):
                server.heal()
                envelope.trust_again()
                server.fail(phase, action=action)
                with connected(server) as connection:
                    [failure] = send(connection).failures.values()
                kind = Kind.DROP if action == "drop" else Kind.TIMEOUT
                assert (failure.phase.value, failure.kind) == (phase, kind)
        assert not server.accepted

    @pytest.mark.parametrize("encryption", [None, "starttls"])
    def test_why_the_server_left_is_read_although_nothing_could_be_written(self, lab, encryption):
        server = lab.server(encryption=encryption)
        context = ssl.create_default_context(cafile=lab.cafile) if encryption else None
        with connected(server, context=context) as connection:
            assert send(connection).accepted
            lab.run(say_and_leave(server, b"421 4.4.2 Idle for too long\r\n"))
            with contextlib.suppress(OSError):
                for _ in range(9):
                    connection.sock.sendall(b"noop\r\n")
                    time.sleep(0.05)
            with pytest.raises(OSError):
                connection.sock.sendall(b"noop\r\n")
            [failure] = send(connection).failures.values()
        assert (failure.phase, failure.code) == (Phase.MAIL, 421)


async def say_and_leave(server, words):
    """Within the lab: close the only open connection with a reply that nobody asked for."""
    [smtp] = server._live
    smtp._writer.write(words)
    smtp.transport.close()


class TestAnUnwantedGoAhead:
    """The server wants the content although nobody is to get it."""

    SAYS = {"rcpt": [b"550 5.1.1 No such user\r\n"]}

    def send_to(self, says):
        with Liar(says, pipelining=True) as liar, connected(liar, Patience(quit=1)) as connection:
            begin = time.monotonic()
            outcome = send(connection)
            return liar, outcome, connection.lost, time.monotonic() - begin

    @pytest.mark.parametrize("code", [550, 400])
    def test_it_is_answered_with_an_empty_message_where_every_recipient_was_refused(self, code):
        says = {"rcpt": [b"%d No\r\n" % code]}
        liar, outcome, lost, _seconds = self.send_to(says)
        assert outcome.failures[BEN].code == code
        assert outcome.failures[BEN].all_recipients
        assert [line for line in liar.heard[-2:] if line != b"quit\r\n"][-1] == b"rset\r\n"
        assert not lost
        assert not liar.dots

    def test_after_a_refused_sender_and_recipient_likewise(self):
        says = self.SAYS | {"mail": [b"550 5.7.60 Not this sender\r\n"]}
        _liar, outcome, lost, _seconds = self.send_to(says)
        assert outcome.failures[BEN].phase is Phase.MAIL
        assert not lost

    @pytest.mark.parametrize(("code", "lost"), [(250, False), (554, False), (421, True)])
    def test_any_answer_to_the_empty_message_will_do_but_a_farewell(self, code, lost):
        says = self.SAYS | {"data": [b"300 Go on\r\n"], "dot": [b"%d 4.3.2 Well\r\n" % code]}
        _liar, outcome, found, _seconds = self.send_to(says)
        assert outcome.failures[BEN].code == 550
        assert found is lost

    def test_nobody_waits_long_for_the_answer(self, monkeypatch):
        monkeypatch.setattr(envelope, "LEFTOVER", 0.5)
        _liar, outcome, lost, seconds = self.send_to(self.SAYS | {"dot": []})
        assert outcome.failures[BEN].code == 550
        assert lost
        assert seconds < 2

    @pytest.mark.parametrize(
        "says",
        [
            {"mail": [b"550 5.7.60 Not this sender\r\n"]},
            {"rcpt": [b"\t250 2.1.5 Ok\r\n"]},
            {"mail": [b"550 5.7.60 Not this sender\r\n" * 2]},
        ],
        ids=["accepted", "not SMTP", "more replies than commands"],
    )
    def test_the_line_is_dropped_where_a_recipient_may_have_been_accepted(self, says):
        liar, outcome, lost, _seconds = self.send_to(says)
        assert not outcome.accepted
        assert lost
        assert not liar.dots


class TestAServerThatBreaksItsOffer:
    MESSAGE = EmailMessage()

    def route(self, server):
        def connect():
            connection = smtplib.SMTP("127.0.0.1", server.port, "here.test", timeout=60)
            connection.ehlo()
            return connection

        return Route("own", connect, patience=IMPATIENT)

    def send(self, server):
        route = self.route(server)
        result = route.send(self.MESSAGE, ANA, [BEN], ANA)
        route.close()
        return result

    def test_one_that_closes_gets_the_commands_one_by_one_at_once(self, lab):
        server = lab.server(pipelining="closes")
        assert self.send(server).accepted == (BEN,)
        assert len(server.connections) == 2
        assert self.send(server).accepted == (BEN,)
        assert len(server.connections) == 3

    def test_one_that_answers_some_only_gets_them_one_by_one_from_the_next_message_on(self, lab):
        server = lab.server(pipelining="forgets")
        [trouble] = self.send(server).troubles.values()
        assert (trouble.failure.phase, trouble.failure.kind) == (Phase.RCPT, Kind.TIMEOUT)
        assert len(server.connections) == 1
        assert self.send(server).accepted == (BEN,)

    def test_one_that_closes_at_once_gets_them_one_by_one_from_the_next_message_on(self, server):
        server.fail("mail", action="drop", times=1)
        [trouble] = self.send(server).troubles.values()
        assert (trouble.failure.phase, trouble.failure.kind) == (Phase.MAIL, Kind.DROP)
        assert len(server.connections) == 1
        with connected(server) as connection:
            assert not envelope.may_pipeline(connection)

    def test_it_is_tried_again_in_an_hour(self, server, monkeypatch):
        server.fail("data", action="drop", times=1)
        assert self.send(server).accepted
        with connected(server) as connection:
            assert not envelope.may_pipeline(connection)
            later = time.monotonic() + envelope.DISTRUST + 1
            monkeypatch.setattr(envelope.time, "monotonic", lambda: later)
            assert envelope.may_pipeline(connection)

    def test_what_may_have_been_accepted_is_never_sent_twice(self, server):
        server.fail("dot", action="drop", accept=True)
        [trouble] = self.send(server).troubles.values()
        assert trouble.failure.phase is Phase.DOT
        assert len(server.accepted) == 1


class TestGoodBye:
    def test_nobody_waits_for_the_answer_after_a_message(self, server):
        fault = server.fail("quit", action="hang")
        with connected(server) as connection:
            assert send(connection).accepted
            begin = time.monotonic()
            leave(connection)
            assert time.monotonic() - begin < 1
        server.wait(lambda _: fault.struck)

    def test_without_a_message_it_is_waited_for(self, server):
        with connected(server) as connection:
            server.latency = 0.3
            begin = time.monotonic()
            leave(connection)
            assert time.monotonic() - begin >= server.latency
