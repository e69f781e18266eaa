"""What becomes of a recipient, from what the mailboxes that were asked have answered: one table."""

import enum

from .failure import Effect, Kind, Verdict, Word


class Fate(enum.Enum):
    """What a recipient came to."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    HELD = "held"
    FAILED = "failed"


class Answer(Word):
    """What the failure of one mailbox says of a recipient."""

    REFUSED = "refused"  # surely the recipient's or the message's own fault
    UNKNOWN = "unknown"  # refused for good, and nobody knows whose fault it is
    UNPROVEN = "unproven"  # the same, in words that somebody may have chosen
    POSTPONED = "postponed"  # refused for now: the recipient's side is busy, or nobody knows
    TROUBLE = "trouble"  # the mailbox's own fault, which mends itself
    BROKEN = "broken"  # the mailbox's own fault, which somebody must mend
    TURN = "turn"  # a limit that we keep ourselves: it waits its turn
    UNCERTAIN = "uncertain"  # it may have been accepted

    @classmethod
    def of(cls, failure, decision):
        """The answer that a failure is, by the decision on it."""
        if decision.verdict is Verdict.REFUSE:
            return cls.REFUSED
        if decision.verdict is Verdict.UNCERTAIN:
            return cls.UNCERTAIN
        if decision.verdict in (Verdict.DEFER, Verdict.SPLIT):
            return cls.TURN if failure.kind is Kind.OVER_LIMIT else cls.POSTPONED
        if decision.is_open:
            for_good = cls.UNPROVEN if decision.rule == "unproven" else cls.UNKNOWN
            return for_good if failure.code and failure.code >= 500 else cls.POSTPONED
        return cls.BROKEN if decision.effect in ENDURING else cls.TROUBLE


ENDURING = (Effect.DISCONNECTED, Effect.MISCONFIGURED, Effect.PROVIDER_MISCONFIGURED)
"""Time alone does not mend it."""
_WAITS, _FAILS, _MAYBE = Fate.DEFERRED, Fate.FAILED, None
# What the mailboxes before answered; across: what the last one answered.
_COLUMNS = tuple(Answer)
_TABLE = {
    #                 REFUSED UNKNOWN UNPROVEN POSTPONED TROUBLE BROKEN  TURN    UNCERTAIN
    None:             (_FAILS, _FAILS, _WAITS, _WAITS, _WAITS, _FAILS, _WAITS, _MAYBE),
    Answer.REFUSED:   (_FAILS, _FAILS, _FAILS, _WAITS, _WAITS, _FAILS, _WAITS, _MAYBE),
    Answer.UNKNOWN:   (_FAILS, _FAILS, _FAILS, _WAITS, _WAITS, _WAITS, _WAITS, _MAYBE),
    Answer.UNPROVEN:  (_FAILS, _FAILS, _FAILS, _WAITS, _WAITS, _WAITS, _WAITS, _MAYBE),
    Answer.POSTPONED: (_WAITS, _WAITS, _WAITS, _WAITS, _WAITS, _WAITS, _WAITS, _MAYBE),
    Answer.TROUBLE:   (_FAILS, _WAITS, _WAITS, _WAITS, _WAITS, _WAITS, _WAITS, _MAYBE),
    Answer.BROKEN:    (_FAILS, _WAITS, _WAITS, _WAITS, _WAITS, _WAITS, _WAITS, _MAYBE),
    Answer.TURN:      (_FAILS, _WAITS, _WAITS, _WAITS, _WAITS, _WAITS, _WAITS, _MAYBE),
    Answer.UNCERTAIN: (_FAILS, _MAYBE, _MAYBE, _MAYBE, _MAYBE, _MAYBE, _MAYBE, _MAYBE),
}  # fmt: skip
_WEIGHT = (Answer.UNCERTAIN, Answer.POSTPONED, Answer.UNKNOWN, Answer.UNPROVEN)
"""Of several mailboxes before the last one, the first of these answers counts; else the last."""


def fate(answers, internal):
    """What becomes of a recipient whom no mailbox accepted.

    What may have been delivered is sent again to colleagues, under the same Message-ID; for anybody
    else a person decides.

    :param answers: what each mailbox that was asked answered, in order; at least one
    :param bool internal: the recipient is a colleague
    :rtype: Fate
    """
    *before, last = answers
    counts = next(
        (answer for answer in _WEIGHT if answer in before), before[-1] if before else None
    )
    found = _TABLE[counts][_COLUMNS.index(last)]
    return found or (Fate.DEFERRED if internal else Fate.HELD)
