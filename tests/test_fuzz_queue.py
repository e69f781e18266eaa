"""Whatever happens to mailboxes, servers, workers and clocks, in whatever order: no mail is lost,
none is sent twice, and what is mended is used again.

The engine is the real one, down to the bytes of each reply; around it is ``queue_model``.
"""

import collections
import contextlib
import csv
import pathlib
import random
from typing import NamedTuple
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ..failover import pace
from ..failover.breaker import DAY, HOUR, LEASE, State, allows
from ..failover.envelope import trust_again
from ..failover.failure import Effect, Verdict
from ..failover.late_reply import LateReplies
from .property_tests import EXAMPLES
from .queue_model import COLLEAGUES, CUSTOMERS, PASSWORD, PERSON, Clock, House, Killed, Worker
from .smtp_lab.faults import ACTIONS

TESTS = pathlib.Path(__file__).parent
AUTHORS = ("ana", "ben", "nora")
KINDS = ("person", "insisting", "turn", "last", "shell")
SAID_AT = ("banner", "ehlo", "auth", "mail", "rcpt", "data", "dot")
BEFORE_MAIL = ("connect", "banner", "ehlo", "auth")
SILENT_AT = ("connect", *SAID_AT, "body", "rset", "quit")
SLOW = {"banner": "220 Hello", "mail": "250 2.1.0 OK", "dot": "250 2.0.0 OK"}
TIDY = 0.5
"""Seconds that a person waits for a place among the late replies."""


class Trouble(NamedTuple):
    """What a server does, and whose fault that is, as the tables of the tests say."""

    phase: str
    reply: str | None
    action: str = "reply"
    theirs: bool = False
    """The recipient's or the message's: no mailbox is any worse for it."""

    @classmethod
    def said(cls, phase, reply, verdicts):
        code, _, text = reply.partition(" ")
        *lines, last = (text.replace("\\n", "\n").split("\n")) or [""]
        said = "\n".join([*(f"{code}-{line}" for line in lines), f"{code} {last}"])
        return cls(phase, said, theirs={*verdicts.split("|")} <= {"refuse", "defer", "split"})


def _troubles():
    with (TESTS / "failure_rules.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["verdict"] != "accepted" and not row["given"]:
                yield row["phase"], row["example"], row["verdict"]
    for line in (TESTS / "provider_replies.tsv").read_text().splitlines():
        if line and not line.startswith("#"):
            verdicts, _rules, phase, _flags, reply, *_source = line.split("\t")
            yield phase, reply, verdicts


SAID = {
    phase: [
        Trouble.said(*trouble)
        for trouble in _troubles()
        if trouble[0] == phase and trouble[1][:1] in "45" and trouble[1][:3].isdigit()
    ]
    for phase in SAID_AT
}
SILENT = [Trouble(phase, None, action) for phase in SILENT_AT for action in ACTIONS[1:]]
SILENT.remove(Trouble("connect", None, "drip"))
GARBAGE = [Trouble(phase, "HTTP/1.1 400 Bad Request") for phase in SAID_AT]

troubles = st.one_of(
    st.sampled_from(SAID_AT).flatmap(lambda phase: st.sampled_from(SAID[phase])),
    st.sampled_from([trouble for said in SAID.values() for trouble in said if trouble.theirs]),
    st.sampled_from(SILENT),
    st.sampled_from([trouble for trouble in SILENT if trouble.phase == "dot"]),
    st.sampled_from(GARBAGE),
)
addresses = st.sampled_from(COLLEAGUES + CUSTOMERS)
recipients = st.one_of(
    st.lists(st.sampled_from(COLLEAGUES), min_size=1, max_size=3, unique=True),
    st.lists(addresses, min_size=1, max_size=4, unique=True),
)
mails = st.lists(recipients, min_size=1, max_size=3)
authors, kinds = st.sampled_from(AUTHORS), st.sampled_from(KINDS)
conditions = st.fixed_dictionaries(
    {
        "recipient": st.one_of(st.none(), addresses),
        "nth": st.sampled_from([None, None, 1, 2]),
        "login": st.sampled_from([None, None, "ana@corp.test"]),
        "after": st.sampled_from([0, 0, 1]),
        "times": st.sampled_from([None, None, 1, 2]),
        "accept": st.booleans(),
        "delay": st.sampled_from([0, 0, 0, 3, 30, 300]),
    }
)


places = st.sampled_from([0, 0, 0, 1, 1, 2, 3])
faults = st.lists(st.tuples(places, troubles, conditions), min_size=1, max_size=3)


class QueueMachine(RuleBasedStateMachine):
    """A company, its mail, and all that may happen to it."""

    def __init__(self):
        super().__init__()
        self.clock, self.patches = Clock(), contextlib.ExitStack()
        self.patches.enter_context(mock.patch("time.monotonic", self.clock.monotonic))
        self.patches.enter_context(mock.patch("time.sleep", self.clock.sleep))
        trust_again()
        self.slow_worker = None
        self.may_have = collections.Counter()
        """How often nobody could know whether a recipient has a message, and it may go again."""
        self.steps_left = None
        self.theirs = set()

    @initialize(
        seed=st.integers(0, 999),
        with_backup=st.booleans(),
        is_all_in_scope=st.sampled_from([True, True, False]),
        minute_limit=st.sampled_from([0, 0, 0, 3, 6]),
    )
    def move_in(self, seed, with_backup, is_all_in_scope, minute_limit):
        self.house = House(self.clock, random.Random(seed), with_backup=with_backup)
        self.house.minute_limit, self.is_all_in_scope = minute_limit, is_all_in_scope
        for place in self.house.places:
            place.server.on_step = self._on_step

    def _on_step(self, _phase):
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left < 0:
                self.steps_left = None
                raise Killed

    # --- what happens to servers and mailboxes

    @rule(faults=faults)
    def break_servers(self, faults):
        for place, trouble, given in faults:
            is_silent, phase = trouble.action != "reply", trouble.phase
            when = {
                **given,
                "accept": given["accept"] and is_silent and phase == "dot",
                "recipient": given["recipient"] if phase in ("rcpt", "dot") else None,
                "nth": given["nth"] if phase == "rcpt" else None,
            }
            server = self.house.places[place].server
            fault = server.fail(phase, trouble.reply, action=trouble.action, interval=5, **when)
            if trouble.theirs and not fault.delay:
                self.theirs.add(fault)

    @rule(place=places, how=st.sampled_from(["stops", "heals", "heals", *SLOW]))
    def change_server(self, place, how):
        server = self.house.places[place].server
        if how == "stops":
            server.is_up = False
        elif how == "heals":
            server.heal()
            server.pipelining = not server.pipelining
        else:
            server.fail(how, SLOW[how], delay=4)

    @rule(
        number=st.integers(0, 4),
        how=st.sampled_from(["", "invalid_grant", "invalid_client", "reconnect", "check"]),
    )
    def change_mailbox(self, number, how):
        mailbox = self.house.mailboxes[number % len(self.house.mailboxes)]
        if how == "check":
            self.house.check(mailbox)
        elif how == "reconnect":
            if self.house.reconnect(mailbox):
                assert (mailbox.state, mailbox.breaker.state) == ("connected", State.CLOSED)
                assert not mailbox.place.is_down
        else:
            mailbox.password, mailbox.grant = "wrong", how

    # --- what happens to clocks and in the background

    @rule(seconds=st.sampled_from([1, 30, 61, 200, 700, HOUR, 6 * HOUR, DAY]))
    def wait(self, seconds):
        self.clock.sleep(seconds)

    @rule(seconds=st.sampled_from([-400 * DAY, -DAY, -HOUR, -300, 300, HOUR, 3 * DAY]))
    def set_clock(self, seconds):
        self.clock.set(seconds)

    @rule(job=st.sampled_from(["probe", "probe and die", "sweep", "watch", "watch and die"]))
    def run_job(self, job):
        if job.startswith("probe"):
            self._probe(dies=job.endswith("die"))
        elif job == "watch and die":
            self.house.awaited.clear()
        else:
            getattr(self.house, job)()

    def _probe(self, dies=False):
        for each, mailbox in self.house.due_for_probe():
            if allows(each.breaker, self.house.now) != "probe":
                continue  # one of those before has shown that it works
            self.house.take_lease(each)
            assert allows(each.breaker, self.house.now) == "skip"
            if not dies:
                self.house.check(mailbox)

    # --- what happens to mail

    @rule(author=authors, mails=mails, kind=kinds)
    def send(self, author, mails, kind):
        worker = None
        for recipients in mails:
            mail = self.house.write_mail(author, recipients)
            if worker is None or worker.internal != mail.internal:
                worker = self._new_worker(mail, kind)
            self._send(worker, mail, closes=recipients is mails[-1])

    @rule(author=authors, mails=mails, kind=kinds, faults=faults)
    def send_into_trouble(self, author, mails, kind, faults):
        self.break_servers(faults)
        self.send(author, mails, kind)

    @rule(author=authors, mails=mails, kind=kinds, faults=faults)
    def send_into_trouble_and_again(self, author, mails, kind, faults):
        self.send_into_trouble(author, mails, kind, faults)
        self.clock.sleep(HOUR)
        self._run_queue("shell")

    @rule(kind=st.sampled_from(["turn", "last", "shell"]))
    def run_queue(self, kind):
        self._run_queue(kind)

    def _run_queue(self, kind):
        batches = collections.defaultdict(list)
        for mail in self.house.due():
            batches[mail.author, mail.internal, kind == "last" and mail.message_id].append(mail)
        for mails in batches.values():
            worker = self._new_worker(mails[0], kind)
            for mail in mails:
                self._send(worker, mail)
            worker.close()

    @rule(author=authors, mails=mails, kind=kinds, steps=st.integers(0, 14))
    def kill_a_worker(self, author, mails, kind, steps):
        mail = self.house.write_mail(author, mails[0])
        worker, self.steps_left = self._new_worker(mail, kind), steps
        self._send(worker, mail)
        self.steps_left = None

    @rule(author=authors, mails=mails)
    def work_beside_others(self, author, mails):
        """A worker sends a mail now and another later: others go on while it is at work."""
        self.slow_worker = self.slow_worker or self._new_worker(
            self.house.write_mail(author, mails[0]), "shell"
        )
        worker = self.slow_worker
        mail = self.house.write_mail(worker.author, mails[0])
        if mail.internal == worker.internal:
            self._send(worker, mail)
        else:
            worker.close()
            self.slow_worker = None

    @rule(number=st.integers(0, 9))
    def decide(self, number):
        undecided = [mail for mail in self.house.mails if mail.state == "held"]
        if undecided:
            mail = undecided[number % len(undecided)]
            for address in mail.recipients:
                self.may_have[mail.message_id, address] += 1
            self.house.send_again(mail)

    # --- a message is sent

    def _new_worker(self, mail, kind):
        in_scope = mail.internal or self.is_all_in_scope
        return Worker(self.house, mail.author, mail.internal, kind, is_in_scope=in_scope)

    def _send(self, worker, mail, closes=False):
        house, recipients = self.house, mail.recipients
        before = {m: (m.state, m.breaker, m.doubt) for m in house.mailboxes}
        struck = {f: f.struck for place in house.places for f in place.server.faults}
        copies = {place.server: len(place.server.accepted) for place in house.places}
        worked = {mailbox for mailbox in house.mailboxes if self._works(mailbox)}
        busy = {mailbox for mailbox in house.mailboxes if house.busy_until(mailbox)}
        begin, is_fresh = self.clock.monotonic(), worker.is_new
        try:
            report = worker.send(mail)
        except Killed:
            house.late_replies = LateReplies(8)  # those of another process
            for address in recipients:
                self.may_have[mail.message_id, address] += 1
            return
        if report is None:
            return
        if closes:
            worker.close()
        self._check_time(worker.kind, self.clock.monotonic() - begin)
        new = [
            (address, server)
            for server, number in copies.items()
            for delivery in server.accepted[number:]
            for address in delivery.rcpt_to
        ]
        striking = [f for f, number in struck.items() if f.struck > number]
        self._check_copies(worker, mail, recipients, report, new)
        if striking and {*striking} <= self.theirs:
            self._check_blame(worked, before)
        if is_fresh and worker.kind in ("shell", "last"):
            self._check_reach(worker, report, worked, busy, striking)

    @staticmethod
    def _check_time(kind, seconds):
        if kind == "person":
            assert seconds <= PERSON + TIDY
        elif kind == "turn":
            assert seconds <= 9 + TIDY

    def _check_copies(self, worker, mail, recipients, report, new):
        assert {address for address, _server in new} <= {*recipients}
        for address in recipients:
            by = [server for to, server in new if to == address]
            troubles = report.troubles.get(address, ())
            uncertain = [
                t for t in troubles if t.decision.verdict is Verdict.UNCERTAIN or t.is_awaited
            ]
            if worker.internal:
                self.may_have[mail.message_id, address] += len(uncertain)
            accepted = report.accepted.get(address)
            if accepted:
                assert accepted.mailbox.place.server in by, "said to be sent, and was not"
            known = [t.route.mailbox.place.server for t in uncertain]
            known += [accepted.mailbox.place.server] if accepted else []
            assert not collections.Counter(by) - collections.Counter(known), "sent unnoticed"
            if not worker.internal:
                assert len(by) <= 1, "a second copy for a customer"

    @staticmethod
    def _check_blame(worked, before):
        """The fault of a recipient makes no mailbox any worse."""
        for mailbox in worked:
            state, breaker, doubt = before[mailbox]
            assert mailbox.state in (state, "connected")
            assert mailbox.breaker.failure_count <= breaker.failure_count
            assert mailbox.doubt in (doubt, ())

    def _check_reach(self, worker, report, worked, busy, striking):
        """The first mailbox that works sends, and is none the worse for it."""
        for route in worker.session.routes:
            mailbox = route.mailbox
            server = mailbox.place.server
            phases = {f.phase for f in striking if f in server.faults}
            if mailbox in worked and not phases:
                assert report.recipients
                assert {*report.recipients} == {*report.accepted}
                assert mailbox.breaker.state is State.CLOSED
                return
            if phases - {*BEFORE_MAIL} or not worker.internal or self.house.network.is_down:
                return  # it may be anybody's fault, or for colleagues only, or all waits
            if mailbox in busy:
                return
            if mailbox.is_system and (self.house.minute_limit or mailbox.day_limit):
                return

    def _works(self, mailbox):
        """Whether nothing is known or wrong of a mailbox, but what its server's faults make."""
        house, place = self.house, mailbox.place
        is_signed_in = mailbox.password == PASSWORD or (mailbox.has_token and not mailbox.grant)
        return (
            not any(each.is_down for each in (mailbox, place, house.network))
            and place.server.is_up
            and is_signed_in
            and pace.allows(place.paced, house.now) == "send"
            and not house.busy_until(mailbox)
            and not (mailbox.is_system and (house.minute_limit or mailbox.day_limit))
        )

    # --- what always holds

    @invariant()
    def all_is_well(self):
        self._each_recipient_comes_to_something()
        self._nobody_has_two_copies_unless_it_was_uncertain()
        self._nothing_wakes_twice()
        self._no_wait_is_longer_than_it_may_be()
        self._a_mailbox_is_blamed_for_its_server_only_while_that_is_in_trouble()
        self._no_limit_is_exceeded()

    def _each_recipient_comes_to_something(self):
        for mail in self.house.mails:
            assert mail.recipients
            if mail.state == "outgoing":
                assert mail.due is None or mail.reason or mail.reply_until, mail
            elif mail.state != "sent":
                assert mail.state in ("held", "failed")
                assert mail.reason
                assert mail.internal <= (mail.state != "held")

    def _nobody_has_two_copies_unless_it_was_uncertain(self):
        copies = collections.Counter()
        for place in self.house.places:
            for delivery in place.server.accepted:
                message_id = _message_id(delivery.content)
                copies.update((message_id, address) for address in delivery.rcpt_to)
        for key, number in copies.items():
            assert number <= 1 + self.may_have[key]
        for mail in self.house.mails:
            if mail.state == "sent":
                assert all(copies[mail.message_id, a] for a in mail.recipients)

    def _nothing_wakes_twice(self):
        assert all(mail.woken <= 1 for mail in self.house.mails)

    def _no_wait_is_longer_than_it_may_be(self):
        for each in self._breakers():
            breaker, now = each.breaker, self.house.now
            if breaker.state is State.CLOSED:
                assert breaker.next_probe_at is None
            elif allows(breaker, now) == "skip":
                wait = (breaker.next_probe_at - now).total_seconds()
                assert wait <= (LEASE if breaker.state is State.HALF_OPEN else DAY)
                assert wait <= HOUR or breaker.delay > HOUR

    def _a_mailbox_is_blamed_for_its_server_only_while_that_is_in_trouble(self):
        for mailbox in self.house.mailboxes:
            if mailbox.by_server:
                place = mailbox.place
                assert place.is_down or place.breaker.failure_count
            if mailbox.is_down:
                assert mailbox.state in ("unstable", "disconnected")
            if mailbox.breaker.reason_effect is Effect.DISCONNECTED:
                assert mailbox.state == "disconnected"
                assert mailbox.is_down

    def _no_limit_is_exceeded(self):
        counted = collections.Counter()
        for _at, mailbox, number in self.house.admitted:
            assert number >= 0
            counted[mailbox] += number
        for mailbox, number in counted.items():
            accepted = [d for d in mailbox.place.server.accepted if d.login == mailbox.address]
            assert sum(len(delivery.rcpt_to) for delivery in accepted) <= number

    def _breakers(self):
        return [*self.house.mailboxes, *self.house.places, self.house.network]

    # --- the end

    def teardown(self):
        with self.patches:
            if hasattr(self, "house"):
                self._mend_everything()

    def _mend_everything(self):
        """Nobody does anything but mend what is broken: everything is sent, and works."""
        house = self.house
        for place in house.places:
            place.server.heal()
        for mailbox in house.mailboxes:
            mailbox.password, mailbox.grant = PASSWORD, ""
        for _ in range(60):
            self.clock.sleep(HOUR)
            house.watch()
            self._probe()
            house.sweep()
            self._run_queue("last")
        for mail in house.mails:
            assert mail.state != "outgoing", mail
        for each in self._breakers():
            assert each.breaker.state is State.CLOSED, each
        for mailbox in house.mailboxes:
            assert mailbox.state in ("connected", "not_connected")
        self._nobody_has_two_copies_unless_it_was_uncertain()
        self._no_limit_is_exceeded()


def _message_id(content):
    [line] = [line for line in content.splitlines() if line.lower().startswith(b"message-id:")]
    return line.partition(b":")[2].strip().decode()


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(
    max_examples=EXAMPLES or 30,
    stateful_step_count=30,
    derandomize=not EXAMPLES,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    deadline=None,
)
