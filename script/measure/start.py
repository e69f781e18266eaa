"""Starts a module of this package in the sandbox's Python, with Odoo and the SMTP lab in reach."""

import os
import subprocess

from sandbox import environment, layout, workbench


def run_module(bench: workbench.Workbench, module: str, *arguments: str) -> int:
    """Run it to its end; return its exit code."""
    paths = (layout.CHECKOUT / "script", layout.CHECKOUT / "tests")
    env = environment.process_environment() | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    command = [str(bench.installed.python), "-m", module, *arguments]
    return subprocess.run(command, env=env, cwd=layout.CHECKOUT, check=False).returncode
