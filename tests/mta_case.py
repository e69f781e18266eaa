"""The ground that the tests of real mail servers stand on."""

import unittest

from odoo.tools import mute_logger

from .common import SystemMailCase
from .mta_lab import MtaLab, Unavailable

LOGINS = {"ana@company.test": "secret", "hello@company.test": "neutral"}
CONNECTED = ("connected", None)


class MtaCase(SystemMailCase):
    """Ana's mailbox, or System Mail, is at a Postfix, Exim or Dovecot; whatever is not, is at the
    scripted servers of `smtp_lab`, as in the other tests::

        self.author_at(self.mtas.postfix(queue_minfree="1000000000000"))
        self.assert_carried("452 4.3.1 Insufficient system storage", "unstable", "temporary")

    What a server answers is a regular expression, searched in code, enhanced code and text.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.mtas = cls.enterClassContext(MtaLab(LOGINS))
        except Unavailable as error:
            raise unittest.SkipTest(str(error)) from None
        cls.cleo = cls._user("Cleo Reader", "cleo@company.test")

    def setUp(self):
        super().setUp()
        self.blame = CONNECTED  # of Ana's mailbox, where what becomes of the mail blames nobody

    def author_at(self, server):
        """Ana's mailbox is at this server."""
        self.own = self._move(self.own_server, server)

    def system_mail_at(self, server):
        """System Mail is at this server, and Ana's own mailbox rejects her password."""
        self.system = self._move(self.system_server, server)
        self.own.logins["ana@company.test"] = "changed"
        self.blame = ("disconnected", "password_rejected")

    def _move(self, mailbox, server):
        mailbox.write({"smtp_host": server.host, "smtp_port": server.port})
        self.servers.append(server)
        return server

    # --- what becomes of Ana's mention of Ben

    def assert_sent(self):
        """By Ana's own mailbox: what the other tests change is what makes the difference."""
        message = self.mention()
        [accepted] = self.received(self.ben.email)
        self.assertIn(accepted, self.own.accepted)
        self.assertEqual(accepted.message["Message-Id"], message.message_id)
        self.assertFalse(self.events())
        self.assertEqual(self.known_of(self.own_server), CONNECTED)

    def assert_carried(self, answer, state, rule):
        """By System Mail, once, since Ana's server gave that answer; her mailbox is judged."""
        self.assert_arrives_once_by_system_mail(self.mention())
        [event] = self.events("fallback")
        self.assertRegex(_said(event), answer)
        self.assertEqual(self.known_of(self.own_server), (state, rule))

    def assert_carried_without_blame(self, answer):
        """By System Mail, once; whose fault it was, nobody knows."""
        self.assert_carried(answer, *CONNECTED)

    def assert_fails(self, *answers):
        """For good, with the answer of each server that was asked; none of them is blamed."""
        message = self.mention()
        self.assertFalse(self.received(self.ben.email))
        notification = message.notification_ids
        self.assertEqual(notification.notification_status, "exception")
        for answer in answers:
            self.assertRegex(notification.failure_reason, f"(?s){answer}")
        self.assertFalse(self.events("fallback"))
        self.assertEqual(self.known_of(self.own_server), self.blame)
        self.assertEqual(self.known_of(self.system_server), CONNECTED)

    def assert_waits(self):
        """For its next try, and no server is blamed; returns the message."""
        message = self._mention_that_waits()
        self.assertEqual(self.known_of(self.own_server), self.blame)
        self.assertEqual(self.known_of(self.system_server), CONNECTED)
        return message

    def assert_waits_for_system_mail(self, answer, state, rule):
        """Since it gave that answer, and is to blame; returns the message."""
        message = self._mention_that_waits()
        self.assertRegex(_said(self.health(self.system_server)), answer)
        self.assertEqual(self.known_of(self.own_server), self.blame)
        self.assertEqual(self.known_of(self.system_server), (state, rule))
        return message

    def _mention_that_waits(self):
        message = self.mention()
        self.assertFalse(self.received(self.ben.email))
        notification = message.notification_ids
        self.assertEqual(notification.notification_status, "ready")
        self.assertEqual(notification.failure_type, "system_mail_waiting")
        self.assertEqual(len(self.events("deferred")), 1)
        self.assertTrue(self._waiting(message).scheduled_date)
        return message

    def assert_arrives_later(self, message, server):
        """What waits is sent at its next try, by that server."""
        self.env["system.mail.health"].search([]).next_probe_at = "2020-01-01"
        self.env.ref("system_mail.ir_cron_probe").method_direct_trigger()
        self.run_queue(self._waiting(message))
        [accepted] = self.received(self.ben.email)
        self.assertIn(accepted, server.accepted)
        self.assertEqual(message.notification_ids.notification_status, "sent")

    def assert_bounced(self, message, bounce):
        """The bounce marks the message, blames no mailbox and becomes no document."""
        self.assertEqual(bounce.rcpt_to, ("hello@company.test",))
        before = self.known_of(self.system_server), self.env["res.partner"].search_count([])
        with mute_logger("odoo.addons.mail.models.mail_thread"):
            self.env["mail.thread"].message_process("res.partner", bounce.content)
        self.assertEqual(message.notification_ids.notification_status, "bounce")
        after = self.known_of(self.system_server), self.env["res.partner"].search_count([])
        self.assertEqual(after, before)

    def known_of(self, mailbox):
        """The state of a mailbox and, if that is not Connected, the rule that made it so."""
        health = self.health(mailbox)
        if health.state in (False, "not_connected", "connected"):
            return CONNECTED
        return health.state, health.rule

    def _waiting(self, message):
        mails = self.env["mail.mail"].search([("mail_message_id", "=", message.id)])
        return mails.filtered(lambda mail: mail.state == "outgoing")


def _said(record):
    """What a server answered, as an event or a mailbox's health keeps it."""
    return " ".join(map(str, filter(None, (record.smtp_code, record.enhanced_code, record.answer))))
