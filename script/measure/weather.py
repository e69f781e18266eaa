"""What goes wrong in a chaos run, drawn from the SMTP lab's whole matrix by a seeded generator.

A recipient's or a message's own fault says so in its text (YOURS): none of it may ever be read in
the state of a mailbox.
"""

import random
from dataclasses import dataclass

from smtp_lab import Fault

YOURS = "Yours alone, says chaos"
"""In each reply that is the fault of a recipient or of a message."""

_SILENT = ("drop", "reset", "hang")
_ANY = (*_SILENT, "drip")
_ON_CONNECTING = {
    "connect": ((), _SILENT),
    "tls": ((), _SILENT),
    "banner": (("421 4.3.2 Shutting down", "554 5.3.2 No SMTP service here"), _ANY),
    "ehlo": (("421 4.3.0 Try again later", "550 5.7.1 Go away"), _ANY),
    "starttls": (("454 4.7.0 TLS not available", "502 5.5.1 Not implemented"), _ANY),
    "auth": (
        (
            "535 5.7.8 Username and Password not accepted",
            "454 4.7.0 Temporary authentication failure",
            "421 4.7.0 Too many sessions",
            "534 5.7.9 Application-specific password required",
        ),
        _ANY,
    ),
    "rcpt": (("554 5.7.1 Relay access denied",), ()),
}
_ON_SENDING = {
    "mail": (
        (
            "421 4.7.0 Try again later",
            "450 4.3.0 Try again",
            "452 4.3.1 Insufficient system storage",
            "550 5.7.60 Client does not have permissions to send as this sender",
        ),
        _ANY,
    ),
    "rcpt": (
        (
            "421 4.7.0 Try again later",
            f"550 5.1.1 User unknown. {YOURS}",
            f"550 5.1.1 User unknown. {YOURS}",
            f"450 4.2.1 Mailbox busy. {YOURS}",
            f"452 4.2.2 Mailbox full. {YOURS}",
            f"550 5.7.1 Refused. {YOURS}",
            "452 4.5.3 Too many recipients",
        ),
        _ANY,
    ),
    "data": (
        (
            "421 4.3.2 Shutting down",
            "451 4.3.0 Local error",
            "550 5.4.5 Daily user sending limit exceeded",
            f"554 5.6.0 Malformed message. {YOURS}",
        ),
        _ANY,
    ),
    "body": (("421 4.3.2 Shutting down",), _ANY),
    "dot": (
        (
            "250 2.6.0 Taken",
            "421 4.3.2 Shutting down",
            "451 4.3.0 Local error in processing",
            "452 4.3.1 Insufficient system storage",
            "550 5.4.5 Daily user sending limit exceeded",
            f"552 5.3.4 Message too big. {YOURS}",
            f"554 5.7.1 Looks like spam. {YOURS}",
            f"550 5.1.1 No such user here. {YOURS}",
        ),
        _ANY,
    ),
    "rset": (("421 4.3.2 Shutting down", "500 5.5.1 What?"), _ANY),
    "noop": (("421 4.3.2 Shutting down",), _ANY),
    "quit": (("421 4.3.2 Shutting down", "500 5.5.1 What?"), _ANY),
}
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
        phases = [
            phase
            for phase in _ON_CONNECTING
            if phase not in ("tls", "starttls")
            or encryption == "starttls"
            or (phase == "tls" and encryption)
        ]
        return Weather(outage=_fault(rng, rng.choice(phases), _ON_CONNECTING))
    return Weather(down=True) if kind == "down" else CLEAR


def shower(rng, phase):
    """What goes wrong at this step of one transaction, or None where nothing can."""
    return _fault(rng, phase, _ON_SENDING) if phase in _ON_SENDING else None


def cell(fault):
    """The fault's place in the matrix: ``("rcpt", "5xx")``, ``("dot", "drop, accepted")``."""
    if fault.reply:
        return fault.phase, "421" if fault.closes else f"{fault.reply[0]}xx"
    return fault.phase, fault.action + (", accepted" if fault.accept else "")


def _fault(rng, phase, matrix):
    replies, actions = matrix[phase]
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
