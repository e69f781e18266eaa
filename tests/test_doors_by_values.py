"""Values that Odoo writes as superuser for whoever gives them: those of a template's mail, and
those of the document of mail that comes in. The sender of such mail can be forged.
"""

import math
from decimal import Decimal
from fractions import Fraction
from unittest.mock import patch
from xmlrpc.client import Fault, Marshaller

from odoo import fields
from odoo.exceptions import AccessError, ValidationError
from odoo.fields import Command
from odoo.tests import HttpCase, JsonRpcException, tagged
from odoo.tools import OrderedSet, mute_logger

from ..constants import GROUP, INCOMING, MODULE
from ..tools.numbers import with_numbers
from .test_doors_to_mail import UndecidedCase
from .test_doors_to_read import ReadingCase

REFUSED = "odoo.exceptions.AccessError"
RPC_WARNING, RPC_ACCESS_ERROR = 2, 4


def big_decimal(_marshaller, value, write):
    """How a client of XML-RPC gives a number that Python reads as a Decimal."""
    write(f"<value><bigdecimal>{value}</bigdecimal></value>")


class DoorsByValues(HttpCase, UndecidedCase):
    """Over HTTP: Odoo remembers there who began the transaction."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for user in (*cls.outsiders.values(), cls.super_user):
            user.password = f"{user.login}'s own"
        cls.template = cls.env["mail.template"].create(
            {"name": "T", "model_id": cls.env["ir.model"]._get_id("res.partner"), "subject": "Hi"}
        )

    def setUp(self):
        super().setUp()
        self.channel = self.env.ref("system_mail.channel_alerts")
        self.env["system.mail.alert"].tell_super_users("Look")
        self.alert = self.channel.message_ids[0]
        self.held = self.undecided["held"]

    def rpc(self, model, method, *args, **kwargs):
        params = {"model": model, "method": method, "args": args, "kwargs": kwargs}
        with mute_logger("odoo.http"):
            return self.make_jsonrpc_request(f"/web/dataset/call_kw/{model}/{method}", params)

    def send_template(self, values):
        document = self.template.ids, self.record.id
        return self.rpc("mail.template", "send_mail", *document, email_values=values)

    def receive(self, values, sender):
        mail = f"From: {sender}\nTo: x@company.test\nMessage-Id: <{values}@else.test>\n\nHello"
        return self.rpc("mail.thread", "message_process", "res.partner", mail, values)

    def all_state(self):
        alerts, users = self.channel.message_ids, self.env["res.users"].search([])
        return [
            self.state(),
            self.channel.read(["name", "active"]),
            alerts.read(["body"]),
            users.mapped("email"),
            self.env.ref(GROUP).all_user_ids,
        ]

    def assert_closed(self, call, commands):
        before = self.all_state()
        for role, user in self.outsiders.items():
            self.authenticate(user.login, f"{user.login}'s own")
            for values in commands:
                with self.subTest(role, values=values), self.env.cr.savepoint() as savepoint:
                    with self.assertRaisesRegex(JsonRpcException, REFUSED):
                        call(values)
                    self.env.invalidate_all()
                    self.assertEqual(self.all_state(), before)
                    savepoint.rollback()

    def of_messages(self, name, mail):
        """Commands for a field that has messages, or mails of one."""
        ids = self.alert.id, self.held.id
        yield from ({name: [Command.update(id_, {"body": "Nothing"})]} for id_ in ids)
        yield from (
            {name: [command(id_)]} for id_ in ids for command in (Command.delete, Command.link)
        )
        yield {name: [Command.set(ids)]}
        yield {name: [Command.create({"child_ids": [Command.delete(self.alert.id)]})]}
        yield {name: [Command.create({"mail_ids": [Command.delete(mail.id)]})]}

    def of_any_message(self, name):
        """Commands that make a record beside the new one, which is about another one."""
        for message in (self.alert, self.held):
            mark = {"mail_message_id": message.id, "res_partner_id": self.ben.partner_id.id}
            mail = {"mail_ids": [Command.create({"notification_ids": [Command.create(mark)]})]}
            yield {name: [Command.create(mail)]}
            if "letter_ids" in self.env["mail.message"]._fields:
                letter = {"notification_ids": [Command.create(mark)]}
                yield {name: [Command.create({"letter_ids": [Command.create(letter)]})]}


@tagged("post_install", "-at_install")
class TestDoorsByValues(DoorsByValues):
    def test_values_of_a_templates_mail(self):
        mail, mark = self.mail_of(self.held), self.held.notification_ids
        self.assert_closed(
            self.send_template,
            (
                *self.of_messages("child_ids", mail),
                {"mail_ids": [Command.link(mail.id)]},
                {"mail_ids": [Command.update(mail.id, {"state": "cancel"})]},
                {"mail_ids": [Command.delete(mail.id)]},
                {"notification_ids": [Command.link(mark.id)]},
                {"notification_ids": [Command.update(mark.id, {"notification_status": "sent"})]},
                {"recipient_ids": [Command.update(self.customer.id, {"email": "eve@else.test"})]},
            ),
        )
        self.assert_closed(self.send_template, self.of_any_message("child_ids"))
        links = {"recipient_ids": [Command.link(self.customer.id)], "attachment_ids": []}
        new = {"attachment_ids": [Command.create({"name": "a.txt", "raw": "Hello"})]}
        self.assertTrue(self.send_template({**links, **new}), "what is new is Odoo's to decide")

    def test_values_of_the_document_of_mail_that_comes_in(self):
        super_user = self.super_user.partner_id
        address = {"email": "eve@else.test"}
        for sender in (self.super_user.email, self.env.ref("base.user_root").email):
            self.assert_closed(
                lambda values, sender=sender: self.receive(values, sender),
                (
                    *self.of_messages("message_ids", self.mail_of(self.held)),
                    *self.of_any_message("message_ids"),
                    {"channel_member_ids": [Command.create({"channel_id": self.channel.id})]},
                    {"channel_ids": [Command.update(self.channel.id, {"active": False})]},
                    {"message_partner_ids": [Command.update(super_user.id, address)]},
                    {"child_ids": [Command.update(super_user.id, address)]},
                ),
            )
        self.assertTrue(self.receive({"function": "Buyer"}, "new@else.test"))

    def test_nobody_says_what_system_mail_did(self):
        """As that a mail was sent whose reply is awaited: its mailbox may then not be used."""
        user = self.outsiders["employee"]
        self.authenticate(user.login, f"{user.login}'s own")
        awaited = {
            "system_mail_reply_until": "2100-01-01 00:00:00",
            "system_mail_reply_server_id": self.system_server.id,
        }
        for values in (awaited, {"child_ids": [Command.create({"mail_ids": [[0, 0, awaited]]})]}):
            with self.subTest(values), self.assertRaisesRegex(JsonRpcException, REFUSED):
                self.send_template(values)

    def test_nobody_is_a_super_user_in_mail_that_comes_in(self):
        """An alias, too, has values for new documents."""
        group = Command.link(self.env.ref(GROUP).id)
        login = {"name": "New", "login": "new@else.test", "group_ids": [group]}
        incoming = self.env["res.users"].with_user(self.super_user)
        incoming = incoming.sudo().with_context(**{INCOMING: True})
        with self.assertRaisesRegex(Exception, "only a Super User"), self.env.cr.savepoint():
            incoming.create(login)
        with self.assertRaisesRegex(Exception, "Super User's login"), self.env.cr.savepoint():
            self.super_user.with_env(incoming.env).login = "taken"

    def test_no_mail_that_comes_in_makes_a_thread_of_the_alerts(self):
        values = {"parent_channel_id": self.channel.id, "channel_type": "channel"}
        for user in self.outsiders.values():
            self.authenticate(user.login, f"{user.login}'s own")
            for sender in ("new@else.test", self.env.ref("base.user_root").email):
                mail = f"From: {sender}\nTo: x@company.test\nMessage-Id: <{sender}>\n\nLook here"
                with self.assertRaisesRegex(JsonRpcException, "ValidationError"):
                    self.rpc("mail.thread", "message_process", "discuss.channel", mail, values)
        self.assertFalse(self.channel.sub_channel_ids)

    def test_who_is_named_as_author_adds_no_attachment(self):
        for role, user in self.outsiders.items():
            self.authenticate(user.login, f"{user.login}'s own")
            for title, message in self.undecided.items():
                message.sudo().author_id = user.partner_id
                upload = {"name": "o.exe", "raw": b"x", "res_model": "mail.compose.message"}
                attachment = self.env["ir.attachment"].with_user(user).create(upload)
                data = {
                    "attachment_ids": attachment.ids,
                    "attachment_tokens": [attachment._get_ownership_token()],
                }
                update = {"message_id": message.id, "update_data": data}
                with self.subTest(title, role=role), mute_logger("odoo.http"):
                    with self.assertRaisesRegex(JsonRpcException, REFUSED):
                        self.make_jsonrpc_request("/mail/message/update_content", update)
                    with self.assertRaisesRegex(JsonRpcException, REFUSED):
                        links = {"attachment_ids": [Command.link(attachment.id)]}
                        self.rpc("mail.message", "write", message.ids, links)
                self.assertFalse(message.attachment_ids)


@tagged("post_install", "-at_install")
class TestDoorsByDefaults(ReadingCase):
    """Odoo puts the defaults of the context into the cache of the records that they name, and makes
    some records as OdooBot with the defaults of whom it does so for.
    """

    def setUp(self):
        super().setUp()
        self.env["system.mail.alert"].tell_super_users("Look")
        self.channel = self.env.ref("system_mail.channel_alerts")
        self.alert = self.channel.message_ids[0]
        self.plain = self.outsiders["employee"]
        values = {"system_mail_scope": "all", "system_mail_address": "boss@company.test"}
        companies = {"company_ids": [[1, self.company.id, values]]}
        of_user = {"user_ids": [[1, self.plain.id, companies]]}
        self.changing = [[1, self.plain.partner_id.id, of_user]]

    def compose(self, user, **context):
        values = {"body": "x", "model": "res.partner", "res_ids": str(user.partner_id.ids)}
        return self.call(user, "mail.compose.message", "create", [values], context=context)

    def policy(self):
        self.env.invalidate_all()
        [policy] = self.env["res.company"].system_mail_policies().values()
        return policy.scope, policy.address

    def test_no_default_changes_records_that_exist(self):
        new = {"name": "New", "category_id": [[0, 0, {"partner_ids": self.changing}]]}
        for user in self.outsiders.values():
            for commands in (self.changing, [[2, self.plain.partner_id.id]], [[0, 0, new]]):
                self.env.registry.clear_all_caches()
                with self.assertRaises(AccessError), self.env.cr.savepoint():
                    self.compose(user, default_partner_ids=commands)
                self.assertEqual(self.policy(), ("internal", "hello@company.test"))

    def test_what_others_put_into_the_cache_is_not_kept_for_everybody(self):
        company = self.company.sudo()
        company._fields["system_mail_scope"]._update_cache(company, "all")
        self.env.registry.clear_all_caches()
        [policy] = self.env["res.company"].system_mail_policies().values()
        self.assertEqual(policy.scope, "internal")

    def test_no_default_takes_an_alert(self):
        for user in (*self.outsiders.values(), self.env.ref("base.user_root")):
            for command in ([4, self.alert.id], [6, 0, self.alert.ids]):
                context = {"default_message_ids": [command]}
                with self.assertRaises(AccessError), self.env.cr.savepoint():
                    self.call(user, "res.partner", "create", [{"name": "X"}], context=context)
        self.assertEqual(self.alert.res_id, self.channel.id)

    def test_an_alert_stays_in_its_channel_whoever_moves_it(self):
        mine = self.env["discuss.channel"].with_user(self.plain).create({"name": "Mine"})
        for user in (self.env.ref("base.user_root"), self.super_user):
            for values in ({"res_id": mine.id}, {"model": "res.partner", "res_id": 1}):
                with self.assertRaisesRegex(AccessError, "stays in its channel"):
                    self.alert.with_user(user).write(values)
        self.alert.with_user(self.super_user).write({"res_id": self.channel.id})

    def test_nobody_keeps_such_a_default(self):
        call = "ir.default", "set", "mail.compose.message", "partner_ids"
        self.assert_refused(self.outsiders["administrator"], *call, self.changing)
        self.call(self.outsiders["administrator"], *call, self.plain.partner_id.ids)

    def test_other_defaults_are_odoos_own(self):
        tag = self.env["res.partner.category"].create({"name": "Tag"})
        context = {
            "default_category_id": [[4, tag.id]],
            "default_child_ids": [[0, 0, {"name": "Child", "category_id": [[6, 0, tag.ids]]}]],
        }
        administrator = self.outsiders["administrator"]
        [id_] = self.call(administrator, "res.partner", "create", [{"name": "X"}], context=context)
        made = self.env["res.partner"].browse(id_)
        self.assertEqual((made.category_id, made.child_ids.category_id), (tag, tag))

    def test_without_system_mail_all_are(self):
        self.company.system_mail_server_id = False
        changing = [[1, self.plain.partner_id.id, {"name": "Other"}]]
        self.compose(self.plain, default_partner_ids=changing)


@tagged("post_install", "-at_install")
class TestDoorsByContext(UndecidedCase):
    """Any caller can say that it is an uninstallation."""

    def test_a_contact_that_is_deleted_leaves_an_event_all_the_same(self):
        before = self.events("configured")
        self.call(
            self.outsiders["employee"],
            "res.partner",
            "unlink",
            self.customer.ids,
            context={"_force_unlink": True},
        )
        event = self.events("configured") - before
        self.assertEqual(event.mail_message_id, self.undecided["held"].id)

    def test_a_company_with_activity_is_not_deleted(self):
        company = self.env["res.company"].create({"name": "Second"})
        self.env["system.mail.event"].create({"kind": "test", "company_id": company.id})
        with self.assertRaisesRegex(Exception, "Archive it instead"), self.env.cr.savepoint():
            self.call(
                self.outsiders["administrator"],
                "res.company",
                "unlink",
                company.ids,
                context={"_force_unlink": True},
            )


@tagged("post_install", "-at_install")
class TestDoorsToAnAlert(ReadingCase):
    def test_nobody_makes_an_alert_their_own_message_to_search_it(self):
        self.env["system.mail.alert"].tell_super_users("Look")
        alert = self.env.ref("system_mail.channel_alerts").message_ids[0]
        for role, user in self.outsiders.items():
            mine = self.record.with_user(user).message_post(body="Mine")
            mark = {"res_partner_id": user.partner_id.id, "notification_type": "inbox"}
            ids = self.call(
                user, "mail.notification", "create", [{"mail_message_id": mine.id, **mark}]
            )
            to_alert = {"mail_message_id": alert.id}
            with self.subTest(role):
                self.assert_refused(user, "mail.notification", "write", ids, to_alert)


@tagged("post_install", "-at_install")
class TestIdsAsText(DoorsByValues):
    """PostgreSQL takes the text of a number, or another kind of number, for the number."""

    def each_form(self, id_):
        return str(id_), float(id_), Decimal(id_), id_

    def refused(self, role, *call, **kwargs):
        user = self.outsiders[role]
        self.authenticate(user.login, f"{user.login}'s own")
        before = self.all_state()
        with self.subTest(role, call=call), self.env.cr.savepoint() as savepoint:
            if any(isinstance(id_, Decimal) for id_ in self.ids_in(call)):
                with self.assertRaises(Fault) as refused:
                    self.xml_rpc(user, *call)
                self.assertIn(refused.exception.faultCode, (RPC_WARNING, RPC_ACCESS_ERROR))
            else:
                with self.assertRaisesRegex(JsonRpcException, "AccessError|ValidationError"):
                    self.rpc(*call, **kwargs)
            self.env.invalidate_all()
            self.assertEqual(self.all_state(), before)
            savepoint.rollback()

    def ids_in(self, value):
        if isinstance(value, list | tuple):
            return [id_ for each in value for id_ in self.ids_in(each)]
        return self.ids_in([*value.values()]) if isinstance(value, dict) else [value]

    def xml_rpc(self, user, model, method, *args):
        with (
            patch.dict(Marshaller.dispatch, {Decimal: big_decimal}),
            mute_logger("odoo.http", "odoo.addons.rpc.controllers.xmlrpc"),
        ):
            login = self.env.cr.dbname, user.id, f"{user.login}'s own"
            return self.xmlrpc_object.execute_kw(*login, model, method, args)

    def test_records_of_ours(self):
        name = self.env["ir.model.data"].search([("module", "=", MODULE)], limit=1)
        rule = self.env.ref("system_mail.system_mail_event_rule_company", False)
        rule = rule or self.env["ir.rule"].search([("model_id.model", "=", "system.mail.event")])
        cron = self.env.ref("system_mail.ir_cron_tell")
        for id_ in self.each_form(name.id):
            self.refused("administrator", "ir.model.data", "unlink", [id_])
        for id_ in self.each_form(rule[0].id):
            self.refused("administrator", "ir.rule", "unlink", [id_])
        for id_ in self.each_form(cron.id):
            self.refused("administrator", "ir.cron", "method_direct_trigger", [id_])
            self.refused("administrator", "ir.cron", "write", {str(cron.id): 1}, {"active": False})
        self.assertTrue(name.exists())

    def test_values(self):
        mailbox = {"name": "M", "smtp_host": "x.test", "from_filter": "hello@company.test"}
        for id_ in self.each_form(self.super_user.id):
            values = {"user_id": id_, "state": "todo"}
            self.refused("administrator", "res.users.deletion", "create", [values])
        for id_ in self.each_form(self.super_user.partner_id.id):
            device = {"partner_id": id_, "endpoint": "https://e.test/1", "keys": "{}"}
            self.refused("administrator", "mail.push.device", "create", [device])
        for id_ in self.each_form(self.ben.id):
            values = {**mailbox, "owner_user_id": id_}
            self.refused("administrator", "ir.mail_server", "create", [values])
        own = self.record.with_user(self.outsiders["employee"]).sudo().message_post(body="Mine")
        partner = self.outsiders["employee"].partner_id
        for id_ in self.each_form(self.mail_of(self.held).id):
            mark = {"mail_message_id": own.id, "res_partner_id": partner.id, "mail_mail_id": id_}
            self.refused("employee", "mail.notification", "create", [mark])
        for id_ in self.each_form(self.channel.id):
            thread = {"name": "T", "channel_type": "channel", "parent_channel_id": id_}
            self.refused("employee", "discuss.channel", "create", [thread])
        for id_ in self.each_form(self.alert.id):
            thread = {"name": "T", "channel_type": "channel", "from_message_id": id_}
            self.refused("employee", "discuss.channel", "create", [thread])
            answer = {"body": "A", "parent_id": id_}
            self.refused("employee", "mail.message", "create", [answer])

    def test_ids_are_numbers(self):
        for id_ in ("26", "2_6", " 26", "+26", "0026", "0x1A", 26.0, Decimal("26.0"), Fraction(26)):
            self.assertEqual(self.env["res.partner"].browse([id_]).ids, [26], id_)
        for id_ in ("", "virtual_1"):
            self.assertEqual(self.env["res.partner"].browse([id_])._ids, (id_,), "as in Odoo")
        many = ("2.5", "NaN", "sNaN", "Infinity", "-Infinity", "1E+999999999")
        for id_ in (2.5, math.nan, math.inf, *map(Decimal, many), b"26", fields.Date.today()):
            with self.subTest(id=id_), self.assertRaises(ValidationError):
                self.env["res.partner"].browse([id_])
            with self.subTest(id=id_), self.assertRaises(ValidationError):
                with_numbers(self.env["res.users"], {"partner_id": id_})
        partners = self.env["res.partner"].browse(["26", 26.0])
        self.assertEqual(partners.ids, [26, 26])
        new = (0, "virtual_1", {"name": "New"})
        sets = [(6, 0, {31}), (6, 0, OrderedSet(["32"])), (6, 0, iter([33]))]
        commands = [(4, "26"), (6, 0, ["27", 28.0]), new, [3, 29], ["2", "30"], *sets]
        self.assertEqual(
            with_numbers(self.env["res.users"], {"group_ids": commands, "name": "26"}),
            {
                "group_ids": [
                    *([4, 26], [6, 0, [27, 28]], new, [3, 29], ["2", 30]),
                    *([6, 0, [31]], [6, 0, [32]], [6, 0, [33]]),
                ],
                "name": "26",
            },
            "a code that is text is none",
        )

    def test_nobody_counts_our_records(self):
        portal = self.outsiders.get("portal", self.ben)
        outage = self.env["system.mail.outage"].search([], limit=1).id or 1
        for id_ in (outage, 10**6):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                self.env["res.partner"].with_user(portal).message_notify(
                    body="x",
                    partner_ids=self.ben.partner_id.ids,
                    model="system.mail.outage",
                    res_id=id_,
                )

    def test_nobody_writes_about_a_document_that_they_may_not_read(self):
        group = self.env["discuss.channel"]._create_group(self.ana.partner_id.ids)
        self.employee_composes(self.record)
        with self.assertRaises(AccessError):
            self.employee_composes(group)

    def employee_composes(self, document):
        composer = self.env["mail.compose.message"].with_user(self.outsiders["employee"])
        about = {"model": document._name, "res_ids": str(document.ids)}
        mailing = {"composition_mode": "mass_mail", "subject": "S", "body": "Look here"}
        composer.create({**about, **mailing})._action_send_mail()

    def test_nobody_learns_which_of_our_records_exist(self):
        """Odoo asks that of whatever record a property leads to, as who reads it."""
        event = self.events()[0]
        self.assertEqual(event.with_user(self.super_user).exists(), event)
        for role, user in self.outsiders.items():
            self.assertFalse(event.with_user(user).exists(), role)

    def test_whoever_follows_the_alerts_adds_nothing_to_one(self):
        for role in ("administrator", "employee"):
            user = self.outsiders[role]
            place = {"res_model": self.channel._name, "res_id": self.channel.id}
            self.env["mail.followers"].create({**place, "partner_id": user.partner_id.id})
            self.authenticate(user.login, f"{user.login}'s own")
            reaction = {"message_id": self.alert.id, "content": "It is over.", "action": "add"}
            with self.subTest(role), self.assertRaises(JsonRpcException), mute_logger("odoo.http"):
                self.make_jsonrpc_request("/mail/message/reaction", reaction)
            self.assertFalse(self.alert.reaction_ids)
