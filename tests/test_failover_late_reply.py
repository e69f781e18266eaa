"""The reply to a message's final dot that comes later than a person waits."""

import contextlib
import smtplib
import ssl
import threading
import time
from email.message import EmailMessage

import pytest

from ..failover import late_reply
from ..failover.budget import Budget
from ..failover.connection import Patience
from ..failover.failure import Kind, Phase, Verdict
from ..failover.late_reply import LateReplies
from ..failover.policy import Fate
from ..failover.rules import classify
from ..failover.session import Route, Session, Undelivered
from .smtp_lab import SmtpLab
from .smtp_lab.liar import Liar

READER = "ben@company.test"
SECONDS = 0.5
MANY = 5
"""Seconds that no wait takes, however busy this machine is."""


class Person:
    """Sends from a mailbox, and waits no longer than SECONDS."""

    def __init__(self, server, encryption=None, most=8, owner=None):
        self._server, self._encryption, self._owner = server, encryption, owner
        self._late_replies = LateReplies(most)
        self.slow = []

    def _connect(self):
        smtp = smtplib.SMTP(self._server.host, self._server.port, "here", timeout=MANY)
        if self._encryption:
            smtp.starttls(context=ssl._create_unverified_context())
        return smtp

    @contextlib.contextmanager
    def session(self, seconds=SECONDS):
        budget = Budget(seconds)
        route = Route(
            "own",
            self._connect,
            patience=Patience(dot=MANY, budget=budget, may_be_late=True),
            on_slow=lambda *slow: self.slow.append(slow),
            late_replies=self._late_replies,
            owner=self._owner,
        )
        session = Session([route], internal=True, budget=budget).open()
        yield session
        session.quit()

    def send(self, *recipients, **options):
        """:rtype: Report"""
        begin = time.monotonic()
        with self.session(**options) as session:
            report = _send(session, recipients or (READER,))
        assert time.monotonic() - begin < MANY
        return report


def _send(session, recipients=(READER,)):
    reports = []
    session.on_report = reports.append
    message = EmailMessage()
    message["From"], message["Subject"] = "ana@company.test", "Hello"
    message.set_content("See this")
    with contextlib.suppress(Undelivered):
        session.send_message(message, "ana@company.test", recipients)
    return reports[0]


@pytest.fixture(name="lab")
def _lab():
    with SmtpLab() as lab:
        yield lab


@pytest.fixture(name="answer")
def _answer():
    event = threading.Event()
    yield event
    event.set()


def test_it_is_left_to_whoever_waits_on(lab, answer):
    server = lab.server("own", deliver=lambda _delivery: answer.wait(MANY))
    person = Person(server)
    report = person.send()
    assert report.fate(READER) is Fate.AWAITED
    assert [mailbox for mailbox, *_ in person.slow] == ["own"]
    assert not report.late.wait(0)
    assert 0 < report.late.seconds < MANY
    answer.set()
    assert report.late.wait(MANY)
    assert report.late.failure() is None
    assert len(server.accepted) == 1


def test_one_that_is_encrypted(lab, answer):
    server = lab.server("own", encryption="starttls", deliver=lambda _: answer.wait(MANY))
    report = Person(server, "starttls").send(seconds=1)
    assert report.fate(READER) is Fate.AWAITED
    assert not report.late.wait(0)
    answer.set()
    assert report.late.wait(MANY)
    assert report.late.failure() is None


def test_a_reply_in_time_is_read_at_once(lab):
    server = lab.server("own")
    report = Person(server).send(seconds=MANY)
    assert report.fate(READER) is Fate.ACCEPTED
    assert report.late is None


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ([0.8, b"250 2.0.0 Ok\r\n"], None),
        ([b"2", 0.8, b"50 2.0.0 Ok\r\n"], None),
        ([b"250-2.0.0 Queued\r\n", 0.8, b"250 2.0.0 as 3\r\n"], None),
        ([0.8, b"554 5.7.1 Spam message rejected\r\n"], (Kind.REPLY, 554, Verdict.REFUSE)),
        ([b"554-5.7.1 Spam message", 0.8, b"\r\n554 \r\n"], (Kind.REPLY, 554, Verdict.REFUSE)),
        ([0.8, b"451 4.3.0 Try later\r\n"], (Kind.REPLY, 451, Verdict.FALLBACK)),
        ([0.8, "close"], (Kind.DROP, None, Verdict.UNCERTAIN)),
        ([b"250-2.0.0 Queued\r\n", 0.8, "close"], (Kind.DROP, None, Verdict.UNCERTAIN)),
        ([0.8, "reset"], (Kind.DROP, None, Verdict.UNCERTAIN)),
        ([0.8, b"Thank you\r\n"], (Kind.GARBAGE, None, Verdict.UNCERTAIN)),
    ],
)
def test_what_it_may_be(says, expected):
    with Liar({"dot": says}) as server:
        report = Person(server).send()
        assert report.fate(READER) is Fate.AWAITED
        assert report.late.wait(MANY)
        failure = report.late.failure()
    found = failure and (failure.kind, failure.code, classify(failure).verdict)
    assert found == expected


@pytest.mark.parametrize("drip", [[b"2", b"5"], [b"250-more\r\n"] * 2, []])
def test_without_an_end_it_is_given_up(drip):
    says = [what for byte in drip for what in (0.1, byte)] * 10
    with Liar({"dot": [*says, 2.0]}) as server:
        report = Person(server).send()
        assert not report.late.wait(0.3)
        failure = report.late.failure()
        assert (failure.phase, failure.kind) == (Phase.DOT, Kind.TIMEOUT)
        assert classify(failure).verdict is Verdict.UNCERTAIN


def test_a_flood_is_no_reason_to_wait():
    with Liar({"dot": [0.6, "flood"]}) as server:
        report = Person(server).send()
        assert report.late.wait(MANY)
        assert classify(report.late.failure()).verdict is Verdict.UNCERTAIN


def test_nothing_more_goes_by_the_mailbox_meanwhile(lab, answer):
    server = lab.server("own", deliver=lambda _: answer.wait(MANY))
    with Person(server).session() as session:
        assert _send(session).fate(READER) is Fate.AWAITED
        report = _send(session)
        assert report.fate(READER) is Fate.DEFERRED
        assert report.is_cut_short(READER)
    assert len(server.connections) == 1


def test_who_was_refused_before_is_refused(lab, answer):
    server = lab.server("own", deliver=lambda _: answer.wait(MANY))
    server.fail("rcpt", reply="550 5.1.1 User unknown", recipient="nobody@company.test")
    report = Person(server).send("nobody@company.test", READER)
    assert report.fate("nobody@company.test") is Fate.FAILED
    assert report.fate(READER) is Fate.AWAITED


def test_there_is_an_end_to_their_number(lab, answer):
    server = lab.server("own", deliver=lambda _: answer.wait(MANY))
    person = Person(server, most=2)
    first, _second = person.send(), person.send()
    third = person.send(seconds=MANY)
    assert third.is_cut_short(READER)
    assert not any("DATA" in command for command in server.connections[-1].commands)
    first.late.close()
    assert person.send().fate(READER) is Fate.AWAITED


class Line:
    """In the place of a connection."""


def test_there_is_room_again_when_one_is_left_or_forgotten():
    late_replies, first, second = LateReplies(1), Line(), Line()
    assert late_replies.admit(first)
    late_replies.leave(first)
    late_replies.leave(first)
    assert late_replies.admit(second)
    del second
    assert late_replies.admit(first)


def test_nobody_takes_the_places_of_others(monkeypatch):
    monkeypatch.setattr(late_reply, "PAUSE", 0)
    late_replies, lines = LateReplies(5, of_people=4, of_one=2), [Line() for _ in range(8)]
    admitted = [
        late_replies.admit(line, owner)
        for line, owner in zip(lines, [7, 7, 7, 8, 9, 5, None, None], strict=True)
    ]
    assert admitted == [True, True, False, True, True, False, True, False]
    late_replies.leave(lines[0])
    assert late_replies.admit(lines[2], 7)


def test_one_persons_silent_server_leaves_room_for_a_colleague(lab, answer):
    silent = lab.server("silent", deliver=lambda _delivery: answer.wait(MANY))
    late_replies = LateReplies(8, of_one=2)
    person, colleague = Person(silent, owner=5), Person(lab.server("quick"), owner=6)
    person._late_replies = colleague._late_replies = late_replies
    kept = [person.send() for _ in range(3)]
    assert [report.fate(READER) for report in kept] == [Fate.AWAITED, Fate.AWAITED, Fate.DEFERRED]
    assert colleague.send(seconds=MANY).fate(READER) is Fate.ACCEPTED


def test_room_is_waited_for_a_moment(monkeypatch):
    late_replies, first, second = LateReplies(1), Line(), Line()
    with monkeypatch.context() as patched:
        patched.setattr(late_reply, "PAUSE", 1)
        begin = time.monotonic()
        assert late_replies.admit(first)
        assert time.monotonic() - begin < 1
        patched.setattr(late_reply, "PAUSE", 0.02)
        begin = time.monotonic()
        assert not late_replies.admit(second)
        assert time.monotonic() - begin >= 0.02 * (late_reply.PAUSES - 1)
    threading.Timer(0.05, late_replies.leave, [first]).start()
    assert late_replies.admit(second)
