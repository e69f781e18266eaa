import smtplib
import traceback

import requests

from odoo import api, models
from odoo.exceptions import UserError

from ...constants import OAUTH
from ...failover.connection import MailboxError, WatchedConnection
from ...failover.failure import Failure, Kind, Phase
from ...tools.encrypted import Unreadable

REFRESH_TOKEN_FIELDS = {
    "gmail": "google_gmail_refresh_token",
    "outlook": "microsoft_outlook_refresh_token",
}
TOKEN_EXPIRATION_FIELDS = {
    "gmail": "google_gmail_access_token_expiration",
    "outlook": "microsoft_outlook_access_token_expiration",
}


class IrMailServer(models.Model):
    """How a mailbox logs in: by a password that this addon keeps, by its sign-in, or by a module of
    Odoo's; and what failed where that did.
    """

    _inherit = "ir.mail_server"

    def _smtp_login__(self, connection, smtp_user, smtp_password):
        log_in = super()._smtp_login__
        if len(self) == 1:
            smtp_user = self.sudo().system_mail_login or smtp_user
            if self.smtp_authentication == "login":
                smtp_password = smtp_password or self._system_mail_password()
            elif self.smtp_authentication == OAUTH:
                log_in = self._system_mail_sign_in
        if not isinstance(connection, WatchedConnection):
            return log_in(connection, smtp_user, smtp_password)
        connection.trace.secrets += (smtp_password,)
        if self.smtp_authentication in (OAUTH, *REFRESH_TOKEN_FIELDS):
            connection.trace.phase = Phase.TOKEN
        try:
            return log_in(connection, smtp_user, smtp_password)
        except UserError as exc:
            raise MailboxError(self._system_mail_token_failure(exc)) from exc
        except (LookupError, TypeError, AttributeError) as exc:
            # Odoo's OAuth modules take whatever answer for one with a token in it
            if self.smtp_authentication not in REFRESH_TOKEN_FIELDS:
                raise
            failure = Failure(Phase.TOKEN, kind=Kind.SIGN_IN_UNAVAILABLE)
            raise MailboxError(failure) from exc

    def _system_mail_password(self):
        """The password that this addon keeps.

        :raises MailboxError: this server has not the key for it
        """
        password = self.sudo().system_mail_password
        if isinstance(password, Unreadable):
            raise MailboxError(Failure(Phase.AUTH, kind=Kind.NO_KEY))
        return password or ""

    @api.private
    def system_mail_take_password(self):
        """Keep the password where it is encrypted, and no longer where Odoo keeps it."""
        if self.smtp_pass and self.smtp_authentication == "login":
            self.write({"system_mail_password": self.smtp_pass, "smtp_pass": False})

    def _system_mail_sign_in(self, connection, smtp_user, _password):
        """AUTH XOAUTH2, with the answer read; RFC 4954 for what is common to all of AUTH."""
        token = self.env["system.mail.oauth.token"].sudo()._access_token(self)
        if isinstance(connection, WatchedConnection):
            connection.trace.secrets += (token,)
        connection.ehlo_or_helo_if_needed()
        if not connection.has_extn("auth"):
            raise smtplib.SMTPNotSupportedError("AUTH is not offered")
        credentials = f"user={smtp_user}\1auth=Bearer {token}\1\1"
        connection.auth("XOAUTH2", lambda challenge=None: "" if challenge else credentials)

    @api.private
    def system_mail_has_token(self):
        return self.sudo().smtp_authentication in (OAUTH, *TOKEN_EXPIRATION_FIELDS)

    @api.private
    def system_mail_refresh(self):
        """Have the next log-in use a new access token: the one in use was refused.

        :raises MailboxError: the access was revoked, or the provider does not answer
        """
        authentication = self.sudo().smtp_authentication
        if authentication == OAUTH:
            self.env["system.mail.oauth.token"].sudo()._replace(self)
        else:  # Odoo fetches a new one where the old one has expired
            self.write({TOKEN_EXPIRATION_FIELDS[authentication]: 0})

    def _system_mail_token_failure(self, exc):
        """Odoo's OAuth modules say the same of a revoked grant and of a provider that is down: the
        answer itself is still in the frame that raised. So it may be with another module's.
        """
        refresh_token = REFRESH_TOKEN_FIELDS.get(self.smtp_authentication)
        if refresh_token and not self.sudo()[refresh_token]:
            return Failure(Phase.TOKEN, text=str(exc), kind=Kind.INVALID_GRANT)
        for frame, _line in traceback.walk_tb(exc.__traceback__):
            response = frame.f_locals.get("response")
            if isinstance(response, requests.Response):
                return Failure.from_token_response(response.status_code, response.content)
        return Failure(Phase.TOKEN, text=str(exc), kind=Kind.SIGN_IN_UNAVAILABLE)
