"""What the servers of a chaos run answer: the replies that the tests' tables know, each marked, and
some that do nothing but repeat what a stranger chose. Pure.

A mark, such as ``r57dot``, tells which reply it is and at which step it was given, wherever its
text is found again: in a mailbox's state, an event or the reason of a failure.
"""

import csv
import re
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parents[2] / "tests"
NOT_SMTP = "HTTP/1.1 400 Bad Request"
STARTTLS = {"tls": "starttls"}
"""What the tables call otherwise than the lab."""
TOLD_BY_OTHERS = {"token", "dns", "connect"}
"""No SMTP server says it."""
_SENDER = re.compile(r"\b(?:a|user|smart)@example\.(?:com|net)")
_RECIPIENT = re.compile(r"\bb@example\.(?:com|net)")
_MARK = re.compile(r"\br(\d+)([a-z]+)\b")
_WORD = re.compile(r"[^\W\d_]+")


class Answer(NamedTuple):
    """One reply of the tables, and what it may lead to."""

    number: int
    phase: str
    """The lab's, at which it was given."""
    text: str
    verdicts: frozenset
    """Those that the table allows."""
    blames: bool
    """Whether the mailbox may be at fault."""
    is_sure: bool
    """Whether it is surely the mailbox's fault."""

    def said(self, phase):
        """:return: what a server says at the phase: the reply with its mark, line by line"""
        code, lines = self.text[:3], f"{self.text[4:]} r{self.number}{phase}".split("\n")
        if not code.isdigit():
            return self.text
        return "\r\n".join([*(f"{code}-{line}" for line in lines[:-1]), f"{code} {lines[-1]}"])

    def refuses(self, phase):
        """Whether it may be the recipient's or the message's own fault, as the tables have it for
        the phase at which it was given.
        """
        return any(
            "refuse" in answer.verdicts
            for answer in ANSWERS
            if answer is self or (answer.text, answer.phase) == (self.text, phase)
        )

    @property
    def is_carried(self):
        """Whether System Mail may be asked after it."""
        return bool(self.verdicts & {"fallback", "split", "uncertain"})

    @property
    def is_final(self):
        """Whether it says no for good."""
        return self.text.startswith("5")

    @property
    def words(self):
        """Its words, in lower case."""
        return {word.lower() for word in _WORD.findall(self.text)}


def addressed(text, sender, recipient):
    """The reply with real addresses in the place of the example's."""
    text = _SENDER.sub(sender, text) if sender else text
    return _RECIPIENT.sub(recipient, text) if recipient else text


def marked(text):
    """The marked replies that the text quotes, in order.

    :return: list of ``(Answer, phase)``
    """
    return [(ANSWERS[int(number)], phase) for number, phase in _MARK.findall(text)]


def _rows():
    """``(phase, reply, verdicts, blames, is_sure)`` of each row of both tables."""
    with (TESTS / "failure_rules.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            is_open, verdict = "is_open" in row["flags"], row["verdict"]
            is_sure = verdict == "fallback" and not is_open
            blames = is_sure or row["mailbox_effect"] != "none"
            yield row["phase"], row["example"], {verdict}, blames, is_sure
    for line in (TESTS / "provider_replies.tsv").read_text().splitlines():
        if line and not line.startswith("#"):
            verdicts, rules, phase, _flags, reply, _source = line.split("\t")
            verdicts, known = set(verdicts.split("|")), not {"*", "refused"} & set(rules.split("|"))
            blames = bool(verdicts & {"fallback", "split"}) and rules != "refused"
            is_sure = verdicts == {"fallback"} and known
            yield phase, reply.replace("\\n", "\n"), verdicts, blames, is_sure
    for reply in _REPEATING:
        yield "rcpt", reply, {"fallback"}, False, False


_REPEATING = (
    "550 Not taken: b@example.com",
    "550 5.7.1 <b@example.com>: no, says a@example.com to b@example.com",
    "450 4.7.1 <b@example.com>: not now, a@example.com",
    "550 5.7.1 mx.example said: 550 5.7.1 Relay access denied, account suspended, quota exceeded",
)
"""Nothing in them is the server's own word on anybody's fault."""


def _answers():
    for phase, reply, *meaning in _rows():
        text = NOT_SMTP if reply == "not SMTP" else reply
        # 334 goes on with a log-in that chaos does not use; in the body only 421 can be said
        sayable = text[:1] in "2345" and text[:3].isdigit() and not text.startswith("334")
        sayable = (sayable or text == NOT_SMTP) and (phase != "body" or text.startswith("421"))
        if sayable and phase not in TOLD_BY_OTHERS:
            yield STARTTLS.get(phase, phase), text, *meaning


ANSWERS = [
    Answer(number, phase, text, frozenset(verdicts), blames, is_sure)
    for number, (phase, text, verdicts, blames, is_sure) in enumerate(_answers())
]
SENDING = ("mail", "rcpt", "data", "dot")


def surely_of_mailbox(phase):
    """What a server says at the phase to everybody: of its own trouble. Postfix tells all that it
    has against a client at RCPT, others at the end of the message.
    """
    at = SENDING if phase in ("rcpt", "dot") else (phase,)
    return [answer for answer in ANSWERS if answer.phase in at and answer.is_sure]


def of_one_message(phase):
    """What a server says at the phase of one message or one recipient, or in words that leave
    open whose fault it is. Recipients are refused at RCPT or at the dot.
    """
    at = ("rcpt", "dot") if phase in ("rcpt", "dot") else (phase,)
    return [answer for answer in ANSWERS if answer.phase in at and not answer.is_sure]
