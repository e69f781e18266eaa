from odoo.tests import JsonRpcException, tagged
from odoo.tools import SQL, mute_logger

from ..hooks import uninstall_hook
from ..models.monitor.system_mail_monitoring import TOKEN_PARAMETER
from .browser_case import BrowserCase
from .common import SystemMailCase

HEALTH, METRICS = "/system_mail/health", "/system_mail/metrics"


class MonitoringCase(BrowserCase, SystemMailCase):
    """What tests of monitoring share."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.monitoring = cls.env["system.mail.monitoring"]

    def get(self, path, token=None, **headers):
        """Ask as a monitoring system does: without a session."""
        self.env.flush_all()
        self.opener.cookies.clear()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return self.url_open(path, headers=headers)


@tagged("post_install", "-at_install")
class TestMonitoring(MonitoringCase):
    """Who gets the figures, and who may switch that on."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.otto = cls._user(
            "Otto Outsider",
            "otto@company.test",
            password="otto's own",
            group_ids=[(6, 0, cls.env.ref("base.group_system").ids)],
        )

    # --- the token

    def test_off_there_is_nothing_there(self):
        unknown = self.get("/system_mail/nothing", "x" * 43)
        for path in (HEALTH, METRICS):
            for token in (None, "x" * 43):
                with self.assertNoLogs("odoo", "WARNING"):
                    answer = self.get(path, token)
                self.assertEqual(answer.status_code, unknown.status_code)
                self.assertEqual(answer.status_code, 404)
                self.assertNotIn("WWW-Authenticate", answer.headers)
                self.assertNotIn("token", answer.text)

    def test_a_missing_or_wrong_token_reads_nothing(self):
        token = self.monitoring.new_token()
        wrong = {
            "none": {},
            "blank": {"Authorization": "Bearer "},
            "wrong": {"Authorization": f"Bearer {token[:-1]}"},
            "another scheme": {"Authorization": f"Basic {token}"},
            "no scheme": {"Authorization": token},
            "not ASCII": {"Authorization": "Bearer é".encode()},
            "its hash": {
                "Authorization": "Bearer "
                + self.env["ir.config_parameter"].get_param(TOKEN_PARAMETER)
            },
        }
        for path in (HEALTH, METRICS):
            for case, headers in wrong.items():
                with self.subTest(path=path, case=case):
                    answer = self.get(path, **headers)
                    self.assertEqual(answer.status_code, 401)
                    self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
                    self.assertNotIn("connected", answer.text)
            with self.assertNoLogs("odoo", "WARNING"):
                self.assertEqual(self.get(f"{path}?token={token}").status_code, 401)

    def test_the_token_reads_without_a_session(self):
        token = self.monitoring.new_token()
        for path, kind in (
            (HEALTH, "application/json; charset=utf-8"),
            (METRICS, "text/plain; version=0.0.4; charset=utf-8"),
        ):
            answer = self.get(path, token)
            self.assertEqual(answer.status_code, 200)
            self.assertEqual(answer.headers["Content-Type"], kind)
            self.assertEqual(answer.headers["Cache-Control"], "no-store")
            self.assertNotIn("Set-Cookie", answer.headers)
        lower = self.get(HEALTH, Authorization=f"bearer {token}")
        self.assertEqual(lower.status_code, 200, "RFC 9110 11.1: a scheme has no case")

    def test_another_database_is_named_by_a_header(self):
        token = self.monitoring.new_token()
        named = {"X-Odoo-Database": self.env.cr.dbname}
        self.assertEqual(self.get(HEALTH, token, **named).status_code, 200)
        self.assertEqual(
            self.get(HEALTH, token, **{"X-Odoo-Database": "not_here"}).status_code, 404
        )

    def test_a_replaced_token_is_worth_nothing(self):
        first, second = self.monitoring.new_token(), self.monitoring.new_token()
        self.assertEqual(self.get(HEALTH, first).status_code, 401)
        self.assertEqual(self.get(HEALTH, second).status_code, 200)
        self.monitoring.switch_off()
        self.assertEqual(self.get(HEALTH, second).status_code, 404)
        changes = self.events("configured").mapped("reason")[-3:]
        self.assertEqual(
            changes, ["Monitoring: off → on", "Monitoring: new token", "Monitoring: on → off"]
        )
        self.assertEqual(self.events("configured")[-1].user_id, self.env.user)

    def test_the_token_is_in_no_log_and_not_in_the_database(self):
        with self.assertLogs("odoo", "DEBUG") as odoo, self.assertLogs("werkzeug", "DEBUG") as http:
            action = (
                self.env["res.config.settings"].create({}).action_system_mail_monitoring_token()
            )
            token = action["context"]["default_token"]
            dialog = self.env[action["res_model"]].with_context(**action["context"])
            shown = dialog.onchange({}, [], {"token": {}, "metrics_address": {}})["value"]
            self.get(HEALTH, token)
            self.get(METRICS, token)
        self.assertEqual(shown["token"], token)
        self.assertTrue(shown["metrics_address"].endswith(METRICS))
        log = "\n".join(odoo.output + http.output)
        self.assertIn("INSERT INTO", log, "the log is a talkative one")
        self.assertIn(METRICS, log)
        self.assertNotIn(token, log)
        for [table] in self.env.execute_query(
            SQL("SELECT tablename FROM pg_tables WHERE schemaname = current_schema")
        ):
            found = SQL(
                "SELECT count(*) FROM %s row WHERE row::text LIKE %s",
                SQL.identifier(table),
                f"%{token}%",
            )
            self.assertEqual(self.env.execute_query(found), [(0,)], table)

    def test_it_is_off_after_uninstalling(self):
        self.monitoring.new_token()
        uninstall_hook(self.env)
        self.assertFalse(self.monitoring.is_on())

    # --- who may

    def test_only_super_users_switch_it(self):
        settings = self.env["res.config.settings"]
        self.authenticate(self.otto.login, "otto's own")
        theirs = settings.with_user(self.otto).create({})
        for method in ("action_system_mail_monitoring_token", "action_system_mail_monitoring_off"):
            self.monitoring.new_token()
            token_hash = self.monitoring._token_hash()
            self.assert_refused("res.config.settings", method, theirs.ids)
            self.assertEqual(self.monitoring._token_hash(), token_hash)
        self.assert_refused("res.config.settings", "read", theirs.ids, ["system_mail_monitoring"])
        self.assert_refused("system.mail.monitoring", "new_token")
        self.assert_refused(
            "system.mail.monitoring.token", "onchange", [], {}, [], {"token": {}, "id": {}}
        )

    def test_only_super_users_write_the_parameters_of_system_mail(self):
        model, key = "ir.config_parameter", TOKEN_PARAMETER
        forged = {"key": key, "value": self.monitoring._hash("otto's")}
        parameters = self.env[model]
        other = parameters.create({"key": "another.one", "value": forged["value"]})
        self.authenticate(self.otto.login, "otto's own")
        self.assert_refused(model, "create", [forged])
        self.assert_refused(model, "set_param", key, forged["value"])
        self.assert_refused(model, "write", other.ids, {"key": key})
        self.monitoring.new_token()
        ours = parameters.search([("key", "=", key)])
        self.assert_refused(model, "write", ours.ids, {"value": forged["value"]})
        self.assert_refused(model, "write", ours.ids, {"key": "another.two"})
        self.assert_refused(model, "unlink", ours.ids)
        self.assert_refused(model, "set_param", key, False)
        self.assertTrue(self.call(model, "write", other.ids, {"value": "theirs to write"}))
        self.assertTrue(parameters.with_user(self.env.ref("base.user_admin")).set_param(key, "x"))

    def test_a_super_user_switches_it_on_and_off_in_a_browser(self):
        admin = self.env.ref("base.user_admin")
        self.start_tour("/odoo/settings", "system_mail_monitoring", login=admin.login)
        self.env.invalidate_all()
        changes = self.events("configured")[-3:]
        self.assertEqual(changes.user_id, admin)
        self.assertFalse(self.monitoring.is_on())

    def call(self, model, method, *args):
        return self.make_jsonrpc_request(
            f"/web/dataset/call_kw/{model}/{method}",
            {"model": model, "method": method, "args": args, "kwargs": {}},
        )

    def assert_refused(self, *call):
        self.env.flush_all()
        with (
            self.subTest(call=call),
            self.assertRaises(JsonRpcException) as refusal,
            mute_logger("odoo.http"),
            self.env.cr.savepoint(),
        ):
            self.call(*call)
        self.assertIn("AccessError", str(refusal.exception))
        self.env.invalidate_all()
        self.env.registry.clear_all_caches()
