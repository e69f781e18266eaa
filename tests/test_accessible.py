"""Screens that no other tour walks, and those that look different on a phone. All tours ask whether
what they walk is accessible."""

import json
from pathlib import Path

from odoo.tests import tagged

from .browser_case import BrowserCase
from .test_backups import BackupCase

PHONE = "390x844"
STORY = Path(__file__).resolve().parents[1] / "script" / "demonstration" / "story.html"


@tagged("post_install", "-at_install")
class TestAccessible(BackupCase, BrowserCase):
    def setUp(self):
        super().setUp()
        customer = self.env["res.partner"].create({"name": "Cora", "email": "cora@customer.test"})
        self.own.fail("dot", action="drop", accept=True)
        self.mention(partners=customer, body="Was it delivered?")
        self.own.heal()
        self.own.logins["ana@company.test"] = "changed"
        self.mention()
        self.env["system.mail.webhook"].create(
            {"name": "Our chat", "url_input": "https://hooks.slack.com/services/T0/B0/secret"}
        )

    def serve_demo(self):
        """The page of the demo, and what it asks for."""
        state = {
            "without": False,
            "odoo": "",
            "lead": 1,
            "inbox": "/",
            "mailboxes": [
                {"kind": "system", "address": "hello@company.test", "state": "connected"},
                {"kind": "own", "address": "ana@company.test", "state": "disconnected"},
            ],
            "chatter": [
                {"text": "It was sent", "status": "sent"},
                {"text": "It waits", "status": "ready"},
                {"text": "It is lost", "status": "exception"},
            ],
            "arrived": [{"from": "Ana Author <hello@company.test>", "subject": "Lead"}],
            "alerts": ["ana@company.test is disconnected."],
        }
        self.serve("/state", "application/json", json.dumps(state).encode())
        self.serve("/system_mail/demo", "text/plain", STORY.read_bytes())

    def test_screens_that_no_other_tour_walks(self):
        self.serve_demo()
        self.start_tour("/odoo/system-mail", "system_mail_screens", login="admin")

    def test_a_super_users_screens_on_a_phone(self):
        self.browser_size, self.touch_enabled = PHONE, True
        self.start_tour("/odoo/system-mail", "system_mail_phone", login="admin")

    def test_an_employees_preferences_on_a_phone(self):
        self.browser_size, self.touch_enabled = PHONE, True
        url = f"/odoo/my-preferences/{self.ana.id}"
        self.start_tour(url, "system_mail_phone_preferences", login=self.ana.login)
