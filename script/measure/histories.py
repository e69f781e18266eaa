"""What each mail server accepted, against what the hosts said and the database says. Pure."""

import collections
import itertools
import time
from typing import NamedTuple

from . import plan
from .audit import Auditor
from .chaos import print_faults, print_reasons, print_violations

KILL, DATABASE, MAIL, FAILOVER, ENDED = "kill", "database", "mail", "failover", "ended by itself"
SOON = 15.0
"""Seconds in which a host surely writes down what it did, if nothing happens to it."""
SLACK = 0.5
"""Seconds: a line is mended, and what had waited is passed on."""
CLOCKS = 0.05
"""Seconds that two processes may take to look at the same clock."""
UNCOUNTED = 3
"""Recipients that a host may serve without counting them, when it has lost the database."""


class Fault(NamedTuple):
    """What was done to a host; to none: to PostgreSQL."""

    host: str
    what: str
    place: str
    begin: float
    """``time.monotonic()``"""
    end: float = float("inf")


class Life:
    """What happened to the hosts, and what people know of the messages that they posted."""

    def __init__(self):
        self.faults = []
        self.posts = collections.Counter()
        """By host, those that it confirmed."""
        self.unsure = set()
        """The numbers of the messages whose author got no answer."""
        self.unanswered = set()
        """Of those that are being posted."""
        self.failover_seconds = 0.0

    def note(self, host, what, place=""):
        """A fault begins."""
        self.faults.append(Fault(host, what, place, time.monotonic()))

    def end(self, host):
        """The host's fault is over."""
        for number, fault in enumerate(self.faults):
            if fault.host == host and fault.end > time.monotonic():
                self.faults[number] = fault._replace(end=time.monotonic())

    def hit(self, host, kinds, begin, end):
        """Whether the host, or PostgreSQL, had a fault of these kinds at some time within."""
        return any(
            fault.host in ("", host)
            and fault.what in kinds
            and fault.begin <= end
            and fault.end >= begin
            for fault in self.faults
        )


class Historian(Auditor):
    """Compares the plan, the mail servers' ledger, the hosts' diaries and the database.

    :param ledger: ``storm.Ledger``
    :param history: ``several.History``
    :param Life life: what happened
    :param clocks: by host, how many seconds its clock is ahead
    """

    def __init__(self, messages, ledger, diaries, history, life, clock, clocks):
        self.life, self.ledger, self.database, self.clocks = life, ledger, history, clocks
        sent = {copy.mail for copy in ledger.copies}
        # whoever got no answer does not know whether the message exists
        known = [
            message
            for message in messages
            if message.number not in life.unsure
            or message.message_id in history.message_ids
            or any(mail.tag in sent for mail in message.mails)
        ]
        self.posted_in_vain = len(messages) - len(known)
        lost = sum(fault.what in (DATABASE, FAILOVER) for fault in life.faults)
        clock.cuts.value = lost * UNCOUNTED
        super().__init__(known, ledger.copies, diaries, history.facts, clock, jumps=[])

    def check(self):
        super().check()
        self._check_told()
        self._check_probes()
        return self.verdicts

    def _is_unanswered(self, copy):
        answered = copy.at + copy.answered_after
        lost = self.life.hit(_host(copy.worker), {MAIL}, copy.at - SLACK, answered + SLACK)
        return copy.unanswered or lost

    def _other_copies(self, copies):
        """A host that is cut off may come to the dot when another one has sent the message."""
        wanted = next(filter(self._settled, copies), copies[-1] if copies else None)
        return [copy for copy in copies if copy is not wanted]

    def _check_told(self):
        """What System Mail sent in the place of an author's mailbox has a line in Activity."""
        told = {event.message_id for event in self.facts.events}
        by_id = {message.message_id: message for message in self.messages}
        for copy in self.copies:
            message = by_id.get(copy.message_id)
            if not message or plan.OWN_MAILBOX[message.author] == plan.NOTIFICATIONS:
                continue
            if copy.mailbox == plan.SYSTEM.name and copy.message_id not in told:
                end, host = copy.at + SOON, _host(copy.worker)
                if self.life.hit(host, {KILL, DATABASE, FAILOVER, ENDED}, copy.at - SLACK, end):
                    self.verdicts["carried without a line"] += 1
                elif self._settled(copy):
                    self._complain("System Mail sent it, and no event says so", message)

    def _check_probes(self):
        """Whoever tries a mailbox has a lease, and tries once."""
        leases = collections.deque()
        due = iter(self.database.leases)
        ahead = next(due, None)
        for probe in self.ledger.probes:
            while ahead and ahead.at <= probe.at + CLOCKS:
                leases.append(ahead)
                ahead = next(due, None)
            found = next((le for le in reversed(leases) if probe.mailbox in le.mailboxes), None)
            if found:
                leases.remove(found)
            else:
                self._complain(f"{probe.mailbox} was tried without a lease")
        self.verdicts["log-ins of probes"] = len(self.ledger.probes)
        self.verdicts["leases of probes"] = len(self.database.leases)

    # --- what is printed

    def report(self, options, seconds):
        """Print all of it.

        :return: the exit code
        """
        verdicts = self.check()
        print_faults(self.ledger)
        self._print_hosts()
        recipients = sum(len(m.addresses) for message in self.messages for m in message.mails)
        totals = {
            "messages": len(self.messages),
            "posted, and nobody knows": len(self.life.unsure),
            "of these not stored": self.posted_in_vain,
            "recipients": recipients,
            **{fate: verdicts[fate] for fate in ("accepted", "held", "failed")},
            "copies accepted": sum(len(copy.recipients) for copy in self.copies),
            **{name: count for name, count in verdicts.items() if " " in name},
            "mails with a queue run killed": self.facts.deaths.get(1, 0),
            "mails with several killed": self.facts.deaths.get(2, 0),
            "failover, milliseconds": round(1000 * self.life.failover_seconds),
            "seconds": round(seconds),
        }
        print()
        for name, value in totals.items():
            print(f"{name:46}{value:10}")
        print_reasons(self.facts)
        command = f"--seed {options.seed} --messages {options.messages} --hosts {options.hosts}"
        code = print_violations(command, self, verdicts.violations)
        if options.asynchronous and code:
            print("\nThe standby was asynchronous: nothing is promised.")
            return 0
        return code

    def _print_hosts(self):
        kinds = (KILL, DATABASE, MAIL, ENDED)
        head = ("clock", "posts", "copies", "killed", "cut: database", "cut: mail", ENDED)
        print(f"\n{'host':10}" + "".join(f"{name:>16}" for name in head))
        copies = collections.Counter(_host(copy.worker) for copy in self.copies)
        faults = collections.Counter((fault.host, fault.what) for fault in self.life.faults)
        for name, ahead in self.clocks.items():
            row = (f"{ahead:+d} s", self.life.posts[name], copies[name])
            row = itertools.chain(row, (faults[name, kind] for kind in kinds))
            print(f"{name:10}" + "".join(f"{value:>16}" for value in row))


def _host(worker):
    return worker.partition("-")[0]
