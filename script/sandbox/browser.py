"""The Chromium that drives browser tests."""

from __future__ import annotations

import os
import shutil

from .console import Problem, call, step
from .layout import LOGS, locked

# The names by which Odoo's HttpCase looks for one.
NAMES = ("google-chrome", "chromium", "chromium-browser", "google-chrome-stable")


def ensure() -> None:
    """Install Debian's chromium if there is no browser and apt may be used without a question.

    Quiet when it cannot: the tests wanted may need none, and those that do fail by themselves
    (see pytest_odoo_rules).
    """
    if any(shutil.which(name) for name in NAMES) or not shutil.which("apt-get"):
        return
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and not shutil.which("sudo"):
        return
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    log = LOGS / "chromium.log"
    with locked("chromium"):
        try:
            with step("Chromium, for the browser tests: installing Debian's package"):
                call([*prefix, "apt-get", "update"], log=log, hint="", env=env)
                install = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
                call([*prefix, *install], log=log, hint="", env=env)
        except Problem:
            return
