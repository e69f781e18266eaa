"""The circuit breaker of a mailbox or of a server: when it is skipped, and when it is tried again.

Pure functions: the caller passes ``now`` (naive UTC datetimes, as Odoo keeps them) and ``rng`` (a
``random.Random``), and stores the Breaker. Durations are seconds.

A breaker is *closed* (what it is for is in use), *open* (skipped until ``next_probe_at``) or *half
open* (one worker probes it, that is, tries whether it works again; the worker's lease ends at
``next_probe_at``). ``generation`` grows whenever the state changes: the caller drops the result of
an attempt that began at an earlier generation.
"""

import dataclasses
import datetime

from .failure import Effect, Kind, Phase, Word

HOUR, DAY = 3600, 86400
THRESHOLD = 3
"""So many failed connections within WINDOW open a breaker."""
WINDOW = 600
"""Counted from the first failure. A failure after its end starts a new window."""

# How long a mailbox is skipped. Every wait shorter than a day is made random, between SHORTEST_WAIT
# and the time given here: mailboxes that failed together are not all tried at once.
SHORTEST_WAIT = 1
FIRST_WAIT = 60
"""For what mends itself; doubled with each further failure, up to LONGEST_WAIT."""
LONGEST_WAIT = HOUR
"""For what mends itself, and at once for a wrong setting."""
WAIT_OF_A_DAY = DAY
"""For rejected credentials, and for a limit of the day: nothing sooner would help."""
LEASE = 180
"""How long one worker may probe; more than a worker may take for a message (limit_time_real)."""
MOMENT = 60
"""What ends so much later than it can still counts: two workers may not ask the clock at once."""
GIVE_UP_HOURS = 48
NETWORK_NEEDS_HOSTS = 2
_MOST_DOUBLINGS = 32


class State(Word):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclasses.dataclass(frozen=True)
class Breaker:
    """The breaker of one mailbox, or of one server."""

    state: State = State.CLOSED
    failure_count: int = 0
    """Failed connections since the last success (while closed: within the window)."""
    first_failure_at: datetime.datetime | None = None
    opened_at: datetime.datetime | None = None
    next_probe_at: datetime.datetime | None = None
    delay: float = 0
    """The upper bound of the wait before the next probe; ``next_probe_at`` has the random one."""
    generation: int = 0
    reason_effect: Effect = Effect.NONE


def allows(breaker, now):
    """``"send"``, ``"skip"``, or ``"probe"``: the one worker that gets the lease may try."""
    if breaker.state == State.CLOSED:
        return "send"
    longest = LEASE if breaker.state == State.HALF_OPEN else breaker.delay
    until = breaker.next_probe_at
    return "skip" if until and still_lasts(until, now, longest) else "probe"


def still_lasts(until, now, longest):
    """Whether a wait, or a lease, that ends at ``until`` is not over yet. If it ends later than it
    ever can, it began before the clock was set back: then it is over.

    :param datetime now: may be some seconds old
    :param float longest: seconds that it lasts at most
    """
    return now < until <= _after(now, longest + MOMENT)


def lease(breaker, now):
    """The breaker while one worker probes. If that worker dies, the lease ends after LEASE."""
    return dataclasses.replace(
        breaker,
        state=State.HALF_OPEN,
        next_probe_at=_after(now, LEASE),
        generation=breaker.generation + 1,
    )


def after_success(breaker):
    """The breaker after a success: closed, without failures."""
    closed = breaker.state == State.CLOSED
    return Breaker(generation=breaker.generation + (not closed))


def after_change(breaker):
    """The breaker after the credentials or settings changed: closed. Results of attempts that
    began before the change are dropped.
    """
    return Breaker(generation=breaker.generation + 1)


def after_failure(
    breaker, effect, kind, now, rng, *, quota=False, retry_after=None, served_lately=False
):
    """The breaker after a failed connection. Call it once for each connection, not for each mail.

    :param Effect effect: of the Decision; NONE changes nothing
    :param Kind kind: of the Failure
    :param bool quota: of the Decision: a limit of the day is reached. Providers do not say when
        they lift it. Gmail, Microsoft 365 and SES count the last 24 hours, so after a day the
        mailbox can send again.
    :param float retry_after: of the Failure; a day is the longest that is believed
    :param bool served_lately: it worked within the last minute: one time-out opens nothing
    """
    if effect is Effect.NONE:
        return breaker
    was_disconnected = breaker.reason_effect is Effect.DISCONNECTED
    # Rejected credentials stay the reason while nothing new is known of them.
    reason = Effect.DISCONNECTED if was_disconnected else effect
    if retry_after and effect is not Effect.DISCONNECTED:
        wait = min(max(SHORTEST_WAIT, retry_after), WAIT_OF_A_DAY)
        return _opened(breaker, reason, now, wait, _after(now, wait))
    if quota or effect is Effect.DISCONNECTED:
        return _opened(breaker, reason, now, WAIT_OF_A_DAY, _after(now, WAIT_OF_A_DAY))
    closed = breaker.state == State.CLOSED
    if closed and effect not in _ENDURING:
        counted = _counted(breaker, effect, now)
        needed = THRESHOLD if kind is not Kind.TIMEOUT else 2 if served_lately else 1
        if counted.failure_count < needed:
            return counted
    had_day = breaker.delay > LONGEST_WAIT
    out_of_turn = breaker.state == State.OPEN and allows(breaker, now) == "skip"
    if out_of_turn and not had_day and effect not in _ENDURING:
        return _counted(breaker, reason, now)  # nobody waits longer because somebody tried again
    delay = FIRST_WAIT if closed or had_day else min(2 * breaker.delay, LONGEST_WAIT)
    delay = LONGEST_WAIT if effect in _ENDURING else max(FIRST_WAIT, delay)
    wait = rng.uniform(SHORTEST_WAIT, delay)
    return _opened(breaker, reason, now, delay, _after(now, wait))


_ENDURING = {Effect.MISCONFIGURED, Effect.PROVIDER_MISCONFIGURED}


def _counted(breaker, effect, now):
    """The breaker with one more failure counted."""
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
    """True if our own network may be the cause: the server did not answer at all."""
    return Phase.DNS <= failure.phase <= Phase.BANNER and failure.kind in _NETWORK


_NETWORK = {Kind.UNKNOWN_HOST, Kind.REFUSED, Kind.TIMEOUT, Kind.DROP}


def is_failure_of_server(failure):
    """True if the failure speaks for the server, not for one mailbox there: it happened before the
    log-in.
    """
    return Phase.DNS <= failure.phase <= Phase.EHLO and failure.kind in _OF_SERVER


_OF_SERVER = {
    *_NETWORK,
    Kind.REPLY,
    Kind.GARBAGE,
    Kind.CERTIFICATE,
    Kind.HANDSHAKE,
    Kind.NOT_OFFERED,
}


def own_network_suspected(failed_at, served_at):
    """True if our own network is the likely cause: then no mailbox and no server is blamed.

    That is so if two servers have begun to fail, and none has served anybody since. A single server
    proves nothing.

    :param failed_at: when each of the servers that began to fail within the last minutes last did
        not answer at all (``is_network_failure``)
    :param datetime served_at: when any server last served somebody
    """
    return sum(at >= served_at for at in failed_at) >= NETWORK_NEEDS_HOSTS


def backoff(attempt, rng, base=FIRST_WAIT, cap=LONGEST_WAIT):
    """Seconds until a queued mail is tried again. They double from ``base`` up to ``cap``.

    The result is random, between half of that and all of it: mails that failed together are not
    all tried at once.

    :param int attempt: 1 for the first retry
    """
    longest = min(cap, base * 2 ** min(max(attempt, 1) - 1, _MOST_DOUBLINGS))
    return rng.uniform(longest / 2, longest)


def expired(first_failure_at, now, hours=GIVE_UP_HOURS):
    """True if a mail has been tried for ``hours``. It then fails, and people see that."""
    return now >= first_failure_at + datetime.timedelta(hours=hours)


def _after(now, seconds):
    return now + datetime.timedelta(seconds=seconds)
