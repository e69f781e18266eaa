"""An SMTP session that tries another mailbox if the first fails. It has the interface of
``smtplib.SMTP``.

A session has a list of routes, and tries them in order for each message: the author's own mailbox,
then System Mail's mailboxes; or, for an author without a mailbox, System Mail's, then Odoo's own
sender.
"""

import collections
import dataclasses
import datetime
import smtplib
import time
from collections.abc import Callable
from email.errors import MessageError
from typing import Any, NamedTuple

from .budget import Budget
from .connection import CONNECTION_ERRORS, Outcome, Patience, WatchedConnection, leave, watching
from .failure import Decision, Effect, Failure, Kind, OverLimit, Phase, Verdict
from .late_reply import LateReplies, LateReply
from .policy import Answer, Fate, fate
from .rules import UNPROVEN, classify, classify_recipients
from .words import describe

AT_ONCE = datetime.datetime.min
"""When to try again what a person did not wait for."""
MOST_SECOND_REFUSALS = 3
"""After so many recipients of a message that the second mailbox refused, too, it is asked for no
more of them."""


@dataclasses.dataclass(frozen=True)
class Trouble:
    """One failure on one route."""

    route: "Route"
    failure: Failure
    decision: Decision
    retry_at: Any = None
    """When to try again, if that is known."""

    @classmethod
    def of(cls, route, failure, decision=None):
        """Create it, with the decision of the rules if none is given."""
        at = AT_ONCE if failure.kind is Kind.NO_TIME else None
        return cls(route, failure, decision or classify(failure), at)

    @property
    def is_cut_short(self):
        """Whether nothing failed: there was no time for it, or it is to wait."""
        return self.failure.kind in (Kind.NO_TIME, Kind.BUSY)

    @property
    def is_awaited(self):
        """Whether nothing failed: the reply after the message has not come yet."""
        return self.failure.kind is Kind.AWAITED

    @property
    def answer(self):
        """:rtype: Answer"""
        return Answer.of(self.failure, self.decision)


@dataclasses.dataclass(frozen=True)
class RouteResult:
    """What one route did for a message."""

    accepted: tuple[str, ...]
    troubles: dict[str, Trouble]
    reply: str = ""
    late: LateReply | None = None
    """The reply that has not come yet."""


def explain(troubles):
    """Why a message was not sent: for each route tried, the reason in plain words and the server's
    reply.
    """
    return "\n".join(
        f"{trouble.route.name}: {describe(trouble.failure, trouble.decision)}"
        + (f"\n{trouble.failure.text}" if trouble.failure.text else "")
        for trouble in troubles
    )


class Admission(NamedTuple):
    """How many of a message's recipients our own limits allow now."""

    number: int
    """So many, from the first one on."""
    over: OverLimit | None = None
    """Why the others must wait or fail; None if all are allowed."""
    give_back: Callable[[int], None] | None = None
    """Call it with the number of allowed recipients that the mailbox did not accept."""


class RouteClosed(OSError):
    """The mailbox is known to be out of order. It was not tried."""

    def __init__(self, failure, decision):
        super().__init__(failure.text)
        self.failure, self.decision = failure, decision.untried()


class RouteBusy(OSError):
    """The mailbox is not used until then: its server still owes the reply to a message."""

    def __init__(self, until):
        super().__init__()
        self.until = until


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
        on_slow: Callable | None = None,
        late_replies: LateReplies | None = None,
        owner: Any = None,
        shared: bool = False,
    ):
        """
        :param mailbox: passed to the callbacks; not used here
        :param connect: opens a logged-in connection; may raise ``RouteClosed``, ``RouteBusy``,
            ``Unwatched`` or any of ``CONNECTION_ERRORS``
        :param name: the mailbox's name for people
        :param refresh: fetches a new access token after one was refused; may raise as ``connect``
        :param rewrite: ``(message, from_addr, author) -> (message, from_addr)``
        :param admit: called with the number of recipients, returns an ``Admission``
        :param on_failure: ``(mailbox, failure, decision)``, once per connection
        :param on_success: ``(mailbox, certificate, seconds)``, the certificate that its server
            showed (``Trace``), and how long the connection and the message took; at the first
            accepted message of a connection, and at the next one after a failure or a doubt
        :param on_doubt: ``(mailbox, failure, message_id, address)``: the mailbox refused a
            recipient, in words that no rule knows, and another mailbox then accepted it
        :param on_slow: ``(mailbox, seconds, phase)``: it used up most of the time of a person who
            waits, and came so far
        :param late_replies: where ``patience`` says that replies may be late: those of this process
        :param owner: whose mailbox it is, as ``LateReplies`` counts them; None: the company's
        :param shared: several sessions use it; they leave it open, until ``close()``
        """
        self.mailbox, self.name, self.shared = mailbox, name, shared
        self.trouble: Trouble | None = None
        self._connect, self._refresh = connect, refresh
        self._rewrite, self._admit = rewrite, admit
        self._patience = patience or Patience()
        self._on_failure, self._on_success, self._on_doubt = on_failure, on_success, on_doubt
        self._on_slow, self._seconds = on_slow, 0.0
        self._late_replies, self._owner = late_replies, owner
        self._connection: WatchedConnection | None = None
        self._success_reported = self._failure_reported = False

    def open(self):
        """Connect if necessary.

        :return: whether the route can be used
        """
        if self.trouble:
            return False
        if not self._patience.budget.is_enough:
            self._stop(Trouble.of(self, Failure(Phase.CONNECT, kind=Kind.NO_TIME)))
            return False
        if self._connection is not None and not self._connection.lost:
            return True
        return self._reconnect()

    def _reconnect(self, with_new_token=False):
        self._success_reported = self._failure_reported = False
        began = time.monotonic()
        try:
            trouble = self._log_in(with_new_token)
            if trouble and self._may_refresh(trouble.decision):
                trouble = self._log_in(with_new_token=True)
        except RouteClosed as exc:
            self.trouble = Trouble.of(self, exc.failure, exc.decision)
            return False
        except RouteBusy as exc:
            busy = Failure(Phase.CONNECT, kind=Kind.BUSY)
            self.trouble = Trouble(self, busy, classify(busy), exc.until)
            return False
        self._seconds = time.monotonic() - began
        if trouble:
            self._stop(trouble)
            self._report_failure(trouble.failure, trouble.decision)
        return not trouble

    def _log_in(self, with_new_token):
        """Connect.

        :return: the Trouble, or None
        """
        with watching(self._patience) as trace:
            try:
                if with_new_token:
                    refresh, self._refresh = self._refresh, None
                    refresh()
                self._connection = self._connect()
            except (RouteClosed, RouteBusy):
                raise
            except CONNECTION_ERRORS as exc:
                if trace.connection is not None:
                    trace.connection.close()
                return Trouble.of(self, trace.failure(exc))
        self._connection.trace.settled = True
        return None

    def _stop(self, trouble):
        """Close the route to the following messages: they would not be sent, either."""
        self.trouble = trouble
        if trouble.is_cut_short and self._patience.budget.is_most(self._seconds):
            self._report_slow(trouble.failure.phase)

    def _report_slow(self, phase):
        if self._on_slow:
            self._on_slow(self.mailbox, self._seconds, phase)

    def take_next_turn(self):
        """Use the route again, if there only was no time for it."""
        if self.trouble and self.trouble.is_cut_short:
            self.trouble = None

    def _may_refresh(self, decision):
        """Whether a new access token may help. Each route fetches one at most."""
        return decision.retry_forced_token and self._refresh is not None

    def send(self, message, from_addr, to_addrs, author, asked_again=()):
        """Send a message to the recipients that the mailbox accepts.

        :param asked_again: recipients that another mailbox refused in words that no rule knows.
            They still count for the limits, unless this mailbox itself is at fault
        :rtype: RouteResult
        """
        if not self.open():
            return RouteResult((), dict.fromkeys(to_addrs, self.trouble))
        count = len(to_addrs)
        admission = self._admit(count) if self._admit else Admission(count)
        over_limit = self._over_limit(to_addrs[admission.number :], admission.over)
        if not admission.number:
            return RouteResult((), over_limit)
        if self._rewrite:
            message, from_addr = self._rewrite(message, from_addr, author)
        accepted, failures, reply, late = [], {}, "", None
        pending = list(to_addrs[: admission.number])
        while pending:
            served = self._connection.trace.accepted
            self._seconds = 0 if served else self._seconds
            outcome = self._transact(message, from_addr, pending)
            if outcome.is_late:
                late = LateReply(self._connection, self._late_replies)
            accepted += outcome.accepted
            reply = outcome.reply or reply
            for address in pending:
                failures.pop(address, None)
            failures.update(outcome.failures)
            pending = self._to_try_again(outcome, served)
        if accepted:  # possibly in another transaction than these failures
            self._report_success()
            failures = {
                address: dataclasses.replace(failure, all_recipients=False)
                for address, failure in failures.items()
            }
        decisions = classify_recipients(failures)
        troubles = {a: Trouble.of(self, failures[a], decisions[a]) for a in failures}
        for trouble in dict.fromkeys(troubles.values()):
            self._apply_effect(trouble)
        not_taken = sum(
            decision.verdict is not Verdict.UNCERTAIN
            and (address not in asked_again or decision.is_mailboxs_own)
            for address, decision in decisions.items()
        )
        if admission.give_back and not_taken:
            admission.give_back(not_taken)
        return RouteResult(tuple(accepted), troubles | over_limit, reply, late)

    def _over_limit(self, addresses, over):
        """The troubles of the recipients beyond our own limits."""
        if not addresses:
            return {}
        failure = Failure.from_exception(Phase.MAIL, over)
        return dict.fromkeys(addresses, Trouble(self, failure, classify(failure), over.retry_at))

    def _transact(self, message, from_addr, to_addrs):
        self._connection.trace.phase = Phase.MAIL  # the log-in, or the last message, went well
        began = time.monotonic()
        late_replies = self._late_replies
        if late_replies and not late_replies.admit(self._connection, self._owner):
            return Outcome((), dict.fromkeys(to_addrs, Failure(Phase.MAIL, kind=Kind.NO_TIME)))
        try:
            outcome = self._connection.send_message(message, from_addr, to_addrs)
        except (*CONNECTION_ERRORS, MessageError) as exc:  # it cannot be put on this wire
            failure = self._connection.trace.failure(exc)
            outcome = Outcome((), dict.fromkeys(to_addrs, failure))
        self._seconds += time.monotonic() - began
        if late_replies and not outcome.is_late:
            late_replies.leave(self._connection)
        return outcome

    def _to_try_again(self, outcome, served):
        """The recipients for whom this route starts another transaction at once: those beyond the
        server's limit of recipients per message. If nobody was accepted, all of them, on a new
        connection, if the server closed one that had worked or on which commands were pipelined,
        or only now refuses the access token.

        :param int served: messages accepted on the connection before this one
        """
        decisions = classify_recipients(outcome.failures)
        if outcome.is_late:
            return []
        if outcome.accepted:
            return [a for a, decision in decisions.items() if decision.verdict is Verdict.SPLIT]
        refresh = any(self._may_refresh(decision) for decision in decisions.values())
        ended = served and any(decision.reconnect_first for decision in decisions.values())
        if refresh or ended or outcome.try_again:
            self._connection.close()
            if self._reconnect(with_new_token=refresh):
                return list(decisions)
        return []

    def _apply_effect(self, trouble):
        """Report the failure if it affects the mailbox's state. Close the route to the following
        messages if they would fail, too.
        """
        if trouble.is_awaited:
            self._connection = None  # the LateReply has it
            self.trouble = Trouble.of(self, Failure(Phase.DOT, kind=Kind.NO_TIME))
            self._report_slow(Phase.DOT)
        elif trouble.is_cut_short:
            self._stop(trouble)
        effect = trouble.decision.effect
        if effect is Effect.NONE or self.trouble:
            return
        served_before = trouble.failure.accepted_before and trouble.failure.kind is Kind.DROP
        if effect is not Effect.TRANSIENT or (self._connection.lost and not served_before):
            self.trouble = dataclasses.replace(trouble, decision=trouble.decision.untried())
        self._report_failure(trouble.failure, trouble.decision)

    def _report_success(self):
        if not self._success_reported and self._on_success:
            certificate = self._connection.trace.certificate
            self._on_success(self.mailbox, certificate, self._seconds)
        self._success_reported = True

    def _report_failure(self, failure, decision):
        if not self._failure_reported and self._on_failure:
            self._on_failure(self.mailbox, failure, decision)
        self._failure_reported, self._success_reported = True, False

    def report_doubt(self, failure, message_id, address):
        """Report that the mailbox refused a recipient that another mailbox then accepted."""
        self._success_reported = False
        if self._on_doubt:
            self._on_doubt(self.mailbox, failure, message_id, address)

    def close(self):
        """Close the connection. No answer to QUIT changes what was accepted."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with self._patience.budget.spending():
                leave(connection)


@dataclasses.dataclass
class Report:
    """The result of one message for each of its recipients."""

    message_id: str
    recipients: tuple[str, ...]
    internal: bool
    author: str = ""
    reply: str = ""
    accepted: dict[str, Route] = dataclasses.field(default_factory=dict)
    troubles: dict[str, list[Trouble]] = dataclasses.field(default_factory=dict)
    late: LateReply | None = None

    def is_open(self, address):
        """Whether a mailbox refused the recipient, and it is not known whose fault that is."""
        return any(trouble.decision.is_open for trouble in self.troubles.get(address, ()))

    def is_cut_short(self, address):
        """Whether the first mailbox had too little time for the recipient."""
        return self.troubles[address][0].is_cut_short

    def fate(self, address):
        """:rtype: Fate"""
        if address in self.accepted:
            return Fate.ACCEPTED
        if self.troubles[address][-1].is_awaited:
            return Fate.AWAITED
        return fate([trouble.answer for trouble in self.troubles[address]], self.internal)

    @property
    def all_troubles(self):
        """Each trouble once, in the order of the routes."""
        return list(dict.fromkeys(t for troubles in self.troubles.values() for t in troubles))


class Undelivered(smtplib.SMTPException):
    """No route accepted the message for any recipient."""

    def __init__(self, report):
        super().__init__(explain(report.all_troubles))
        self.report = report


class Unwatched(Exception):
    """Another addon connects to the mailbox by an object of its own. How that is used, and what
    becomes of a message, is not known here.
    """

    def __init__(self, session):
        super().__init__("another addon's session")
        self.session = session


class Session:
    """Sends each message to each recipient by the first route that accepts it."""

    def __init__(
        self,
        routes,
        *,
        internal,
        system_first=False,
        may_wait=True,
        from_filter=False,
        smtp_from=False,
        budget=None,
        last_resort=None,
    ):
        """
        :param routes: at least one ``Route``
        :param bool internal: every recipient is a colleague: if it is uncertain whether a message
            was accepted, it is sent by the next route, since two copies are better than none
        :param bool system_first: the routes are System Mail's, and the last one is Odoo's own
            sender, which also gets what System Mail refused or postponed
        :param bool may_wait: what is over our own limits waits; if False, it goes on by Odoo's own
            sender
        :param from_filter: as Odoo keeps it on its connections
        :param smtp_from: as Odoo keeps it on its connections
        :param Budget budget: counts what the session takes
        :param Route last_resort: tried last, for what the first route had too little time for. Then
            the other routes are tried before; without it, such messages wait
        """
        self.routes, self.internal = list(routes), internal
        self._budget, self._last_resort = budget or Budget(), last_resort
        self.system_first, self.may_wait = system_first, may_wait
        self.from_filter, self.smtp_from = from_filter, smtp_from
        self.author = ""
        """The From that the author wrote: set it before each message."""
        self.on_report: Callable | None = None
        """Called with the ``Report`` of each message."""
        self.is_distrusted: Callable | None = None
        """Returns whether refusals after the content (the dot), in words that no rule knows, are no
        longer tried by a second mailbox for this author."""
        self._refused_twice = collections.Counter()

    def open(self):
        """Open the first route that can be opened.

        :return: this session
        :raises Undelivered: no route can be opened
        """
        report = Report("", (), self.internal)
        with self._budget.spending():
            for route in self._all_routes():
                if route is self._last_resort and not report.is_cut_short(""):
                    break
                if route.open():
                    return self
                report.troubles.setdefault("", []).append(route.trouble)
                if route.trouble.is_cut_short and not self._last_resort:
                    break
        raise Undelivered(report)

    def send_message(self, message, from_addr, to_addrs):
        """Send a message by the routes, in order, until each recipient is accepted or final.

        :return: the refused recipients, as smtplib: ``{address: (code, text)}``
        :raises Undelivered: no recipient was accepted
        :raises Unwatched: the next route is another addon's; nobody was accepted before
        """
        with self._budget.spending():
            report = self._report(message, from_addr, to_addrs)
        if self.on_report:
            self.on_report(report)
        if not report.accepted:
            raise Undelivered(report)
        return {
            address: (troubles[-1].failure.code, troubles[-1].failure.text)
            for address, troubles in report.troubles.items()
            if address not in report.accepted
        }

    def _report(self, message, from_addr, to_addrs):
        """Send a message by the routes.

        :rtype: Report
        """
        author = self.author or message["From"]
        recipients = tuple(dict.fromkeys(to_addrs))  # Odoo names twice who is in To and in Cc
        report = Report(str(message["Message-Id"]), recipients, self.internal, str(author))
        for route in self._all_routes():
            pending = [a for a in recipients if self._may_try(route, report, a)]
            if not pending:
                continue
            asked_again = [a for a in pending if report.is_open(a)]
            try:
                result = route.send(message, from_addr, pending, author, asked_again)
            except Unwatched:
                if report.accepted:  # otherwise these would get a second copy
                    break
                raise
            report.reply = result.reply or report.reply
            report.late = result.late or report.late
            report.accepted.update(dict.fromkeys(result.accepted, route))
            for address, trouble in result.troubles.items():
                report.troubles.setdefault(address, []).append(trouble)
        self._settle_doubts(report)
        return report

    def _all_routes(self):
        return [*self.routes, self._last_resort] if self._last_resort else self.routes

    def _settle_doubts(self, report):
        """For the recipients that a mailbox refused in words that no rule knows: report a doubt if
        another one accepted them, and count them if it refused them, too.
        """
        for address, troubles in report.troubles.items():
            if address in report.accepted:
                for trouble in troubles:
                    if trouble.decision.is_open and trouble.decision.rule != UNPROVEN.decision.rule:
                        trouble.route.report_doubt(trouble.failure, report.message_id, address)
                continue
            first = next((trouble for trouble in troubles if trouble.decision.is_open), None)
            if first and report.fate(address) is Fate.FAILED:
                self._refused_twice[report.message_id] += first is not troubles[-1]

    def _may_try(self, route, report, address):
        """Whether to try a route for a recipient, after what the routes before it answered.

        No, if the recipient is accepted or the last route's reply is still awaited. Yes, if one of
        these is true. *Odoo's own sender* is the last route after System Mail's.

        1. It is the first route.
        2. It is the last resort, and there was too little time for the first route. If there is no
           last resort, the recipient waits.
        3. The message may have been accepted, and is for colleagues: they may get a second copy.
        4. It is not known whose fault the last refusal is. Then one further mailbox is asked, for
           colleagues only; Odoo's own sender is always asked.
        5. The last mailbox failed. If its account may be abused: for colleagues or by Odoo's own
           sender.
        6. The recipient or the message is at fault, or was postponed, and this is Odoo's own
           sender. What is over our own limits waits instead, if it may.
        """
        troubles = report.troubles.get(address)
        if address in report.accepted or not troubles:
            return not troubles and route is self.routes[0]
        last = troubles[-1]
        if last.is_awaited or (route is self._last_resort and not report.is_cut_short(address)):
            return False
        if last.decision.verdict is Verdict.UNCERTAIN:
            return self.internal
        if last.is_cut_short or route is self._last_resort:
            return self._last_resort is not None
        return self._may_go_on(report, troubles, self.system_first and route is self.routes[-1])

    def _may_go_on(self, report, troubles, by_own_sender):
        *before, last = troubles
        decision = last.decision
        if decision.is_open and not by_own_sender:
            asked_already = any(trouble.decision.is_open for trouble in before)
            return self.internal and not asked_already and self._may_ask(report, last)
        if decision.verdict is Verdict.FALLBACK:
            return by_own_sender or self.internal or not decision.internal_only
        waits_its_turn = self.may_wait and last.failure.kind is Kind.OVER_LIMIT
        return by_own_sender and not waits_its_turn

    def _may_ask(self, report, trouble):
        if self._refused_twice[report.message_id] >= MOST_SECOND_REFUSALS:
            return False
        at_dot = trouble.failure.phase is Phase.DOT
        return not (at_dot and self.is_distrusted and self.is_distrusted())

    def quit(self):
        """Close the routes that only this session uses."""
        for route in self._all_routes():
            if not route.shared:
                route.close()

    close = quit
