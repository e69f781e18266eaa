"""The help that the addon brings along: where the links of its pages lead."""

import pathlib
import re

import lxml.html

from odoo.tests import HttpCase, tagged

ROOT = pathlib.Path(__file__).parents[1]
LINK = re.compile(r"/system_mail/static/description/index\.html(?:#([\w-]+))?")


@tagged("post_install", "-at_install")
class TestHelp(HttpCase):
    def setUp(self):
        super().setUp()
        response = self.url_open("/system_mail/static/description/index.html")
        response.raise_for_status()
        self.page = lxml.html.document_fromstring(response.content)
        self.anchors = set(self.page.xpath("//@id"))

    def test_each_link_of_the_interface_leads_to_its_place(self):
        files = [
            path
            for folder in ("views", "wizards", "static/src")
            for path in (ROOT / folder).rglob("*.xml")
        ]
        anchors = [anchor for path in files for anchor in LINK.findall(path.read_text())]
        self.assertTrue(anchors)
        for anchor in anchors:
            self.assertIn(anchor, self.anchors)

    def test_it_needs_nothing_from_elsewhere(self):
        self.assertFalse(self.page.xpath("//script | //iframe | //form"))
        for element, attribute, link, _position in self.page.iterlinks():
            if element.tag == "a" and link.startswith("https://"):
                continue  # which a person may follow
            self.assertNotRegex(link, r"^(\w+:)?//", f"{element.tag} {attribute}")
            if link.startswith("#"):
                self.assertIn(link[1:], self.anchors)
            else:
                self.url_open(f"/system_mail/static/description/{link}").raise_for_status()

    def test_odoos_apps_show_it(self):
        module = self.env["ir.module.module"].search([("name", "=", "system_mail")])
        shown = lxml.html.document_fromstring(module.description_html)
        self.assertIn("What is promised", shown.text_content())
        images = {image.get("src") for image in shown.iter("img")}
        self.assertIn("/system_mail/static/description/connections.png", images)
