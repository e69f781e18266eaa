import base64
import binascii
import contextlib
import re

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ...connect.keys import (
    LONGEST_FILE,
    KeyFileError,
    make_key_pair,
    matches,
    read_certificate,
    read_service_account,
)
from ...providers import known_at
from ...tools.encrypted import Encrypted, Unreadable, in_clear

SIGN_IN = "authorization_code"
CLIENT = "client_credentials"
SERVICE_ACCOUNT = "service_account"
NO_ORGANISATION = ("", "common", "organizations", "consumers")
"""Tenants of Microsoft that are no organisation's own: an application must name one."""
ID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")
"""What PowerShell takes for a single quotation mark."""


class SystemMailOauthProvider(models.Model):
    """Connects mailboxes in this system's own name, without a person's consent: as an application
    of Microsoft Entra, or by a service account of Google Workspace.
    """

    _inherit = "system.mail.oauth.provider"

    grant = fields.Selection(
        [
            (SIGN_IN, "A person signs in"),
            (CLIENT, "Application (client credentials)"),
            (SERVICE_ACCOUNT, "Service account"),
        ],
        "Connects By",
        required=True,
        default=SIGN_IN,
    )
    for_people = fields.Boolean(
        "For People's Mailboxes",
        help="Super Users connect people's mailboxes with this registration. Without it, the "
        "registration connects System Mail only.",
    )
    object_id = fields.Char(
        "Object ID",
        copy=False,
        help="Of the enterprise application in Microsoft Entra, not of the app registration.",
    )
    certificate = fields.Text(readonly=True, copy=False, help="PEM; the public part of the key.")
    certificate_ends_on = fields.Date(readonly=True, copy=False)
    certificate_file = fields.Binary(compute="_compute_certificate_file")
    certificate_name = fields.Char(compute="_compute_certificate_file")
    private_key = Encrypted(groups=fields.NO_ACCESS, copy=False)
    key_id = fields.Char("Key ID", readonly=True, copy=False)
    issuer = fields.Char("Service Account", readonly=True, copy=False)
    certificate_input = fields.Text(
        "Own Certificate",
        compute="_compute_inputs",
        inverse="_inverse_certificate_input",
        help="PEM. Written, never shown.",
    )
    private_key_input = fields.Text(
        "Its Private Key",
        compute="_compute_inputs",
        inverse="_inverse_certificate_input",
        help="PEM. Written, never shown.",
    )
    service_account_input = fields.Text(
        "Content of the Key File",
        compute="_compute_inputs",
        inverse="_inverse_service_account_input",
        help="JSON. Written, never shown.",
    )
    service_account_file = fields.Binary(
        "Key File",
        compute="_compute_inputs",
        inverse="_inverse_service_account_file",
        help="The JSON file that Google made. It is read once and not kept.",
    )

    def _compute_certificate_file(self):
        for provider in self:
            certificate = provider.certificate or ""
            provider.certificate_file = base64.b64encode(certificate.encode()) or False
            provider.certificate_name = f"system-mail-{provider.id}.crt"

    def _compute_inputs(self):
        for name in (
            "certificate_input",
            "private_key_input",
            "service_account_input",
            "service_account_file",
        ):
            self[name] = False

    # --- certificates and keys

    def _inverse_certificate_input(self):
        for provider in self:
            certificate = provider.certificate_input or provider.certificate or ""
            key = provider.private_key_input or in_clear(provider.sudo(), "private_key") or ""
            with self._explaining():
                provider._keep_certificate(certificate, key)
        self.invalidate_recordset(["certificate_input", "private_key_input"])

    def _keep_certificate(self, certificate, key):
        """:raises KeyFileError: one of them cannot be used, or they don't belong together"""
        ends_at = read_certificate(certificate).ends_at
        if not matches(key, certificate):
            raise KeyFileError("other_key")
        self.sudo().write(
            {
                "certificate": certificate,
                "certificate_ends_on": ends_at.date(),
                "private_key": key,
            }
        )

    def _inverse_service_account_input(self):
        for provider in self.filtered("service_account_input"):
            provider._keep_service_account(provider.service_account_input)
        self.invalidate_recordset(["service_account_input"])

    def _inverse_service_account_file(self):
        for provider in self.filtered("service_account_file"):
            provider._keep_service_account(self._text_of(provider.service_account_file))
        self.invalidate_recordset(["service_account_file"])

    def _text_of(self, uploaded):
        """The text of an uploaded file; something that is no key file if it has none."""
        if len(uploaded) > 2 * LONGEST_FILE:
            return " " * (LONGEST_FILE + 1)
        try:
            return base64.b64decode(uploaded).decode()
        except (binascii.Error, UnicodeDecodeError):
            return ""

    def _keep_service_account(self, text):
        with self._explaining():
            account = read_service_account(text)
        self.sudo().write(
            {
                "client_id": account.client_id,
                "issuer": account.email,
                "key_id": account.key_id,
                "private_key": account.private_key,
            }
        )

    @contextlib.contextmanager
    def _explaining(self):
        """Tell in a sentence why a key or certificate cannot be used: nothing of it is quoted."""
        try:
            yield
        except KeyFileError as exc:
            raise ValidationError(self._sentence_of(exc.code)) from None

    def _sentence_of(self, code):
        """What is wrong with a key or certificate, and what to do.

        :param str code: of a ``KeyFileError``
        """
        return {
            "too_large": self.env._("This is too large to be a key. Choose the right file."),
            "not_json": self.env._(
                "This is no key file of Google: it is not JSON. Upload the file as Google made it."
            ),
            "encrypted_key": self.env._(
                "The private key is protected by a passphrase. Save it without a passphrase, and "
                "give that one."
            ),
            "weak_key": self.env._(
                "The private key is too short: RSA with 2048 bits is the least."
            ),
            "other_key": self.env._(
                "The certificate and the private key do not belong together. Give both."
            ),
            "unreadable_certificate": self.env._(
                "This is no certificate: one begins with -----BEGIN CERTIFICATE-----."
            ),
            **dict.fromkeys(
                ("no_key", "not_rsa", "unreadable_key"),
                self.env._(
                    "There is no key in it that can be used: an RSA key begins with "
                    "-----BEGIN PRIVATE KEY-----."
                ),
            ),
        }.get(code) or self.env._(
            "This file is not the key of a service account. In Google's console, open the service "
            "account, then Keys ▸ Add key ▸ Create new key ▸ JSON."
        )

    def action_make_certificate(self):
        """Make a new key pair. The private key stays here; the certificate is for the provider."""
        self.ensure_one()
        self.check_access("write")
        key, certificate = make_key_pair(self.name)
        self._keep_certificate(certificate, key)

    def action_remove_certificate(self):
        """Sign in by the client secret again."""
        self.ensure_one()
        self.check_access("write")
        self.sudo().write(
            {"certificate": False, "certificate_ends_on": False, "private_key": False}
        )

    # --- setting up

    def action_go_on(self):
        """Lead back to the dialog from which the registration was opened."""
        self.ensure_one()
        dialog_id = self.env.context.get("system_mail_connect_id")
        return self.env["system.mail.connect"].browse(dialog_id).reopen()

    @api.model
    def _known_application_values(self, provider):
        """The values of a record for an application of a provider. It has no domains: detection
        finds the provider by its sign-in.

        :param Provider provider: from ``providers/``
        """
        application, server = provider.application, provider.servers[0]
        return {
            "name": application.name,
            "grant": application.grant,
            "token_endpoint": application.token_endpoint,
            "scope": application.scope,
            "smtp_host": server.host,
            "smtp_port": server.port,
            "smtp_encryption": server.encryption,
            "limit_minute": provider.limit_minute,
            "limit_day": provider.limit_day,
        }

    @api.private
    def is_application(self):
        """Whether mailboxes connect here without a person."""
        return self.grant in (CLIENT, SERVICE_ACCOUNT)

    @api.private
    def is_for_people(self):
        """Whether a Super User connects people's mailboxes here."""
        return self.is_application() and self.for_people

    @api.constrains("grant", "authorization_endpoint")
    def _check_grant(self):
        for provider in self:
            if provider.grant == SIGN_IN and not provider.authorization_endpoint:
                raise ValidationError(
                    self.env._("Type the address where people sign in with the provider.")
                )

    @api.constrains("grant", "for_people")
    def _check_mailboxes(self):
        servers_sudo = self.env["ir.mail_server"].sudo().with_context(active_test=False)
        for provider in self.filtered(lambda provider: provider.is_application()):
            owner = ("owner_user_id", "=" if provider.for_people else "!=", False)
            others = [("system_mail_provider_id", "=", provider.id), owner]
            if mailboxes := servers_sudo.search(others):
                raise ValidationError(
                    self.env._(
                        "%(provider)s still connects these mailboxes: %(mailboxes)s. Connect them "
                        "in another way first.",
                        provider=provider.name,
                        mailboxes=", ".join(m.from_filter or m.name for m in mailboxes),
                    )
                )

    @api.private
    def missing(self):
        """What the set-up lacks, in a sentence; empty if nothing.

        :rtype: str
        """
        self.ensure_one()
        self_sudo = self.sudo()
        if self.grant == SIGN_IN and not self.client_id:
            return self.env._(
                "Odoo isn't registered at %(provider)s yet, so nobody can sign in. It is "
                "registered there once, by a Super User.",
                provider=self.name,
            )
        if self.grant == SERVICE_ACCOUNT and not _has(self_sudo.private_key):
            return self.env._("The service account isn't set up yet: its key file is missing.")
        if self.grant == CLIENT:
            if not self.client_id:
                return self.env._("The application isn't set up yet: its client ID is missing.")
            if self.needs_tenant and (self.tenant or "").strip() in NO_ORGANISATION:
                return self.env._(
                    "The application isn't set up yet: the directory (tenant) ID of your "
                    "organisation is missing."
                )
            if not (_has(self_sudo.client_secret) or _has(self_sudo.private_key)):
                return self.env._(
                    "The application isn't set up yet: it has neither a client secret nor a "
                    "certificate."
                )
        return ""

    @api.private
    def guide(self):
        """The provider's page on the set-up of an application; empty if it is not known."""
        known, _server = known_at(self.smtp_host)
        return (known and known.application and known.application.guide) or ""

    @api.private
    def commands_for(self, mailbox, by_https=False):
        """What an administrator types at the provider, with this registration's values.

        :param str mailbox: the address
        :param bool by_https: to send by the provider's API
        :return: the usual commands, and those that let the application reach no other mailbox;
            both are empty where the provider needs none
        :rtype: tuple[str, str]
        """
        known, _server = known_at(self.smtp_host)
        application = known and known.application
        if not application or application.grant != self.grant:
            return "", ""
        values = {
            "client_id": _quoted(self.client_id, ID, self.env._("client ID")),
            "object_id": _quoted(self.object_id, ID, self.env._("object ID")),
            "mailbox": _quoted(mailbox, re.compile(r"[!-~]+@[!-~]+"), self.env._("mailbox")),
        }
        values["scope_name"] = _quote(f"System Mail {mailbox}")
        values["scope_filter"] = _quote(f"PrimarySmtpAddress -eq {values['mailbox']}")
        if by_https and known.api:
            return "", known.api.narrow_commands.format(**values)
        return (
            application.commands.format(**values),
            application.narrow_commands.format(**values),
        )


def _has(secret):
    """Whether a secret is stored, also where this server has no key to read it."""
    return bool(secret) or isinstance(secret, Unreadable)


def _quoted(value, pattern, name):
    """A value as PowerShell's text, or what stands for it until it is known."""
    value = (value or "").strip()
    return _quote(value) if pattern.fullmatch(value) else f"<{name}>"


def _quote(text):
    return "'" + QUOTES.sub(lambda found: found[0] * 2, text) + "'"
