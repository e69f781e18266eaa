"""The chaos run: sets the stage, lets it storm, heals everything, and checks what is left.

python -m measure.chaos CONFIG_FILE --messages 300 --seed 1
"""

import argparse
import collections
import multiprocessing
import multiprocessing.connection
import multiprocessing.sharedctypes
import sys
import tempfile
import time
from pathlib import Path

from . import instance, office, plan, storm
from .audit import Auditor
from .diaries import Diary
from .weather import generator

KILL_RATE = 0.01
"""Of the accepted messages: so many workers are killed at the dot, and as many just after it."""
KILL_AT_ANY_TIME = 0.1
"""Of the ticks."""
TICK = 0.5
GRACE = 0.2
"""Seconds in which the servers read what a killed worker had still sent."""
CALM = 0.04
"""The storm ends when this share of the mails is left."""


class Run:
    """One run. Its children are the servers, the workers and the clock; it ends them all.

    :param options: the command line's
    """

    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        self.messages = [
            plan.message(options.seed, number, options.workers)
            for number in range(options.messages)
        ]
        self.kills = collections.Counter()
        self._rng = generator(options.seed, "kills")
        self._fork = multiprocessing.get_context("fork")
        flag = multiprocessing.sharedctypes.RawValue
        self._stop, self._raging = flag("b", 0), flag("b", 0)
        self.clock = office.Clock.new()
        self._workers, self._lives = [], collections.Counter()
        self._ledger = None

    def run(self):
        """:return: the ledger, when the queue is empty or time is up"""
        spawn = multiprocessing.get_context("spawn")
        self._servers, theirs = spawn.Pipe()
        arguments = (theirs, self.options.seed, plan.MAILBOXES, KILL_RATE)
        servers = spawn.Process(target=storm.serve, args=arguments, daemon=True)
        servers.start()
        ports = self._servers.recv()
        try:
            office.load(self.options.config_file, self.options.log_file)
            office.found_company(ports)
            office.make_clock()
            office.write_messages(self.messages)
            instance.rest()
            say(f"{len(self.messages)} messages are in the queue; the storm begins")
            return self._weather_the_storm()
        finally:
            self._servers.send(("stop",))
            servers.join(10)
            servers.kill()

    def _weather_the_storm(self):
        self._workers = [self._hire(number) for number in range(self.options.workers)]
        arguments = (self.options.seed, self._clock_diary, self._stop, self._raging, self.clock)
        self._time = self._fork.Process(target=office.keep_time, args=arguments, daemon=True)
        self._time.start()
        try:
            mails = sum(len(message.mails) for message in self.messages)
            self._servers.send(("rage",))
            self._raging.value = 1
            self._supervise(CALM * mails, self.options.seconds)
            self._raging.value = 0
            self._servers.send(("heal",))
            say(f"{self.clock.waiting.value} mails wait; all is healed")
            self.clock.healed_at.value = time.monotonic()
            office.lift_limit()
            self.clock.waiting.value = -1
            self._supervise(0, 60 + self.options.messages / 3)
        finally:
            self._stop.value = 1
            for process in (*self._workers, self._time):
                process.join(30)
                process.kill()
        self._servers.send(("ledger",))
        while self._ledger is None:
            self._hear()
        return self._ledger

    def _supervise(self, left, seconds):
        """Until no more than ``left`` mails wait, or the time is up."""
        until = time.monotonic() + seconds
        next_tick = time.monotonic()
        while time.monotonic() < until and not 0 <= self.clock.waiting.value <= left:
            if self._servers.poll(0.1):
                self._hear()
            for number, worker in enumerate(self._workers):
                if worker.exitcode is not None:
                    raise RuntimeError(f"worker {number} ended by itself: {worker.exitcode}")
            if self._time.exitcode is not None:
                raise RuntimeError("the clock stands still")
            if self._raging.value and time.monotonic() > next_tick:
                next_tick = time.monotonic() + TICK
                if self._rng.random() < KILL_AT_ANY_TIME:
                    self._kill(self._rng.randrange(len(self._workers)), "at any time")

    def _hear(self):
        match self._servers.recv():
            case ("kill", name, place):
                self._kill(int(name.removeprefix(office.WORKER)), place)
            case ("ledger", ledger):
                self._ledger = ledger

    def _hire(self, number):
        arguments = (
            number,
            self._lives[number],
            self.options.seed,
            self._diary(number),
            self._stop,
            self._raging,
        )
        worker = self._fork.Process(target=office.work, args=arguments, daemon=True)
        worker.start()
        return worker

    def _kill(self, number, place):
        name = f"{office.WORKER}{number}"
        if self._stop.value or not self._raging.value:
            self._servers.send(("killed", name))
            return
        worker = self._workers[number]
        worker.kill()
        worker.join()
        self._servers.send(("killed", name))
        self.kills[place] += 1
        time.sleep(GRACE)
        Diary(self._diary(number)).note(Diary.KILLED)
        self._lives[number] += 1
        self._workers[number] = self._hire(number)

    def _diary(self, number):
        return self.directory / f"worker{number}"

    @property
    def _clock_diary(self):
        return self.directory / "clock"

    def auditor(self, ledger):
        """:rtype: Auditor"""
        diaries = {
            f"{office.WORKER}{number}": Diary.read(self._diary(number))
            for number in range(self.options.workers)
        }
        jumps = [at for at, _what in Diary.read(self._clock_diary)]
        facts = office.read_facts()
        return Auditor(self.messages, ledger.copies, diaries, facts, self.clock, jumps)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config_file")
    parser.add_argument("--log-file", default="")
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1200)
    options = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
        run = Run(options, Path(directory))
        ledger = run.run()
        auditor = run.auditor(ledger)
    verdicts = auditor.check()
    _print_totals(run, ledger, auditor, verdicts, time.monotonic() - begin)
    command = f"--seed {options.seed} --messages {options.messages} --workers {options.workers}"
    return print_violations(command, auditor, verdicts.violations)


def _print_totals(run, ledger, auditor, verdicts, seconds):
    recipients = sum(len(mail.addresses) for message in run.messages for mail in message.mails)
    print_faults(ledger)
    totals = {
        "messages": len(run.messages),
        "recipients": recipients,
        **{fate: verdicts[fate] for fate in ("accepted", "held", "failed")},
        "copies accepted": sum(len(copy.recipients) for copy in ledger.copies),
        **{name: count for name, count in verdicts.items() if " " in name},
        "faults": ledger.faults.total(),
        **{f"kills {place}": count for place, count in run.kills.items()},
        "mails with a queue run killed": auditor.facts.deaths.get(1, 0),
        "mails with several killed": auditor.facts.deaths.get(2, 0),
        "database lines cut": run.clock.cuts.value,
        "jumps of the clock": run.clock.jumps.value,
        "reconnections": run.clock.reconnections.value,
        "mails due at once by them": run.clock.woken.value,
        "rollbacks": sum(what == "U" for diary in auditor.diaries.values() for _at, what in diary),
        "seconds": round(seconds),
    }
    print()
    for name, value in totals.items():
        print(f"{name:42}{value:10}")
    print_reasons(auditor.facts)


def print_faults(ledger):
    """Print what the mail servers did, and to whose mailboxes."""
    faults = collections.Counter()
    for (mailbox, *cell), count in ledger.faults.items():
        faults[(*cell, mailbox == plan.SYSTEM.name)] += count
    print(f"\n{'faults':26}{'own mailbox':>12}{'System Mail':>12}")
    for phase, what in dict.fromkeys(key[:2] for key in sorted(faults)):
        own, system = (faults[phase, what, is_system] for is_system in (False, True))
        print(f"{phase + ': ' + what:26}{own:12}{system:12}")


def print_reasons(facts):
    """Print why mails failed."""
    reasons = collections.Counter(
        row.reason.splitlines()[-1] for row in facts.rows if row.reason and row.state == "exception"
    )
    print("\nfailed or held, by the last word")
    for reason, count in reasons.most_common():
        print(f"{count:8}  {reason}")


def print_violations(command, auditor, violations):
    """Print what does not hold, with one story of each kind.

    :param str command: the options that replay the run
    :return: the exit code
    """
    if not violations:
        print("\nEvery invariant holds.")
        return 0
    print(f"\n{len(violations)} violations; {command} replays them")
    for text, count in collections.Counter(
        v.text.partition(" ")[2] for v in violations
    ).most_common(20):
        print(f"{count:8}  {text}")
    examples = {violation.text.partition(" ")[2]: violation for violation in reversed(violations)}
    for violation in examples.values():
        print(f"\n{violation.text}")
        if violation.message:
            print("\n".join(f"    {line}" for line in auditor.history(violation.message)))
    return 1


def say(text):
    """Print a line at once, on stderr."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
