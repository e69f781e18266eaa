"""Which room may know which: what the picture in docs/architecture.rst says of imports."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
UNKNOWN_TO = {
    "failover": {"odoo", "connect", "models", "wizards", "controllers"},
    "connect": {"odoo", "models", "wizards", "controllers"},
    "models": {"wizards", "controllers"},
}


@pytest.mark.parametrize("room", UNKNOWN_TO)
def test_imports_run_one_way(room):
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        assert not _imported(path) & UNKNOWN_TO[room], path


def test_odoos_own_runner_finds_every_test():
    [imported] = ast.parse((ROOT / "tests" / "__init__.py").read_text()).body
    files = {path.stem for path in (ROOT / "tests").glob("test_*.py")}
    assert files <= {alias.name for alias in imported.names}


def _imported(path):
    """The first part of each name that the file imports, in the addon or from elsewhere."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.name for alias in node.names}
    return names
