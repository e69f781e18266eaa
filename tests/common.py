"""The ground the tests stand on: real servers on loopback, nothing under test patched."""

import datetime
from unittest.mock import patch

from odoo import fields
from odoo.tests import TransactionCase
from odoo.tools import SQL

from odoo.addons.base.models import ir_mail_server

from ..failover.envelope import trust_again
from .dns_lab import DnsLab
from .smtp_lab import SmtpLab

SMTP_TIMEOUT = 3
"""Seconds: keeps the silent servers of the tests from taking a minute each."""


class SystemMailCase(TransactionCase):
    """A company with System Mail at ``hello@company.test``, Ana with a mailbox of her own, Ben to
    be mentioned; each mailbox is a server of the lab::

        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.mention()
        self.assertEqual(len(self.system.accepted), 1)

    The own cursor sees the test's data; two things of Odoo are set aside, as its own tests of real
    servers do: ``_disable_send`` and the length of its time-out.
    """

    pipelining = True
    """Whether the servers offer it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab = cls.enterClassContext(SmtpLab())
        cls.dns = cls.enterClassContext(DnsLab())
        cls.enterClassContext(cls.dns.as_default())
        cls.ana, cls.ben = cls._users(
            ("Ana Author", "ana@company.test"), ("Ben Reader", "ben@company.test")
        )
        cls.company = cls.env.company
        cls.record = cls.env["res.partner"].create({"name": "Lead"})
        cls.env["ir.config_parameter"].set_param("base_setup.default_external_email_server", True)
        # the lab is on this machine, where people could not connect a mailbox
        cls.env["ir.config_parameter"].set_param("system_mail.allow_internal_hosts", "1")
        cls.env.flush_all()
        if not cls._registry_patched:
            cls.registry_enter_test_mode_cls()
            cls.registry_test_mode = False  # a HttpCase behind this need not enter it again
        cls._set_up_system_mail()

    @classmethod
    def _user(cls, name, email, **values):
        return cls._users((name, email), **values)

    @classmethod
    def _users(cls, *people, **values):
        """:param people: ``(name, email)`` of each; to create them together takes half the time"""
        users = cls.env["res.users"].with_context(no_reset_password=True)
        partners = cls.registry["res.partner"]
        # half of the time to create somebody is that of their picture, in five sizes
        with patch.object(partners, "_avatar_generate_svg", lambda _self: False):
            return users.create(
                [
                    {
                        "name": name,
                        "login": email,
                        "email": email,
                        "notification_type": "email",
                        "group_ids": [(6, 0, cls.env.ref("base.group_user").ids)],
                        **values,
                    }
                    for name, email in people
                ]
            )

    @classmethod
    def _set_up_system_mail(cls):
        """Once for all tests of the class; ``setUp`` says where its servers are."""
        cls.own_server = cls._mailbox("ana@company.test", "secret", owner_user_id=cls.ana.id)
        cls.system_server = cls._mailbox("hello@company.test", "neutral")
        cls.company.write(
            {
                "system_mail_address": "hello@company.test",
                "system_mail_server_id": cls.system_server.id,
            }
        )
        cls.env.flush_all()

    def setUp(self):
        super().setUp()
        disable = patch.object(ir_mail_server.IrMail_Server, "_disable_send", lambda *_: False)
        self.startPatcher(disable)
        self.startPatcher(patch.object(ir_mail_server, "SMTP_TIMEOUT", SMTP_TIMEOUT))
        self.addCleanup(trust_again)
        self.servers = []
        self.own = self.smtp("own", logins={"ana@company.test": "secret"})
        self.system = self.smtp("system", logins={"hello@company.test": "neutral"})
        self._is_at(self.own_server, self.own)
        self._is_at(self.system_server, self.system)

    @staticmethod
    def _is_at(server, smtp):
        """It always was there: nothing notes a change."""
        place = {"smtp_host": smtp.host, "smtp_port": smtp.port}
        if server._fields["smtp_port"].store:
            server.env.execute_query(
                SQL(
                    "UPDATE ir_mail_server SET smtp_host = %s, smtp_port = %s WHERE id = %s",
                    *(*place.values(), server.id),
                )
            )
            server.invalidate_recordset()
        else:  # OCA's mail_environment
            server.write(place)
            server.flush_recordset()

    def smtp(self, name, **options):
        """A server of the lab, whose deliveries ``received`` counts."""
        self.servers.append(self.lab.server(name, pipelining=self.pipelining, **options))
        return self.servers[-1]

    def mailbox(self, smtp, address, password, **values):
        """An ``ir.mail_server`` for a server of the lab."""
        place = {"smtp_host": smtp.host, "smtp_port": smtp.port}
        return self._mailbox(address, password, **place | values)

    @classmethod
    def _mailbox(cls, address, password, **values):
        values = {
            "name": address,
            "smtp_encryption": "none",
            "smtp_user": address,
            "smtp_pass": password,
            "from_filter": address,
            **values,
        }
        server = cls.env["ir.mail_server"].create(values)
        if not server._fields["smtp_port"].store:  # OCA's mail_environment creates it with defaults
            server.write(values)
            server.flush_recordset()  # other cursors read it
        return server

    def mention(self, author=None, partners=None, body="See this", **values):
        """Have the author mention the partners on a record; the mail is sent at once.

        What a test has set is stored first: an addon beside us may clear the cache.
        """
        self.env.flush_all()
        return (
            self.record.with_user(author or self.ana)
            .sudo()
            .message_post(
                body=body,
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
                partner_ids=(partners or self.ben.partner_id).ids,
                **values,
            )
        )

    def mail(self, author=None, **values):
        """A mail from the author (Ana) to Ben that waits in the queue."""
        author = author or self.ana
        self.env.flush_all()  # as in ``mention``
        mails = self.env["mail.mail"].with_user(author).sudo()
        return mails.create(
            {
                "subject": "Hello",
                "body_html": "<p>See this</p>",
                "email_from": author.email_formatted,
                "author_id": author.partner_id.id,
                "recipient_ids": [(6, 0, self.ben.partner_id.ids)],
                **values,
            }
        ).with_env(self.env)

    def run_queue(self, mails=None):
        """Let the scheduled action look at the queue; ``mails`` are due now."""
        if mails:
            mails.scheduled_date = False
        self.env["mail.mail"].process_email_queue()

    def clock_ahead(self, minutes):
        """Within the block, this host's clock is so far ahead of the database's."""
        wrong = fields.Datetime.now() + datetime.timedelta(minutes=minutes)
        return patch.object(fields.Datetime, "now", staticmethod(lambda *_args: wrong))

    def received(self, address):
        """The messages that any server accepted for the address."""
        return [
            delivery
            for server in self.servers
            for delivery in server.accepted
            if address in delivery.rcpt_to
        ]

    def health(self, server):
        """What is known of the mailbox, fresh from the database."""
        health = self.env["system.mail.health"].search([("server_id", "=", server.id)])
        health.invalidate_recordset()
        return health

    def events(self, kind=None):
        """The events of this test, the oldest first; by default all but the changes of settings."""
        domain = [("kind", "=", kind)] if kind else [("kind", "!=", "configured")]
        return self.env["system.mail.event"].search(domain, order="id")

    def assert_arrives_once_by_system_mail(self, message, partner=None):
        """The mention reached the partner once, by System Mail, and everyone is told so."""
        partner = partner or self.ben.partner_id
        [delivery] = self.received(partner.email)
        self.assertIn(delivery, self.system.accepted)
        self.assertEqual(delivery.message["Message-Id"], message.message_id)
        notification = message.notification_ids.filtered(lambda n: n.res_partner_id == partner)
        self.assertEqual(notification.notification_status, "sent")
        self.assertFalse(notification.failure_type)
        return delivery


class AlertsCase(SystemMailCase):
    """What Super Users are told."""

    def setUp(self):
        super().setUp()
        self.channel = self.env.ref("system_mail.channel_alerts")
        self.told_before = self.channel.message_ids

    def tell(self):
        """Run the scheduled action, as the changes since have triggered it."""
        self.env.flush_all()
        self.env.invalidate_all()
        self.env.ref("system_mail.ir_cron_tell").method_direct_trigger()
        self.env.invalidate_all()

    def told(self):
        """What the Super Users read since the last time."""
        self.channel.invalidate_recordset()
        new = self.channel.message_ids - self.told_before
        self.told_before |= new
        return [message.body for message in new.sorted("id")]
