"""What leads around the access rights to what only Super Users may read."""

import contextlib
import json

from odoo import api
from odoo.exceptions import AccessError, ValidationError
from odoo.fields import Command
from odoo.service.model import call_kw
from odoo.tests import HttpCase, tagged

from ..constants import GROUP
from .common import SystemMailCase

ALERT = "Look at the canary"
ANSWER = "535 5.7.8 Rejected, says the canary"


class ReadingCase(SystemMailCase):
    """People with rights, none of whom is a Super User."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        groups = {
            "employee": "base.group_user",
            "access rights": "base.group_erp_manager",
            "administrator": "base.group_system",
        }
        cls.outsiders = {
            role: cls._user(
                role.title(),
                f"{role.replace(' ', '.')}@company.test",
                group_ids=[Command.set((cls.env.ref(group) + cls._all_people()).ids)],
            )
            for role, group in groups.items()
        }
        cls.super_user = cls._user(
            "Sue", "sue@company.test", group_ids=[Command.set(cls.env.ref(GROUP).ids)]
        )

    @classmethod
    def _all_people(cls):
        names = ("group_user", "group_partner_manager", "group_allow_export")
        return cls.env["res.groups"].union(*(cls.env.ref(f"base.{name}") for name in names))

    def call(self, user, model, method, *args, **kwargs):
        """As over RPC, with nothing that another user has read before in the cache."""
        self.env.flush_all()
        self.env.invalidate_all()
        return call_kw(api.Environment(self.env.cr, user.id, {})[model], method, args, kwargs)

    def assert_refused(self, user, *call, **kwargs):
        with self.assertRaises(AccessError), self.env.cr.savepoint():
            self.call(user, *call, **kwargs)


@tagged("post_install", "-at_install")
class TestAlertsStayInTheirChannel(ReadingCase):
    def setUp(self):
        super().setUp()
        self.channel = self.env.ref("system_mail.channel_alerts")
        self.env["system.mail.alert"].with_user(self.outsiders["employee"]).tell_super_users(ALERT)
        self.alert = self.channel.message_ids[0]
        self.assertIn(ALERT, self.alert.body)

    def test_nobody_exports_an_alert(self):
        for role, user in self.outsiders.items():
            with self.subTest(role):
                self.assert_refused(user, "mail.message", "export_data", self.alert.ids, ["body"])
        told = self.call(self.super_user, "mail.message", "export_data", self.alert.ids, ["body"])
        self.assertIn(ALERT, str(told))

    def test_nobody_reads_an_alert_that_their_own_action_caused(self):
        for role, user in self.outsiders.items():
            with self.subTest(role):
                self.assert_refused(user, "mail.message", "read", self.alert.ids, ["body"])
                mine = [("id", "=", self.alert.id)]
                self.assertFalse(self.call(user, "mail.message", "search", mine))

    def test_no_message_or_mail_leads_to_an_alert(self):
        administrator = self.outsiders["administrator"]
        around = {"mail_message_id": self.alert.id, "email_to": "otto@company.test"}
        self.assert_refused(administrator, "mail.mail", "create", around)
        mail = self.env["mail.mail"].create(around)
        self.assert_refused(administrator, "mail.mail", "read", mail.ids, ["body"])
        self.assertFalse(self.call(administrator, "mail.mail", "search", [("id", "=", mail.id)]))

    def test_nobody_has_a_default_take_an_alert(self):
        """Odoo makes records as superuser with the defaults of whom it does so for."""
        for role, user in self.outsiders.items():
            for model, field, value in (
                ("mail.mail", "mail_message_id", self.alert.id),
                ("mail.message", "child_ids", [[6, 0, self.alert.ids]]),
                ("mail.message", "mail_ids", [[6, 0, []]]),
                ("mail.message", "notification_ids", [[6, 0, []]]),
                ("discuss.channel", "message_ids", [[6, 0, self.alert.ids]]),
                ("res.partner", "message_ids", [[6, 0, self.alert.ids]]),
                ("res.users.settings", "channel_notifications", "no_notif"),
            ):
                with self.subTest(role, field=f"{model}.{field}"):
                    self.assert_refused(user, "ir.default", "set", model, field, value, True)
            self.call(user, "ir.default", "set", "res.partner", "comment", "Mine", True)
        for values in ({"res_id": 1}, {"body": "Gone"}, {"parent_id": False}):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                self.alert.with_user(self.outsiders["employee"]).sudo().write(values)

    def test_an_alert_is_answered_in_its_channel_only(self):
        """To whoever may read an answer in a channel, Odoo shows what it answers."""
        template = self.env["mail.template"].create(
            {"name": "T", "model_id": self.env["ir.model"]._get_id("res.partner")}
        )
        for role, user in self.outsiders.items():
            channel = self.env["discuss.channel"].with_user(user).create({"name": role})
            place = {"model": "discuss.channel", "res_id": channel.id, "parent_id": self.alert.id}
            mine = channel.message_post(body="Mine")
            sent = template.ids, self.record.id, False, False, {**place, "body": "Mine"}
            for call in (
                ("mail.message", "create", [place]),
                ("mail.message", "write", mine.ids, {"parent_id": self.alert.id}),
                ("mail.template", "send_mail", *sent),
            ):
                with self.subTest(role, call=call[:2]):
                    self.assert_refused(user, *call)
        [answer] = self.call(
            self.super_user,
            "discuss.channel",
            "message_post",
            self.channel.ids,
            body="I saw",
            parent_id=self.alert.id,
        )
        self.assertEqual(self.env["mail.message"].browse(answer).parent_id, self.alert)

    def test_nobody_searches_an_alert_of_which_they_were_told(self):
        """A letter, too, has notifications: of any message, where Odoo makes it as superuser."""
        for role, user in self.outsiders.items():
            mark = {"mail_message_id": self.alert.id, "res_partner_id": user.partner_id.id}
            marks = self.env["mail.notification"].with_user(user).sudo()
            with self.subTest(role, by="superuser"), self.assertRaises(AccessError):
                marks.create(mark)
            self.env["mail.notification"].create(mark)
            for domain in ([("id", "=", self.alert.id)], [("body", "like", ALERT)]):
                with self.subTest(role, domain=domain):
                    self.assertFalse(self.call(user, "mail.message", "search", domain))
            groups = ["subject"], ["__count"]
            told = self.call(user, "mail.message", "formatted_read_group", domain, *groups)
            self.assertFalse(told)
        mine = [("id", "=", self.alert.id), ("body", "like", ALERT)]
        self.assertTrue(self.call(self.super_user, "mail.message", "search", mine))

    def test_an_alert_is_empty_where_odoo_reads_it_as_superuser_for_somebody(self):
        """As by a form that is not saved yet, of a message in a mailing list."""
        self.alert.subject = ALERT
        for role, user in self.outsiders.items():
            for name in ("subject", "body", "preview"):
                self.env.flush_all()
                self.env.invalidate_all()
                with self.subTest(role, field=name):
                    self.assertFalse(self.alert.with_user(user).sudo()[name])
                    mine = self.record.message_post(body="Mine").with_user(user).sudo()
                    self.assertIn("Mine", mine.body)
        self.env.invalidate_all()
        for reader in (self.super_user, self.env.ref("base.user_root")):
            self.assertIn(ALERT, self.alert.with_user(reader).sudo().body)
            self.env.invalidate_all()
        if "mail.group.message" in self.env:
            form = {"mail_message_id": self.alert.id}, ["mail_message_id"], {"body": {}}
            told = self.call(user, "mail.group.message", "onchange", [], *form)
            self.assertNotIn(ALERT, str(told))

    def test_nobody_reads_an_alert_that_a_super_user_had_translated(self):
        languages = {"source_lang": "en", "target_lang": "de"}
        translations, model = self.env["mail.message.translation"], "mail.message.translation"
        theirs = translations.create({"message_id": self.alert.id, "body": ALERT, **languages})
        message = self.record.message_post(body="Something else")
        other = translations.create({"message_id": message.id, "body": "Else", **languages})
        administrator = self.outsiders["administrator"]
        self.assert_refused(administrator, model, "read", theirs.ids, ["body"])
        self.assertEqual(self.call(administrator, model, "search", []), other.ids)
        self.assertIn(ALERT, str(self.call(self.super_user, model, "read", theirs.ids, ["body"])))

    def test_nobody_reads_the_weekly_summary_in_the_queue(self):
        self.env["ir.config_parameter"].set_param("system_mail.summary", "1")
        self.env["system.mail.summary"]._cron_send()
        mails = self.env["mail.mail"].search([("subject", "ilike", "the last seven days")])
        self.assertIn("hello@company.test", mails[0].body_html)
        administrator = self.outsiders["administrator"]
        self.assert_refused(administrator, "mail.mail", "read", mails.ids, ["body_html"])
        self.assertFalse(self.call(administrator, "mail.mail", "search", [("id", "in", mails.ids)]))
        self.call(self.super_user, "mail.mail", "read", mails.ids, ["body_html"])
        mails.send()
        self.assertEqual(len(self.received(self.super_user.email)), 1)

    def test_nobody_puts_a_message_among_the_alerts(self):
        place = {"model": "discuss.channel", "res_id": self.channel.id}
        forged = {**place, "author_id": self.env.ref("base.partner_root").id, "body": "Look here"}
        template = self.env["mail.template"].create(
            {"name": "T", "model_id": self.env["ir.model"]._get_id("res.partner")}
        )
        send = "mail.template", "send_mail", template.ids, self.record.id, False, False, forged
        for role, user in self.outsiders.items():
            mine = self.record.with_user(user).message_post(body="Mine")
            for call in (send, ("mail.message", "write", mine.ids, place)):
                with self.subTest(role, call=call[:2]):
                    self.assert_refused(user, *call)
            self.assertEqual(self.channel.message_ids[0], self.alert)
        self.call(
            self.super_user, "discuss.channel", "message_post", self.channel.ids, body="I saw"
        )
        self.assertIn("I saw", self.channel.message_ids[0].body)

    def test_nobody_adds_anything_to_an_alert(self):
        """By whatever model has a part of a message."""
        parts = [
            (name, field.name)
            for name, model in self.env.registry.items()
            for field in model._fields.values()
            if not (model._abstract or model._transient or name.startswith("system.mail."))
            if field.type == "many2one" and field.store and not field.related
            if field.comodel_name == "mail.message" and model._original_module == "mail"
        ]
        self.assertIn(("mail.message.reaction", "message_id"), parts)
        preview = self.env["mail.link.preview"].create({"source_url": "http://elsewhere.test"})
        values = {
            "mail.message.reaction": {"content": "!", "partner_id": self.ana.partner_id.id},
            "mail.message.link.preview": {"link_preview_id": preview.id},
            "mail.message.schedule": {"scheduled_datetime": "2100-01-01 00:00:00"},
            "mail.message.translation": {"body": "!", "source_lang": "en", "target_lang": "de"},
            "mail.notification": {"res_partner_id": self.ana.partner_id.id},
            "mail.tracking.value": {"field_id": self.env["ir.model.fields"].search([], limit=1).id},
            "mail.mail": {"email_to": "ben@company.test"},
            "mail.message": {"model": "res.partner", "res_id": self.record.id},
        }
        for model, name in parts:
            if model in ("discuss.channel", "discuss.channel.member"):
                continue  # they have tests of their own
            for role, user in self.outsiders.items():
                with self.subTest(model, role=role):
                    part = {name: self.alert.id, **values.get(model, {})}
                    self.assert_refused(user, model, "create", [part])

    def test_nobody_mails_a_message_among_the_alerts(self):
        """Over RPC, Odoo takes any mail from employees, and believes who its sender is."""
        for role, user in self.outsiders.items():
            for sender in (self.super_user, self.env.ref("base.user_root")):
                for to_reply in (True, False):
                    mail = (
                        f"From: {sender.email}\nTo: x@company.test\nSubject: Look here\n"
                        f"Message-Id: <{role}-{sender.id}@elsewhere.test>\n"
                        f"In-Reply-To: {self.alert.message_id}\n\nLook here"
                    )
                    channel = "discuss.channel", mail, None, False, False, self.channel.id
                    call = (False, mail) if to_reply else channel
                    with self.subTest(role, sender=sender.name, to_reply=to_reply):
                        self.assert_refused(user, "mail.thread", "message_process", *call)
                        self.assertEqual(self.channel.message_ids[0], self.alert)

    def test_an_export_of_other_messages_is_odoos_own(self):
        message = self.record.message_post(body="Something else")
        told = self.call(
            self.outsiders["administrator"], "mail.message", "export_data", message.ids, ["body"]
        )
        self.assertIn("Something else", str(told))


@tagged("post_install", "-at_install")
class TestSystemMailsNameStaysHidden(ReadingCase):
    def setUp(self):
        super().setUp()
        self.models = {
            "mail.template": {
                "name": "T",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
            },
            "mail.compose.message": {"model": "res.partner", "res_ids": str(self.record.ids)},
            "mail.message": {"model": "res.partner", "res_id": self.record.id},
        }

    def told(self, user, model, values):
        """What a person reads of a record of theirs that names the server."""
        [id_] = self.call(
            user, model, "create", [{**values, "mail_server_id": self.system_server.id}]
        )
        path = {"mail_server_id": {"fields": {"display_name": {}}}}
        grouped = [("id", "=", id_)], ["mail_server_id"], ["__count"]
        calls = {
            "read": ([id_], ["mail_server_id"]),
            "web_read": ([id_], path),
            "search_read": ([("id", "=", id_)], ["mail_server_id"]),
            "formatted_read_group": grouped,
        }
        return {method: str(self.call(user, model, method, *calls[method])) for method in calls}

    def test_a_record_that_names_the_server_does_not_tell_its_name(self):
        for model, values in self.models.items():
            for role, user in self.outsiders.items():
                if self.env[model].with_user(user).has_access("create"):
                    for method, told in self.told(user, model, values).items():
                        with self.subTest(model, role=role, method=method):
                            self.assertNotIn("hello@", told)
            for told in self.told(self.super_user, model, values).values():
                self.assertIn("hello@company.test", told)

    def test_an_export_tells_it_to_super_users_alone(self):
        template = self.env["mail.template"].create(
            {**self.models["mail.template"], "mail_server_id": self.system_server.id}
        )
        for user in (self.super_user, self.outsiders["administrator"]):
            for paths in (["mail_server_id"], ["mail_server_id", "mail_server_id/name"]):
                with self.subTest(user.name, paths=paths):
                    told = ""
                    with contextlib.suppress(AccessError):
                        told = self.call(user, "mail.template", "export_data", template.ids, paths)
                    assert_told = self.assertIn if user == self.super_user else self.assertNotIn
                    assert_told("hello@company.test", str(told))

    def test_other_servers_keep_their_names(self):
        template = self.env["mail.template"].create(
            {**self.models["mail.template"], "mail_server_id": self.own_server.id}
        )
        for user in self.outsiders.values():
            [told] = self.call(user, "mail.template", "read", template.ids, ["mail_server_id"])
            self.assertEqual(told["mail_server_id"], (self.own_server.id, "ana@company.test"))


@tagged("post_install", "-at_install")
class TestNoRecordTellsItsName(ReadingCase):
    """Odoo reads the name of what a record leads to as superuser, and lets every employee make
    messages, activities and dialogs that lead anywhere.
    """

    def setUp(self):
        super().setUp()
        canary = {"company_id": self.company.id, "address": "canary@company.test"}
        self.backup = self.env["system.mail.backup"].create(canary)

    def guarded(self):
        """A record of each of the models that only Super Users read."""
        for name, model in self.env.registry.items():
            records = self.env[name]
            if name.startswith("system.mail.") and not (model._abstract or model._transient):
                yield records.search([], limit=1) or records.new()

    def test_only_super_users_are_told_a_name(self):
        self.env.flush_all()
        for record in self.guarded():
            for user in (*self.outsiders.values(), self.ana):
                self.assertFalse(record.with_user(user).sudo().display_name, record)
            theirs = record.with_user(self.super_user).display_name
            self.assertEqual(theirs, record.display_name)
        self.assertEqual(self.backup.with_user(self.super_user).display_name, "canary@company.test")

    def told(self, user, model, values):
        """What a person reads of a record that they make."""
        [id_] = self.call(user, model, "create", [values])
        return str(self.call(user, model, "read", [id_]))

    def test_no_record_of_ones_own_tells_it(self):
        for user in (*self.outsiders.values(), self.super_user):
            mine = {"partner_ids": [Command.set(user.partner_id.ids)]}
            [parent] = self.call(user, "mail.message", "create", [{"body": "Hello", **mine}])
            message = {"model": self.backup._name, "res_id": self.backup.id, "parent_id": parent}
            told = [
                self.told(user, "mail.message", message),
                self.told(user, "system.mail.test", {"backup_id": self.backup.id}),
            ]
            is_super_user = user == self.super_user
            self.assertEqual(["canary" in each for each in told], [is_super_user] * 2, told)

    def test_no_activity_keeps_it(self):
        model_id = self.env["ir.model"]._get_id(self.backup._name)
        place = {"res_model_id": model_id, "res_id": self.backup.id}
        for user in self.outsiders.values():
            [mine] = self.call(user, "mail.activity", "create", [{"user_id": user.id}])
            for vals in (place, {"res_model": self.backup._name, "res_id": self.backup.id}):
                with self.assertRaises(ValidationError), self.env.cr.savepoint():
                    self.call(user, "mail.activity", "write", [mine], vals)
            self.assertFalse(self.env["mail.activity"].browse(mine).res_name)

    def test_nobody_is_told_the_name_of_an_application(self):
        providers = self.env["system.mail.oauth.provider"]
        application = providers.search([]).filtered(lambda each: each.is_application())[:1]
        self.env["ir.config_parameter"].set_param("base_setup.default_external_email_server", True)
        user = self.outsiders["employee"]
        values = {"user_id": user.id, "address": user.email}
        [dialog] = self.call(user, "system.mail.connect", "create", [values])
        method = {"method": str(application.id)}
        self.assert_refused(user, "system.mail.connect", "write", [dialog], method)
        self.assert_refused(user, "system.mail.connect", "create", [{**values, **method}])


@tagged("post_install", "-at_install")
class TestErrorsTellNoSecret(HttpCase, ReadingCase):
    """PostgreSQL quotes the whole row that it refuses, and Odoo hands its words on to the
    browser and to the log.
    """

    def test_a_row_that_is_refused_is_not_quoted(self):
        administrator = self.outsiders["administrator"]
        administrator.password = "the administrator's own"
        self.authenticate(administrator.login, "the administrator's own")
        self.own_server.write({"smtp_pass": False, "system_mail_password": "canary"})
        for vals in ({"name": False}, {"smtp_encryption": False}):
            params = {"model": "ir.mail_server", "method": "write", "kwargs": {}}
            params["args"] = [self.own_server.ids, vals]
            with self.subTest(vals), self.assertLogs("odoo", "DEBUG") as log:
                answer = self.url_open(
                    "/web/dataset/call_kw/ir.mail_server/write",
                    data=json.dumps({"params": params}),
                    headers={"Content-Type": "application/json"},
                ).text
                self.assertIn("ValidationError", answer)
                self.assertNotIn("canary", answer)
                self.assertNotIn("canary", "\n".join(log.output))


@tagged("post_install", "-at_install")
class TestNobodyGuesses(ReadingCase):
    """Odoo searches attachments as superuser, by whatever path it is asked."""

    def ask(self, user, start):
        """How many attachments are found by the start of System Mail's password."""
        path = "company_id.system_mail_server_id.smtp_pass"
        asked = [(path, "=like", f"{start}%")]
        return self.call(user, "ir.attachment", "search_count", asked)

    def test_nobody_guesses_a_password_letter_by_letter(self):
        self.system_server.smtp_pass = "canary"  # in Odoo's own column
        self.assertTrue(self.ask(self.env.ref("base.user_root"), "c"))
        for role, user in self.outsiders.items():
            with self.subTest(role), self.assertRaises(AccessError):
                self.ask(user, "c")

    def test_the_mail_queue_asks_for_nobody(self):
        """Which mails it sends may be said in the context; it looks for them as superuser."""
        mail = self.mail()
        mail.mail_message_id.record_company_id = self.company
        portal = self._user(
            "Portal",
            "portal@else.test",
            group_ids=[Command.set(self.env.ref("base.group_portal").ids)],
        )
        secret = "mail_message_id.record_company_id.system_mail_address"
        for user in (portal, *self.outsiders.values()):
            for said in ("hello%", "no such%"):
                context = {"filters": [[secret, "=like", said]]}
                with self.assertRaises(AccessError), self.env.cr.savepoint():
                    self.call(user, "mail.mail", "process_email_queue", context=context)
        context = {"filters": [["subject", "=", "no such"]], "system_mail_queue": [1]}
        for user in (portal, self.outsiders["employee"]):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                self.call(user, "mail.mail", "process_email_queue", context=context)
        administrator = self.outsiders["administrator"]
        self.call(administrator, "mail.mail", "process_email_queue", context=context)
        self.assertFalse(self.received("ben@company.test"))
        context["filters"] = [["subject", "=", "Hello"]]
        self.call(administrator, "mail.mail", "process_email_queue", context=context)
        self.assertEqual(len(self.received("ben@company.test")), 1)

    def test_other_searches_are_odoos_own(self):
        user = self.outsiders["employee"]
        attachment = self.env["ir.attachment"].with_user(user).create({"name": "Mine", "raw": b"x"})
        for domain in (
            [("company_id.name", "=", self.company.name), ("name", "=", "Mine")],
            [("create_uid", "ilike", user.name), ("name", "=", "Mine")],
            [("id", "in", attachment.ids)],
        ):
            with self.subTest(domain):
                self.assertEqual(self.call(user, "ir.attachment", "search", domain), attachment.ids)

    def test_a_visitor_of_a_website_finds_nothing_and_no_error(self):
        attachment = self.env["ir.attachment"].create({"name": "Logo", "raw": b"x", "public": True})
        visitor = attachment.with_user(self.env.ref("base.public_user"))
        self.assertFalse(visitor.search([("id", "in", attachment.ids)]))


@tagged("post_install", "-at_install")
class TestNobodyHasOdooSearch(ReadingCase):
    """By a domain that is kept as text, and that Odoo evaluates as superuser in some models."""

    def test_for_what_only_super_users_may_know(self):
        partner, channel = "res.partner", "discuss.channel"
        told = (
            (partner, "[('company_id.system_mail_address', '=like', 'h%')]"),
            (
                partner,
                "['|', (1, '=', 1), ('company_id', 'any', [('system_mail_scope', '=', 'all')])]",
            ),
            (partner, "[('company_id.sys' 'tem_mail_address', '=', 'x')]"),
            (partner, "[('company_id.\\x73ystem_mail_address', '=', 'x')]"),
            (partner, "[('company_id.sys' + 'tem_mail_address', '=', 'x')]"),
            (partner, "list([('id', '=', 1)])"),
            (partner, "[(f'i{1}d', '=', 1)]"),
            (
                partner,
                "[('id', '=', 1)] + [('user_ids.outgoing_mail_server_id.smtp_user', '=', 'x')]",
            ),
            (partner, "[('channel_ids.message_ids.body', 'like', 'x')]"),
            (channel, "[('message_ids.body', 'like', 'x')]"),
            ("mail.message", "[('body', 'like', 'x')]"),
            ("ir.mail_server", "[('smtp_user', 'like', 'x')]"),
            ("system.mail.event", "[('note', 'like', 'x')]"),
            (partner, "[('company_id', 'ANY', [('system_mail_address', '=', 'x')])]"),
            (partner, "[('channel_ids', 'Any', [('message_ids.body', 'like', 'x')])]"),
            (partner, "[('message_ids.mail_ids.failure_reason', 'like', 'x')]"),
            (partner, "[('id', '=' 'x', 1), ('company_id', 1, [('system_mail_address', '=', 1)])]"),
        )
        for model, domain in told:
            with self.subTest(domain, model=model):
                self.assert_refused(self.outsiders["administrator"], *self.kept(model, domain))
        for model, domain in told[:5]:
            self.call(self.super_user, *self.kept(model, domain))

    def test_for_other_things_it_searches(self):
        harmless = (
            ("res.partner", "[]"),
            (
                "res.partner",
                "[('message_ids.date', '>', '2026-01-01'), ('name', '=', 'system_mail')]",
            ),
            (
                "res.partner",
                "['&', '|', ('user_ids', '!=', False), (1, '=', 1), ('id', 'in', [1, 2])]",
            ),
            ("discuss.channel", "[('name', 'like', 'x')]"),
            ("mail.message", "[]"),
            ("res.partner", "shop.company.test"),
            ("res.partner", "(&(objectCategory=person)(sAMAccountName=%s))"),
        )
        for model, domain in harmless:
            with self.subTest(domain):
                self.call(self.outsiders["administrator"], *self.kept(model, domain))
        self.company.system_mail_address = False
        told = "[('company_id.system_mail_address', '=like', 'h%')]"
        self.call(self.outsiders["administrator"], *self.kept("res.partner", told))

    def kept(self, model, domain):
        """A call that keeps such a domain; this model searches as who asks, as it happens."""
        model_id = self.env["ir.model"]._get_id(model)
        values = {"export_type": "model", "model_id": model_id, "domain": domain}
        return "base.language.export", "create", [values]


@tagged("post_install", "-at_install")
class TestReasonsAreForWhoMayKnow(ReadingCase):
    """``failure_reason`` has what a provider answered, and System Mail's state."""

    def setUp(self):
        super().setUp()
        self.own.fail("auth", reply=ANSWER)
        self.system.fail("auth", reply=ANSWER)
        self.message = self.mention(mail_auto_delete=False)
        self.notification = self.message.sudo().notification_ids
        self.failed = self.message.sudo().mail_ids
        self.notification.failure_reason = ANSWER
        self.notification.write({"notification_status": "exception", "failure_type": "unknown"})
        self.failed.write({"failure_reason": ANSWER, "state": "exception"})

    def told(self, user, records):
        """What a person is told, whatever they call."""
        path = {"failure_reason": {}}
        calls = [
            ("read", records.ids, ["failure_reason"]),
            ("web_read", records.ids, path),
            ("search_read", [("id", "in", records.ids)], ["failure_reason"]),
            ("export_data", records.ids, ["failure_reason"]),
        ]
        return [str(self.call(user, records._name, *call)) for call in calls]

    def test_only_who_wrote_it_and_super_users_read_the_reason(self):
        for user in (self.super_user, self.ana):
            self.ana.group_ids += self.env.ref("base.group_allow_export")
            for told in self.told(user, self.notification):
                self.assertIn("canary", told)
        for told in self.told(self.super_user, self.failed):
            self.assertIn("canary", told)
        administrator = self.outsiders["administrator"]
        told = self.told(administrator, self.failed)
        for user in self.outsiders.values():
            told += self.told(user, self.notification)
            told += [
                self.call(user, "mail.notification", "format_failure_reason", self.notification.ids)
            ]
        for words in told:
            self.assertIn("Only who wrote it and Super Users", words)
            self.assertNotIn("canary", words)

    def test_a_reader_who_changes_the_type_of_their_notification_learns_nothing(self):
        self.ben.group_ids += self.env.ref("base.group_allow_export")
        self.notification.with_user(self.ben).sudo().notification_type = "inbox"
        for told in self.told(self.ben, self.notification):
            self.assertNotIn("canary", told)

    def test_nobody_has_a_notification_of_theirs_tell_of_anothers_mail(self):
        """Odoo writes why a mail failed on each notification that names it."""
        for role, user in self.outsiders.items():
            mine = self.record.with_user(user).message_post(body="Mine")
            named = {"mail_mail_id": self.failed.id}
            mark = {
                "mail_message_id": mine.id,
                "res_partner_id": user.partner_id.id,
                "notification_type": "email",
            }
            with self.subTest(role):
                self.assert_refused(user, "mail.notification", "create", [{**mark, **named}])
                ids = self.call(user, "mail.notification", "create", [mark])
                self.assert_refused(user, "mail.notification", "write", ids, named)
                self.call(user, "mail.notification", "write", ids, {"notification_status": "sent"})

    def test_nobody_makes_a_mail_that_failed_their_own_to_read_why(self):
        administrator = self.outsiders["administrator"]
        mine = self.record.with_user(administrator).message_post(body="Mine")
        for name in {"mail_message_id", "mailing_id"} & self.failed._fields.keys():
            self.assert_refused(
                administrator, "mail.mail", "write", self.failed.ids, {name: mine.id}
            )
        taken = {"mail_ids": [Command.link(self.failed.id)]}
        self.assert_refused(administrator, "mail.message", "write", mine.ids, taken)
        moved = {"mail_message_id": mine.id}
        ids = self.notification.ids
        self.assert_refused(administrator, "mail.notification", "write", ids, moved)

    def test_nobody_asks_for_it_in_pieces(self):
        asked = [("failure_reason", "like", "canary")]
        group = ("formatted_read_group", [], ["failure_reason"], ["__count"])
        total = ("formatted_read_group", [], [], ["failure_reason:array_agg"])
        for user in self.outsiders.values():
            for model in ("mail.notification", "mail.mail"):
                if not self.env[model].with_user(user).has_access("read"):
                    continue
                for call in (
                    ("search", asked),
                    ("search_count", asked),
                    ("search", [], 0, 9, "failure_reason"),
                    group,
                    total,
                ):
                    with self.subTest(user.name, model=model, call=call):
                        self.assert_refused(user, model, *call)
            path = [("notification_ids.failure_reason", "like", "canary")]
            self.assert_refused(user, "mail.message", "search", path)
        self.assertIn(
            self.notification.id,
            self.call(self.super_user, "mail.notification", "search", asked),
        )

    def test_without_system_mail_it_is_odoos_own(self):
        self.company.system_mail_address = False
        user = self.outsiders["employee"]
        for told in self.told(user, self.notification):
            self.assertIn("canary", told)
        self.assertTrue(
            self.call(user, "mail.notification", "search", [("failure_reason", "like", "canary")])
        )

    def test_of_a_company_without_system_mail_it_is_odoos_own(self):
        other = self.env["res.company"].create({"name": "Other"})
        self.ana.company_ids += other
        self.message.sudo().record_company_id = other
        for told in self.told(self.outsiders["employee"], self.notification):
            self.assertIn("canary", told)
