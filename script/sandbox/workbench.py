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
from .layout import CHECKOUT, LOGS, REQUIREMENTS, SANDBOX, Lock, digest, locked

DATA = SANDBOX / "data"
INSTALL = Path(__file__).with_name("install_modules.py")


@contextmanager
def opened(addons: tuple[Path, ...] = ()) -> Iterator[Workbench]:
    """Set up what is missing, have PostgreSQL running, and yield a Workbench. Raises Problem."""
    installed = environment.ensure()
    with postgres.running(installed.postgres_binaries) as server:
        yield Workbench(installed, server, addons)


@dataclass(frozen=True)
class Workbench:
    """A sandbox with its PostgreSQL server running, and folders of addons beside Odoo's own."""

    installed: Environment
    server: postgres.Server
    addons: tuple[Path, ...] = ()

    def create_database(
        self,
        name: str,
        *,
        install: Sequence[str] = (),
        extra: Sequence[str] = (),
        copy_of: str | None = None,
    ) -> None:
        """Make the database `name` anew, with its filestore, and install modules.

        It is a copy of a template that has the addon's dependencies, `extra` and the asset bundles,
        or of the database `copy_of`, which nobody may be using; then `install` is installed, which
        takes seconds. So `extra` is for modules that stay as they are, `install` for what is being
        worked on. A database of that name is dropped first. Raises Problem when a module does not
        install.
        """
        template = copy_of or self._template(extra)
        self.drop_database(name)
        self.server.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        _copy_filestore(template, name)
        if install:
            with step(f"Installing {', '.join(install)} into {name}"):
                self._install(name, install)

    def drop_database(self, name: str) -> None:
        """Drop the database `name`, even if in use, its filestore and its configuration."""
        self.server.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        shutil.rmtree(DATA / "filestore" / name, ignore_errors=True)
        _config_path(name).unlink(missing_ok=True)

    @contextmanager
    def temporary_database(self, prefix: str, **options) -> Iterator[str]:
        """A database with a name of its own, dropped at the end.

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
            self.drop_database(name)
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

    def _template(self, extra: Sequence[str]) -> str:
        manifest = ast.literal_eval((CHECKOUT / "__manifest__.py").read_text())
        modules = sorted({"base", "web", *manifest["depends"], *extra})
        odoo = self.installed.odoo
        made_by = (INSTALL.read_text(), (REQUIREMENTS / "sandbox.txt").read_text())
        kind = f"template_{digest(modules)}"
        name = f"{kind}_{digest(odoo, odoo_source.version(odoo), *made_by)}"
        if self.has_database(name):
            return name
        with locked("template"):
            if not self.has_database(name):
                for outdated in self._databases(f"{kind}_"):
                    self.drop_database(outdated)
                unfinished = f"{name}_unfinished"
                self.server.sql(f'CREATE DATABASE "{unfinished}" TEMPLATE template0')
                with step(f"Template database: installing {', '.join(modules)}, once (about 40 s)"):
                    self._install(unfinished, modules)
                shutil.rmtree(DATA / "filestore" / name, ignore_errors=True)
                _copy_filestore(unfinished, name)
                self.server.sql(f'ALTER DATABASE "{unfinished}" RENAME TO "{name}"')
                self.drop_database(unfinished)
        return name

    def _install(self, database: str, modules: Sequence[str]) -> None:
        log = LOGS / f"install-{database}.log"
        call(
            [self.installed.python, INSTALL, self.config_file(database), *modules],
            env=environment.process_environment(),
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
            owner = Lock(f"database-{name}")
            if owner.try_exclusive():
                self.drop_database(name)
                (SANDBOX / "locks" / f"database-{name}").unlink(missing_ok=True)
            owner.close()


def _config_path(database: str) -> Path:
    return SANDBOX / "config" / f"{database}.conf"


def _copy_filestore(source: str, target: str) -> None:
    # Hard links: Odoo writes and deletes files of its filestore, but never changes one.
    shutil.rmtree(DATA / "filestore" / target, ignore_errors=True)
    shutil.copytree(DATA / "filestore" / source, DATA / "filestore" / target, copy_function=os.link)
