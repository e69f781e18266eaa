"""The help that the addon brings along: where the links of its pages lead."""

import pathlib
import re
from urllib.parse import urldefrag, urljoin

import lxml.html

from odoo.tests import HttpCase, tagged

ROOT = pathlib.Path(__file__).parents[1]
LINK = re.compile(r"(/system_mail/static/doc/[\w-]+\.html)(?:#([\w-]+))?")
FRONT = "/system_mail/static/description/index.html"


@tagged("post_install", "-at_install")
class TestHelp(HttpCase):
    def setUp(self):
        super().setUp()
        self.pages = {FRONT: self.load(FRONT)}
        for path in (ROOT / "static" / "doc").glob("*.html"):
            address = f"/system_mail/static/doc/{path.name}"
            self.pages[address] = self.load(address)

    def load(self, address):
        response = self.url_open(address)
        response.raise_for_status()
        return lxml.html.document_fromstring(response.content)

    def anchors(self, address):
        return set(self.pages[address].xpath("//@id"))

    def test_each_link_of_the_interface_leads_to_its_place(self):
        files = [
            path
            for folder in ("views", "wizards", "static/src")
            for path in (ROOT / folder).rglob("*.xml")
        ]
        links = [link for path in files for link in LINK.findall(path.read_text())]
        self.assertTrue(links)
        for address, anchor in links:
            self.assertIn(address, self.pages)
            if anchor:
                self.assertIn(anchor, self.anchors(address))

    def test_each_page_leads_to_all_others(self):
        for address, page in self.pages.items():
            links = page.xpath("//nav[@aria-label='Pages']//a/@href")
            found = {urljoin(address, link) for link in links}
            self.assertEqual(found, set(self.pages), address)
            self.assertEqual(len(page.xpath("//a[@aria-current='page']")), 1)

    def test_they_need_nothing_from_elsewhere(self):
        for address, page in self.pages.items():
            self.assertFalse(page.xpath("//script | //iframe | //form"))
            for element, attribute, link, _position in page.iterlinks():
                if element.tag == "a" and link.startswith("https://"):
                    continue  # which a person may follow
                self.assertNotRegex(link, r"^(\w+:)?//", f"{element.tag} {attribute}")
                target, anchor = urldefrag(urljoin(address, link))
                if anchor:
                    self.assertIn(anchor, self.anchors(target), f"{address} {link}")
                if target not in self.pages:
                    self.url_open(target).raise_for_status()

    def test_odoos_apps_show_it(self):
        module = self.env["ir.module.module"].search([("name", "=", "system_mail")])
        shown = lxml.html.document_fromstring(module.description_html)
        self.assertIn("What is promised", shown.text_content())
        images = {image.get("src") for image in shown.iter("img")}
        for name in ("story", "connections"):
            self.assertIn(f"/system_mail/static/description/{name}.png", images)
