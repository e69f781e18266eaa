"""What tests tell in tables: ``testing.pytest_tables`` prints them when all tests are over."""

TABLES = {}
"""``{title: {row: {column: a word, or a number that is added up}}}``"""
BAD_INPUTS = "Bad inputs, and what came of them"
ARRIVED, WAITS, REFUSED, HARMLESS = "arrived once", "waits its turn", "refused", "no effect"


def put(title, row, column, word):
    """Write a word into a table."""
    TABLES.setdefault(title, {}).setdefault(row, {})[column] = word


def tried(what, outcome, number=1):
    """Count a bad input by what came of it."""
    row = TABLES.setdefault(BAD_INPUTS, {}).setdefault(what, {})
    row[outcome] = row.get(outcome, 0) + number
