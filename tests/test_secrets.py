import base64
import contextlib
import datetime
import os
from unittest.mock import patch

import psycopg2
from cryptography.fernet import Fernet
from lxml import etree
from requests_oauthlib import OAuth2Session

from odoo.exceptions import AccessError, UserError
from odoo.service.model import call_kw
from odoo.tools import SQL
from odoo.tools.profiler import Profiler

from ..connect.oauth import Client, Tokens, refresh
from ..constants import GROUP, MASK, OAUTH
from ..tools.encrypted import MARK, VARIABLE, Unreadable, in_clear
from ..tools.log_filter import SECRET_COLUMNS
from .common import SystemMailCase
from .oauth_lab import OAuthLab
from .smtp_lab import Liar


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

    def password(self):
        return in_clear(self.system_server, "system_mail_password")

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
        self.assertEqual(in_clear(provider, "client_secret"), "hush")
        self.assertEqual(in_clear(dialog.sudo(), "secret"), "typed")
        self.assertEqual(in_clear(token, "access_token"), "access")
        self.assertEqual(in_clear(token, "refresh_token"), "refresh")
        self.assertFalse(self.env["system.mail.secret"].clear_count())

    def test_whatever_reads_a_secret_as_superuser_gets_a_mask(self):
        """A PDF quote, a template or an export reads any path of fields that people choose."""
        provider = self.env["system.mail.oauth.provider"].search([], limit=1)
        tokens = self.env["system.mail.oauth.token"]
        tokens.store_tokens(self.own_server, Tokens("canary", "canary", None))
        dialog = self.env["system.mail.connect"].create({"company_id": self.company.id})
        hook = self.env["system.mail.webhook"].create(
            {"name": "Hook", "url_input": "https://hook.test/canary"}
        )
        records = (self.own_server, provider, dialog, hook, tokens._of(self.own_server))
        holders = {record._name: record for record in records}
        for key in ("", self.key):
            self.use_keys(key)
            for model, field in self.env["system.mail.secret"]._encrypted_fields():
                record, name = holders[model._name], field.name
                with self.subTest(str(field), encrypted=bool(key)):
                    record.write({name: "canary"})
                    self.env.flush_all()
                    self.env.invalidate_all()
                    self.assert_masked(record, name)
                    self.assertEqual(in_clear(record, name), "canary")

    def assert_masked(self, record, name):
        self.assertEqual(record[name], MASK)
        self.assertEqual(getattr(record, name), MASK)
        self.assertEqual(record.read([name])[0][name], MASK)
        self.assertEqual(record.mapped(name), [MASK])
        self.assertEqual(record.export_data([name])["datas"], [[MASK]])
        self.assertNotIn("canary", str(record.copy_data() + record.web_read({name: {}})))
        self.assertEqual(record.new(origin=record)[name], MASK)
        self.assertEqual(in_clear(record.new(origin=record), name), "canary")
        self.assertEqual(record.filtered_domain([(name, "like", "canary")]), record.browse())
        page = f'<p><t t-out="record.{name}"/> <b t-field="record.{name}"/></p>'
        shown = self.env["ir.qweb"]._render(etree.fromstring(page), {"record": record})
        self.assertEqual(shown.count(MASK), 2)
        self.assertNotIn("canary", shown)
        mail = self.env["mail.render.mixin"]._render_template(
            f"{{{{ object.{name} }}}}", record._name, record.ids
        )
        self.assertEqual(mail, {record.id: MASK})

    def test_nobody_guesses_a_secret_by_what_is_found(self):
        """As by the domain of a mailing, or of a rule, that Odoo evaluates as superuser."""
        for model, field in self.env["system.mail.secret"]._encrypted_fields():
            name = field.name
            for operator, value in (("=", "c"), ("=like", "c%"), ("in", ["c", False]), (">", "b")):
                asked = [(name, operator, value)]
                with self.subTest(str(field), operator=operator), self.assertRaises(AccessError):
                    model.search(asked)
            model.search([(name, "!=", False)])
            for refused in (
                lambda model=model, name=name: model.search([], order=f"{name} desc"),
                lambda model=model, name=name: model._read_group([], [name]),
                lambda model=model, name=name: model._read_group([], [], [f"{name}:max"]),
            ):
                with self.subTest(str(field)), self.assertRaises(AccessError):
                    refused()
        companies, path = self.env["res.company"], "system_mail_server_id.system_mail_password"
        with self.assertRaises(AccessError):
            companies.search([(path, "=like", "c%")])
        with self.assertRaises(AccessError):
            companies._read_group([], [path])

    def test_a_mask_takes_no_secret_away(self):
        self.give_password()
        copied = self.system_server.read(["system_mail_password"])[0]["system_mail_password"]
        for given in (copied, self.system_server.system_mail_password):
            with self.assertRaisesRegex(ValueError, "mask"):
                self.system_server.system_mail_password = given
            with self.assertRaisesRegex(ValueError, "mask"):
                self.system_server.create(
                    {"name": "N", "smtp_host": "h", "system_mail_password": given}
                )
        self.env.invalidate_all()
        self.assertEqual(self.password(), "neutral")

    def test_where_there_is_none_it_is_read_as_none(self):
        self.give_password(False)
        self.assertIs(self.system_server.system_mail_password, False)
        self.assertIs(self.password(), False)
        self.assertIs(in_clear(self.system_server.browse(), "system_mail_password"), False)

    def test_a_copy_without_the_key_cannot_send(self):
        self.use_keys(self.key)
        self.give_password()
        for keys in ((), (Fernet.generate_key().decode(),), ("no key",)):
            self.use_keys(*keys)
            if keys == ("no key",):
                with self.assertLogs("odoo.addons.system_mail.tools.encrypted", "WARNING"):
                    password = self.password()
            else:
                password = self.password()
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
        self.assertEqual(self.password(), "neutral")
        self.env["system.mail.secret"].encrypt_all()
        self.assertNotEqual(self.stored(self.system_server, "system_mail_password"), old)
        self.use_keys(new_key)
        self.assertEqual(self.password(), "neutral")

    def test_what_was_in_the_clear_is_encrypted_when_a_key_comes(self):
        self.give_password()
        self.use_keys(self.key)
        self.assertEqual(self.password(), "neutral")
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
        administrator = self.administrator()
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

    def test_an_administrator_who_gives_a_mailbox_to_somebody_gives_no_secret_with_it(self):
        """Nor one who has it log in as, or send for, somebody else."""
        otto = self.administrator()
        for change in (
            {"owner_user_id": otto.id},
            {"owner_user_id": False},
            {"from_filter": otto.email},
            {"smtp_user": otto.email},
            {"system_mail_login": "otto"},
        ):
            with self.subTest(change), self.env.cr.savepoint() as savepoint:
                self.own_server.write(self.all_secrets())
                tokens = self.env["system.mail.oauth.token"]
                tokens.store_tokens(self.own_server, Tokens("access", "refresh", None))
                self.own_server.with_user(otto).write(change)
                self.assertFalse(any(self.own_server.sudo()[n] for n in self.all_secrets()))
                self.assertFalse(tokens.search([("server_id", "=", self.own_server.id)]))
                savepoint.rollback()

    def test_what_odoo_keeps_of_a_shared_mailbox_is_odoos(self):
        shared = self.mailbox(self.own, "sales@company.test", "other")
        shared.with_user(self.administrator()).write({"smtp_port": 26, "smtp_user": "sales"})
        self.assertEqual(shared.smtp_pass, "other")

    def test_a_new_secret_is_kept_with_the_new_account(self):
        self.own_server.with_user(self.administrator()).write(
            {"smtp_user": "ana.new", "smtp_pass": "new"}
        )
        self.assertEqual(self.own_server.smtp_pass, "new")

    def test_super_users_owners_and_code_keep_the_secrets(self):
        chief = self._user("Sue", "sue@company.test", group_ids=self.env.ref(GROUP).ids)
        self.ana.group_ids += self.env.ref("base.group_system")
        otto = self.administrator()
        for server in (
            self.own_server.with_user(chief),
            self.own_server.with_user(self.ana),
            self.own_server.with_user(otto).sudo(),
        ):
            with self.subTest(server.env.user.name), self.env.cr.savepoint() as savepoint:
                self.own_server.write(self.all_secrets())
                server.write({"smtp_port": 26, "smtp_user": "new", "owner_user_id": self.ben.id})
                self.assertTrue(all(self.own_server.sudo()[n] for n in self.all_secrets()))
                savepoint.rollback()

    def administrator(self):
        return self._user(
            "Otto", "otto@company.test", group_ids=[(6, 0, self.env.ref("base.group_system").ids)]
        )

    def all_secrets(self):
        return {
            "smtp_pass": "secret",
            "system_mail_password": "secret",
            "google_gmail_refresh_token": "secret",
            "google_gmail_access_token": "secret",
            "microsoft_outlook_refresh_token": "secret",
            "microsoft_outlook_access_token": "secret",
            "smtp_ssl_certificate": "c2VjcmV0",
            "smtp_ssl_private_key": "c2VjcmV0",
        }

    def test_what_is_stored_stays_where_nothing_moves(self):
        self.give_password()
        self.system_server.write(
            {"smtp_host": self.system.host, "smtp_port": self.system.port, "name": "Other"}
        )
        self.assertEqual(self.password(), "neutral")
        self.system_server.write({"smtp_host": "localhost", "system_mail_password": "new"})
        self.assertEqual(self.password(), "new")

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


class TestLogs(SystemMailCase):
    """What is written to the log where it tells everything."""

    SECRET = "it's \\ hush"

    def logged(self, level="DEBUG"):
        return self.enterContext(self.assertLogs("odoo.sql_db", level)).output

    def test_every_secret_of_ours_is_known(self):
        fields = self.env["system.mail.secret"]._encrypted_fields()
        ours = {(model._table, field.name) for model, field in fields}
        known = {(table, column) for table in SECRET_COLUMNS for column in SECRET_COLUMNS[table]}
        self.assertEqual(known - ours, {("ir_mail_server", "smtp_pass")})
        self.assertLessEqual(ours, known)

    def test_a_statement_that_writes_a_secret_is_told_without_it(self):
        provider = self.env["system.mail.oauth.provider"].search([], limit=1)
        told = self.logged()
        self.env["system.mail.oauth.token"].store_tokens(
            self.own_server, Tokens(self.SECRET, self.SECRET, None)
        )
        provider.client_secret = self.SECRET
        self.system_server.write({"smtp_pass": self.SECRET, "system_mail_password": self.SECRET})
        self.env.flush_all()
        for table in ("system_mail_oauth_token", "system_mail_oauth_provider", "ir_mail_server"):
            self.assertTrue([line for line in told if table in line and "'***'" in line], table)
        self.assertNotIn("hush", "".join(told))

    def test_a_profile_has_statements_without_it(self):
        """Administrators read the profiles of everybody."""
        self.system_server.flush_recordset()
        with Profiler(db=None, collectors=["sql"]) as profiler:
            self.system_server.system_mail_password = self.SECRET
            self.system_server.name = "Told"
            self.env.flush_all()
        [collector] = profiler.collectors
        told = [entry["full_query"] for entry in collector.entries]
        self.assertTrue([line for line in told if "ir_mail_server" in line and "'***'" in line])
        self.assertNotIn("hush", str(collector.entries))
        self.assertIn("hello@company.test", str(told), "other statements are as they were")

    def test_a_statement_that_fails_is_told_without_the_secret(self):
        told = self.logged("ERROR")
        for table, column in (
            ("system_mail_oauth_token", "access_token"),
            ("ir_mail_server", "smtp_pass"),
        ):
            with self.assertRaises(psycopg2.Error), self.env.cr.savepoint():
                self.env.cr.execute(
                    SQL(
                        "INSERT INTO %s (%s) VALUES (%s)",
                        SQL.identifier(table),
                        SQL.identifier(column),
                        self.SECRET,
                    )
                )
        for line in told:
            self.assertIn("bad query", line)
            self.assertIn("violates not-null constraint", line)
            self.assertNotIn("hush", line)
        self.assertEqual(len(told), 2)

    def test_what_another_module_writes_is_told_as_it_is(self):
        """Also where its columns have the names of ours, or its values look like a statement."""
        told = self.logged()
        cr = self.env.cr
        cr.execute("CREATE TEMP TABLE shop (access_token text NOT NULL, secret text)")
        looks = 'UPDATE "ir_mail_server" SET "smtp_pass" = '
        cr.execute('INSERT INTO "shop" ("access_token", "secret") VALUES (%s, %s)', ["one", looks])
        cr.execute("UPDATE ir_mail_server SET sequence = 10 WHERE name = 'two'")
        cr.execute("SELECT 'three' AS smtp_pass FROM ir_mail_server LIMIT 1")
        with self.assertRaises(psycopg2.Error), cr.savepoint():
            cr.execute("""INSERT INTO "shop" ("secret") VALUES ('four')""")
        for value in ("'one'", "'two'", "'three'", "'four'", "Failing row contains (null, four)"):
            self.assertTrue([line for line in told if value in line], value)

    def test_of_a_sign_in_no_secret_is_told_but_others_lines_stay(self):
        self.startPatcher(patch.dict(os.environ, OAUTHLIB_INSECURE_TRANSPORT="1"))
        lab = self.enterContext(OAuthLab())
        ours = Client(lab.client_id, lab.client_secret, lab.token_endpoint)
        old = lab.issue()
        with self.assertLogs("requests_oauthlib.oauth2_session", "DEBUG") as log:
            new = refresh(ours, old["refresh_token"])
        said = "".join(log.output)
        self.assertIn("Prepared refresh token request body", said)
        for secret in (lab.client_secret, *old.values(), new.access_token, new.refresh_token):
            self.assertNotIn(str(secret), said)
        with self.assertLogs("requests_oauthlib.oauth2_session", "DEBUG") as log:
            OAuth2Session(lab.client_id).refresh_token(
                lab.token_endpoint,
                refresh_token=new.refresh_token,
                client_id=lab.client_id,
                client_secret=lab.client_secret,
            )
        self.assertIn(new.refresh_token, "".join(log.output))


class TestDebugLines(SystemMailCase):
    """What Odoo logs where somebody looks for a fault: calls with what was typed, and what was said
    to a mailbox.
    """

    SECRET = "it's \\ hüsh-hush"

    def lines(self, *loggers):
        return [
            line
            for logger in loggers
            for line in self.enterContext(self.assertLogs(logger, "DEBUG")).output
        ]

    def test_what_is_typed_into_a_form_is_not_told(self):
        provider = self.env["system.mail.oauth.provider"].search([], limit=1)
        dialog = {"company_id": self.company.id, "address": "hello@company.test"}
        typed = {**dialog, "smtp_pass": self.SECRET}
        specification = {"address": {}, "smtp_pass": {}}
        server = {"smtp_host": "smtp.company.test", "name": "N"}
        calls = (
            ("system.mail.connect", "create", [typed]),
            ("system.mail.connect", "create", [[typed]]),
            ("system.mail.connect", "web_save", [[], typed, specification]),
            ("system.mail.connect", "onchange", [[], typed, ["smtp_pass"], specification]),
            (
                "system.mail.oauth.provider",
                "write",
                [provider.ids, {"client_secret_input": self.SECRET}],
            ),
            ("ir.mail_server", "create", [{**server, "smtp_pass": self.SECRET}]),
            (
                "ir.mail_server",
                "load",
                [["name", "smtp_host", "smtp_pass"], [["N", "h", self.SECRET]]],
            ),
            ("ir.mail_server", "search", [[("smtp_pass", "=", self.SECRET)]]),
        )
        for model, method, args in calls:
            with self.subTest(model, method=method):
                with self.assertLogs("odoo.service.model", "DEBUG") as log:
                    call_kw(self.env[model], method, args, {})
                self.assertIn(f"call {model}", log.output[0])
                self.assertIn("***", log.output[0])
                self.assertNotIn("hush", log.output[0])

    def test_other_calls_are_told_as_they_are(self):
        with self.assertLogs("odoo.service.model", "DEBUG") as log:
            call_kw(self.env["ir.mail_server"], "search", [[("name", "=", "one")]], {})
            call_kw(self.env["res.partner"], "search", [[("name", "=", "smtp_pass")]], {})
        self.assertIn("'one'", log.output[0])
        self.assertIn("'smtp_pass'", log.output[1])

    def said(self, server):
        """The log of a test of a mailbox, whatever comes of it."""
        server.smtp_debug = True
        with (
            self.assertLogs("odoo.addons.base.models.ir_mail_server", "DEBUG") as log,
            contextlib.suppress(UserError),
        ):
            server.test_smtp_connection()
        return "\n".join(log.output)

    def assert_untold(self, password, said):
        plain = base64.b64encode(f"\0hello@company.test\0{password}".encode()).decode()
        for secret in ("hush", base64.b64encode(password.encode()).decode(), plain):
            self.assertNotIn(secret, said)

    def test_what_a_mailbox_logs_in_with_is_not_told(self):
        password = "it's hush-hush"
        self.system.logins["hello@company.test"] = password
        for kept in (
            {"smtp_pass": password},
            {"smtp_pass": False, "system_mail_password": password},
        ):
            self.system_server.write(kept)
            said = self.said(self.system_server)
            self.assertIn("AUTH PLAIN ***", said)
            self.assertIn("mail FROM:<hello@company.test>", said)
            self.assert_untold(password, said)

    def test_nor_what_it_says_in_answer_to_a_challenge(self):
        offers = b"250-here\r\n250 AUTH LOGIN\r\n"
        with Liar({"ehlo": [offers], "auth": [b"334 UGFzc3dvcmQ6\r\n"]}) as liar:
            said = self.said(self.mailbox(liar, "hello@company.test", "hush-hush"))
        self.assertIn("AUTH LOGIN ***", said)
        self.assertIn("334", said)
        self.assert_untold("hush-hush", said)

    def test_nor_the_token_of_a_sign_in(self):
        self.system.tokens["hello@company.test"] = "hush-token"
        self.env["system.mail.oauth.token"].store_tokens(
            self.system_server, Tokens("hush-token", "refresh", datetime.datetime(2099, 1, 1))
        )
        provider = self.env.ref("system_mail.oauth_provider_google")
        self.system_server.write(
            {"smtp_authentication": OAUTH, "system_mail_provider_id": provider.id}
        )
        said = self.said(self.system_server)
        self.assertIn("AUTH XOAUTH2 ***", said)
        self.assertIn("mail FROM:<hello@company.test>", said)
        self.assertNotIn("hush", said)

    def test_a_server_that_repeats_it_later_does_not_bring_it_into_the_log(self):
        with Liar({"auth": [b"235 Welcome\r\n"], "mail": [b"550 I heard hush-hush\r\n"]}) as liar:
            said = self.said(self.mailbox(liar, "hello@company.test", "hush-hush"))
        self.assertIn("I heard ***", said)
        self.assert_untold("hush-hush", said)

    def test_where_nobody_looks_it_costs_nothing(self):
        self.assertFalse(self.system_server.smtp_debug)
        connection = self.env["ir.mail_server"]._connect__(
            mail_server_id=self.own_server.id, smtp_from="ana@company.test"
        )
        self.assertNotIn("_print_debug", vars(connection))
        connection.quit()
