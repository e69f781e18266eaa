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

    end = math.inf
    """When (``time.monotonic()``) even the wait for the reply to the final dot must be over."""

    def __init__(self, seconds=math.inf):
        self._half, self._left, self._since = seconds / 2, seconds, None

    def renew(self):
        """Begin anew, for the next mailbox.

        :return: whether it did: a person's time is never renewed
        """
        return False

    def for_another_mailbox(self):
        """What System Mail may take where this is for the author's mailbox.

        :rtype: Budget
        """
        return self

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
    def may_leave(self):
        """Whether somebody else may wait for the reply to the final dot when it is over."""
        return self.is_limited

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


class Turn(Budget):
    """The seconds for which the mail of one mailbox may hold up the mail queue. What is not through
    by then is left for its last turn.
    """

    may_leave = True

    def __init__(self, seconds, end, may_leave):
        """:param: ``end`` and ``may_leave`` as Budget has them"""
        super().__init__(seconds)
        self._seconds, self.end, self.may_leave = seconds, end, may_leave

    def renew(self):
        self._left = self._seconds
        return True


class LastTurn(Budget):
    """The seconds for a mail for which all others have made way. When they are over, the server has
    taken too long: that is its failure. They begin with the first question for them.
    """

    is_limited = False
    is_used_up = False
    may_leave = True
    _began = None

    def __init__(self, seconds, end, may_leave):
        """:param: ``end`` and ``may_leave`` as Budget has them"""
        super().__init__(seconds)
        self._seconds, self.end, self.may_leave = seconds, end, may_leave

    def for_another_mailbox(self):
        return LastTurn(self._seconds, self.end, self.may_leave)

    def spending(self):
        return contextlib.nullcontext()

    @property
    def left(self):
        self._began = self._began or time.monotonic()
        return self._began + self._seconds - time.monotonic()

    @property
    def is_enough(self):
        """Half of it is left: a message that takes longer than that is the first one."""
        return self.left >= self._half
