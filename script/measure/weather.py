"""What goes wrong in a chaos run, drawn by a seeded generator: the SMTP lab's whole matrix, with
the replies that the tests' tables know.
"""

import dataclasses
import random
from dataclasses import dataclass

from smtp_lab import Fault

from .answers import SENDING, addressed, of_one_message, surely_of_mailbox

_SILENT = ("drop", "reset", "hang")
_ANY = (*_SILENT, "drip")
_ON_CONNECTING = ("connect", "tls", "banner", "ehlo", "starttls", "auth")
_SAYS_NOTHING = ("connect", "tls")
_ON_LEAVING = {
    "rset": ("421 4.3.2 Shutting down", "500 5.5.1 What?"),
    "noop": ("421 4.3.2 Shutting down",),
    "quit": ("421 4.3.2 Shutting down", "500 5.5.1 What?"),
    "body": ("421 4.3.2 Shutting down",),
}
"""The tables know little of these."""
_TAKEN = "250 2.6.0 Taken"
_SUCCESS = {
    "mail": "250 2.1.0 OK",
    "rcpt": "250 2.1.5 OK",
    "data": "354 Go on",
    "dot": "250 2.6.0 Taken at last",
}
_DELAYS = (0.1, 0.5, 2.5, 5.0)
"""Seconds that a slow server takes for a reply: within the patience for it, or beyond."""
_OF_MAILBOX = 0.12
"""The share of the replies of showers that are surely the mailbox's own fault: after one of them,
it is left alone for a while.
"""
_OF_SLOW_REPLIES = 0.15
"""The share of the faults of showers that are a reply, good or bad, which takes its time."""
_SLOW = {"hang": 0.4, "drip": 0.4}
"""They cost time: drawn that much less often."""


@dataclass(frozen=True)
class Weather:
    """What a server is like for a while.

    :param float showers: the probability that something goes wrong at a step of a transaction
    :param Fault outage: what goes wrong for every client
    :param bool down: it refuses connections
    """

    showers: float = 0.0
    outage: Fault | None = None
    down: bool = False


CLEAR = Weather()


def weather(rng, encryption):
    """The weather of a server for the next while."""
    kind = rng.choices(("clear", "showers", "outage", "down"), (35, 35, 25, 5))[0]
    if kind == "showers":
        return Weather(showers=rng.choice((0.02, 0.1, 0.3)))
    if kind == "outage":
        return Weather(outage=outage(rng, encryption))
    return Weather(down=True) if kind == "down" else CLEAR


def outage(rng, encryption):
    """What goes wrong for every client: on connecting, or with whatever it sends."""
    drawn = rng.random()
    if drawn < 0.5:
        phase = rng.choice(SENDING)
        if drawn < 0.1:
            return _slow(rng, phase, _SUCCESS[phase])
        silent = _ANY if drawn < 0.25 else ()
        return _fault(rng, phase, _texts(surely_of_mailbox(phase), phase), silent)
    phases = {"connect", "banner", "ehlo", "auth"}
    phases |= {"tls"} if encryption else set()
    phases |= {"starttls"} if encryption == "starttls" else set()
    phase = rng.choice(sorted(phases, key=_ON_CONNECTING.index))
    replies = _texts(surely_of_mailbox(phase), phase)
    return _fault(rng, phase, replies, _SILENT if phase in _SAYS_NOTHING else _ANY)


def shower(rng, phase):
    """What goes wrong at this step of one transaction, or None where nothing can."""
    if phase in _ON_CONNECTING:
        return None
    if phase in _ON_LEAVING:
        return _fault(rng, phase, _ON_LEAVING[phase], _ANY)
    answers = surely_of_mailbox if rng.random() < _OF_MAILBOX else of_one_message
    replies = _texts(answers(phase), phase)
    if phase == "dot" and rng.random() < 0.1:
        replies = [_TAKEN]
    if rng.random() < _OF_SLOW_REPLIES:
        return _slow(rng, phase, rng.choice((_SUCCESS[phase], rng.choice(replies))))
    return _fault(rng, phase, replies, _ANY)


def _texts(answers, phase):
    return [answer.said(phase) for answer in answers]


def in_their_names(fault, sender, recipient):
    """The fault with the mail's own addresses in its reply."""
    if not fault.reply:
        return fault
    return dataclasses.replace(fault, reply=addressed(fault.reply, sender, recipient))


def cell(fault):
    """The fault's place in the matrix: ``("rcpt", "5xx")``, ``("dot", "drop, accepted")``."""
    if fault.reply:
        kind = f"{fault.reply[0]}xx" if fault.reply[0].isdigit() else "no SMTP"
        kind = "421" if fault.closes else kind
        return fault.phase, kind + (", slow" if fault.delay else "")
    return fault.phase, fault.action + (", accepted" if fault.accept else "")


def _slow(rng, phase, reply):
    return Fault(phase, "reply", reply, delay=rng.choice(_DELAYS))


def _fault(rng, phase, replies, actions):
    weights = [1.0 if replies else 0.0, *(_SLOW.get(action, 0.8) for action in actions)]
    action = rng.choices(("reply", *actions), weights)[0]
    if action == "reply":
        return Fault(phase, action, rng.choice(replies))
    return Fault(
        phase,
        action,
        accept=phase == "dot" and rng.random() < 0.5,
        after_bytes=rng.choice((0, 100, 1000)) if phase == "body" else 0,
    )


def generator(*seeds):
    """A generator of its own for each purpose: none disturbs another's draws."""
    return random.Random("/".join(map(str, seeds)))
