"""The invariants of docs: what the servers accepted, against what the database says. Pure."""

import bisect
import collections
import re
from email.utils import parseaddr
from typing import NamedTuple

from . import plan
from .answers import marked

REFUSED_HERE = "refused_here"
"""The rule of a mailbox that refused, in unknown words, what another one accepted twice; or that
refused MAIL in a probe, which has no message whose fault it could be."""
MOST_OPINIONS = 3
"""So many recipients of a message both mailboxes may refuse before the second is asked no more."""
LAST_EVENTS = 5
WINDOW = 50
"""Seconds in which System Mail accepts no more than the limit of a minute: the mails were let
through a little earlier.
"""
STORED = 5.0
"""Seconds after a late reply in which it is surely stored."""
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
    :param diaries: by worker, its ``(time, what)`` in order
    :param facts: ``office.Facts``
    :param clock: ``office.Clock``
    :param jumps: when the database's clock jumped
    """

    def __init__(self, messages, copies, diaries, facts, clock, jumps):
        self.messages, self.copies, self.diaries, self.facts = messages, copies, diaries, facts
        self.clock, self.jumps = clock, jumps
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
        self._times = {name: [at for at, _what in diary] for name, diary in diaries.items()}
        self._kills = {
            name: [at for at, what in diary if what == "K"] for name, diary in diaries.items()
        }

    def check(self):
        """:rtype: Verdicts"""
        self.verdicts = Verdicts()
        for message in self.messages:
            for mail in message.mails:
                self._check_copies(message, mail)
                for address in mail.addresses:
                    self.verdicts[self._fate(message, mail, address)] += 1
            self._check_notices(message)
        self._check_failed()
        self._check_mailboxes()
        self._check_carried()
        self._check_limit()
        self._check_clashes()
        if self.facts.runs:
            self._complain(f"{self.facts.runs} runs of the queue are still noted")
        if self.clock.asleep.value:
            self._complain(f"{self.clock.asleep.value} mails slept on when a mailbox was connected")
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
        for copy in self._other_copies(copies):
            if self._interrupted(copy):
                self.verdicts["copies after a kill or rollback"] += 1
            elif inside and self._is_unanswered(copy):
                self.verdicts["copies after a line lost at the dot"] += 1
            elif inside and copy.message_id in self._uncertain_at_dot:
                self.verdicts["copies after an answer that came too late"] += 1
            elif inside and self._unawaited(copy):
                self.verdicts["copies after a late answer that nobody awaited"] += 1
            else:
                self._complain(f"{address} got a second copy", message)

    def _other_copies(self, copies):
        """Those besides the one that is wanted, which each need an excuse."""
        return copies[:-1]

    def _settled(self, copy):
        return not (self._is_unanswered(copy) or self._interrupted(copy) or self._unawaited(copy))

    def _is_unanswered(self, copy):
        """Whether the client was never told that the message was accepted."""
        return copy.unanswered

    def _unawaited(self, copy):
        """Whether the answer came late, when whoever awaited it was killed, or by the clock of the
        database had awaited it for long.
        """
        until = copy.at + copy.answered_after + STORED
        return copy.answered_after > 0 and any(
            copy.at < at < until for at in (*self.jumps, *self._kills[copy.worker])
        )

    def _interrupted(self, copy):
        """Whether the worker was killed, or rolled back, before it wrote down what it had sent."""
        return self._next_entry(copy) != "C"

    def _next_entry(self, copy):
        """What its worker's diary tells next; nothing where the worker had to end."""
        return "".join(what for _at, what in self._next_entries(copy, 1))

    def _next_entries(self, copy, count):
        place = bisect.bisect(self._times[copy.worker], copy.at)
        return self.diaries[copy.worker][place : place + count]

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
        """Else a clash of two workers would pass for one of the rollbacks that we made. One that
        comes before anything was sent does no harm.
        """
        for copy in self.copies:
            if self._next_entry(copy) == "S":
                self._complain(f"{copy.worker} could not serialize what it had sent")

    # --- whose fault it is

    def _check_failed(self):
        """Colleagues' mail fails only where it is surely the recipient's or the message's own
        fault, or where two mailboxes refuse it for good.
        """
        refused = [(message, marked(reason)) for message, reason in self._failures()]
        doubted = [
            (message, self._doubted(message, said))
            for message, said in refused
            if not any(answer.refuses(phase) for answer, phase in said)
        ]
        twice = collections.Counter(m.number for m, phases in doubted if len(phases) > 1)
        distrusted = {m.author for m, phases in doubted if len(phases) > 1 and phases[-1] == "dot"}
        for message, phases in doubted:
            is_carried_no_more = twice[message.number] >= MOST_OPINIONS or (
                message.author in distrusted and phases == ["dot"]
            )
            if not phases or not (len(phases) > 1 or is_carried_no_more):
                self._complain("it failed, and nobody knows that it is its own fault", message)

    def _failures(self):
        """``(message, reason)`` of each colleague for whom a message failed for good."""
        for message in self.messages:
            if message.internal and message.mails[0].notification:
                for notice in self._notices[message.message_id]:
                    if notice.status == "exception":
                        yield message, notice.reason
            elif message.internal:
                for row in self._rows[message.mails[0].tag]:
                    if row.state == "exception" and row.failure_type != "system_mail_held":
                        yield message, row.reason

    def _doubted(self, message, said):
        """The phases of the answers that refused the message for good, in words by which nobody
        knows whose fault it is.
        """
        return [
            phase
            for answer, phase in said
            if answer.is_final
            and not (answer.is_sure and answer.phase == phase and _may_prove(answer, message))
        ]

    def _check_mailboxes(self):
        """No state of a mailbox is due to a recipient, to a message or to what a stranger chose."""
        for state in self.facts.states:
            for answer, phase in marked(state.answer):
                is_possible = answer.is_carried or answer.phase != phase or phase == "mail"
                may_refuse_here = state.rule == REFUSED_HERE and is_possible
                if not answer.blames and not may_refuse_here:
                    self._complain(f"a mailbox is {state.state}, {state.rule} at {phase}: {answer}")

    def _check_carried(self):
        """What is surely the recipient's or the message's own fault, System Mail does not carry."""
        by_id = {message.message_id: message for message in self.messages}
        for event in self.facts.events:
            if event.kind != "fallback" or event.rule == REFUSED_HERE:
                continue
            for answer, phase in marked(event.answer):
                message = by_id[event.message_id]
                is_sure = answer.phase == phase and _may_prove(answer, message)
                if is_sure and not answer.is_carried:
                    self._complain(f"System Mail carried in spite of: {answer}", message)

    def _check_limit(self):
        """System Mail's limit is kept, but where the line to the database that counts was cut."""
        recent, count, most = collections.deque(), 0, 0
        for copy in sorted(self.copies, key=lambda copy: copy.at):
            if copy.mailbox != plan.SYSTEM.name or copy.at > self.clock.healed_at.value:
                continue
            recent.append(copy)
            count += len(copy.recipients)
            while recent[0].at < copy.at - WINDOW:
                count -= len(recent.popleft().recipients)
            most = max(most, count)
        self.verdicts["most by System Mail in a minute"] = most
        if most > plan.LIMIT * (1 + self._most_jumps()) + self.clock.cuts.value:
            self._complain(f"System Mail served {most} recipients in a minute")

    def _most_jumps(self):
        """The most jumps of the clock within two windows: each lets the minute begin anew."""
        return max(
            (sum(at - 2 * WINDOW < jump <= at for jump in self.jumps) for at in self.jumps),
            default=0,
        )

    # --- one message's story

    def history(self, message):
        """Lines: what happened to the message, in the order of time where there is one."""
        lines = [repr(message)]
        for mail in message.mails:
            for copy in self._by_tag[mail.tag]:
                lines.append(f"{copy}; then {self._next_entries(copy, 2)}")
            lines += map(str, self._rows[mail.tag])
        lines += map(str, self._notices[message.message_id])
        events = [str(e) for e in self.facts.events if e.message_id == message.message_id]
        return lines + events[-LAST_EVENTS:]


def _may_prove(answer, message):
    """Whether no word of the reply is one of the mail's addresses or headers: such a word proves
    nothing.
    """
    texts = (message.subject, message.author, plan.DOMAIN, *_addresses(message))
    return answer.words.isdisjoint(word.lower() for word in _WORD.findall(" ".join(texts)))


def _addresses(message):
    yield plan.USERS[message.author]
    yield plan.SYSTEM.address
    for mail in message.mails:
        yield from mail.addresses


_WORD = re.compile(r"[^\W\d_]+")
