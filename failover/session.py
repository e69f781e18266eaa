"""A session that survives the loss of its mailbox.

It quacks like ``smtplib.SMTP`` for whoever sends by it, and carries each message along an ordered
list of routes: the author's own mailbox, then System Mail; or, for an author without a mailbox,
System Mail, then Odoo's own sender.
"""

import collections
import dataclasses
import smtplib
from collections.abc import Callable
from email.errors import MessageError
from typing import Any, NamedTuple

from .connection import CONNECTION_ERRORS, Outcome, Patience, WatchedConnection, leave, watching
from .failure import Decision, Effect, Failure, Kind, OverLimit, Phase, Verdict
from .policy import Answer, Fate, fate
from .rules import UNPROVEN, classify, classify_recipients
from .words import describe

MOST_OPINIONS = 3
"""So many times a second mailbox may refuse, too, before a message is offered to it no more."""


@dataclasses.dataclass(frozen=True)
class Trouble:
    """One failure on one route."""

    route: "Route"
    failure: Failure
    decision: Decision
    retry_at: Any = None
    """When to try again, where that is known."""

    @property
    def answer(self):
        """What it says of the recipient.

        :rtype: Answer
        """
        return Answer.of(self.failure, self.decision)


@dataclasses.dataclass(frozen=True)
class Carried:
    """What one route did for a message."""

    accepted: tuple[str, ...]
    troubles: dict[str, Trouble]
    reply: str = ""


def explain(troubles):
    """Why, in plain words and then in the servers' own, in the order of the routes tried."""
    return "\n".join(
        f"{trouble.route.name}: {describe(trouble.failure, trouble.decision)}"
        + (f"\n{trouble.failure.text}" if trouble.failure.text else "")
        for trouble in troubles
    )


class Admission(NamedTuple):
    """How many of a message's recipients the limits that we keep ourselves let through now."""

    number: int
    """The first ones of them."""
    over: OverLimit | None = None
    """Why the others must wait or fail; None where all are let through."""
    give_back: Callable[[int], None] | None = None
    """To be called with the number of those whom the mailbox did not take in the end."""


class RouteClosed(OSError):
    """The mailbox is known to be out of order: nobody even tried."""

    def __init__(self, failure, decision):
        super().__init__(failure.text)
        self.failure, self.decision = failure, decision.untried()


class Route:
    """A mailbox by which messages may go out, connected when it is first needed."""

    def __init__(
        self,
        mailbox: Any,
        connect: Callable[[], smtplib.SMTP],
        *,
        name: str = "",
        patience: Patience | None = None,
        refresh: Callable[[], None] | None = None,
        rewrite: Callable | None = None,
        admit: Callable | None = None,
        on_failure: Callable | None = None,
        on_success: Callable | None = None,
        on_doubt: Callable | None = None,
        shared: bool = False,
    ):
        """
        :param mailbox: whose route it is, for the callbacks; never looked into
        :param connect: opens a logged-in connection; may raise ``RouteClosed``, ``Unwatched`` or
            any of ``CONNECTION_ERRORS``
        :param name: what people call the mailbox
        :param refresh: fetches a new access token, where one was refused; may raise as ``connect``
        :param rewrite: ``(message, from_addr, author) -> (message, from_addr)``
        :param admit: called with the number of recipients, returns an ``Admission``
        :param on_failure: ``(mailbox, failure, decision)``, once per connection
        :param on_success: ``(mailbox)``, once per connection, at the first accepted message, and
            at the next one after a failure or a doubt
        :param on_doubt: ``(mailbox, failure, message_id, address)``: it refused, in words that
            nobody knows, what another mailbox then accepted
        :param shared: survives the sessions that use it, until ``close()``
        """
        self.mailbox, self.name, self.shared = mailbox, name, shared
        self.trouble: Trouble | None = None
        self._connect, self._refresh = connect, refresh
        self._rewrite, self._admit = rewrite, admit
        self._patience = patience or Patience()
        self._on_failure, self._on_success, self._on_doubt = on_failure, on_success, on_doubt
        self._connection: WatchedConnection | None = None
        self._praised = self._blamed = False

    def open(self):
        """Whether messages may go this way now; connects if need be."""
        if self.trouble:
            return False
        if self._connection is not None and not self._connection.lost:
            return True
        return self._reconnect()

    def _reconnect(self, with_new_token=False):
        self._praised = self._blamed = False
        try:
            trouble = self._log_in(with_new_token)
            if trouble and self._may_refresh(trouble.decision):
                trouble = self._log_in(with_new_token=True)
        except RouteClosed as exc:
            self.trouble = Trouble(self, exc.failure, exc.decision)
            return False
        if trouble:
            self.trouble = trouble
            self._blame(trouble.failure, trouble.decision)
        return not trouble

    def _log_in(self, with_new_token):
        """Connect; returns the trouble, or None."""
        with watching(self._patience) as trace:
            try:
                if with_new_token:
                    refresh, self._refresh = self._refresh, None
                    refresh()
                self._connection = self._connect()
            except RouteClosed:
                raise
            except CONNECTION_ERRORS as exc:
                if trace.connection is not None:
                    trace.connection.close()
                failure = trace.failure(exc)
                return Trouble(self, failure, classify(failure))
        self._connection.trace.settled = True
        return None

    def _may_refresh(self, decision):
        """Whether a new access token may help: it is tried once."""
        return decision.retry_forced_token and self._refresh is not None

    def send(self, message, from_addr, to_addrs, author, second_opinion=()):
        """Send it to as many of the recipients as the mailbox takes.

        :param second_opinion: those whom another mailbox refused in words that nobody knows; where
            this one refuses them, too, they stay counted
        :rtype: Carried
        """
        if not self.open():
            return Carried((), dict.fromkeys(to_addrs, self.trouble))
        count = len(to_addrs)
        admission = self._admit(count) if self._admit else Admission(count)
        over_limit = self._over_limit(to_addrs[admission.number :], admission.over)
        if not admission.number:
            return Carried((), over_limit)
        if self._rewrite:
            message, from_addr = self._rewrite(message, from_addr, author)
        accepted, failures, reply, pending = [], {}, "", list(to_addrs[: admission.number])
        while pending:
            served = self._connection.trace.accepted
            outcome = self._transact(message, from_addr, pending)
            accepted += outcome.accepted
            reply = outcome.reply or reply
            for address in pending:
                failures.pop(address, None)
            failures.update(outcome.failures)
            pending = self._to_try_again(outcome, served)
        if accepted:  # maybe in another transaction than these failures
            self._praise()
            failures = {
                address: dataclasses.replace(failure, all_recipients=False)
                for address, failure in failures.items()
            }
        decisions = classify_recipients(failures)
        troubles = {a: Trouble(self, failures[a], decisions[a]) for a in failures}
        for trouble in dict.fromkeys(troubles.values()):
            self._judge(trouble)
        not_taken = sum(
            decision.verdict is not Verdict.UNCERTAIN and address not in second_opinion
            for address, decision in decisions.items()
        )
        if admission.give_back and not_taken:
            admission.give_back(not_taken)
        return Carried(tuple(accepted), troubles | over_limit, reply)

    def _over_limit(self, addresses, over):
        """The troubles of those who are over a limit of ours."""
        if not addresses:
            return {}
        failure = Failure.from_exception(Phase.MAIL, over)
        return dict.fromkeys(addresses, Trouble(self, failure, classify(failure), over.retry_at))

    def _transact(self, message, from_addr, to_addrs):
        self._connection.trace.phase = Phase.MAIL  # the log-in, or the last message, went well
        try:
            return self._connection.send_message(message, from_addr, to_addrs)
        except (*CONNECTION_ERRORS, MessageError) as exc:  # it cannot be put on this wire
            failure = self._connection.trace.failure(exc)
            return Outcome((), dict.fromkeys(to_addrs, failure))

    def _to_try_again(self, outcome, served):
        """The recipients for whom this same mailbox is asked once more at once: those over its
        limit per message, and all of them where a connection that had served before has ended, or
        where the access token was refused only now.
        """
        decisions = classify_recipients(outcome.failures)
        if outcome.accepted:
            return [a for a, decision in decisions.items() if decision.verdict is Verdict.SPLIT]
        refresh = any(self._may_refresh(decision) for decision in decisions.values())
        ended = served and any(decision.reconnect_first for decision in decisions.values())
        if refresh or ended:
            self._connection.close()
            if self._reconnect(with_new_token=refresh):
                return list(decisions)
        return []

    def _judge(self, trouble):
        """What one message's trouble means for those that follow, and for the mailbox's state."""
        effect = trouble.decision.effect
        if effect is Effect.NONE or self.trouble:
            return
        served_before = trouble.failure.accepted_before and trouble.failure.kind is Kind.DROP
        if effect is not Effect.TRANSIENT or (self._connection.lost and not served_before):
            self.trouble = dataclasses.replace(trouble, decision=trouble.decision.untried())
        self._blame(trouble.failure, trouble.decision)

    def _praise(self):
        if not self._praised and self._on_success:
            self._on_success(self.mailbox)
        self._praised = True

    def _blame(self, failure, decision):
        if not self._blamed and self._on_failure:
            self._on_failure(self.mailbox, failure, decision)
        self._blamed, self._praised = True, False

    def doubt(self, failure, message_id, address):
        """It refused what another mailbox then accepted: nobody is blamed for one such case."""
        self._praised = False
        if self._on_doubt:
            self._on_doubt(self.mailbox, failure, message_id, address)

    def close(self):
        """Say good-bye; whatever the server answers, the messages were accepted before."""
        connection, self._connection = self._connection, None
        if connection is not None:
            leave(connection)


@dataclasses.dataclass
class Report:
    """What became of one message, recipient by recipient."""

    message_id: str
    recipients: tuple[str, ...]
    internal: bool
    author: str = ""
    reply: str = ""
    accepted: dict[str, Route] = dataclasses.field(default_factory=dict)
    troubles: dict[str, list[Trouble]] = dataclasses.field(default_factory=dict)

    def is_open(self, address):
        """Whether a mailbox refused the recipient and nobody knows whose fault that is."""
        return any(trouble.decision.is_open for trouble in self.troubles.get(address, ()))

    def fate(self, address):
        """:rtype: Fate"""
        if address in self.accepted:
            return Fate.ACCEPTED
        return fate([trouble.answer for trouble in self.troubles[address]], self.internal)

    @property
    def all_troubles(self):
        """Each trouble once, in the order of the routes."""
        return list(dict.fromkeys(t for troubles in self.troubles.values() for t in troubles))


class Undelivered(smtplib.SMTPException):
    """No route took the message for any recipient."""

    def __init__(self, report):
        super().__init__(explain(report.all_troubles))
        self.report = report


class Unwatched(Exception):
    """The mailbox is reached by a session that is none of ours: another addon's own object, which
    alone knows how it is used and what becomes of a message.
    """

    def __init__(self, session):
        super().__init__("another addon's session")
        self.session = session


class Session:
    """Sends each message by the first of its routes that takes it, recipient by recipient."""

    def __init__(
        self, routes, *, internal, routine=False, waits=True, from_filter=False, smtp_from=False
    ):
        """
        :param routes: at least one ``Route``
        :param bool internal: every recipient is a colleague: where it is uncertain whether the
            message was accepted, a second copy is better than none
        :param bool routine: the first route only stands in for the next one, which is asked
            whatever the first refused or put off
        :param bool waits: what must wait its turn may; else the next route is asked for it, too
        :param from_filter: as Odoo keeps it on its connections
        :param smtp_from: as Odoo keeps it on its connections
        """
        self.routes, self.internal = list(routes), internal
        self.routine, self.waits = routine, waits
        self.from_filter, self.smtp_from = from_filter, smtp_from
        self.author = ""
        """The From that the author wrote: set it before each message."""
        self.on_report: Callable | None = None
        """Called with the ``Report`` of each message."""
        self.is_distrusted: Callable | None = None
        """Says whether unknown words at the dot are carried no more for this author."""
        self._refused_twice = collections.Counter()

    def open(self):
        """Open the first route that opens; raises Undelivered where none does."""
        if any(route.open() for route in self.routes):
            return self
        report = Report("", (), self.internal)
        report.troubles[""] = [route.trouble for route in self.routes]
        raise Undelivered(report)

    def send_message(self, message, from_addr, to_addrs):
        """
        :return: the refused recipients, as smtplib: ``{address: (code, text)}``
        :raises Undelivered: when no recipient was accepted
        """
        author = self.author or message["From"]
        pending = list(dict.fromkeys(to_addrs))  # Odoo names twice who is in To and in Cc
        report = Report(str(message["Message-Id"]), tuple(pending), self.internal, str(author))
        for route in self.routes:
            asked_again = [a for a in pending if report.is_open(a)]
            try:
                carried = route.send(message, from_addr, pending, author, asked_again)
            except Unwatched:
                if report.accepted:  # it would be sent to all of them once more
                    break
                raise
            report.reply = carried.reply or report.reply
            report.accepted.update(dict.fromkeys(carried.accepted, route))
            pending = []
            for address, trouble in carried.troubles.items():
                may_go_on = self._may_go_on(report, address, trouble)
                report.troubles.setdefault(address, []).append(trouble)
                if may_go_on:
                    pending.append(address)
            if not pending:
                break
        self._settle_doubts(report)
        if self.on_report:
            self.on_report(report)
        if not report.accepted:
            raise Undelivered(report)
        return {
            address: (troubles[-1].failure.code, troubles[-1].failure.text)
            for address, troubles in report.troubles.items()
            if address not in report.accepted
        }

    def _settle_doubts(self, report):
        """What a second mailbox said of those whom the first one refused in unknown words."""
        for address, troubles in report.troubles.items():
            if address in report.accepted:
                for trouble in troubles:
                    if trouble.decision.is_open and trouble.decision.rule != UNPROVEN.decision.rule:
                        trouble.route.doubt(trouble.failure, report.message_id, address)
            elif troubles[0].decision.is_open and report.fate(address) is Fate.FAILED:
                self._refused_twice[report.message_id] += len(troubles) > 1

    def _may_go_on(self, report, address, trouble):
        """Whether the next route is to be tried: never at the risk of a second copy to others than
        colleagues. Of a refusal in unknown words one further mailbox is asked, and only its own
        fault leads to the next one.
        """
        decision = trouble.decision
        if decision.verdict is Verdict.UNCERTAIN:
            return self.internal
        if decision.is_open and not self.routine:
            asked_already = report.is_open(address)
            return self.internal and not asked_already and self._may_ask(report, trouble)
        if decision.verdict is Verdict.FALLBACK:
            return self.routine or self.internal or not decision.internal_only
        waits_its_turn = self.waits and trouble.failure.kind is Kind.OVER_LIMIT
        return self.routine and not waits_its_turn

    def _may_ask(self, report, trouble):
        if self._refused_twice[report.message_id] >= MOST_OPINIONS:
            return False
        at_dot = trouble.failure.phase is Phase.DOT
        return not (at_dot and self.is_distrusted and self.is_distrusted())

    def quit(self):
        """Close the routes that are this session's alone."""
        for route in self.routes:
            if not route.shared:
                route.close()

    close = quit
