"""How log-ins wait at a server that rejects passwords."""

import datetime

from ..failover.pace import (
    FIRST_PAUSE,
    FREE,
    TURN,
    WINDOW,
    Pace,
    after_rejection,
    after_turn,
    allows,
    is_forgotten,
    take_turn,
)

NOW = datetime.datetime(2025, 5, 3, 9, 14)
BAN, IN = 5, 600
"""fail2ban, as it comes, locks out after so many rejections in so many seconds."""


def later(seconds):
    return NOW + datetime.timedelta(seconds=seconds)


def rejected(*times):
    pace = Pace()
    for seconds in times:
        pace = after_rejection(pace, later(seconds))
    return pace


def test_a_few_wrong_passwords_hold_up_nobody():
    assert allows(Pace(), NOW) == "send"
    assert allows(rejected(*[0] * (FREE - 1)), NOW) == "send"


def test_more_of_them_make_the_others_wait_and_then_one_alone_may_try():
    pace = rejected(*[0] * FREE)
    assert allows(pace, later(FIRST_PAUSE - 1)) == "skip"
    assert allows(pace, later(FIRST_PAUSE)) == "turn"
    taken = take_turn(pace, later(FIRST_PAUSE))
    assert allows(taken, later(FIRST_PAUSE)) == "skip"
    assert allows(taken, later(FIRST_PAUSE + TURN)) == "turn", "that worker has died"
    assert allows(after_turn(taken), later(FIRST_PAUSE)) == "send"


def test_a_rejection_after_a_turn_makes_them_wait_longer():
    pace = after_rejection(after_turn(rejected(*[0] * FREE)), later(FIRST_PAUSE))
    assert allows(pace, later(3 * FIRST_PAUSE - 1)) == "skip"
    assert allows(pace, later(3 * FIRST_PAUSE)) == "turn"


def test_fail2ban_never_counts_enough_though_every_password_is_wrong():
    pace, times = Pace(), []
    for second in range(24 * 3600):
        if allows(pace, later(second)) != "skip":
            pace = after_rejection(pace, later(second))
            times.append(second)
    assert len(times) > 24 * 6 / 2, "it goes on all the same"
    assert all(last - first > IN for first, last in zip(times, times[BAN - 1 :], strict=False))


def test_a_password_known_to_be_wrong_holds_up_nobody():
    pace = Pace()
    for second in range(9):
        pace = after_rejection(pace, later(second), was_known=True)
    assert (pace.rejected, allows(pace, later(9))) == (1, "send")


def test_the_first_and_the_last_rejection_are_remembered():
    pace = rejected(0, 1)
    assert (pace.first_at, pace.last_at) == (NOW, later(1))
    again = after_rejection(pace, later(2), was_known=True)
    assert (again.first_at, again.last_at) == (NOW, later(2))
    known = after_rejection(Pace(), NOW, was_known=True)
    assert (known.first_at, known.last_at) == (NOW, NOW)


def test_rejections_are_forgotten_also_by_a_clock_set_back():
    pace = rejected(*[0] * FREE)
    assert not is_forgotten(pace, later(WINDOW))
    assert is_forgotten(pace, later(WINDOW + 1))
    assert is_forgotten(pace, later(-1))
    assert after_rejection(pace, later(WINDOW + 1)).rejected == 1
