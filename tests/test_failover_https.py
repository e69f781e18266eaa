"""Sending by HTTPS: what is known of a message when the provider's API fails, and who gets it."""

import contextlib
import csv
import dataclasses
import datetime
import json
import os
import random
import smtplib
import socket
import threading
import time
from email.message import EmailMessage
from pathlib import Path
from unittest.mock import patch

import pytest

from ..failover import https_api
from ..failover.breaker import Breaker, after_failure, allows
from ..failover.budget import Budget
from ..failover.connection import CONNECTION_ERRORS, Patience, current_trace, watching
from ..failover.failure import Effect, Kind, Phase, Verdict
from ..failover.https_api import Api, ApiConnection, OdooConnection
from ..failover.late_reply import LateReplies
from ..failover.probe import probe
from ..failover.recipients import addressed
from ..failover.rules import classify
from ..failover.session import Route, Session, Undelivered
from ..failover.ssrf_guard import OutOfReach, public_only
from .https_lab import Gmail, Graph
from .smtp_lab import SmtpLab

HELLO, ANA = "hello@company.test", "ana@company.test"
BEN, CLEO, DORA = "ben@company.test", "cleo@company.test", "dora@company.test"
TOKEN = "eyJ0-secret-token"
SHORT = Patience(log_in=1, command=0.5, body=0.5, dot=0.5, quit=0.5)
PATIENT = Patience(log_in=5, command=5, body=5, dot=5, quit=5)


@pytest.fixture(name="lab", scope="module")
def _lab():
    with SmtpLab() as lab, patch.dict(os.environ, SSL_CERT_FILE=lab.cafile):
        yield lab


@pytest.fixture(name="server", params=[Graph, Gmail])
def _server(request, lab):
    with request.param(lab.authority, tokens={TOKEN: (HELLO,)}) as server:
        yield server


@pytest.fixture(name="graph")
def _graph(lab):
    with Graph(lab.authority, tokens={TOKEN: (HELLO,)}) as server:
        yield server


def api_of(server, mailbox=HELLO, token=TOKEN):
    return Api(server.endpoint, type(server).__name__.lower(), mailbox, token)


def message(to=BEN, cc=None, sender=f"Hello <{HELLO}>", **headers):
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, to, "Grüße"
    made["Message-Id"], made["Return-Path"] = "<1@company.test>", "bounce@company.test"
    if cc:
        made["Cc"] = cc
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content("See this")
    return made


class Office:
    """One route, by HTTPS, and what it told."""

    def __init__(self, server, patience=PATIENT, token=TOKEN):
        self.told, self.failures, self.token, self.refreshed = [], [], token, 0
        self.server = server
        self.route = Route(
            "api",
            self._connect,
            patience=patience,
            refresh=self._refresh,
            on_failure=self._failed,
            on_success=lambda *_: self.told.append("works"),
        )

    def _connect(self):
        return ApiConnection(api_of(self.server, token=self.token), current_trace())

    def _refresh(self):
        self.refreshed += 1
        self.token = TOKEN

    def _failed(self, _mailbox, failure, decision):
        self.told.append(decision.rule)
        self.failures.append(failure)

    def send(self, *recipients, **headers):
        """What became of a message: the result of the route."""
        made = message(", ".join(recipients or [BEN]), **headers)
        return self.route.send(made, HELLO, recipients or [BEN], HELLO)


def trouble(office, *recipients):
    """The one failure, and the decision on it."""
    result = office.send(*recipients)
    assert not result.accepted
    [found] = dict.fromkeys(result.troubles.values())
    return found.failure, found.decision


class TestAccepted:
    def test_a_message_is_handed_in_as_it_is(self, server):
        office = Office(server)
        assert office.send().accepted == (BEN,)
        [delivery] = server.accepted
        assert delivery.rcpt_to == (BEN,)
        assert delivery.message["Subject"] == "Grüße"
        assert delivery.message.get_content() == "See this\r\n"
        assert "bounce@" not in delivery.content.decode()
        assert office.told == ["works"]

    def test_what_a_request_says_of_itself(self, server):
        Office(server).send()
        [request] = server.requests
        assert request.method == "POST"
        assert request.headers == {
            "host": f"127.0.0.1:{server.port}",
            "authorization": f"Bearer {TOKEN}",
            "content-type": "text/plain" if isinstance(server, Graph) else "message/rfc822",
            "content-length": str(len(request.body)),
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "Odoo-System-Mail",
        }

    @pytest.mark.parametrize(
        ("path", "target"), [("", "/"), ("?a=1", "/?a=1"), ("/of/{mailbox}", "/of/a%2Fb@x.test")]
    )
    def test_where_it_goes(self, graph, path, target):
        api = Api(f"https://127.0.0.1:{graph.port}{path}", "graph", "a/b@x.test", TOKEN)
        with watching(PATIENT) as trace, contextlib.closing(ApiConnection(api, trace)) as line:
            line.refusal()
        assert [request.target for request in graph.requests] == [target]

    def test_messages_share_a_connection(self, server):
        office = Office(server)
        for _ in range(3):
            office.send()
        assert (server.connections, len(server.accepted)) == (1, 3)

    def test_an_idle_connection_is_not_used_again(self, server):
        office = Office(server)
        office.send()
        with patch.object(https_api, "IDLE", 0.1):
            time.sleep(0.2)
            office.send()
        assert (server.connections, len(server.accepted)) == (2, 2)

    def test_a_connection_that_the_provider_closed_meanwhile_is_noticed(self, server):
        office = Office(server)
        office.send()
        server.stop()
        server.start()
        assert office.send().accepted == (BEN,)
        assert office.told == ["works", "works"]

    def test_a_yes_is_a_yes_although_the_rest_of_it_is_lost(self, server):
        for action in ("drop", "reset", "hang", "drip"):
            server.fail("rest", action=action, times=1)
        with patch.object(https_api, "REST", 0.2):
            assert all(Office(server).send().accepted == (BEN,) for _ in range(4))
        assert len(server.accepted) == 4

    def test_replies_find_their_thread_although_gmail_gives_an_id_of_its_own(self, server):
        Office(server).send(References="<0@company.test>")
        [delivery] = server.accepted
        own = delivery.message["Message-Id"]
        assert (own == "<1@company.test>") is isinstance(server, Graph)
        assert delivery.message["References"].split() == ["<0@company.test>", "<1@company.test>"]

    def test_a_drill_sees_what_was_sent(self, server):
        seen = []
        with watching(PATIENT) as trace:
            connection = ApiConnection(api_of(server), trace)
        connection.on_accepted = lambda *sent: seen.append(sent)
        connection.send_message(message(), "bounce@company.test", [BEN])
        connection.close()
        [(sender, content)] = seen
        assert sender == "bounce@company.test"
        assert b"See this" in content


class TestRecipients:
    def test_only_who_gets_it_is_named(self, server):
        to = f'"Ben Reader" <{BEN}>, Everybody <all@elsewhere.test>'
        made = message(to, cc=f"Cleo <{CLEO}>, {DORA}")
        with watching(PATIENT) as trace:
            connection = ApiConnection(api_of(server), trace)
        outcome = connection.send_message(made, HELLO, [BEN, CLEO])
        connection.close()
        assert sorted(outcome.accepted) == [BEN, CLEO]
        [delivery] = server.accepted
        assert delivery.rcpt_to == (BEN, CLEO)
        assert str(delivery.message["To"]) == f"Ben Reader <{BEN}>"
        assert str(delivery.message["Cc"]) == f"Cleo <{CLEO}>"
        assert str(made["To"]) == f"Ben Reader <{BEN}>, Everybody <all@elsewhere.test>"

    def test_nobody_sees_a_bcc(self, server):
        office = Office(server)
        made = message(BEN)
        result = office.route.send(made, HELLO, [BEN, CLEO, DORA], HELLO)
        assert sorted(result.accepted) == [BEN, CLEO, DORA]
        assert [d.rcpt_to for d in server.accepted] == [(BEN,), (CLEO,), (DORA,)]
        bodies = [d.content.decode() for d in server.accepted]
        assert [(CLEO in body, DORA in body) for body in bodies] == [
            (False, False),
            (True, False),
            (False, True),
        ]

    @pytest.mark.parametrize(
        "to",
        [
            '"Ben, or: <all@elsewhere.test>" <ben@company.test>',
            "Ben\udcff <ben@company.test>",
            "=?utf-8?q?all=40elsewhere=2Etest=2C?= <ben@company.test>",
            "Team: ben@company.test, all@elsewhere.test;",
            "BEN@Company.Test",
            "not an address",
            "",
        ],
    )
    def test_no_name_makes_a_recipient(self, graph, to):
        office = Office(graph)
        result = office.route.send(message(to or BEN), HELLO, [BEN], HELLO)
        assert result.accepted == (BEN,)
        assert [d.rcpt_to for d in graph.accepted] == [(BEN,)]

    def test_a_header_of_a_list_is_read_too(self, graph):
        result = Office(graph).route.send(
            message([f'"Ben, B." <{BEN}>', CLEO]), HELLO, [BEN], HELLO
        )
        assert result.accepted == (BEN,)
        [delivery] = graph.accepted
        assert [m.display_name for m in delivery.message["To"].addresses] == ["Ben, B."]

    def test_each_recipient_is_in_one_copy(self):
        made = message(f"{BEN}, {CLEO}", cc=f"{BEN}, {DORA}")
        copies = list(addressed(made, [BEN, CLEO, DORA, ANA]))
        assert [recipients for _copy, recipients in copies] == [[BEN, CLEO, DORA], [ANA]]
        assert not any(copy["Bcc"] or copy["Return-Path"] for copy, _recipients in copies)

    @pytest.mark.parametrize(
        ("fault", "rules"),
        [
            ({"status": 429}, ["too_fast", "too_fast"]),
            ({"action": "drop", "accept": True}, ["unanswered", "temporary"]),
        ],
    )
    def test_the_others_are_not_tried_by_a_mailbox_that_failed(self, server, fault, rules):
        server.fail("answer", **fault)
        result = Office(server).route.send(message(BEN), HELLO, [BEN, CLEO], HELLO)
        first, untried = (result.troubles[address] for address in (BEN, CLEO))
        assert [first.decision.rule, untried.decision.rule] == rules
        assert untried.failure.kind is first.failure.kind
        assert untried.failure.text == first.failure.text
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        ("refused", "reply"),
        [([BEN], "202 Accepted"), ([DORA], "202 Accepted"), ([BEN, CLEO, DORA], "")],
    )
    def test_the_others_get_it_although_one_is_refused(self, graph, refused, reply):
        graph.refused_recipients = {*refused}
        with watching(PATIENT) as trace:
            connection = ApiConnection(api_of(graph), trace)
        outcome = connection.send_message(message(BEN), HELLO, [BEN, CLEO, DORA])
        connection.close()
        assert list(outcome.failures) == refused
        assert {failure.code for failure in outcome.failures.values()} == {400}
        assert {*outcome.accepted} == {BEN, CLEO, DORA} - {*refused}
        assert (outcome.reply, trace.accepted) == (reply, len(outcome.accepted))

    def test_an_address_with_other_letters_is_written_as_it_is(self, graph):
        address = "jürgen@company.test"
        result = Office(graph).route.send(message(address), HELLO, [address], HELLO)
        assert result.accepted == (address,)
        assert f"To: {address}".encode() in graph.accepted[0].content

    def test_one_bad_address_is_told_from_the_others(self, graph):
        graph.refused_recipients = {CLEO}
        result = Office(graph).send(BEN, CLEO, DORA)
        assert sorted(result.accepted) == [BEN, DORA]
        assert result.troubles[CLEO].decision.rule == "bad_recipient"
        assert [d.rcpt_to for d in graph.accepted] == [(BEN,), (DORA,)]


with Path(__file__).with_name("failure_rules.csv").open(newline="") as file:
    ANSWERS = [
        (*row["example"].split(" ")[1:3], row["verdict"], row["mailbox_effect"])
        for row in csv.DictReader(file)
        if row["example"].startswith("HTTPS ") and not row["given"]
    ]


class TestAnswers:
    @pytest.mark.parametrize("answer", ANSWERS, ids=[" ".join(a[:2]) for a in ANSWERS])
    def test_each_is_judged_as_the_table_says(self, server, answer):
        status, code, verdict, effect = answer
        server.fail("answer", status=int(status), code=code.strip("-"))
        failure, decision = trouble(Office(server))
        assert failure.kind is Kind.ANSWER
        assert (failure.code, failure.enhanced) == (int(status), code.strip("-") or None)
        assert (decision.verdict, decision.effect) == (verdict, effect)
        assert not server.accepted

    def test_the_text_decides_nothing_and_keeps_no_secret(self, graph):
        body = b'{"error": {"code": "X", "message": "user unknown, %s, ErrorSendAsDenied"}}'
        graph.fail("answer", status=400, body=body % TOKEN.encode())
        failure, decision = trouble(Office(graph))
        assert decision.rule == "refused"
        assert failure.text == "user unknown, ***, ErrorSendAsDenied"

    @pytest.mark.parametrize(
        "body",
        [b"", b"<html>", b"[]", b'{"error": "x"}', b'{"error": {"errors": [1]}}', b"{" * 9999],
    )
    def test_an_answer_in_another_form_counts_by_its_status(self, graph, body):
        graph.fail("answer", status=503, body=body)
        failure, decision = trouble(Office(graph))
        assert (failure.code, decision.rule) == (503, "temporary")

    def test_of_google_the_reason_is_read(self, lab):
        with Gmail(lab.authority, tokens={TOKEN: (HELLO,)}) as server:
            server.tokens[TOKEN] = ()
            failure, decision = trouble(Office(server))
        assert (failure.code, failure.enhanced) == (403, "forbidden")
        assert decision.rule == "oauth_rejected"

    def test_an_early_answer_to_what_was_not_read_is_read(self, server):
        server.fail("head", status=413)
        office = Office(server)
        made = message()
        made.add_attachment(b"x" * 3_000_000, maintype="image", subtype="png")
        result = office.route.send(made, HELLO, [BEN], HELLO)
        found = result.troubles[BEN]
        # where the line broke before it could be read, nothing was accepted either
        assert found.decision.verdict is not Verdict.UNCERTAIN
        assert found.decision.rule in ("too_big", "temporary")

    @pytest.mark.parametrize(
        ("error", "code", "text"),
        [
            ({"code": "A", "message": "No"}, "A", "No"),
            ({"code": 503, "errors": [{"reason": "A"}], "status": "B"}, "A", "Service Unavailable"),
            ({"code": 503, "details": [{"reason": "A"}], "status": "B"}, "A", None),
            ({"code": 503, "errors": ["x", {"reason": ""}, {"reason": "A"}]}, "A", None),
            ({"code": "", "errors": {"reason": "A"}, "status": "B", "message": 7}, "B", "7"),
            ({"code": 503, "message": "No"}, None, "No"),
            ("No", None, '{"error": "No"}'),
        ],
    )
    def test_where_the_code_and_the_words_of_an_error_are(self, graph, error, code, text):
        graph.fail("answer", status=503, body=json.dumps({"error": error}).encode())
        failure, _decision = trouble(Office(graph))
        assert (failure.enhanced, failure.text) == (code, text or "Service Unavailable")

    def test_a_new_token_is_fetched_once_for_one_that_is_refused(self, server):
        office = Office(server, token="old")
        assert office.send().accepted == (BEN,)
        assert (office.refreshed, office.told) == (1, ["works"])
        server.tokens.clear()
        failure, decision = trouble(office)
        assert (failure.phase, failure.code, office.refreshed) == (Phase.AUTH, 401, 1)
        assert decision.rule == "oauth_rejected"

    @pytest.mark.parametrize(
        ("said", "least", "most"),
        [
            ("30", 30, 30),
            ("999999999", 86400, 86400),
            ("x", 1, 60),
            ("-3", 1, 60),
            ("0", 1, 60),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 1, 60),
        ],
    )
    def test_the_mailbox_is_left_alone_for_as_long_as_the_provider_asks(
        self, server, said, least, most
    ):
        server.fail("answer", status=429, headers={"Retry-After": said})
        failure, decision = trouble(Office(server))
        now = datetime.datetime(2026, 11, 29)
        breaker = Breaker()
        for _ in range(3):
            breaker = after_failure(
                breaker,
                decision.effect,
                failure.kind,
                now,
                random.Random(1),
                retry_after=failure.retry_after,
            )
        wait = (breaker.next_probe_at - now).total_seconds()
        assert least <= wait <= most
        assert allows(breaker, now) == "skip"

    @pytest.mark.parametrize(
        ("zone", "hours"), [(" GMT", 0), (" -0000", 0), ("", 0), (" +0100", 1), (" -0200", -2)]
    )
    def test_a_date_tells_how_long_too(self, graph, zone, hours):
        moment = time.gmtime(time.time() + 100 + 3600 * hours)
        date = time.strftime("%a, %d %b %Y %H:%M:%S", moment)
        graph.fail("answer", status=503, headers={"Retry-After": date + zone})
        failure, _decision = trouble(Office(graph))
        assert 90 < failure.retry_after <= 100

    @pytest.mark.parametrize(
        ("said", "seconds"),
        [
            ("30", 30),
            ("12345678901", 123456789),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 99999 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 +9999", None),
            ("", None),
            ("\u00b2", None),
        ],
    )
    def test_how_long_a_provider_asks_to_be_left_alone(self, graph, said, seconds):
        graph.fail("answer", status=503, headers={"Retry-After": said})
        failure, _decision = trouble(Office(graph))
        assert failure.retry_after == seconds


class TestLines:
    """A line cut before the request was sent: nothing was accepted. After it: nobody knows."""

    @pytest.mark.parametrize("phase", ["connect", "tls"])
    @pytest.mark.parametrize("action", ["drop", "reset", "hang"])
    def test_before_the_request(self, server, phase, action):
        server.fail(phase, action=action)
        failure, decision = trouble(Office(server, Patience(log_in=0.5)))
        assert failure.phase in (Phase.CONNECT, Phase.TLS)
        assert (decision.verdict, decision.effect) == (Verdict.FALLBACK, Effect.TRANSIENT)

    def test_without_time_nothing_is_said(self, server):
        failure, decision = trouble(Office(server, dataclasses.replace(PATIENT, body=0)))
        assert (failure.phase, failure.kind) == (Phase.MAIL, Kind.TIMEOUT)
        assert decision.verdict is Verdict.FALLBACK
        assert not server.requests

    @pytest.mark.parametrize("phase", ["head", "body"])
    @pytest.mark.parametrize("action", ["drop", "reset"])
    def test_in_the_midst_of_a_request_that_does_not_fit_at_once(self, server, phase, action):
        server.fail(phase, action=action)
        made = message()
        made.add_attachment(b"x" * 20_000_000, maintype="image", subtype="png")
        result = Office(server, SHORT).route.send(made, HELLO, [BEN], HELLO)
        failure = result.troubles[BEN].failure
        assert failure.phase in (Phase.MAIL, Phase.BODY)
        assert result.troubles[BEN].decision.verdict is Verdict.FALLBACK
        assert not server.accepted

    def test_a_server_that_stops_reading_is_given_up(self, graph):
        graph.fail("head", action="drip")
        made, office = message(), Office(graph, dataclasses.replace(PATIENT, body=0.2))
        made.add_attachment(b"x" * 8_000_000, maintype="image", subtype="png")
        begin = time.monotonic()
        failure = office.route.send(made, HELLO, [BEN], HELLO).troubles[BEN].failure
        assert time.monotonic() - begin < 2
        assert (failure.phase, failure.kind) == (Phase.BODY, Kind.TIMEOUT)

    @pytest.mark.parametrize("action", ["drop", "reset", "hang", "drip"])
    def test_after_the_request(self, server, action):
        server.fail("answer", action=action, accept=True)
        failure, decision = trouble(Office(server, SHORT))
        assert failure.phase is Phase.DOT
        assert decision.verdict is Verdict.UNCERTAIN
        assert len(server.accepted) == 1

    @pytest.mark.parametrize(
        ("raw", "text"),
        [
            (f"SSH-2.0 {TOKEN}\r\n".encode(), "SSH-2.0 ***"),
            (b"HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 abc"),
            (b"\0" * 99_999, "got more than 65536 bytes when reading status line"),
            (b"HTTP/1.1 103 Wait\r\n\r\n", "no final answer: 103"),
        ],
    )
    def test_what_is_no_http_is_no_answer(self, server, raw, text):
        server.fail("answer", raw=raw, accept=True)
        failure, decision = trouble(Office(server, SHORT))
        assert (failure.phase, failure.kind, failure.text) == (Phase.DOT, Kind.GARBAGE, text)
        assert decision.verdict is Verdict.UNCERTAIN

    def test_no_answer_is_longer_than_it_may_be(self, server):
        server.fail("answer", status=503, body=b"x" * 50_000_000)
        begin = time.monotonic()
        failure, _decision = trouble(Office(server))
        assert len(failure.text) <= 500
        assert time.monotonic() - begin < 3

    @pytest.mark.parametrize(
        ("size", "said", "is_lost"),
        [(65_536, "keep-alive", False), (65_537, "keep-alive", True), (0, "close", True)],
    )
    def test_a_connection_that_is_not_fit_for_another_request_is_lost(
        self, graph, size, said, is_lost
    ):
        headers = {"Connection": said}
        graph.fail("answer", status=503, body=b"x" * size, headers=headers)
        with (
            watching(PATIENT) as trace,
            contextlib.closing(ApiConnection(api_of(graph), trace)) as connection,
        ):
            assert not connection.send_message(message(), HELLO, [BEN]).accepted
            assert connection.lost is is_lost

    @pytest.mark.parametrize(
        ("headers", "rest", "text"),
        [
            (b"Content-Length: 50", b"No", "No"),
            (b"Content-Length: 50", b"", "Service Unavailable"),
            (b"Transfer-Encoding: chunked", b"zz\r\n", "Service Unavailable"),
        ],
    )
    def test_a_no_is_a_no_although_the_rest_of_it_is_lost(self, graph, headers, rest, text):
        head = b"HTTP/1.1 503 Service Unavailable\r\n%b\r\n\r\n" % headers
        graph.fail("answer", raw=head + rest)
        failure, _decision = trouble(Office(graph))
        assert (failure.code, failure.text) == (503, text)

    @pytest.mark.parametrize("kind", ["other-name", "self-signed", "expired", "expired-authority"])
    def test_a_bad_certificate_gets_no_token(self, server, kind):
        server.certificate = kind
        failure, decision = trouble(Office(server))
        assert (failure.phase, failure.kind) == (Phase.TLS, Kind.CERTIFICATE)
        assert decision.effect is Effect.MISCONFIGURED
        assert not server.requests

    def test_a_port_where_nobody_listens(self, server):
        server.stop()
        failure, _decision = trouble(Office(server))
        assert (failure.phase, failure.kind) == (Phase.CONNECT, Kind.REFUSED)

    def test_the_next_message_gets_a_new_connection(self, server):
        server.fail("answer", action="drop", times=1)
        office = Office(server)
        assert not office.send().accepted
        office.route.trouble = None
        assert office.send().accepted == (BEN,)

    def test_where_it_may_have_arrived_colleagues_get_it_again(self, server, lab):
        system = lab.server("system")
        server.fail("answer", action="drop", accept=True)

        def connect():
            connection = smtplib.SMTP(system.host, system.port, "here.test", timeout=9)
            connection.ehlo()
            return connection

        for internal in (True, False):
            routes = [Office(server).route, Route("system", connect, patience=PATIENT)]
            session = Session(routes, internal=internal)
            with contextlib.suppress(Undelivered):
                session.send_message(message(), HELLO, [BEN])
            session.quit()
        assert (len(server.accepted), len(system.accepted)) == (2, 1)


class TestChain:
    """By HTTPS in the middle of three: the first is down, and the third carries."""

    @pytest.fixture(name="third")
    def _third(self, lab):
        return lab.server("third")

    def send(self, server, third, **fault):
        def down():
            raise ConnectionRefusedError

        def connect():
            connection = smtplib.SMTP(third.host, third.port, "here.test", timeout=9)
            connection.ehlo()
            return connection

        fault = server.fail(**fault)
        routes = [Route("first", down), Office(server, SHORT).route, Route("third", connect)]
        session = Session(routes, internal=True)
        with contextlib.suppress(Undelivered):
            session.send_message(message(), HELLO, [BEN])
        session.quit()
        assert fault.struck
        return [len(s.accepted) for s in (server, third)]

    @pytest.mark.parametrize("answer", ANSWERS, ids=[" ".join(a[:2]) for a in ANSWERS])
    def test_who_is_answered_no_gets_one_copy_by_the_third(self, server, third, answer):
        status, code, verdict, _effect = answer
        copies = self.send(server, third, phase="answer", status=int(status), code=code.strip("-"))
        assert copies == [0, verdict != "refuse"]

    @pytest.mark.parametrize("phase", ["connect", "tls", "head", "body", "answer"])
    @pytest.mark.parametrize("action", ["drop", "reset", "hang", "drip"])
    def test_nobody_gets_none(self, server, third, phase, action):
        if (phase, action) in (("connect", "drip"), ("tls", "drip")):
            pytest.skip("nothing can be said yet")
        assert self.send(server, third, phase=phase, action=action) == [0, 1]


class TestLateAnswers:
    """Nobody waits longer than a person does: the answer is left to somebody else."""

    def send(self, server, seconds=0.4):
        office = Office(server)
        budget = Budget(seconds)
        late_replies = LateReplies(8)
        route = Route(
            "api",
            office._connect,
            patience=Patience(dot=5, budget=budget, may_be_late=True),
            late_replies=late_replies,
        )
        with budget.spending():
            return route.send(message(), HELLO, [BEN], HELLO)

    @pytest.mark.parametrize(
        ("status", "rule"), [(None, None), (403, "send_as_denied"), (504, "unanswered")]
    )
    def test_an_answer_that_comes_later_is_read(self, server, status, rule):
        server.latency = 1.0
        if status:
            server.fail("answer", status=status, code="ErrorSendAsDenied" if status == 403 else "")
        begin = time.monotonic()
        result = self.send(server)
        assert time.monotonic() - begin < 0.9
        assert result.troubles[BEN].is_awaited
        assert not result.late.wait(0)
        assert result.late.wait(5)
        failure = result.late.failure()
        assert (failure and classify(failure).rule) == rule
        assert len(server.accepted) == (not status)

    def test_an_answer_that_has_only_begun_is_late(self, server):
        server.fail("answer", action="drip", interval=0.2)
        begin = time.monotonic()
        result = self.send(server)
        assert time.monotonic() - begin < 0.9
        assert result.troubles[BEN].is_awaited

    @pytest.mark.parametrize("end", [b"\r\n", b"\n"])
    def test_what_comes_before_the_final_answer_is_passed_over(self, graph, end):
        heads = b"HTTP/1.1 100 Continue", b"HTTP/1.1 202 Accepted%bContent-Length: 0" % end
        graph.fail("answer", raw=b"".join(head + end * 2 for head in heads))
        assert self.send(graph, seconds=5).accepted == (BEN,)

    def test_an_answer_without_end_is_none(self, graph):
        graph.fail("answer", raw=b"HTTP/1.1 100 Continue\r\n\r\n" * 40_000)
        result = self.send(graph, seconds=5)
        assert not result.accepted
        assert "does not end" in result.troubles[BEN].failure.text

    def test_an_answer_in_time_is_no_late_one(self, server):
        result = self.send(server, seconds=5)
        assert (result.accepted, result.late) == ((BEN,), None)

    def test_a_line_that_is_cut_meanwhile_tells_nothing(self, server):
        server.latency = 1.0
        action = "reset" if isinstance(server, Gmail) else "drop"
        server.fail("answer", action=action, accept=True)
        result = self.send(server)
        assert result.late.wait(5)
        assert classify(result.late.failure()).verdict is Verdict.UNCERTAIN


class TestProbe:
    def connect(self, server):
        return lambda: ApiConnection(api_of(server), current_trace())

    def test_it_asks_whether_the_login_may_send_and_sends_nothing(self, server):
        told = []
        assert probe(self.connect(server), PATIENT, HELLO, told.append) is None
        assert told == [b""]
        assert len(server.requests) == 1
        assert not server.accepted

    def test_it_sees_a_right_that_is_gone(self, server):
        server.tokens[TOKEN] = ()
        failure = probe(self.connect(server), PATIENT, HELLO)
        assert failure.code == 403
        assert classify(failure).rule == "oauth_rejected"

    def test_it_sees_a_mailbox_that_is_gone(self, server):
        server.unknown = {HELLO}
        failure = probe(self.connect(server), PATIENT, HELLO)
        assert classify(failure).effect is Effect.MISCONFIGURED

    @pytest.mark.parametrize("action", ["hang", "drip"])
    def test_silence_ends_at_the_deadline_of_the_log_in(self, server, action):
        server.fail("answer", action=action)
        begin = time.monotonic()
        failure = probe(self.connect(server), Patience(log_in=0.5), HELLO)
        assert failure.kind is Kind.TIMEOUT
        assert time.monotonic() - begin < 2.2


class TestOdoo:
    """Outside of our sessions, Odoo's own code gets what it expects of ``smtplib``."""

    def test_it_is_told_what_it_expects(self, server):
        connection, seen = OdooConnection(api_of(server), PATIENT), []
        connection.on_accepted = lambda *sent: seen.append(sent)
        assert connection.send_message(message(), "bounce@company.test", [BEN]) == {}
        assert [sender for sender, _content in seen] == ["bounce@company.test"]
        server.fail("answer", status=403, code="ErrorSendAsDenied")
        with pytest.raises(smtplib.SMTPDataError) as caught:
            connection.send_message(message(), HELLO, [BEN])
        assert caught.value.smtp_code == 403
        assert caught.value.smtp_error == b"ErrorSendAsDenied by command"
        assert connection.esmtp_features == {}
        connection.quit()
        assert connection.lost

    def test_it_is_told_who_was_refused_among_others(self, graph):
        graph.refused_recipients = {CLEO}
        connection = OdooConnection(api_of(graph))
        refused = connection.send_message(message(f"{BEN}, {CLEO}"), HELLO, [BEN, CLEO])
        connection.quit()
        text = b"ErrorInvalidRecipients At least one recipient is not valid."
        assert refused == {CLEO: (400, text)}

    def test_a_lost_line_is_a_failure_of_this_message_alone(self, server):
        connection = OdooConnection(api_of(server), PATIENT)
        server.fail("answer", action="drop", times=1)
        with pytest.raises(smtplib.SMTPDataError) as caught:
            connection.send_message(message(), HELLO, [BEN])
        assert caught.value.smtp_code == 0
        assert connection.send_message(message(), HELLO, [BEN]) == {}
        connection.quit()

    def test_each_question_has_its_own_time(self, graph):
        connection = OdooConnection(api_of(graph), Patience(log_in=0.3))
        time.sleep(0.3)
        assert connection.mail(HELLO) == (250, b"")
        connection.quit()

    def test_its_test_of_a_connection(self, server):
        connection = OdooConnection(api_of(server), PATIENT)
        assert connection.mail(HELLO) == (250, b"")
        assert connection.rcpt(BEN) == (250, b"")
        connection.putcmd("data")
        assert connection.getreply() == (354, b"")
        server.fail("answer", status=503, body=b"Not now", times=1)
        assert connection.mail(HELLO) == (503, b"Not now")
        server.tokens.clear()
        assert connection.mail(HELLO)[0] == 401
        connection.close()
        assert not server.accepted


class TestPlaces:
    def test_a_limited_mailbox_reaches_no_internal_server(self, server):
        with public_only(), watching(PATIENT) as trace, pytest.raises(OutOfReach):
            ApiConnection(api_of(server), trace)
        assert not server.connections

    @pytest.mark.parametrize(
        ("address", "port", "reached"),
        [("8.8.8.8", 443, True), ("8.8.8.8", 587, False), ("10.0.0.1", 443, False)],
    )
    def test_a_limited_mailbox_reaches_public_servers_by_https_alone(self, address, port, reached):
        called = []

        class Unplugged(socket.socket):
            def connect(self, address):
                called.append(address)
                raise ConnectionRefusedError

        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]
        unplugged = patch.multiple(socket, getaddrinfo=lambda *_asked: found, socket=Unplugged)
        with unplugged, public_only(), watching(PATIENT) as trace, pytest.raises(OSError):
            ApiConnection(Api(f"https://api.test:{port}/", "graph", HELLO, TOKEN), trace)
        assert called == [(address, port)] * reached

    @pytest.mark.parametrize(
        ("proxy", "asked"), [("", ("api.test", 443)), ("http://proxy.test", ("proxy.test", 80))]
    )
    def test_the_usual_ports_are_asked(self, monkeypatch, proxy, asked):
        seen = []

        def look_up(*where):
            seen.append(where[:2])
            raise socket.gaierror

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        monkeypatch.setenv("https_proxy", proxy)
        with watching(PATIENT, ["secret"]) as trace, pytest.raises(socket.gaierror):
            ApiConnection(Api("https://api.test/", "graph", HELLO, TOKEN), trace)
        assert (seen, trace.host) == ([asked], "api.test")
        assert trace.secrets == ("secret", TOKEN)

    def test_a_name_that_is_gone_is_told_as_such_though_it_was_there(self, graph, monkeypatch):
        office = Office(graph)
        assert office.send().accepted

        def gone(*_asked):
            raise socket.gaierror

        monkeypatch.setattr(socket, "getaddrinfo", gone)
        monkeypatch.setattr(https_api, "IDLE", 0)
        failure, _decision = trouble(office)
        assert (failure.phase, failure.kind) == (Phase.DNS, Kind.UNKNOWN_HOST)

    def test_https_goes_by_the_proxy_of_the_environment(self, server, monkeypatch):
        with Proxy() as proxy:
            monkeypatch.setenv("https_proxy", f"http://odoo:pass@127.0.0.1:{proxy.port}")
            monkeypatch.setenv("no_proxy", "")
            assert Office(server).send().accepted == (BEN,)
            proxy.answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"
            failure, decision = trouble(Office(server))
        assert proxy.heard[0].startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1")
        assert "Proxy-Authorization: Basic b2RvbzpwYXNz" in proxy.heard
        assert failure.phase is Phase.CONNECT
        assert decision.rule == "unreachable"

    @pytest.mark.parametrize(
        ("sign_in", "heard"),
        [("", []), ("odoo@", ["Proxy-Authorization: Basic b2Rvbzo="])],
    )
    def test_what_a_proxy_is_told_of_us(self, graph, monkeypatch, sign_in, heard):
        with Proxy() as proxy:
            proxy.answer = b"HTTP/1.1 299 Go on\r\n\r\n"
            monkeypatch.setenv("https_proxy", f"{sign_in}127.0.0.1:{proxy.port}")
            monkeypatch.setenv("no_proxy", "elsewhere.test")
            assert Office(graph).send().accepted == (BEN,)
        place = f"127.0.0.1:{graph.port}"
        assert proxy.heard == [f"CONNECT {place} HTTP/1.1", f"Host: {place}", *heard]

    def test_a_place_that_the_environment_excepts_is_reached_without_the_proxy(
        self, graph, monkeypatch
    ):
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert Office(graph).send().accepted == (BEN,)

    @pytest.mark.parametrize(
        ("answer", "text"),
        [
            (b"HTTP/1.1 302 Found\r\n\r\n", "the proxy answered 302 Found"),
            (b"SSH-2.0\r\n", "the proxy's answer is none: SSH-2.0"),
            (b"", "the proxy's answer is none: Remote end closed connection without response"),
        ],
    )
    def test_what_a_proxy_says_instead(self, graph, monkeypatch, answer, text):
        with Proxy() as proxy:
            proxy.answer = answer
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv("no_proxy", "")
            failure, decision = trouble(Office(graph))
        assert failure.text == text
        assert decision.rule == "unreachable"

    def test_a_server_that_is_named_by_nobody(self):
        api = Api("https://nowhere.invalid/{mailbox}", "graph", HELLO, TOKEN)
        with watching(PATIENT) as trace, pytest.raises(CONNECTION_ERRORS) as caught:
            ApiConnection(api, trace)
        assert trace.failure(caught.value).kind is Kind.UNKNOWN_HOST


class Proxy:
    """An HTTP proxy that connects one client after the other."""

    answer = b"HTTP/1.1 200 Connection established\r\n\r\n"

    def __enter__(self):
        self.heard = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_exc):
        self._listener.close()

    def _listen(self):
        with contextlib.suppress(OSError):
            while True:
                client, _peer = self._listener.accept()
                with client.makefile("rb") as lines:
                    head = list(iter(lambda: lines.readline().decode().strip(), ""))
                self.heard += head
                client.sendall(self.answer)
                host, _colon, port = head[0].split()[1].partition(":")
                if b" 2" not in self.answer:
                    client.close()
                    continue
                server = socket.create_connection((host, int(port)))
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    @staticmethod
    def _carry(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
