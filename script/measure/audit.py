"""The invariants of docs: what the servers accepted, against what the database says. Pure."""

import bisect
import collections
from email.utils import parseaddr
from typing import NamedTuple

from . import plan
from .weather import YOURS

PLACEHOLDERS = ("Error without exception", "")
"""What Odoo writes before it sends: no reason to give to a person."""


class Verdicts(collections.Counter):
    """Recipients by what they came to, with the violations found on the way."""

    def __init__(self):
        super().__init__()
        self.violations = []


class Violation(NamedTuple):
    """An invariant that does not hold, and the message for which it does not."""

    text: str
    message: plan.Message | None = None


class Auditor:
    """Compares the plan, the ledger, the diaries and the database.

    :param messages: list of ``plan.Message``
    :param copies: list of ``storm.Copy``
    :param diaries: for each worker, its ``(time, what)`` in order
    :param facts: ``office.Facts``
    """

    def __init__(self, messages, copies, diaries, facts):
        self.messages, self.copies, self.diaries, self.facts = messages, copies, diaries, facts
        self._by_tag = collections.defaultdict(list)
        for copy in sorted(copies, key=lambda copy: copy.at):
            self._by_tag[copy.mail].append(copy)
        self._rows = collections.defaultdict(list)
        for row in facts.rows:
            self._rows[row.tag].append(row)
        self._notices = collections.defaultdict(list)
        for notice in facts.notices:
            self._notices[notice.message_id].append(notice)
        self._uncertain_at_dot = {
            event.message_id for event in facts.events if event.phase == "dot" and not event.code
        }
        self._times = [[at for at, _what in diary] for diary in diaries]

    def check(self):
        """:rtype: Verdicts"""
        self.verdicts = Verdicts()
        for message in self.messages:
            for mail in message.mails:
                self._check_copies(message, mail)
                for address in mail.addresses:
                    self.verdicts[self._fate(message, mail, address)] += 1
            self._check_notices(message)
        self._check_mailboxes()
        self._check_clashes()
        return self.verdicts

    def _complain(self, text, message=None):
        self.verdicts.violations.append(Violation(text, message))

    # --- nothing lost, one copy

    def _fate(self, message, mail, address):
        copies = [copy for copy in self._by_tag[mail.tag] if address in copy.recipients]
        rows = [row for row in self._rows[mail.tag] if address in row.addresses]
        self._check_second_copies(message, address, copies)
        if any(row.state == "outgoing" for row in rows):
            self._complain(f"{address} is still queued", message)
        failed = [row for row in rows if row.state == "exception"]
        held = any(row.failure_type == "system_mail_held" for row in failed)
        for row in failed:
            if row.reason.startswith(PLACEHOLDERS[0]) or not row.reason:
                self._complain(f"{address} failed without a reason: {row.reason!r}", message)
        if any(self._settled(copy) for copy in copies):
            if failed:
                self._complain(f"{address} has it, yet it is said to have failed", message)
            return "accepted"
        if held:
            return "held"
        if failed or any(n.status == "exception" for n in self._noticed(message, address)):
            return "failed"
        if not copies:
            states = [row.state for row in rows]
            self._complain(f"{address} is lost: no copy, the mail is {states or 'gone'}", message)
        return "accepted"

    def _check_second_copies(self, message, address, copies):
        inside = address in plan.COLLEAGUES
        for copy in copies[:-1]:
            if self._interrupted(copy):
                self.verdicts["copies after a kill or rollback"] += 1
            elif inside and copy.unanswered:
                self.verdicts["copies after a line lost at the dot"] += 1
            elif inside and copy.message_id in self._uncertain_at_dot:
                self.verdicts["copies after an answer that came too late"] += 1
            else:
                self._complain(f"{address} got a second copy", message)

    def _settled(self, copy):
        return not copy.unanswered and not self._interrupted(copy)

    def _interrupted(self, copy):
        """Whether the worker was killed, or rolled back, before it wrote down what it had sent."""
        place = bisect.bisect(self._times[copy.worker], copy.at)
        diary = self.diaries[copy.worker]
        return place == len(diary) or diary[place][1] != "C"

    # --- what people are told

    def _noticed(self, message, address):
        return [n for n in self._notices[message.message_id] if address in n.addresses]

    def _check_notices(self, message):
        for notice in self._notices[message.message_id]:
            who = notice.addresses[0]
            got_it = any(
                set(notice.addresses) & set(copy.recipients)
                for mail in message.mails
                for copy in self._by_tag[mail.tag]
            )
            if notice.status == "sent" and not got_it:
                self._complain(f"{who} has nothing, yet the chatter says sent", message)
            elif notice.status not in ("sent", "exception"):
                self._complain(f"{who} is said to be {notice.status}", message)
            elif notice.status == "exception" and (
                not notice.reason or notice.reason.startswith(PLACEHOLDERS[0])
            ):
                self._complain(f"{who} is said to have failed, without a reason", message)

    # --- whose mailbox, and in whose name

    def _check_copies(self, message, mail):
        for copy in self._by_tag[mail.tag]:
            name, sent_from = parseaddr(copy.sent_from)
            expected = plan.ADDRESSES[copy.mailbox]
            if copy.message_id != message.message_id:
                self._complain(f"{copy.message_id} is another Message-ID", message)
            if copy.mail_from != expected or sent_from != expected or copy.login != expected:
                self._complain(
                    f"{copy.mailbox} sent from {copy.sent_from}, envelope {copy.mail_from}, "
                    f"as {copy.login}",
                    message,
                )
            if copy.mailbox == plan.SYSTEM.name:
                # a mail to several may have been split: then it may carry the colleagues' part
                if not set(copy.recipients) <= plan.COLLEAGUES or name != message.author:
                    self._complain(
                        f"System Mail sent it from {copy.sent_from} to {copy.recipients}", message
                    )
            elif copy.mailbox != plan.OWN_MAILBOX[message.author].name:
                self._complain(f"it left by the mailbox of {copy.mailbox}", message)
            if not set(copy.recipients) <= set(mail.addresses):
                self._complain(f"it went to {copy.recipients}", message)

    def _check_clashes(self):
        """Else a clash of two workers would pass for one of the rollbacks that we made."""
        for number, diary in enumerate(self.diaries):
            for _at, what in diary:
                if what == "S":
                    self._complain(f"worker{number} could not serialize its transaction")

    def _check_mailboxes(self):
        for answer in self.facts.faults_of_mailboxes:
            if YOURS in answer:
                self._complain(f"a mailbox is blamed for its recipient: {answer}")
        for event in self.facts.events:
            if event.kind == "fallback" and YOURS in event.answer:
                self._complain(f"System Mail carried what a recipient refused: {event.answer}")

    # --- one message's story

    def history(self, message):
        """Lines: what happened to the message, in the order of time where there is one."""
        lines = [repr(message)]
        for mail in message.mails:
            diary = self.diaries[mail.worker]
            for copy in self._by_tag[mail.tag]:
                place = bisect.bisect(self._times[mail.worker], copy.at)
                lines.append(f"{copy}; then {diary[place : place + 2]}")
            lines += map(str, self._rows[mail.tag])
        lines += map(str, self._notices[message.message_id])
        lines += [str(e) for e in self.facts.events if e.message_id == message.message_id]
        return lines
