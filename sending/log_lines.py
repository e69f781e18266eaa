"""Odoo's log lines about the mail that a run sends, as it really was.

Odoo logs the server that it chose, and knows neither which mailbox sent a message nor that it
waits. Lines that would be wrong are replaced while the run sends; no other line is touched.
"""

import collections
import contextlib
import contextvars
import logging
import sys

from ..failover.policy import Fate
from ..failover.session import AT_ONCE, Unwatched
from ..failover.words import describe

_current = contextvars.ContextVar("system_mail_run", default=None)
_FATES = {
    Fate.DEFERRED: "waiting",
    Fate.AWAITED: "waiting for the server's confirmation",
    Fate.HELD: "held: it may have been delivered",
    Fate.FAILED: "failed",
}


@contextlib.contextmanager
def told_as_it_is(ledger):
    """Replace Odoo's wrong lines within the block.

    :param Ledger ledger: knows what became of each message; None: nothing is replaced
    """
    token = _current.set(ledger)
    try:
        yield
    finally:
        _current.reset(token)


def _delivery_failed(record, ledger):
    """The line "Mail delivery failed via SMTP server 'None'", in the user's language."""
    if report := ledger.last_report:
        record.msg = "Message %s: %s (%s)"
        record.args = (
            report.message_id,
            outcome([report], ledger.raise_exception),
            "; ".join(_reason(trouble) for trouble in report.all_troubles),
        )
    elif isinstance(sys.exc_info()[1], Unwatched):
        record.msg, record.args = "The message is sent by a session of another addon", ()
    return True


def _reason(trouble):
    return f"{trouble.route.name}: {describe(trouble.failure, trouble.decision)}"


def _failed(record, ledger):
    """The line "failed sending mail (id: 3) due to …", which repeats the line before it."""
    report = ledger.last_report
    if report and not report.accepted:
        record.msg, record.exc_info = "failed sending mail (id: %s): %s", None
        record.args = (record.args[0], outcome([report], ledger.raise_exception))
    return True


def _invalid_recipients(_record, ledger):
    """The line "Ignoring invalid recipients": where the address is good, the line before it tells
    what became of the message.
    """
    return not ledger.last_report


def _successfully_sent(record, ledger):
    """The line "… from 'the author' to … successfully sent", to all recipients."""
    reports = ledger.reports_of_mail()
    if any(report.troubles for report in reports):
        record.msg = "Mail (mail.mail) with ID %r and Message-Id %r: %s"
        record.args = (*record.args[:2], outcome(reports, ledger.raise_exception))
    return True


def _processed_batch(record, ledger):
    """The line "… records via mail server ID #3", though System Mail sent some of them."""
    if ledger.has_carried:
        record.msg += " and System Mail"
    return True


def outcome(reports, raise_exception=False):
    """What became of the recipients of some messages: ``2 accepted by hello@company.test, 1
    waiting``.
    """
    counts = collections.Counter(
        _in_words(report, address, raise_exception)
        for report in reports
        for address in report.recipients
    )
    return ", ".join(f"{count} {words}" for words, count in counts.items())


def _in_words(report, address, raise_exception):
    if route := report.accepted.get(address):
        return f"accepted by {route.name}"
    fate = report.fate(address)
    if fate is Fate.DEFERRED and report.troubles[address][-1].retry_at == AT_ONCE:
        return "left to the mail queue"
    return _FATES[Fate.FAILED if raise_exception else fate]


_LINES = {
    ("send_email", ""): _delivery_failed,
    ("_send", "Ignoring invalid recipients"): _invalid_recipients,
    ("_send", "failed sending mail"): _failed,
    ("_send", "Mail (mail.mail) with ID"): _successfully_sent,
    ("send", "Processed batch of"): _processed_batch,
}
"""By the method that logs the line, and the beginning of the line."""


def _filter(record):
    ledger = _current.get()
    if ledger is None:
        return True
    for (method, beginning), replace in _LINES.items():
        if record.funcName == method and str(record.msg).startswith(beginning):
            return replace(record, ledger)
    return True


for _name in ("base.models.ir_mail_server", "mail.models.mail_mail"):
    logging.getLogger(f"odoo.addons.{_name}").addFilter(_filter)
