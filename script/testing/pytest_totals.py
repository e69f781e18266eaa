"""pytest plugin of script/test: leaves a run's counts where several runs are added up."""

import json
from pathlib import Path


def pytest_addoption(parser):
    parser.addoption("--totals", metavar="FILE", help="write the run's counts there, as JSON")


def pytest_terminal_summary(terminalreporter, config):
    """Write ``{"passed": …, "failed": …, "skipped": …}``; an error counts as a failure."""
    if file := config.getoption("--totals"):
        counts = {outcome: len(reports) for outcome, reports in terminalreporter.stats.items()}
        totals = {
            "passed": counts.get("passed", 0) + counts.get("xfailed", 0),
            "failed": sum(counts.get(outcome, 0) for outcome in ("failed", "error", "xpassed")),
            "skipped": counts.get("skipped", 0),
        }
        Path(file).write_text(json.dumps(totals))
