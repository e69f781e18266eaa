"""What the addon changes in the outcome of tests; outcomes are those of `inside`."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

Outcomes = Mapping[str, Mapping]
EXCUSED = Path(__file__).with_name("excused.csv")
NAMES = ("system_mail", "system.mail")
NOT_RUN = {"failures": [], "queries": [], "skipped": "it did not run"}
WIDTH = 160


def differences(without: Outcomes, with_addon: Outcomes) -> dict[str, str]:
    """The tests that do with the addon what they do not without it, and what that is.

    A test that fails without it too may fail otherwise, and one that passes may count other
    queries than before, still within what it allows: both are differences.
    """
    tests = sorted({*without, *with_addon})
    said = {
        test: _difference(without.get(test, NOT_RUN), with_addon.get(test, NOT_RUN))
        for test in tests
    }
    return {test: words for test, words in said.items() if words}


def excuse(test: str, outcome: Mapping) -> str:
    """Why the test's failure is all right, from excused.csv, or "".

    Each line of the failure that names the addon must be there, word for word: what the test may
    find tomorrow is not excused today.
    """
    with EXCUSED.open(newline="") as file:
        reasons = {
            row["line"]: row["reason"] for row in csv.DictReader(file) if row["test"] == test
        }
    lines = [line.strip() for failure in outcome["failures"] for line in failure.splitlines()]
    ours = [line for line in lines if any(name in line for name in NAMES)]
    return "; ".join(reasons[line] for line in ours) if reasons.keys() >= set(ours) else ""


def table(without: Outcomes, with_addon: Outcomes, found: Mapping[str, str]) -> str:
    """Totals for each module; the last column counts `found`."""
    modules = sorted({outcome["module"] for outcome in [*without.values(), *with_addon.values()]})
    columns = (
        Counter(outcome["module"] for outcome in with_addon.values()),
        Counter(outcome["module"] for outcome in with_addon.values() if outcome["skipped"]),
        Counter(outcome["module"] for outcome in without.values() if outcome["failures"]),
        Counter(outcome["module"] for outcome in with_addon.values() if outcome["failures"]),
        Counter((with_addon.get(test) or without[test])["module"] for test in found),
    )
    head = ("module", "tests", "skipped", "fail without", "fail with", "differ")
    rows = [
        *([module, *(column[module] for column in columns)] for module in modules),
        ["all", *(column.total() for column in columns)],
    ]
    widths = [max(len(str(row[place])) for row in [head, *rows]) for place in range(len(head))]
    lines = [
        "  ".join(
            str(cell).ljust(width) if place == 0 else str(cell).rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [head, ["-" * width for width in widths], *rows]
    ]
    return "\n".join(lines)


def tag(test: str, outcome: Mapping) -> str:
    """What `--test-tags` calls a test, or the class whose set-up failed."""
    *_, name, method = re.sub(r"[^\w.]", " ", test).split()[-1].rsplit(".", 2)
    if "(" in test:
        return f"/{outcome['module']}:{method}"
    return f"/{outcome['module']}:{name}.{method}"


def _difference(before: Mapping, after: Mapping) -> str:
    known = {*map(_comparable, before["failures"])}
    if new := [failure for failure in after["failures"] if _comparable(failure) not in known]:
        words = "fails otherwise" if known else "fails"
        return f"{words}: {_shortened(new[0])}"
    if after["skipped"] and not before["skipped"]:
        return f"is skipped: {after['skipped']}"
    if before["queries"] != after["queries"]:
        other = {*before["queries"]} ^ {*after["queries"]}
        return f"counts other queries: {_shortened('; '.join(sorted(other)))}"
    return ""


def _comparable(failure: str) -> str:
    """The failure without what differs from run to run; numbers of queries stay."""
    return failure if "Query count" in failure else re.sub(r"0x[0-9a-f]+|\d+", "0", failure)


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
