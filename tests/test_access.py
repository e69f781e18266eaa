import contextlib

from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import HttpCase, JsonRpcException, tagged

from ..constants import GROUP
from . import tables
from .common import SystemMailCase

ROLES = ("super user", "administrator", "employee", "portal", "public")
SUPER_USER, NOBODY = {"super user"}, set()
SETTINGS = {
    "system_mail_address": "other@company.test",
    "system_mail_server_id": False,
    "system_mail_scope": "all",
    "system_mail_limit_minute": 5,
    "system_mail_limit_day": 5,
    "system_mail_limit_user_hour": 5,
}
STATES = (
    "system_mail_state",
    "system_mail_reason",
    "system_mail_message",
    "system_mail_finding_ids",
    "system_mail_domain_status",
    "system_mail_domain_checked_at",
)
WRITTEN_BY_SUPER_USERS = ("system.mail.backup", "system.mail.oauth.provider")
REFUSALS = ("odoo.exceptions.AccessError", "odoo.http.SessionExpiredException")
"""How Odoo says no: to a user, and to a visitor."""
TELLTALE = [
    ("system_mail_address", "=like", "h%"),
    ("system_mail_server_id.smtp_pass", "=like", "n%"),
]
"""Domains that would tell the start of what they may not read."""


class Undo(Exception):
    """Roll back what an allowed action did."""


class AccessCase(HttpCase, SystemMailCase):
    """People of each role, and one record of each kind that is not for all of them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        export = cls.env.ref("base.group_allow_export")
        groups = {
            "super user": GROUP,
            "administrator": "base.group_system",
            "employee": "base.group_user",
            "portal": "base.group_portal",
        }
        cls.people = {
            role: cls._user(
                role.title(),
                f"{role.replace(' ', '.')}@company.test",
                password=f"the {role}'s own",
                # without the right to export, an export is refused whatever it asks for
                group_ids=[Command.set((cls.env.ref(group) + export).ids)],
            )
            for role, group in groups.items()
        }

    def setUp(self):
        super().setUp()
        self.system.logins["hello@company.test"] = "neutral"
        self.env["system.mail.health"]._connected(self.system_server)
        self.server_health = self.env["system.mail.server.health"].create({"key": "a:25:none"})
        self.system_health = self.health(self.system_server)
        self.env.flush_all()
        self.connection = self.env["system.mail.connection"].search(
            [("server_id", "=", self.system_server.id)]
        )
        self.event = self.env["system.mail.event"].create(
            {"kind": "test", "company_id": self.company.id, "reason": "Made by hand"}
        )
        self.backup = self.env["system.mail.backup"].create(
            {"company_id": self.company.id, "address": "second@company.test"}
        )
        self.usage = self.env["system.mail.usage"].create(
            {"company_id": self.company.id, "minute": "2026-01-01", "recipient_count": 1}
        )
        self.outage = self.env["system.mail.outage"].create(
            {"company_id": self.company.id, "started_at": "2026-01-01"}
        )
        self.alert = self.env["system.mail.alert"].create({"key": "told", "told_at": "2026-01-01"})
        self.finding = self.env["system.mail.domain.finding"].create(
            {"company_id": self.company.id, "kind": "spf", "status": "bad"}
        )
        self.token = self.env["system.mail.oauth.token"].create(
            {"server_id": self.system_server.id, "access_token": "a", "refresh_token": "r"}
        )
        self.provider = self.env["system.mail.oauth.provider"].search([], limit=1)
        self.provider.client_secret_input = "provider's secret"

    def call(self, model, method, *args, **kwargs):
        """Over RPC, as the user who is logged in."""
        return self.make_jsonrpc_request(
            f"/web/dataset/call_kw/{model}/{method}",
            {"model": model, "method": method, "args": args, "kwargs": kwargs},
        )

    def log_in(self, role):
        if role == "public":
            return self.authenticate(None, None)
        return self.authenticate(self.people[role].login, f"the {role}'s own")

    def is_allowed(self, *call, **kwargs):
        """Whether the call does or finds something. Any error but a refusal is a broken test."""
        try:
            return bool(self.call(*call, **kwargs))
        except JsonRpcException as exc:
            self.assertIn(str(exc), REFUSALS, call)
            return False


@tagged("post_install", "-at_install")
class TestAccess(AccessCase):
    """Each role tries each action as a browser would. What is not refused, or finds something,
    counts as done.
    """

    def can(self, *call, **kwargs):
        """Whether whoever is logged in can; what was done is taken back."""
        done = False
        with contextlib.suppress(Undo), self.env.cr.savepoint():
            done = self.is_allowed(*call, **kwargs)
            raise Undo
        self.env.invalidate_all()
        self.env.registry.clear_cache()
        return done

    def assert_access(self, actions):
        """``{title: (roles that can, (model, method, *args))}``, each tried by each role."""
        outcomes = {title: set() for title in actions}
        with self.assertLogs("odoo.http", "WARNING"):  # a refusal is logged as one
            for role in ROLES:
                self.log_in(role)
                for title, (_roles, call) in actions.items():
                    if self.can(*call):
                        outcomes[title].add(role)
                    told = "yes" if role in outcomes[title] else "-"
                    tables.put("Who can do what over RPC", title, role, told)
        self.assertEqual(outcomes, {title: roles for title, (roles, _call) in actions.items()})

    def each(self, model, method, values, roles, *ids):
        """One action for each field."""
        return {
            f"{method} {model}.{name}": (roles, (model, method, *ids, value))
            for name, value in values.items()
        }

    def test_the_settings_of_a_company(self):
        ids = [self.company.id]
        self.assert_access(
            {
                **self.each(
                    "res.company",
                    "read",
                    {name: [name] for name in (*SETTINGS, *STATES)},
                    SUPER_USER,
                    ids,
                ),
                **self.each(
                    "res.company",
                    "write",
                    {name: {name: value} for name, value in SETTINGS.items()},
                    SUPER_USER,
                    ids,
                ),
            }
        )

    def test_the_settings_page(self):
        self.assert_access(
            {
                **self.each(
                    "res.config.settings",
                    "create",
                    {name: {name: value} for name, value in SETTINGS.items()},
                    SUPER_USER,
                ),
                **self.each(
                    "res.config.settings",
                    "onchange",
                    {name: {name: {}} for name in (*SETTINGS, *STATES)},
                    SUPER_USER,
                    [],
                    {},
                    [],
                ),
            }
        )

    def test_the_actions(self):
        ids = [self.company.id]
        wizards = {"company_id": self.company.id, "address": "hello@company.test"}
        row = self.connection.id
        self.assert_access(
            {
                **{
                    f"res.company {name}": (SUPER_USER, ("res.company", name, ids))
                    for name in (
                        "action_system_mail_connect",
                        "action_system_mail_connect_backup",
                        "action_system_mail_test",
                        "action_system_mail_drill",
                        "action_system_mail_check_domain",
                        "action_system_mail_disconnect",
                    )
                },
                "the connect dialog of System Mail": (
                    SUPER_USER,
                    ("system.mail.connect", "create", wizards),
                ),
                **{
                    f"system.mail.backup {name}": (
                        SUPER_USER,
                        ("system.mail.backup", name, self.backup.ids),
                    )
                    for name in (
                        "action_connect",
                        "action_test",
                        "action_drill",
                        "action_move_up",
                        "action_remove",
                    )
                },
                "the connect dialog of a further mailbox": (
                    SUPER_USER,
                    ("system.mail.connect", "create", {**wizards, "backup_id": self.backup.id}),
                ),
                "the dialog that tries the fallback": (
                    SUPER_USER,
                    ("system.mail.drill", "create", {"company_id": self.company.id}),
                ),
                "Test in Connections": (
                    SUPER_USER,
                    ("system.mail.connection", "action_test", [row]),
                ),
                "Reconnect in Connections": (
                    SUPER_USER,
                    ("system.mail.connection", "action_connect", [row]),
                ),
                "Test Connection of the System Mail server": (
                    SUPER_USER,
                    ("ir.mail_server", "test_smtp_connection", self.system_server.ids),
                ),
            }
        )

    def test_the_system_mail_server(self):
        shared = self.mailbox(self.own, "sales@company.test", "x")
        ids, model = self.system_server.ids, "ir.mail_server"
        copied = {"name": "Copy", "smtp_host": "h", "system_mail_password": "x"}
        self.assert_access(
            {
                "read the System Mail server": (SUPER_USER, (model, "read", ids, ["smtp_user"])),
                "read its smtp_pass": (SUPER_USER, (model, "read", ids, ["smtp_pass"])),
                "read its system_mail_password": (
                    NOBODY,
                    (model, "read", ids, ["system_mail_password"]),
                ),
                "search it": (SUPER_USER, (model, "search", [("id", "in", ids)])),
                "search it, archived or not": (
                    SUPER_USER,
                    (model, "search", [("id", "in", ids), ("active", "in", [True, False])]),
                ),
                "find it by name": (SUPER_USER, (model, "name_search", "hello@")),
                "write it": (SUPER_USER, (model, "write", ids, {"smtp_pass": "x"})),
                "copy it": (SUPER_USER, (model, "copy", ids)),
                "delete it": (SUPER_USER, (model, "unlink", ids)),
                "take a server for System Mail": (
                    SUPER_USER,
                    (
                        model,
                        "write",
                        shared.ids,
                        {"system_mail_company_ids": [(6, 0, self.company.ids)]},
                    ),
                ),
                "create a server with system_mail_password": (NOBODY, (model, "create", copied)),
                "write system_mail_password": (
                    NOBODY,
                    (model, "write", ids, {"system_mail_password": "x"}),
                ),
                "search by system_mail_password": (
                    NOBODY,
                    (model, "search", [("system_mail_password", "!=", "x")]),
                ),
                "sort by system_mail_password": (
                    NOBODY,
                    (model, "search", [], 0, 9, "system_mail_password"),
                ),
                "group by system_mail_password": (
                    NOBODY,
                    (model, "formatted_read_group", [], ["system_mail_password"], ["__count"]),
                ),
                "export system_mail_password": (
                    NOBODY,
                    (model, "export_data", ids, ["system_mail_password"]),
                ),
            }
        )

    def test_the_records(self):
        records = {
            "system.mail.health": (self.system_health.id, {"state": "disconnected"}),
            "system.mail.server.health": (self.server_health.id, {"breaker_state": "closed"}),
            "system.mail.event": (self.event.id, {"reason": "Changed"}),
            "system.mail.connection": (self.connection.id, {"address": "x"}),
            "system.mail.usage": (self.usage.id, {"recipient_count": 0}),
            "system.mail.outage": (self.outage.id, {"message_count": 0}),
            "system.mail.alert": (self.alert.id, {"key": "x"}),
            "system.mail.domain.finding": (self.finding.id, {"status": "good"}),
            "system.mail.backup": (self.backup.id, {"limit_day": 5}),
            "system.mail.oauth.token": (self.token.id, {"access_token": "x"}),
            "system.mail.oauth.provider": (self.provider.id, {"name": "Other"}),
        }
        new = {
            "system.mail.health": {"server_id": self.own_server.id},
            "system.mail.server.health": {"key": "x"},
            "system.mail.event": {"kind": "test", "company_id": self.company.id},
            "system.mail.usage": {"company_id": self.company.id, "recipient_count": 1},
            "system.mail.outage": {"company_id": self.company.id},
            "system.mail.alert": {"key": "y"},
            "system.mail.domain.finding": {
                "company_id": self.company.id,
                "kind": "mx",
                "status": "good",
            },
            "system.mail.backup": {"company_id": self.company.id, "address": "third@company.test"},
            "system.mail.oauth.token": {"server_id": self.own_server.id},
            "system.mail.oauth.provider": {
                "name": "New",
                "scope": "mail",
                "smtp_host": "smtp.new.test",
                "authorization_endpoint": "https://new.test/a",
                "token_endpoint": "https://new.test/t",
            },
        }
        actions = {}
        for model, (id_, values) in records.items():
            readers = NOBODY if model == "system.mail.oauth.token" else SUPER_USER
            writers = SUPER_USER if model in WRITTEN_BY_SUPER_USERS else NOBODY
            actions |= {
                f"read {model}": (readers, (model, "read", [id_], ["display_name"])),
                f"search {model}": (readers, (model, "search", [])),
                f"group {model}": (
                    readers,
                    (model, "formatted_read_group", [], ["id"], ["__count"]),
                ),
                f"write {model}": (writers, (model, "write", [id_], values)),
                f"create {model}": (writers, (model, "create", new.get(model, values))),
                f"delete {model}": (writers, (model, "unlink", [id_])),
            }
        self.assert_access(actions)

    def test_no_code_changes_or_deletes_an_event(self):
        with self.assertRaises(AccessError):
            self.event.sudo().reason = "Changed"
        with self.assertRaises(AccessError):
            self.event.sudo().unlink()

    def test_the_alerts(self):
        channel = self.env.ref("system_mail.channel_alerts")
        self.env["system.mail.alert"].tell_super_users("Look at this")
        self.env.flush_all()
        message = [("model", "=", channel._name), ("res_id", "=", channel.id)]
        member = {"channel_id": channel.id, "partner_id": self.ana.partner_id.id}
        model, members = channel._name, "discuss.channel.member"
        self.assert_access(
            {
                "read the alerts' channel": (SUPER_USER, (model, "read", channel.ids, ["name"])),
                "read the alerts": (SUPER_USER, ("mail.message", "search_read", message, ["body"])),
                "search the alerts": (
                    SUPER_USER,
                    (model, "search", [("message_ids.body", "like", "Look at")]),
                ),
                "open the alerts to all": (
                    SUPER_USER,
                    (model, "write", channel.ids, {"group_public_id": False}),
                ),
                "delete the alerts": (SUPER_USER, (model, "unlink", channel.ids)),
                "become a member of the alerts": (SUPER_USER, (members, "create", [member])),
                "see who is a member of the alerts": (
                    SUPER_USER,
                    (members, "search", [("channel_id", "=", channel.id)]),
                ),
            }
        )

    def test_what_a_search_or_an_export_would_tell(self):
        provider, company = "system.mail.oauth.provider", "res.company"
        template = self.env["mail.template"].create(
            {
                "name": "Names it",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
                "mail_server_id": self.system_server.id,
            }
        )
        actions = {
            f"search {model} by {prefix}{name}": (
                SUPER_USER,
                (model, "search", [(prefix + name, operator, value)]),
            )
            for model, prefix in (
                (company, ""),
                ("res.users", "company_id."),
                ("res.partner", "user_ids.company_id."),
            )
            for name, operator, value in TELLTALE
        }
        paths = ("system_mail_address", "system_mail_server_id/smtp_pass")
        self.assert_access(
            {
                **actions,
                **{
                    f"export {path}": (
                        SUPER_USER,
                        (company, "export_data", self.company.ids, [path]),
                    )
                    for path in paths
                },
                "group companies by address": (
                    SUPER_USER,
                    (company, "formatted_read_group", [], ["system_mail_address"], ["__count"]),
                ),
                "sort companies by address": (
                    SUPER_USER,
                    (company, "search", [], 0, 9, "system_mail_address"),
                ),
                "read client_secret": (
                    NOBODY,
                    (provider, "read", self.provider.ids, ["client_secret"]),
                ),
                "search by client_secret": (
                    NOBODY,
                    (provider, "search", [("client_secret", "=like", "p%")]),
                ),
                "export client_secret": (
                    NOBODY,
                    (provider, "export_data", self.provider.ids, ["client_secret"]),
                ),
                "read tokens": (
                    NOBODY,
                    ("system.mail.oauth.token", "read", self.token.ids, ["refresh_token"]),
                ),
                "search templates by their server's password": (
                    NOBODY,
                    (
                        "mail.template",
                        "search",
                        [("mail_server_id.system_mail_password", "!=", "x")],
                    ),
                ),
                "search a template by System Mail's account": (
                    SUPER_USER,
                    (
                        "mail.template",
                        "search",
                        [("id", "=", template.id), ("mail_server_id.smtp_pass", "=like", "n%")],
                    ),
                ),
                "find a template by System Mail's name": (
                    SUPER_USER,
                    (
                        "mail.template",
                        "search",
                        [("id", "=", template.id), ("mail_server_id", "ilike", "hello")],
                    ),
                ),
            }
        )

    def test_another_persons_dialog_and_mailbox(self):
        dialog = (
            self.env["system.mail.connect"]
            .with_user(self.ana)
            .create({"user_id": self.ana.id, "address": "ana@company.test", "smtp_pass": "hers"})
        )
        test = self.env["system.mail.test"].with_user(self.ana).create({"user_id": self.ana.id})
        drill = (
            self.env["system.mail.drill"]
            .with_user(self.env.ref("base.user_admin"))
            .create({"company_id": self.company.id})
        )
        model, mine = "system.mail.connect", {"user_id": self.ana.id, "address": "x@company.test"}
        ours = {"company_id": self.company.id, "address": "ana@company.test"}
        account = {name: {} for name in ("smtp_host", "smtp_user", "keeps_password")}
        self.assert_access(
            {
                "read another's connect dialog": (
                    NOBODY,
                    (model, "read", dialog.ids, ["address"]),
                ),
                "write another's connect dialog": (
                    NOBODY,
                    (model, "write", dialog.ids, {"smtp_host": "127.0.0.1"}),
                ),
                "connect by another's dialog": (NOBODY, (model, "action_connect", dialog.ids)),
                "sign in by another's dialog": (NOBODY, (model, "action_sign_in", dialog.ids)),
                "open a dialog for another": (NOBODY, (model, "create", mine)),
                "see another's account, not saving it": (
                    NOBODY,
                    (model, "onchange", [], mine, ["address"], account),
                ),
                "see System Mail's account, not saving it": (
                    SUPER_USER,
                    (model, "onchange", [], ours, ["address"], account),
                ),
                "ask whose an address is": (
                    SUPER_USER,
                    (model, "onchange", [], ours, [], {"clash": {}}),
                ),
                "search dialogs by secret": (NOBODY, (model, "search", [("secret", "!=", "x")])),
                "send another's test": (NOBODY, ("system.mail.test", "action_send", test.ids)),
                "try the fallback by another's dialog": (
                    NOBODY,
                    ("system.mail.drill", "action_send", drill.ids),
                ),
                "read what another's dialog shows": (
                    NOBODY,
                    ("system.mail.drill", "read", drill.ids, ["headers"]),
                ),
            }
        )

    def test_nobody_searches_by_the_state_of_a_mailbox(self):
        domain = [("id", "=", self.ana.id), ("system_mail_state", "=", "connected")]
        with self.assertLogs("odoo.http", "ERROR"):
            for role in ("super user", "administrator", "employee"):
                self.log_in(role)
                with self.subTest(role=role), self.assertRaisesRegex(JsonRpcException, "Value"):
                    self.call("res.users", "search", domain)

    def test_nobody_sends_by_system_mail_by_choosing_it(self):
        office = self.smtp("office", logins={"office@company.test": "shared"})
        permitted = self.mailbox(office, "office@company.test", "shared")
        self.people["employee"].group_ids += self.env.ref("base.group_partner_manager")
        sent = {}
        with self.assertLogs("odoo.http", "WARNING"):
            for role in ROLES:
                self.log_in(role)
                forced = self._attempts({"mail_server_id": self.system_server.id})
                ordinary = self._attempts({"mail_server_id": permitted.id})
                for attempt, same_by_permitted in zip(forced, ordinary, strict=True):
                    with self.subTest(role=role, attempt=attempt.__name__):
                        # Odoo's own answer to a server that a mail may not have is the first
                        self.assert_refused(attempt, "ValidationError", "AccessError", "Session")
                        self.run_queue()
                        self.assertFalse(self.system.accepted)
                    before = len(office.accepted)
                    with contextlib.suppress(JsonRpcException):
                        same_by_permitted()
                    self.run_queue()
                    if len(office.accepted) > before:
                        sent.setdefault(attempt.__name__, set()).add(role)
        internal = {"super user", "administrator", "employee"}
        self.assertEqual(
            sent,
            {
                "message": internal,
                "mail": internal - {"employee"},
                "template": internal,
                "composer": internal,
            },
        )

    def assert_refused(self, attempt, *errors):
        with self.assertRaises(JsonRpcException) as caught:
            attempt()
        self.assertRegex(str(caught.exception), "|".join(errors))

    def _attempts(self, forced):
        """The ways to name a server."""
        customer = self.env["res.partner"].create({"name": "C", "email": "c@else.test"})
        target = {"model": "res.partner", "res_ids": [customer.id]}

        def message():
            self.call(
                "res.partner",
                "message_post",
                [customer.id],
                body="Forced",
                partner_ids=customer.ids,
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
                **forced,
            )

        def mail():
            [id_] = self.call(
                "mail.mail", "create", [{"email_to": "c@else.test", "body_html": "F", **forced}]
            )
            self.call("mail.mail", "send", [id_])

        def template():
            values = {
                "name": "F",
                "model_id": self.env.ref("base.model_res_partner").id,
                "email_to": "c@else.test",
                "body_html": "F",
            }
            [id_] = self.call("mail.template", "create", [{**values, **forced}])
            self.call("mail.template", "send_mail", [id_], customer.id, force_send=True)

        def composer():
            values = {
                "model": target["model"],
                "res_ids": str(target["res_ids"]),
                "partner_ids": customer.ids,
                "body": "F",
                "subject": "F",
                "composition_mode": "comment",
            }
            [id_] = self.call("mail.compose.message", "create", [{**values, **forced}])
            self.call("mail.compose.message", "action_send_mail", [id_])

        return message, mail, template, composer
