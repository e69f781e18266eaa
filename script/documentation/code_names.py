"""Check the names of the code that the pages mention: files, folders, and names in a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from docutils import nodes

from .pages import Page

FILE = re.compile(r"(\w[\w.-]*/)*\w[\w.-]*\.(py|xml|csv|rst|html)|(\w[\w.-]*/)+")


def problems(pages: Mapping[PurePosixPath, Page]) -> Iterator[str]:
    """A sentence for each file or folder that does not exist, and for each name that is not in the
    file before it, as ``after_failure`` in "``failover/breaker.py``: ``after_failure``".
    """
    for page in pages.values():
        for literal in page.document.findall(nodes.literal):
            name, file = literal.astext(), page.root / _named_before(literal)
            if FILE.fullmatch(name) and not (page.root / name).exists():
                yield f"{page.path}: there is no {name}"
            if file.is_file() and name not in file.read_text():
                yield f"{page.path}: there is no {name} in {file.relative_to(page.root)}"


def _named_before(literal: nodes.literal) -> Path:
    """What stands before the literal with a colon between them, such as the name of a file."""
    match literal.parent[: literal.parent.index(literal)]:
        case [*_, nodes.literal() as named, nodes.Text() as between] if between.strip() == ":":
            return Path(named.astext())
    return Path()
