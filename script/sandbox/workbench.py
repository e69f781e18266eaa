"""Databases and Odoo commands: what demo, test, bench and chaos work with."""

from __future__ import annotations

import ast
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import environment, odoo_source, postgres
from .console import call, step
from .environment import Environment
from .layout import CHECKOUT, LOGS, REQUIREMENTS, SANDBOX, Lock, addon_content, digest, locked

DATA = SANDBOX / "data"
INSTALL = Path(__file__).with_name("install_modules.py")


@contextmanager
def opened(addons: tuple[Path, ...] = (), packages: tuple[Path, ...] = ()) -> Iterator[Workbench]:
    """Set up what is missing, have PostgreSQL running, and yield a Workbench. Raises Problem."""
    installed = environment.ensure()
    with postgres.running(installed.postgres_binaries) as server:
        yield Workbench(installed, server, addons, packages)


@dataclass(frozen=True)
class Workbench:
    """A sandbox with its PostgreSQL server running, and what it has beside the sandbox's own:
    folders of addons, and of Python packages.
    """

    installed: Environment
    server: postgres.Server
    addons: tuple[Path, ...] = ()
    packages: tuple[Path, ...] = ()

    def create_database(
        self,
        name: str,
        *,
        install: Sequence[str] = (),
        extra: Sequence[str] = (),
        copy_of: str | None = None,
    ) -> None:
        """Make the database `name` anew, with its filestore, the addon's dependencies, the modules
        `extra` and `install`, and the asset bundles.

        It is a copy of a template, which takes a second. That with the modules of `install` is made
        anew whenever the addon has changed, from one that has all the others: so `extra` is for
        modules that stay as they are, `install` for what is being worked on. Or it is a copy of the
        database `copy_of`, which nobody uses. A database of that name is dropped first. Raises
        Problem when a module does not install.
        """
        self.drop_database(name)
        if copy_of:
            self._copy(copy_of, name)
            return
        with locked("template"):
            self._copy(self._template(install, extra), name)

    def drop_database(self, name: str) -> None:
        """Drop the database `name`, even if in use, its filestore and its configuration."""
        self.server.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        shutil.rmtree(DATA / "filestore" / name, ignore_errors=True)
        _config_path(name).unlink(missing_ok=True)

    @contextmanager
    def temporary_database(self, prefix: str, **options) -> Iterator[str]:
        """A database with a name of its own, dropped at the end with its copies: `<name>-…`, as
        pytest-odoo makes them for its workers.

        If this process is killed, a later run drops it. Options as for `create_database`.
        """
        self._sweep()
        name = f"tmp_{prefix}_{secrets.token_hex(4)}"
        owner = Lock(f"database-{name}")
        owner.exclusive()
        try:
            self.create_database(name, **options)
            yield name
        finally:
            for each in self._databases(name):
                self.drop_database(each)
            (SANDBOX / "locks" / f"database-{name}").unlink(missing_ok=True)
            owner.close()

    def has_database(self, name: str) -> bool:
        """Whether the database `name` exists."""
        return name in self._databases(name)

    def config_file(self, database: str) -> Path:
        """Write Odoo's configuration for `database`: 127.0.0.1, no database manager, no crons."""
        path = _config_path(database)
        path.parent.mkdir(parents=True, exist_ok=True)
        options = {
            "data_dir": DATA,
            "db_host": self.server.sockets,
            "db_port": 5432,
            "db_user": postgres.USER,
            "db_name": database,
            "dbfilter": f"^{re.escape(database)}$",
            "list_db": False,
            "http_interface": "127.0.0.1",
            "max_cron_threads": 0,
            "workers": 0,
        }
        if self.addons:
            options["addons_path"] = ",".join(map(str, self.addons))
        path.write_text(
            "[options]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())
        )
        return path

    def python_path(self, *folders: Path) -> dict[str, str]:
        """The variable by which Python finds the modules of these folders and the packages."""
        path = os.pathsep.join(map(str, (*folders, *self.packages)))
        return {"PYTHONPATH": path} if path else {}

    def odoo_command(self, database: str, *options: str) -> list[str]:
        """Odoo's command line for `database`; `options` override the configuration."""
        return [
            str(self.installed.python),
            "-m",
            "odoo",
            "-c",
            str(self.config_file(database)),
            *options,
        ]

    def _template(self, install: Sequence[str], extra: Sequence[str]) -> str:
        manifest = ast.literal_eval((CHECKOUT / "__manifest__.py").read_text())
        modules = sorted({"base", "web", *manifest["depends"], *extra})
        odoo = self.installed.odoo
        made_by = (INSTALL.read_text(), (REQUIREMENTS / "sandbox.txt").read_text())
        template = self._ensure_template(
            "template0", modules, modules, odoo, odoo_source.version(odoo), *made_by
        )
        if install:
            everything = [*modules, *install]
            template = self._ensure_template(template, install, everything, *addon_content())
        return template

    def _ensure_template(
        self, base: str, install: Sequence[str], kind: Sequence[str], *made_of: object
    ) -> str:
        """The name of the template that is `base` with the modules of `install`; one that was made
        of something else for the same `kind` is dropped.
        """
        prefix = f"template_{digest(kind)}_"
        name = prefix + digest(base, *made_of)
        if self.has_database(name):
            return name
        for outdated in self._databases(prefix):
            self.drop_database(outdated)
        unfinished = f"{name}_unfinished"
        self._copy(base, unfinished)
        with step(f"Template database: installing {', '.join(install)}, for this and later runs"):
            self._install(unfinished, install)
        _copy_filestore(unfinished, name)
        self.server.sql(f'ALTER DATABASE "{unfinished}" RENAME TO "{name}"')
        self.drop_database(unfinished)
        return name

    def _copy(self, source: str, target: str) -> None:
        self.server.sql(f'CREATE DATABASE "{target}" TEMPLATE "{source}"')
        _copy_filestore(source, target)

    def _install(self, database: str, modules: Sequence[str]) -> None:
        log = LOGS / f"install-{database}.log"
        call(
            [self.installed.python, INSTALL, self.config_file(database), *modules],
            env=environment.process_environment() | self.python_path(),
            log=log,
            hint=f"{', '.join(modules)} did not install.",
        )
        log.unlink()

    def _databases(self, prefix: str) -> list[str]:
        names = self.server.sql("SELECT datname FROM pg_database").splitlines()
        return [name for name in names if name.startswith(prefix)]

    def _sweep(self) -> None:
        """Drop the temporary databases of runs that were killed."""
        for name in self._databases("tmp_"):
            original = name.partition("-")[0]
            owner = Lock(f"database-{original}")
            if owner.try_exclusive():
                self.drop_database(name)
                (SANDBOX / "locks" / f"database-{original}").unlink(missing_ok=True)
            owner.close()


def _config_path(database: str) -> Path:
    return SANDBOX / "config" / f"{database}.conf"


def _copy_filestore(source: str, target: str) -> None:
    # Hard links: Odoo writes and deletes files of its filestore, but never changes one.
    shutil.rmtree(DATA / "filestore" / target, ignore_errors=True)
    if (DATA / "filestore" / source).is_dir():  # PostgreSQL's own template has none
        shutil.copytree(
            DATA / "filestore" / source, DATA / "filestore" / target, copy_function=os.link
        )
