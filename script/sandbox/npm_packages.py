"""What the developers' tools take from npm, as script/npm locks it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .console import Problem, call, say, step
from .layout import CHECKOUT, LOGS, SANDBOX, digest, is_stamped, locked, stamp

LOCKED = CHECKOUT / "script" / "npm"
TARGET = SANDBOX / "npm"
HINT = "Is there a network? Packages come from the registry that npm is set up for."


def ensure(without: str) -> Path | None:
    """Return the folder `node_modules`, whose packages are installed if need be.

    Nothing without npm on PATH, and `without` says what is then left out; under CI that is a
    Problem.
    """
    if not shutil.which("npm"):
        if os.environ.get("CI"):
            raise Problem("npm is not on PATH.")
        say(f"{without}: npm is not on PATH.")
        return None
    key = digest((LOCKED / "package-lock.json").read_text(), TARGET)
    with locked("npm"):
        if not is_stamped("npm", key):
            TARGET.mkdir(exist_ok=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(LOCKED / name, TARGET)
            with step("prettier and axe-core: installing them"):
                command = ["npm", "ci", "--no-audit", "--no-fund"]
                call(command, cwd=TARGET, log=LOGS / "npm.log", hint=HINT)
            stamp("npm", key)
    return TARGET / "node_modules"


def environment() -> dict[str, str]:
    """The variable that tells tests/browser_case.py where axe-core is."""
    modules = ensure("The tours don't check whether the screens are accessible")
    return {"SYSTEM_MAIL_AXE": str(modules / "axe-core" / "axe.min.js")} if modules else {}
