"""The page that the app store, Odoo's Apps and the help links show: parts of the README and the
pages for whoever uses the addon, in one file.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path, PurePosixPath
from string import Template

from docutils import core, frontend, nodes, utils
from docutils.writers import html5_polyglot

from .pages import OUTSIDE, Page

PATH = "static/description/index.html"
TEMPLATE = Path(__file__).with_name("store_page.html")
README = PurePosixPath("README.rst")
OF_THE_README = ("what-it-does", "install-it", "what-is-promised")
NAMES = [
    "configure",
    "mail-providers",
    "use",
    "troubleshooting",
    "answers",
    "faq",
    "security",
    "monitoring",
    "compare",
]
PAGES = {PurePosixPath(f"docs/{name}.rst"): name for name in NAMES}
"""The pages that are sections of it, and their anchors."""
WRITER_SETTINGS = {"initial_header_level": 2, "table_style": "table,table-sm"}


def make(pages: Mapping[PurePosixPath, Page]) -> str:
    """The page: HTML without scripts and without anything from elsewhere.

    :raises ValueError: two of its parts have the same anchor
    """
    readme = _for_the_page(pages[README])
    intro = [node for node in readme if not isinstance(node, nodes.title | nodes.section)]
    sections = [node for node in readme.findall(nodes.section) if {*node["ids"]} & {*OF_THE_README}]
    sections += [_as_section(_for_the_page(pages[path]), PAGES[path]) for path in PAGES]
    anchors = collections.Counter(
        anchor for section in sections for node in section.findall() for anchor in _ids(node)
    )
    if twice := [anchor for anchor, count in anchors.items() if count > 1]:
        raise ValueError(f"{PATH}: two parts have the anchor {', '.join(twice)}")
    return Template(TEMPLATE.read_text()).substitute(
        title=escape(readme.next_node(nodes.title).astext()),
        intro=_html(intro),
        contents="\n".join(
            f'<li><a href="#{section["ids"][0]}">{escape(section[0].astext())}</a></li>'
            for section in sections
        ),
        body=_html(sections),
    )


def _ids(node: nodes.Node) -> list[str]:
    return node["ids"] if isinstance(node, nodes.Element) else []


def _as_section(document: nodes.document, anchor: str) -> nodes.section:
    section = nodes.section(ids=list(dict.fromkeys([anchor, *document["ids"]])))
    section += document.children
    return section


def _for_the_page(page: Page) -> nodes.document:
    """The page's own tree, with links that lead within the one page; those that cannot are text."""
    document = page.document.deepcopy()
    for node in list(document.findall(nodes.reference)):
        link = node.get("refuri", "#")
        if link.startswith(("#", *OUTSIDE)):
            continue
        path, anchor = page.target(link)
        if path in PAGES:
            node["refuri"] = f"#{anchor or PAGES[path]}"
        elif path == README and anchor in OF_THE_README:
            node["refuri"] = f"#{anchor}"
        else:
            node.parent.replace(node, node.children)
    for node in document.findall(nodes.image):
        path, _anchor = page.target(node["uri"])
        node["uri"] = str(path.relative_to(PurePosixPath(PATH).parent))
        node["classes"].append("img-fluid")
    for node in list(document.findall(nodes.comment)):
        node.parent.remove(node)
    return document


def _html(parts: Iterable[nodes.Node]) -> str:
    writer = html5_polyglot.Writer()
    document = utils.new_document(PATH, frontend.get_default_settings(html5_polyglot.Writer))
    document += list(parts)
    core.publish_from_doctree(document, writer=writer, settings_overrides=WRITER_SETTINGS)
    return writer.parts["fragment"].strip()
