from .common import SystemMailCase


class TestCompanies(SystemMailCase):
    """Two companies with a System Mail each, and people who work in both."""

    def setUp(self):
        super().setUp()
        self.second = self.env["res.company"].create({"name": "Second"})
        self.second_smtp = self.smtp("second", logins={"hello@second.test": "other"})
        self.second_server = self.mailbox(self.second_smtp, "hello@second.test", "other")
        self.second.write(
            {
                "system_mail_address": "hello@second.test",
                "system_mail_server_id": self.second_server.id,
            }
        )
        (self.ana | self.ben).write({"company_ids": [(4, self.second.id)]})
        self.second_record = self.env["res.partner"].create(
            {"name": "Theirs", "company_id": self.second.id}
        )
        self.own.fail("auth", reply="535 5.7.8 Rejected")

    def mention_on(self, record, **context):
        """Ana mentions Ben on the record, and the queue sends it."""
        message = (
            record.with_user(self.ana)
            .with_context(**context)
            .sudo()
            .message_post(
                body="See this",
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
                partner_ids=self.ben.partner_id.ids,
                force_send=False,
            )
        )
        self.run_queue()
        return message

    def counts(self):
        """What each System Mail carried."""
        return len(self.system.accepted), len(self.second_smtp.accepted)

    def test_the_records_company_decides(self):
        self.mention_on(self.second_record)
        self.assertEqual(self.counts(), (0, 1))
        self.record.company_id = self.company
        self.mention_on(self.record, allowed_company_ids=self.second.ids)
        self.assertEqual(self.counts(), (1, 1))

    def test_then_the_authors_whatever_company_the_queue_runs_in(self):
        self.ana.company_id = self.second
        self.mention_on(self.record)
        self.assertEqual(self.counts(), (0, 1))

    def test_one_run_of_the_queue_serves_both(self):
        self.record.company_id = self.company
        for record in (self.record, self.second_record, self.record, self.second_record):
            record.with_user(self.ana).sudo().message_post(
                body="See this",
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
                partner_ids=self.ben.partner_id.ids,
                force_send=False,
            )
        self.run_queue()
        self.assertEqual(self.counts(), (2, 2))
        for smtp, address in ((self.system, "company"), (self.second_smtp, "second")):
            for delivery in smtp.accepted:
                self.assertEqual(delivery.mail_from, f"hello@{address}.test")
        self.assertEqual(self.events("fallback").mapped("company_id"), self.company | self.second)

    def test_a_company_without_one_goes_odoos_own_way(self):
        self.second.system_mail_address = False
        message = self.mention_on(self.second_record)
        self.assertEqual(self.counts(), (0, 0))
        self.assertEqual(message.notification_ids.notification_status, "exception")

    def test_one_companys_system_mail_never_stands_in_for_the_others(self):
        self.second_smtp.fail("auth", reply="454 4.7.0 Temporary failure")
        message = self.mention_on(self.second_record)
        self.assertEqual(self.counts(), (0, 0))
        self.assertEqual(message.mail_ids.state, "outgoing", "it waits for its own")

    def test_a_super_user_reviews_the_allowed_companies(self):
        self.mention_on(self.second_record)
        self.record.company_id = self.company
        self.mention_on(self.record)
        self._user(
            "Second Only",
            "only@second.test",
            company_id=self.second.id,
            company_ids=[(6, 0, self.second.ids)],
        )
        group = self.env.ref("system_mail.group_super_user")
        reviewer = self._user(
            "Rita Reviewer",
            "rita@second.test",
            company_id=self.second.id,
            company_ids=[(6, 0, self.second.ids)],
            group_ids=[(6, 0, group.ids)],
        )
        self.env.flush_all()
        self.env.invalidate_all()
        seen = self.env(user=reviewer.id, context={"allowed_company_ids": self.second.ids})
        self.assertEqual(seen["system.mail.event"].search([]).company_id, self.second)
        connections = seen["system.mail.connection"].search([])
        self.assertEqual(connections[0].address, "hello@second.test")
        self.assertNotIn("hello@company.test", connections.mapped("address"))
        self.assertNotIn(self.ana, connections.user_id, "her company is the first")
        [system] = seen["system.mail.connection"].get_overview()["systems"]
        self.assertEqual(system["company"], "Second")
        healths = seen["system.mail.health"].search([]).server_id
        self.assertNotIn(self.system_server, healths)
        self.assertFalse(
            seen["system.mail.outage"]
            .search([])
            .filtered(lambda outage: outage.company_id != self.second)
        )

    def test_two_companies_with_one_mailbox_have_a_row_each(self):
        self.second.write(
            {
                "system_mail_address": self.company.system_mail_address,
                "system_mail_server_id": self.system_server.id,
            }
        )
        self.env.flush_all()
        rows = self.env["system.mail.connection"].search([("kind", "=", "system")])
        self.assertEqual(rows.company_id, self.company | self.second)
        self.assertEqual(len(set(rows.ids)), 2)
        self.assertEqual(rows.server_id, self.system_server)

    def test_the_server_of_an_archived_companys_system_mail_serves_nobody_else(self):
        self.second.active = False
        for company_id in (self.company.id, self.second.id):
            servers = self.env["ir.mail_server"].with_context(allowed_company_ids=[company_id])
            server, _smtp_from = servers.sudo()._find_mail_server("hello@second.test")
            self.assertNotEqual(server, self.second_server)
        administrator = self._user(
            "Sam Settings",
            "sam@company.test",
            group_ids=[(6, 0, self.env.ref("base.group_system").ids)],
        )
        seen = self.env["ir.mail_server"].with_user(administrator).search([])
        self.assertIn(self.own_server, seen)
        self.assertNotIn(self.second_server, seen)
        message = self.mention_on(self.second_record)
        self.assertEqual(self.counts(), (0, 0), "nor is its System Mail in use")
        self.assertEqual(message.notification_ids.notification_status, "exception")
