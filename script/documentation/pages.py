"""The pages in reStructuredText: whether docutils reads them as they are meant, and where their
links lead.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urldefrag

from docutils import core, nodes

PATTERNS = ("*.rst", "docs/*.rst")
WARNING = 2
SETTINGS = {
    "report_level": WARNING,
    "halt_level": 5,
    "file_insertion_enabled": False,
    "raw_enabled": False,
}
OUTSIDE = ("https://", "mailto:")


@dataclass
class Page:
    """One page, as docutils reads it."""

    path: PurePosixPath
    """From the checkout."""
    document: nodes.document
    warnings: list[str]
    root: Path

    @property
    def anchors(self) -> set[str]:
        """What a link to the page may name after its ``#``."""
        return set(self.document.ids)

    def links(self) -> Iterator[str]:
        """Where the page's links and pictures lead, as it is written there."""
        for node in self.document.findall(nodes.reference):
            if "refuri" in node:
                yield node["refuri"]
        for node in self.document.findall(nodes.image):
            yield node["uri"]

    def target(self, link: str) -> tuple[PurePosixPath, str]:
        """The file, from the checkout, and the anchor to which a link within it leads."""
        name, anchor = urldefrag(link)
        path = (self.root / self.path.parent / name).resolve() if name else self.root / self.path
        return PurePosixPath(path.relative_to(self.root)), anchor

    def problems(self, pages: Mapping[PurePosixPath, Page]) -> Iterator[str]:
        """What is wrong, in sentences."""
        yield from self.warnings
        for node in self.document.findall(nodes.image):
            if not node.get("alt"):
                yield f"{self.path}: nothing says what {node['uri']} shows (:alt:)"
        for link in self.links():
            if link.startswith(OUTSIDE):
                continue
            path, anchor = self.target(link)
            if not (self.root / path).exists():
                yield f"{self.path}: the link {link} leads nowhere"
            elif anchor and anchor not in (pages[path].anchors if path in pages else ()):
                yield f"{self.path}: there is no such anchor: {link}"


def read_all(root: Path) -> dict[PurePosixPath, Page]:
    """All pages of the checkout, by their path from it."""
    paths = sorted(path for pattern in PATTERNS for path in root.glob(pattern))
    pages = (_read(root, PurePosixPath(path.relative_to(root))) for path in paths)
    return {page.path: page for page in pages}


def _read(root: Path, path: PurePosixPath) -> Page:
    warnings = io.StringIO()
    document = core.publish_doctree(
        (root / path).read_text(),
        source_path=str(path),
        settings_overrides={**SETTINGS, "warning_stream": warnings},
    )
    return Page(path, document, warnings.getvalue().splitlines(), root)
