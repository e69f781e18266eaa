"""Which of the addon's lines the tests reach, all runs and their processes together."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from sandbox import layout

FOLDER = layout.SANDBOX / "coverage"
CONFIG = layout.CHECKOUT / "pyproject.toml"
FLAGS = ["--cov", f"--cov-config={CONFIG}", "--cov-report=", "--cov-fail-under=0"]
"""pytest's, for a run whose environment says where to keep what was reached."""


def environment_of(name: str) -> dict[str, str]:
    """Where the run of that name keeps it."""
    return {"COVERAGE_FILE": str(FOLDER / f"coverage.{name}")}


def forget() -> None:
    """Forget what earlier runs reached."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()


def report(python: Path, *, enough: bool) -> int:
    """Print the lines that were not reached.

    :param enough: whether the share of lines that pyproject.toml asks for must be reached
    :return: coverage's exit code
    """
    reached = sorted(FOLDER.iterdir())
    options = [f"--rcfile={CONFIG}", f"--data-file={FOLDER / 'all'}"]
    threshold = [] if enough else ["--fail-under=0"]
    for command in (["combine", "--quiet", *options, *reached], ["report", *options, *threshold]):
        code = subprocess.run(
            [python, "-m", "coverage", *command], cwd=layout.CHECKOUT, check=False
        ).returncode
        if code:
            break
    return code
