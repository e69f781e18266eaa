"""The reply to a message's final dot, where it comes later than a person waits."""

import math
import threading
import time
import weakref

from .connection import CONNECTION_ERRORS, leave

PAUSE = 0.1
"""Seconds between two looks whether there is room."""
PAUSES = 5
LAST_LOOK = 1.0
"""Seconds for reading a reply that is there."""


class LateReplies:
    """The connections of this process whose replies may come late. Each may keep a thread and a
    socket busy for minutes, so there are only so many; and people, who choose their servers, take
    neither each other's places nor those of the company's mailboxes.
    """

    def __init__(self, most, of_people=math.inf, of_one=math.inf):
        """
        :param int most: connections at once
        :param int of_people: of all that have an owner
        :param int of_one: of one owner
        """
        self._most, self._of_people, self._of_one = most, of_people, of_one
        self._lock = threading.Lock()
        self._owners = weakref.WeakKeyDictionary()  # what nobody has any more takes no room

    def admit(self, connection, owner=None):
        """Let the connection begin a message, if there is room; wait a moment for it, since most
        messages are quick.

        :param owner: whose mailbox it is; None: the company's
        :return: whether it may
        """
        for pause in range(PAUSES):
            time.sleep(PAUSE if pause else 0)
            with self._lock:
                if self._has_room(owner):
                    self._owners[connection] = owner
                    return True
        return False

    def _has_room(self, owner):
        owners = [*self._owners.values()]
        of_people = [other for other in owners if other is not None]
        return len(owners) < self._most and (
            owner is None
            or (len(of_people) < self._of_people and of_people.count(owner) < self._of_one)
        )

    def leave(self, connection):
        """The connection has its reply, or is left."""
        with self._lock:
            self._owners.pop(connection, None)


class LateReply:
    """A reply that has not come yet. Whoever waits for it keeps the connection, and nothing more.

    Until it is known, nobody knows whether the message was accepted.
    """

    def __init__(self, connection, late_replies):
        """
        :param Connection connection: it has just sent the dot
        :param LateReplies late_replies: where it has its place
        """
        self._connection, self._late_replies = connection, late_replies
        self._sent_at = connection.trace.deadline - connection.trace.patience.dot

    @property
    def seconds(self):
        """How long ago the message was sent."""
        return time.monotonic() - self._sent_at

    @property
    def certificate(self):
        """What the server showed (``Trace``)."""
        return self._connection.trace.certificate

    def wait(self, seconds):
        """Wait for so many seconds at most.

        :return: whether it has come, or will never come
        """
        return self._connection.await_reply(seconds)

    def failure(self):
        """Read it, and close the connection.

        :return: None if the server has accepted the message; otherwise the Failure, also if the
            reply has not come
        """
        trace = self._connection.trace
        trace.deadline = time.monotonic() + LAST_LOOK
        try:
            self._connection.end_of_content()
        except CONNECTION_ERRORS as exc:
            return trace.failure(exc)
        finally:
            self.close()
        return None

    def close(self):
        """Leave the server, whatever it would have said."""
        leave(self._connection)
        self._late_replies.leave(self._connection)
