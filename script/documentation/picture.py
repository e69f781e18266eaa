"""The picture of the architecture names files: whether they are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

PICTURE = "docs/architecture.svg"
TEXT = "{http://www.w3.org/2000/svg}text"


def problems(root: Path) -> Iterator[str]:
    """A sentence for each file or folder that the picture shows and the checkout has not."""
    for node in ElementTree.parse(root / PICTURE).iter(TEXT):
        name = "".join(node.itertext())
        if node.get("class") == "path" and not (root / name).exists():
            yield f"{PICTURE}: there is no {name}"
