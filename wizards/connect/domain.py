from odoo import api, fields, models

from ...connect.detection import PATIENCE
from .system_mail_connect import PASSWORD


class SystemMailConnectDomain(models.TransientModel):
    """Shows in a System Mail's connect dialog what is wrong with the DNS of its domain, once the
    button has asked the DNS. A finding never prevents a connection.
    """

    _inherit = "system.mail.connect"

    domain_status = fields.Selection("_domain_statuses", readonly=True)
    domain_findings = fields.Text(readonly=True)
    domain_subject = fields.Char(readonly=True, help="The domain and the host they are about.")

    @api.model
    def _domain_statuses(self):
        return self.env["system.mail.domain.finding"].statuses()

    def _forget_domain(self):
        self.domain_status = self.domain_findings = self.domain_subject = False

    def _look_at_domain(self):
        finding = self.env["system.mail.domain.finding"]
        findings = [
            finding.new(values)
            for values in finding.look(self.address.strip(), self._sending_host(), PATIENCE)
        ]
        self.domain_status = finding.worst(finding.status for finding in findings)
        self.domain_findings = "\n\n".join(finding.as_text() for finding in findings)
        self.domain_subject = self._domain_subject()

    def _sending_host(self):
        """The server that the domain's mail will be sent by."""
        host = self.smtp_host if self.method == PASSWORD else self._provider().smtp_host
        return (host or "").strip()

    def _domain_subject(self):
        """The domain and its server, to tell whether the findings are about them."""
        return f"{(self.address or '').rpartition('@')[2].strip()} {self._sending_host()}"
