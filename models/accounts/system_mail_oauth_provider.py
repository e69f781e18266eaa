from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.api import SUPERUSER_ID
from odoo.exceptions import ValidationError
from odoo.tools.urls import urljoin

from ...connect.detection import Service, password_services
from ...connect.oauth import Client
from ...constants import MASK, RETURN_ADDRESS
from ...failover.connection import MailboxError
from ...failover.failure import Failure, Kind, Phase
from ...providers import all_providers, known_at
from ...tools.changes import changes_since, snapshot
from ...tools.encrypted import Encrypted, Unreadable, in_clear
from ...tools.odoo_20 import parameter
from ...tools.reasons import reason_of, remedy_of

LOOPBACK = ("127.0.0.1", "::1", "localhost")
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
AUDITED = (
    "active",
    "grant",
    "for_people",
    "client_id",
    "object_id",
    "issuer",
    "certificate_ends_on",
    *ENDPOINTS,
    "scope",
    "api_endpoint",
    "api_scope",
    "tenant",
    "smtp_host",
    "smtp_port",
)
SECRETS = ("client_secret", "private_key")

GETS_SECRETS = {*ENDPOINTS, "api_endpoint", "tenant", "smtp_host", "smtp_port", "smtp_encryption"}
"""Where the secrets of the mailboxes that connect here go."""


class SystemMailOauthProvider(models.Model):
    """A mail provider where people sign in to connect a mailbox, and its mail server."""

    _name = "system.mail.oauth.provider"
    _inherit = "system.mail.unnamed"
    _description = "Mail Provider"
    _order = "sequence, name, id"

    name = fields.Char(required=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    client_id = fields.Char("Client ID", copy=False)
    client_secret = Encrypted("Stored Client Secret", groups=fields.NO_ACCESS, copy=False)
    client_secret_input = fields.Char(
        "Client Secret",
        compute="_compute_client_secret_input",
        inverse="_inverse_client_secret_input",
        help="Written, never shown.",
    )
    authorization_endpoint = fields.Char("Sign-in Address")
    token_endpoint = fields.Char("Token Address", required=True)
    userinfo_endpoint = fields.Char(
        "User Info Address",
        help="Tells whose account it is, where the token itself does not.",
    )
    scope = fields.Char(required=True, help="What is asked for, with spaces between.")
    tenant = fields.Char(
        help="Takes the place of {tenant} in the addresses: “common”, “organizations”, or the "
        "directory of one organisation.",
    )
    needs_tenant = fields.Boolean(compute="_compute_needs_tenant")
    domains = fields.Char(help="Domains of its addresses, with commas between: gmail.com.")
    mx_domains = fields.Char(
        "Mail Hosts", help="Where its customers' mail is received, with commas between: google.com."
    )
    smtp_host = fields.Char("SMTP Server", required=True)
    smtp_port = fields.Integer("Port", required=True, default=587)
    smtp_encryption = fields.Selection(
        "_encryptions", "Encryption", required=True, default="starttls_strict"
    )
    asks_app_password = fields.Boolean(help="People who connect by password need an app password.")
    limit_minute = fields.Integer(
        "Recipients a Minute", help="Its limit, proposed for System Mail. 0 = unknown."
    )
    limit_day = fields.Integer(
        "Recipients a Day", help="Its limit, proposed for System Mail. 0 = unknown."
    )
    odoo_parameter = fields.Char(
        readonly=True, help="Start of the names of Odoo's own parameters for this provider."
    )
    can_reuse_client = fields.Boolean(compute="_compute_can_reuse_client")
    client_rejected_at = fields.Datetime(
        readonly=True, copy=False, help="Since then the provider rejects the client's secret."
    )
    redirect_uri = fields.Char(
        "Return Address",
        compute="_compute_redirect_uri",
        help="Register this address with the provider, exactly as it is here.",
    )

    @api.depends_context("lang")
    def _compute_display_name(self):
        """In the reader's language, as far as it is a provider of ours."""
        super()._compute_display_name()
        for provider in self.filtered("display_name"):
            provider.display_name = self.env._(provider.name)

    @api.model
    def _encryptions(self):
        field = self.env["ir.mail_server"]._fields["smtp_encryption"]
        return field._description_selection(self.env)

    def _compute_client_secret_input(self):
        for provider in self:
            provider.client_secret_input = MASK if provider.sudo().client_secret else False

    def _inverse_client_secret_input(self):
        for provider in self.filtered(lambda provider: provider.client_secret_input != MASK):
            provider.sudo().client_secret = (provider.client_secret_input or "").strip()
        self.invalidate_recordset(["client_secret_input"])  # or the user who wrote it could read it

    @api.depends("authorization_endpoint", "token_endpoint")
    def _compute_needs_tenant(self):
        for provider in self:
            addresses = (provider.authorization_endpoint, provider.token_endpoint)
            provider.needs_tenant = any("{tenant}" in (address or "") for address in addresses)

    @api.depends("odoo_parameter", "client_id")
    def _compute_can_reuse_client(self):
        for provider in self:
            provider.can_reuse_client = not provider.client_id and all(provider._odoo_client())

    def _compute_redirect_uri(self):
        self.redirect_uri = urljoin(self[:1].get_base_url(), RETURN_ADDRESS)

    @api.constrains(*ENDPOINTS, "tenant")
    def _check_endpoints(self):
        for provider in self:
            for name in ENDPOINTS:
                if provider[name]:
                    provider._check_endpoint(provider._endpoint(name))

    def _check_endpoint(self, address):
        try:
            parts = urlsplit(address)
            secure = parts.scheme == "https" and parts.hostname
            local = parts.scheme == "http" and parts.hostname in LOOPBACK
        except ValueError:
            secure = local = False
        if not (secure or local) or "{" in address or set(address) & set(" \r\n\t"):
            raise ValidationError(
                self.env._(
                    "“%(address)s” cannot be an address of the provider: it begins with https:// "
                    "and has no spaces.",
                    address=address,
                )
            )

    @api.constrains("smtp_port")
    def _check_smtp_port(self):
        for provider in self:
            if not 0 < provider.smtp_port < 2**16:
                raise ValidationError(
                    self.env._(
                        "%(port)s is not a port. Use a number from 1 to 65535, usually 587 or 465.",
                        port=provider.smtp_port,
                    )
                )

    @api.model
    def _create_known(self):
        """Create records for the providers in ``providers/`` that offer a sign-in. Called at each
        installation and update; existing records stay as they are.
        """
        known = [
            *(
                (name, self._known_values(provider))
                for name, provider in all_providers().items()
                if provider.sign_in
            ),
            *(
                (f"{name}_application", self._known_application_values(provider))
                for name, provider in all_providers().items()
                if provider.application
            ),
        ]
        self._load_records(
            [
                {
                    "xml_id": f"system_mail.oauth_provider_{name}",
                    "values": {"sequence": sequence, **values},
                    "noupdate": True,
                }
                for sequence, (name, values) in enumerate(known, 1)
            ],
            update=True,
        )

    @api.model
    def _known_values(self, provider):
        """The values of a record for a provider with a sign-in.

        :param Provider provider: from ``providers/``
        """
        sign_in, server = provider.sign_in, provider.servers[0]
        return {
            "name": provider.name,
            "authorization_endpoint": sign_in.authorization_endpoint,
            "token_endpoint": sign_in.token_endpoint,
            "userinfo_endpoint": sign_in.userinfo_endpoint or False,
            "scope": sign_in.scope,
            "tenant": sign_in.tenant or False,
            "odoo_parameter": sign_in.odoo_parameter or False,
            "domains": ", ".join(server.domains),
            "mx_domains": ", ".join(server.mail_hosts),
            "smtp_host": server.host,
            "smtp_port": server.port,
            "smtp_encryption": server.encryption,
            "asks_app_password": provider.app_password,
            "limit_minute": provider.limit_minute,
            "limit_day": provider.limit_day,
        }

    @api.model_create_multi
    def create(self, vals_list):
        providers = super().create(vals_list)
        for provider in providers:
            provider._log(self.env._("Provider %(name)s added", name=provider.name))
        return providers

    def write(self, vals):
        renewed = {"client_id", "tenant", *SECRETS} & vals.keys()
        if renewed:
            vals = {"client_rejected_at": False, **vals}
        if vals.get("client_secret_input", MASK) != MASK:
            vals = {"client_secret_ends_on": False, **vals}  # that was the day of the old one
        if GETS_SECRETS & vals.keys():
            self._check_companies()
        before = snapshot(self.sudo(), (*AUDITED, *SECRETS))
        result = super().write(vals)
        if renewed:
            self._retry_mailboxes()
        for provider_sudo, changes in changes_since(before, secrets=set(SECRETS)):
            provider = provider_sudo.with_env(self.env)
            provider._log(f"{provider.name}: {'; '.join(changes.values())}")
        return result

    def unlink(self):
        for provider in self:
            provider._log(self.env._("Provider %(name)s deleted", name=provider.name))
        return super().unlink()

    def _check_companies(self):
        """:raises AccessError: a mailbox of a company in which the user doesn't work connects here,
        and its secrets would go elsewhere
        """
        signs_in_here = [("system_mail_provider_id", "in", self.ids)]
        servers_sudo = self.env["ir.mail_server"].sudo().with_context(active_test=False)
        servers_sudo = servers_sudo.search(signs_in_here)
        companies = servers_sudo.system_mail_companies() | servers_sudo.owner_user_id.company_id
        companies.with_env(self.env).check_system_mail_access()

    def _retry_mailboxes(self):
        """Try the mailboxes that sign in here again, and send the mail that waits for them: the
        provider may accept the new client.
        """
        signs_in_here = [("system_mail_provider_id", "in", self.ids)]
        servers_sudo = self.env["ir.mail_server"].sudo().search(signs_in_here)
        servers_sudo.system_mail_health_ids.give_new_chance()
        self.env["mail.mail"].system_mail_wake(servers_sudo)

    def _log(self, what):
        """Log a change, unless OdooBot makes it at an installation or update."""
        if self.env.uid == SUPERUSER_ID:
            return
        self.env["system.mail.event"].note_change_for_all(what)

    @api.model
    @api.private
    def of_server(self, server):
        """The provider where a mailbox signs in, by this addon or by Odoo's own modules."""
        parameters = [
            provider.sign_in.odoo_parameter
            for provider in all_providers().values()
            if provider.sign_in
            and provider.sign_in.odoo_authentication == server.smtp_authentication
        ]
        return server.system_mail_provider_id or self.search(
            [("odoo_parameter", "in", parameters)], limit=1
        )

    @api.private
    def tell_client_rejected(self, failure, decision):
        """Tell the Super Users that these providers reject this system: once until its client
        changes, not once for each mailbox.

        :param Failure failure: what the provider said
        :param Decision decision: on it
        """
        self.env.cr.execute(
            """UPDATE system_mail_oauth_provider SET client_rejected_at = %s
                WHERE id IN %s AND client_rejected_at IS NULL
            RETURNING id""",
            [fields.Datetime.now(), (*self.ids, 0)],
        )
        told = self.browse(row[0] for row in self.env.cr.fetchall())
        told.invalidate_recordset(["client_rejected_at"])
        for provider in told:
            self.env["system.mail.alert"].tell_super_users(
                self.env._(
                    "%(provider)s: %(reason)s. The mailboxes connected there cannot send; System "
                    "Mail sends what it may. %(remedy)s The registration is in Settings ▸ "
                    "System Mail ▸ Providers (for mailboxes of Odoo's own Gmail and Outlook "
                    "modules, in Settings ▸ General Settings).",
                    provider=provider.name,
                    reason=reason_of(self.env, failure, decision),
                    remedy=remedy_of(self.env, decision),
                )
            )

    def action_reuse_client(self):
        """Use the client ID and secret from Odoo's own settings for this provider."""
        self.ensure_one()
        self.client_id, self.sudo().client_secret = self._odoo_client()

    def _odoo_client(self):
        prefix = self.odoo_parameter
        return tuple(
            prefix and parameter(self.env, f"{prefix}_{name}")
            for name in ("client_id", "client_secret")
        )

    def _endpoint(self, name):
        return (self[name] or "").replace("{tenant}", (self.tenant or "common").strip())

    @api.private
    def oauth_client(self, by_https=False):
        """The client data for this provider's endpoints.

        :param bool by_https: to send by its API, not by SMTP
        :raises MailboxError: this server has not the key for its secrets
        :rtype: Client
        """
        self.ensure_one()
        self_sudo = self.sudo()
        if any(isinstance(self_sudo[name], Unreadable) for name in SECRETS):
            raise MailboxError(Failure(Phase.TOKEN, kind=Kind.NO_KEY))
        return Client(
            client_id=self.client_id or "",
            client_secret=in_clear(self_sudo, "client_secret") or "",
            scope=(by_https and self.api_scope) or self.scope,
            redirect_uri="" if self.is_application() else self.redirect_uri,
            grant=self.grant,
            private_key=in_clear(self_sudo, "private_key") or "",
            certificate=self.certificate or "",
            issuer=self.issuer or "",
            key_id=self.key_id or "",
            **{name: self._endpoint(name) for name in ENDPOINTS},
        )

    @api.model
    @api.private
    def services(self):
        """The active providers.

        :rtype: list[Service]
        """
        return [
            Service(
                provider.name,
                provider._listed("domains"),
                provider._listed("mx_domains"),
                provider.smtp_host,
                provider.smtp_port,
                provider.smtp_encryption,
                provider.id,
                provider.asks_app_password,
                provider.limit_minute,
                provider.limit_day,
                provider._own_limit_day(),
            )
            for provider in self.search([])  # pylint: disable=no-search-all
        ]

    def _own_limit_day(self):
        """The daily limit for addresses at the provider's own domains; 0 if somebody changed the
        daily limit, or if there is none.
        """
        known, _server = known_at(self.smtp_host)
        return known.own_limit_day if known and known.limit_day == self.limit_day else 0

    @api.model
    @api.private
    def all_services(self):
        """The active providers, and the services without a sign-in.

        :rtype: list[Service]
        """
        return [*self.services(), *password_services()]

    def _listed(self, name):
        parts = (part.strip().lower() for part in (self[name] or "").split(","))
        return tuple(filter(None, parts))
