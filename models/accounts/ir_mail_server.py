import datetime
import smtplib

from odoo import api, models
from odoo.exceptions import UserError
from odoo.tools.urls import urljoin

from ...connect.oauth import PATIENCE, Client, refresh
from ...constants import OAUTH
from ...failover.connection import MailboxError, WatchedConnection, current_trace
from ...failover.failure import Failure, Kind, Phase
from ...failover.https_api import Api, ApiConnection, OdooConnection
from ...tools.encrypted import Unreadable, in_clear
from ...tools.odoo_20 import parameter
from ...tools.smtp_debug import log_in_unseen

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
        with log_in_unseen(connection, smtp_password):
            return self._system_mail_log_in(log_in, connection, smtp_user, smtp_password)

    def _system_mail_log_in(self, log_in, connection, smtp_user, smtp_password):
        """Log in by a callable; on a connection of ours, its failures are told apart."""
        if not isinstance(connection, WatchedConnection):
            return log_in(connection, smtp_user, smtp_password)
        connection.trace.secrets += (smtp_password,)
        if self.smtp_authentication in (OAUTH, *REFRESH_TOKEN_FIELDS):
            connection.trace.phase = Phase.TOKEN
            provider_sudo = self.sudo().system_mail_provider_id
            connection.trace.application = provider_sudo.is_application()
        try:
            return log_in(connection, smtp_user, smtp_password)
        except UserError as exc:
            raise MailboxError(self._system_mail_token_failure(exc)) from exc
        except (LookupError, TypeError, AttributeError) as exc:
            # Odoo's in-app purchase: its answer is taken for one with a token, whatever it is
            if self.smtp_authentication not in REFRESH_TOKEN_FIELDS:
                raise
            failure = Failure(Phase.TOKEN, kind=Kind.SIGN_IN_UNAVAILABLE)
            raise MailboxError(failure) from exc

    def _system_mail_password(self):
        """The password that this addon keeps.

        :raises MailboxError: this server has not the key for it
        """
        password = in_clear(self.sudo(), "system_mail_password")
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
    def system_mail_open_by_https(self):
        """Connect to the provider's API.

        :raises MailboxError: there is no access token
        :raises OSError: the provider cannot be reached
        :rtype: Connection
        """
        self_sudo, trace = self.sudo(), current_trace()
        provider_sudo = self_sudo.system_mail_provider_id
        if trace:
            trace.phase = Phase.TOKEN
            trace.application = provider_sudo.is_application()
        token = self.env["system.mail.oauth.token"].sudo()._access_token(self)
        mailbox = self_sudo.system_mail_login or self_sudo.smtp_user
        if not provider_sudo.api_form:
            raise MailboxError(Failure(Phase.CONNECT, kind=Kind.INVALID))
        api_of_mailbox = Api(provider_sudo.api_endpoint, provider_sudo.api_form, mailbox, token)
        return ApiConnection(api_of_mailbox, trace) if trace else OdooConnection(api_of_mailbox)

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
        """What Odoo's OAuth modules, or another module, say without a provider's answer."""
        refresh_token = REFRESH_TOKEN_FIELDS.get(self.smtp_authentication)
        never_signed_in = refresh_token and not self.sudo()[refresh_token]
        kind = Kind.INVALID_GRANT if never_signed_in else Kind.SIGN_IN_UNAVAILABLE
        return Failure(Phase.TOKEN, text=str(exc), kind=kind)

    # --- in place of methods of Odoo's OAuth modules, which call them where they are installed

    def _fetch_gmail_access_token(self, refresh_token):
        client = self._system_mail_odoo_client("google_gmail")
        google = client and self._system_mail_google()
        if not google:
            return super()._fetch_gmail_access_token(refresh_token)
        tokens = _refresh(Client(*client, google.token_endpoint), refresh_token)
        return tokens.access_token, _timestamp(tokens.expires_at)

    def _fetch_outlook_access_token(self, refresh_token):
        client = self._system_mail_odoo_client("microsoft_outlook")
        if not client:
            return super()._fetch_outlook_access_token(refresh_token)
        endpoint = urljoin(self._get_microsoft_endpoint(), "token")
        tokens = _refresh(Client(*client, endpoint), refresh_token)
        return (
            tokens.refresh_token or refresh_token,
            tokens.access_token,
            tokens.id_token,
            _timestamp(tokens.expires_at),
        )

    def _system_mail_odoo_client(self, module):
        """The client of one of Odoo's OAuth modules, for a connection of ours: then we ask for the
        token, so that the provider's answer can be read, and is waited for no longer than ours.

        :return: id and secret; None outside our connections, and where the module has no client
            but uses Odoo's in-app purchase
        """
        if not current_trace():
            return None
        client = tuple(
            parameter(self.env, f"{module}_{name}") for name in ("client_id", "client_secret")
        )
        return client if all(client) else None

    def _system_mail_google(self):
        providers_sudo = self.env["system.mail.oauth.provider"].sudo()
        providers_sudo = providers_sudo.with_context(active_test=False)
        return providers_sudo.search([("odoo_parameter", "=", "google_gmail")], limit=1)

    def _raise_iap_error(self, error):
        """Odoo's in-app purchase tells a provider's refusal in an answer with status 200."""
        if current_trace():
            raise MailboxError(Failure.from_token_response(None, {"error": error}))
        return super()._raise_iap_error(error)


def _refresh(client, refresh_token):
    """New tokens, within the time that the connection has left.

    :raises MailboxError: the access was revoked, or the provider refused or did not answer
    """
    return refresh(client, refresh_token, min(PATIENCE, current_trace().remaining()))


def _timestamp(moment):
    """Seconds since 1970 of a naive UTC time."""
    return int(moment.replace(tzinfo=datetime.timezone.utc).timestamp())
