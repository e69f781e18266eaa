from odoo import models
from odoo.exceptions import ValidationError

from ...failover import ssrf_guard
from ...failover.failure import Kind


class SystemMailConnectPublicServers(models.TransientModel):
    """Keeps people who may connect only at public mail servers from finding internal servers with
    the connect dialog.
    """

    _inherit = "system.mail.connect"

    def _check_public_port(self):
        """:raises ValidationError: the port is none for mail, and the user may use no other"""
        if self.user_id.system_mail_is_limited() and self.smtp_port not in ssrf_guard.PORTS:
            *ports, last = map(str, ssrf_guard.PORTS)
            raise ValidationError(
                self.env._(
                    "Port %(port)s is not for sending mail. Use %(ports)s or %(last)s.",
                    port=self.smtp_port,
                    ports=", ".join(ports),
                    last=last,
                )
            )

    def _hides_internal_servers(self, failure, _decision):
        """Whether showing a failure would tell which names the internal network has."""
        return failure.kind is Kind.UNKNOWN_HOST and self.user_id.system_mail_is_limited()

    def _no_public_server(self):
        """The same answer for a server that doesn't exist and for an internal one.

        :return: the problem, and what to do
        :rtype: tuple[str, str]
        """
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
