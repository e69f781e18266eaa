"""The bench: a process for each case and one for the mail servers, asked in turn; then the table.

python -m measure.bench stock=CONFIG_FILE healthy=CONFIG_FILE --mails 150
"""

import argparse
import multiprocessing
import sys
import time
from statistics import median

from .mailboxes import serve
from .mentions import work

FAILING = ("rejected", "backed", "refused", "silent")
CPU_TARGETS = {"unset": 1, "healthy": 0.93} | dict.fromkeys(FAILING, 0.98)
"""At most so much of stock's."""
RUNS_TO_OPEN_A_BREAKER = 3
PATIENCE = 12
"""Seconds that a silent mailbox may cost, once."""
FLAT = 1.02
"""Odoo itself takes more for more mails: flat is what grows no more than stock does, by this."""
QUEUE_BATCH = 1000
"""Mails that the scheduled action sends at once."""


class Process:
    """A child that does what it is asked by name."""

    def __init__(self, target, *arguments):
        spawn = multiprocessing.get_context("spawn")
        self._line, theirs = spawn.Pipe()
        self._process = spawn.Process(target=target, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, name, *arguments):
        """The answer; raises EOFError when the child has died."""
        self._line.send((name, *arguments))
        return self._line.recv()

    def end(self):
        """It ends by itself; killed if it does not."""
        self._line.send(None)
        self._process.join(10)
        self._process.kill()


class Case:
    """One case: its sender, its mailboxes, and what its rounds took."""

    def __init__(self, name, config_file, log_file, mailboxes):
        self.name, self._mailboxes = name, mailboxes
        self._sender = Process(work, name, config_file, log_file, mailboxes.ask("ports")[name])
        self.usages, self.first_delivery = [], 0.0
        if self._sender.ask("has_addon") is (name == "stock"):
            raise RuntimeError(f"{name}: the wrong code is loaded")

    def begin(self, batch):
        """A mailbox that works, then fails: time the first mail from then on."""
        self.send(batch, batch)
        self._mailboxes.ask("fail", self.name)
        begin = time.monotonic()
        self.first_delivery = self.send(1, batch)[1].first_at - begin
        for _run in range(RUNS_TO_OPEN_A_BREAKER):
            self.send(1, batch)

    def measure(self, mails, batch):
        """A round."""
        self.usages.append(self.send(mails, batch)[0])

    def send(self, mails, batch):
        """:raises RuntimeError: a mail was lost, or came twice, or by the wrong mailbox"""
        self._sender.ask("write", mails)
        usage = self._sender.ask("run_queue", batch)
        accepted = self._mailboxes.ask("accepted", self.name)
        expected = (0, mails) if self.name in FAILING and self.first_delivery else (mails, 0)
        if accepted.own + accepted.system != mails:
            raise RuntimeError(f"{self.name}: of {mails} mails, the servers accepted {accepted}")
        if self.usages and (accepted.own, accepted.system) != expected:
            raise RuntimeError(f"{self.name}: {accepted} is not {expected}")
        return usage, accepted

    def peak(self, mails):
        """:return: the sender's peak memory in MB, for so many mails"""
        self._sender.ask("write", mails)
        peak = self._sender.ask("peak", QUEUE_BATCH)
        self._mailboxes.ask("accepted", self.name)
        return peak

    def median(self, field):
        """Of the rounds."""
        return median(getattr(usage, field) for usage in self.usages)

    def end(self):
        """End the sender."""
        self._sender.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="+", metavar="CASE=CONFIG_FILE")
    parser.add_argument("--log-file", default="")
    for name in ("mails", "batch", "rounds"):
        parser.add_argument(f"--{name}", type=int, default=10)
    parser.add_argument("--memory", default="")
    options = parser.parse_args()
    files = dict(case.split("=", 1) for case in options.cases)
    mailboxes, cases = Process(serve, list(files)), []
    try:
        for name, file in files.items():
            cases.append(Case(name, file, options.log_file, mailboxes))
            cases[-1].begin(options.batch)
        for number in range(options.rounds):
            turn = number % len(cases)
            for case in (*cases[turn:], *cases[:turn]):
                case.measure(options.mails, options.batch)
        _print_table(cases, options)
        if options.memory:
            _print_memory(cases, [int(count) for count in options.memory.split(",")])
    finally:
        for process in (*cases, mailboxes):
            process.end()
    return 0


def _print_table(cases, options):
    stock, rejected = cases[0], next((case for case in cases if case.name == "rejected"), None)
    cpu, queries = stock.median("cpu_seconds"), stock.median("queries")
    print(f"\nMedians of {options.rounds} rounds of {options.mails} mails, {options.batch} a run\n")
    print(
        f"{'':10}{'mails/s':>9}{'CPU ms/mail':>13}{'ratio':>7}{'queries/mail':>14}{'ratio':>7}"
        f"{'first delivery':>16}  target"
    )
    for case in cases:
        cpu_ratio = case.median("cpu_seconds") / cpu
        query_ratio = case.median("queries") / queries
        verdict = _verdict(case, cpu_ratio, query_ratio)
        if case.name == "backed" and rejected:
            more = case.median("queries") / rejected.median("queries") - 1
            verdict += f"; queries {more:+.1%} to rejected"
        print(
            f"{case.name:10}{options.mails / case.median('seconds'):9.1f}"
            f"{1000 * case.median('cpu_seconds') / options.mails:13.2f}{cpu_ratio:7.2f}"
            f"{case.median('queries') / options.mails:14.2f}{query_ratio:7.2f}"
            f"{case.first_delivery:14.2f} s  {verdict}"
        )


def _verdict(case, cpu_ratio, query_ratio):
    """Each target of the case that is missed; "met" where there is none."""
    if case.name == "stock":
        return ""
    missed = []
    if round(cpu_ratio, 2) > CPU_TARGETS[case.name]:
        missed.append(f"CPU {cpu_ratio:.2f} for {CPU_TARGETS[case.name]:.2f}")
    if case.name in ("unset", "healthy") and round(query_ratio, 2) > 1:
        missed.append(f"queries {query_ratio - 1:+.0%}")
    if case.name == "silent" and case.first_delivery > PATIENCE + 1:
        missed.append(f"first delivery after {PATIENCE} s")
    return f"missed: {', '.join(missed)}" if missed else "met"


def _print_memory(cases, counts):
    print("\nPeak memory in MB" + "".join(f"{count:>10,}" for count in counts) + "  mails")
    growth = {}
    for case in cases:
        peaks = [case.peak(count) for count in counts]
        growth[case.name] = peaks[-1] / peaks[0]
        verdict = "flat" if growth[case.name] <= FLAT * growth[cases[0].name] else "grows"
        print(f"{case.name:17}" + "".join(f"{peak:10.1f}" for peak in peaks) + f"  {verdict}")


if __name__ == "__main__":
    sys.exit(main())
