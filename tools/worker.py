"""How long the worker that runs a scheduled action may still go on before Odoo kills it."""

import contextlib
import math
import threading
import time
import weakref

from odoo.service.server import SLEEP_INTERVAL
from odoo.tools import config

LONGEST_SLEEP = SLEEP_INTERVAL + 10
"""Seconds for which a worker may have waited for work. Its watchdog counts them, too."""
MARGIN = 20
"""Seconds that are kept for storing the results, and for the actions after this one."""


class _Round(threading.local):
    """What this thread runs for one database, one scheduled action after the other."""

    cursor, began, slept, ended = None, 0.0, LONGEST_SLEEP, -math.inf


_round = _Round()


@contextlib.contextmanager
def scheduled_action(cursor):
    """Note when a scheduled action begins and ends: those before it count, too.

    :param cursor: the one that locks the action. Odoo has one for all of a round
    """
    if _round.cursor is None or _round.cursor() is not cursor:
        _round.cursor, _round.began = weakref.ref(cursor), time.monotonic()
        _round.slept = min(LONGEST_SLEEP, _round.began - _round.ended)
    try:
        yield
    finally:
        _round.ended = time.monotonic()


def time_limit():
    """Seconds that a scheduled action may take; 0 if there is no limit."""
    limit = config["limit_time_real_cron"]
    return limit if limit and limit > 0 else config["limit_time_real"]


def seconds_left():
    """Seconds that the scheduled action which runs in this thread may still take, without MARGIN;
    infinite if there is no limit. A server with threads notes when a thread began; a worker process
    is watched since it last waited for work.
    """
    limit = time_limit()
    if not limit:
        return math.inf
    began = getattr(threading.current_thread(), "start_time", None)
    spent = time.time() - began if began else _round.slept + time.monotonic() - _round.began
    return max(0, limit - spent - min(MARGIN, limit / 6))
