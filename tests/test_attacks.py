"""Each public method of each model that System Mail has or extends, called by people with each kind
of rights. All that only Super Users may know has the word *canarybird* in it: no answer may.

The list of attacks is made from Odoo's registry: a new model, field or method is in it by itself.
"""

import collections
import contextlib
import datetime
import inspect
import json
import re
import warnings

import psycopg2

from odoo import api, fields, http
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.service.model import call_kw
from odoo.tests import HttpCase, tagged
from odoo.tools import SQL, mute_logger

from ..connect.oauth import Tokens
from ..constants import GROUP
from . import tables
from .common import SystemMailCase

MODULE = "system_mail"
NO_ROUTE = re.compile(
    "logout|destroy|database|tests|become|assets|bundle|static|websocket|profil|signup|password|oauth"
)
"""Routes that end the session, or that have nothing of a record."""
OF_CODE = {
    "ir.model",
    "ir.model.constraint",
    "ir.model.fields",
    "ir.model.fields.selection",
    "ir.model.inherit",
}
"""Models whose records tell what the code has, also of Odoo's models: Odoo writes them anew."""
FOR_EMPLOYEES = re.compile('"system_mail_sent_from": "[^"]*"')
"""Every employee sees from which address a message was sent."""
ROLES = {
    "portal": "base.group_portal",
    "employee": "base.group_user",
    "sales": "sales_team.group_sale_manager",
    "mass mailing": "mass_mailing.group_mass_mailing_user",
    "access rights": "base.group_erp_manager",
    "settings": "base.group_system",
}
INSTEAD = "base.group_partner_manager"
"""For a module that is not installed."""
CANARY = "canarybird"
TABLE = "Attacks over RPC, by log-in"
TELLING = ("char", "text", "html")
READING = {
    *("search", "read", "search_read", "web_read", "web_search_read", "fields_get"),
    *("name_search", "web_name_search", "read_group", "formatted_read_group"),
}
RELATIONS = ("many2one", "one2many", "many2many")
GUARDED = """
    SELECT to_jsonb(t) FROM ir_mail_server t WHERE id = %(server)s
    UNION ALL SELECT jsonb_build_array(system_mail_address, system_mail_server_id,
        system_mail_scope) FROM res_company WHERE id = %(company)s
    UNION ALL SELECT to_jsonb(t) FROM system_mail_backup t
    UNION ALL SELECT to_jsonb(t) FROM system_mail_oauth_token t
    UNION ALL SELECT to_jsonb(t) FROM system_mail_oauth_provider t
    UNION ALL SELECT to_jsonb(t) FROM system_mail_health t WHERE server_id = %(server)s
    UNION ALL SELECT jsonb_build_array(id, kind, company_id, create_date)
        FROM system_mail_event WHERE id <= %(event)s
    UNION ALL SELECT to_jsonb(t) FROM system_mail_alert t
    UNION ALL SELECT to_jsonb(t) FROM res_groups_users_rel t WHERE gid = %(group)s
    UNION ALL SELECT to_jsonb(m.body) FROM mail_message m
        WHERE model = 'discuss.channel' AND res_id = %(channel)s
"""
"""What no attack changes: System Mail's mailbox, settings, alerts and Super Users."""


NEWEST = 100
"""Records that are read whole; those that a test makes are the newest."""


class Undo(Exception):
    """Roll back what an attack did."""


class AttackCase(SystemMailCase):
    """People with rights, and something of each kind that they may not know."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.people = {role: cls._person(role, ROLES[role]) for role in ROLES}

    @classmethod
    def _person(cls, role, name):
        group = cls.env.ref(name, raise_if_not_found=False) or cls.env.ref(INSTEAD)
        groups = group + cls.env.ref("base.group_allow_export")
        if role != "portal":
            groups += cls.env.ref("base.group_user")
        email = f"{role.replace(' ', '.')}@attacks.test"
        return cls._user(
            role.title(), email, password=f"the {role}'s own", group_ids=[Command.set(groups.ids)]
        )

    def setUp(self):
        super().setUp()
        self.company.system_mail_address = "canarybird-address@company.test"
        self.system.logins["canarybird-user@company.test"] = "canarybird-password"
        secrets = {"smtp_pass": False, "system_mail_password": "canarybird-password"}
        self.own_server.write(secrets)
        self.system_server.write(
            {
                "name": "canarybird-name",
                "smtp_user": "canarybird-user@company.test",
                "from_filter": "canarybird-address@company.test",
                **secrets,
            }
        )
        self.env["system.mail.oauth.token"].store_tokens(
            self.system_server, Tokens("canarybird-access", "canarybird-refresh", None)
        )
        backup_server = self.mailbox(self.system, "canarybird-backup@company.test", False)
        backup_server.write({"name": "canarybird-backup", **secrets})
        self.env["system.mail.backup"].create(
            {
                "company_id": self.company.id,
                "address": "canarybird-backup@company.test",
                "server_id": backup_server.id,
            }
        )
        provider = self.env["system.mail.oauth.provider"].search([], limit=1)
        provider.write({"client_id": "canarybird-id", "client_secret": "canarybird-secret"})
        self.env["system.mail.health"]._connected(self.system_server)
        self.event = self.env["system.mail.event"].create(
            {"kind": "test", "company_id": self.company.id, "reason": "canarybird-reason"}
        )
        self.env["system.mail.alert"].tell_super_users("canarybird-alert")
        for exported in (self.system_server, self.company.system_mail_backup_ids, self.event):
            exported.export_data(["id"])  # from now on Odoo has external IDs of them
        self.env["mail.template"].create(
            {
                "name": "It names the server",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
                "mail_server_id": self.system_server.id,
            }
        )
        message = self.record.with_user(self.ana).sudo().message_post(body="Hello")
        self.env["mail.mail"].create(
            {"mail_message_id": message.id, "failure_reason": "canarybird-answer"}
        )
        self.env["mail.notification"].create(
            {
                "mail_message_id": message.id,
                "res_partner_id": self.ben.partner_id.id,
                "notification_type": "email",
                "notification_status": "exception",
                "failure_type": "unknown",
                "failure_reason": "canarybird-answer",
                "system_mail_sent_from": "canarybird-address@company.test",
            }
        )
        self.env.flush_all()

    def models(self):
        """The names of our models, of those that we extend, and of those that lead to them."""
        of_ours = {
            name
            for name, model in self.env.registry.items()
            if any(getattr(base, "_module", "") == MODULE for base in model._base_classes__)
        } - {"base"}
        leading = {
            name
            for name, model in self.env.registry.items()
            for field in model._fields.values()
            if field.comodel_name == "ir.mail_server"
        }
        tables_only = of_ours | leading
        return sorted(n for n in tables_only if not self.env.registry[n]._abstract)


class Attacks:
    """The calls to one model, as ``(method, args)``."""

    def __init__(self, model):
        self.model, self.name = model, model._name
        records = model.sudo().with_context(active_test=False)
        self.ids = records.search([], limit=4, order="id desc").ids
        self.fields = dict(model._fields)
        self.guarded = {
            name: field
            for name, field in self.fields.items()
            if model._name.startswith("system.mail.") or MODULE in (field._modules or ())
        }

    def where_allowed(self, attacks, *operations):
        """One attack of each method, where the access rights refuse the model as a whole."""
        seen = set()
        for method, args in attacks:
            if method not in seen or any(map(self.model.has_access, operations)):
                yield method, args
            seen.add(method)

    def reads(self):
        return self.where_allowed(self._reads(), "read")

    def searches(self):
        return self.where_allowed(self._searches(), "read")

    def paths(self):
        return self.where_allowed(self._paths_to_secrets(), "read")

    def _paths_to_secrets(self):
        """Searches by what another record has, which this one leads to in one or two steps."""
        for name, field in self.fields.items():
            if field.type not in RELATIONS or field.comodel_name not in self.model.env:
                continue
            comodel = self.model.env[field.comodel_name]
            for path, end in (
                (name, comodel),
                *(
                    (f"{name}.{other.name}", self.model.env[other.comodel_name])
                    for other in comodel._fields.values()
                    if other.comodel_name in ("res.company", "ir.mail_server")
                ),
            ):
                for told in end._fields.values():
                    if self._tells(end, told) and (told.store or told.search):
                        yield "search", [[(f"{path}.{told.name}", "like", CANARY)]]

    def changes(self):
        return self.where_allowed(self._changes(), "write", "create", "unlink")

    def _reads(self):
        everything = {name: {} for name in self.fields}
        yield "search_read", [[], None, 0, NEWEST, "id desc"]
        yield "web_search_read", [[], {"id": {}, "display_name": {}}]
        yield "default_get", [[*self.fields]]
        yield "onchange", [[], {}, [], everything]
        yield "name_search", [CANARY]
        yield "name_search", [""]
        yield "web_name_search", [CANARY, {"display_name": {}}]
        yield "copy", [self.ids[:1]]
        yield "web_save", [self.ids[:1], {}, {"display_name": {}}]
        yield "fields_get", []
        readable = [n for n, f in self.fields.items() if self.model._has_field_access(f, "read")]
        yield "read", [self.ids, readable]
        for id_ in self.ids:
            yield "read", [[id_], readable]
        for name, field in self.fields.items():
            if name in self.guarded or field.type in RELATIONS:
                yield "export_data", [self.ids, [name]]
            if name in self.guarded:
                yield "read", [self.ids, [name]]
            if field.store and name in self.guarded:
                yield "formatted_read_group", [[], [name], ["__count"]]
                yield "formatted_read_group", [[], [], [f"{name}:array_agg"]]
                yield "read_group", [[], [name], [name]]
                yield "search_read", [[], ["id"], 0, 9, name]
            if field.type in RELATIONS and field.comodel_name in self.model.env:
                yield from self._paths(name, field)

    def _paths(self, name, field):
        comodel = self.model.env[field.comodel_name]
        telling = [f for f in comodel._fields.values() if self._tells(comodel, f)]
        specification = {other.name: {} for other in telling}
        if not specification:
            return
        yield "web_read", [self.ids, {name: {"fields": {"display_name": {}}}}]
        yield "web_read", [self.ids, {name: {"fields": specification}}]
        for other in telling:
            yield "export_data", [self.ids, [name, f"{name}/{other.name}"]]
            if field.type == "many2one" and field.store and other.store:
                yield "formatted_read_group", [[], [f"{name}.{other.name}"], ["__count"]]

    @staticmethod
    def _tells(comodel, field):
        secret = comodel._name.startswith("system.mail.") or comodel._name == "ir.mail_server"
        return field.type in TELLING and (secret or MODULE in (field._modules or ()))

    def _searches(self):
        """Searches that find nothing, unless they tell what is there."""
        for name, field in self.fields.items():
            if field.type in TELLING:
                yield "search", [[(name, "like", CANARY)]]
            elif field.type in RELATIONS and field.comodel_name in self.model.env:
                comodel = self.model.env[field.comodel_name]
                for other in comodel._fields.values():
                    if self._tells(comodel, other) or other.name == "failure_reason":
                        yield "search", [[(f"{name}.{other.name}", "like", CANARY)]]

    def _changes(self):
        for name, field in self.guarded.items():
            for value in self._values(field):
                for id_ in self.ids:
                    yield "write", [[id_], {name: value}]
                yield "create", [{name: value}]
                yield "web_save", [[], {name: value}, {"display_name": {}}]
        for id_ in self.ids:
            yield "unlink", [[id_]]
        for method in self._methods():
            yield method, [self.ids]
            yield method, [self.ids[:1]]

    @staticmethod
    def _values(field):
        if field.type in ("char", "text"):
            return ["taken@attacks.test", False]
        if field.type == "selection":
            return []
        if field.type in RELATIONS:
            return [False]
        return [1, False]

    def _methods(self):
        """The public methods that this addon adds."""
        ours = [c for c in type(self.model)._base_classes__ if getattr(c, "_module", "") == MODULE]
        names = {name for cls in ours for name, value in vars(cls).items() if callable(value)}
        return sorted(n for n in names if not n.startswith("_") and n not in dir(api.Environment))


@tagged("post_install", "-at_install")
class TestAttacks(AttackCase):
    def attack(self, user, model, method, args):
        """The answer, or the refusal; what it did to guarded rows. All is taken back."""
        answer, changed = None, False
        with contextlib.suppress(Undo), self.env.cr.savepoint():
            try:
                answer = self.call(user, model, method, args)
                self.env.flush_all()
                changed = self.state() != self.before
            except Exception as exc:  # noqa: BLE001 whatever it says, it must not tell
                answer = exc
            raise Undo
        self.env.invalidate_all()
        return answer, changed

    def look(self, user, model, method, args):
        """The answer, or the refusal. What only reads leaves nothing to be taken back."""
        try:
            return self.call(user, model, method, args)
        except psycopg2.Error as exc:
            self.env.cr.execute("ROLLBACK TO SAVEPOINT looks")
            return exc
        except Exception as exc:  # noqa: BLE001 whatever it says, it must not tell
            return exc

    def call(self, user, model, method, args):
        return call_kw(api.Environment(self.env.cr, user.id, {})[model], method, args, {})

    def state(self):
        channel = self.env.ref("system_mail.channel_alerts")
        values = {
            "server": self.system_server.id,
            "company": self.company.id,
            "event": self.event.id,
            "group": self.env.ref(GROUP).id,
            "channel": channel.id,
        }
        return sorted(map(str, self.env.execute_query(SQL(GUARDED, **values))))

    def assert_harmless(self, kind, pick, names=None):
        """No attack of a kind tells or changes anything.

        :param names: of the models, by default those of ``models``
        """
        holes = []
        self.before = self.state()
        for role, user in self.people.items():
            counts = collections.Counter()
            for name in names or self.models():
                self.env.invalidate_all()
                self.env.cr.execute("SAVEPOINT looks")
                for method, args in pick(Attacks(self.env(user=user.id)[name])):
                    if method in READING:
                        answer, changed = self.look(user, name, method, args), False
                    else:
                        answer, changed = self.attack(user, name, method, args)
                    refused = isinstance(answer, Exception)
                    if method == "search":  # an error repeats what was asked
                        tells = answer and not refused
                    else:
                        tells = CANARY in f"{answer!r}{answer}" and CANARY not in str(args)
                    if tells or changed:
                        counts["holes"] += 1
                        holes.append((role, name, method, args, str(answer)[:200], changed))
                    elif isinstance(answer, UserError):
                        counts["refused"] += 1
                    elif refused:
                        counts["not understood"] += 1
                    else:
                        counts["told nothing"] += 1
            for outcome in ("refused", "told nothing", "not understood", "holes"):
                tables.put(TABLE, f"{kind}: {outcome}", role, counts[outcome])
        self.assertFalse(holes, "\n".join(map(str, holes[:60])) + f"\n{len(holes)} holes")

    def run(self, result=None):
        quiet = ("odoo.models", "odoo.sql_db", "odoo.domains", "odoo.addons.base.models.ir_rule")
        with mute_logger(*quiet), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return super().run(result)

    def test_no_read_tells_anything(self):
        self.assert_harmless("reads", Attacks.reads)

    def test_no_search_finds_what_it_may_not_know(self):
        self.assert_harmless("searches", Attacks.searches)

    def test_no_model_leads_to_what_it_may_not_know(self):
        """Some models of Odoo search as superuser. A password is told letter by letter."""
        names = [name for name, model in self.env.registry.items() if not model._abstract]
        self.assert_harmless("paths", Attacks.paths, sorted(names))

    def test_no_change_reaches_what_is_guarded(self):
        self.assert_harmless("changes", Attacks.changes)

    def records_of_ours(self):
        """What Odoo keeps for this addon: each record that has one of its external IDs."""
        names = self.env["ir.model.data"].search([("module", "=", MODULE)])
        for model, of_model in names.grouped("model").items():
            if model in self.env and model not in OF_CODE and not model.startswith("system.mail."):
                yield from self.env[model].browse(of_model.mapped("res_id")).exists()

    def changes_of(self, record):
        """The calls that would change it, move it, or delete it; also by way of other models."""
        for values in ({record._rec_name: "Taken"}, {"active": False}, {"path": "taken"}):
            if values.keys() <= record._fields.keys():
                yield record._name, "write", [record.ids, values]
                if record._name.startswith("ir.actions.") and "path" in values:
                    yield "ir.actions.actions", "write", [record.ids, values]
        yield record._name, "unlink", [record.ids]
        if record._name.startswith("ir.actions."):
            yield "ir.actions.actions", "unlink", [record.ids]
        for field in self.links_to(record):
            holder = self.env[field.model_name].search([], limit=1, order="id desc")
            link = {field.name: [Command.link(record.id)]}
            yield field.model_name, "write", [holder.ids, link]

    def links_to(self, record):
        """The fields of other models by which a record is linked, past its own model. Of a group,
        they say what others have.
        """
        if record._name == "res.groups":
            return
        for model in self.env.registry.values():
            for field in model._fields.values():
                leads = field.type == "many2many" and field.comodel_name == record._name
                if leads and field.store and not (field.compute or field.inherited):
                    yield field

    def row_of(self, record):
        """The record as it is stored, with how many records are linked to it."""
        rows = [
            SQL(
                "SELECT to_jsonb(t) - 'write_date' - 'write_uid' FROM %s t WHERE id = %s",
                SQL.identifier(record._table),
                record.id,
            ),
            *(
                SQL(
                    "SELECT to_jsonb(count(*)) FROM %s WHERE %s = %s",
                    SQL.identifier(field.relation),
                    SQL.identifier(field.column2),
                    record.id,
                )
                for field in self.links_to(record)
            ),
        ]
        return self.env.execute_query(SQL(" UNION ALL ").join(rows))

    def test_no_record_of_ours_is_changed(self):
        holes, outcomes = [], collections.Counter()
        for record in self.records_of_ours():
            self.env.flush_all()
            row = self.row_of(record)
            self.state = lambda record=record: self.row_of(record)
            self.before = row
            for model, method, args in self.changes_of(record):
                for role, user in self.people.items():
                    answer, changed = self.attack(user, model, method, args)
                    if changed:
                        holes.append((role, record, model, method, args))
                    refused = "refused" if isinstance(answer, UserError) else "told nothing"
                    outcomes[role, "holes" if changed else refused] += 1
        for (role, outcome), count in outcomes.items():
            tables.put(TABLE, f"records of ours: {outcome}", role, count)
        self.assertFalse(holes, "\n".join(map(str, holes[:60])) + f"\n{len(holes)} holes")

    def test_the_attacks_find_what_is_there(self):
        """Made by a Super User, they tell and change."""
        self.before = self.state()
        super_user = self._person("super user", GROUP)
        told, _changed = self.attack(super_user, "mail.template", "search_read", [[]])
        self.assertIn(CANARY, str(told))
        found, _changed = self.attack(
            super_user, "mail.notification", "search", [[("failure_reason", "like", CANARY)]]
        )
        self.assertTrue(found)
        self.before = self.state()
        name = {"name": "Taken"}
        call = "ir.mail_server", "write", [self.system_server.ids, name]
        self.assertTrue(self.attack(super_user, *call)[1])
        self.assertFalse(self.attack(self.people["settings"], *call)[1])


@tagged("post_install", "-at_install")
class TestAttacksOverHttp(HttpCase, AttackCase):
    """The same through the doors that a browser and a program have."""

    def answer(self, url, **options):
        # its text would be guessed for minutes where an answer is a file without a charset
        return self.url_open(url, **options).content.decode(errors="replace")

    def rpc(self, url, **params):
        headers = {"Content-Type": "application/json"}
        return self.answer(url, data=json.dumps({"params": params}), headers=headers)

    def doors(self, user, name):
        fields = [*self.env[name]._fields]
        call = {"model": name, "method": "search_read", "args": [[]], "kwargs": {}}
        yield "/web/dataset/call_kw", self.rpc(f"/web/dataset/call_kw/{name}/search_read", **call)
        export = {
            "model": name,
            "fields": [{"name": field, "label": field} for field in fields[:40]],
            "ids": False,
            "domain": [],
            "groupby": [],
            "import_compat": False,
            "context": {},
        }
        form = {"data": json.dumps(export), "csrf_token": http.Request.csrf_token(self)}
        yield "/web/export/csv", self.answer("/web/export/csv", data=form)
        headers = {"Authorization": f"Bearer {self.keys[user]}"}
        search = {"domain": []}
        yield "/json/2", self.answer(f"/json/2/{name}/search_read", json=search, headers=headers)

    def test_no_door_tells_anything(self):
        keys = self.env["res.users.apikeys"]
        tomorrow = fields.Datetime.now() + datetime.timedelta(days=1)
        self.keys = {
            user: keys.with_user(user).sudo()._generate("rpc", "key", tomorrow)
            for user in self.people.values()
        }
        channel = self.env.ref("system_mail.channel_alerts")
        self.env.cr.precommit.run()
        names = [n for n in self.models() if n.startswith(("system.mail.", "ir.mail", "mail."))]
        for role, user in self.people.items():
            self.authenticate(user.login, f"the {role}'s own")
            counts = collections.Counter()
            for name in names:
                for door, told in self.doors(user, name):
                    counts[door] += 1
                    self.assertNotIn(CANARY, told, (role, name, door))
                    # an export of it is refused, as it leads to System Mail's server
                    if (role, name) == ("settings", "mail.template") and "export" not in door:
                        self.assertIn("It names the server", told, door)
            heard = self.rpc(
                "/websocket/peek_notifications",
                channels=[f"discuss.channel_{channel.id}", channel._name],
                last=0,
                is_first_poll=True,
            )
            counts["the bus"] += 1
            self.assertNotIn(CANARY, heard)
            for door, count in counts.items():
                tables.put(TABLE, f"over HTTP, {door}", role, count)

    def routes(self):
        """Each route of the installed modules, as ``(rule, endpoint)``."""
        http_model = self.env["ir.http"]
        modules = sorted(self.env.registry._init_modules)
        for rule, endpoint in http_model._generate_routing_rules(
            modules, converters=http_model._get_converters()
        ):
            if not NO_ROUTE.search(rule):
                yield rule, endpoint

    def ask(self, rule, endpoint, values):
        """What a route answers if it is given what is guarded wherever it takes a record."""
        url = re.sub(r"<(?:[^:>]*:)?(\w+)>", lambda found: str(values.get(found[1], 1)), rule)
        if endpoint.routing["type"] == "http":
            return self.answer(url, allow_redirects=False)
        taken = inspect.signature(endpoint.original_endpoint).parameters
        return self.rpc(url, **{name: values[name] for name in taken if name in values})

    def telling(self, user, password):
        """The routes that tell a user what only Super Users may know."""
        channel = self.env.ref("system_mail.channel_alerts")
        alert = channel.message_ids[0]
        values = {
            "channel_id": channel.id,
            "parent_channel_id": channel.id,
            "message_id": alert.id,
            "thread_model": channel._name,
            "thread_id": channel.id,
            "model": "ir.mail_server",
            "id": self.system_server.id,
            "field": "name",
            "res_model": channel._name,
            "res_id": channel.id,
            "term": "a",
            "search_term": "a",
        }
        self.authenticate(user.login, password)
        for rule, endpoint in self.routes():
            with contextlib.suppress(Undo), self.env.cr.savepoint(), mute_logger("odoo.http"):
                if CANARY in FOR_EMPLOYEES.sub("", self.ask(rule, endpoint, values)):
                    yield rule
                raise Undo
            self.env.invalidate_all()

    def test_no_route_tells_anything(self):
        """A Super User is told by the same requests."""
        self.env.cr.precommit.run()
        for role, user in self.people.items():
            self.assertFalse([*self.telling(user, f"the {role}'s own")], role)
            tables.put(TABLE, "over HTTP, each route", role, len([*self.routes()]))
        super_user = self._person("super user", GROUP)
        told = [*self.telling(super_user, "the super user's own")]
        self.assertIn("/discuss/channel/messages", told)
