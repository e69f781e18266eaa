import operator

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged

from ..constants import GROUP
from .common import SystemMailCase
from .test_doors_to_read import ReadingCase


class TwoCompanies(SystemMailCase):
    """Two companies with a System Mail each; Ana's own mailbox is out of order."""

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
        self.own.fail("auth", reply="535 5.7.8 Rejected")

    def counts(self):
        """What each System Mail carried."""
        return len(self.system.accepted), len(self.second_smtp.accepted)


class TestCompanies(TwoCompanies):
    """Ana and Ben work in both."""

    def setUp(self):
        super().setUp()
        (self.ana | self.ben).write({"company_ids": [(4, self.second.id)]})
        self.second_record = self.env["res.partner"].create(
            {"name": "Theirs", "company_id": self.second.id}
        )

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

    def test_a_super_user_who_works_elsewhere_changes_nothing(self):
        elsewhere = {"company_id": self.company.id, "company_ids": [(6, 0, self.company.ids)]}
        group = self.env.ref("system_mail.group_super_user")
        rita = self._user("Rita", "rita@company.test", group_ids=[(6, 0, group.ids)], **elsewhere)
        second = self.second.with_user(rita)
        for attempt in (
            second.action_system_mail_connect,
            second.action_system_mail_connect_backup,
            second.action_system_mail_test,
            second.action_system_mail_drill,
            second.action_system_mail_check_domain,
            second.action_system_mail_disconnect,
            lambda: second.write({"system_mail_scope": "all"}),
            lambda: second.env["system.mail.connect"].create({"company_id": second.id}),
            second.env["system.mail.test"].create({"company_id": second.id}).action_send,
            second.env["system.mail.drill"].create({"company_id": second.id}).action_send,
        ):
            with self.assertRaisesRegex(AccessError, "You don't work in Second"):
                attempt()
        self.assertEqual(self.second.system_mail_server_id, self.second_server)
        rita.company_ids += self.second
        second.action_system_mail_disconnect()
        self.assertFalse(self.second.system_mail_server_id)

    def test_a_super_user_who_works_elsewhere_reads_no_answer_and_no_use(self):
        self.company.system_mail_limit_day = 100
        self.mention()
        there = {"company_id": self.second.id, "company_ids": [(6, 0, self.second.ids)]}
        rita = self._user("Rita", "rita@second.test", **there)
        rita.group_ids += self.env.ref(GROUP)
        usage, servers = self.env["system.mail.usage"], self.env["system.mail.server.health"]
        self.assertTrue(usage.search([]))
        self.assertFalse(usage.with_user(rita).search([]))
        place = {"key": "x", "host": "x.test", "encryption": "none"}
        servers = servers.create({**place, "answer": "Ask A.N. Other"})
        for user in (rita, self.ana):
            with self.assertRaises(AccessError):
                servers.with_user(user).read(["answer"])
        self.assertTrue(servers.with_user(rita).in_words())

    def test_a_super_user_who_works_elsewhere_reaches_none_of_its_servers(self):
        elsewhere = {"company_id": self.company.id, "company_ids": [(6, 0, self.company.ids)]}
        group = self.env.ref("system_mail.group_super_user")
        rita = self._user("Rita", "rita@company.test", group_ids=[(6, 0, group.ids)], **elsewhere)
        there = {"company_id": self.second.id, "company_ids": [(6, 0, self.second.ids)]}
        cleo = self._user("Cleo", "cleo@second.test", **there)
        personal = self.mailbox(self.second_smtp, "cleo@second.test", False)
        personal.write({"owner_user_id": cleo.id, "system_mail_password": "hers"})
        message = self.mention_on(self.second_record)
        self.env.flush_all()
        self.env.invalidate_all()
        theirs, ours = self.second_server.with_user(rita), self.company.with_user(rita)
        for attempt in (
            lambda: theirs.read(["smtp_host", "smtp_user", "from_filter"]),
            lambda: theirs.write({"smtp_port": 1}),
            lambda: theirs.sudo().write({"smtp_port": 1}),
            theirs.test_smtp_connection,
            theirs.unlink,
            lambda: ours.write({"system_mail_server_id": theirs.id}),
            message.with_user(rita).action_system_mail_send_now,
        ):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                attempt()
        self.assertNotIn(theirs, theirs.search([]))
        with self.assertRaises(ValidationError), self.env.cr.savepoint():
            ours.system_mail_server_id = personal
        with self.assertRaises(AccessError):
            cleo.with_user(rita)._check_system_mail_own(by_super_user=True)
        backup = self.env["system.mail.backup"].create(
            {
                "company_id": self.second.id,
                "address": "further@second.test",
                "server_id": self.mailbox(self.second_smtp, "further@second.test", False).id,
            }
        )
        drill = {"company_id": self.company.id, "backup_id": backup.id}
        self.assertFalse(
            theirs.env["system.mail.drill"].create(drill).sudo().backup_id.display_name
        )
        self.assertEqual(backup.display_name, "further@second.test")
        other = {"company_id": self.company.id, "address": "x@company.test"}
        with self.assertRaises(ValidationError) as caught, self.env.cr.savepoint():
            theirs.env["system.mail.backup"].create({**other, "server_id": theirs.id})
        self.assertNotIn("hello@", str(caught.exception))
        template = {"name": "T", "mail_server_id": theirs.id}
        self.assertFalse(
            self.env["mail.template"].with_user(rita).create(template).mail_server_id.display_name
        )
        hers = self.record.with_user(rita).sudo().message_post(body="Hers")
        told = {"failure_reason": "454 canary", "res_partner_id": rita.partner_id.id}
        for model in ("mail.mail", "mail.notification"):
            reasons = self.env[model].with_user(rita)
            values = {name: told[name] for name in told if name in reasons._fields}
            of_hers, _of_theirs = (
                self.env[model].create({"mail_message_id": each.id, **values})
                for each in (hers, message)
            )
            with self.subTest(model):
                found = reasons.search([("failure_reason", "like", "canary")])
                self.assertEqual(found.ids, of_hers.ids)
                self.assertLess(found, reasons.search([("failure_reason", "!=", False)]))
                with self.assertRaises(AccessError):
                    reasons.search([], order="failure_reason")
        provider = self.env["system.mail.oauth.provider"].search([], limit=1)
        self.second_server.system_mail_provider_id = provider
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            provider.with_user(rita).token_endpoint = "https://elsewhere.test/token"
        personal.with_user(rita).smtp_port = 1
        self.assertFalse(personal.sudo().system_mail_password)

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


@tagged("post_install", "-at_install")
class TestWhoseSystemMail(TwoCompanies, ReadingCase):
    """Nobody chooses a company that they do not work in: neither its System Mail nor its limits."""

    def setUp(self):
        super().setUp()
        self.ana.group_ids += self.env.ref("base.group_partner_manager")
        self.colleague = self._user(
            "Cleo", "cleo@second.test", company_id=self.second.id, company_ids=self.second.ids
        )

    def posted(self, method="message_post", **values):
        """How much each System Mail carried of what Ana writes to Ben over RPC."""
        record = self.record.ids if method == "message_post" else []
        before = self.counts()
        to_ben = {"body": "See this", "partner_ids": self.ben.partner_id.ids}
        self.call(self.ana, "res.partner", method, record, **to_ben, **values)
        return tuple(map(operator.sub, self.counts(), before))

    def test_nobody_names_another_company(self):
        for method in ("message_post", "message_notify"):
            with self.subTest(method):
                carried = self.posted(method, record_company_id=self.second.id)
                self.assertEqual(carried, (1, 0))

    def test_nobody_names_an_author_who_works_there(self):
        author = {"author_id": self.colleague.partner_id.id}
        for company in ({}, {"record_company_id": False}):
            for method in ("message_post", "message_notify"):
                with self.subTest(method, company=company):
                    self.assertEqual(self.posted(method, **author, **company), (1, 0))

    def test_nobody_names_a_document_from_there(self):
        document = self.env["res.partner"].create({"name": "D", "company_id": self.second.id})
        place = {"model": "res.partner", "res_id": document.id}
        there = {**place, "record_company_id": self.second.id}
        template = self.env["mail.template"].create(
            {"name": "T", "model_id": self.env["ir.model"]._get_id("res.partner")}
        )
        to_ben = {"body": "See this", "partner_ids": self.ben.partner_id.ids}
        self.assert_refused(
            self.ana, "mail.template", "send_mail", template.ids, self.record.id, True, False, there
        )
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            self.record.with_user(self.ana).message_notify(**to_ben, **there)
        self.assertEqual(self.counts(), (0, 0))
        self.ana.company_ids += self.second
        self.record.with_user(self.ana).message_notify(**to_ben, **there)
        self.assertEqual(self.counts(), (0, 1))

    def test_nobody_names_the_company_of_a_document_that_they_may_not_read(self):
        document = self.env["res.partner"].create({"name": "D", "company_id": self.second.id})
        there = {"record_company_id": self.second.id, "record_alias_domain_id": False}
        to_ben = {"body": "See this", "partner_ids": self.ben.partner_id.ids}
        self.env.invalidate_all()
        self.assert_refused(
            self.ana, "res.partner", "message_notify", document.ids, **to_ben, **there
        )
        template = self.env["mail.template"].create(
            {"name": "T", "model_id": self.env["ir.model"]._get_id("res.partner")}
        )
        to_ben = {"recipient_ids": [(4, self.ben.partner_id.id)]}
        place = {"model": "res.partner", "res_id": document.id}
        for values in (
            {**there, "res_id": document.id},
            {**there, "child_ids": [(0, 0, {**place, **there})]},
            {**there, "child_ids": [(0, 0, {"mail_ids": [(0, 0, {**place, **there})]})]},
        ):
            with self.subTest(values=list(values)):
                given = {**to_ben, **values}
                self.assert_refused(
                    *(self.ana, "mail.template", "send_mail", template.ids, self.record.id, True),
                    email_values=given,
                )
        self.assertEqual(self.counts(), (0, 0))

    def test_a_message_about_what_has_no_table_stops_nothing(self):
        template = self.env["mail.template"].create(
            {"name": "T", "model_id": self.env["ir.model"]._get_id("res.partner")}
        )
        self.system.fail("auth", reply="535 5.7.8 Rejected")
        waiting = self.mention()
        values = {"model": "mail.thread", "record_company_id": self.second.id}
        own = {"mail_message_id": waiting.id, "email_to": "ben@company.test", **values}
        arguments = "mail.template", "send_mail", template.ids, self.record.id
        self.call(self.ana, *arguments, email_values=own)
        self.env.invalidate_all()
        self.assertEqual(waiting.model, "mail.thread")
        for model in ("mail.thread", "system.mail.connection"):
            self.assertIsNone(waiting._system_mail_documents(model, [1]), "no table of its own")
        self.system.heal()
        self.system_server.system_mail_check()
        self.assertEqual(self.health(self.system_server).state, "connected")
        self.run_queue(self.env["mail.mail"].search([("state", "=", "outgoing")]))
        self.assertFalse(waiting.mail_ids, "each was sent, and deleted")
        self.assertEqual(self.counts(), (2, 0))
        event = self.events("fallback")[:1]
        self.assertEqual(event.open_message(waiting.id)["tag"], "display_notification")

    def test_a_visitor_chooses_no_company(self):
        visitor = self.env.ref("base.public_user")
        visitor.company_id = self.company
        context = {"allowed_company_ids": self.second.ids}
        env = self.env(user=visitor.id, context=context)
        customer = self.env["res.partner"].create({"name": "C", "email": "c@outside.test"})
        values = {"author_id": customer.id, "email_from": "ana@company.test"}
        self.record.with_env(env).sudo().message_post(
            body="See this",
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
            partner_ids=self.ben.partner_id.ids,
            **values,
        )
        self.assertEqual(self.counts()[1], 0)

    def test_nobody_says_what_became_of_a_new_mail(self):
        template = self.env["mail.template"].create(
            {"name": "T", "model_id": self.env["ir.model"]._get_id("res.partner")}
        )
        mark = {"author_id": self.ana.partner_id.id, "res_partner_id": self.ana.partner_id.id}
        for values in (
            {"state": "exception", "failure_type": "system_mail_held"},
            {"state": "exception", "failure_reason": "Call 555"},
            {"notification_ids": [(0, 0, mark)]},
        ):
            with self.subTest(values=list(values)):
                self.assert_refused(
                    *(self.ben, "mail.template", "send_mail", template.ids, self.record.id),
                    email_values=values,
                )

    def test_nobody_uses_it_where_their_own_company_has_none(self):
        self.company.system_mail_address = False
        self.assertEqual(self.posted(record_company_id=self.second.id), (0, 0))

    def test_nobody_escapes_a_limit(self):
        self.company.system_mail_limit_day = 1
        self.assertEqual(self.posted(), (1, 0))
        self.assertEqual(self.posted(), (0, 0))
        self.assertEqual(self.posted(record_company_id=self.second.id), (0, 0))

    def test_what_somebody_calls_automatic_is_within_the_limits(self):
        """Odoo lets every employee say so over RPC: docs/security.rst tells of it."""
        self.company.write({"system_mail_scope": "automatic", "system_mail_limit_user_hour": 2})
        self.ben.active = False  # no colleague any more
        for carried in ((1, 0), (1, 0), (0, 0)):
            self.assertEqual(self.posted(message_type="notification"), carried)
        self.assertEqual(self.posted(message_type="comment"), (0, 0))

    def test_a_document_of_another_company_does_not_choose_its_system_mail(self):
        self.record.company_id = self.second
        message = self.mention()
        self.assertEqual(message.record_company_id, self.second)
        self.assertEqual(self.counts(), (1, 0))
        there = {"record_company_id": self.second.id}
        own = self.env["ir.attachment"].with_user(self.ana)
        own = own.create({"name": "Mine", "company_id": self.second.id})
        to_ben = {"body": "See this", "partner_ids": self.ben.partner_id.ids}
        place = {"model": "ir.attachment", "res_id": own.id}
        own.env["res.partner"].message_notify(**to_ben, **place, **there)
        self.assertEqual(self.counts(), (2, 0))

    def test_a_visitor_writes_in_the_company_of_the_document(self):
        self.record.company_id = self.second
        visitor = self.env.ref("base.public_user")
        self.mention(author=visitor, author_id=self.ana.partner_id.id)
        self.assertEqual(self.counts(), (0, 1))

    def test_who_works_in_both_chooses(self):
        self.ana.company_ids += self.second
        self.assertEqual(self.posted(record_company_id=self.second.id), (0, 1))

    def test_a_reader_does_not_move_a_message_to_learn_why_it_failed(self):
        third = self.env["res.company"].create({"name": "Third"})
        self.ana.company_ids += third
        self.own.fail("rcpt", reply="550 5.1.1 No such user, says the canary")
        notification = self.mention().sudo().notification_ids
        notification.write(
            {"failure_type": "unknown", "failure_reason": "canary", "system_mail_rule": False}
        )
        message = notification.mail_message_id
        elsewhere = {"record_company_id": third.id}
        for user in (self.ben, *self.outsiders.values()):
            message.partner_ids += user.partner_id
            self.assert_refused(user, "mail.message", "write", message.ids, elsewhere)
            reason = "mail.notification", "read", notification.ids, ["failure_reason"]
            self.assertNotIn("canary", str(self.call(user, *reason)))
        message.write({"author_id": False, "record_company_id": False})
        self.ben.company_ids += third
        reason = "mail.notification", "read", notification.ids, ["failure_reason"]
        told = self.call(self.ben, *reason, context={"allowed_company_ids": third.ids})
        self.assertNotIn("canary", str(told))
