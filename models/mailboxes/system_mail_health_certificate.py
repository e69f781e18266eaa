import datetime

from odoo import api, fields, models

from ...failover.encryption import validity
from ...providers import known_at

VERIFYING = ("ssl_strict", "starttls_strict")
"""Values of ``ir.mail_server.smtp_encryption`` with which a certificate that ended stops mail."""
BY_PROGRAM = datetime.timedelta(days=100)
"""A certificate that lives no longer is renewed by a program, such as Let's Encrypt's."""
PROGRAM_IS_LATE = datetime.timedelta(days=7)
"""Then the program should have renewed it."""


class SystemMailHealth(models.Model):
    """When the certificate of the organisation's own mail server ends. It is read where a mailbox
    works, and written with the success: no mail costs a query more.
    """

    _inherit = "system.mail.health"

    certificate_ends_on = fields.Date(
        readonly=True,
        help="The last day of the server's certificate, where somebody has to renew it.",
    )

    @api.model
    def _certificate_end(self, server, certificate):
        """The last day of a server's certificate, where somebody has to renew it. Big providers and
        programs do that by themselves.

        :param server: the mailbox
        :param bytes certificate: as the server showed it; b"" if it showed none
        :return: False where nobody has to do anything
        :rtype: date | bool
        """
        server_sudo = server.sudo()
        known, _server = known_at(server_sudo.smtp_host)
        if known or server_sudo.smtp_encryption not in VERIFYING:
            return False
        valid = validity(certificate)
        if not valid:
            return False
        begin, end = valid
        if end - begin <= BY_PROGRAM and end.date() - fields.Date.today() > PROGRAM_IS_LATE:
            return False
        return end.date()
