"""Trying a mailbox without a message."""

from .connection import CONNECTION_ERRORS, is_yes, leave, watching
from .failure import Failure, Phase
from .https_api import ApiConnection


def probe(connect, patience, sender=None, on_success=None):
    """Connect, log in, and ask for an answer.

    :param connect: opens a logged-in connection, as for ``Route``; None means sending is disabled
    :param Patience patience: ``log_in`` bounds all of it
    :param str sender: an address: may this log-in send from it?
    :param on_success: called with the server's certificate (``Trace``) where nothing failed
    :return: what failed, or None
    :rtype: Failure | None
    """
    with watching(patience) as trace:
        try:
            connection = connect()
            if connection is not None:
                failure = _ask(connection, trace, sender)
                if on_success and not failure:
                    on_success(trace.certificate)
                return failure
        except CONNECTION_ERRORS as exc:
            return trace.failure(exc)
        finally:
            if trace.connection is not None:
                leave(trace.connection)
    return None


def _ask(connection, trace, sender):
    if isinstance(connection, ApiConnection):
        return connection.refusal()
    if trace.phase is Phase.AUTH:  # it went well: nothing more is said of it, nor of the server
        trace.phase = Phase.MAIL
    code, reply = connection.noop()
    phase = max(trace.phase, Phase.EHLO)
    if is_yes(code) and sender:
        code, reply = connection.mail(sender)
        phase = Phase.MAIL
    return None if is_yes(code) else Failure.from_reply(phase, code, reply, secrets=trace.secrets)
