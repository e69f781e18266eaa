import datetime

from odoo.tests import tagged
from odoo.tools import SQL

from .browser_case import BrowserCase
from .common import SystemMailCase

REJECTED = "535 5.7.8 Rejected"


class TestConnections(SystemMailCase):
    def setUp(self):
        super().setUp()
        self.super_user = self.env.ref("base.user_admin")
        self.connections = self.env["system.mail.connection"].with_user(self.super_user)

    def row(self, server):
        """The mailbox's line, fresh."""
        self.env.flush_all()
        self.env.invalidate_all()
        return self.connections.search([("server_id", "=", server.id)])

    def break_own(self):
        self.own.fail("auth", reply=REJECTED)
        self.mention()

    def test_the_lines_can_be_grouped_by_all_that_odoo_groups_by(self):
        self.break_own()
        for name, field in self.connections.fields_get(attributes=["groupable", "type"]).items():
            if field["groupable"]:
                with self.subTest(name):
                    spec = f"{name}:day" if field["type"] in ("date", "datetime") else name
                    groups = self.connections.formatted_read_group([], [spec], ["__count"])
                    lines = sum(group["__count"] for group in groups)
                    self.assertEqual(lines, self.connections.search_count([]))

    def test_every_internal_user_and_every_mailbox_has_a_line(self):
        shared = self.mailbox(self.own, "sales@company.test", "x")
        self._user(
            "Pia Portal", "pia@company.test", group_ids=self.env.ref("base.group_portal").ids
        )
        rows = self.connections.search([])
        self.assertIn(self.ben, rows.user_id)
        self.assertNotIn("pia@company.test", rows.mapped("address"))
        self.assertEqual(self.row(shared).kind, "shared")
        self.assertEqual(self.row(self.own_server).kind, "personal")
        self.assertEqual(self.row(self.own_server).user_id, self.ana)
        ben = rows.filtered(lambda row: row.user_id == self.ben)
        self.assertEqual((ben.state, ben.server_id.id), ("not_connected", False))

    def test_system_mail_is_first_in_any_order(self):
        for order in (None, "address desc", "state, address", "fallback_count", "user_id desc"):
            first = self.connections.search([], order=order, limit=1)
            self.assertEqual(first.kind, "system", order)
        self.assertEqual(self.connections.search([], order="address desc")[1:2].kind, "personal")

    def test_a_slow_mailbox_shows_its_figure(self):
        self.assertFalse(self.row(self.own_server).speed)
        self.env["system.mail.health"]._of(self.own_server).slow_seconds = 14.2
        row = self.row(self.own_server)
        self.assertEqual(row.speed, "Slow: 14 s a message")
        self.assertEqual(self.connections.search([("slow_seconds", ">", 0)]), row)

    def test_fallbacks_of_the_last_week_are_counted_sorted_and_searched(self):
        self.break_own()
        self.mention()
        row = self.row(self.own_server)
        self.assertEqual(row.fallback_count, 2)
        self.assertEqual(self.connections.search([("fallback_count", ">", 0)]), row)
        self.assertEqual(
            self.connections.search([("kind", "!=", "system")], order="fallback_count desc")[0], row
        )
        groups = self.connections._read_group([], ["kind"], ["fallback_count:sum"])
        self.assertEqual(dict(groups)["personal"], 2)
        self.env.cr.execute(
            "UPDATE system_mail_event SET create_date = create_date - interval '8 days'"
        )
        self.assertEqual(self.row(self.own_server).fallback_count, 0)

    def test_the_overview_counts_states_and_names_system_mail(self):
        self.break_own()
        self.env.invalidate_all()
        overview = self.connections.get_overview()
        self.assertEqual(overview["counts"]["disconnected"], 1)
        self.assertEqual(overview["counts"]["needs_attention"], 1)
        [system] = [s for s in overview["systems"] if s["company_id"] == self.company.id]
        self.assertEqual(system["address"], "hello@company.test")
        self.assertIn("Last success on", system["last_test"])
        self.company.with_user(self.super_user).system_mail_send_test("ben@company.test")
        [system] = self.connections.get_overview()["systems"]
        self.assertRegex(system["last_test"], "^Last test on .*: passed")
        self.assertTrue(self.row(self.system_server).last_check)
        self.health(self.system_server).last_success += datetime.timedelta(minutes=2)
        [system] = self.connections.get_overview()["systems"]
        self.assertIn("Last success on", system["last_test"])

    def test_a_drill_is_called_a_drill(self):
        self.super_user.email = "super@company.test"
        self.env["system.mail.drill"].with_user(self.super_user).create(
            {"company_id": self.company.id}
        ).action_send()
        [system] = self.connections.get_overview()["systems"]
        self.assertRegex(system["last_test"], "^Last drill on .*: passed")

    def test_it_opens_on_what_needs_attention_if_anything_does(self):
        action = self.env["ir.actions.act_window"].with_user(self.super_user)

        def context():
            self.env.flush_all()
            self.env.invalidate_all()
            return action._for_xml_id("system_mail.system_mail_connection_action")["context"]

        self.assertNotIn("needs_attention", context())
        self.break_own()
        self.assertIn("search_default_needs_attention", context())

    def test_one_mailbox_is_tested_at_once(self):
        self.own.fail("auth", reply=REJECTED)
        action = self.row(self.own_server).action_test()
        self.assertEqual(action["params"]["type"], "warning")
        self.assertIn(
            "ana@company.test: The test failed: the password was rejected (535 5.7.8). "
            "Reconnect with the new password.",
            action["params"]["message"],
        )
        self.assertRegex(action["params"]["message"], r"\d+:\d\d", "when")
        self.assertEqual(self.row(self.own_server).state, "disconnected")
        self.assertTrue(self.row(self.own_server).last_check)
        self.own.heal()
        action = self.row(self.own_server).action_test()
        self.assertEqual(action["params"]["type"], "success")
        self.assertEqual(self.row(self.own_server).state, "connected")

    def test_many_are_tested_in_chunks(self):
        rows = self.row(self.own_server) + self.row(self.system_server)
        everybody = self.connections.search([])
        action = everybody.action_test()
        self.assertEqual(action["tag"], "system_mail_test")
        self.assertEqual(set(action["params"]["ids"]), set(rows.ids), "those that can be tested")
        self.own.fail("auth", reply=REJECTED)
        outcome = rows.test_chunk()
        self.assertEqual(outcome["servers"], [])
        results = {result["address"]: result for result in outcome["results"]}
        self.assertFalse(results["ana@company.test"]["works"])
        self.assertIn("the password was rejected", results["ana@company.test"]["text"])
        self.assertTrue(results["hello@company.test"]["works"])
        self.assertEqual(results["hello@company.test"]["text"], "It works.")
        self.assertTrue(all(result["time"] for result in results.values()))
        self.assertEqual(self.row(self.own_server).state, "disconnected")
        self.assertEqual(self.row(self.system_server).state, "connected")

    def test_owners_are_asked_to_reconnect(self):
        everybody = self.connections.search([])
        action = everybody.action_ask_to_reconnect()
        self.assertEqual(action["params"]["type"], "info")
        self.break_own()
        action = self.row(self.own_server).action_ask_to_reconnect()
        self.assertIn("Asked Ana Author", action["params"]["message"])
        chats = self.env["discuss.channel"].search([("channel_type", "=", "chat")])
        chat = chats.filtered(lambda c: self.ana.partner_id in c.channel_member_ids.partner_id)
        self.assertIn("/odoo/reconnect-mailbox", chat.message_ids[0].body)

    def test_a_test_says_that_the_network_is_down(self):
        network = self.env["system.mail.server.health"].create(
            {"key": "network", "breaker_state": "open"}
        )
        self.own.stop()
        [result], [sentence] = self.row(self.own_server).test_chunk().values()
        self.assertFalse(result["works"])
        self.assertIn("network seems down", sentence)
        self.assertTrue(network.is_down())

    def test_an_application_is_offered_where_one_is_registered_for_people(self):
        row = self.row(self.own_server)
        self.assertFalse(row.can_use_application)
        self.env["system.mail.oauth.provider"].search([], limit=1).write(
            {"grant": "client_credentials", "for_people": True}
        )
        row.invalidate_recordset()
        self.assertTrue(row.can_use_application)
        self.assertFalse(self.row(self.system_server).can_use_application)

    def test_who_can_do_nothing_is_not_asked(self):
        health = self.env["system.mail.health"].create(
            {"server_id": self.own_server.id, "state": "unstable", "effect": "transient"}
        )
        for effect, remedy in (
            ("transient", "unavailable"),
            ("provider_misconfigured", "client_secret"),
            ("misconfigured", "application_access"),
            ("misconfigured", "mailbox_full"),
        ):
            health.write({"effect": effect, "rule": "unavailable", "remedy_key": remedy})
            row = self.row(self.own_server)
            self.assertFalse(row.can_ask, remedy)
            self.assertIn("Nobody was asked", row.action_ask_to_reconnect()["params"]["message"])
        self.assertFalse(self.env["discuss.channel"].search([("channel_type", "=", "chat")]))

    def test_an_owner_whose_address_changed_is_told_so(self):
        self.ana.email = "ana.author@company.test"
        row = self.row(self.own_server)
        self.assertTrue(row.can_ask)
        row.action_ask_to_reconnect()
        chat = self.env["discuss.channel"].search([("channel_type", "=", "chat")])
        self.assertIn("is not used: its FROM Filtering", chat.message_ids[0].body)

    def test_when_somebody_was_asked_is_shown(self):
        self.break_own()
        self.assertFalse(self.row(self.own_server).asked)
        self.row(self.own_server).action_ask_to_reconnect()
        self.assertEqual(self.row(self.own_server).asked, "Asked today")
        alert = self.env["system.mail.alert"].search([("key", "like", "owner:")])
        alert.told_at -= datetime.timedelta(days=1)
        self.assertEqual(self.row(self.own_server).asked, "Asked yesterday")
        alert.told_at -= datetime.timedelta(days=3)
        self.assertRegex(self.row(self.own_server).asked, r"Asked on \w+ \d+")

    def test_connected_is_never_beside_not_tested(self):
        self.row(self.system_server).test_chunk()
        self.env.invalidate_all()
        [system] = self.connections.get_overview()["systems"]
        self.assertEqual(system["state"], "connected")
        self.assertIn("Last success on", system["last_test"])

    def test_the_form_tells_the_mailboxs_history(self):
        self.break_own()
        row = self.row(self.own_server)
        kinds = {*row.event_ids.mapped("kind")} - {"configured"}
        self.assertEqual(kinds, {"disconnected", "fallback"})
        self.assertEqual({*row.event_ids.mapped("server_name")}, {"ana@company.test"})
        self.assertEqual(row.outage_ids.message_count, 1)
        self.assertEqual(row.answer, "Rejected")

    def test_an_outage_tells_its_messages_and_whom_they_reached(self):
        self.company.system_mail_limit_day = 1
        self.break_own()
        self.env.cr.execute(
            """UPDATE system_mail_outage SET started_at = started_at - interval '1 hour'"""
        )
        self.env.invalidate_all()
        self.mention()
        self.events("deferred").ensure_one()
        self.env.cr.execute("UPDATE system_mail_event SET server_id = %s", [self.own_server.id])
        outage = self.env["system.mail.outage"].with_user(self.super_user).search([])
        self.assertEqual(outage.event_ids.mapped("kind"), ["fallback"], "a limit is no outage")
        self.assertEqual(outage.partner_ids, self.ben.partner_id)

    def test_what_failed_is_decided_on_in_its_line(self):
        self.own.fail("dot", action="drop", accept=True)
        customer = self.env["res.partner"].create({"name": "Cora", "email": "cora@customer.test"})
        for decide, status in (("action_drop", "canceled"), ("action_send_again", "sent")):
            message = self.mention(partners=customer)
            held = self.events("held").with_user(self.super_user)[-1]
            self.assertTrue(held.is_undecided)
            self.own.heal()
            getattr(held, decide)()
            self.run_queue()
            self.env.invalidate_all()
            self.assertFalse(held.is_undecided)
            self.assertEqual(message.notification_ids.notification_status, status)
            self.own.fail("dot", action="drop", accept=True)

    def test_a_count_reads_only_what_it_counts(self):
        """PostgreSQL leaves out joins only where all parts of the view have the same types."""
        if not self.own_server._fields["smtp_host"].store:
            self.skipTest("OCA's mail_environment computes a part of the view")
        query = self.connections._search([("company_id", "=", self.company.id)])
        plan = self.env.execute_query(SQL("EXPLAIN %s", query.select(SQL("count(*)"))))
        read = "\n".join(line for [line] in plan)
        self.assertIn("res_users", read)
        self.assertNotIn("Unique", read, "the first end of each mailbox")

    def test_what_is_shown_is_read_at_once(self):
        shown = ("kind", "address", "provider", "state", "reason", "remedy", "speed", "can_ask")
        rows = self.connections.search_fetch([], shown)
        with self.assertQueryCount(0):
            rows.mapped(lambda row: [row[name] for name in shown])

    def test_the_number_of_queries_does_not_grow(self):
        def queries():
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self.connections.get_overview()
            self.connections.web_search_read(
                [],
                {name: {} for name in ("address", "state", "reason", "fallback_count", "since")}
                | {"user_id": {"fields": {"display_name": {}}}},
                limit=80,
            )
            return self.env.cr.sql_log_count - before

        for _ in range(2):
            queries()  # what Odoo keeps in its caches
        few = queries()
        users = [self._user(f"User {n}", f"user{n}@company.test") for n in range(30)]
        for user in users:
            self.mailbox(self.own, user.email, "x", owner_user_id=user.id)
        for _ in range(2):
            queries()
        self.assertEqual(queries(), few)


@tagged("post_install", "-at_install")
class TestConnectionsTours(SystemMailCase, BrowserCase):
    def setUp(self):
        super().setUp()
        self.own.fail("auth", reply=REJECTED)
        self.mention()
        self.own.heal()
        self.env.flush_all()
        self.env.invalidate_all()

    def test_a_super_user_reviews_tests_and_asks(self):
        self.start_tour("/odoo/system-mail-connections", "system_mail_connections", login="admin")
        self.assertTrue(
            [attempt for attempt in self.own.attempts if attempt.success], "it was tested"
        )
        chats = self.env["discuss.channel"].search([("channel_type", "=", "chat")])
        self.assertIn(self.ana.partner_id, chats.channel_member_ids.partner_id)

    def test_a_super_user_reads_activity_and_outages(self):
        self.start_tour("/odoo/system-mail-activity", "system_mail_activity", login="admin")

    def test_others_do_not_get_there(self):
        outsider = self._user(
            "Otto", "otto@company.test", group_ids=self.env.ref("base.group_system").ids
        )
        for user in (outsider, self.ana):
            self.start_tour("/odoo", "system_mail_no_connections", login=user.login)
