"""Incoming mail servers in Connections."""

import datetime

from odoo import fields

from .common import SystemMailCase
from .imap_server import ImapServer

REJECTED = "b'[AUTHENTICATIONFAILED] Authentication failed.'"


class TestIncoming(SystemMailCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.imap = cls.enterClassContext(ImapServer("right"))

    def setUp(self):
        super().setUp()
        self.super_user = self.env.ref("base.user_admin")
        self.connections = self.env["system.mail.connection"].with_user(self.super_user)
        self.incoming = self.env["fetchmail.server"].create(
            {
                "name": "Replies",
                "server": "127.0.0.1",
                "port": self.imap.port,
                "user": "hello@company.test",
                "password": "right",
            }
        )

    @property
    def row(self):
        """The server's line, fresh."""
        self.env.flush_all()
        self.env.invalidate_all()
        return self.connections.search([("incoming_id", "=", self.incoming.id)])

    def odoo_keeps(self, state="done", tried=None, failed=None, answer=False):
        """What Odoo keeps of its fetching.

        :param tried: the minutes since its last try
        :param failed: the minutes since the first of its failures
        """
        now = fields.Datetime.now()
        ago = {
            name: minutes and now - datetime.timedelta(minutes=minutes)
            for name, minutes in [("date", tried), ("error_date", failed)]
        }
        self.incoming.write({"state": state, "error_message": answer, **ago})

    def assert_row(self, state, needs_attention, trouble=False):
        row = self.row
        self.assertEqual(
            (row.state, row.needs_attention, row.incoming_trouble),
            (state, needs_attention, trouble),
        )

    def test_one_that_works_is_connected_since_its_last_fetch(self):
        self.odoo_keeps(tried=4)
        self.assert_row("connected", False)
        row = self.row
        self.assertEqual((row.kind, row.address), ("incoming", "hello@company.test"))
        self.assertEqual(row.provider, "127.0.0.1")
        self.assertEqual(row.last_success, self.incoming.date)
        self.assertFalse(row.reason or row.remedy or row.since)

    def test_one_that_was_never_confirmed_is_not_connected(self):
        self.assert_row("not_connected", False)
        self.assertIn("Test this incoming mail server", self.row.remedy)

    def test_a_failure_is_no_success_and_is_tried_again(self):
        self.odoo_keeps(tried=4, failed=9, answer="timed out")
        self.assert_row("unstable", False, "failing")
        row = self.row
        self.assertFalse(row.last_success)
        self.assertEqual(row.since, self.incoming.error_date)
        self.assertEqual(row.reason, "Odoo can't fetch mail: timed out")
        self.assertIn("tried again", row.remedy)

    def test_a_failure_that_lasts_needs_somebody(self):
        self.odoo_keeps(tried=4, failed=61, answer="timed out")
        self.assert_row("unstable", True, "failing")
        self.assertIn("Correct the settings", self.row.remedy)

    def test_a_rejected_log_in_is_disconnected_at_once(self):
        for answer in (REJECTED, "-ERR [AUTH] Invalid login", "NO [EXPIRED] Old password"):
            self.odoo_keeps(tried=4, failed=9, answer=answer)
            self.assert_row("disconnected", True, "rejected")
        self.odoo_keeps(tried=4, failed=9, answer=REJECTED)
        self.assertEqual(
            self.row.reason,
            "the mail server rejected the log-in: [AUTHENTICATIONFAILED] Authentication failed.",
        )

    def test_one_that_odoo_gave_up_is_disconnected(self):
        self.odoo_keeps("draft", tried=4, failed=6 * 24 * 60, answer="timed out")
        self.assert_row("disconnected", True, "stopped")
        self.assertIn("stopped", self.row.reason)

    def test_its_reason_is_searched(self):
        self.odoo_keeps(tried=4, failed=9, answer=REJECTED)
        for words in ("rejected the log-in", "Authentication failed"):
            self.assertEqual(self.connections.search([("reason", "ilike", words)]), self.row)
        self.assertNotIn(self.row, self.connections.search([("reason", "=", False)]))

    def test_archived_ones_and_those_of_a_script_have_no_line(self):
        self.incoming.server_type = "local"
        self.assertFalse(self.row)
        self.incoming.server_type = "imap"
        self.assertTrue(self.row)
        self.incoming.active = False
        self.assertFalse(self.row)

    def test_the_home_page_and_connections_open_on_it(self):
        action = self.env["ir.actions.act_window"].with_user(self.super_user)
        home = self.env["system.mail.home"].with_user(self.super_user)
        self.odoo_keeps(tried=4, failed=9, answer=REJECTED)
        self.assertTrue(self.row)
        opened = action._for_xml_id("system_mail.system_mail_connection_action")
        self.assertIn("needs_attention", opened["context"])
        [task] = [task for task in home.get_page()["tasks"] if "incoming" in task["text"]]
        self.assertEqual(task["state"], "disconnected")
        self.assertEqual(task["button"]["args"], ["incoming"])

    def test_a_test_that_passes_confirms_it_and_has_odoo_fetch(self):
        action = self.row.action_test()
        self.assertEqual(action["params"]["type"], "success")
        self.assertEqual(self.incoming.state, "done")
        self.assert_row("connected", False)
        cron = self.env.ref("mail.ir_cron_mail_gateway_action")
        self.assertTrue(self.env["ir.cron.trigger"].search([("cron_id", "=", cron.id)]))

    def test_a_test_that_fails_says_why_and_the_line_too(self):
        self.odoo_keeps(tried=4)
        self.incoming.password = "wrong"
        action = self.row.action_test()
        self.assertEqual(action["params"]["type"], "warning")
        self.assertIn("AUTHENTICATIONFAILED", action["params"]["message"])
        self.assert_row("disconnected", True, "rejected")

    def test_a_test_keeps_since_when_it_fails(self):
        self.odoo_keeps(tried=4, failed=61, answer="timed out")
        before = self.incoming.error_date
        self.incoming.password = "wrong"
        self.row.action_test()
        self.assertEqual(self.incoming.error_date, before)

    def test_it_is_tested_among_many(self):
        rows = self.row | self.connections.search([("server_id", "=", self.system_server.id)])
        self.assertEqual(set(rows.action_test()["params"]["ids"]), set(rows.ids))
        before = self.imap.log_ins
        results = rows.test_chunk()["results"]
        self.assertEqual([result["works"] for result in results], [True, True])
        self.assertEqual(self.imap.log_ins, before + 1)

    def test_its_password_is_in_no_column(self):
        self.incoming.password = "correct horse"
        self.assertNotIn("correct horse", str(self.row.read()))
