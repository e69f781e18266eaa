from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.base.models import ir_mail_server

from .common import SystemMailCase


@tagged("post_install", "-at_install")
class TestRecipients(SystemMailCase):
    """A recipient's own fault is never the mailbox's, and each recipient gets one copy."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cleo = cls._user("Cleo Colleague", "cleo@company.test")
        cls.both = cls.ben.partner_id | cls.cleo.partner_id

    def statuses(self, message):
        """The notifications' states, by the recipients' first names."""
        return {
            notification.res_partner_id.name.split()[0]: notification.notification_status
            for notification in message.notification_ids
        }

    def test_an_unknown_recipient_never_falls_back(self):
        self.own.fail("rcpt", reply="550 5.1.1 No such user here")
        message = self.mention()
        self.assertFalse(self.received("ben@company.test"))
        self.assertFalse(self.system.connections)
        self.assertFalse(self.events())
        notification = message.notification_ids
        self.assertEqual(notification.notification_status, "exception")
        self.assertIn("550", notification.failure_reason)
        self.assertEqual(notification.mail_mail_id.state, "exception")

    def test_an_unknown_recipient_leaves_the_mailbox_connected(self):
        self.mention()
        self.own.fail("rcpt", reply="550 5.1.1 No such user here", recipient="ben@company.test")
        self.mention()
        self.mention(partners=self.cleo.partner_id)
        health = self.health(self.own_server)
        self.assertEqual(health.state, "connected")
        self.assertEqual(health.failure_count, 0)
        self.assertFalse(health.last_failure)
        self.assertEqual(len(self.received("cleo@company.test")), 1)

    def test_a_message_refused_as_too_big_never_falls_back(self):
        self.own.fail("dot", reply="552 5.3.4 Message size exceeds fixed limit")
        message = self.mention()
        self.assertFalse(self.system.connections)
        self.assertEqual(self.statuses(message), {"Ben": "exception"})
        self.assertNotIn(self.health(self.own_server).state, ("unstable", "disconnected"))

    def test_of_two_recipients_the_good_one_still_gets_it_once(self):
        self.own.fail("rcpt", reply="550 5.1.1 No such user", recipient="ben@company.test")
        message = self.mention(partners=self.both)
        self.assertEqual(len(self.received("cleo@company.test")), 1)
        self.assertFalse(self.received("ben@company.test"))
        self.assertFalse(self.system.connections)
        self.assertEqual(self.statuses(message), {"Ben": "exception", "Cleo": "sent"})

    def test_of_two_recipients_the_bad_one_stays_bad_by_system_mail(self):
        self.own.stop()
        self.system.fail("rcpt", reply="550 5.1.1 No such user", recipient="ben@company.test")
        message = self.mention(partners=self.both)
        self.assertEqual(len(self.received("cleo@company.test")), 1)
        self.assertFalse(self.received("ben@company.test"))
        self.assertEqual(self.statuses(message), {"Ben": "exception", "Cleo": "sent"})
        self.assertEqual(self.health(self.system_server).state, "connected")

    def test_a_mailbox_that_dies_between_two_recipients_sends_nobody_twice(self):
        self.own.fail("data", reply="451 4.3.0 Out of space", after=1)
        message = self.mention(partners=self.both)
        copies = self.received("ben@company.test") + self.received("cleo@company.test")
        self.assertEqual(len(copies), 2)
        self.assertEqual(len(self.own.accepted), 1)
        self.assertEqual(len(self.system.accepted), 1)
        self.assertEqual(self.statuses(message), {"Ben": "sent", "Cleo": "sent"})
        self.assertEqual(self.events("fallback").recipient_count, 1)

    def test_a_mail_to_several_addresses_is_carried_for_those_not_yet_accepted(self):
        """Of one SMTP transaction each recipient has a fate of their own."""
        self.own.fail("rcpt", reply="550 5.1.1 No such user", recipient="ben@company.test")
        mail = self.mail(email_to="ben@company.test, cleo@company.test", recipient_ids=False)
        mail.send()
        self.assertEqual(len(self.received("cleo@company.test")), 1)
        self.assertFalse(self.received("ben@company.test"))
        mails = self.env["mail.mail"].search([("message_id", "=", mail.message_id)])
        self.assertEqual(set(mails.mapped("state")), {"exception", "sent"})
        failed = mails.filtered(lambda mail: mail.state == "exception")
        self.assertIn("ben@company.test", failed.email_to)
        self.assertNotIn("cleo@company.test", failed.email_to)

    def test_the_chatter_tells_addresses_apart(self):
        """Those of one transaction that are no contacts."""
        busy = self.own.fail("rcpt", reply="450 4.2.1 Busy", recipient="dan@elsewhere.test")
        self.own.fail("rcpt", reply="550 5.1.1 No such user", recipient="fay@elsewhere.test")
        readers = [f"{name}@elsewhere.test" for name in ("dan", "eva", "fay")]
        message = self.mention(outgoing_email_to=", ".join(readers))

        def statuses():
            told = {n.mail_email_address: n.notification_status for n in message.notification_ids}
            return [told[reader] for reader in readers]

        self.assertEqual(statuses(), ["ready", "sent", "exception"])
        self.own.heal(busy)
        self.run_queue(message.notification_ids.mail_mail_id.filtered("scheduled_date"))
        self.assertEqual(statuses(), ["sent", "sent", "exception"])

    def test_a_retry_of_a_partly_accepted_mail_repeats_nothing(self):
        fault = self.own.fail("rcpt", reply="550 5.1.1 Not yet", recipient="ben@company.test")
        message = self.mention(partners=self.both)
        self.own.heal(fault)
        failed = message.notification_ids.mail_mail_id.filtered(lambda m: m.state == "exception")
        failed.action_retry()
        self.run_queue()
        self.assertEqual(len(self.received("ben@company.test")), 1)
        self.assertEqual(len(self.received("cleo@company.test")), 1)
        self.assertEqual(self.statuses(message), {"Ben": "sent", "Cleo": "sent"})

    def test_those_whom_odoo_did_not_come_to_are_not_lost(self):
        """Another module's error amid a mail, on a healthy mailbox and in a fallback."""
        emil = self._user("Emil Colleague", "emil@company.test")
        build, everybody = ir_mail_server.IrMail_Server._build_email__, self.both | emil.partner_id
        for breaks in (lambda: None, self.own.stop):
            breaks()
            message, built = self.mention_queued(everybody), []

            def fails_at_the_second(*args, built=built, **values):
                built.append(values["email_to"])
                if len(built) == 2:
                    raise RuntimeError("another module's error")
                return build(*args, **values)

            with patch.object(ir_mail_server.IrMail_Server, "_build_email__", fails_at_the_second):
                self.run_queue(message.notification_ids.mail_mail_id)
            self.assertEqual(sorted(self.statuses(message).values()), ["exception"] * 2 + ["sent"])
            failed = message.notification_ids.mail_mail_id.filtered(lambda m: m.recipient_ids)
            self.assertIn("another module's error", failed[0].failure_reason)
            failed.action_retry()
            self.run_queue()
            self.assertEqual(set(self.statuses(message).values()), {"sent"})
            for reader in everybody:
                copies = [d.message["Message-Id"] for d in self.received(reader.email)]
                self.assertEqual(copies.count(message.message_id), 1)

    def mention_queued(self, partners):
        """Ana's mention, in the queue still."""
        return self.mention(partners=partners, force_send=False)

    def test_a_busy_recipient_waits_at_the_same_mailbox(self):
        fault = self.own.fail("rcpt", reply="450 4.2.1 Mailbox busy, try again later")
        message = self.mention()
        self.assertEqual(self.statuses(message), {"Ben": "ready"})
        self.assertFalse(self.system.connections)
        self.own.heal(fault)
        self.run_queue(message.notification_ids.mail_mail_id)
        self.assertEqual(len(self.own.accepted), 1)
        self.assertEqual(self.statuses(message), {"Ben": "sent"})

    def test_a_partner_with_two_addresses_who_waits_is_not_said_to_have_failed(self):
        self.ben.partner_id.email = "ben@company.test, ben.second@company.test"
        bad = self.own.fail("rcpt", reply="550 5.1.1 Not yet", recipient="ben@company.test")
        busy = self.own.fail("rcpt", reply="450 4.2.1 Busy", recipient="ben.second@company.test")
        message = self.mention()
        [mail] = self.env["mail.mail"].search([("message_id", "=", message.message_id)])
        self.assertEqual(mail.state, "outgoing")
        self.own.heal(bad, busy)
        self.run_queue(mail)
        for address in ("ben@company.test", "ben.second@company.test"):
            self.assertEqual(len(self.received(address)), 1)
        self.assertEqual(message.notification_ids.notification_status, "sent")

    def test_an_address_where_it_is_uncertain_is_held_and_the_partners_other_one_waits(self):
        pia = self.env["res.partner"].create(
            {"name": "Pia", "email": "pia@elsewhere.test, pia.second@elsewhere.test"}
        )
        busy = self.own.fail("rcpt", reply="452 4.2.2 Full", recipient="pia.second@elsewhere.test")
        lost = self.own.fail("dot", action="drop")
        message = self.mention(partners=pia)
        self.own.heal(busy, lost)
        mails = self.env["mail.mail"].search([("message_id", "=", message.message_id)])
        [held] = mails.filtered(lambda mail: mail.state == "exception")
        self.assertEqual((held.email_to, held.recipient_ids.ids), ("pia@elsewhere.test", []))
        self.assertEqual(message.notification_ids.failure_type, "system_mail_held")
        self.run_queue(mails - held)
        self.assertEqual(len(self.received("pia.second@elsewhere.test")), 1)
        self.assertEqual(message.notification_ids.failure_type, "system_mail_held")
        message.with_user(self.ana).action_system_mail_send_again()
        self.run_queue(held)
        self.assertEqual(len(self.received("pia@elsewhere.test")), 1)
        self.assertEqual(len(self.received("pia.second@elsewhere.test")), 1, "it has it already")
        self.assertEqual(message.notification_ids.notification_status, "sent")

    def test_an_address_that_is_none_fails_as_in_odoo(self):
        self.ben.partner_id.email = "nobody at all"
        message = self.mention(partners=self.both)
        self.assertEqual(self.statuses(message), {"Ben": "exception", "Cleo": "sent"})
        self.assertFalse(self.events())
