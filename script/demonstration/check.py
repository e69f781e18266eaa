"""The main job, judged without a browser: did the mention arrive, once, and by the right road?"""

from __future__ import annotations

import time
from email.message import Message
from email.utils import parseaddr
from typing import Any

from sandbox.console import Problem, say

from .company import ANA, BEN, SYSTEM_MAIL
from .stage import Stage

ARRIVAL_LIMIT = 60
"""Seconds for the mention to arrive."""
SENT_FROM = f'"{ANA.name}" <{SYSTEM_MAIL}>'


def run(stage: Stage) -> None:
    """Have Ana mention Ben and follow the message. Raises Problem when anything is not as promised.

    What is looked at: the message in the inbox behind the SMTP servers, and System Mail's event.
    """
    start = time.monotonic()
    message_id = stage.company.mention()
    message = _arrival(stage, message_id)
    took = time.monotonic() - start
    _run_mail_queue(stage)
    copies = _copies(stage, message_id)
    event = _event(stage, message_id)
    say(f"From:      {_header(message, 'From')}")
    say(f"Reply-To:  {_header(message, 'Reply-To')}")
    say(f"Envelope:  from {_header(message, 'Return-Path')} to {_header(message, 'Delivered-To')}")
    say(f"Why:       {event['reason']}")
    say(f"           at {event['phase']}: {event['smtp_code']} {event['enhanced_code'] or ''}")
    say(f"Took:      {took:.1f} s from the mention to the inbox")
    expected = [
        ("copies in the inbox", len(copies), 1),
        ("From", _header(message, "From"), SENT_FROM),
        ("address in Reply-To", parseaddr(_header(message, "Reply-To"))[1], ANA.login),
        ("accepting server", _header(message, "X-Accepted-By"), SYSTEM_MAIL),
        ("envelope's sender", _header(message, "Return-Path"), f"<{SYSTEM_MAIL}>"),
        ("envelope's recipients", _header(message, "Delivered-To"), BEN.login),
        ("event's phase", event["phase"], "auth"),
        ("event's SMTP code", event["smtp_code"], 535),
        ("event's From", event["sent_from"], SENT_FROM),
        ("event's number of recipients", event["recipient_count"], 1),
        ("notification of the reader", _notification(stage, message_id), "sent"),
    ]
    wrong = [
        f"{name}: {found!r} instead of {right!r}"
        for name, found, right in expected
        if found != right
    ]
    if wrong:
        raise Problem(f"The mention is not as promised. {'; '.join(wrong)}.")


def _arrival(stage: Stage, message_id: str) -> Message:
    end = time.monotonic() + ARRIVAL_LIMIT
    while time.monotonic() < end:
        if copies := _copies(stage, message_id):
            return copies[0]
        stage.processes.check()
        time.sleep(0.1)
    raise Problem(
        f"The mention did not arrive within {ARRIVAL_LIMIT} s. "
        f"Odoo says of it: {_notification(stage, message_id)}."
    )


def _copies(stage: Stage, message_id: str) -> list[Message]:
    return [m for m in stage.inbox.messages() if _header(m, "Message-Id") == message_id]


def _run_mail_queue(stage: Stage) -> None:
    """What waits there would be sent now: a second copy, say."""
    cron = stage.company.admin.reference("mail.ir_cron_mail_scheduler_action")
    stage.company.admin.call("ir.cron", "method_direct_trigger", [cron])


def _event(stage: Stage, message_id: str) -> dict[str, Any]:
    """The one event of the message, as the Super User reads it."""
    events = stage.company.admin.call(
        "system.mail.event",
        "search_read",
        [("message_id", "=", message_id)],
        fields=[
            "kind",
            "phase",
            "smtp_code",
            "enhanced_code",
            "reason",
            "sent_from",
            "recipient_count",
        ],
    )
    kinds = [event["kind"] for event in events]
    if kinds != ["fallback"]:
        raise Problem(
            f"The mention arrived, but its events are {kinds or 'none'}, instead of one fallback."
        )
    return events[0]


def _notification(stage: Stage, message_id: str) -> str:
    """The state of the reader's notification, and why."""
    [message] = stage.company.admin.search("mail.message", [("message_id", "=", message_id)])
    [found] = stage.company.admin.call(
        "mail.notification",
        "search_read",
        [("mail_message_id", "=", message)],
        fields=["notification_status", "failure_reason"],
    )
    reason = found["failure_reason"]
    return found["notification_status"] + (f" ({reason})" if reason else "")


def _header(message: Message, name: str) -> str:
    return " ".join(str(message[name] or "").split())  # unfolded
