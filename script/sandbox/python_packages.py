"""Virtual environments inside `.sandbox/`, filled from the hashed locks in script/requirements."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

from .console import Problem, call, step
from .layout import LOGS, REQUIREMENTS, SANDBOX, digest, is_stamped, stamp

SUPPORTED = ((3, 12), (3, 11), (3, 13), (3, 10))
HINT = "Is there a network? Packages come from the index that pip (or uv) is set up for."


def ensure_venv(name: str, lock: str, title: str) -> Path:
    """Make or refresh the venv `.sandbox/<name>` from `script/requirements/<lock>`.

    Return its Python.
    """
    interpreter = _interpreter()
    venv = SANDBOX / name
    python = venv / "bin" / "python"
    if Path(sys.prefix) == venv:  # we run in it: nobody renews what they stand on
        return python
    born = digest(interpreter, platform.python_version(), venv)
    key = digest(born, (REQUIREMENTS / lock).read_text())
    if is_stamped(name, key) and python.exists():
        return python
    uv = shutil.which("uv")
    with step(f"{title} ({'uv: about 10 s' if uv else 'pip: about a minute'})"):
        if not (is_stamped(f"{name}-born", born) and python.exists()):
            shutil.rmtree(venv, ignore_errors=True)
            if uv:
                call(
                    [uv, "venv", "--python", interpreter, venv], log=LOGS / f"{name}.log", hint=HINT
                )
            else:
                call(
                    [interpreter, "-m", "venv", venv],
                    log=LOGS / f"{name}.log",
                    hint="On Debian: apt install python3-venv.",
                )
            stamp(f"{name}-born", born)
        install(python, ["-r", REQUIREMENTS / lock], log=LOGS / f"{name}.log")
    stamp(name, key)
    return python


def install(python: Path, options: list[str | Path], *, log: Path) -> None:
    """Install packages for `python`, hashes checked, with uv if it is there, else with pip."""
    uv = shutil.which("uv")
    tool = (
        [uv, "pip", "install", "--python", python]
        if uv
        else [python, "-m", "pip", "install", "--no-input"]
    )
    call([*tool, "--require-hashes", *options], log=log, hint=HINT)


def _interpreter() -> str:
    """A Python that Odoo 19 supports: this one, else the best on PATH."""
    if sys.version_info[:2] in SUPPORTED:
        return getattr(sys, "_base_executable", sys.executable)
    for major, minor in SUPPORTED:
        found = shutil.which(f"python{major}.{minor}")
        if (
            found
            and not subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode
        ):
            return found
    raise Problem(
        "Odoo 19 needs Python 3.10 to 3.13, and PATH has none; "
        f"{sys.executable} is {platform.python_version()}."
    )
