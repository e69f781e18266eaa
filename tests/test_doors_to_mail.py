"""What becomes of mail that is held or waits: who wrote it, or a Super User, decides, by whatever
door others try.
"""

import base64
import json

from odoo import fields
from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from .test_doors_to_read import ReadingCase

MAIL, MESSAGE, NOTIFICATION = "mail.mail", "mail.message", "mail.notification"
BOUNCE = """\
From: MAILER-DAEMON@elsewhere.test
To: bounce@company.test
Message-Id: <{title}@elsewhere.test>
Subject: Undeliverable
Content-Type: multipart/report; report-type=delivery-status; boundary=part

--part
Content-Type: text/plain

No such mailbox
--part
Content-Type: message/delivery-status

Reporting-MTA: dns; elsewhere.test

Final-Recipient: rfc822; {address}
Action: failed
Status: 5.1.1

--part
Content-Type: text/rfc822-headers

Message-Id: {message_id}

--part--
"""


class UndecidedCase(ReadingCase):
    """Ana wrote to a customer, and her line was lost after the dot: it is held. Another message of
    hers, to Ben, waits. Each was also sent to those who attack.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.customer = cls.env["res.partner"].create({"name": "C", "email": "c@elsewhere.test"})

    def setUp(self):
        super().setUp()
        self.own.fail("dot", action="drop", accept=True, times=1)
        held = self.mention(partners=self.customer)
        self.own.fail("auth", reply="454 4.7.0 Temporary failure")
        self.system.fail("auth", reply="454 4.7.0 Temporary failure")
        waiting = self.mention()
        self.undecided = {"held": held, "waiting": waiting}
        for message in self.undecided.values():  # everybody named may write to a message
            message.partner_ids += self.env["res.users"].union(*self.outsiders.values()).partner_id
        self.assertEqual(self.mail_of(held).failure_type, "system_mail_held")
        self.assertEqual(self.mail_of(waiting).state, "outgoing")

    def mail_of(self, message):
        return self.env[MAIL].search([("mail_message_id", "=", message.id)])

    def attach(self, message):
        """A file of Ana's on the document, as the chatter keeps it, that the message has."""
        attachment = self.env["ir.attachment"].create(
            {
                "name": "offer.txt",
                "raw": b"Ana's",
                "res_model": self.record._name,
                "res_id": self.record.id,
            }
        )
        message.attachment_ids += attachment
        return attachment

    def state(self):
        """What is kept of the messages, fresh from the database."""
        self.env.flush_all()
        self.env.cr.execute(
            """SELECT to_jsonb(m) - 'write_date' - 'write_uid', to_jsonb(n), to_jsonb(r),
                      to_jsonb(t) - 'write_date' - 'write_uid', to_jsonb(p),
                      to_jsonb(a) - 'write_date' - 'write_uid'
                 FROM mail_message t
            LEFT JOIN mail_mail m ON m.mail_message_id = t.id
            LEFT JOIN mail_notification n ON n.mail_message_id = t.id
            LEFT JOIN mail_mail_res_partner_rel r ON r.mail_mail_id = m.id
            LEFT JOIN mail_message_res_partner_rel p ON p.mail_message_id = t.id
            LEFT JOIN message_attachment_rel f ON f.message_id = t.id
            LEFT JOIN ir_attachment a ON a.id = f.attachment_id
                WHERE t.id = ANY(%s)""",
            [[message.id for message in self.undecided.values()]],
        )
        return sorted(map(str, self.env.cr.fetchall()))

    def assert_closed(self, call):
        """Nobody but who wrote it and a Super User gets through, and nothing changes.

        :param call: of a message, what to call: model, method and arguments
        """
        for title, message in self.undecided.items():
            before = self.state()
            for role, user in self.outsiders.items():
                with self.subTest(title, role=role):
                    self.assert_refused(user, *call(message))
                    self.assertEqual(self.state(), before)

    def assert_decision(self, call):
        """The same call by a Super User is done, and is an event."""
        for title, message in self.undecided.items():
            before = self.events("configured")
            with self.subTest(title, role="super user"):
                self.call(self.super_user, *call(message))
                events = self.events("configured") - before
                self.assertEqual(events.user_id, self.super_user)
                self.assertEqual(set(events.mapped("mail_message_id")), {message.id})


@tagged("post_install", "-at_install")
class TestMailThatIsUndecided(UndecidedCase):
    def test_nobody_deletes_its_message(self):
        for user in self.outsiders.values():
            user.group_ids += self.env.ref("base.group_partner_manager")

        def delete(message):
            return MESSAGE, "unlink", message.ids

        self.assert_closed(delete)
        self.assert_decision(delete)

    def test_a_document_that_is_deleted_leaves_an_event(self):
        before, messages = self.events("configured"), [*self.undecided.values()]
        ids = [message.id for message in messages]
        self.outsiders["employee"].group_ids += self.env.ref("base.group_partner_manager")
        self.call(self.outsiders["employee"], "res.partner", "unlink", self.record.ids)
        events = self.events("configured") - before
        self.assertEqual(sorted(events.mapped("mail_message_id")), sorted(ids))
        self.assertEqual(events.user_id, self.outsiders["employee"])

    def test_nobody_changes_or_deletes_its_mail(self):
        mine = self.record.with_user(self.outsiders["administrator"]).message_post(body="Mine")
        for values in (
            {"mail_message_id": mine.id},
            {"recipient_ids": [Command.link(self.ana.partner_id.id)]},
            {"email_to": "eve@elsewhere.test"},
            {"email_cc": "eve@elsewhere.test"},
            {"body_html": "Something else"},
            {"headers": "{'Bcc': 'eve@elsewhere.test'}"},
            {"scheduled_date": "2100-01-01 00:00:00"},
            {"failure_reason": False},
            {"failure_type": "unknown"},
            {"state": "cancel"},
            {"subject": "Something else"},
            {"email_from": "eve@elsewhere.test"},
        ):
            self.assert_closed(
                lambda m, values=values: (MAIL, "write", self.mail_of(m).ids, values)
            )
        for method in ("cancel", "unlink", "mark_outgoing"):
            self.assert_closed(lambda m, method=method: (MAIL, method, self.mail_of(m).ids))
        self.assert_decision(lambda m: (MAIL, "cancel", self.mail_of(m).ids))

    def test_nobody_makes_another_mail_of_its_message(self):
        forged = {"email_to": "ben@company.test", "body_html": "<p>Forged</p>"}
        lost = {**forged, "auto_delete": True, "is_notification": False}
        sent = self.record.with_user(self.ana).message_post(body="Anything")
        for values in (forged, lost):
            self.assert_closed(
                lambda m, values=values: (MAIL, "create", [{"mail_message_id": m.id, **values}])
            )
            for role, user in self.outsiders.items():
                with self.subTest("a message that has arrived", role=role):
                    of_ana = {"mail_message_id": sent.id, **values}
                    self.assert_refused(user, MAIL, "create", [of_ana])
        administrator = self.outsiders["administrator"]
        own = self.record.with_user(administrator).message_post(body="Mine")
        self.call(administrator, MAIL, "create", [{"mail_message_id": own.id, **forged}])
        self.call(administrator, MAIL, "create", [{"subject": "Of its own", **forged}])

    def test_nobody_has_odoo_notify_of_its_message_once_more(self):
        """Somebody follows the document by now: they would get a mail of it."""
        follower = self.env["res.partner"].create({"name": "F", "email": "f@elsewhere.test"})
        self.record.message_subscribe(follower.ids)
        model, due = "mail.message.schedule", {"scheduled_datetime": "2020-01-01 00:00:00"}

        def schedule(message):
            return self.env[model].create({"mail_message_id": message.id, **due})

        self.assert_closed(lambda m: (model, "force_send", schedule(m).ids))
        self.assert_decision(lambda m: (model, "force_send", schedule(m).ids))
        later = {"subtype_xmlid": "mail.mt_comment", "scheduled_date": "2100-01-01 00:00:00"}
        own = self.record.with_user(self.ana).sudo().message_post(body="Mine", **later)
        self.call(self.outsiders["administrator"], model, "force_send", schedule(own).ids)
        self.assertIn(follower, own.notification_ids.res_partner_id)

    def test_nobody_adds_a_mark_to_its_message(self):
        for values in (
            {"notification_status": "sent"},
            {"notification_status": "exception", "failure_type": "mail_bounce"},
        ):
            mark = {"notification_type": "email", "mail_email_address": "x@else.test", **values}
            self.assert_closed(
                lambda m, mark=mark: (NOTIFICATION, "create", [{"mail_message_id": m.id, **mark}])
            )
        other = self.record.message_post(body="Sent long ago")
        mark["mail_message_id"] = other.id
        self.call(self.outsiders["administrator"], NOTIFICATION, "create", [mark])

    def test_nobody_sends_what_is_due_in_another_way(self):
        """An error that Odoo tells names System Mail's server, and says what its provider said."""
        waiting, administrator = self.undecided["waiting"], self.outsiders["administrator"]
        mail = self.mail_of(waiting)
        mail.scheduled_date = False
        send = MAIL, "send", mail.ids
        self.assert_refused(administrator, *send, False, True)
        other = self.mail(author=self.ana)
        with self.assertRaises(MailDeliveryException) as caught:
            self.call(administrator, MAIL, "send", other.ids, False, True)
        self.assertNotIn("454", str(caught.exception))
        self.assertNotIn("hello@", str(caught.exception))
        with self.assertRaisesRegex(MailDeliveryException, "454"):
            self.mail(author=self.ana).with_user(self.ana).sudo().send(raise_exception=True)

    def test_nobody_has_it_sent_twice(self):
        """An error after the mail has left would take back that it was sent."""
        administrator = self.outsiders["administrator"]
        mail = self.mail_of(self.undecided["waiting"])
        mail.scheduled_date = False
        self.system.heal()
        self.env["system.mail.health"].search([]).unlink()
        before = len(self.received("ben@company.test"))
        self.call(administrator, MAIL, "send", [mail.id, mail.id], False, False, "no function")
        self.assertEqual(len(self.received("ben@company.test")), before + 1)

    def test_nobody_gives_a_mail_of_theirs_its_message(self):
        administrator = self.outsiders["administrator"]
        forged = {"email_to": "ben@company.test", "body_html": "<p>Forged</p>"}
        mail = self.call(administrator, MAIL, "create", [forged])
        self.assert_closed(lambda m: (MAIL, "write", mail, {"mail_message_id": m.id}))
        as_superuser = self.env[MAIL].browse(mail).with_user(administrator).sudo()
        for message in self.undecided.values():
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                as_superuser.mail_message_id = message

    def test_a_mark_that_a_module_changes_for_somebody_leaves_an_event(self):
        """As where a text message is said to have arrived."""
        for message in self.undecided.values():
            before = self.events("configured")
            marks = message.notification_ids.with_user(self.outsiders["employee"]).sudo()
            marks.write({"notification_status": "sent", "failure_type": False})
            events = self.events("configured") - before
            self.assertEqual(set(events.mapped("mail_message_id")), {message.id})

    def test_a_module_that_changes_its_message_leaves_an_event(self):
        """As CRM does with the messages of leads that somebody merges, as superuser."""
        for message in self.undecided.values():
            for values in ({"subject": "Else"}, {"body": "Else"}, {"author_id": False}):
                before, user = self.events("configured"), self.outsiders["employee"]
                message.with_user(user).sudo().write(values)
                events = self.events("configured") - before
                with self.subTest(values):
                    self.assertEqual(events.mail_message_id, message.id)
                    self.assertEqual(events.user_id, user)

    def test_nobody_makes_its_notification_that_of_something_else(self):
        """What becomes of a letter, or of a text message, is written on it as superuser."""
        fields_of_others = [
            name
            for name, field in self.env[NOTIFICATION]._fields.items()
            if field.relational and field.store and not {"mail", "base"} & {*field._modules}
        ]
        for name in fields_of_others:
            self.assert_closed(
                lambda m, name=name: (NOTIFICATION, "write", m.notification_ids.ids, {name: False})
            )

    def test_nobody_reaches_its_mail_by_its_message(self):
        user = self.outsiders["administrator"]
        for command in (
            lambda mail: Command.delete(mail.id),
            lambda mail: Command.update(mail.id, {"state": "cancel"}),
            lambda _mail: Command.clear(),
        ):
            for message in self.undecided.values():
                values = {"mail_ids": [command(self.mail_of(message))]}
                before = self.state()
                self.assert_refused(user, MESSAGE, "write", message.ids, values)
                self.assertEqual(self.state(), before)
        mine = self.record.with_user(user).message_post(body="Mine")
        for message in self.undecided.values():
            values = {"mail_ids": [Command.link(self.mail_of(message).id)]}
            self.assert_refused(user, MESSAGE, "write", mine.ids, values)

    def test_nobody_changes_what_its_message_says(self):
        for values in (
            {"subject": "Something else"},
            {"body": "Something else"},
            {"email_from": "eve@elsewhere.test"},
            {"reply_to": "eve@elsewhere.test"},
            {"author_id": self.ben.partner_id.id},
            {"message_id": "<other@elsewhere.test>"},
            {"mail_server_id": self.own_server.id},
            {"notified_partner_ids": [Command.clear()]},
            {"partner_ids": [Command.clear()]},
        ):
            self.assert_closed(lambda m, values=values: (MESSAGE, "write", m.ids, values))
        self.assert_decision(lambda m: (MESSAGE, "write", m.ids, {"subject": "Better"}))

    def test_nobody_changes_or_deletes_what_is_attached(self):
        attached = {message: self.attach(message) for message in self.undecided.values()}
        for values in (
            {"datas": base64.b64encode(b"Something else")},
            {"name": "other.exe"},
            {"mimetype": "text/html"},
            {"type": "url", "url": "https://elsewhere.test"},
        ):
            self.assert_closed(
                lambda m, values=values: ("ir.attachment", "write", attached[m].ids, values)
            )
        self.call(
            self.outsiders["employee"],
            "ir.attachment",
            "write",
            [attachment.id for attachment in attached.values()],
            {"description": "What is not sent"},
        )

        def delete(message):
            return "ir.attachment", "unlink", attached[message].ids

        self.assert_closed(delete)
        self.assert_decision(delete)

    def test_a_bounce_that_anybody_can_forge_leaves_an_event(self):
        forger = self.outsiders["employee"]
        for title, message in self.undecided.items():
            [mark] = message.notification_ids
            before = self.events("configured")
            bounce = BOUNCE.format(
                address=mark.res_partner_id.email, message_id=message.message_id, title=title
            )
            self.call(forger, "mail.thread", "message_process", "res.partner", bounce)
            self.assertEqual(mark.notification_status, "bounce")
            event = self.events("configured") - before
            self.assertEqual(event.user_id, forger)
            self.assertEqual(event.mail_message_id, message.id)

    def test_nobody_hides_its_mark(self):
        recipient = self.outsiders["administrator"]  # who may write and delete their own
        for message in self.undecided.values():
            mark = message.notification_ids
            self.env.cr.execute(
                "UPDATE mail_notification SET res_partner_id = %s WHERE id = ANY(%s)",
                [recipient.partner_id.id, mark.ids],
            )
            self.env.invalidate_all()
            for values in (
                {"notification_status": "sent"},
                {"failure_type": False},
                {"failure_reason": "x"},
                {"mail_mail_id": False},
                {"author_id": recipient.partner_id.id},
                {"notification_type": "inbox"},
            ):
                with self.subTest(values):
                    self.assert_refused(recipient, NOTIFICATION, "write", mark.ids, values)
            self.assert_refused(recipient, NOTIFICATION, "unlink", mark.ids)
            self.call(recipient, NOTIFICATION, "write", mark.ids, {"is_read": True})
            self.call(recipient, MESSAGE, "set_message_done", message.ids)

    def test_nobody_makes_a_false_mark(self):
        message = self.record.with_user(self.ana).sudo().message_post(body="Of no interest")
        for user in self.outsiders.values():
            for mark in ("system_mail_held", "system_mail_waiting"):
                values = {
                    "mail_message_id": message.id,
                    "res_partner_id": user.partner_id.id,
                    "notification_type": "email",
                    "notification_status": "exception",
                }
                false = {**values, "failure_type": mark}
                self.assert_refused(user, NOTIFICATION, "create", [false])
                with self.assertRaisesRegex(AccessError, "Only who wrote"), self.env.cr.savepoint():
                    self.call(
                        user,
                        NOTIFICATION,
                        "create",
                        [values],
                        context={"default_failure_type": mark},
                    )
                with self.env.cr.savepoint() as savepoint:
                    ids = self.call(user, NOTIFICATION, "create", [values])
                    self.assert_refused(user, NOTIFICATION, "write", ids, {"failure_type": mark})
                    savepoint.rollback()

    def test_who_wrote_it_changes_and_deletes_it(self):
        for message in self.undecided.values():
            self.call(self.ana, MESSAGE, "write", message.ids, {"subject": "Better"})
            self.assertEqual(self.mail_of(message).subject, "Better")
        self.ana.group_ids += self.env.ref("base.group_partner_manager")
        for message in self.undecided.values():
            self.call(self.ana, MESSAGE, "unlink", message.ids)

    def test_nobody_sends_it_before_its_time(self):
        waiting = self.mail_of(self.undecided["waiting"])
        self.assert_refused(self.outsiders["administrator"], MAIL, "send", waiting.ids)
        for user in self.outsiders.values():  # Odoo sends as superuser there
            self.assert_refused(user, MAIL, "send_after_commit", waiting.ids)
        self.call(self.outsiders["administrator"], MAIL, "process_email_queue")
        self.assertEqual(waiting.system_mail_attempts, 1)
        self.call(self.super_user, MAIL, "send", waiting.ids)
        self.assertEqual(waiting.system_mail_attempts, 2)

    def test_what_its_server_may_still_confirm_is_undecided(self):
        waiting = self.undecided["waiting"]
        mail = self.mail_of(waiting)
        until = fields.Datetime.add(fields.Datetime.now(), minutes=5)
        not_yet = {"failure_reason": False, "scheduled_date": until}
        mail.write({**not_yet, "system_mail_reply_until": until})
        administrator = self.outsiders["administrator"]
        for call in (("cancel",), ("unlink",), ("write", {"system_mail_reply_until": False})):
            with self.subTest(call):
                self.assert_refused(administrator, MAIL, call[0], mail.ids, *call[1:])
        for user in self.outsiders.values():
            self.assert_refused(user, MESSAGE, "write", waiting.ids, {"subject": "Mine"})

    def test_an_administrator_still_runs_the_queue(self):
        self.own.heal()
        self.system.heal()
        self.env["system.mail.health"].search([]).unlink()
        waiting = self.mail_of(self.undecided["waiting"])
        waiting.scheduled_date = False
        everybody = {"send_smtp_skip_to": ["ben@company.test"]}
        self.call(self.outsiders["administrator"], MAIL, "process_email_queue", context=everybody)
        self.assertEqual(len(self.received("ben@company.test")), 1)

    def test_who_is_named_as_author_decides_on_nothing_in_the_connect_dialog(self):
        since = {"outage_since": "2000-01-01 00:00:00"}
        for role, user in self.outsiders.items():
            self.undecided["held"].sudo().author_id = user.partner_id
            before = self.state()
            values = {"user_id": user.id, "address": user.email, **since}
            ids = self.call(user, "system.mail.connect", "create", [values])
            names = ["held_count", "held_list", "doubtful_count", "doubtful_list"]
            [told] = self.call(user, "system.mail.connect", "read", ids, names)
            with self.subTest(role):
                self.assertEqual([told[name] for name in names], [0, "", 0, ""])
                for method in ("action_discard_held", "action_send_held"):
                    self.call(user, "system.mail.connect", method, ids)
                    self.assertEqual(self.state(), before)
        values = {"user_id": self.ana.id, "address": self.ana.email, **since}
        ids = self.call(self.ana, "system.mail.connect", "create", [values])
        [told] = self.call(self.ana, "system.mail.connect", "read", ids, ["doubtful_count"])
        self.assertEqual(told["doubtful_count"], 1)
        before = self.state()
        self.call(self.ana, "system.mail.connect", "action_discard_held", ids)
        self.assertEqual(self.state(), before, "one by one, in its document")

    def test_dismissing_all_failures_keeps_what_is_held(self):
        failed = self.mention()
        failed.notification_ids.write(
            {"notification_status": "exception", "failure_type": "mail_smtp"}
        )
        held = self.undecided["held"]
        self.call(self.ana, "res.partner", "notify_cancel_by_type", "email")
        self.assertEqual(failed.notification_ids.notification_status, "canceled")
        self.assertEqual(held.notification_ids.notification_status, "exception")
        self.call(self.ana, MESSAGE, "action_system_mail_drop", held.ids)
        self.assertEqual(held.notification_ids.notification_status, "canceled")

    def test_a_contact_that_is_deleted_leaves_an_event(self):
        before, held = self.events("configured"), self.undecided["held"]
        self.call(self.outsiders["employee"], "res.partner", "unlink", self.customer.ids)
        event = self.events("configured") - before
        self.assertEqual(event.user_id, self.outsiders["employee"])
        self.assertEqual(event.mail_message_id, held.id)

    def test_nobody_sends_a_template_as_anothers_message(self):
        template = self.env["mail.template"].create(
            {
                "name": "T",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
                "subject": "Something else",
            }
        )
        as_held = {"email_values": {"mail_message_id": self.undecided["held"].id}}
        before = self.state()
        for user in self.outsiders.values():
            for args in ((), (False, False, as_held["email_values"])):
                send = ("mail.template", "send_mail", template.ids, self.record.id, *args)
                with self.assertRaisesRegex(AccessError, "wrote"), self.env.cr.savepoint():
                    self.call(user, *send, **({} if args else as_held))
            self.assertEqual(self.state(), before)
            self.call(user, "mail.template", "send_mail", template.ids, self.record.id)


@tagged("post_install", "-at_install")
class TestMailThatIsUndecidedInTheChatter(HttpCase, UndecidedCase):
    """What the chatter does as superuser."""

    def rpc(self, user, url, **params):
        """The error's name, or None."""
        user.password = f"{user.login}'s own"
        self.authenticate(user.login, f"{user.login}'s own")
        headers = {"Content-Type": "application/json"}
        answer = self.url_open(url, data=json.dumps({"params": params}), headers=headers).json()
        self.env.invalidate_all()
        return answer.get("error", {}).get("data", {}).get("name")

    def assert_only_super_users(self, url, params):
        """Nobody gets through but a Super User, whose change is an event.

        :param params: of a message and a user, what to call with
        """
        for title, message in self.undecided.items():
            for role in ("access rights", "administrator"):
                user = self.outsiders[role]
                values = params(message, user)
                before = self.state()
                with self.subTest(title, role=role), mute_logger("odoo.http"):
                    error = self.rpc(user, url, **values)
                    self.assertEqual(error, "odoo.exceptions.AccessError")
                    self.assertEqual(self.state(), before)
            before = self.events("configured")
            self.assertIsNone(self.rpc(self.super_user, url, **params(message, self.super_user)))
            events = self.events("configured") - before
            self.assertEqual(events.user_id, self.super_user)
            self.assertEqual(set(events.mapped("mail_message_id")), {message.id})

    def test_nobody_edits_its_message(self):
        def content(message, user):
            upload = {"name": "other.exe", "raw": b"x", "res_model": "mail.compose.message"}
            attachment = self.env["ir.attachment"].with_user(user).sudo().create(upload)
            data = {
                "body": "Something else",
                "attachment_ids": attachment.ids,
                "attachment_tokens": [attachment._get_ownership_token()],
            }
            return {"message_id": message.id, "update_data": data}

        self.assert_only_super_users("/mail/message/update_content", content)

    def test_nobody_deletes_what_is_attached(self):
        attached = {message: self.attach(message) for message in self.undecided.values()}
        self.assert_only_super_users(
            "/mail/attachment/delete",
            lambda message, _user: {"attachment_id": attached[message].id},
        )
