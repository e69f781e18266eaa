"""The bench with mail servers far away: what a round trip costs, beside stock Odoo.

python -m measure.distance stock=CONFIG_FILE healthy=CONFIG_FILE rejected=CONFIG_FILE
"""

import argparse
import sys
from typing import NamedTuple

from .bench import Case, Process
from .mailboxes import serve


class Work(NamedTuple):
    """What is measured: so many mails, so many in one run of the queue."""

    name: str
    mails: int
    batch: int
    targets: dict[str, float]
    """By case: the time it may take, as a part of stock's."""


WORKS = (
    Work("batch of 50", 50, 50, {"healthy": 0.55, "rejected": 0.60}),
    Work("one mention", 10, 1, {"healthy": 0.75, "rejected": 0.75}),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="+", metavar="CASE=CONFIG_FILE")
    parser.add_argument("--log-file", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--milliseconds", type=int, default=50)
    options = parser.parse_args()
    files = dict(case.split("=", 1) for case in options.cases)
    mailboxes = Process(serve, list(files), options.milliseconds / 1000)
    cases = []
    try:
        for name, file in files.items():
            cases.append(Case(name, file, options.log_file, mailboxes))
            cases[-1].begin(batch=1)
        print(f"\nMail servers {options.milliseconds} ms away, best of {options.rounds} rounds\n")
        print(f"{'':13}{'':10}{'s/mail':>8}{'ratio':>7}  target")
        for work in WORKS:
            _measure(work, cases, options.rounds)
    finally:
        for process in (*cases, mailboxes):
            process.end()
    return 0


def _measure(work, cases, rounds):
    for case in cases:
        case.usages.clear()
    for number in range(rounds):
        turn = number % len(cases)
        for case in (*cases[turn:], *cases[:turn]):
            case.measure(work.mails, work.batch)
    best = {case.name: min(usage.seconds for usage in case.usages) for case in cases}
    for name, seconds in best.items():
        ratio, target = seconds / best[cases[0].name], work.targets.get(name)
        verdict = f"{target:.2f}: {'met' if ratio <= target else 'missed'}" if target else ""
        print(f"{work.name:13}{name:10}{seconds / work.mails:8.3f}{ratio:7.2f}  {verdict}")


if __name__ == "__main__":
    sys.exit(main())
