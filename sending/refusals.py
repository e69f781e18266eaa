"""Turn Odoo's refusal to use a mailbox into a failure of that mailbox."""

import contextlib

from cryptography.exceptions import UnsupportedAlgorithm

from odoo.exceptions import UserError

from ..failover.connection import MailboxError, current_trace
from ..failover.failure import Failure, Kind, Phase
from ..failover.text import clean

_UNREADABLE = (TypeError, ValueError, UnsupportedAlgorithm)
"""What Odoo raises if a certificate is no PEM file, or a private key has a passphrase."""


@contextlib.contextmanager
def refusals_as_failures(server, sender):
    """Connect a mailbox inside this block. If Odoo refuses to, the next mailbox is tried.

    :param server: the ``ir.mail_server``, empty for Odoo's configuration file
    :param str sender: the address to send from
    :raises MailboxError: Odoo does not use the mailbox, or cannot read its certificate
    """
    server_sudo = server.sudo()
    has_certificate = server_sudo.smtp_authentication == "certificate"
    try:
        yield
    except UserError as exc:
        kind = server_sudo.system_mail_refusal(sender)
        text = "" if kind else clean(str(exc))
        kind = kind or (Kind.CLIENT_CERTIFICATE if has_certificate else Kind.UNUSABLE)
        raise MailboxError(Failure(Phase.CONNECT, text=text, kind=kind)) from exc
    except _UNREADABLE as exc:
        if not has_certificate or current_trace().connection is not None:
            raise
        failure = Failure(Phase.CONNECT, text=clean(str(exc)), kind=Kind.CLIENT_CERTIFICATE)
        raise MailboxError(failure) from exc
