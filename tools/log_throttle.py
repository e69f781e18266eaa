"""Fewer lines in the log, when very many things fail in the same way."""

import threading
import time

LINES = 5
"""So many of a kind in each WINDOW."""
WINDOW = 60
"""Seconds."""
MOST_KINDS = 1000


class LogThrottle:
    """Lets some lines of each kind through, and counts the others."""

    def __init__(self):
        self._lock = threading.Lock()
        self._kinds = {}

    def admit(self, kind):
        """Ask for a line.

        :param kind: anything hashable
        :return: None if the line must not be logged; otherwise how many of its kind were left out
            before it
        """
        now = time.monotonic()
        with self._lock:
            if len(self._kinds) >= MOST_KINDS and kind not in self._kinds:
                self._kinds.clear()
            begin, told, left_out = self._kinds.get(kind, (now, 0, 0))
            if now - begin >= WINDOW:
                begin, told = now, 0
            admitted = told < LINES
            self._kinds[kind] = (begin, told + admitted, 0 if admitted else left_out + 1)
        return left_out if admitted else None
