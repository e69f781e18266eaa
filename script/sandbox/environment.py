"""What is installed inside `.sandbox/`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from . import odoo_source, postgres, python_packages
from .layout import IMPORT_ROOT, SANDBOX, link, locked


@dataclass(frozen=True)
class Environment:
    """The venv's Python, the folder that holds `odoo`, the folder of PostgreSQL's binaries."""

    python: Path
    odoo: Path
    postgres_binaries: Path


def ensure() -> Environment:
    """Install what is missing; near-instant when nothing is. Raises Problem."""
    SANDBOX.mkdir(exist_ok=True)
    with locked("setup"):
        odoo = odoo_source.ensure()
        python = python_packages.ensure_venv(
            "venv", "sandbox.txt", "Python packages: installing the pinned set"
        )
        binaries = postgres.ensure_binaries(python)
        _put_on_python_path(python, odoo)
    return Environment(python, odoo, binaries)


def process_environment() -> dict[str, str]:
    """The caller's environment variables, less those that would lead Odoo elsewhere, or have each
    process compile all of it again.
    """
    unwanted = ("ODOO_", "OPENERP_", "PG", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | {"PYTHONPYCACHEPREFIX": str(SANDBOX / "bytecode")}


def _put_on_python_path(python: Path, odoo: Path) -> None:
    link(SANDBOX / "addons" / "system_mail", "../..")
    link(IMPORT_ROOT / "odoo" / "addons", "../../addons")
    # A git checkout keeps most addons beside the package; Odoo adds them once it is configured,
    # which it never is for the plain tests.
    link(SANDBOX / "import-community" / "odoo" / "addons", odoo / "addons")
    site_packages = next((python.parent.parent / "lib").glob("python3.*/site-packages"))
    paths = f"{odoo}\n{IMPORT_ROOT}\n{SANDBOX / 'import-community'}\n"
    pth = site_packages / "system_mail_sandbox.pth"
    if not pth.is_file() or pth.read_text() != paths:
        pth.write_text(paths)
