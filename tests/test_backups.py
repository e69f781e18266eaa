"""Further mailboxes of System Mail."""

import os
from email.utils import parseaddr
from unittest.mock import patch

from cryptography.fernet import Fernet

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import file_open

from ..constants import GROUP
from ..hooks import uninstall_hook
from ..tools.encrypted import VARIABLE, in_clear
from .common import AlertsCase, SystemMailCase


class BackupCase(SystemMailCase):
    """System Mail has a second mailbox, ``second@other.test``, behind ``hello@company.test``."""

    def setUp(self):
        super().setUp()
        self.second = self.smtp("backup", logins={"second@other.test": "other"})
        self.second_server = self.mailbox(self.second, "second@other.test", "other")
        self.backup = self.add_backup(self.second_server)

    def add_backup(self, server, **values):
        """A further mailbox behind the others."""
        return self.env["system.mail.backup"].create(
            {
                "company_id": self.company.id,
                "address": server.from_filter,
                "server_id": server.id,
                **values,
            }
        )


@tagged("post_install", "-at_install")
class TestBackups(BackupCase):
    """What people's mailboxes and System Mail's first one cannot send leaves by the second."""

    def test_the_second_carries_in_the_same_run_what_the_first_cannot(self):
        self.own.fail("connect", action="reset")
        self.system.fail("auth", reply="535 5.7.8 Rejected")
        message = self.mention()
        [delivery] = self.received(self.ben.email)
        self.assertIn(delivery, self.second.accepted)
        self.assertEqual(delivery.message["Message-Id"], message.message_id)
        name, address = parseaddr(delivery.message["From"])
        self.assertEqual((name, address), ("Ana Author", "second@other.test"))
        self.assertEqual(delivery.mail_from, "second@other.test")
        [event] = self.events("fallback")
        self.assertEqual(event.server_id, self.own_server)
        self.assertEqual(parseaddr(event.sent_from)[1], "second@other.test")
        self.assertEqual(message.notification_ids.notification_status, "sent")
        self.assertEqual(message.notification_ids.system_mail_sent_from, "second@other.test")
        self.assertEqual(self.health(self.system_server).state, "disconnected")
        self.assertEqual(self.health(self.second_server).state, "connected")

    def test_for_an_author_without_a_mailbox_too_and_super_users_see_it(self):
        self.system.fail("auth", reply="535 5.7.8 Rejected")
        message = self.mention(author=self.ben, partners=self.ana.partner_id)
        [delivery] = self.received(self.ana.email)
        self.assertIn(delivery, self.second.accepted)
        [event] = self.events("fallback")
        self.assertEqual(event.server_id, self.system_server)
        self.assertEqual(message.notification_ids.system_mail_sent_from, "second@other.test")

    def test_it_costs_nothing_while_those_before_it_work(self):
        def cost():
            for _ in range(3):  # the first ones fill Odoo's caches and find out what fails
                self.env.flush_all()
                self.env.invalidate_all()
                before = self.env.cr.sql_log_count
                self.mention()
            return self.env.cr.sql_log_count - before

        self.backup.server_id = False
        alone = cost()
        self.backup.server_id = self.second_server
        self.assertLessEqual(cost(), alone)
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        with_one_behind = cost()
        self.backup.server_id = False
        self.assertEqual(cost(), with_one_behind)
        self.assertFalse(self.second.connections)

    def test_where_none_works_mail_waits_and_the_recovery_of_any_sends_it(self):
        for server in self.servers:
            server.fail("auth", reply="535 5.7.8 Rejected")
        message = self.mention()
        self.assertFalse(self.received(self.ben.email))
        self.assertEqual(message.notification_ids.failure_type, "system_mail_waiting")
        self.second.heal()
        self.second_server.smtp_pass = "other"
        self.env.flush_all()
        self.second_server.system_mail_check()
        self.env.invalidate_all()
        self.assertFalse(message.mail_ids.scheduled_date)
        self.run_queue()
        [delivery] = self.received(self.ben.email)
        self.assertIn(delivery, self.second.accepted)
        self.assertEqual(message.notification_ids.notification_status, "sent")

    def test_what_is_archived_is_left_out(self):
        self.second_server.active = False
        self.own.fail("connect", action="reset")
        self.system.fail("auth", reply="535 5.7.8 Rejected")
        self.mention()
        self.assertFalse(self.second.connections)

    def test_they_are_tried_in_their_order(self):
        third = self.smtp("third", logins={"third@other.test": "x"})
        last = self.add_backup(self.mailbox(third, "third@other.test", "x"))
        last.action_move_up()
        for server in (self.own, self.system):
            server.fail("connect", action="reset")
        self.mention()
        self.assertEqual(self.company.system_mail_backup_ids.sorted(), last | self.backup)
        self.assertEqual(len(third.accepted), 1)
        self.assertEqual((last | self.backup).filtered("is_first"), last)
        last.action_move_up()
        self.assertEqual(self.company.system_mail_backup_ids.sorted(), last | self.backup)


@tagged("post_install", "-at_install")
class TestLimits(BackupCase):
    """The company's limits hold for all mailboxes together."""

    def setUp(self):
        super().setUp()
        self.own.fail("connect", action="reset")

    def counts(self):
        return len(self.system.accepted), len(self.second.accepted)

    def test_the_companys_limit_is_one_for_all(self):
        self.company.system_mail_limit_day = 2
        self.mention()
        self.system.fail("auth", reply="535 5.7.8 Rejected")
        self.mention()
        self.assertEqual(self.counts(), (1, 1))
        message = self.mention()
        self.assertEqual(self.counts(), (1, 1))
        self.assertEqual(message.notification_ids.failure_type, "system_mail_waiting")
        self.assertEqual(self.events()[-1].rule, "over_limit")

    def test_the_companys_limit_passes_on_to_nobody(self):
        self.company.system_mail_limit_day = 1
        self.mention()
        self.mention()
        self.assertEqual(self.counts(), (1, 0))

    def test_a_providers_limit_on_the_first_passes_on_to_the_second(self):
        self.system.fail("mail", reply="550 5.4.5 Daily user sending limit exceeded")
        message = self.mention()
        self.assertEqual(self.counts(), (0, 1))
        self.assertEqual(message.notification_ids.notification_status, "sent")

    def test_the_limit_of_one_of_them_passes_on_to_the_next(self):
        self.system.fail("auth", reply="535 5.7.8 Rejected")
        self.backup.limit_day = 1
        third = self.smtp("third", logins={"third@other.test": "x"})
        self.add_backup(self.mailbox(third, "third@other.test", "x"))
        self.mention()
        self.mention()
        self.assertEqual((self.counts(), len(third.accepted)), ((0, 1), 1))

    def test_over_the_limit_of_the_last_mail_waits_for_any(self):
        self.system.fail("auth", reply="535 5.7.8 Rejected")
        self.backup.limit_minute = 1
        self.mention()
        message = self.mention()
        self.assertEqual(self.counts(), (0, 1))
        self.assertEqual(message.notification_ids.failure_type, "system_mail_waiting")
        self.assertTrue(message.mail_ids.system_mail_waiting_since, "whatever works again wakes it")


@tagged("post_install", "-at_install")
class TestProtection(BackupCase):
    """What protects System Mail's first mailbox protects the others."""

    def administrator(self):
        return self._user(
            "Ada Admin",
            "ada@company.test",
            group_ids=[(6, 0, self.env.ref("base.group_system").ids)],
        )

    def test_no_ordinary_mail_leaves_by_it(self):
        servers = self.env["ir.mail_server"]
        (self.env["ir.mail_server"].search([]) - self.second_server).active = False
        server, _sender = servers._find_mail_server("second@other.test")
        self.assertFalse(server)
        with self.assertRaisesRegex(UserError, "kept for System Mail"):
            servers._connect__(mail_server_id=self.second_server.id)

    def test_administrators_do_not_see_it(self):
        servers = self.env["ir.mail_server"].with_user(self.administrator())
        self.assertNotIn(self.second_server, servers.search([]))
        self.assertFalse(self.second_server.with_user(servers.env.user).display_name)
        with self.assertRaises(AccessError):
            self.second_server.with_user(servers.env.user).read(["smtp_host"])
        with self.assertRaises(AccessError):
            self.env["system.mail.backup"].with_user(servers.env.user).search([])

    def test_a_person_may_not_own_its_address(self):
        self.assert_refused("Ana Author", self.backup, address="ana@company.test")
        same = (
            "second@other.test",
            "second@other.test.",
            "second@\uff4fther.test",
            "second@o\u00adther.test",
        )
        for address in same:
            self.assert_refused("is System Mail's address", self.ben, email=address)
        visitor = self.env["res.partner"].with_user(self.env.ref("base.public_user")).sudo()
        with self.assertRaises(ValidationError) as caught, self.cr.savepoint():
            self.ben.with_env(visitor.env).email = "second@other.test"
        self.assertNotIn("System Mail", str(caught.exception), "who signs up learns nothing more")

    def test_it_is_a_mailbox_of_its_own(self):
        for server in (self.own_server, self.system_server):
            self.assert_refused("Connect another mailbox", self.backup, server_id=server.id)
        self.assert_refused("one plain address", self.backup, address="Me <second@other.test>")
        self.assert_refused("0 is no limit", self.backup, limit_day=-1)

    def assert_refused(self, why, record, **values):
        with self.assertRaisesRegex(ValidationError, why), self.cr.savepoint():
            record.write(values)

    def test_the_risk_is_accepted_for_one_address(self):
        self.backup.write({"address": "ana@company.test", "accepted_clash": "ana@company.test"})
        self.assertIn("Ana Author", self.backup.clash)
        self.ben.partner_id.email = "second@other.test"

    def test_each_change_is_an_event_and_super_users_are_told(self):
        channel = self.env.ref("system_mail.channel_alerts")
        told = channel.message_ids
        self.backup.address = "third@other.test"
        self.assertIn("second@other.test → third@other.test", self.events("configured")[-1].reason)
        [alert] = channel.message_ids - told
        self.assertIn("third@other.test", alert.body)
        self.second_server.smtp_port = 2525
        event = self.events("configured")[-1]
        self.assertEqual((event.server_id, event.company_id), (self.second_server, self.company))
        self.backup.unlink()
        self.assertIn("removed: third@other.test", self.events("configured")[-1].reason)

    def test_its_password_is_encrypted(self):
        key = Fernet.generate_key().decode()
        with patch.dict(os.environ, {VARIABLE: key}):
            self.second_server.smtp_pass = "another"
            self.env.flush_all()
            self.assertFalse(self.second_server.smtp_pass)
            self.assertEqual(in_clear(self.second_server, "system_mail_password"), "another")
            fresh = self.mailbox(self.second, "fresh@other.test", "clear")
            self.add_backup(fresh)
            self.assertFalse(fresh.smtp_pass)
            self.assertEqual(in_clear(fresh, "system_mail_password"), "clear")

    def test_a_copy_of_the_database_cannot_send_by_it(self):
        self.env.flush_all()
        with file_open("system_mail/data/neutralize.sql") as script:
            self.env.cr.execute(script.read())
        self.env.invalidate_all()
        self.assertFalse(self.second_server.smtp_pass)

    def test_it_goes_with_system_mail(self):
        self.company.system_mail_address = False
        self.assertFalse(self.backup.exists() or self.second_server.exists())

    def test_it_goes_when_it_is_removed_or_system_mail_is_disconnected(self):
        self.backup.action_remove()
        self.assertFalse(self.second_server.exists())
        server = self.mailbox(self.second, "third@other.test", "x")
        backup = self.add_backup(server)
        self.company.action_system_mail_disconnect()
        self.assertFalse(backup.exists() or server.exists())

    def test_it_goes_when_the_addon_goes(self):
        wizard = self.env["base.module.uninstall"].create(
            {"module_ids": self.env.ref("base.module_system_mail").ids}
        )
        self.assertIn("hello@company.test, second@other.test", wizard.system_mail_consequences)
        uninstall_hook(self.env)
        self.assertFalse(self.second_server.exists())
        self.assertTrue(self.own_server.exists())


@tagged("post_install", "-at_install")
class TestScreens(BackupCase):
    """Where Super Users see and mend it."""

    def dialog(self, action, **values):
        dialog = self.env["system.mail.connect"].browse(action["res_id"])
        dialog.write(
            {
                "smtp_host": self.second.host,
                "smtp_port": self.second.port,
                "smtp_encryption": "none",
                **values,
            }
        )
        return dialog

    def test_the_dialog_adds_one(self):
        self.second.logins["third@other.test"] = "secret"
        dialog = self.dialog(
            self.company.action_system_mail_connect_backup(),
            address="third@other.test",
            smtp_user="third@other.test",
            smtp_pass="secret",
            limit_day=500,
        )
        dialog.action_connect()
        self.assertEqual(dialog.state, "connected", dialog.problem)
        added = self.company.system_mail_backup_ids.sorted()[-1]
        self.assertEqual((added.address, added.limit_day), ("third@other.test", 500))
        self.assertEqual((added.state, added.message), ("connected", False))
        self.assertEqual(added.server_id.from_filter, "third@other.test")
        self.assertEqual(self.company.system_mail_address, "hello@company.test")
        self.assertFalse(self.company.system_mail_limit_day)
        policy = self.company.system_mail_policies()[self.company.id]
        self.assertEqual(
            [mailbox.address for mailbox in policy.mailboxes],
            ["hello@company.test", "second@other.test", "third@other.test"],
        )

    def test_the_same_account_is_no_further_mailbox(self):
        dialog = self.dialog(
            self.company.action_system_mail_connect_backup(),
            address="hello@company.test",
            smtp_host=self.system.host,
            smtp_port=self.system.port,
            smtp_user="hello@company.test",
            smtp_pass="neutral",
        )
        dialog.action_connect()
        self.assertEqual(dialog.state, "failed")
        self.assertIn("already a mailbox of System Mail", dialog.problem)
        self.assertEqual(self.company.system_mail_backup_ids, self.backup)

    def test_the_dialog_reconnects_one(self):
        dialog = self.dialog(self.backup.action_connect(), smtp_pass="wrong")
        self.assertEqual(dialog.address, "second@other.test")
        dialog.action_connect()
        self.assertEqual(dialog.state, "failed")
        dialog.smtp_pass = "other"
        dialog.action_connect()
        self.assertEqual(dialog.state, "connected", dialog.problem)
        self.assertEqual(self.backup.server_id, self.second_server)

    def test_somebodys_own_address_is_added_only_if_that_is_accepted(self):
        self.second.logins["ana@company.test"] = "secret"
        dialog = self.dialog(
            self.company.action_system_mail_connect_backup(),
            address="ana@company.test",
            smtp_user="ana@company.test",
            smtp_pass="secret",
        )
        dialog.action_connect()
        self.assertIn("Ana Author", dialog.problem)
        dialog.accepts_clash = True
        dialog.action_connect()
        self.assertEqual(dialog.state, "connected", dialog.problem)
        self.assertEqual(dialog.backup_id.accepted_clash, "ana@company.test")

    def test_nobody_else_opens_it(self):
        for user in (self.ana, self.env.ref("base.public_user")):
            with self.assertRaises(AccessError):
                self.company.with_user(user).action_system_mail_connect_backup()
            with self.assertRaises(AccessError):
                self.env["system.mail.connect"].with_user(user).create(
                    {"user_id": user.id, "backup_id": self.backup.id}
                )

    def test_connections_has_a_line_of_it(self):
        connections = self.env["system.mail.connection"].search([("kind", "=", "system")])
        self.assertEqual(connections.server_id, self.system_server | self.second_server)
        self.assertEqual(connections.ids, connections.sorted("priority").ids)
        line = connections[-1]
        self.assertEqual(line.backup_id, self.backup)
        self.assertEqual((line.address, line.company_id), ("second@other.test", self.company))
        self.assertEqual(line.action_connect()["res_model"], "system.mail.connect")
        ids = self.env["system.mail.connection"].search([]).ids
        self.assertEqual(len(ids), len(set(ids)))

    def test_a_test_leaves_by_it(self):
        action = self.backup.action_test()
        test = self.env["system.mail.test"].browse(action["res_id"])
        test.recipient = "ben@company.test"
        test.action_send()
        self.assertEqual(test.state, "sent", test.problem)
        self.assertIn("second@other.test", test.sent_from)
        self.assertEqual(len(self.second.accepted), 1)
        self.assertEqual(self.events("test").server_id, self.second_server)

    def test_a_drill_leaves_by_it(self):
        self.ana.group_ids += self.env.ref(GROUP)
        action = self.backup.with_user(self.ana).action_drill()
        drill = self.env["system.mail.drill"].with_user(self.ana).browse(action["res_id"])
        self.env.flush_all()
        drill.action_send()
        self.assertEqual(drill.state, "passed", drill.verdict)
        self.assertIn("second@other.test", drill.verdict)
        self.assertFalse(self.system.connections)

    def test_its_domain_is_checked(self):
        self.company.action_system_mail_check_domain()
        self.assertEqual(set(self.backup.finding_ids.mapped("domain")), {"other.test"})
        self.assertEqual(
            set(self.company.system_mail_finding_ids.mapped("domain")), {"company.test"}
        )
        self.assertTrue(self.backup.domain_status)


@tagged("post_install", "-at_install")
class TestAlerts(BackupCase, AlertsCase):
    """What Super Users hear."""

    def break_down(self, server):
        self.env["system.mail.health"].search([("server_id", "=", server.id)]).unlink()
        self.env["system.mail.health"].create(
            {
                "server_id": server.id,
                "state": "disconnected",
                "rule": "password_rejected",
                "since": "2026-01-01",
            }
        )

    def test_they_hear_which_one_fails_and_what_becomes_of_mail(self):
        self.break_down(self.system_server)
        [first] = self.told_of_system_mail()
        self.assertIn("Meanwhile, second@other.test sends", first)
        self.assertIn("sent from second@other.test", self.company.system_mail_message)
        self.assertIn("second@other.test", self.ana._system_mail_substitute())
        self.break_down(self.second_server)
        [second] = self.told_of_system_mail()
        self.assertIn("System Mail second@other.test", second)
        self.assertIn("their messages to colleagues wait until System Mail works again.", second)

    def test_a_reserve_that_fails_is_no_hurry(self):
        self.break_down(self.second_server)
        [told] = self.told_of_system_mail()
        self.assertIn("needed only when the mailboxes before it", told)

    def told_of_system_mail(self):
        self.tell()
        return [body for body in self.told() if "has not worked since" in body]

    def test_a_monitor_is_warned_not_alarmed_while_the_second_works(self):
        self.break_down(self.system_server)
        monitoring = self.env["system.mail.monitoring"]
        self.assertEqual(monitoring.verdict(monitoring.figures())[0], "critical")
        self.env["system.mail.health"]._connected(self.second_server)
        status, reasons = monitoring.verdict(monitoring.figures())
        self.assertEqual(status, "warning")
        self.assertIn("System Mail is disconnected. Reconnect it.", " ".join(reasons))

    def test_a_monitor_is_warned_of_a_further_mailbox_that_fails(self):
        self.env["system.mail.health"]._connected(self.system_server)
        self.break_down(self.second_server)
        monitoring = self.env["system.mail.monitoring"]
        status, reasons = monitoring.verdict(monitoring.figures())
        self.assertEqual(status, "warning")
        self.assertIn("Further mailboxes of System Mail that don't work: 1", " ".join(reasons))
