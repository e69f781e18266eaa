from unittest.mock import patch

from odoo.exceptions import AccessError, ConcurrencyError, UserError, ValidationError
from odoo.tests import tagged

from ..constants import OAUTH
from ..models.accounts import system_mail_attempt
from .common import SystemMailCase
from .test_oauth import ANA, OAuthCase


@tagged("post_install", "-at_install")
class TestPersonalMailbox(SystemMailCase):
    """Ana connects her own mailbox by user name and password, as an employee."""

    def setUp(self):
        super().setUp()
        self.own_server.unlink()
        self.as_ana = self.env["res.users"].with_user(self.ana).browse(self.ana.id)

    def dialog(self, server_type="login", **values):
        """The dialog that Preferences opens, filled in."""
        action = self.as_ana.action_setup_outgoing_mail_server(server_type)
        dialog = self.env["system.mail.connect"].with_user(self.ana)
        dialog = dialog.browse(action["params"]["dialog"]["res_id"])
        dialog.write(
            {
                "method": "password",
                "smtp_host": self.own.host,
                "smtp_port": self.own.port,
                "smtp_encryption": "none",
                "smtp_user": ANA,
                "smtp_pass": "secret",
                **values,
            }
        )
        return dialog

    def connected(self, **values):
        dialog = self.dialog(**values)
        dialog.action_connect()
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        self.as_ana.invalidate_recordset()
        return self.as_ana.outgoing_mail_server_id

    def test_a_connected_mailbox_sends_its_owners_mail(self):
        server = self.connected()
        self.assertEqual(self.as_ana.outgoing_mail_server_type, "login")
        self.assertEqual(self.as_ana.system_mail_state, "connected")
        self.assertTrue(self.as_ana.system_mail_last_success)
        self.mention()
        [delivery] = self.received("ben@company.test")
        self.assertEqual(delivery.login, ANA)
        self.assertEqual(delivery.mail_from, ANA)
        self.assertEqual(server.sudo().owner_user_id, self.ana)

    def test_a_log_in_name_that_is_not_the_address(self):
        self.own.logins = {"ana.from.accounts": "secret"}
        server = self.connected(smtp_user="ana.from.accounts")
        self.mention()
        [delivery] = self.received("ben@company.test")
        self.assertEqual(delivery.login, "ana.from.accounts")
        self.env["res.users"]._gc_personal_mail_servers()
        self.assertTrue(server.exists(), "Odoo deletes servers that are not their owner's")

    def test_a_wrong_password_keeps_what_was_typed_and_changes_nothing(self):
        dialog = self.dialog(smtp_pass="wrong", smtp_user="typed by hand")
        dialog.action_connect()
        self.assertEqual(dialog.state, "failed")
        self.assertIn("password was rejected", dialog.problem)
        self.assertEqual(dialog.smtp_user, "typed by hand")
        self.assertFalse(self.as_ana.outgoing_mail_server_id)
        self.assertFalse(self.env["ir.mail_server"].search([("owner_user_id", "=", self.ana.id)]))

    def test_an_attempt_that_its_owner_stopped_changes_nothing(self):
        dialog = self.dialog()
        self.assertFalse(dialog.action_stop("first"))
        self.assertFalse(dialog.with_context(system_mail_attempt="first").action_connect())
        self.assertEqual(dialog.state, "draft")
        self.assertFalse(self.own.attempts)
        connecting = type(dialog)._try

        def connect_while_it_is_stopped(dialog, values):
            trouble = connecting(dialog, values)
            dialog.action_stop("meanwhile")
            dialog.flush_recordset()
            return trouble

        with (
            patch.object(type(dialog), "_try", connect_while_it_is_stopped),
            self.assertRaises(ConcurrencyError),
            self.env.cr.savepoint(),
        ):
            dialog.with_context(system_mail_attempt="meanwhile").action_connect()
        self.assertFalse(self.as_ana.outgoing_mail_server_id, "all of it was rolled back")
        dialog.with_context(system_mail_attempt="second").action_connect()
        self.assertEqual(dialog.state, "connected", "another attempt is not stopped")
        shown = dialog.action_stop("second")
        self.assertEqual(shown["res_id"], dialog.id, "it was too late")
        self.assertTrue(self.as_ana.outgoing_mail_server_id)

    def test_reconnecting_keeps_the_record_and_its_history(self):
        server = self.connected()
        self.own.logins[ANA] = "changed"
        self.mention()
        self.env.invalidate_all()
        self.assertEqual(self.as_ana.system_mail_state, "disconnected")
        self.assertIn("hello@company.test", self.as_ana.system_mail_message)
        self.health(self.system_server).state = "disconnected"
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertNotIn("hello@company.test", self.as_ana.system_mail_message, "it is down too")
        health = self.health(server)
        self.assertEqual(self.connected(smtp_pass="changed"), server)
        self.assertEqual(self.health(server), health)
        self.assertEqual(health.state, "connected")
        self.assertEqual(len(self.events("reconnected")), 1)

    def test_the_owner_of_an_unstable_mailbox_reads_what_to_do(self):
        self.connected()
        self.own.fail("mail", reply="550 5.7.60 Client can't send as this sender")
        self.mention()
        self.env.invalidate_all()
        self.assertIn("unstable", self.as_ana.system_mail_message)
        self.assertIn("Allow this log-in to send from", self.as_ana.system_mail_message)

    def test_a_failed_reconnection_leaves_the_working_mailbox_alone(self):
        server = self.connected()
        dialog = self.dialog(smtp_pass="wrong")
        dialog.action_connect()
        self.assertEqual(dialog.state, "failed")
        self.as_ana.invalidate_recordset()
        self.assertEqual(self.as_ana.outgoing_mail_server_id, server)
        self.mention()
        self.assertEqual(len(self.own.accepted), 1)

    def test_the_dialog_opens_with_the_account_as_it_is(self):
        self.connected()
        action = self.as_ana.action_system_mail_reconnect()
        dialog = self.env["system.mail.connect"].with_user(self.ana)
        dialog = dialog.browse(action["params"]["dialog"]["res_id"])
        self.assertRecordValues(
            dialog,
            [
                {
                    "smtp_host": self.own.host,
                    "smtp_port": self.own.port,
                    "smtp_encryption": "none",
                    "smtp_user": ANA,
                    "keeps_password": True,
                    "clash": False,
                    "replaced_address": False,
                }
            ],
        )
        dialog.action_connect()
        self.assertEqual(dialog.state, "connected", "the password that is stored serves again")

    def test_test_says_what_is_wrong(self):
        self.connected()
        self.assertEqual(
            self.as_ana.action_test_outgoing_mail_server()["params"]["type"], "success"
        )
        self.own.logins[ANA] = "changed"
        with self.assertRaisesRegex(UserError, "password was rejected"):
            self.as_ana.action_test_outgoing_mail_server()

    def test_a_test_message_goes_to_its_owner_by_that_mailbox(self):
        dialog = self.dialog()
        dialog.action_connect()
        test = self.env["system.mail.test"].with_user(self.ana)
        test = test.browse(dialog.action_test()["res_id"])
        test.action_send()
        self.assertEqual((test.state, test.problem), ("sent", ""))
        [delivery] = self.received(ANA)
        self.assertIn(delivery, self.own.accepted)
        test.recipient = "ben@company.test"
        test.action_send()
        self.assertEqual(test.state, "failed")
        self.assertFalse(self.received("ben@company.test"))

    def test_nobody_keeps_workers_waiting_by_tests_without_end(self):
        self.connected()
        self.own.fail("banner", action="hang")
        self.startPatcher(patch.object(system_mail_attempt, "MOST", 1))
        tests = self.as_ana.action_test_outgoing_mail_server, self._send_test
        before = len(self.own.connections)
        for test in tests:
            with self.subTest(test.__name__), self.assertRaisesRegex(ValidationError, "1 times"):
                test()
        self.assertEqual(len(self.own.connections), before)

    def _send_test(self):
        as_ana = self.env["system.mail.test"].with_user(self.ana)
        as_ana.create({"user_id": self.ana.id, "recipient": ANA}).action_send()

    def test_a_test_message_that_cannot_be_sent_says_why(self):
        self.connected()
        test = self.env["system.mail.test"].with_user(self.ana).create({"user_id": self.ana.id})
        for phase, reply, said in (
            ("auth", "535 5.7.8 Rejected", "password was rejected"),
            ("banner", "421 4.3.2 Shutting down", "not available"),
            ("rcpt", "550 5.1.1 No such user", "address was refused"),
            ("dot", "554 5.7.1 Looks like spam", "for spam"),
        ):
            fault = self.own.fail(phase, reply=reply)
            test.action_send()
            self.assertEqual(test.state, "failed")
            self.assertIn(said, test.problem)
            self.own.heal(fault)
        self.own.fail("data", action="drop")
        test.action_send()
        self.assertIn("temporary problem", test.problem)
        self.own.stop()
        test.action_send()
        self.assertIn("could not be reached", test.problem)
        self.own.heal()
        test.action_send()
        self.assertEqual((test.state, test.problem), ("sent", ""))
        self.assertEqual(len(self.received(ANA)), 1)
        self.assertFalse(self.system.connections, "nothing stands in for a test")

    def test_its_owner_decides_on_what_failed_meanwhile(self):
        customer = self.env["res.partner"].create({"name": "Customer", "email": "c@else.test"})
        self.connected()
        self.own.logins[ANA] = "changed"
        messages = [self.mention(partners=customer) for _ in range(3)]
        self.env.invalidate_all()
        statuses = {m.notification_ids.notification_status for m in messages}
        self.assertEqual(statuses, {"exception"})
        other = self.mail(author=self.ben, state="exception", failure_type="mail_smtp")
        doubtful = self.mail(state="exception", failure_type="system_mail_held")
        self.assertEqual(doubtful.mail_message_id.create_uid, self.ana)
        dialog = self.dialog(smtp_pass="changed")
        dialog.action_connect()
        self.assertEqual((dialog.state, dialog.held_count), ("connected", 3))
        self.assertEqual(dialog.held_list.count("Customer"), 3)
        self.assertEqual(dialog.doubtful_count, 1)
        self.assertIn("Ben Reader", dialog.doubtful_list)
        dialog.action_send_held()
        self.assertEqual((dialog.held_count, dialog.doubtful_count), (0, 1))
        self.assertEqual(doubtful.state, "exception", "it may have been delivered")
        self.run_queue()
        self.assertEqual(len(self.received("c@else.test")), 3)
        self.assertEqual(other.state, "exception")

    def test_disconnecting_forgets_the_mailbox(self):
        server = self.connected()
        self.as_ana.action_system_mail_disconnect()
        self.assertFalse(server.exists())

    def test_nobody_connects_anothers_mailbox(self):
        dialog = self.dialog()
        as_ben = self.env["system.mail.connect"].with_user(self.ben)
        with self.assertRaises(AccessError):
            as_ben.browse(dialog.id).action_connect()
        with self.assertRaises(AccessError):
            as_ben.create({"user_id": self.ana.id, "address": ANA})
        with self.assertRaises(AccessError):
            as_ben.create({"company_id": self.company.id, "address": ANA})

    def test_a_password_is_never_read_back(self):
        dialog = self.dialog()
        self.assertNotIn("secret", str(dialog.read()))
        dialog.action_connect()
        self.assertFalse(dialog.sudo().secret)
        with self.assertRaises(AccessError):
            self.as_ana.outgoing_mail_server_id.read(["system_mail_password"])

    def test_what_odoo_refuses_is_refused(self):
        self.env["ir.config_parameter"].set_param("base_setup.default_external_email_server", False)
        self.as_ana.invalidate_recordset()
        with self.assertRaisesRegex(UserError, "switched off"):
            self.as_ana.action_setup_outgoing_mail_server("login")

    def test_a_way_to_send_that_is_none_makes_no_mailbox(self):
        before = self.events("configured")
        for unknown in ("foo", None, ["login"]):
            with self.subTest(unknown), self.assertRaisesRegex(UserError, "Choose one"):
                self.env["res.users"].with_user(self.ben).action_setup_outgoing_mail_server(unknown)
        self.assertFalse(self.env["ir.mail_server"].search([("owner_user_id", "=", self.ben.id)]))
        self.assertEqual(self.events("configured"), before)


@tagged("post_install", "-at_install")
class TestPersonalSignIn(OAuthCase):
    def test_ana_signs_in_and_sends_by_her_own_mailbox(self):
        self.own_server.unlink()
        self.own.logins.clear()
        self.system.logins["hello@company.test"] = "neutral"
        self.provider.smtp_port = self.own.port
        self.oauth.account = ANA
        self.authenticate(ANA, ANA)
        action = self.call("res.users", "action_setup_outgoing_mail_server", OAUTH)
        dialog = self.env["system.mail.connect"].browse(action["params"]["dialog"]["res_id"])
        self.assertEqual(dialog.method, str(self.provider.id))
        self.sign_in(dialog)
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        self.ana.invalidate_recordset()
        self.assertEqual(self.ana.outgoing_mail_server_type, OAUTH)
        self.mention()
        [delivery] = self.received("ben@company.test")
        self.assertIn(delivery, self.own.accepted)
        self.oauth.revoke(ANA)
        token = self.token(self.ana.outgoing_mail_server_id)
        token.expires_at = False
        message = self.mention()
        [copy] = [d for d in self.system.accepted if d.message["Message-Id"] == message.message_id]
        self.assertEqual(copy.mail_from, "hello@company.test")
        self.assertEqual(self.health(self.ana.outgoing_mail_server_id).state, "disconnected")

    def test_sign_ins_that_fail_count_as_attempts(self):
        self.startPatcher(patch.object(system_mail_attempt, "MOST", 2))
        self.authenticate(ANA, ANA)
        for tried in range(3):
            action = self.call("res.users", "action_setup_outgoing_mail_server", OAUTH)
            dialog = self.env["system.mail.connect"].browse(action["params"]["dialog"]["res_id"])
            back = self.oauth.consent(self.begin(dialog))
            dialog.sudo().oauth_verifier = "x" * 64
            self.come_back(dialog, back)
            self.assertEqual(dialog.state, "failed")
            self.assertEqual("You have tried 2 times" in dialog.problem, tried == 2)
