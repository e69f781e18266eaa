"""The reply to a message's final dot, where it comes later than a person waits."""

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
    socket busy for minutes, so there are only so many.
    """

    def __init__(self, most):
        """:param int most: connections at once"""
        self._most, self._lock = most, threading.Lock()
        self._connections = weakref.WeakSet()  # what nobody has any more takes no room

    def admit(self, connection):
        """Let the connection begin a message, if there is room; wait a moment for it, since most
        messages are quick.

        :return: whether it may
        """
        for pause in range(PAUSES):
            time.sleep(PAUSE if pause else 0)
            with self._lock:
                if len(self._connections) < self._most:
                    self._connections.add(connection)
                    return True
        return False

    def leave(self, connection):
        """The connection has its reply, or is left."""
        with self._lock:
            self._connections.discard(connection)


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
