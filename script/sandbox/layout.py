"""Where things lie in a checkout, and the locks that keep concurrent runs apart."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .console import say

CHECKOUT = Path(__file__).resolve().parents[2]
SANDBOX = CHECKOUT / ".sandbox"
REQUIREMENTS = CHECKOUT / "script" / "requirements"
LOGS = SANDBOX / "log"
# On the Python path, so that the checkout is odoo.addons.system_mail whatever it is called.
IMPORT_ROOT = SANDBOX / "import"
ADDON = IMPORT_ROOT / "odoo" / "addons" / "system_mail"
_NO_PART_OF_THE_ADDON = {
    *("docs", "script", "seams.py", "tests", "compose.yaml", "pyproject.toml"),
    *("CHANGELOG.rst", "CONTRIBUTING.rst", "LICENSE", "README.rst"),
}


def digest(*parts: object) -> str:
    """A short key that changes when any of `parts` does."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12]


def addon_content() -> Iterator[str | bytes]:
    """Names and contents of the files of which the addon is made."""
    tops = [
        path
        for path in CHECKOUT.iterdir()
        if not path.name.startswith(".") and path.name not in _NO_PART_OF_THE_ADDON
    ]
    for top in sorted(tops):
        files = sorted(top.rglob("*")) if top.is_dir() else [top]
        for path in files:
            if path.is_file() and "__pycache__" not in path.parts:
                yield str(path)
                yield path.read_bytes()


def is_stamped(name: str, key: str) -> bool:
    """Whether the work called `name` was last finished for the same `key`."""
    stamp = SANDBOX / "stamps" / name
    return stamp.is_file() and stamp.read_text() == key


def stamp(name: str, key: str) -> None:
    """Remember that the work called `name` is finished for `key`."""
    path = SANDBOX / "stamps" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(key)


def link(path: Path, target: Path | str) -> None:
    """Make `path` a symbolic link to `target`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_symlink() or path.readlink() != Path(target):
        path.unlink(missing_ok=True)
        path.symlink_to(target)


class Lock:
    """An advisory lock between processes; the kernel frees it when its holder dies."""

    def __init__(self, name: str):
        path = SANDBOX / "locks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w")

    def try_exclusive(self) -> bool:
        """Take it alone if nobody else holds it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def share(self) -> None:
        """Hold it together with others who share it."""
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def exclusive(self) -> None:
        """Take it alone, waiting for whoever holds it."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def close(self) -> None:
        """Give it back."""
        self._file.close()


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Do one piece of work at a time across all runs in this checkout."""
    lock = Lock(name)
    if not lock.try_exclusive():
        say(f"Waiting for another run in this checkout ({name}) …")
        lock.exclusive()
    try:
        yield
    finally:
        lock.close()
