from odoo import models
from odoo.exceptions import ValidationError

from ..failover import reach
from ..failover.failure import Kind


class SystemMailReach(models.TransientModel):
    """What the connect dialog says to people whose mailbox may be at a public mail server alone:
    nothing of what else there is.
    """

    _inherit = "system.mail.connect"

    def _check_account(self):
        if self.user_id._system_mail_is_limited() and self.smtp_port not in reach.PORTS:
            *ports, last = map(str, reach.PORTS)
            raise ValidationError(
                self.env._(
                    "%(port)s is no port for sending mail: take %(ports)s or %(last)s.",
                    port=self.smtp_port,
                    ports=", ".join(ports),
                    last=last,
                )
            )
        return super()._check_account()

    def _show_outcome(self, trouble):
        unknown = trouble and trouble[0].kind is Kind.UNKNOWN_HOST
        if not (unknown and self.user_id._system_mail_is_limited()):
            return super()._show_outcome(trouble)
        return self._show_failure(
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
