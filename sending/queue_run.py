"""One run of Odoo's mail queue: whose turn is next, and how long it may take.

Each mailbox has a turn of a few seconds. What is not through by then, and the mail of mailboxes
that are known to be slow, makes way for all other mail. Then each of these has a last turn, alone.
"""

import math
import time

from odoo.tools import split_every

from ..failover.budget import LastTurn, Turn

QUEUE = "system_mail_queue"
"""The key of the context that has the QueueRun."""
TURN = 9.0
"""Seconds for the mail of one mailbox."""
WINDOW = 5.0
"""Seconds in which turns begin until the queue is looked at again, for mail that has come since."""
LAST_TURN = 13.0
"""Seconds for a mail that has made way, of each of its mailboxes."""
LONG_LAST_TURN = 180.0
"""Likewise, where it has failed before, and the worker's time allows it."""
AFTER_DOT = 10.0
"""Seconds of a long turn that are kept for the reply to the final dot."""
BATCH = 50
"""Mails in one turn."""
SHARE = 0.6
"""After this share of its time, a run owes a turn to mail that has made way."""


class QueueRun:
    """Decides what is sent next, and remembers what has made way."""

    def __init__(self, seconds, is_scheduled, slow_server_ids, mark):
        """
        :param float seconds: which the worker has left; may be infinite
        :param bool is_scheduled: the process goes on after this run, and can wait for late replies
        :param slow_server_ids: returns the ids of the mailboxes that are slow now
        :param mark: ``mark(groups)`` stores which mails are being sent, in this order: ids, or
            lists of ids whose order is not known yet
        """
        self._began = time.monotonic()
        self._seconds, self._end = seconds, self._began + seconds
        self._is_scheduled = is_scheduled
        self._slow_server_ids, self._mark = slow_server_ids, mark
        self._budget, self._window_ends, self._is_last = None, 0.0, False
        self._begun, self._has_had_last_turn = set(), False
        self.aside = []
        """The ids of the mails that have made way, in the order of their last turns."""
        self.seen = set()
        """The ids of the mails that this run does not take again with others."""
        self.failed = set()
        """The ids of the mails that were sent when Odoo met an error which ended that."""
        self.is_marked = False
        """Whether the stored mark says what is being sent; a mail that is put off is not."""

    @classmethod
    def of(cls, env):
        """The run that is going on, or None. A context key that came by RPC is not one: that is
        plain data, and this must be an object of ours.
        """
        run = env.context.get(QUEUE)
        return run if isinstance(run, cls) else None

    @property
    def may_begin(self):
        """Whether there is time for another turn: the second half is for what has begun."""
        left = self._end - time.monotonic()
        return left == math.inf or left > max(self._seconds / 2, LAST_TURN)

    @property
    def owes_last_turn(self):
        """Whether mail that has made way is next, though other mail is due."""
        is_late = time.monotonic() > self._began + self._seconds / 2 * SHARE
        return bool(self.aside) and is_late and not self._has_had_last_turn

    def begin_turns(self, ids):
        """Begin with mails of many authors.

        :param ids: what they have in common is read before the first of them is sent
        """
        self._mark([ids])
        self._is_last, self._begun = False, set()
        self._window_ends = time.monotonic() + WINDOW
        self._budget = Turn(TURN, self._end, self._is_scheduled)

    def begin_last_turn(self, id_, has_failed_before):
        """Begin with a mail for which all others have made way."""
        self._mark([id_])
        self._is_last = self._has_had_last_turn = True
        left = self._end - time.monotonic() - AFTER_DOT
        longest = min(LONG_LAST_TURN, left) if has_failed_before else LAST_TURN
        self._budget = LastTurn(max(longest, LAST_TURN), self._end, self._is_scheduled)

    def budget(self):
        """The time of the turn that has begun.

        :rtype: Budget
        """
        return self._budget

    def in_turn(self, batches):
        """Yield those of the batches that may be sent now, the smallest first. The mail of slow
        mailboxes makes way.

        :param batches: as ``mail.mail._split_by_mail_configuration`` yields them
        """
        batches, self.is_marked = list(batches), False
        if not self._is_last:
            batches = self._without_slow(batches)
            batches.sort(key=lambda batch: len(batch[-1]))
        parts = [
            (*configuration, list(part))
            for *configuration, ids in batches
            for part in split_every(BATCH, ids)
        ]
        while parts and (self._is_last or time.monotonic() < self._window_ends):
            if not self.is_marked:
                self._mark([id_ for *_configuration, ids in parts for id_ in ids])
                self.is_marked = True
            part = parts.pop(0)
            self._begun.update(part[-1])
            yield part

    def _without_slow(self, batches):
        slow = self._slow_server_ids()
        for server_id, *_configuration, ids in batches:
            if server_id in slow:
                self._make_way(ids)
        return [batch for batch in batches if batch[0] not in slow]

    def end_turns(self, ids, due_ids):
        """Have those that had their turn and are not through make way. Where none had one,
        something is wrong with one of them: then all do so.

        :param ids: of the mails with which the turns began
        :param due_ids: those of them that are still due
        """
        had_turn = self._begun or set(ids)
        self._make_way([id_ for id_ in due_ids if id_ in had_turn])

    def _make_way(self, ids):
        new = [id_ for id_ in ids if id_ not in self.seen]
        self.aside += new
        self.seen.update(new)
