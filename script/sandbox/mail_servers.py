"""Debian's Postfix, Exim and Dovecot in `.sandbox/mail-servers`, for tests/mta_lab.

They are unpacked, not installed: no service starts, and the two that exclude each other as packages
lie side by side. What they need of libraries that this machine does not have comes with them.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .console import Problem, call, say, step
from .layout import LOGS, SANDBOX, digest, is_stamped, locked, stamp

# Each line can be installed together. The wrappers let a server that wants to be started by root,
# with users of its own, run as whoever runs the tests, and answer its questions to the DNS.
INSTALLABLE = (
    ("postfix", "dovecot-core", "dovecot-submissiond"),
    ("exim4-daemon-light",),
    ("libnss-wrapper", "libuid-wrapper", "libresolv-wrapper"),
)
DOVECOT = "dovecot-core_1%3a2.3."  # 2.4 has other settings
EXIM = "usr/sbin/exim4"
LIBDOVECOT = "usr/lib/dovecot/libdovecot.so.0.0.0"
MODULES = b"/usr/lib/dovecot/modules"
HINT = "Is there a network? They come from a Debian with Dovecot 2.3: Debian 12."


def environment() -> dict[str, str]:
    """The variable that tells tests/mta_lab where the servers are; they are unpacked if need be.

    Nothing, and the reason is said, where they cannot be had; under CI that is a Problem.
    """
    try:
        return {"SYSTEM_MAIL_SERVERS": str(_ensure())}
    except Problem as problem:
        if os.environ.get("CI"):
            raise
        say(f"The tests of Postfix, Exim and Dovecot are skipped: {problem}")
        return {}


def _ensure() -> Path:
    target = SANDBOX / "mail-servers"
    key = digest(INSTALLABLE)
    with locked("mail-servers"):
        if not is_stamped("mail-servers", key):
            with step("Postfix, Exim and Dovecot: downloading and unpacking (about 5 s, 10 MB)"):
                _unpack(target)
            stamp("mail-servers", key)
    return target


def _unpack(target: Path) -> None:
    for tool in ("apt-get", "dpkg-deb"):
        if not shutil.which(tool):
            raise Problem(f"{tool} is not on this machine. {HINT}")
    apt = SANDBOX / "apt-mail-servers"
    shutil.rmtree(apt, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    packages = _download(apt)
    if not any(package.name.startswith(DOVECOT) for package in packages):
        raise Problem(f"This machine's release has another Dovecot. {HINT}")
    for package in packages:
        call(["dpkg-deb", "-x", package, target], log=LOGS / "mail-servers.log", hint=HINT)
    (target / EXIM).chmod(0o755)  # not setuid root, as it comes
    _let_dovecot_find_its_modules(target / LIBDOVECOT)
    shutil.rmtree(apt)


def _download(apt: Path) -> list[Path]:
    """Download the packages, and those they depend on that the machine does not have."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    # A state of its own, and no lock: root is not needed, and nothing of the machine is touched.
    (apt / "apt.conf").write_text(
        f'Dir::State "{apt}"; Dir::State::status "/var/lib/dpkg/status";\n'
        f'Dir::Cache "{apt}/cache"; '
        'APT::Sandbox::User ""; Debug::NoLocking "true"; APT::Install-Recommends "false";\n'
    )
    env = {**os.environ, "APT_CONFIG": str(apt / "apt.conf"), "LC_ALL": "C"}
    log = LOGS / "mail-servers.log"
    call(["apt-get", "update"], env=env, log=log, hint=HINT)
    for packages in INSTALLABLE:
        download = ["apt-get", "install", "-y", "--reinstall", "--download-only", *packages]
        call(download, env=env, log=log, hint=HINT)
    return sorted((apt / "cache" / "archives").glob("*.deb"))


def _let_dovecot_find_its_modules(library: Path) -> None:
    """Have it look in its working directory's `modules`: no setting says where they lie."""
    content = library.read_bytes()
    relative = b"modules".ljust(len(MODULES), b"\0")
    if content.count(b"\0" + MODULES + b"\0") != 1:
        raise Problem(f"Where Dovecot looks for its modules was not found in it. {HINT}")
    library.write_bytes(content.replace(b"\0" + MODULES + b"\0", b"\0" + relative + b"\0"))
