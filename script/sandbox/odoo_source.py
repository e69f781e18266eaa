"""Odoo 19's source: the person's own (ODOO_PATH), else Debian's package in `.sandbox/odoo`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from .console import Problem, call, step
from .layout import LOGS, SANDBOX, digest, is_stamped, stamp

# The others are libraries and fonts that Debian's odoo-19 links to instead of carrying them.
DEBIAN_PACKAGES = (
    "odoo-19",
    "libjs-jquery",
    "libjs-jquery-form",
    "libjs-underscore",
    "fonts-font-awesome",
    "fonts-montserrat",
    "fonts-roboto-unhinted",
)
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
HINT = "Set ODOO_PATH to a checkout of Odoo 19.0 instead."


def ensure() -> Path:
    """Return the folder to put on the Python path so that `import odoo` is Odoo 19.

    Raises Problem when ODOO_PATH is something else, or when Debian's package cannot be had.
    """
    given = os.environ.get("ODOO_PATH")
    if given:
        root = Path(given).expanduser().resolve()
        if series(root) != "19.0":
            raise Problem(
                f"ODOO_PATH={given} is not Odoo 19.0: its odoo/release.py says {series(root)}."
            )
        return root
    unpacked = SANDBOX / "odoo"
    root = unpacked / "usr" / "lib" / "python3" / "dist-packages"
    key = digest(DEBIAN_PACKAGES)
    if not is_stamped("odoo", key):
        with step("Odoo 19: downloading and unpacking Debian's package (about 20 s, 120 MB)"):
            _unpack_debian_packages(unpacked)
        if series(root) != "19.0":
            raise Problem(f"Debian's odoo-19 is no longer Odoo 19.0 but {series(root)}. {HINT}")
        stamp("odoo", key)
    return root


def series(root: Path) -> str:
    """The series ("19.0") of the Odoo in `root`, or "nothing" when there is none."""
    try:
        release = (root / "odoo" / "release.py").read_text()
    except OSError:
        return "nothing (no such file)"
    match = re.search(r"^version_info = \(([^,]+), *(\d+),", release, re.MULTILINE)
    return f"{match[1]}.{match[2]}".replace("'", "") if match else "nothing"


def version(root: Path) -> str:
    """What tells this Odoo from others of its series: its commit, or the package's version."""
    changelog = sorted((SANDBOX / "odoo").glob("*.deb.version"))
    if SANDBOX in root.parents and changelog:
        return changelog[0].name
    git = subprocess.run(
        ["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return git.stdout.strip() or str((root / "odoo" / "release.py").stat().st_mtime_ns)


def _unpack_debian_packages(target: Path) -> None:
    for tool in ("apt-get", "dpkg-deb", "tar"):
        if not shutil.which(tool):
            raise Problem(
                f"Odoo 19 comes as a Debian package, but {tool} is not on this machine. {HINT}"
            )
    apt = SANDBOX / "apt"
    shutil.rmtree(apt, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    for folder in ("lists/partial", "cache/archives/partial", "download"):
        (apt / folder).mkdir(parents=True)
    target.mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(
        f"deb [signed-by={DEBIAN_KEYRING} arch=all] {_mirror()} sid main\n"
    )
    # A state of its own: neither the machine's packages nor its sources are touched.
    (apt / "apt.conf").write_text(
        f'Dir::Etc::SourceList "{apt}/sources.list"; Dir::Etc::SourceParts "/dev/null";\n'
        'Dir::Etc::Preferences "/dev/null"; Dir::Etc::PreferencesParts "/dev/null";\n'
        f'Dir::State "{apt}"; Dir::State::status "{apt}/status"; Dir::Cache "{apt}/cache";\n'
        'APT::Sandbox::User ""; APT::Update::Error-Mode "any";\n'
    )
    env = {**os.environ, "APT_CONFIG": str(apt / "apt.conf"), "LC_ALL": "C"}
    log = LOGS / "odoo-download.log"
    call(["apt-get", "update"], env=env, log=log, hint=f"Is there a network? {HINT}")
    call(
        ["apt-get", "download", *DEBIAN_PACKAGES],
        env=env,
        cwd=apt / "download",
        log=log,
        hint=f"Debian sid may have moved on from odoo-19. {HINT}",
    )
    for package in (apt / "download").glob("*.deb"):
        with subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE
        ) as archive:
            unpack = subprocess.run(
                ["tar", "-x", "-C", target, "--exclude=*/addons/l10n_*"],
                stdin=archive.stdout,
                check=False,
            )
        if archive.returncode or unpack.returncode:
            raise Problem(f"{package.name} could not be unpacked into {target}. Is the disk full?")
        if package.name.startswith("odoo-19_"):
            (target / f"{package.name}.version").touch()
    # Debian leaves this file out; without an empty one no asset bundle of mail can be built.
    missing = (
        target / "usr/lib/python3/dist-packages/odoo/addons/mail/static/lib/selfie_segmentation"
    )
    missing.mkdir(parents=True, exist_ok=True)
    (missing / "selfie_segmentation.js").touch()
    shutil.rmtree(apt)


def _mirror() -> str:
    """The Debian mirror that this machine itself uses."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    # A machine that never ran `apt-get update` knows its mirrors, but not that they are Debian's.
    for filters in (["Origin: Debian"], []):
        output = subprocess.run(
            [*command, *filters], capture_output=True, text=True, check=False
        ).stdout
        mirrors = [line for line in output.splitlines() if "security" not in line]
        if mirrors and DEBIAN_KEYRING.is_file():
            return mirrors[0]
    raise Problem(f"This machine's apt knows no Debian mirror. {HINT}")
