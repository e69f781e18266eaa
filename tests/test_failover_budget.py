"""The time of a person who waits: what counts, and what it cuts short."""

import math
import smtplib
import ssl
import time
from email.message import EmailMessage

import pytest

from ..failover.budget import Budget, LastTurn, Turn
from ..failover.connection import MailboxError, Patience, Trace, watching
from ..failover.failure import Failure, Kind, Phase
from ..failover.rules import classify
from ..failover.session import Route, Session, Undelivered
from .smtp_lab import SmtpLab

SECONDS = 0.3
MESSAGE = b"Subject: Hello\r\n\r\nSee this\r\n"


@pytest.fixture(name="lab")
def _lab():
    with SmtpLab() as lab:
        yield lab


def test_only_what_is_spent_counts():
    budget = Budget(10)
    time.sleep(0.05)
    assert budget.left == 10
    with budget.spending():
        time.sleep(0.05)
        assert budget.left <= 9.95
    left = budget.left
    time.sleep(0.05)
    assert budget.left == left


def test_without_a_person_there_is_no_end():
    budget = Budget()
    with budget.spending():
        assert (budget.left, budget.is_limited, budget.is_enough) == (math.inf, False, True)
    assert not budget.is_used_up


def test_half_of_it_is_enough_to_begin_and_most_of_it_is_more_than_half():
    assert Budget(1).is_enough
    assert Budget(1).is_most(0.6)
    assert not Budget(1).is_most(0.5)


def test_a_persons_time_is_one_for_all_mailboxes_and_a_turn_begins_anew_for_each():
    budget, turn = Budget(0.001), Turn(0.001, end=9, may_leave=False)
    for each in (budget, turn):
        with each.spending():
            time.sleep(0.01)
        assert each.is_used_up
        assert each.for_another_mailbox() is each
    assert not budget.renew()
    assert budget.is_used_up
    assert turn.renew()
    assert turn.left == 0.001
    assert (turn.end, turn.may_leave, turn.is_most(0.0006)) == (9, False, True)


def test_a_last_turn_begins_with_the_first_question_for_its_time():
    turn = LastTurn(9, end=99, may_leave=False)
    time.sleep(0.1)
    assert turn.left > 8.95
    time.sleep(0.1)
    other = turn.for_another_mailbox()
    assert other.left > 8.95 > turn.left
    assert (other.end, other.may_leave, other.is_most(5)) == (99, False, True)
    assert not other.is_most(4)


@pytest.mark.parametrize("action", ["hang", "drip"])
@pytest.mark.parametrize("phase", ["banner", "ehlo", "starttls", "tls", "mail", "rcpt", "data"])
def test_it_cuts_a_conversation_short_and_nobody_is_blamed(lab, phase, action):
    if (phase, action) == ("tls", "drip"):
        action = "hang"
    server = lab.server("own", encryption="starttls")
    server.fail(phase, action=action)
    budget, begin = Budget(SECONDS), time.monotonic()
    with budget.spending():
        failure = _send(server, Patience(budget=budget))
    assert SECONDS <= time.monotonic() - begin < 10
    assert failure.kind is Kind.NO_TIME
    assert (classify(failure).rule, classify(failure).effect.state) == ("no_time", None)
    assert not server.accepted


def test_the_reply_to_the_dot_is_waited_for(lab):
    server = lab.server("own")
    server.fail("dot", action="hang")
    budget = Budget(SECONDS)
    with budget.spending():
        failure = _send(server, Patience(dot=0.6, budget=budget))
    assert (failure.phase, failure.kind) == (Phase.DOT, Kind.TIMEOUT)
    assert budget.left < 0, "it counts"


def test_a_mailbox_that_is_sooner_at_its_own_end_is_to_blame(lab):
    server = lab.server("own")
    server.fail("mail", action="hang")
    budget = Budget(9)
    with budget.spending():
        assert _send(server, Patience(command=0.2, budget=budget)).kind is Kind.TIMEOUT


def test_a_good_bye_that_nobody_answers_counts(lab):
    server = lab.server("own")
    server.fail("rcpt", reply="550 5.1.1 User unknown")
    server.fail("quit", action="hang")
    budget = Budget(SECONDS)
    route = Route("own", lambda: _connect(server), patience=Patience(budget=budget))
    session = Session([route], internal=True, budget=budget).open()
    with pytest.raises(Undelivered):
        session.send_message(EmailMessage(), "ana@company.test", ["ben@company.test"])
    session.quit()
    assert budget.is_used_up


def test_an_answer_is_one_however_late():
    budget = Budget(0.001)
    trace = Trace(Patience(budget=budget))
    trace.phase = Phase.AUTH
    with budget.spending():
        time.sleep(0.01)
        assert trace.failure(smtplib.SMTPResponseException(535, b"No")).code == 535
        silent = Failure(Phase.TOKEN, kind=Kind.SIGN_IN_UNAVAILABLE)
        assert trace.failure(MailboxError(silent)).kind is Kind.NO_TIME


def _connect(server):
    return smtplib.SMTP(server.host, server.port, local_hostname="here", timeout=9)


def _send(server, patience):
    """:return: why it was not sent; None if it was"""
    with watching(patience) as trace:
        try:
            connection = _connect(server)
            connection.ehlo()
            if server.encryption:
                connection.starttls(context=ssl._create_unverified_context())
                connection.ehlo()
        except OSError as exc:
            trace.connection.close()
            return trace.failure(exc)
    trace.settled = True
    outcome = connection.sendmail("ana@company.test", ["ben@company.test"], MESSAGE)
    connection.close()
    return outcome.failures.get("ben@company.test")
