"""What becomes of a recipient whom no mailbox accepted: a table of the mailboxes' answers."""

import enum

from .failure import Effect, Kind, Verdict, Word


class Fate(enum.Enum):
    """What becomes of a message for one recipient."""

    ACCEPTED = "accepted"
    AWAITED = "awaited"
    """The server's reply to the whole message has not come yet."""
    DEFERRED = "deferred"
    HELD = "held"
    FAILED = "failed"


class Answer(Word):
    """What the failure of one mailbox means for a recipient."""

    REFUSED = "refused"  # it is surely the recipient's or the message's fault
    UNKNOWN = "unknown"  # refused for good; it is not known whose fault that is
    UNPROVEN = "unproven"  # the same, but the words that tell may come from the mail itself
    POSTPONED = "postponed"  # refused for now: the recipient's side is busy, or it is not known
    TROUBLE = "trouble"  # it is the mailbox's fault, and may mend itself
    BROKEN = "broken"  # it is the mailbox's fault, and a person must mend it
    OVER_OUR_LIMIT = "over_our_limit"  # one of our own limits is reached
    UNCERTAIN = "uncertain"  # the message may have been accepted

    @classmethod
    def of(cls, failure, decision):
        """Convert a failure and its decision to an Answer."""
        if decision.verdict is Verdict.REFUSE:
            return cls.REFUSED
        if decision.verdict is Verdict.UNCERTAIN:
            return cls.UNCERTAIN
        if decision.verdict in (Verdict.DEFER, Verdict.SPLIT):
            return cls.OVER_OUR_LIMIT if failure.kind is Kind.OVER_LIMIT else cls.POSTPONED
        if decision.is_open:
            for_good = cls.UNPROVEN if decision.rule == "unproven" else cls.UNKNOWN
            return for_good if failure.is_for_good else cls.POSTPONED
        return cls.BROKEN if decision.effect in ENDURING else cls.TROUBLE


ENDURING = (Effect.DISCONNECTED, Effect.MISCONFIGURED, Effect.PROVIDER_MISCONFIGURED)
"""Effects that only a person can mend."""
_W, _F = Fate.DEFERRED, Fate.FAILED  # it waits, it fails
_H = None  # the message may have been accepted: it is held, or sent again (see ``fate``)
# Rows: the answer of the mailboxes before the last one (see _PRIORITY), None if there was only one
# mailbox. Columns: the answer of the last mailbox.
_COLUMNS = tuple(Answer)
_TABLE = {
    #                     REFUSED UNKNOWN UNPROVEN POSTPONED TROUBLE BROKEN OVER_OUR_LIMIT UNCERTAIN
    None:                  (_F,     _F,     _W,      _W,       _W,     _F,    _W,            _H),
    Answer.REFUSED:        (_F,     _F,     _F,      _W,       _W,     _F,    _W,            _H),
    Answer.UNKNOWN:        (_F,     _F,     _F,      _W,       _W,     _W,    _W,            _H),
    Answer.UNPROVEN:       (_F,     _F,     _F,      _W,       _W,     _W,    _W,            _H),
    Answer.POSTPONED:      (_W,     _W,     _W,      _W,       _W,     _W,    _W,            _H),
    Answer.TROUBLE:        (_F,     _W,     _W,      _W,       _W,     _W,    _W,            _H),
    Answer.BROKEN:         (_F,     _W,     _W,      _W,       _W,     _W,    _W,            _H),
    Answer.OVER_OUR_LIMIT: (_F,     _W,     _W,      _W,       _W,     _W,    _W,            _H),
    Answer.UNCERTAIN:      (_F,     _H,     _H,      _H,       _H,     _H,    _H,            _H),
}  # fmt: skip
_PRIORITY = (Answer.UNCERTAIN, Answer.POSTPONED, Answer.UNKNOWN, Answer.UNPROVEN)
"""If several mailboxes answered before the last one, use the first of these answers that occurs. If
none occurs, use the most recent."""


def fate(answers, internal):
    """What becomes of a recipient whom no mailbox accepted.

    If the message may have been accepted, a colleague gets it again, with the same Message-ID. For
    other recipients it is held, and a person decides.

    :param answers: the Answer of each mailbox that was asked, in order; at least one
    :param bool internal: the recipient is a colleague
    :rtype: Fate
    """
    *before, last = answers
    counts = next(
        (answer for answer in _PRIORITY if answer in before), before[-1] if before else None
    )
    found = _TABLE[counts][_COLUMNS.index(last)]
    return found or (Fate.DEFERRED if internal else Fate.HELD)
