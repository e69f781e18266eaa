"""Runs of pytest: one at the terminal, or several at the same time that are counted together."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox import console, layout

FOLDER = layout.SANDBOX / "test-runs"
GRACE = 30
"""Seconds in which an interrupted run may tidy up, before it is killed."""


@dataclass(frozen=True, eq=False)
class Run:
    """One run of pytest."""

    name: str
    command: Sequence[str]
    env: dict[str, str]

    @property
    def totals_file(self) -> Path:
        """Where ``pytest_totals`` leaves its counts."""
        return FOLDER / f"{self.name}.json"

    def totals(self) -> Counter[str]:
        """Its counts, once it has ended; none if it did not get so far."""
        try:
            return Counter(json.loads(self.totals_file.read_text()))
        except FileNotFoundError:
            return Counter()


def alone(run: Run) -> int:
    """Run it at the terminal; returns its exit code."""
    return subprocess.run(_counting(run), env=run.env, cwd=layout.CHECKOUT, check=False).returncode


def together(shown: Run, *hidden: Run) -> int:
    """Run all at the same time. What the first says is seen at once, what the others say after it,
    then the sum. Interrupted, none of them is left behind.

    :return: the first exit code that is not 0
    """
    begin = time.monotonic()
    FOLDER.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        outputs = {
            run: stack.enter_context((FOLDER / f"{run.name}.log").open("w+")) for run in hidden
        }
        processes = {}
        try:
            for run in (shown, *hidden):
                processes[run] = _start(run, outputs.get(run))
            codes = {}
            for run, process in processes.items():
                codes[run] = process.wait()
                if output := outputs.get(run):
                    output.seek(0)
                    print(output.read(), flush=True)
        finally:
            _interrupt([process for process in processes.values() if process.returncode is None])
    _say_sum(codes, time.monotonic() - begin)
    return next(filter(None, codes.values()), 0)


def _counting(run: Run) -> list[str]:
    FOLDER.mkdir(exist_ok=True)
    run.totals_file.unlink(missing_ok=True)
    return [*run.command, "-p", "testing.pytest_totals", f"--totals={run.totals_file}"]


def _start(run: Run, output) -> subprocess.Popen:
    return subprocess.Popen(
        _counting(run),
        env=run.env,
        cwd=layout.CHECKOUT,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        start_new_session=True,  # a group of its own, with its workers and browsers
    )


def _interrupt(processes: Sequence[subprocess.Popen]) -> None:
    """Have them tidy up, then end whatever is left of them."""
    end = time.monotonic() + GRACE
    for process in processes:
        _signal(process, signal.SIGINT)
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(max(0, end - time.monotonic()))
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _say_sum(codes: dict[Run, int], seconds: float) -> None:
    totals = sum((run.totals() for run in codes), Counter())
    for run, code in codes.items():
        if code and not run.totals()["failed"]:
            console.say(f"The {run.name} tests ended with {code}: see above.")
    console.say(f"Altogether, in {seconds:.0f} s:")
    print(
        "Tests: {passed} passed, {failed} failed, {skipped} skipped".format_map(totals), flush=True
    )
