"""When a mailbox is left alone, and when it is tried again."""

import dataclasses
import datetime
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..failover.breaker import (
    DAY,
    FIRST_WAIT,
    HOUR,
    LEASE,
    MOMENT,
    SHORTEST_WAIT,
    WAIT_OF_A_DAY,
    WINDOW,
    Breaker,
    State,
    after_change,
    after_failure,
    after_success,
    allows,
    backoff,
    expired,
    is_failure_of_server,
    is_network_failure,
    lease,
    own_network_suspected,
    still_lasts,
)
from ..failover.failure import Effect, Failure, Kind, Phase

NOW = datetime.datetime(2025, 5, 3, 9, 14)
BAD = [effect for effect in Effect if effect is not Effect.NONE]


class Longest:
    """A random source that always gives the upper bound."""

    def uniform(self, _low, high):
        return high


class Shortest:
    """A random source that always gives the lower bound."""

    def uniform(self, low, _high):
        return low


def later(seconds):
    return NOW + datetime.timedelta(seconds=seconds)


def fail(breaker, effect=Effect.TRANSIENT, kind=Kind.DROP, at=0, rng=None, **options):
    return after_failure(breaker, effect, kind, later(at), rng or Longest(), **options)


def probe_until(breaker, times):
    """Fail so many probes, each as soon as it is allowed; return the breaker and the waits."""
    waits = []
    for _ in range(times):
        now = breaker.next_probe_at
        breaker = after_failure(lease(breaker, now), Effect.TRANSIENT, Kind.DROP, now, Longest())
        waits.append((breaker.next_probe_at - now).total_seconds())
    return breaker, waits


class TestOpening:
    def test_rejected_credentials_open_at_once_for_a_day(self):
        breaker = fail(Breaker(), Effect.DISCONNECTED, Kind.REPLY)
        assert allows(breaker, later(DAY - 1)) == "skip"
        assert allows(breaker, later(DAY)) == "probe"

    def test_rejected_credentials_outlast_a_probe_that_finds_the_server_down(self):
        breaker = fail(Breaker(), Effect.DISCONNECTED, Kind.REPLY)
        breaker = fail(lease(breaker, later(DAY)), Effect.TRANSIENT, Kind.TIMEOUT, at=DAY)
        assert breaker.reason_effect is Effect.DISCONNECTED

    def test_a_probe_of_rejected_credentials_that_fails_in_passing_is_repeated_soon(self):
        breaker = fail(Breaker(), Effect.DISCONNECTED, Kind.REPLY)
        waits = []
        for _ in range(8):
            at = (breaker.next_probe_at - NOW).total_seconds()
            breaker = fail(lease(breaker, later(at)), Effect.TRANSIENT, Kind.TIMEOUT, at=at)
            waits.append((breaker.next_probe_at - later(at)).total_seconds())
        assert waits == [60, 120, 240, 480, 960, 1920, HOUR, HOUR]
        assert breaker.reason_effect is Effect.DISCONNECTED
        breaker = fail(breaker, Effect.DISCONNECTED, Kind.REPLY)
        assert allows(breaker, later(DAY - 1)) == "skip"

    def test_a_temporary_trouble_opens_at_the_third_failed_connection(self):
        breaker = fail(fail(Breaker()), at=WINDOW - 1)
        assert allows(breaker, later(WINDOW)) == "send"
        breaker = fail(breaker, at=WINDOW)
        assert allows(breaker, later(WINDOW)) == "skip"

    def test_failures_far_apart_do_not_add_up(self):
        breaker = fail(fail(fail(Breaker()), at=1), at=WINDOW + 1)
        assert (breaker.state, breaker.failure_count) == (State.CLOSED, 1)
        assert breaker.first_failure_at == later(WINDOW + 1)

    def test_a_success_between_failures_starts_the_count_again(self):
        breaker = fail(after_success(fail(fail(Breaker()))))
        assert (breaker.state, breaker.failure_count) == (State.CLOSED, 1)

    def test_a_timeout_opens_at_once(self):
        assert fail(Breaker(), kind=Kind.TIMEOUT).state == State.OPEN

    def test_of_a_server_that_served_lately_the_second_timeout_opens(self):
        breaker = fail(Breaker(), kind=Kind.TIMEOUT, served_lately=True)
        assert (breaker.state, breaker.failure_count) == (State.CLOSED, 1)
        assert fail(breaker, kind=Kind.TIMEOUT, served_lately=True).state == State.OPEN

    def test_a_wrong_setting_opens_at_once_and_is_probed_within_the_hour(self):
        breaker = fail(Breaker(), Effect.MISCONFIGURED, Kind.CERTIFICATE)
        assert (breaker.state, breaker.next_probe_at) == (State.OPEN, later(HOUR))

    def test_a_daily_limit_opens_until_it_resets(self):
        breaker = fail(Breaker(), Effect.THROTTLED, Kind.REPLY, quota=True)
        assert breaker.next_probe_at == later(DAY)

    def test_why_it_opened_is_known(self):
        for options in ({"quota": True}, {"kind": Kind.TIMEOUT}, {}):
            assert fail(Breaker(), Effect.THROTTLED, **options).reason_effect is Effect.THROTTLED

    def test_the_first_wait_after_a_day_off_is_a_short_one(self):
        closed = after_success(fail(Breaker(), Effect.DISCONNECTED))
        assert fail(closed, kind=Kind.TIMEOUT).next_probe_at == later(60)

    @pytest.mark.parametrize(("asked", "wait"), [(30, 30), (0.5, SHORTEST_WAIT), (DAY + 1, DAY)])
    def test_a_server_is_left_alone_for_as_long_as_it_asks(self, asked, wait):
        breaker = fail(Breaker(), Effect.THROTTLED, Kind.ANSWER, retry_after=asked)
        assert (breaker.state, breaker.next_probe_at) == (State.OPEN, later(wait))
        assert (breaker.reason_effect, breaker.opened_at) == (Effect.THROTTLED, NOW)
        assert allows(breaker, NOW) == "skip"

    def test_rejected_credentials_are_not_tried_sooner_because_the_server_asks(self):
        breaker = fail(Breaker(), Effect.DISCONNECTED, Kind.ANSWER, retry_after=30)
        assert breaker.next_probe_at == later(DAY)

    def test_after_a_short_wait_that_a_server_asked_for_no_wait_is_shorter_than_usual(self):
        breaker = fail(Breaker(), Effect.THROTTLED, Kind.ANSWER, retry_after=5)
        assert fail(lease(breaker, later(5)), at=5).next_probe_at == later(65)

    def test_no_effect_changes_nothing(self):
        breaker = fail(Breaker(), kind=Kind.TIMEOUT)
        assert fail(breaker, Effect.NONE) is breaker


class TestProbing:
    def test_one_worker_alone_probes(self):
        breaker = fail(Breaker(), kind=Kind.TIMEOUT)
        due = breaker.next_probe_at
        assert allows(breaker, due) == "probe"
        leased = lease(breaker, due)
        assert (leased.state, leased.generation) == (State.HALF_OPEN, breaker.generation + 1)
        assert allows(leased, due) == "skip"

    def test_each_change_of_state_is_one_generation(self):
        opened = fail(Breaker(), kind=Kind.TIMEOUT)
        leased = lease(opened, later(60))
        again = fail(leased, kind=Kind.TIMEOUT, at=60)
        changes = opened, leased, again, after_success(again)
        assert [breaker.generation for breaker in changes] == [1, 2, 3, 4]

    def test_the_lease_of_a_worker_that_died_runs_out(self):
        leased = lease(fail(Breaker(), kind=Kind.TIMEOUT), later(60))
        assert allows(leased, later(60 + LEASE)) == "probe"
        again = lease(leased, later(60 + LEASE))
        assert again.generation > leased.generation

    def test_the_wait_doubles_up_to_an_hour(self):
        _breaker, waits = probe_until(fail(Breaker(), kind=Kind.TIMEOUT), 8)
        assert waits == [120, 240, 480, 960, 1920, 3600, 3600, 3600]

    def test_who_tries_out_of_turn_makes_nobody_wait_longer(self):
        opened = fail(Breaker(), kind=Kind.TIMEOUT)
        tried = fail(opened, at=0.5, kind=Kind.TIMEOUT)
        assert tried == dataclasses.replace(opened, failure_count=2)
        assert fail(opened, Effect.DISCONNECTED, at=0.5).delay == WAIT_OF_A_DAY
        assert fail(opened, at=FIRST_WAIT + 1).delay == 2 * FIRST_WAIT, "it was its turn"

    def test_the_wait_is_never_nothing(self):
        breaker = fail(Breaker(), kind=Kind.TIMEOUT, rng=Shortest())
        assert breaker.next_probe_at == later(SHORTEST_WAIT)

    def test_an_outage_keeps_its_beginning(self):
        breaker, _waits = probe_until(fail(Breaker(), kind=Kind.TIMEOUT), 30)
        assert (breaker.first_failure_at, breaker.opened_at) == (NOW, NOW)
        assert breaker.failure_count == 31

    def test_one_real_success_closes(self):
        leased = lease(fail(Breaker(), Effect.DISCONNECTED), later(DAY))
        closed = after_success(leased)
        assert closed == Breaker(generation=leased.generation + 1)

    def test_a_change_of_credentials_closes_and_outdates_what_is_under_way(self):
        assert after_change(Breaker()).generation == Breaker().generation + 1
        assert after_change(fail(Breaker(), Effect.DISCONNECTED)).state == State.CLOSED

    def test_a_success_on_a_healthy_mailbox_changes_nothing(self):
        assert after_success(Breaker()) == Breaker()


class TestOwnNetwork:
    def test_one_server_proves_nothing(self):
        assert not own_network_suspected([NOW], later(-1))

    def test_two_servers_that_fail_with_nothing_served_since_prove_it(self):
        assert own_network_suspected([later(0), later(9)], later(-1))
        assert own_network_suspected([later(0), later(9)], later(0))

    def test_a_server_that_served_somebody_meanwhile_disproves_it(self):
        assert not own_network_suspected([later(0), later(9)], later(5))
        assert not own_network_suspected([later(0), later(9)], later(10))

    def test_a_server_that_answers_is_no_network_failure(self):
        rejected = Failure.from_reply(Phase.BANNER, 554, b"no")
        assert not is_network_failure(rejected)
        assert is_network_failure(Failure(Phase.CONNECT, kind=Kind.REFUSED))
        assert is_network_failure(Failure(Phase.DNS, kind=Kind.UNKNOWN_HOST))
        assert is_network_failure(Failure(Phase.BANNER, kind=Kind.TIMEOUT))
        assert not is_network_failure(Failure(Phase.TOKEN, kind=Kind.TIMEOUT))
        assert not is_network_failure(Failure(Phase.DOT, kind=Kind.DROP))


class TestWhoseFault:
    @pytest.mark.parametrize(
        "phase", [Phase.DNS, Phase.CONNECT, Phase.TLS, Phase.BANNER, Phase.EHLO]
    )
    def test_what_fails_before_the_log_in_is_the_servers(self, phase):
        assert is_failure_of_server(Failure(phase, kind=Kind.TIMEOUT))

    @pytest.mark.parametrize("phase", [Phase.TOKEN, Phase.AUTH, Phase.MAIL, Phase.DOT])
    def test_what_fails_later_is_the_mailboxs(self, phase):
        assert not is_failure_of_server(Failure(phase, kind=Kind.TIMEOUT))

    def test_what_odoo_refuses_and_what_nobody_waits_for_is_not_the_servers(self):
        for kind in (Kind.PERSONAL_OFF, Kind.FROM_FILTER, Kind.DRILL, Kind.NO_TIME, Kind.INVALID):
            assert not is_failure_of_server(Failure(Phase.CONNECT, kind=kind))


class TestQueue:
    def test_a_mail_is_tried_for_two_days(self):
        assert not expired(NOW, later(2 * DAY - 1))
        assert expired(NOW, later(2 * DAY))
        assert expired(NOW, later(HOUR), hours=1)

    def test_the_waits_double_from_a_minute_to_an_hour(self):
        waits = [backoff(attempt, Longest()) for attempt in range(1, 9)]
        assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]
        assert backoff(0, Longest()) == 60

    def test_half_of_a_wait_is_left_to_chance(self):
        assert [backoff(attempt, Shortest()) for attempt in (1, 2, 7, 8)] == [30, 60, 1800, 1800]


steps = st.lists(
    st.tuples(
        st.sampled_from(["failure", "success", "probe", "change"]),
        st.sampled_from(list(Effect)),
        st.sampled_from(list(Kind)),
        st.integers(0, 2 * DAY),
        st.booleans(),
    ),
    max_size=30,
)


class TestAlways:
    @given(steps, st.integers())
    def test_whatever_happens_the_breaker_stays_sound(self, steps, seed):
        rng, now, breaker = random.Random(seed), NOW, Breaker()
        for step, effect, kind, seconds, quota in steps:
            now += datetime.timedelta(seconds=seconds)
            before = breaker
            if step == "failure":
                breaker = after_failure(breaker, effect, kind, now, rng, quota=quota)
            elif step == "success":
                breaker = after_success(breaker)
            elif step == "change":
                breaker = after_change(breaker)
            elif allows(breaker, now) == "probe":
                breaker = lease(breaker, now)
            assert breaker.generation >= before.generation
            if breaker.state != before.state:
                assert breaker.generation > before.generation
            if breaker.state == State.CLOSED:
                assert allows(breaker, now) == "send"
                assert breaker.next_probe_at is None
            elif breaker is not before:
                wait = (breaker.next_probe_at - now).total_seconds()
                assert SHORTEST_WAIT <= wait <= DAY
                assert breaker.opened_at <= now
                assert allows(breaker, now) == "skip"
                assert allows(breaker, breaker.next_probe_at) == "probe"

    @given(st.sampled_from(BAD), st.sampled_from(list(Kind)), st.integers())
    def test_after_a_success_the_past_is_forgotten(self, effect, kind, seed):
        rng = random.Random(seed)
        breaker = after_success(after_failure(Breaker(), effect, kind, NOW, rng))
        assert breaker == Breaker(generation=breaker.generation)

    @given(st.integers(0, 10**6), st.integers(), st.integers(1, 600))
    def test_the_queue_never_spins_and_never_forgets(self, attempt, seed, base):
        wait = backoff(attempt, random.Random(seed), base=base)
        assert base / 2 <= wait <= HOUR

    @given(st.lists(st.integers(0, 99)), st.integers(0, 99), st.integers(0, 99))
    def test_more_failures_never_clear_our_network_of_suspicion(self, failed, served, more):
        failed_at = [later(seconds) for seconds in failed]
        if own_network_suspected(failed_at, later(served)):
            assert own_network_suspected([*failed_at, later(more)], later(served))


def test_a_probe_that_is_due_next_year_was_planned_by_a_wrong_clock():
    breaker = fail(Breaker(), Effect.DISCONNECTED)
    assert allows(breaker, NOW) == "skip"
    assert allows(breaker, later(-365 * DAY)) == "probe"


def test_a_wait_and_a_lease_last_no_longer_though_the_clock_is_set_back():
    breaker = fail(Breaker(), kind=Kind.TIMEOUT)
    assert allows(breaker, later(-MOMENT)) == "skip"
    assert allows(breaker, later(-MOMENT - 1)) == "probe"
    leased = lease(breaker, NOW)
    assert allows(leased, later(-MOMENT)) == "skip"
    assert allows(leased, later(-MOMENT - 1)) == "probe"


def test_what_lasts_ends_on_time():
    assert still_lasts(later(1), NOW, 1)
    assert not still_lasts(NOW, NOW, 1)
    assert not still_lasts(later(2 + MOMENT), NOW, 1)
