"""Tables in reStructuredText."""

from __future__ import annotations

from collections.abc import Iterator


def cells(row: list[str | list[str]]) -> Iterator[str]:
    """One row of a list-table; a cell that is a list has one paragraph for each of its items."""
    for number, cell in enumerate(row):
        paragraphs = [cell] if isinstance(cell, str) else cell
        lines = [line for paragraph in paragraphs for line in ("", paragraph)][1:]
        yield f"   {' ' if number else '*'} - {lines[0]}"
        yield from (f"       {line}".rstrip() for line in lines[1:])
