from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ...providers import known_at

MAILBOX = "{mailbox}"


class SystemMailOauthProvider(models.Model):
    """The provider's API, by which mailboxes send over HTTPS where SMTP is closed."""

    _inherit = "system.mail.oauth.provider"

    api_form = fields.Selection(
        [("graph", "Microsoft Graph"), ("gmail", "Gmail API")],
        "API",
        compute="_compute_api",
        store=True,
        readonly=False,
        help="By it, mailboxes can send over HTTPS. Use it if the provider or your network doesn't "
        "allow SMTP.",
    )
    api_endpoint = fields.Char(
        "API Address", compute="_compute_api", store=True, readonly=False, help="With {mailbox}."
    )
    api_scope = fields.Char(
        "API Scope",
        compute="_compute_api",
        store=True,
        readonly=False,
        help="What is asked for to send over HTTPS, with spaces between.",
    )

    @api.depends("smtp_host", "grant")
    def _compute_api(self):
        """Fill in what is known of the provider. Someone may change it later."""
        for provider in self:
            known = provider._known_api()
            provider.api_form = known and known.form
            provider.api_endpoint = known and known.endpoint
            provider.api_scope = known and (
                known.application_scope if provider.is_application() else known.scope
            )

    def _known_api(self):
        """
        :rtype: Api | bool
        """
        known, _server = known_at(self.smtp_host)
        return (known and known.api) or False

    @api.constrains("api_form", "api_endpoint", "api_scope")
    def _check_api(self):
        for provider in self.filtered("api_form"):
            endpoint = provider.api_endpoint or ""
            if not endpoint.startswith("https://") or MAILBOX not in endpoint:
                raise ValidationError(
                    self.env._(
                        "“%(address)s” cannot be the address of the API: it begins with https:// "
                        "and contains {mailbox}.",
                        address=endpoint,
                    )
                )
            provider._check_endpoint(endpoint.replace(MAILBOX, "mailbox"))
            if not (provider.api_scope or "").strip():
                raise ValidationError(self.env._("Type the scope that the API asks for."))

    @api.private
    def api_megabytes(self):
        """The largest e-mail that the API takes, in MB; 0 if it is not known."""
        known = self._known_api()
        return known.megabytes if known else 0

    @api.private
    def api_permission(self):
        """What an administrator allows the application at the provider, to send over HTTPS."""
        known = self._known_api()
        return known.permission if known else ""
