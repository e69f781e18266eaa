import base64
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from odoo.tests import tagged

from .common import SystemMailCase


@tagged("post_install", "-at_install")
class TestRefusals(SystemMailCase):
    """Odoo refuses to use the author's mailbox, before it connects."""

    def assert_carried(self, rule, server=None):
        """A mention arrives by System Mail; event, state and remedy say why."""
        server = server or self.own_server
        self.assert_arrives_once_by_system_mail(self.mention())
        health = self.health(server)
        self.assertEqual((health.state, health.effect), ("unstable", "misconfigured"))
        self.assertEqual(self.events("fallback").server_id, server)
        self.assertEqual(health.reason, self.events("fallback").reason)
        self.assert_says(health, rule)

    def assert_says(self, record, rule):
        reason, remedy = SAID[rule]
        self.assertIn(reason, record.reason)
        self.assertIn(remedy, record.remedy)

    # --- a personal mailbox that no longer agrees with its owner's e-mail address

    def test_capitals_in_the_address_make_no_difference(self):
        self.ana.email = "Ana@Company.Test"
        self.mention()
        [delivery] = self.received("ben@company.test")
        self.assertIn(delivery, self.own.accepted)
        self.assertEqual(self.health(self.own_server).state, "connected")
        self.ana.invalidate_recordset()
        self.assertEqual(self.ana.outgoing_mail_server_id, self.own_server)
        self.env["res.users"]._gc_personal_mail_servers()
        self.assertTrue(self.own_server.exists())

    def test_nothing_changes_for_capitals_without_system_mail(self):
        self.company.system_mail_address = False
        self.ana.email = "Ana@Company.Test"
        self.assertFalse(self.ana.outgoing_mail_server_id)

    def test_two_addresses_in_the_filter(self):
        self.own_server.from_filter = "ana@company.test, ana@group.test"
        self.assert_carried("from_filter")

    def test_another_user_name(self):
        self.own_server.smtp_user = "ana.author"
        self.assert_carried("user_name")

    def test_a_mended_mailbox_sends_at_once(self):
        self.own_server.from_filter = "ana@company.test, ana@group.test"
        self.mention()
        self.own_server.from_filter = "ana@company.test"
        self.ana.invalidate_recordset()
        self.mention()
        self.assertEqual(len(self.own.accepted), 1)
        self.assertEqual(self.health(self.own_server).state, "connected")

    def test_a_message_from_somebody_else_blames_nobody(self):
        mail = self.mail(email_from="sales@company.test", mail_server_id=self.own_server.id)
        mail.send()
        [delivery] = self.received("ben@company.test")
        self.assertIn(delivery, self.system.accepted)
        self.assertFalse(self.health(self.own_server))
        self.assertEqual(len(self.events("fallback")), 1)

    def test_mail_to_a_customer_fails_with_the_reason_and_the_remedy(self):
        customer = self.env["res.partner"].create({"name": "Customer", "email": "c@else.test"})
        self.own_server.from_filter = "ana@company.test, ana@group.test"
        message = self.mention(partners=customer)
        self.assertFalse(self.received("c@else.test"))
        self.assertEqual(message.notification_ids.notification_status, "exception")
        self.assertIn("FROM Filtering", message.notification_ids.failure_reason)

    # --- what people see before anything failed

    def assert_shown(self, state, rule):
        """Connections, the owner's preferences and what a message would run into agree."""
        self.env.flush_all()
        self.env.invalidate_all()
        row = self.env["system.mail.connection"].search([("user_id", "=", self.ana.id)])
        self.assertEqual((row.server_id, row.state), (self.own_server, state))
        self.assertEqual(row.rule, rule)
        self.assertEqual(row.needs_attention, state == "unstable")
        refusal = self.own_server.system_mail_refusal(self.ana.email)
        self.assertEqual(refusal and refusal.value, rule or None)
        ana = self.ana.with_user(self.ana)
        self.assertEqual(ana.system_mail_state, state)
        if rule:
            self.assert_says(row, rule)
            self.assertIn(SAID[rule][0], ana.system_mail_message)
            self.assertIn(SAID[rule][1], ana.system_mail_message)
        else:
            self.assertFalse(ana.system_mail_message)

    def test_a_mailbox_that_odoo_refuses_is_never_shown_as_connected(self):
        self.mention()
        self.assert_shown("connected", False)
        self.own_server.from_filter = "ana@company.test, ana@group.test"
        self.assert_shown("unstable", "from_filter")
        self.own_server.write({"from_filter": "ana@company.test", "smtp_user": "ana.author"})
        self.assert_shown("unstable", "user_name")
        self.own_server.smtp_user = "ANA@company.test"
        self.assert_shown("connected", False)

    def test_a_mailbox_of_the_address_that_ana_had_before(self):
        self.mention()
        self.ana.email = "ana.new@company.test"
        self.mention()
        self.assertEqual((len(self.own.accepted), len(self.system.accepted)), (1, 1))
        self.assert_shown("unstable", "from_filter")
        self.ana.email = "ana@company.test"
        self.assert_shown("connected", False)

    def test_personal_mailboxes_that_are_switched_off(self):
        self.mention()
        self.env["ir.config_parameter"].set_param("mail.disable_personal_mail_servers", "1")
        self.assert_shown("not_connected", "personal_off")

    def test_rejected_credentials_stay_the_reason(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.mention()
        self.own_server.from_filter = "ana@company.test, ana@group.test"
        self.env.flush_all()
        row = self.env["system.mail.connection"].search([("user_id", "=", self.ana.id)])
        self.assertEqual((row.state, row.rule), ("disconnected", "password_rejected"))

    # --- settings that Odoo cannot use

    def test_an_archived_server_that_was_chosen(self):
        shared = self.mailbox(self.own, "sales@company.test", "x", active=False)
        self.mail(mail_server_id=shared.id).send()
        [delivery] = self.received("ben@company.test")
        self.assertIn(delivery, self.system.accepted)
        self.assert_says(self.health(shared), "archived")

    def test_a_server_without_a_name(self):
        self.own_server.smtp_host = False
        self.assert_carried("unusable")
        self.assertIn("Missing SMTP Server", self.health(self.own_server).answer)

    def test_a_certificate_that_is_none(self):
        self._log_in_by_certificate(b"none", b"none")
        self.assert_carried("client_certificate")

    def test_a_private_key_with_a_passphrase(self):
        self._log_in_by_certificate(self._certificate(), _key(b"passphrase"))
        self.assert_carried("client_certificate")

    def test_a_private_key_of_another_certificate(self):
        self._log_in_by_certificate(self._certificate(), _key())
        self.assert_carried("client_certificate")

    def _certificate(self):
        return Path(self.lab.cafile).read_bytes()

    def _log_in_by_certificate(self, certificate, key):
        self.own_server.write(
            {
                "smtp_authentication": "certificate",
                "smtp_encryption": "starttls",
                "smtp_ssl_certificate": base64.b64encode(certificate),
                "smtp_ssl_private_key": base64.b64encode(key),
            }
        )


SAID = {
    "personal_off": ("switched off", "System Parameters"),
    "archived": ("archived", "Unarchive"),
    "from_filter": ("FROM Filtering", "FROM Filtering"),
    "user_name": ("user name", "Username"),
    "client_certificate": ("SSL certificate", "SSL Private Key"),
    "unusable": ("cannot use", "Outgoing Mail Servers"),
}


def _key(passphrase=None):
    encryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


class TestRefusalsWithoutPipelining(TestRefusals):
    """Likewise where the servers want one command at a time."""

    pipelining = False
