"""Runs the same tests in two databases, one of them with the addon, and compares."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import socket
import subprocess
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox import browser, console, environment, layout, odoo_source, python_packages, workbench

from . import compare, inside

HOME = layout.SANDBOX / "upstream"
ODOO = {
    "base": ",".join(
        f"/base/tests/{name}.py"
        for name in ("test_ir_mail_server", "test_ir_mail_server_smtpd", "test_mail")
    ),
    "mail": "/mail",
    "test_mail": "/test_mail",
    "mass_mailing": "/mass_mailing",
    "test_mass_mailing": "/test_mass_mailing",
    "google_gmail": "/google_gmail",
    "microsoft_outlook": "/microsoft_outlook",
    # pylint over all of Odoo takes an hour; script/lint has the same checks for the addon.
    "test_lint": "/test_lint,-/test_lint:TestPyLint",
}
"""Modules whose tests are run, and which of them."""
NOT_SHIPPED = (".", "script/", "tests/oca/", "tests/processes/")
"""What pyproject.toml leaves out of the wheel too."""
OCA = (
    *("mail_debranding", "mail_environment", "mail_forward", "mail_gateway", "mail_multicompany"),
    *("mail_notification_custom_subject", "mail_outbound_static", "mail_post_defer"),
    *("mail_show_follower", "mail_tracking", "queue_job", "server_environment"),
)
ODOO_BESIDE = (
    *("auth_ldap", "calendar", "crm", "hr", "mass_mailing", "portal", "project", "website"),
)
"""Modules of Odoo with which our tests are run beside all of OCA's addons."""


@dataclasses.dataclass(frozen=True)
class Suite:
    """Tests, and the modules to run them with: `stable` ones from a template, `others` anew."""

    bench: workbench.Workbench
    tags: Sequence[str]
    stable: Sequence[str] = ()
    others: Sequence[str] = ()

    def outcomes(self, *, addon: bool, tags: Sequence[str] = ()) -> dict[str, dict]:
        """Run the tests, or those of `tags`, in a database of their own. Raises Problem."""
        install = [*self.others, *(["system_mail"] if addon else [])]
        addons = [*self.bench.addons, *([_shipped_addon().parent] if addon else [])]
        bench = dataclasses.replace(self.bench, addons=tuple(addons))
        with bench.temporary_database("upstream", extra=self.stable, install=install) as database:
            return _run(bench, database, tags or self.tags, "with" if addon else "without")

    def baseline(self, *, fresh: bool) -> dict[str, dict]:
        """The outcomes without the addon, kept for as long as nothing else changes."""
        odoo = self.bench.installed.odoo
        locks = [path.read_text() for path in sorted(layout.REQUIREMENTS.glob("*.txt"))]
        runner = Path(inside.__file__).read_text()
        parts = (odoo, odoo_source.version(odoo), self.tags, self.stable, self.others)
        kept = HOME / f"baseline-{layout.digest(*parts, runner, *locks)}.json"
        if fresh or not kept.is_file():
            kept.write_text(json.dumps(self.outcomes(addon=False)))
        return json.loads(kept.read_text())


def odoo_suite(bench: workbench.Workbench, modules: Sequence[str]) -> Suite:
    """Odoo's own tests of the modules, by default of all that have to do with mail."""
    chosen = modules or list(ODOO)
    return Suite(bench, [ODOO.get(name, f"/{name}") for name in chosen], stable=sorted(chosen))


def oca_suite(bench: workbench.Workbench) -> Suite:
    """The own tests of OCA's addons; the bench has them (see `oca_addons`)."""
    return Suite(bench, [f"/{name}" for name in OCA], others=OCA)


def oca_packages() -> Path:
    """The folder of OCA's addons, installed from their lock when it has changed."""
    return _packages("oca", "OCA's addons: installing them")


def odoo_beside(bench: workbench.Workbench) -> list[str]:
    """Those of ODOO_BESIDE that can be installed: auth_ldap needs python-ldap, which pip builds."""
    command = [bench.installed.python, "-c", "import ldap"]
    look = subprocess.run(command, capture_output=True, check=False)
    if look.returncode:
        console.say("auth_ldap is left out: the sandbox's Python has no python-ldap.")
    return [name for name in ODOO_BESIDE if name != "auth_ldap" or not look.returncode]


def beside_table(rows: Sequence[tuple[Sequence[str], Mapping[str, int]]]) -> str:
    """What came of our tests beside addons: for each group of them, its names and its counts."""
    locked = re.findall(r"^odoo-addon-(\S+)==(\S+)", _lock("oca").read_text(), re.MULTILINE)
    versions = {name.replace("-", "_"): version for name, version in locked}
    lines = [f"{'System Mail beside':34}{'version':>14}{'passed':>8}{'failed':>8}"]
    for names, totals in rows:
        alone = len(names) == 1
        title = names[0] if alone else f"{len(names)} addons together"
        version = versions.get(names[0], "") if alone else ""
        lines.append(f"{title:34}{version:>14}{totals['passed']:>8}{totals['failed']:>8}")
        lines += (
            []
            if alone
            else textwrap.wrap(", ".join(names), 64, initial_indent="  ", subsequent_indent="  ")
        )
    return "\n".join(lines)


def judge(suite: Suite, *, fresh: bool) -> int:
    """Run with and without the addon, print what differs; 1 if anything does unexcused."""
    browser.ensure()
    _packages("upstream", "What Odoo's linters need: installing it")
    without = suite.baseline(fresh=fresh)
    with_addon = suite.outcomes(addon=True)
    found = compare.differences(without, with_addon)
    steady = _confirmed(suite, found, {**without, **with_addon})
    excuses = {test: compare.excuse(test, with_addon.get(test, compare.NOT_RUN)) for test in steady}
    unexcused = {test: words for test, words in steady.items() if not excuses[test]}
    print(compare.table(without, with_addon, unexcused))
    for test, words in found.items():
        if test not in steady:
            print(f"unsteady  {test} {words}")
        elif excuses[test]:
            print(f"excused   {test} {words}\n          {excuses[test]}")
        else:
            print(f"DIFFERS   {test} {words}")
    return 1 if unexcused else 0


def _confirmed(
    suite: Suite, found: Mapping[str, str], outcomes: compare.Outcomes
) -> dict[str, str]:
    """What is found again when the tests run once more: some of Odoo's own are unsteady."""
    if not found:
        return {}
    tags = sorted({compare.tag(test, outcomes[test]) for test in found})
    console.say(f"Tests that differ: {len(found)}. Once more, to be sure:")
    again = compare.differences(
        suite.outcomes(addon=False, tags=tags), suite.outcomes(addon=True, tags=tags)
    )
    return {test: words for test, words in again.items() if test in found}


def _run(
    bench: workbench.Workbench, database: str, tags: Sequence[str], name: str
) -> dict[str, dict]:
    log, result = layout.LOGS / f"upstream-{name}.log", HOME / f"{name}.json"
    log.unlink(missing_ok=True)
    result.unlink(missing_ok=True)
    command = [
        *(bench.installed.python, "-m", "upstream.inside", result, layout.IMPORT_ROOT),
        *("-c", bench.config_file(database), f"--test-tags={','.join(tags)}"),
        *("--stop-after-init", f"--http-port={_free_port()}", f"--logfile={log}"),
    ]
    packages = HOME / "upstream"
    env = environment.process_environment()
    env |= bench.python_path(layout.CHECKOUT / "script", packages)
    env["PATH"] = os.pathsep.join([str(packages / "bin"), env["PATH"]])
    with console.step(f"Tests {name} the addon; they write {log.relative_to(layout.CHECKOUT)}"):
        subprocess.run(command, env=env, cwd=layout.CHECKOUT, check=False)
    if not result.is_file():
        raise console.Problem(f"Odoo did not come to its tests; see {log}.")
    return json.loads(result.read_text())


def _shipped_addon() -> Path:
    """A copy of the addon as it is installed elsewhere: some tests walk all through its folder."""
    copy = HOME / "addons" / "system_mail"
    shutil.rmtree(copy, ignore_errors=True)
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(
        command, cwd=layout.CHECKOUT, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        source = layout.CHECKOUT / name
        if source.is_file() and not name.startswith(NOT_SHIPPED):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy / name)
    return copy


def _packages(name: str, title: str) -> Path:
    """The folder of a lock's packages, apart from the sandbox's own."""
    folder, lock = HOME / name, _lock(name)
    key = layout.digest(folder, lock.read_text())
    if not layout.is_stamped(name, key):
        python = environment.ensure().python
        shutil.rmtree(folder, ignore_errors=True)
        with console.step(title):
            python_packages.install(
                python,
                ["--no-deps", "--target", folder, "-r", lock],
                log=layout.LOGS / f"{name}.log",
            )
        layout.stamp(name, key)
    return folder


def _lock(name: str) -> Path:
    return layout.REQUIREMENTS / f"{name}.txt"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
