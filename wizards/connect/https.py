from urllib.parse import urlsplit

from odoo import api, fields, models

from ...failover.https_api import HTTPS
from ...tools.odoo_20 import with_max_email_size

CLOSED = ("smtp_auth_disabled", "basic_auth_retired", "unreachable")
"""Rules of failures that say that SMTP is closed: for the mailbox, or by the network."""


class SystemMailConnectHttps(models.TransientModel):
    """Connects a mailbox by its provider's API, over HTTPS. Proposes it where SMTP is closed."""

    _inherit = "system.mail.connect"

    by_https = fields.Boolean(
        "Send by HTTPS",
        help="Odoo hands messages to the provider's API and doesn't use SMTP. Choose it if your "
        "organization or your network doesn't allow SMTP.",
    )
    can_https = fields.Boolean(compute="_compute_can_https")
    https_provider_id = fields.Integer(readonly=True, help="Proposed to send by HTTPS with.")
    permission = fields.Char(compute="_compute_can_https")

    @api.depends("method", "by_https")
    def _compute_can_https(self):
        for dialog in self:
            provider_sudo = dialog._provider()
            dialog.can_https = bool(provider_sudo.api_form)
            dialog.permission = dialog.by_https and provider_sudo.api_permission()

    def _sends_by_https(self):
        return self.by_https and self.can_https

    def _https_values(self):
        """The fields of ``ir.mail_server`` that say whether it sends by HTTPS."""
        if self._sends_by_https():
            provider_sudo = self._provider()
            url = urlsplit(provider_sudo.api_endpoint)
            return {
                "system_mail_https": True,
                "smtp_host": url.hostname,
                "smtp_port": url.port or HTTPS,
                "smtp_encryption": "ssl_strict",
                **with_max_email_size(provider_sudo.api_megabytes()),
            }
        if self._server(self.address).sudo().system_mail_https:
            return {"system_mail_https": False, **with_max_email_size(0)}
        return {}

    def _propose_https(self, trouble):
        """Propose a provider's API if SMTP is closed.

        :param trouble: as for ``_show_outcome``
        """
        self.https_provider_id = 0
        if trouble and trouble[1].rule in CLOSED and not self._sends_by_https():
            self.https_provider_id = self._https_provider().id

    def _https_provider(self):
        """The provider with an API for this mailbox: the chosen one, or else one for the detected
        service, which the current user may have to set up first; empty if there is none.
        """
        providers_sudo = self.env["system.mail.oauth.provider"].sudo()
        detected_sudo = providers_sudo.browse(self.provider_id or []).exists()
        ready_sudo = self._ready_application(detected_sudo.smtp_host)
        found_sudo = self._provider() | ready_sudo | detected_sudo
        return found_sudo.filtered(lambda p: p.api_form and str(p.id) in self.offered)[:1]

    def action_use_https(self):
        """Choose the API that was proposed. Nothing is tried yet."""
        self.ensure_one()
        self.write(
            {
                "by_https": True,
                "method": str(self.https_provider_id),
                "https_provider_id": 0,
                "state": "draft",
            }
        )
        return self.reopen()
