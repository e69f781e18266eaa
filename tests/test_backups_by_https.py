"""A further mailbox of System Mail that sends by HTTPS, and what may happen around it."""

import datetime
import os
import time
from unittest.mock import patch

from cryptography.fernet import Fernet
from psycopg2 import IntegrityError

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, tagged
from odoo.tools import file_open, mute_logger

from ..constants import GROUP
from ..hooks import uninstall_hook
from ..tools.encrypted import MARK, VARIABLE
from .https_lab import Gmail
from .test_application import HELLO, INFO
from .test_https import HttpsCase

REJECTED = "535 5.7.8 Rejected"


def put_off(messages):
    """From now on they wait for so long that they must be woken to be sent in a test."""
    waiting = messages.mail_ids
    waiting.scheduled_date = fields.Datetime.now() + datetime.timedelta(minutes=30)
    waiting.env.flush_all()


class HttpsBackupCase(HttpsCase):
    """``hello@company.test`` sends by SMTP, and behind it ``info@company.test`` by HTTPS."""

    address = INFO

    def setUp(self):
        super().setUp()
        self.system.logins[HELLO] = "neutral"
        self.allow(self.address)
        self.backup = self.connect_backup()
        self.second_server = self.backup.server_id

    def connect_backup(self, **values):
        """Add a further mailbox in the dialog, without what that sent."""
        action = self.company.with_user(self.admin).action_system_mail_connect_backup()
        dialog = self.env[action["res_model"]].with_user(self.admin).browse(action["res_id"])
        dialog.write(
            {
                "address": self.address,
                "method": str(self.provider.id),
                "smtp_user": self.address,
                "by_https": True,
                **values,
            }
        )
        dialog.action_connect()
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        self.api.accepted.clear()
        self.env.flush_all()
        return dialog.backup_id.sudo()

    def break_down(self, *servers):
        """The author's mailbox, System Mail's first one, or these."""
        for smtp in servers or (self.own, self.system):
            smtp.fail("auth", reply=REJECTED)

    def mend(self):
        """All servers work again, and the mailboxes are tried."""
        for smtp in (self.own, self.system, self.api, self.oauth):
            smtp.heal()
        for health in self.env["system.mail.health"].search([]):
            health.next_probe_at = "2020-01-01"
        self.env.flush_all()
        self.env.ref("system_mail.ir_cron_probe").method_direct_trigger()
        self.env.invalidate_all()

    def assert_waits(self, message):
        self.assertFalse(self.received(self.ben.email))
        self.assertEqual(message.notification_ids.failure_type, "system_mail_waiting")
        put_off(message)

    def assert_arrives_once_by_https(self, message):
        [delivery] = self.received(self.ben.email)
        self.assertIn(delivery, self.api.accepted)
        self.assertEqual(message.notification_ids.notification_status, "sent")
        return delivery


@tagged("post_install", "-at_install")
class TestBackupByHttps(HttpsBackupCase):
    """What holds for System Mail's mailboxes holds for it."""

    def test_it_carries_in_the_same_run_and_costs_nothing_before(self):
        asked = len(self.api.requests), self.api.connections
        self.mention()
        self.break_down(self.own)
        self.mention()
        self.assertEqual((len(self.api.requests), self.api.connections), asked)
        self.assertEqual([len(s.accepted) for s in (self.own, self.system)], [1, 1])
        self.break_down(self.system)
        message = self.mention()
        [delivery] = self.api.accepted
        self.assertEqual(message.notification_ids.notification_status, "sent")
        self.assertEqual(len(self.received(self.ben.email)), 3)
        self.assertEqual(str(delivery.message["From"]), f"Ana Author <{INFO}>")
        self.assertEqual(self.health(self.system_server).state, "disconnected")
        self.assertEqual(self.health(self.second_server).state, "connected")

    def test_its_address_is_its_servers_also_after_a_change_in_the_dialog(self):
        self.assertEqual((self.backup.address, self.second_server.from_filter), (INFO, INFO))
        self.allow("team@company.test")
        action = self.backup.with_user(self.admin).action_connect()
        dialog = self.env[action["res_model"]].with_user(self.admin).browse(action["res_id"])
        dialog.write({"address": "team@company.test", "smtp_user": "team@company.test"})
        dialog.action_connect()
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        self.assertEqual(self.backup.address, "team@company.test")
        self.assertEqual(self.backup.server_id.from_filter, "team@company.test")
        self.assertFalse(self.second_server.exists())

    def test_what_did_not_work_adds_nothing_and_tells_nobody(self):
        channel = self.env.ref("system_mail.channel_alerts")
        told, before = channel.message_ids, self.company.system_mail_backup_ids
        action = self.company.with_user(self.admin).action_system_mail_connect_backup()
        dialog = self.env[action["res_model"]].with_user(self.admin).browse(action["res_id"])
        values = {"method": str(self.provider.id), "by_https": True}
        dialog.write({"address": "team@company.test", "smtp_user": "team@company.test", **values})
        dialog.action_connect()
        self.assertEqual(dialog.state, "failed")
        self.assertEqual(self.company.system_mail_backup_ids, before)
        self.assertEqual(channel.message_ids, told)
        self.allow("team@company.test")
        dialog.action_connect()
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        self.assertEqual(len(self.company.system_mail_backup_ids - before), 1)

    def test_the_dialogs_drill_is_of_the_mailbox_that_was_connected(self):
        self.allow("team@company.test")
        action = self.company.with_user(self.admin).action_system_mail_connect_backup()
        dialog = self.env[action["res_model"]].with_user(self.admin).browse(action["res_id"])
        values = {"method": str(self.provider.id), "by_https": True}
        dialog.write({"address": "team@company.test", "smtp_user": "team@company.test", **values})
        dialog.action_connect()
        action = dialog.action_drill()
        drill = self.env[action["res_model"]].with_user(self.admin).browse(action["res_id"])
        self.assertEqual(drill.backup_id.address, "team@company.test")
        drill.action_send()
        self.assertEqual(drill.state, "passed", drill.verdict)
        self.assertEqual(self.api.accepted[-1].mail_from, "team@company.test")

    def test_its_token_is_encrypted(self):
        with patch.dict(os.environ, {VARIABLE: Fernet.generate_key().decode()}):
            token = self.env["system.mail.oauth.token"].search(
                [("server_id", "=", self.second_server.id)]
            )
            token.expires_at = False
            self.env.flush_all()
            self.break_down()
            self.assert_arrives_once_by_https(self.mention())
            self.env.cr.execute(
                "SELECT access_token FROM system_mail_oauth_token WHERE id = %s", [token.id]
            )
            [[stored]] = self.env.cr.fetchall()
        self.assertTrue(stored.startswith(MARK))

    def test_a_copy_of_the_database_cannot_send_by_it(self):
        self.env.flush_all()
        with file_open("system_mail/data/neutralize.sql") as script:
            self.env.cr.execute(script.read())
        self.env.invalidate_all()
        self.break_down()
        asked = len(self.oauth.requests)
        self.assert_waits(self.mention())
        self.assertFalse(self.api.accepted)
        self.assertFalse([r for r in self.oauth.requests[asked:] if "hush" in str(r.parameters)])

    def test_it_goes_with_its_tokens(self):
        def tokens():
            return self.env["system.mail.oauth.token"].search([])

        for forget in (
            self.backup.action_remove,
            lambda: self.company.write({"system_mail_address": False}),
            self.company.action_system_mail_disconnect,
            lambda: uninstall_hook(self.env),
        ):
            with self.subTest(forget), self.env.cr.savepoint() as savepoint:
                self.assertEqual(tokens().server_id, self.second_server)
                forget()
                self.assertFalse(self.second_server.exists() or tokens())
                savepoint.rollback()
                self.env.registry.clear_cache()

    def test_a_company_with_one_is_kept(self):
        other = self.env["res.company"].create({"name": "Other"})
        server = self.mailbox(self.system, "second@other.test", "other")
        self.env["system.mail.backup"].create(
            {"company_id": other.id, "address": "second@other.test", "server_id": server.id}
        )
        with self.assertRaisesRegex(UserError, "has or had a System Mail"):
            other.unlink()

    def test_administrators_neither_see_nor_change_it(self):
        groups = [Command.set(self.env.ref("base.group_system").ids)]
        otto = self._user("Otto", "otto@company.test", group_ids=groups)
        server, backup = self.second_server.with_user(otto), self.backup.with_user(otto)
        company = self.company.with_user(otto)
        self.assertNotIn(server, server.with_context(active_test=False).search([]))
        for change in (
            lambda: server.write({"smtp_host": "elsewhere.test"}),
            server.unlink,
            server.test_smtp_connection,
            lambda: backup.write({"address": "otto@elsewhere.test"}),
            backup.unlink,
            backup.action_remove,
            backup.action_move_up,
            backup.action_connect,
            backup.action_test,
            backup.action_drill,
            lambda: backup.create({"company_id": company.id, "address": "otto@elsewhere.test"}),
            lambda: company.write({"system_mail_backup_ids": [Command.clear()]}),
            lambda: company.read(["system_mail_backup_ids"]),
        ):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                change()

    def test_no_message_can_name_it(self):
        with self.assertRaisesRegex(ValidationError, "another user's mail server"):
            self.mail(mail_server_id=self.second_server.id)

    def test_a_change_of_it_is_an_event(self):
        self.second_server.with_user(self.admin).system_mail_https = False
        event = self.events("configured")[-1]
        self.assertEqual((event.server_id, event.user_id), (self.second_server, self.admin))
        self.assertIn("By HTTPS", event.note)

    def test_settings_and_connections_show_it(self):
        settings = self.env["res.config.settings"].with_user(self.admin)
        with Form(settings.with_company(self.company)) as form:
            self.assertEqual(form.system_mail_backup_ids._records[0]["id"], self.backup.id)
        connections = self.env["system.mail.connection"].search([("kind", "=", "system")])
        line = connections.filtered("backup_id")
        self.assertEqual((line.address, line.state), (INFO, "connected"))

    def test_it_is_checked_and_probed_without_a_message(self):
        self.health(self.second_server).last_success = "2020-01-01"
        self.env.flush_all()
        asked = len(self.api.requests)
        self.env.ref("system_mail.ir_cron_sweep").method_direct_trigger()
        self.assertEqual(len(self.api.requests), asked + 1)
        self.assertFalse(self.api.accepted)

    def test_a_drill_a_test_and_the_domain_check_know_it(self):
        self.admin.group_ids += self.env.ref(GROUP)
        action = self.backup.with_user(self.admin).action_drill()
        drill = self.env[action["res_model"]].with_user(self.admin).browse(action["res_id"])
        drill.action_send()
        self.assertEqual(drill.state, "passed", drill.verdict)
        sent_from, problem = self.backup.with_user(self.admin).system_mail_send_test(HELLO)
        self.assertEqual((INFO in sent_from, problem), (True, ""))
        self.company.action_system_mail_check_domain()
        self.assertEqual(set(self.backup.finding_ids.mapped("domain")), {"company.test"})

    # --- limits

    def test_the_companys_limits_hold_for_both_together(self):
        self.company.system_mail_limit_day = 2
        self.break_down(self.own)
        self.mention()
        self.break_down(self.system)
        self.mention()
        self.assertEqual([len(s.accepted) for s in (self.system, self.api)], [1, 1])
        message = self.mention()
        self.assertEqual(message.notification_ids.failure_type, "system_mail_waiting")
        self.assertEqual([len(s.accepted) for s in (self.system, self.api)], [1, 1])

    def test_the_limit_of_an_author_holds_for_both_together(self):
        self.company.system_mail_limit_user_hour = 1
        self.break_down()
        self.assert_arrives_once_by_https(self.mention())
        self.mention()
        self.assertEqual(len(self.api.accepted), 1)


@tagged("post_install", "-at_install")
class TestGmailFirst(HttpsCase):
    """System Mail's first mailbox sends by an API, and SMTP stands behind it."""

    def setUp(self):
        super().setUp()
        self.connected()
        self.second = self.smtp("second", logins={"second@other.test": "other"})
        server = self.mailbox(self.second, "second@other.test", "other")
        self.backup = self.env["system.mail.backup"].create(
            {
                "company_id": self.company.id,
                "address": "second@other.test",
                "server_id": server.id,
            }
        )
        self.first_server = self.company.system_mail_server_id
        self.env.flush_all()
        self.own.fail("connect", action="reset")

    def counts(self):
        return len(self.api.accepted), len(self.second.accepted)

    def test_a_providers_limit_passes_on_and_it_is_left_alone_for_as_long_as_it_asks(self):
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=2)
        date = until.strftime("%a, %d %b %Y %H:%M:%S GMT")
        self.api.fail("answer", status=429, headers={"Retry-After": date})
        for _ in range(3):
            message = self.mention()
            self.assertEqual(message.notification_ids.notification_status, "sent")
        self.assertEqual(self.counts(), (0, 3))
        health = self.health(self.first_server)
        wait = health.next_probe_at - until.replace(tzinfo=None)
        self.assertLess(abs(wait.total_seconds()), 5)
        asked = len(self.api.requests)
        self.api.heal()
        self.mention()
        self.assertEqual(len(self.api.requests), asked, "not before that")
        health.next_probe_at = "2020-01-01"
        self.env.flush_all()
        self.env.ref("system_mail.ir_cron_probe").method_direct_trigger()
        self.mention()
        self.assertEqual(self.counts(), (1, 4))

    def test_both_providers_limits_at_once_lose_nothing(self):
        self.api.fail("answer", status=429, code=self.day_limit)
        self.second.fail("mail", reply="550 5.4.5 Daily user sending limit exceeded")
        message = self.mention()
        self.assertEqual(message.notification_ids.failure_type, "system_mail_waiting")
        states = self.health(self.first_server).state, self.health(self.backup.server_id).state
        self.assertEqual(states, ("unstable", "unstable"))
        self.second.heal()
        put_off(message)
        self.backup.server_id.system_mail_check()
        self.env.invalidate_all()
        self.run_queue()
        self.assertEqual(self.counts(), (0, 1))
        self.assertEqual(message.notification_ids.notification_status, "sent")

    day_limit = "dailyLimitExceeded"
    kind = Gmail

    def test_a_rejected_client_passes_on_and_is_told(self):
        self.env["system.mail.oauth.token"].search([]).expires_at = datetime.datetime(2020, 1, 1)
        self.allow(HELLO, secret_ends_at=time.time() - 1)
        self.env.flush_all()
        message = self.mention()
        self.assertEqual(self.counts(), (0, 1))
        self.assertEqual(message.notification_ids.notification_status, "sent")
        told = self.env.ref("system_mail.channel_alerts").message_ids.mapped("body")
        self.assertTrue([body for body in told if "Lab Application" in body and "secret" in body])


class TestGraphFirst(TestGmailFirst):
    kind = HttpsCase.kind
    day_limit = "ErrorExceededMessageLimit"


@tagged("post_install", "-at_install")
class TestOddSituations(HttpsBackupCase):
    """What nobody plans: the order changes, mailboxes come and go while mail waits."""

    def test_the_order_changes_while_mail_waits(self):
        self.api.stop()
        self.break_down()
        message = self.mention()
        self.assert_waits(message)
        third = self.smtp("third", logins={"third@other.test": "x"})
        server = self.mailbox(third, "third@other.test", "x")
        last = self.env["system.mail.backup"].create(
            {"company_id": self.company.id, "address": "third@other.test", "server_id": server.id}
        )
        last.action_move_up()
        self.api.heal()
        self.run_queue(message.mail_ids)
        self.assertEqual((len(third.accepted), len(self.api.accepted)), (1, 0))
        self.assertEqual(len(self.received(self.ben.email)), 1)

    def test_a_mailbox_that_is_added_in_an_outage_sends_what_waits(self):
        self.backup.action_remove()
        self.break_down()
        message = self.mention()
        self.assert_waits(message)
        self.connect_backup()
        self.env.invalidate_all()
        self.assertFalse(message.mail_ids.scheduled_date)
        self.run_queue()
        self.assert_arrives_once_by_https(message)

    def test_the_further_mailbox_is_removed_while_mail_waits(self):
        self.api.stop()
        self.break_down()
        message = self.mention()
        self.backup.action_remove()
        self.mend()
        self.run_queue(message.mail_ids)
        self.assertEqual(len(self.received(self.ben.email)), 1)
        self.assertEqual(message.notification_ids.notification_status, "sent")

    def test_system_mail_is_disconnected_while_mail_waits(self):
        self.api.stop()
        self.break_down()
        message = self.mention()
        self.assert_waits(message)
        self.company.action_system_mail_disconnect()
        self.run_queue(message.mail_ids)
        self.assertEqual(message.notification_ids.notification_status, "exception")
        self.assertTrue(message.mail_ids.failure_reason)

    def test_a_server_is_of_one_mailbox_of_system_mail(self):
        other = self.env["res.company"].create({"name": "Other"})
        with self.assertRaises(IntegrityError), mute_logger("odoo.sql_db"), self.cr.savepoint():
            self.backup.copy({"company_id": other.id, "server_id": self.second_server.id})
        for company in (self.company, other):
            with self.assertRaisesRegex(ValidationError, "already sends for System Mail"):
                company.write(
                    {
                        "system_mail_address": "other@other.test",
                        "system_mail_server_id": self.second_server.id,
                    }
                )

    def test_one_account_serves_two_companies_by_a_mailbox_of_each(self):
        other = self.env["res.company"].create({"name": "Other"})
        other.write({"system_mail_address": HELLO, "system_mail_server_id": self.system_server.id})
        kept = {"system_mail_login": INFO, "system_mail_https": True}
        theirs = self.second_server.copy({"system_mail_provider_id": self.provider.id, **kept})
        self.env["system.mail.backup"].create(
            {"company_id": other.id, "address": INFO, "server_id": theirs.id}
        )
        self.env.flush_all()
        self.break_down()
        record = self.env["res.partner"].create({"name": "Theirs", "company_id": other.id})
        (self.ana | self.ben).company_ids += other
        for document in (self.record, record):
            self.record = document
            self.mention()
        self.assertEqual(len(self.api.accepted), 2)
        self.assertEqual(self.events("fallback").company_id, self.company | other)

    def test_the_same_provider_says_no_to_the_token(self):
        token = self.env["system.mail.oauth.token"].search([])
        token.expires_at = datetime.datetime(2020, 1, 1)
        self.env.flush_all()
        self.break_down()
        self.oauth.fail("token", error="invalid_client")
        message = self.mention()
        self.assert_waits(message)
        self.env.invalidate_all()
        self.assertTrue(self.provider.client_rejected_at)
        self.oauth.heal()
        self.env.invalidate_all()
        self.provider.client_secret_input = "hush~hush"
        self.env.flush_all()
        self.run_queue()
        self.assert_arrives_once_by_https(message)

    def test_a_message_with_an_attachment_that_is_too_large_for_the_api_has_a_link(self):
        # what the real one takes
        self.second_server.max_email_size = 2.9
        self.break_down()
        message = self.mention(attachments=[("plan.pdf", b"x" * 5_000_000)])
        delivery = self.assert_arrives_once_by_https(message)
        self.assertLess(len(delivery.content), 100_000)
        html = delivery.message.get_body(("html",)).get_content()
        self.assertIn(f"/web/content/{message.attachment_ids.id}", html)

    def test_a_body_that_is_too_large_for_the_api_fails_with_the_reason(self):
        self.break_down()
        message = self.mention(body="x" * 4_000_000)
        self.assertEqual(message.notification_ids.notification_status, "exception")
        self.assertIn("too big", message.mail_ids.failure_reason)
        self.assertEqual(self.health(self.second_server).state, "connected")

    def test_addresses_and_names_in_other_scripts(self):
        reader = self._user("Jürgen “J” Größe, <x@elsewhere.test>", "jürgen@company.test")
        self.ana.partner_id.name = "Ána Çelik, CEO"
        self.break_down()
        self.mention(partners=reader.partner_id)
        [delivery] = self.api.accepted
        self.assertEqual(delivery.rcpt_to, ("jürgen@company.test",))
        [sender] = delivery.message["From"].addresses
        name = sender.display_name.encode(errors="surrogateescape").decode()  # it came as UTF-8
        self.assertEqual((name, sender.addr_spec), ("Ána Çelik, CEO", INFO))

    def test_a_message_to_several_people_names_only_them_and_reaches_each_once(self):
        self.break_down()
        mail = self.mail(
            recipient_ids=False,
            email_to="Ben <ben@company.test>, cleo@company.test",
            email_cc="dora@company.test",
        )
        self._user("Cleo", "cleo@company.test")
        self._user("Dora", "dora@company.test")
        mail.send()
        self.assertEqual(mail.state, "sent")
        reached = [address for delivery in self.api.accepted for address in delivery.rcpt_to]
        everybody = ["ben@company.test", "cleo@company.test", "dora@company.test"]
        self.assertEqual(sorted(reached), everybody)

    def test_the_registration_is_archived(self):
        self.provider.active = False
        self.break_down()
        self.assert_arrives_once_by_https(self.mention())

    def test_the_registration_loses_its_api(self):
        self.provider.api_form = False
        self.break_down()
        message = self.mention()
        self.assert_waits(message)
        health = self.health(self.second_server)
        self.assertEqual(health.state, "unstable")
        self.assertTrue(health.reason and health.remedy)
        self.provider.write(self._api_values())
        self.env.flush_all()
        self.mend()
        self.run_queue()
        self.assertEqual(len(self.received(self.ben.email)), 1)

    def test_all_are_down_and_the_last_works_first(self):
        self.api.stop()
        self.break_down()
        messages = [self.mention() for _ in range(3)]
        put_off(self.env["mail.message"].union(*messages))
        self.api.heal()
        self.health(self.second_server).next_probe_at = "2020-01-01"
        self.env["system.mail.server.health"].search([]).next_probe_at = "2020-01-01"
        self.env.flush_all()
        self.env.ref("system_mail.ir_cron_probe").method_direct_trigger()
        self.env.invalidate_all()
        self.run_queue()
        ids = [delivery.message["Message-Id"] for delivery in self.api.accepted]
        self.assertEqual(ids, [message.message_id for message in messages])

    def test_an_author_without_a_mailbox(self):
        dora = self._user("Dora Author", "dora@company.test")
        self.break_down(self.system)
        self.assert_arrives_once_by_https(self.mention(author=dora))


@tagged("post_install", "-at_install")
class TestSameAddress(HttpsBackupCase):
    """The further mailbox is the first one's own account, by HTTPS."""

    address = HELLO

    def test_it_carries_from_the_same_address(self):
        self.break_down()
        delivery = self.assert_arrives_once_by_https(self.mention())
        self.assertEqual(str(delivery.message["From"]), f"Ana Author <{HELLO}>")
        self.assertEqual(self.events("fallback").server_id, self.own_server)

    def test_nobody_takes_the_address(self):
        taken = self.assertRaisesRegex(ValidationError, "System Mail's address")
        with taken, self.env.cr.savepoint():
            self.ben.email = HELLO

    def test_when_the_account_is_rejected_by_smtp_it_still_sends_by_https(self):
        self.break_down()
        for _ in range(2):
            self.mention()
        self.assertEqual(len(self.api.accepted), 2)
        self.assertEqual(self.company.system_mail_state, "disconnected")
        self.assertEqual(self.backup.state, "connected")
