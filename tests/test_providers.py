from odoo.tests import Form, tagged

from .common import SystemMailCase
from .made_up_provider import made_up_provider


@tagged("post_install", "-at_install")
class TestProviders(SystemMailCase):
    """What is known of a provider is what the interface shows."""

    def dialog(self, address):
        """The connect dialog for a new System Mail, after "Detect"."""
        dialog = self.empty_dialog()
        dialog.address = address
        dialog.action_detect()
        return dialog

    def empty_dialog(self):
        self.company.write({"system_mail_address": False, "system_mail_server_id": False})
        return self.env["system.mail.connect"].create({"company_id": self.company.id})

    def test_the_dialog_proposes_what_a_file_says(self):
        with made_up_provider():
            dialog = self.dialog("hello@pigeon.example")
            self.assertEqual(dialog.detected, "Detected: Pigeon Post.")
            self.assertEqual((dialog.smtp_host, dialog.smtp_port), ("127.0.0.1", 465))
            self.assertEqual(dialog.limit_day, 12)
            self.assertEqual(dialog.password_hint, "Pigeon Post wants an app password")

    def test_a_rejected_password_leads_to_the_providers_page(self):
        with made_up_provider():
            dialog = self.empty_dialog()
            with Form(dialog) as form:
                form.address = "hello@pigeon.example"
                form.smtp_encryption = "none"
                form.smtp_port = self.system.port
                form.smtp_pass = "wrong"
            self.system.fail("auth", reply="535 5.7.8 Rejected")
            dialog.action_connect()
            self.assertIn("wants an app password", dialog.remedy)
            self.assertEqual(dialog.remedy_page, "https://pigeon.example/passwords")

    def test_connections_name_the_provider_of_a_host(self):
        self.system_server.smtp_host = "smtp.pigeon.example"
        self.own_server.smtp_host = "email-smtp.eu-west-1.amazonaws.com"
        with made_up_provider():
            rows = self.env["system.mail.connection"].search(
                [("server_id", "in", (self.system_server + self.own_server).ids)]
            )
            self.assertEqual(rows.mapped("provider"), ["Pigeon Post", "Amazon SES"])

    def test_a_host_of_nobody_known_is_shown_as_it_is(self):
        self.own_server.smtp_host = "smtp.notgmail.com"
        row = self.env["system.mail.connection"].search([("server_id", "=", self.own_server.id)])
        self.assertEqual(row.provider, "smtp.notgmail.com")

    def test_a_provider_with_a_sign_in_is_there_after_an_update(self):
        model = self.env["system.mail.oauth.provider"]
        with made_up_provider(sign_in=True):
            model._create_known()
            provider = self.env.ref("system_mail.oauth_provider_pigeon_post")
            self.assertEqual(provider.domains, "pigeon.example")
            self.assertEqual(self.dialog("hello@pigeon.example").provider_id, provider.id)
            provider.scope = "send somewhere else"
            model._create_known()
            self.assertEqual(provider.scope, "send somewhere else", "a change stays")

    def test_an_address_at_gmail_has_another_limit_than_one_at_workspace(self):
        google = self.env.ref("system_mail.oauth_provider_google")
        [service] = [each for each in google.services() if each.provider_id == google.id]
        self.assertEqual(service.limit_day_of("company.test"), 2000)
        self.assertEqual(self.dialog("hello@gmail.com").limit_day, 500)
        google.limit_day = 700
        self.assertEqual(self.dialog("hello@googlemail.com").limit_day, 700)
