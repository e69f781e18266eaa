"""pytest plugin of script/test: prints the tables that tests fill, also in several processes."""

import sys

import pytest

MODULE = "odoo.addons.system_mail.tests.tables"
_gathered = {}


def pytest_sessionfinish(session):
    """Hand over what this process has, if another one prints it."""
    module = sys.modules.get(MODULE)
    tables = module.TABLES if module else {}
    output = getattr(session.config, "workeroutput", None)
    if output is None:
        _gather(tables)
    else:
        output["tables"] = tables


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Take what a worker of pytest-xdist has."""
    _gather(getattr(node, "workeroutput", {}).get("tables", {}))


def pytest_terminal_summary(terminalreporter):
    """Print them."""
    for title, rows in sorted(_gathered.items()):
        terminalreporter.section(title)
        for line in _lines(rows):
            terminalreporter.write_line(line)


def _gather(tables):
    for title, rows in tables.items():
        for name, cells in rows.items():
            row = _gathered.setdefault(title, {}).setdefault(name, {})
            for column, value in cells.items():
                row[column] = row.get(column, 0) + value if isinstance(value, int) else value


def _lines(rows):
    """Numbers are added up in a last row and column."""
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    if all(isinstance(value, int) for cells in rows.values() for value in cells.values()):
        rows = {name: {**cells, "all": sum(cells.values())} for name, cells in rows.items()}
        columns.append("all")
        sums = {c: sum(cells.get(c, 0) for cells in rows.values()) for c in columns}
        rows = {**rows, "all": sums}
    width = max(map(len, rows)) + 2
    widths = [max(12, len(column) + 2) for column in columns]
    yield " " * width + "".join(f"{c:>{w}}" for c, w in zip(columns, widths, strict=True))
    for name, cells in rows.items():
        values = (f"{cells.get(c, '')!s:>{w}}" for c, w in zip(columns, widths, strict=True))
        yield f"{name:{width}}" + "".join(values)
