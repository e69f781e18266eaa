"""An Odoo that has the addon by one of the ways in, driven by Odoo's own commands."""

import contextlib
import dataclasses
import functools
import json
import os
import shutil
import subprocess
from pathlib import Path

from sandbox import environment, layout

WAYS = ("clone", "wheel")
ERROR = ("ERROR", "CRITICAL")
WARNING = ("WARNING", *ERROR)
ANSWERS = "ANSWERS "


class Installation:
    """An empty Python environment that sees Odoo and what Odoo needs, not this checkout.

    :param Workbench bench: the sandbox
    :param Path folder: for what it installs
    """

    def __init__(self, bench, folder):
        self._bench = dataclasses.replace(bench, installed=_empty_environment(bench, folder))
        self.folder, self._addons = folder, None

    @classmethod
    def by(cls, way, bench, folder):
        """With the addon, as the README has it done."""
        installation = cls(bench, folder)
        getattr(installation, f"_add_{way}")()
        return installation

    def _add_clone(self):
        """The checkout's files, in a folder of the addons path."""
        self._addons = self.folder / "addons"
        listed = call("git", "-C", layout.CHECKOUT, "ls-files", "-z")
        for name in filter(None, listed.split("\0")):
            if (layout.CHECKOUT / name).is_file():
                target = self._addons / "system_mail" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(layout.CHECKOUT / name, target)

    def _add_wheel(self):
        """Nothing is fetched: what it needs is there, under the names that it is asked for by."""
        package = layout.CHECKOUT / "script" / "package"
        packages = call(package, "--into", self.folder / "dist")
        wheel = next(path for path in packages.split() if path.endswith(".whl"))
        pip = (self._bench.installed.python, "-m", "pip")
        call(*pip, "install", "--no-index", "--no-deps", "--no-compile", wheel)
        found = subprocess.run([*pip, "check"], capture_output=True, text=True, check=False).stdout
        missing = [
            line for line in found.splitlines() if line.startswith("odoo-addon-system-mail ")
        ]
        # pip does not know of an Odoo that is a checkout (ODOO_PATH)
        assert all("requires odoo," in line for line in missing), missing

    # --- databases

    @contextlib.contextmanager
    def database(self, copy_of=None):
        """A database without the addon, or a copy of another one; yields its name."""
        with self._bench.temporary_database("life", copy_of=copy_of) as name:
            yield name

    # None of these may give whoever runs Odoo anything to worry about.

    def install_with_demo(self, database):
        """As in a database that was made with demo data: new modules bring theirs."""
        self._bench.server.sql("UPDATE ir_module_module SET demo = TRUE", database=database)
        self.install(database)

    def install(self, database):
        self._odoo(database, "server", "-i", "system_mail", "--stop-after-init", worries=WARNING)

    def update(self, database):
        self._odoo(database, "server", "-u", "system_mail", "--stop-after-init", worries=WARNING)

    def uninstall(self, database):
        """As the button in Apps does."""
        self._odoo(database, "module uninstall", "system_mail", worries=WARNING)

    def do(self, database, *calls):
        """Run some of ``errands`` in Odoo's shell, one after the other, each committed.

        :param calls: an errand, or a ``partial`` of it with keywords
        :return: what each of them returns
        """
        code = "import json, errands\nanswers = []\n"
        for asked in map(functools.partial, calls):
            code += f"answers.append(errands.{asked.func.__name__}(env, **{asked.keywords!r}))\n"
            code += "env.cr.commit()\n"
        code += f"print({ANSWERS!r} + json.dumps(answers))\n"
        output = self._odoo(database, "shell", stdin=code)
        [line] = (line for line in output.splitlines() if line.startswith(ANSWERS))
        return json.loads(line.removeprefix(ANSWERS))

    def _odoo(self, database, command, *arguments, stdin="", worries=ERROR):
        config = self._bench.config_file(database)
        with config.open("a") as options:
            options.write("http_enable = False\nlog_level = warn\n")
            if self._addons:
                options.write(f"addons_path = {self._addons}\n")
        command = (self._bench.installed.python, "-m", "odoo", *command.split(), "-c", config)
        return call(*command, *arguments, stdin=stdin, worries=worries)


def _empty_environment(bench, folder):
    """An environment like the bench's, without the addon."""
    call(bench.installed.python, "-m", "venv", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    [packages] = (bench.installed.python.parent.parent / "lib").glob("python3.*/site-packages")
    [own] = (folder / "venv" / "lib").glob("python3.*/site-packages")
    # A folder that is named in a .pth file has none of its own .pth files read.
    (own / "odoo.pth").write_text(f"{packages}\n{bench.installed.odoo}\n")
    return dataclasses.replace(bench.installed, python=python)


def call(*command, stdin="", worries=ERROR):
    """
    :param worries: levels of Odoo's log that it must not reach
    :return: what it says on stdout; an error has also what it says on stderr
    """
    paths = (layout.CHECKOUT / "script", Path(__file__).parent)
    env = environment.process_environment() | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    done = subprocess.run(
        list(map(str, command)),
        input=stdin,
        capture_output=True,
        text=True,
        env=env,
        cwd=Path("/"),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not any(f" {level} " in done.stderr for level in worries), done.stderr
    return done.stdout
