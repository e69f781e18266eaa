"""The time for which a person waits while their mail is sent."""

import contextlib
import math
import time

ENOUGH = 1
"""Seconds. If less is left, no conversation begins: it would hardly come to its end. Half of the
time is always enough.
"""
SLOW = 2
"""Seconds for a connection and its first message. A mailbox that takes longer is *slow*."""
_CLOCKS_DIFFER = 0.05
"""Seconds by which a wait for the network may end too soon."""


class Budget:
    """The seconds that everything which one request does for its mail may take. Only the time
    within ``spending()`` counts.
    """

    def __init__(self, seconds=math.inf):
        self._half, self._left, self._since = seconds / 2, seconds, None

    @contextlib.contextmanager
    def spending(self):
        """Count the time within the block."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._left, self._since = self.left, None

    @property
    def left(self):
        """Seconds; negative when it is overdrawn."""
        return self._left - (time.monotonic() - self._since if self._since else 0)

    @property
    def is_limited(self):
        """Whether a person waits."""
        return self._left < math.inf

    @property
    def is_enough(self):
        """Whether a conversation may begin."""
        return self.left >= min(ENOUGH, self._half)

    def is_most(self, seconds):
        """Whether these seconds are more than half of it."""
        return seconds > self._half

    @property
    def is_used_up(self):
        """Whether what is going on must end."""
        return self.left < _CLOCKS_DIFFER
