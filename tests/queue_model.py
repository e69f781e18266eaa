"""The addon around its engine, in plain Python and in one process: mailboxes and what is known of
them, mail and what waits, workers that send it. What the models keep in the database is kept in
attributes here; whatever is decided is decided by ``failover/``.

Not here, since it is in SQL: the turns of authors at a limit, and what the queue takes next.
"""

import dataclasses
import datetime
import smtplib
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from ..failover import breaker as circuit
from ..failover import pace
from ..failover.breaker import Breaker, State, still_lasts
from ..failover.budget import SLOW, Budget, LastTurn, Turn
from ..failover.connection import MailboxError, Patience, WatchedConnection, current_trace
from ..failover.failure import (
    Effect,
    Failure,
    Kind,
    MoreThanLimit,
    OverLimit,
    OverMailboxLimit,
    Phase,
    Verdict,
)
from ..failover.late_reply import LateReplies
from ..failover.pace import Pace
from ..failover.policy import Fate
from ..failover.probe import probe
from ..failover.rewrite import in_the_name_of
from ..failover.rules import OWN_NETWORK, PACED, REFUSED_HERE, classify, classify_probe
from ..failover.session import (
    AT_ONCE,
    Admission,
    Route,
    RouteBusy,
    RouteClosed,
    Session,
    Undelivered,
    explain,
)
from .smtp_lab.memory import MemoryServer

PERSON, REPLY, STORING = 5, 600, 60
"""Seconds: that a person waits, that a late reply is awaited, and that its result takes."""
LAST_TURN = 13
LATELY = datetime.timedelta(minutes=1)
NETWORK_WINDOW = datetime.timedelta(minutes=10)
LATEST_BELIEVABLE = datetime.timedelta(hours=1, minutes=5)
PASSWORD = "correct horse"
COLLEAGUES = ("ben@corp.test", "cleo@corp.test", "relay@corp.test")
CUSTOMERS = ("dora@customer.test", "quota@customer.test")


class Clock:
    """Two clocks: of the database, which somebody may set, and of the machine, which only runs."""

    def __init__(self):
        self.now, self._seconds = datetime.datetime(2025, 5, 3, 9, 14), 1e6

    def monotonic(self):
        return self._seconds

    def sleep(self, seconds):
        self._seconds += seconds
        self.set(seconds)

    def set(self, seconds):
        self.now += datetime.timedelta(seconds=seconds)


class Killed(BaseException):
    """The worker was killed."""


class MemorySmtp(WatchedConnection, smtplib.SMTP):
    """The engine's own connection, to a server of the lab without a socket."""

    def __init__(self, server):
        self._server = server
        super().__init__(server.name, 25, "here.test", timeout=60)

    def _get_socket(self, host, port, _timeout):
        trace = self.trace = current_trace()
        trace.connection, trace.host, trace.peer = self, host, (0, 0, 0, "", (host, port))
        trace.phase = Phase.CONNECT
        sock = self._server.connect()
        trace.phase = Phase.BANNER
        return sock


@dataclasses.dataclass(eq=False)
class Trips:
    """What has a breaker: a server, or our own network."""

    name: str
    breaker: Breaker = dataclasses.field(default_factory=Breaker)
    failed: tuple = ()
    """The last failure and the decision on it."""
    failed_at: datetime.datetime | None = None

    @property
    def is_down(self):
        return self.breaker.state != State.CLOSED

    def closed(self):
        """:rtype: RouteClosed"""
        failure, decision = self.failed
        effect = self.breaker.reason_effect
        return RouteClosed(failure, dataclasses.replace(decision, effect=effect))


@dataclasses.dataclass(eq=False)
class Place(Trips):
    """A server, and what is known of it."""

    server: MemoryServer | None = None
    paced: Pace = dataclasses.field(default_factory=Pace)
    served_at: float = 0
    is_slow: bool = False


@dataclasses.dataclass(eq=False)
class Mailbox(Trips):
    """A mailbox, and what is known of it."""

    address: str = ""
    place: Place | None = None
    is_system: bool = False
    has_token: bool = False
    password: str = PASSWORD
    grant: str = ""
    """What the provider says to whoever asks for a new token; empty: it gives one."""
    day_limit: int = 0
    state: str = "not_connected"
    last_success: datetime.datetime | None = None
    by_server: bool = False
    is_slow: bool = False
    quick: int = 0
    doubt: tuple = ()
    """When it was doubted, and of which message and recipient."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a worker read before it connected."""

    generation: int
    server_generation: int
    is_slow: bool
    has_turn: bool = False


@dataclasses.dataclass(eq=False)
class Mail:
    """Recipients that share a fate."""

    message: EmailMessage
    author: str
    internal: bool
    recipients: tuple
    state: str = "outgoing"
    due: datetime.datetime | None = None
    reason: str = ""
    since: datetime.datetime | None = None
    attempts: int = 0
    reply_until: datetime.datetime | None = None
    reply_mailbox: Mailbox | None = None
    put_off_at: datetime.datetime | None = None
    woken: int = 0
    """How often it was woken since it was last tried."""

    @property
    def message_id(self):
        return self.message["Message-Id"]


class House:
    """The company."""

    def __init__(self, clock, rng, *, with_backup=True):
        self.clock, self.rng = clock, rng
        self.network = Trips("network")
        self.places = [self._place(name) for name in ("corp", "carrier", "spare", "house")]
        corp, carrier, spare, house = self.places
        self.ana = self._mailbox("ana", corp, has_token=True)
        self.ben = self._mailbox("ben", corp)
        self.odoo = self._mailbox("odoo", house)
        self.system = [self._mailbox("hello", carrier, is_system=True)]
        if with_backup:
            backup = self._mailbox("backup", spare, is_system=True, day_limit=6)
            self.system.append(backup)
        self.mailboxes = [self.ana, self.ben, self.odoo, *self.system]
        self.mails, self.awaited, self.late_replies = [], [], LateReplies(8)
        self.minute_limit = 0
        self.admitted = []
        """Of each admission by System Mail: when, the mailbox, and the number that it counts."""

    def _place(self, name):
        logins = {f"{who}@corp.test": PASSWORD for who in ("ana", "ben", "odoo", "hello", "backup")}
        return Place(name, server=MemoryServer(name, self.clock, logins))

    @staticmethod
    def _mailbox(name, place, **options):
        return Mailbox(name, address=f"{name}@corp.test", place=place, **options)

    @property
    def now(self):
        return self.clock.now

    def own(self, author):
        """The mailbox of an author, or None."""
        return {"ana": self.ana, "ben": self.ben}.get(author)

    # --- before a connection

    def look(self, mailbox):
        if mailbox.is_down:
            raise mailbox.closed()
        for each in (self.network, mailbox.place):
            if each.is_down:
                raise each.closed()
        return self.seen(mailbox, has_turn=self._turn(mailbox))

    def seen(self, mailbox, has_turn=False):
        place = mailbox.place
        is_slow = mailbox.is_slow or place.is_slow
        return Seen(mailbox.breaker.generation, place.breaker.generation, is_slow, has_turn)

    def _turn(self, mailbox):
        place = mailbox.place
        allowed = pace.allows(place.paced, self.now)
        is_taken_for_right = mailbox.is_system or mailbox.state == "disconnected"
        is_proven = mailbox.last_success and mailbox.last_success > (
            place.paced.first_at or self.now
        )
        if allowed == "send" or is_taken_for_right or is_proven:
            return False
        if allowed == "turn":
            place.paced = pace.take_turn(place.paced, self.now)
            return True
        raise RouteClosed(Failure(Phase.AUTH), PACED)

    # --- after it

    def note_failure(self, mailbox, seen, failure, decision):
        """:return: the generation from which on a result of this connection is not late"""
        of_server = None
        if circuit.is_failure_of_server(failure):
            of_server = self._server_failed(mailbox, seen, failure, decision)
            if of_server is None:
                return seen.generation
        if mailbox.breaker.generation == seen.generation:
            self._write_failure(mailbox, failure, decision, of_server)
            seen = dataclasses.replace(seen, generation=mailbox.breaker.generation)
        if of_server is None and failure.kind is Kind.REPLY and failure.phase >= Phase.AUTH:
            self._note_served(mailbox, dataclasses.replace(seen, has_turn=False))
            is_rejection = failure.phase is Phase.AUTH and decision.effect is Effect.DISCONNECTED
            if is_rejection and not mailbox.has_token:
                place, known = mailbox.place, mailbox.state == "disconnected"
                place.paced = pace.after_rejection(place.paced, self.now, known)
        return seen.generation

    def _write_failure(self, mailbox, failure, decision, of_server=None):
        before = mailbox.breaker
        was_disconnected = before.reason_effect is Effect.DISCONNECTED
        if not was_disconnected or decision.effect is Effect.DISCONNECTED:
            mailbox.failed = failure, decision
        mailbox.failed_at = self.now
        mailbox.by_server = bool(of_server) and not was_disconnected
        if mailbox.by_server:
            opens = of_server.state != State.CLOSED
            after = dataclasses.replace(of_server, generation=before.generation + opens)
        else:
            options = {"quota": decision.quota, "retry_after": failure.retry_after}
            after = circuit.after_failure(
                before, decision.effect, failure.kind, self.now, self.rng, **options
            )
        mailbox.breaker = after
        mailbox.state = after.reason_effect.state or mailbox.state

    def _server_failed(self, mailbox, seen, failure, decision):
        place, before = mailbox.place, mailbox.place.breaker
        if before.generation != seen.server_generation:
            return before if place.is_down else None
        if circuit.is_network_failure(failure) and self._is_of_own_network(place):
            return None
        lately = self.clock.monotonic() - place.served_at < LATELY.total_seconds()
        place.breaker = circuit.after_failure(
            before, decision.effect, failure.kind, self.now, self.rng, served_lately=lately
        )
        place.failed, place.failed_at = (failure, decision), self.now
        if place.is_down and before.state is State.CLOSED:
            for other in self._at(place):
                if other is not mailbox and other.state == "connected":
                    other.state, other.by_server, other.failed = "unstable", True, place.failed
        return place.breaker

    def _at(self, place):
        return [mailbox for mailbox in self.mailboxes if mailbox.place is place]

    def _is_of_own_network(self, place):
        network = self.network
        if not network.is_down:
            failing = [
                each
                for each in self.places
                if each.breaker.first_failure_at
                and each.breaker.first_failure_at >= self.now - NETWORK_WINDOW
                and circuit.is_network_failure(each.failed[0])
            ]
            has_long_been_down = place.breaker.failure_count and place not in failing
            failed_at = {each: each.failed_at for each in failing} | {place: self.now}
            if (
                has_long_been_down
                or not circuit.own_network_suspected(failed_at.values(), self._last_served())
                or all(self._is_one_persons(each) for each in {*failing, place})
            ):
                return False
            for each in {*failing, place}:
                each.breaker = circuit.after_change(each.breaker)
                self._free(each)
        network.breaker = circuit.after_failure(
            network.breaker, OWN_NETWORK.effect, Kind.TIMEOUT, self.now, self.rng
        )
        network.failed = Failure(Phase.CONNECT, kind=Kind.TIMEOUT), OWN_NETWORK
        return True

    def _is_one_persons(self, place):
        there = self._at(place)
        return len(there) <= 1 and not any(mailbox.is_system for mailbox in there)

    def _last_served(self):
        ago = self.clock.monotonic() - max(place.served_at for place in self.places)
        stored = [mailbox.last_success for mailbox in self.mailboxes if mailbox.last_success]
        return max([*stored, self.now - datetime.timedelta(seconds=ago)])

    def note_success(self, mailbox, seen, seconds=None):
        if mailbox.breaker.generation == seen.generation:
            was = mailbox.state
            mailbox.breaker = circuit.after_success(mailbox.breaker)
            mailbox.state, mailbox.by_server, mailbox.doubt = "connected", False, ()
            mailbox.last_success = self.now
            self._note_speed(mailbox, seconds)
            if was in ("unstable", "disconnected"):
                self.wake([mailbox])
        self._note_served(mailbox, seen, seconds)

    @staticmethod
    def _note_speed(mailbox, seconds):
        if seconds is None:
            return
        if seconds >= SLOW:
            mailbox.is_slow, mailbox.quick = True, 0
        elif mailbox.is_slow:
            mailbox.quick += 1
            if mailbox.quick >= 3:
                mailbox.is_slow, mailbox.quick = False, 0

    def note_slow(self, mailbox, seen, phase):
        mailbox.place.is_slow |= phase < Phase.AUTH
        if mailbox.breaker.generation == seen.generation:
            mailbox.is_slow, mailbox.quick = True, 0

    def note_doubt(self, mailbox, seen, failure, message_id, address):
        if mailbox.breaker.generation == seen.generation:
            window = datetime.timedelta(seconds=circuit.WINDOW)
            if not (mailbox.doubt and self.now - window <= mailbox.doubt[0] <= self.now):
                mailbox.doubt = self.now, message_id, address
            elif not {message_id, address} & {*mailbox.doubt}:
                self._write_failure(mailbox, failure, REFUSED_HERE)
        return mailbox.breaker.generation

    def _note_served(self, mailbox, seen, seconds=None):
        place = mailbox.place
        place.served_at = self.clock.monotonic()
        if seen.has_turn:
            place.paced = pace.after_turn(place.paced)
        if pace.is_forgotten(place.paced, self.now):
            place.paced = Pace()
        if seconds is not None and seconds < SLOW:
            place.is_slow = False
        for each in (place, self.network):
            if each.is_down or each.breaker.failure_count:
                each.breaker = circuit.after_success(each.breaker)
                freed = self.mailboxes if each is self.network else self._free(each)
                self.wake(freed)

    def _free(self, place):
        """Use the mailboxes again that were unstable only because of their server."""
        for mailbox in self._at(place):
            if mailbox.by_server:
                mailbox.state = "connected" if mailbox.last_success else "not_connected"
                mailbox.by_server, mailbox.breaker = False, circuit.after_change(mailbox.breaker)
        return self._at(place)

    # --- checks

    def due_for_probe(self):
        """A mailbox for each breaker that is due for a probe, with that breaker's owner."""
        due = []
        for each in [self.network, *self.places]:
            if each.is_down and circuit.allows(each.breaker, self.now) == "probe":
                tried = self._mailbox_to_try(each)
                if tried:
                    due.append((each, tried))
                else:  # nobody is unstable because of it
                    each.breaker = Breaker(generation=each.breaker.generation + 1)
        down = {self.network.is_down and self.network} | {p for p in self.places if p.is_down}
        for mailbox in self.mailboxes:
            if not mailbox.is_down or mailbox.by_server or {self.network, mailbox.place} & down:
                continue
            if circuit.allows(mailbox.breaker, self.now) == "probe":
                due.append((mailbox, mailbox))
        return due

    def _mailbox_to_try(self, each):
        if each is self.network:
            of = [m for m in self.mailboxes if m.state != "disconnected"]
        else:
            of = [m for m in self._at(each) if m.by_server]
        return self.rng.choice(of) if of else None

    def take_lease(self, each):
        each.breaker = circuit.lease(each.breaker, self.now)

    def check(self, mailbox):
        """Try a mailbox without a message.

        :return: whether it works
        """
        seen = self.seen(mailbox)
        failure = probe(lambda: self._open_anew(mailbox), Patience(), mailbox.address)
        if failure:
            self.note_failure(mailbox, seen, failure, classify_probe(failure))
        else:
            self.note_success(mailbox, seen)
        return not failure

    def sweep(self):
        """Check the mailboxes that failed last, and are in use all the same."""
        for mailbox in self.mailboxes:
            waits = mailbox.is_down or (mailbox.by_server and mailbox.place.is_down)
            if mailbox.state == "unstable" and not waits:
                self.check(mailbox)

    def reconnect(self, mailbox):
        """Its owner gives the right password, or signs in again."""
        mailbox.password, mailbox.grant = PASSWORD, ""
        mailbox.breaker = circuit.after_change(mailbox.breaker)
        mailbox.is_slow, mailbox.by_server, mailbox.quick = False, False, 0
        return self.check(mailbox)

    def _open_anew(self, mailbox):
        if mailbox.has_token:
            self.refresh(mailbox)
        return self.open(mailbox)

    @staticmethod
    def refresh(mailbox):
        """Fetch a new access token."""
        if mailbox.grant:
            body = {"error": mailbox.grant}
            raise MailboxError(Failure.from_token_response(400, body))
        mailbox.password = PASSWORD

    @staticmethod
    def open(mailbox):
        """Open a logged-in connection."""
        connection = MemorySmtp(mailbox.place.server)
        connection.login(mailbox.address, mailbox.password)
        return connection

    # --- the queue

    def write_mail(self, author, recipients):
        message = EmailMessage(policy=SMTP)
        message["From"] = f"{author} <{author}@corp.test>"
        message["To"] = ", ".join(recipients)
        message["Message-Id"] = f"<{len(self.mails) + 1}@corp.test>"
        message["Subject"] = "Relaying denied, quota exceeded"
        message.set_content("See this\n.\nand that\n")
        internal = set(recipients) <= {*COLLEAGUES}
        self.mails.append(Mail(message, author, internal, tuple(recipients)))
        return self.mails[-1]

    def is_due(self, mail):
        if mail.state != "outgoing":
            return False
        if mail.due is None or mail.due <= self.now:
            return True
        is_put_off = mail.since or mail.reply_until
        if is_put_off and mail.due > self.now + LATEST_BELIEVABLE:
            return True
        return bool(mail.put_off_at and mail.put_off_at > self.now)

    def is_awaited(self, mail):
        until = mail.reply_until
        return bool(until) and still_lasts(until, self.now, REPLY + STORING)

    def due(self):
        """The mails that may be sent now."""
        return [mail for mail in self.mails if self.is_due(mail) and not self.is_awaited(mail)]

    def take(self, mail):
        """Begin to send a mail that is due. Where nobody has stored a reply in time, it may have
        been delivered.

        :return: whether to send it
        """
        if mail.reply_until:
            self._end_wait(mail)
            if not mail.internal:
                self._fail(mail, "held", "no reply")
        return mail.state == "outgoing"

    def busy_until(self, mailbox):
        """Until when its server may still owe a reply; None if it does not."""
        sent_by_it = [m for m in self.mails if m.reply_mailbox is mailbox and self.is_awaited(m)]
        return max((mail.reply_until for mail in sent_by_it), default=None)

    def wake(self, mailboxes):
        """Mails that wait for these mailboxes are due."""
        authors = {mailbox.name for mailbox in mailboxes}
        is_system = any(mailbox.is_system for mailbox in mailboxes)
        for mail in self.mails:
            waits = mail.state == "outgoing" and mail.since and mail.due and mail.due > self.now
            if waits and (is_system or mail.author in authors):
                mail.due, mail.attempts, mail.woken = None, 0, mail.woken + 1

    def requeue(self, mail, reason, retry_at=None):
        mail.reason, mail.put_off_at = reason, self.now
        if retry_at == AT_ONCE:
            mail.due = None
        elif retry_at:
            mail.attempts, mail.since, mail.due = 0, None, retry_at
        else:
            since = mail.since or self.now
            if circuit.expired(since, self.now):
                self._fail(mail, "failed", reason)
                return
            mail.attempts, mail.since = mail.attempts + 1, since
            delay = circuit.backoff(mail.attempts, self.rng)
            mail.due = self.now + datetime.timedelta(seconds=delay)

    @staticmethod
    def _fail(mail, state, reason):
        mail.state, mail.reason, mail.attempts, mail.since = state, reason, 0, None

    def send_again(self, mail):
        """Somebody decides on what is held or has failed."""
        mail.state, mail.due, mail.attempts, mail.since = "outgoing", None, 0, self.now

    def settle(self, mail, report, may_wait):
        """Store what became of a mail, split by the fates of its recipients."""
        by_fate = {}
        for address in report.recipients:
            by_fate.setdefault(report.fate(address), []).append(address)
        parts = [mail, *(dataclasses.replace(mail) for _ in range(len(by_fate) - 1))]
        self.mails += parts[1:]
        for part, (fate, addresses) in zip(parts, by_fate.items(), strict=True):
            part.recipients = tuple(addresses)
            troubles = [report.troubles[a] for a in addresses if a in report.troubles]
            self._settle_part(part, fate, report, troubles, may_wait)

    def _settle_part(self, part, fate, report, troubles, may_wait):
        reason = explain(troubles[0]) if troubles else ""
        if fate is Fate.ACCEPTED:
            part.state = "sent"
        elif fate is Fate.AWAITED:
            part.reply_until = part.due = self.now + datetime.timedelta(seconds=REPLY + STORING)
            mailbox = part.reply_mailbox = troubles[0][-1].route.mailbox
            part.attempts, part.since = 0, None
            self.awaited.append((part, mailbox, report.late, self.clock.monotonic() + REPLY))
        elif fate is Fate.DEFERRED and may_wait:
            at = [trouble[-1].retry_at for trouble in troubles]
            self.requeue(part, reason, min(at) if all(at) else None)
        else:
            self._fail(part, "held" if fate is Fate.HELD and may_wait else "failed", reason)

    # --- late replies

    def watch(self):
        """Store the replies that have come, or will not come."""
        for awaited in list(self.awaited):
            mail, mailbox, reply, end = awaited
            if reply.wait(0) or self.clock.monotonic() >= end:
                self.awaited.remove(awaited)
                self._settle_reply(mail, mailbox, reply.failure())

    def _settle_reply(self, mail, mailbox, failure):
        decision = failure and classify(failure)
        if mail.state == "outgoing":
            self._end_wait(mail)
            if failure is None:
                mail.state = "sent"
            elif mail.internal or decision.verdict is not Verdict.UNCERTAIN:
                mail.due = None
            else:
                self._fail(mail, "held", "no reply")
        seen = self.seen(mailbox)
        if failure is None:
            self.note_success(mailbox, seen, SLOW)
        elif decision.verdict is Verdict.UNCERTAIN:
            self.note_failure(mailbox, seen, failure, decision)

    def _end_wait(self, mail):
        until, mail.reply_until, mail.reply_mailbox = mail.reply_until, None, None
        if not until:
            return
        for behind in self.mails:
            if behind.state == "outgoing" and behind.due == until and not behind.reply_until:
                behind.due = None

    # --- limits

    def served(self, mailbox=None, seconds=circuit.DAY):
        """How many recipients were counted within so many seconds."""
        since = self.now - datetime.timedelta(seconds=seconds)
        return sum(
            number
            for at, by, number in self.admitted
            if since < at <= self.now and mailbox in (None, by)
        )

    def admit(self, mailbox, count):
        if self.minute_limit and count > self.minute_limit:
            return Admission(0, MoreThanLimit("so many a minute"))
        if mailbox.day_limit and self.served(mailbox) + count > mailbox.day_limit:
            return Admission(0, OverMailboxLimit("so many a day"))
        room = self.minute_limit - self.served(seconds=60) if self.minute_limit else count
        number = max(0, min(room, count))
        entry = [self.now, mailbox, number]
        self.admitted.append(entry)

        def give_back(unused):
            assert 0 < unused <= entry[2]
            entry[2] -= unused

        over = OverLimit("so many a minute", self.now + datetime.timedelta(minutes=1))
        return Admission(number, None if number == count else over, give_back)


class Worker:
    """Sends the mails of one author, as a process does for one batch."""

    def __init__(self, house, author, internal, kind, *, is_in_scope=True):
        """
        :param str kind: "person", "insisting" (a person, to whom errors are raised), "turn" or
            "last" (the queue), or "shell"
        """
        self.house, self.author, self.internal, self.kind = house, author, internal, kind
        self.raise_exception = kind == "insisting"
        self.budget = {
            "person": lambda: Budget(PERSON),
            "insisting": lambda: Budget(PERSON),
            "turn": lambda: Turn(9, 1e9, may_leave=True),
            "last": lambda: LastTurn(LAST_TURN, 1e9, may_leave=True),
            "shell": Budget,
        }[kind]()
        self.reports, self._seen = [], {}
        self.is_new, self._is_open = True, False
        self.session = self._session(is_in_scope)

    def _session(self, is_in_scope):
        own, system_budget = self.house.own(self.author), self.budget.for_another_mailbox()
        if self.raise_exception:
            system_budget = Budget()
        systems = [
            self._route(mailbox, system_budget, is_system=True)
            for mailbox in self.house.system * is_in_scope
        ]
        sender = own or self.house.odoo
        as_in_odoo = self.raise_exception and not (own and systems)
        own_budget = Budget() if as_in_odoo else self.budget
        route, last_resort = self._route(sender, own_budget), None
        if own_budget.is_limited and self.raise_exception:
            last_resort = self._route(sender, Budget())
        session = Session(
            [route, *systems] if own else [*systems, route],
            internal=self.internal,
            system_first=bool(systems) and not own,
            may_wait=not self.raise_exception,
            budget=self.budget,
            last_resort=last_resort,
        )
        session.on_report = self.reports.append
        return session

    def _route(self, mailbox, budget, *, is_system=False):
        house = self.house
        may_be_late = budget.may_leave and not self.raise_exception
        dot = 60 if self.kind in ("person", "insisting") else 600
        options: dict[str, Any] = {}
        if is_system:
            options["admit"] = lambda count: house.admit(mailbox, count)
            options["rewrite"] = lambda message, _from, author: (
                in_the_name_of(message, mailbox.address, author),
                mailbox.address,
            )
        if mailbox.has_token:
            options["refresh"] = lambda: house.refresh(mailbox)
        return Route(
            mailbox,
            lambda: self._connect(mailbox, budget),
            name=mailbox.name,
            patience=Patience(dot=dot, budget=budget, may_be_late=may_be_late),
            late_replies=house.late_replies if may_be_late else None,
            on_failure=self._failed,
            on_success=self._succeeded,
            on_doubt=self._doubted,
            on_slow=self._slow,
            **options,
        )

    def _connect(self, mailbox, budget):
        seen = self._seen[mailbox] = self.house.look(mailbox)
        if seen.is_slow:
            if budget.is_limited:
                raise MailboxError(Failure(Phase.CONNECT, kind=Kind.NO_TIME))
            until = None if self.raise_exception else self.house.busy_until(mailbox)
            if until:
                raise RouteBusy(until)
        return self.house.open(mailbox)

    def _failed(self, mailbox, failure, decision):
        if decision.effect is not Effect.NONE:
            seen = self._seen.get(mailbox) or self.house.seen(mailbox)
            generation = self.house.note_failure(mailbox, seen, failure, decision)
            self._seen[mailbox] = dataclasses.replace(seen, generation=generation)

    def _succeeded(self, mailbox, _certificate, seconds):
        self.house.note_success(mailbox, self._seen[mailbox], seconds)

    def _doubted(self, mailbox, *doubt):
        generation = self.house.note_doubt(mailbox, self._seen[mailbox], *doubt)
        seen = self._seen[mailbox]
        self._seen[mailbox] = dataclasses.replace(seen, generation=generation)

    def _slow(self, mailbox, _seconds, phase):
        seen = self._seen.get(mailbox) or self.house.seen(mailbox)
        self.house.note_slow(mailbox, seen, phase)

    def send(self, mail):
        """Send one mail, and store what became of it.

        :return: the Report; where no mailbox could be opened, it names no recipient. None if it was
            not sent
        """
        house, may_wait = self.house, not self.raise_exception
        if not house.take(mail):
            return None
        self.is_new, mail.woken, self.reports[:] = False, 0, []
        sender = f"{self.author}@corp.test"
        try:
            if not self._is_open:
                self.session.open()
                self._is_open = True
            self.session.send_message(mail.message, sender, list(mail.recipients))
        except Undelivered as exc:
            if not self.reports:
                troubles = exc.report.troubles[""]
                house._settle_part(mail, exc.report.fate(""), exc.report, [troubles], may_wait)
                return exc.report
        house.settle(mail, self.reports[-1], may_wait)
        return self.reports[-1]

    def close(self):
        self.session.quit()
