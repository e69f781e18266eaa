"""The arithmetic of the circuit breaker: when a mailbox is left alone, and when it is tried again.

Pure: the caller hands in ``now`` (naive UTC datetimes, as Odoo keeps them) and ``rng`` (its
``uniform`` is used), and keeps the Breaker in its database. Durations are seconds.

A mailbox is *closed* (in use), *open* (skipped until ``next_probe_at``) or *half open* (one worker
tries it; its lease ends at ``next_probe_at``). ``generation`` grows whenever the state changes: the
caller drops the result of an attempt that began at an earlier generation.
"""

import dataclasses
import datetime

from .failure import Effect, Kind, Phase, Word

BASE, HOUR, DAY = 60, 3600, 86400
THRESHOLD = 3
"""Failed connections within WINDOW that open a breaker."""
WINDOW = 600
"""Counted from the first failure; a later one starts a new window."""
SHORTEST_WAIT = 1
LONGEST_WAIT = DAY + HOUR
"""A probe that is due later was written before the clock was set back: it is due now."""
LEASE = 180
"""A probe's time: longer than any worker may take for one message (limit_time_real)."""
GIVE_UP_HOURS = 48
MOST_NEEDS_HOSTS = 3
DNS_NEEDS_HOSTS = 2


class State(Word):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclasses.dataclass(frozen=True)
class Breaker:
    """One mailbox's breaker."""

    state: State = State.CLOSED
    failure_count: int = 0
    """Failed connections since the last success (while closed: within the window)."""
    first_failure_at: datetime.datetime | None = None
    opened_at: datetime.datetime | None = None
    next_probe_at: datetime.datetime | None = None
    delay: float = 0
    """The longest wait before the next probe; ``next_probe_at`` holds the jittered one."""
    generation: int = 0
    reason_effect: Effect = Effect.NONE


def allows(breaker, now):
    """``"send"``, ``"skip"``, or ``"probe"``: the one worker that gets the lease may try."""
    if breaker.state == State.CLOSED:
        return "send"
    return "skip" if now < breaker.next_probe_at < _after(now, LONGEST_WAIT) else "probe"


def lease(breaker, now):
    """The breaker while one worker probes; if that worker dies, the lease runs out."""
    return dataclasses.replace(
        breaker,
        state=State.HALF_OPEN,
        next_probe_at=_after(now, LEASE),
        generation=breaker.generation + 1,
    )


def after_success(breaker):
    """One real success closes it and forgets the failures."""
    closed = breaker.state == State.CLOSED
    return Breaker(generation=breaker.generation + (not closed))


def after_change(breaker):
    """The credentials or settings changed: in use again, and no late result counts."""
    return Breaker(generation=breaker.generation + 1)


def after_failure(breaker, effect, kind, now, rng, *, quota=False):
    """A connection failed: call it once per connection, not per mail.

    :param Effect effect: of the Decision; NONE changes nothing
    :param Kind kind: of the Failure
    :param bool quota: of the Decision. Then a day is waited: providers do not say when they lift
        it; Gmail, Microsoft 365 and SES count a rolling 24 hours, so a day is never too early.
    """
    if effect is Effect.NONE:
        return breaker
    if Effect.DISCONNECTED in (effect, breaker.reason_effect):
        # An unreachable server does not give the rejected credentials their worth back.
        return _opened(breaker, Effect.DISCONNECTED, now, DAY, _after(now, DAY))
    if quota:
        return _opened(breaker, effect, now, DAY, _after(now, DAY))
    closed = breaker.state == State.CLOSED
    if closed and effect not in _ENDURING and kind is not Kind.TIMEOUT:
        counted = _counted(breaker, effect, now)
        if counted.failure_count < THRESHOLD:
            return counted
    delay = BASE if closed else min(max(BASE, 2 * breaker.delay), HOUR)
    delay = HOUR if effect in _ENDURING else delay
    wait = max(SHORTEST_WAIT, rng.uniform(0, delay))
    return _opened(breaker, effect, now, delay, _after(now, wait))


_ENDURING = {Effect.MISCONFIGURED, Effect.PROVIDER_MISCONFIGURED}


def _counted(breaker, effect, now):
    """The breaker with one failure more."""
    first, count = breaker.first_failure_at, breaker.failure_count
    if first is None or (breaker.state == State.CLOSED and now > _after(first, WINDOW)):
        first, count = now, 0
    return dataclasses.replace(
        breaker, first_failure_at=first, failure_count=count + 1, reason_effect=effect
    )


def _opened(breaker, effect, now, delay, next_probe_at):
    return dataclasses.replace(
        _counted(breaker, effect, now),
        state=State.OPEN,
        opened_at=breaker.opened_at or now,
        next_probe_at=next_probe_at,
        delay=delay,
        generation=breaker.generation + 1,
    )


def is_network_failure(failure):
    """True where the cause may be our own network: no word came from the server."""
    return Phase.DNS <= failure.phase <= Phase.BANNER and failure.kind in _NETWORK


_NETWORK = {Kind.UNKNOWN_HOST, Kind.REFUSED, Kind.TIMEOUT, Kind.DROP}


def own_network_suspected(hosts_tried, hosts_failed, hosts_unresolved):
    """True when the trouble looks like ours: no breaker should open then.

    Numbers of distinct servers within the last minutes: tried, failed without a word from the
    server (``is_network_failure``; those unresolved included), and unresolved. More than half of
    at least three failed, or no name of at least two could be resolved. One server alone proves
    nothing.
    """
    most = hosts_tried >= MOST_NEEDS_HOSTS and 2 * hosts_failed > hosts_tried
    no_dns = hosts_tried >= DNS_NEEDS_HOSTS and hosts_unresolved >= hosts_tried
    return most or no_dns


def backoff(attempt, rng, base=BASE, cap=HOUR):
    """Seconds until a queued mail is tried again: doubling from ``base`` to ``cap``.

    Between half of it and all of it, so that the mails of an outage spread, yet none spins.

    :param int attempt: 1 for the first retry
    """
    longest = min(cap, base * 2 ** min(max(attempt, 1) - 1, 32))
    return rng.uniform(longest / 2, longest)


def expired(first_failure_at, now, hours=GIVE_UP_HOURS):
    """True once a mail has been tried for ``hours``: it fails, visibly."""
    return now >= first_failure_at + datetime.timedelta(hours=hours)


def _after(now, seconds):
    return now + datetime.timedelta(seconds=seconds)
