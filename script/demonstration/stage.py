"""Everything that runs while the demo does: the SMTP servers, the inbox page and Odoo."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox import environment, python_packages
from sandbox.console import Problem, step
from sandbox.layout import CHECKOUT, LOGS, locked
from sandbox.workbench import Workbench

from .company import MAILBOX_PASSWORDS, Company, furnish
from .processes import HOST, Processes, free_port
from .web_clients import Inbox, answers

HERE = Path(__file__).parent
_NUMBERS = itertools.count(1)
START_LIMIT = 90
"""Seconds for Odoo or the inbox to answer."""


@dataclass(frozen=True)
class Stage:
    odoo_url: str
    inbox: Inbox
    inbox_url: str
    company: Company
    servers: Servers
    processes: Processes


@dataclass(frozen=True)
class Servers:
    """The SMTP servers of the company's mailboxes."""

    ports: dict[str, int]
    """By login."""
    passwords: dict[str, str]
    """What each takes now, by login."""
    process: subprocess.Popen[str]

    def accept(self, login: str) -> None:
        """Take the password that Odoo was told at first."""
        self._take(login, MAILBOX_PASSWORDS[login])

    def change_password(self, login: str) -> None:
        """Take another password than before."""
        self._take(login, f"new password {next(_NUMBERS)}")

    def _take(self, login: str, password: str) -> None:
        self.passwords[login] = password
        self.process.stdin.write(json.dumps([login, password]) + "\n")
        self.process.stdin.flush()
        self.process.stdout.readline()


def ensure_inbox() -> Path:
    """Install what the inbox page needs; return its Python."""
    with locked("setup"):
        return python_packages.ensure_venv("venv-inbox", "inbox.txt", "Inbox page: installing it")


@contextmanager
def opened(
    bench: Workbench, database: str, *, odoo_port: int, inbox_port: int, crons: int
) -> Iterator[Stage]:
    """Start everything for `database`, furnish it, and yield the Stage; end everything after it.

    Raises Problem when something does not start.
    """
    inbox_python = ensure_inbox()
    with Processes() as processes:
        with step("Starting the SMTP servers, the inbox and Odoo, and furnishing the company"):
            inbox_url = f"http://{HOST}:{inbox_port}"
            servers = _start_mail(processes, bench, inbox_python, inbox_port, inbox_url)
            odoo_url = f"http://{HOST}:{odoo_port}"
            processes.start(
                "Odoo",
                bench.odoo_command(
                    database,
                    f"--http-port={odoo_port}",
                    f"--max-cron-threads={crons}",
                    "--limit-time-real=0",  # a browser's idle connection would end it
                ),
                log=LOGS / f"{database}-odoo.log",
                env=environment.process_environment(),
            )
            _wait_for(processes, f"{odoo_url}/web/health")
            company = furnish(odoo_url, database, servers.ports)
        yield Stage(odoo_url, Inbox(inbox_url), inbox_url, company, servers, processes)


def _start_mail(
    processes: Processes, bench: Workbench, inbox_python: Path, inbox_port: int, inbox_url: str
) -> Servers:
    """Start the inbox and the SMTP servers."""
    env = environment.process_environment()
    inbox_smtp_port = free_port()
    processes.start(
        "The inbox",
        [inbox_python, HERE / "inbox_page.py", str(inbox_port), str(inbox_smtp_port)],
        log=LOGS / "demo-inbox.log",
        env=env,
    )
    _wait_for(processes, f"{inbox_url}/messages/")
    servers = processes.start(
        "The SMTP servers",
        [bench.installed.python, HERE / "smtp_servers.py", str(inbox_smtp_port)],
        log=LOGS / "demo-smtp.log",
        env=env | {"PYTHONPATH": str(CHECKOUT / "tests")},
        stdout=subprocess.PIPE,
    )
    ports = servers.stdout.readline()
    if not ports:
        servers.wait()
        processes.check()
    known = json.loads(ports)
    return Servers(
        {login: port for login, (port, _password) in known.items()},
        {login: password for login, (_port, password) in known.items()},
        servers,
    )


def _wait_for(processes: Processes, url: str) -> None:
    end = time.monotonic() + START_LIMIT
    while not answers(url):
        processes.check()
        if time.monotonic() > end:
            raise Problem(f"{url} did not answer within {START_LIMIT} s. See {LOGS}.")
        time.sleep(0.1)
