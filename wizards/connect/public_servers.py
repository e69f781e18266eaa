from odoo import models
from odoo.exceptions import ValidationError

from ...failover import ssrf_guard
from ...failover.failure import Kind


class SystemMailReach(models.TransientModel):
    """What the connect dialog says to people whose mailbox may be at a public mail server alone:
    nothing of what else there is.
    """

    _inherit = "system.mail.connect"

    def _check_public_port(self):
        """:raises ValidationError: people may connect at public mail servers only"""
        if self.user_id.system_mail_is_limited() and self.smtp_port not in ssrf_guard.PORTS:
            *ports, last = map(str, ssrf_guard.PORTS)
            raise ValidationError(
                self.env._(
                    "%(port)s is no port for sending mail: take %(ports)s or %(last)s.",
                    port=self.smtp_port,
                    ports=", ".join(ports),
                    last=last,
                )
            )

    def _hides_internal_servers(self, failure, _decision):
        """Whether the failure would tell which names the network knows."""
        return failure.kind is Kind.UNKNOWN_HOST and self.user_id.system_mail_is_limited()

    def _no_public_server(self):
        """What to say of a server that is none, or none for people: problem and remedy."""
        return (
            self.env._(
                "No public mail server “%(host)s” was found: there is no such name, or it is of an "
                "internal server.",
                host=self.smtp_host,
            ),
            self.env._(
                "Check the server name. If your mailbox is at an internal server, ask a Super User "
                "to allow these in the settings of System Mail."
            ),
        )
