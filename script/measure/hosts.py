"""The run of several hosts: sets the stage, does harm to hosts, lines and PostgreSQL while mail is
sent, heals everything, and checks what is left.

python -m measure.hosts CONFIG_FILE --binaries FOLDER --data FOLDER --messages 300 --seed 1
"""

import argparse
import configparser
import contextlib
import http.client
import logging
import multiprocessing
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
from pathlib import Path

import psycopg2
from demonstration import web_clients
from demonstration.processes import end_on_signals, free_port

from sandbox import postgres
from sandbox.console import Problem

from . import instance, office, plan, several, storm
from .chaos import CALM, say
from .diaries import Diary
from .histories import DATABASE, ENDED, FAILOVER, KILL, MAIL, Historian, Life
from .host import SERVERS
from .weather import generator
from .wires import Line, serve

AHEAD = (0, 300, -300)
"""Seconds by which the hosts' clocks are ahead of the database's."""
POSTED = 0.2
"""Of the messages: somebody posts them while it storms. The others are in the queue before."""
PEOPLE = 3
"""Who post at the same time."""
KILL_RATE = 0.0008
"""Of the accepted messages: so often a host is harmed at the dot, and as often just after it."""
CALM_WEATHER = 0.85
"""Of the changes of a mail server's weather: here the hosts are what fails."""
PAUSE = (4.0, 10.0)
"""Seconds between two faults."""
LASTS = (1.0, 7.0)
"""Seconds for which a line is cut, or a host is away."""
FAULTS = {KILL: 3, DATABASE: 4, MAIL: 3}
"""How often each is drawn."""
BEHIND = (0.0, 2.0)
"""Seconds in which the standby gets nothing before its primary fails."""
TICK = 0.2
KEEP = 1.0
"""Seconds in which all that is due later becomes due."""
PATIENCE = 20
"""Seconds that a person waits for an answer."""
UNANSWERED = (OSError, ValueError, http.client.HTTPException, Problem)
"""What a person may get in the place of an answer."""
REPLICATION, OFFICE, STANDBY = "replication", "office", "standby"


class Wires:
    """The process that has the lines."""

    def __init__(self, lines):
        spawn = multiprocessing.get_context("spawn")
        self._line, theirs = spawn.Pipe()
        self._orders = threading.Lock()
        self._process = spawn.Process(target=serve, args=(theirs, lines), daemon=True)
        self._process.start()
        ports = self._line.recv()
        self.ports = {(line.host, line.what): port for line, port in zip(lines, ports, strict=True)}

    def order(self, *words):
        """Have it done, and wait until it is."""
        with self._orders:
            self._line.send(words)
            self._line.recv()

    def stop(self):
        self.order("stop")
        self._process.join(10)


class Host:
    """One host: a process group that is started and killed together.

    :param int number: from 1
    :param dict settings: of Odoo's configuration, for all hosts
    """

    def __init__(self, number, settings, directory, log_file):
        self.name, self.address = f"host{number}", f"127.0.1.{number}"
        self.ahead, self.port = AHEAD[(number - 1) % len(AHEAD)], free_port()
        self.url = f"http://{instance.HERE}:{self.port}"
        self._log_file = log_file.with_suffix(f".{self.name}.log")
        self._log_file.unlink(missing_ok=True)
        self._config_file = directory / f"{self.name}.conf"
        self._diaries = directory / "diaries"
        data = directory / self.name
        data.mkdir()
        (data / "filestore").symlink_to(Path(settings["data_dir"]) / "filestore")
        write_config(
            self._config_file,
            settings
            | {
                "data_dir": data,
                "http_port": self.port,
                "workers": 1,
                "max_cron_threads": 1,
            },
        )
        self._process = None

    def start(self):
        command = [sys.executable, "-m", "measure.host", self._config_file]
        command += ["--name", self.name, "--address", self.address, "--ahead", str(self.ahead)]
        command += ["--diaries", self._diaries, "--log-file", self._log_file]
        with self._log_file.open("a") as log:
            self._process = subprocess.Popen(
                list(map(str, command)), stdout=log, stderr=log, start_new_session=True
            )

    @property
    def runs(self):
        return bool(self._process) and self._process.poll() is None

    def kill(self):
        """Its master and all its workers, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for path in self._diaries.glob(f"{self.name}-*"):
            with contextlib.closing(Diary(path)) as diary:
                diary.note(Diary.KILLED)

    def stop(self):
        """As an administrator does."""
        if self.runs:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)
        self.kill()


class Run:
    """One run.

    :param options: the command line's
    :param Path directory: for all files of the run
    :param postgres.Server server: the checkout's
    """

    def __init__(self, options, directory, server):
        self.options, self._directory, self._server = options, directory, server
        queued = options.messages - round(POSTED * options.messages)
        self._queued = [plan.message(options.seed, n, 1) for n in range(queued)]
        self._to_post = [plan.posted(options.seed, n) for n in range(queued, options.messages)]
        self.messages = self._queued + self._to_post
        self.life = Life()
        self.clock = office.Clock.new()
        self._rng = generator(options.seed, "faults")
        self._raging, self._over = False, threading.Event()
        self._impaired = {}
        """Until when a host is harmed, and what ends that."""
        self._hosts, self._posts = [], queue.SimpleQueue()
        self._next_fault, self._ledger, self._failover_at = 0.0, None, 0.0

    def run(self):
        """:return: what became of it, when the queue is empty or time is up
        :rtype: Historian
        """
        spawn = multiprocessing.get_context("spawn")
        self._servers, theirs = spawn.Pipe()
        arguments = (theirs, self.options.seed, plan.MAILBOXES, KILL_RATE, CALM_WEATHER)
        servers = spawn.Process(target=storm.serve, args=arguments, daemon=True)
        servers.start()
        ports = self._servers.recv()
        try:
            with self._databases(ports):
                self._found(ports)
                return self._historian(self._live())
        finally:
            self._servers.send(("stop",))
            servers.join(10)
            servers.kill()

    @contextlib.contextmanager
    def _databases(self, ports):
        """Have PostgreSQL with its standby, and the lines to it and to the mail servers."""
        commit = "on" if self.options.asynchronous else "remote_apply"
        settings = {"synchronous_commit": commit, "wal_keep_size": "'1GB'"}
        with postgres.private_copy(self._server, settings) as self._primary:
            self._wires = Wires(list(self._lines(ports)))
            try:
                port = self._wires.ports[STANDBY, REPLICATION]
                follow = f"host={instance.HERE} port={port} user={postgres.USER}"
                follow += f" application_name={STANDBY}"
                with postgres.private_copy(self._primary, follow=follow) as self._standby:
                    if not self.options.asynchronous:
                        self._primary.sql(f"ALTER SYSTEM SET synchronous_standby_names = {STANDBY}")
                        self._primary.sql("SELECT pg_reload_conf()")
                    yield
            finally:
                self._wires.stop()

    def _lines(self, ports):
        target = _socket(self._primary)
        yield Line(STANDBY, REPLICATION, (instance.HERE, 0), target)
        yield Line(OFFICE, DATABASE, (instance.HERE, 0), target)
        for number in range(1, self.options.hosts + 1):
            name, address = f"host{number}", f"127.0.1.{number}"
            yield Line(name, DATABASE, (instance.HERE, 0), target)
            for port in {*ports.values()}:
                yield Line(name, MAIL, (address, port), (instance.HERE, port))

    def _found(self, ports):
        config = configparser.ConfigParser(interpolation=None)
        config.read(self.options.config_file)
        settings = dict(config["options"]) | {"db_host": instance.HERE}
        own = self._directory / "office.conf"
        write_config(own, settings | {"db_port": self._wires.ports[OFFICE, DATABASE]})
        office.load(str(own), self.options.log_file)
        hosts = {name: f"mail{port}{SERVERS}" for name, port in ports.items()}
        office.found_company(ports, hosts)
        self._people = several.let_people_in()
        several.note_leases()
        office.write_messages(self._queued)
        for message in self._to_post:
            self._posts.put(message)
        (self._directory / "diaries").mkdir()
        log_file = Path(self.options.log_file)
        for number in range(1, self.options.hosts + 1):
            port = self._wires.ports[f"host{number}", DATABASE]
            theirs = settings | {"db_port": port}
            self._hosts.append(Host(number, theirs, self._directory, log_file))

    # --- the run

    def _live(self):
        threads = [threading.Thread(target=self._keep, daemon=True)]
        threads += [
            threading.Thread(target=self._post, args=(number,), daemon=True)
            for number in range(PEOPLE)
        ]
        try:
            for host in self._hosts:
                host.start()
            self._wait_for_hosts()
            say(f"{len(self._queued)} messages are in the queue; the storm begins")
            for thread in threads:
                thread.start()
            self._storm()
            self._heal()
            until = time.monotonic() + 90 + self.options.messages / 3
            self._supervise(0, until)
        finally:
            self._over.set()
            for thread in threads:
                if thread.ident:
                    thread.join(PATIENCE)
            for host in self._hosts:
                host.stop()
        self._servers.send(("ledger",))
        while self._ledger is None:
            self._hear()
        return self._ledger

    def _wait_for_hosts(self):
        until = time.monotonic() + 120
        for host in self._hosts:
            while not web_clients.answers(f"{host.url}/web/health"):
                if time.monotonic() > until or not host.runs:
                    raise RuntimeError(f"{host.name} does not start")
                time.sleep(0.5)

    def _storm(self):
        mails = sum(len(message.mails) for message in self.messages)
        until = time.monotonic() + self.options.seconds
        self._servers.send(("rage",))
        self._raging = True
        self._supervise(mails / 2, until, with_posts=False)
        self._fail_over()
        self._supervise(CALM * mails, until)
        self._raging = False
        self._servers.send(("heal",))

    def _heal(self):
        say(f"{self.clock.waiting.value} mails wait; all is healed")
        for name in [*self._impaired]:
            self._end_fault(name)
        self.clock.healed_at.value = time.monotonic()
        with contextlib.suppress(psycopg2.Error):
            office.lift_limit()
            several.make_all_due()
        self.clock.waiting.value = -1

    def _supervise(self, left, until, with_posts=True):
        """Until no more than ``left`` mails wait, or the time is up.

        :param bool with_posts: and nothing more is to be posted
        """
        while time.monotonic() < until:
            are_posted = self._posts.empty() and not self.life.unanswered
            if 0 <= self.clock.waiting.value <= left and (are_posted or not with_posts):
                break
            if self._servers.poll(TICK):
                self._hear()
            self._restart_hosts()
            for name, (end, _what) in [*self._impaired.items()]:
                if time.monotonic() > end:
                    self._end_fault(name)
            if self._raging and time.monotonic() > self._next_fault:
                self._next_fault = time.monotonic() + self._rng.uniform(*PAUSE)
                names, weights = [*FAULTS], [*FAULTS.values()]
                [what] = self._rng.choices(names, weights)
                host = self._rng.choice(self._hosts)
                self._harm(host, what, "at any time")

    def _hear(self):
        match self._servers.recv():
            case ("kill", worker, place):
                [host] = [h for h in self._hosts if worker.startswith(f"{h.name}-")] or [None]
                if host and self._raging:
                    self._harm(host, self._rng.choice((KILL, DATABASE)), place)
                self._servers.send(("killed", worker))
            case ("ledger", ledger):
                self._ledger = ledger

    def _restart_hosts(self):
        for host in self._hosts:
            if not host.runs and host.name not in self._impaired:
                self.life.note(host.name, ENDED)
                self.life.end(host.name)
                host.kill()
                host.start()

    # --- faults

    def _harm(self, host, what, place):
        """Begin a fault of a host, unless it has one, or no other host is left without."""
        if host.name in self._impaired or len(self._impaired) >= len(self._hosts) - 1:
            return
        if what == KILL:
            host.kill()
        else:
            self._wires.order("cut", host.name, what)
            if what == DATABASE and (place != "at any time" or self._rng.random() < 0.5):
                self._wires.order("give_up", host.name, what)
        end = time.monotonic() + self._rng.uniform(*LASTS)
        self._impaired[host.name] = end, what
        self.life.note(host.name, what, place)

    def _end_fault(self, name):
        _end, what = self._impaired.pop(name)
        [host] = [host for host in self._hosts if host.name == name]
        if what == KILL:
            host.start()
        else:
            self._wires.order("mend", name, what, self._rng.random() < 0.5)
        self.life.end(name)

    def _fail_over(self):
        """The primary fails, and the standby takes its place."""
        self._wires.order("cut", STANDBY, REPLICATION)
        time.sleep(self._rng.uniform(*BEHIND))
        begin = time.monotonic()
        self.life.note("", FAILOVER)
        postgres.crash(self._primary)
        postgres.promote(self._standby)
        self._wires.order("lead", DATABASE, _socket(self._standby))
        self.life.end("")
        self.life.failover_seconds = time.monotonic() - begin
        say(f"The standby leads after {self.life.failover_seconds:.1f} s")

    # --- the threads

    def _keep(self):
        """What is due later becomes due, scheduled actions run, and the mails that wait are
        counted.
        """
        while not self._over.wait(KEEP):
            try:
                self.clock.waiting.value = several.keep()
            except (psycopg2.Error, Problem) as exc:
                logging.getLogger(__name__).info("The office: %s", exc)

    def _post(self, number):
        """Somebody posts one message after the other, at any host that answers."""
        rng, sessions = generator(self.options.seed, "person", number), {}
        while not self._over.is_set():
            try:
                message = self._posts.get(timeout=1)
            except queue.Empty:
                return
            self.life.unanswered.add(message.number)
            try:
                self._post_somewhere(message, rng, sessions)
            finally:
                self.life.unanswered.discard(message.number)

    def _post_somewhere(self, message, rng, sessions):
        while not self._over.is_set():
            host = rng.choice(self._hosts)
            key = host.name, message.author
            try:
                if key not in sessions:
                    sessions[key] = web_clients.OdooSession(
                        host.url, instance.database(), message.author, message.author
                    )
            except UNANSWERED:
                time.sleep(0.2)
                continue
            try:
                self._people.post(sessions[key], message)
            except UNANSWERED as exc:
                if _is_refused(exc):
                    time.sleep(0.2)
                    continue
                self.life.unsure.add(message.number)
                logging.getLogger(__name__).info("%s at %s: %s", message.number, host.name, exc)
            else:
                self.life.posts[host.name] += 1
            return

    def _historian(self, ledger):
        instance.rest()  # what was connected to the primary
        diaries = {copy.worker: [] for copy in ledger.copies} | {
            path.name: Diary.read(path) for path in (self._directory / "diaries").iterdir()
        }
        return Historian(
            self.messages,
            ledger,
            diaries,
            several.read_history(),
            self.life,
            self.clock,
            {host.name: host.ahead for host in self._hosts},
        )


def _is_refused(exc):
    """Whether nobody has got the request."""
    return isinstance(exc, urllib.error.URLError) and isinstance(exc.reason, ConnectionRefusedError)


def _socket(server):
    return str(server.sockets / ".s.PGSQL.5432")


def write_config(path, options):
    """Write a configuration file of Odoo."""
    path.write_text("[options]\n" + "".join(f"{key} = {value}\n" for key, value in options.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config_file")
    parser.add_argument("--binaries", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--log-file", required=True)
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1200)
    parser.add_argument("--asynchronous", action="store_true")
    options = parser.parse_args()
    web_clients.TIMEOUT = PATIENCE
    end_on_signals()
    begin = time.monotonic()
    config = configparser.ConfigParser(interpolation=None)
    config.read(options.config_file)
    server = postgres.Server(options.binaries, options.data, Path(config["options"]["db_host"]))
    with tempfile.TemporaryDirectory(prefix="hosts-") as directory:
        run = Run(options, Path(directory), server)
        historian = run.run()
    return historian.report(options, time.monotonic() - begin)


if __name__ == "__main__":
    sys.exit(main())
