"""The ground the tests stand on: real SMTP servers on loopback, nothing under test patched."""

from unittest.mock import patch

from odoo.addons.base.models import ir_mail_server
from odoo.tests import TransactionCase

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

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab = cls.enterClassContext(SmtpLab())
        cls.ana = cls._user("Ana Author", "ana@company.test")
        cls.ben = cls._user("Ben Reader", "ben@company.test")
        cls.company = cls.env.company
        cls.record = cls.env["res.partner"].create({"name": "Lead"})
        cls.env["ir.config_parameter"].set_param("base_setup.default_external_email_server", True)

    @classmethod
    def _user(cls, name, email, **values):
        return cls.env["res.users"].with_context(no_reset_password=True).create(
            {
                "name": name,
                "login": email,
                "email": email,
                "notification_type": "email",
                "group_ids": [(6, 0, cls.env.ref("base.group_user").ids)],
                **values,
            }
        )

    def setUp(self):
        super().setUp()
        self.enterContext(self.enter_registry_test_mode())
        disable = patch.object(ir_mail_server.IrMail_Server, "_disable_send", lambda *_: False)
        self.startPatcher(disable)
        self.startPatcher(patch.object(ir_mail_server, "SMTP_TIMEOUT", SMTP_TIMEOUT))
        self.own = self.lab.server("own", logins={"ana@company.test": "secret"})
        self.system = self.lab.server("system", logins={"hello@company.test": "neutral"})
        self.own_server = self.mailbox(
            self.own, "ana@company.test", "secret", owner_user_id=self.ana.id
        )
        self.system_server = self.mailbox(self.system, "hello@company.test", "neutral")
        self.company.write(
            {
                "system_mail_address": "hello@company.test",
                "system_mail_server_id": self.system_server.id,
            }
        )

    def mailbox(self, smtp, address, password, **values):
        """An ``ir.mail_server`` for a server of the lab."""
        return self.env["ir.mail_server"].create(
            {
                "name": address,
                "smtp_host": smtp.host,
                "smtp_port": smtp.port,
                "smtp_encryption": "none",
                "smtp_user": address,
                "smtp_pass": password,
                "from_filter": address,
                **values,
            }
        )

    def mention(self, author=None, partners=None, **values):
        """Have the author mention the partners on a record; the mail is sent at once."""
        return (
            self.record.with_user(author or self.ana)
            .sudo()
            .message_post(
                body="See this",
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
                partner_ids=(partners or self.ben.partner_id).ids,
                **values,
            )
        )

    def events(self, kind=None):
        domain = [("kind", "=", kind)] if kind else []
        return self.env["system.mail.event"].search(domain)
