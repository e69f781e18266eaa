"""The pace of log-ins at a server that has rejected passwords.

Servers defend themselves against who tries many passwords. Dovecot makes the next log-ins from the
same address wait, longer each time; fail2ban locks the address out after five in ten minutes. Both
would hurt all our mailboxes there, so our own log-ins wait before. Pure functions, as ``breaker``.
"""

import dataclasses
import datetime

FREE = 2
"""So many passwords may be rejected before log-ins wait. Dovecot then lets the next one wait for 8
seconds, which is within our patience."""
FIRST_PAUSE = 120
"""Seconds; doubled with each further rejection, up to WINDOW. So fail2ban never counts five within
ten minutes."""
WINDOW = 600
"""Seconds after which the rejections are forgotten."""
TURN = 60
"""Seconds that one worker has for the log-in that ends a pause."""


@dataclasses.dataclass(frozen=True)
class Pace:
    """The rejected passwords of one server, and what follows from them."""

    rejected: int = 0
    first_at: datetime.datetime | None = None
    """When the first of them was rejected. A mailbox that worked since has the right password."""
    last_at: datetime.datetime | None = None
    next_at: datetime.datetime | None = None
    """Until then, no mailbox that is not proven logs in."""


def allows(pace, now):
    """``"send"``, ``"skip"``, or ``"turn"``: the one worker that takes the turn may log in."""
    if pace.next_at is None or is_forgotten(pace, now):
        return "send"
    return "skip" if now < pace.next_at else "turn"


def take_turn(pace, now):
    """The pace while one worker logs in."""
    return dataclasses.replace(pace, next_at=_after(now, TURN))


def after_turn(pace):
    """The pace after the log-in that ended a pause worked: others may follow."""
    return dataclasses.replace(pace, next_at=None)


def after_rejection(pace, now, was_known=False):
    """The pace after a password was rejected.

    :param bool was_known: it was rejected before, too, and is tried once a day: no reason to pause
    """
    pace = Pace() if is_forgotten(pace, now) else pace
    rejected = pace.rejected + 1
    if was_known:
        return dataclasses.replace(
            pace, rejected=max(pace.rejected, 1), first_at=pace.first_at or now, last_at=now
        )
    pause = min(FIRST_PAUSE * 2 ** max(rejected - FREE, 0), WINDOW)
    next_at = _after(now, pause) if rejected >= FREE else None
    return Pace(rejected, pace.first_at or now, now, next_at)


def is_forgotten(pace, now):
    """Whether the rejections no longer count: they are long ago, or the clock was set back."""
    return pace.last_at is None or not pace.last_at <= now < _after(pace.last_at, WINDOW + 1)


def _after(now, seconds):
    return now + datetime.timedelta(seconds=seconds)
