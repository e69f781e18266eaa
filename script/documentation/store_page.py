"""The pages that the app store, Odoo's Apps and the help links show: one of parts of the README,
and one of each page for whoever uses the addon.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path, PurePosixPath
from string import Template

from docutils import core, frontend, nodes, utils
from docutils.writers import html5_polyglot

from .pages import OUTSIDE, Page

FRONT = PurePosixPath("static/description/index.html")
TEMPLATE = Path(__file__).with_name("store_page.html")
README = PurePosixPath("README.rst")
OF_THE_README = ("quick-start", "what-it-does", "install-it", "set-it-up", "what-is-promised")
NAMES = [
    "configure",
    "mail-providers",
    "use",
    "troubleshooting",
    "answers",
    "faq",
    "security",
    "monitoring",
    "several-hosts",
    "upgrade",
    "compare",
]
MADE_OF = {
    README: FRONT,
    **{
        PurePosixPath(f"docs/{name}.rst"): PurePosixPath(f"static/doc/{name}.html")
        for name in NAMES
    },
}
"""Which page is made of which."""
WRITER_SETTINGS = {"initial_header_level": 2, "table_style": "table,table-sm"}


def make(pages: Mapping[PurePosixPath, Page]) -> dict[PurePosixPath, str]:
    """All pages by their path: HTML without scripts and without anything from elsewhere."""
    return {made: _page(pages, source) for source, made in MADE_OF.items()}


def _page(pages: Mapping[PurePosixPath, Page], source: PurePosixPath) -> str:
    document = _for_the_page(pages[source])
    intro = [node for node in document if not isinstance(node, nodes.title | nodes.section)]
    sections = [
        node
        for node in document
        if isinstance(node, nodes.section)
        and (source != README or {*node["ids"]} & {*OF_THE_README})
    ]
    return Template(TEMPLATE.read_text()).substitute(
        title=escape(document.next_node(nodes.title).astext()),
        icon=_relative(FRONT.with_name("icon.svg"), MADE_OF[source]),
        manual="\n".join(_manual(pages, source)),
        contents="\n".join(_links((f"#{node['ids'][0]}", node[0]) for node in sections)),
        intro=_html(intro),
        body=_html(sections),
    )


def _manual(pages: Mapping[PurePosixPath, Page], source: PurePosixPath) -> Iterator[str]:
    """The links to all pages; the present one is marked."""
    for each, made in MADE_OF.items():
        current = ' aria-current="page"' if each == source else ""
        title = escape(pages[each].document.next_node(nodes.title).astext())
        yield f'<li><a href="{_relative(made, MADE_OF[source])}"{current}>{title}</a></li>'


def _links(targets: Iterable[tuple[str, nodes.Node]]) -> Iterator[str]:
    for link, title in targets:
        yield f'<li><a href="{link}">{escape(title.astext())}</a></li>'


def _relative(path: PurePosixPath, page: PurePosixPath) -> str:
    """A link from a page to another file; Odoo's Apps shows the front page at another address."""
    if page == FRONT and path.suffix == ".html":
        return f"/system_mail/{path}"
    return os.path.relpath(path, page.parent)


def _for_the_page(page: Page) -> nodes.document:
    """The page's own tree, with links that lead to the pages that are made; what is at no such page
    is text.
    """
    document, made = page.document.deepcopy(), MADE_OF[page.path]
    for node in list(document.findall(nodes.reference)):
        link = node.get("refuri", "#")
        if link.startswith(("#", *OUTSIDE)):
            continue
        path, anchor = page.target(link)
        if path in MADE_OF:
            node["refuri"] = _relative(MADE_OF[path], made) + (f"#{anchor}" if anchor else "")
        else:
            node.parent.replace(node, node.children)
    for node in document.findall(nodes.image):
        path, _anchor = page.target(node["uri"])
        node["uri"] = _relative(path, made)
        node["classes"].append("img-fluid")
    for node in list(document.findall(nodes.comment)):
        node.parent.remove(node)
    if made != FRONT:  # Odoo's Apps leaves out the style
        for table in document.findall(nodes.tgroup):
            _repeat_headings(table)
    return document


def _repeat_headings(table: nodes.tgroup) -> None:
    """Begin each cell with the heading of its column: a phone shows rows as blocks of lines."""
    for head in table.findall(nodes.thead):
        headings = [entry.astext() for entry in head.findall(nodes.entry)]
        for row in table.next_node(nodes.tbody).findall(nodes.row):
            for heading, entry in zip(headings, row, strict=True):
                entry.insert(0, nodes.paragraph(heading, heading, classes=["heading"]))


def _html(parts: Iterable[nodes.Node]) -> str:
    writer = html5_polyglot.Writer()
    document = utils.new_document(str(FRONT), frontend.get_default_settings(html5_polyglot.Writer))
    document += list(parts)
    core.publish_from_doctree(document, writer=writer, settings_overrides=WRITER_SETTINGS)
    return writer.parts["fragment"].strip()
