import os
from unittest.mock import patch

from cryptography.fernet import Fernet

from odoo.exceptions import UserError

from ..connect.oauth import Tokens
from ..tools.encrypted import MARK, VARIABLE, Unreadable
from .common import SystemMailCase


class TestSecrets(SystemMailCase):
    """The key comes from the environment, which a test may set as whoever starts the server."""

    def setUp(self):
        super().setUp()
        self.key = Fernet.generate_key().decode()
        self.use_keys()

    def use_keys(self, *keys):
        self.env.flush_all()
        self.env.invalidate_all()
        self.startPatcher(patch.dict(os.environ, {VARIABLE: " ".join(keys)}))

    def stored(self, record, name):
        """What a copy of the database tells."""
        self.env.flush_all()
        self.env.cr.execute(f'SELECT "{name}" FROM "{record._table}" WHERE id = %s', [record.id])
        return self.env.cr.fetchone()[0]

    def give_password(self, password="neutral"):
        self.system_server.write({"smtp_pass": False, "system_mail_password": password})

    def test_without_a_key_it_is_kept_as_odoo_does(self):
        self.give_password()
        self.assertEqual(self.stored(self.system_server, "system_mail_password"), "neutral")
        self.assertGreaterEqual(self.env["system.mail.secret"].clear_count(), 1)
        self.assertFalse(self.env["system.mail.secret"].has_key())

    def test_with_a_key_it_is_encrypted_and_sends(self):
        self.use_keys(self.key)
        self.give_password()
        self.assertTrue(self.stored(self.system_server, "system_mail_password").startswith(MARK))
        self.env.invalidate_all()
        self.own.stop()
        self.assert_arrives_once_by_system_mail(self.mention())

    def test_every_secret_is_encrypted(self):
        self.use_keys(self.key)
        provider = self.env["system.mail.oauth.provider"].search([], limit=1)
        provider.write({"client_id": "id", "client_secret": "hush"})
        tokens = self.env["system.mail.oauth.token"]
        tokens.store_tokens(self.own_server, Tokens("access", "refresh", None))
        token = tokens.search([("server_id", "=", self.own_server.id)])
        dialog = self.env["system.mail.connect"].create(
            {"company_id": self.company.id, "address": "hello@company.test", "smtp_pass": "typed"}
        )
        dialog.sudo().oauth_verifier = "verifier"
        for record, name in (
            (dialog, "secret"),
            (dialog, "oauth_verifier"),
            (provider, "client_secret"),
            (token, "access_token"),
            (token, "refresh_token"),
        ):
            self.assertTrue(self.stored(record, name).startswith(MARK), name)
        self.env.invalidate_all()
        self.assertEqual(provider.client_secret, "hush")
        self.assertEqual(dialog.sudo().secret, "typed")
        self.assertEqual((token.access_token, token.refresh_token), ("access", "refresh"))
        self.assertFalse(self.env["system.mail.secret"].clear_count())

    def test_a_copy_without_the_key_cannot_send(self):
        self.use_keys(self.key)
        self.give_password()
        for keys in ((), (Fernet.generate_key().decode(),), ("no key",)):
            self.use_keys(*keys)
            if keys == ("no key",):
                with self.assertLogs("odoo.addons.system_mail.tools.encrypted", "WARNING"):
                    password = self.system_server.system_mail_password
            else:
                password = self.system_server.system_mail_password
            self.assertIsInstance(password, Unreadable)
            self.assertFalse(password)
        self.use_keys()
        attempts = len(self.system.attempts)
        _failure, decision = self.system_server.system_mail_check()
        self.assertEqual(decision.rule, "no_key")
        self.assertEqual(len(self.system.attempts), attempts, "no log-in was tried")
        self.assertIn("key", self.health(self.system_server).remedy)
        self.use_keys(self.key)
        self.assertIsNone(self.system_server.system_mail_check(), "the key is back")

    def test_a_new_key_takes_over(self):
        self.use_keys(self.key)
        self.give_password()
        old = self.stored(self.system_server, "system_mail_password")
        new_key = Fernet.generate_key().decode()
        self.use_keys(new_key, self.key)
        self.assertEqual(self.system_server.system_mail_password, "neutral")
        self.env["system.mail.secret"].encrypt_all()
        self.assertNotEqual(self.stored(self.system_server, "system_mail_password"), old)
        self.use_keys(new_key)
        self.assertEqual(self.system_server.system_mail_password, "neutral")

    def test_what_was_in_the_clear_is_encrypted_when_a_key_comes(self):
        self.give_password()
        self.use_keys(self.key)
        self.assertEqual(self.system_server.system_mail_password, "neutral")
        settings = self.env["res.config.settings"].create({})
        self.assertTrue(settings.system_mail_clear_count)
        settings.action_system_mail_encrypt()
        settings.invalidate_recordset()
        self.assertFalse(settings.system_mail_clear_count)
        self.assertTrue(self.stored(self.system_server, "system_mail_password").startswith(MARK))

    def test_odoos_own_password_of_system_mail_is_taken_over(self):
        self.use_keys(self.key)
        self.company.system_mail_server_id = self.system_server
        self.assertFalse(self.stored(self.system_server, "smtp_pass"))
        self.own.stop()
        self.assert_arrives_once_by_system_mail(self.mention())

    def test_no_password_of_system_mail_is_left_in_odoos_own_column(self):
        self.use_keys(self.key)
        self.system_server.smtp_pass = "neutral"
        self.own_server.smtp_pass = "secret"
        self.assertFalse(self.stored(self.system_server, "smtp_pass"))
        self.assertEqual(self.stored(self.own_server, "smtp_pass"), "secret", "that is Odoo's own")
        self.own.stop()
        self.assert_arrives_once_by_system_mail(self.mention())

    def test_none_is_no_secret_in_the_clear(self):
        before = self.env["system.mail.secret"].clear_count()
        self.give_password("")
        self.assertEqual(self.env["system.mail.secret"].clear_count(), before)

    def test_what_is_stored_goes_to_no_other_server(self):
        """An administrator, who may not read Ana's password, has it sent to a server of theirs."""
        spy = self.smtp("spy", logins={"ana@company.test": "secret"})
        tokens = self.env["system.mail.oauth.token"]
        administrator = self._user(
            "Otto", "otto@company.test", group_ids=[(6, 0, self.env.ref("base.group_system").ids)]
        )
        for moved in (
            {"smtp_host": "localhost"},
            {"smtp_port": spy.port},
            {"smtp_encryption": "starttls"},
        ):
            self.own_server.write({"smtp_pass": False, "system_mail_password": "secret"})
            tokens.store_tokens(self.own_server, Tokens("access", "refresh", None))
            self.own_server.with_user(administrator).write(moved)
            self.assertFalse(self.own_server.system_mail_password, moved)
            self.assertFalse(tokens.search([("server_id", "=", self.own_server.id)]), moved)
        self.own_server.smtp_encryption = "none"
        self.own_server.system_mail_check()
        self.assertNotIn("secret", str(spy.attempts))

    def test_what_is_stored_stays_where_nothing_moves(self):
        self.give_password()
        self.system_server.write(
            {"smtp_host": self.system.host, "smtp_port": self.system.port, "name": "Other"}
        )
        self.assertEqual(self.system_server.system_mail_password, "neutral")
        self.system_server.write({"smtp_host": "localhost", "system_mail_password": "new"})
        self.assertEqual(self.system_server.system_mail_password, "new")

    def test_a_key_that_is_none_saves_nothing(self):
        self.use_keys("no key")
        with self.assertRaisesRegex(UserError, "nothing was saved"):
            self.give_password("new")
            self.env.flush_all()

    def test_what_the_newest_key_encrypted_is_left_alone(self):
        self.use_keys(self.key)
        self.give_password()
        before = self.stored(self.system_server, "system_mail_password")
        self.env["system.mail.secret"].encrypt_all()
        self.assertEqual(self.stored(self.system_server, "system_mail_password"), before)
