"""What becomes of a recipient: all pairs of answers, in both orders."""

import itertools

import pytest

from ..failover.failure import Decision, Effect, Failure, Kind, Phase, Verdict
from ..failover.policy import Answer, Fate, fate
from ..failover.rules import classify

MENDED_BY_PEOPLE = [Effect.DISCONNECTED, Effect.MISCONFIGURED, Effect.PROVIDER_MISCONFIGURED]
FAULTS = [effect for effect in Effect if effect is not Effect.NONE]
ANSWERS = list(Answer)


def _answer(effect):
    decision = Decision(Verdict.FALLBACK, effect, "a rule")
    return Answer.of(Failure(Phase.AUTH, 535, kind=Kind.REPLY), decision)


@pytest.mark.parametrize(("own", "system"), list(itertools.product(FAULTS, FAULTS)))
def test_two_mailboxes_at_fault_lose_nothing(own, system):
    assert fate([_answer(own), _answer(system)], internal=True) is Fate.DEFERRED


@pytest.mark.parametrize("effect", MENDED_BY_PEOPLE)
def test_a_mailbox_with_none_behind_it_that_somebody_must_mend_fails_as_in_odoo(effect):
    assert fate([_answer(effect)], internal=True) is Fate.FAILED


@pytest.mark.parametrize("effect", [Effect.TRANSIENT, Effect.THROTTLED])
def test_a_mailbox_that_mends_itself_is_waited_for(effect):
    assert fate([_answer(effect)], internal=False) is Fate.DEFERRED


def test_both_refuse_for_good_and_it_fails_one_for_now_and_it_waits():
    refusals = [Answer.REFUSED, Answer.UNKNOWN, Answer.UNPROVEN]
    for first, last in itertools.product(refusals, refusals):
        assert fate([first, last], internal=True) is Fate.FAILED
    for answer in refusals:
        assert fate([Answer.POSTPONED, answer], internal=True) is Fate.DEFERRED
        assert fate([answer, Answer.POSTPONED], internal=True) is Fate.DEFERRED


@pytest.mark.parametrize("system", [Answer.TROUBLE, Answer.BROKEN, Answer.OVER_OUR_LIMIT])
@pytest.mark.parametrize("own", [Answer.UNKNOWN, Answer.UNPROVEN, Answer.POSTPONED])
def test_nothing_is_decided_while_system_mail_cannot_answer(own, system):
    assert fate([own, system], internal=True) is Fate.DEFERRED


@pytest.mark.parametrize("own", [Answer.TROUBLE, Answer.BROKEN])
def test_one_opinion_in_unknown_words_decides_nothing(own):
    assert fate([own, Answer.UNKNOWN], internal=True) is Fate.DEFERRED
    assert fate([own, Answer.REFUSED], internal=True) is Fate.FAILED


def test_what_may_have_been_delivered_goes_to_colleagues_again_and_is_held_for_others():
    for other in set(ANSWERS) - {Answer.REFUSED}:
        for pair in ([Answer.UNCERTAIN, other], [other, Answer.UNCERTAIN]):
            assert fate(pair, internal=True) is Fate.DEFERRED
            assert fate(pair, internal=False) is Fate.HELD


@pytest.mark.parametrize("answers", itertools.product(ANSWERS, ANSWERS, ANSWERS))
def test_any_number_of_mailboxes_come_to_a_fate(answers):
    assert fate(answers, internal=True) in Fate


@pytest.mark.parametrize(
    ("failure", "answer"),
    [
        (Failure(Phase.MAIL, kind=Kind.OVER_LIMIT), Answer.OVER_OUR_LIMIT),
        (Failure.from_reply(Phase.RCPT, 451, b"4.7.1 Greylisted"), Answer.POSTPONED),
        (Failure.from_reply(Phase.RCPT, 450, b"Computer says no"), Answer.POSTPONED),
        (Failure.from_reply(Phase.RCPT, 550, b"Computer says no"), Answer.UNKNOWN),
        (Failure.from_reply(Phase.RCPT, 550, b"5.1.1 User unknown"), Answer.REFUSED),
    ],
)
def test_what_a_failure_means_for_a_recipient(failure, answer):
    assert Answer.of(failure, classify(failure)) is answer


def test_unknown_words_of_a_stranger_fail_for_others_and_wait_where_they_prove_nothing():
    unknown = Failure.from_reply(Phase.DOT, 554, b"Computer says no")
    assert fate([Answer.of(unknown, classify(unknown))], internal=False) is Fate.FAILED
    echoed = Failure.from_reply(
        Phase.DOT, 554, b"Relay access denied", addresses=["relay@customer.test"]
    )
    assert fate([Answer.of(echoed, classify(echoed))], internal=False) is Fate.DEFERRED
