"""The sweep of a company with many mailboxes, by a real Odoo with one thread for crons.

python -m measure.sweep CONFIG_FILE --mailboxes 1000
"""

import argparse
import contextlib
import datetime
import subprocess
import sys
import threading
import time
from collections import Counter
from multiprocessing.connection import Connection
from typing import NamedTuple

from smtp_lab import SmtpLab

from odoo import fields

from . import instance
from .bench import Process
from .mailboxes import DOMAIN, SYSTEM
from .storm import Mailbox

HOSTS = 20
SILENT = 20
"""Each of so many mailboxes is silent."""
TARGET = 60
"""Seconds for 1,000 mailboxes."""
PATIENCE = 300
LOOK = 0.1
"""Seconds between two looks at what was found."""
TICK = 0.01
"""Seconds between two looks at who is connected."""
CASES = {"one silent host": [0], "each host silent to some": range(HOSTS)}
"""Where the silent mailboxes are. A host is a port: each is a server of its own."""


def mailbox(number):
    """:rtype: Mailbox"""
    return Mailbox(f"mailbox {number}", f"person{number}@{DOMAIN}", "secret", None)


class Peak(NamedTuple):
    """The most connections that were open at once."""

    all: int
    host: int


class Hosts:
    """The mail servers: of 20, one is silent for the mailboxes that are to be silent."""

    def __init__(self, lab, count):
        logins = {mailbox(number).address: mailbox(number).password for number in range(count)}
        logins[SYSTEM.address] = SYSTEM.password
        self._servers = [lab.server(f"host {n}", logins=logins, keep=False) for n in range(HOSTS)]
        self._silent = [lab.silent_server() for _ in range(HOSTS)]
        self._peak = Peak(0, 0)
        threading.Thread(target=self._watch, daemon=True).start()

    def ports(self):
        """:return: of the hosts that answer, and of those that do not"""
        return [s.port for s in self._servers], [s.port for s in self._silent]

    def peak(self):
        """Since it was asked last."""
        answer, self._peak = self._peak, Peak(0, 0)
        return answer

    def _watch(self):
        while True:
            counts = [
                sum(connection.open for connection in server.connections)
                for server in (*self._servers, *self._silent)
            ]
            self._peak = Peak(max(self._peak.all, sum(counts)), max(self._peak.host, *counts))
            time.sleep(TICK)


def serve(line: Connection, count: int):
    """The process: does what it is asked by name, until it is told nothing."""
    with SmtpLab() as lab:
        hosts = Hosts(lab, count)
        for name, *arguments in iter(line.recv, None):
            line.send(getattr(hosts, name)(*arguments))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config_file")
    parser.add_argument("--mailboxes", type=int, default=1000)
    parser.add_argument("--log-file", default="")
    options = parser.parse_args()
    instance.load(options.config_file, options.log_file)
    hosts = Process(serve, options.mailboxes)
    try:
        answering, silent = hosts.ask("ports")
        with _odoo(options):
            company = Company(answering)
            company.wake()
            company.grow(options.mailboxes)
            hosts.ask("peak")
            print(
                f"\n{'Silent mailboxes':26}{'seconds':>8}{'connections':>13}{'to a host':>11}"
                "  target"
            )
            for case, numbers in CASES.items():
                company.silence([silent[number] for number in numbers])
                seconds, peak = company.sweep(), hosts.ask("peak")
                verdict = "met" if seconds <= TARGET else f"missed: {TARGET} s"
                print(f"{case:26}{seconds:8.1f}{peak.all:13}{peak.host:11}  {verdict}")
    finally:
        hosts.end()
    return 0


@contextlib.contextmanager
def _odoo(options):
    """Odoo's own server, whose one thread for crons is told of each trigger."""
    command = [sys.executable, "-m", "odoo", "-c", options.config_file, "--no-http"]
    command += ["--max-cron-threads=1", f"--logfile={options.log_file}", "--log-level=warn"]
    with subprocess.Popen(command) as odoo:
        try:
            yield
        finally:
            odoo.terminate()


class Company:
    """A company with mailboxes at many hosts, of which each 20th is silent.

    :param ports: of the hosts that answer
    """

    def __init__(self, ports):
        self._ports, self._silent = ports, 0
        with instance.environment() as env:
            crons = env["ir.cron"].search([])
            sweep = env.ref("system_mail.ir_cron_sweep")
            (crons - sweep).active = False
            sweep.nextcall = fields.Datetime.now() + datetime.timedelta(days=1)
            env["ir.mail_server"].search([]).unlink()
            instance.use_system_mail(env, SYSTEM, ports[0])

    def wake(self):
        """Wait until Odoo is up and listens: it checks System Mail, as yet the only mailbox."""
        with instance.environment() as env:
            env.ref("system_mail.ir_cron_sweep")._trigger()
        while not self.states():
            with instance.environment() as env:
                env["ir.cron"]._notifydb()
            time.sleep(1)

    def grow(self, count):
        """Found the mailboxes."""
        with instance.environment() as env:
            for number in range(count):
                instance.server(env, mailbox(number), self._ports[number % len(self._ports)])

    def silence(self, ports):
        """Each 20th mailbox is at one of these, and nobody has heard of any for long."""
        with instance.environment() as env:
            servers = env["ir.mail_server"].search([("from_filter", "!=", SYSTEM.address)])
            silent = servers.filtered(lambda server: server.id % SILENT == 0)
            for number, server in enumerate(silent):
                server.smtp_port = ports[number % len(ports)]
            self._silent = len(silent)
            env.cr.execute("DELETE FROM system_mail_health")
            env.cr.execute("DELETE FROM system_mail_server_health")

    def sweep(self):
        """:return: the seconds from the trigger to the last mailbox's health
        :raises RuntimeError: it says of a mailbox what it is not
        """
        with instance.environment() as env:
            count = env["ir.mail_server"].search_count([])
            env.ref("system_mail.ir_cron_sweep")._trigger()
        begin = time.monotonic()
        while len(states := self.states()) < count:
            if time.monotonic() > begin + PATIENCE:
                raise RuntimeError(f"{len(states)} of {count} mailboxes were checked")
            time.sleep(LOOK)
        seconds = time.monotonic() - begin
        while self._runs():
            time.sleep(LOOK)
        if states.count("connected") != count - self._silent:
            raise RuntimeError(f"{self._silent} mailboxes are silent, found were {Counter(states)}")
        return seconds

    @staticmethod
    def _runs():
        """Whether the scheduled action runs, or is about to."""
        with instance.environment() as env:
            cron = env.ref("system_mail.ir_cron_sweep")
            waits = env["ir.cron.trigger"].search_count([("cron_id", "=", cron.id)])
            return waits or not cron.try_lock_for_update(allow_referencing=True)

    @staticmethod
    def states():
        with instance.environment() as env:
            env.cr.execute("SELECT state FROM system_mail_health")
            return [state for [state] in env.cr.fetchall()]


if __name__ == "__main__":
    sys.exit(main())
