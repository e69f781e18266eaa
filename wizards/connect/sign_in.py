import hashlib
import hmac
import secrets

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.http import STORED_SESSION_BYTES, request

from ...connect import oauth
from ...constants import OAUTH
from ...failover.connection import MailboxError
from ...failover.failure import Failure
from ...failover.rules import classify
from ...tools.encrypted import Encrypted, in_clear
from .system_mail_connect import PASSWORD

MINUTES_TO_SIGN_IN = 10


class SystemMailConnectSignIn(models.TransientModel):
    """Connects a mailbox by signing in with its provider (OAuth 2.0 with PKCE)."""

    _inherit = "system.mail.connect"

    oauth_state = fields.Char(groups=fields.NO_ACCESS, help="A digest; bound to the session.")
    oauth_verifier = Encrypted(groups=fields.NO_ACCESS)
    oauth_until = fields.Datetime(groups=fields.NO_ACCESS)

    def action_sign_in(self):
        """Send the browser to the provider's sign-in page. The provider sends it back to the route
        ``/system_mail/oauth/return``, which calls ``claim`` and ``finish_sign_in``.
        """
        self.ensure_one()
        try:
            self._check_address()
            client = self._oauth_client()
            state = secrets.token_urlsafe(32)
            url, verifier = oauth.authorization(client, state, self.smtp_user or self.address)
        except ValidationError as exc:
            return self._show_failure(str(exc))
        except MailboxError as exc:
            return self._show_outcome((exc.failure, classify(exc.failure)))
        except oauth.SIGN_IN_ERRORS as exc:
            return self._show_failure(
                self.env._("The provider's settings do not work: %(reason)s", reason=exc)
            )
        self.sudo().write(
            {
                "oauth_state": self._digest(state),
                "oauth_verifier": verifier,
                "oauth_until": fields.Datetime.add(
                    fields.Datetime.now(), minutes=MINUTES_TO_SIGN_IN
                ),
            }
        )
        return {"type": "ir.actions.act_url", "url": url, "target": "self"}

    def _provider(self):
        """The provider to sign in with; empty if the mailbox connects by password."""
        providers_sudo = self.env["system.mail.oauth.provider"].sudo()
        chosen = int(self.method) if self.method != PASSWORD else 0
        return providers_sudo.search([("id", "=", chosen)])

    def _oauth_client(self):
        """The client data for the chosen provider.

        :rtype: Client
        :raises MailboxError: this server has not the key for its secret
        :raises ValidationError: no Super User has set up a client for it
        """
        provider_sudo = self._provider()
        if not provider_sudo.client_id or provider_sudo.is_application():
            raise ValidationError(
                self.env._(
                    "Signing in with %(provider)s is not set up yet: a Super User registers this "
                    "system there (Settings ▸ System Mail ▸ Providers). Until then, connect by "
                    "user name and password.",
                    provider=provider_sudo.name or self.env._("the provider"),
                )
            )
        return provider_sudo.oauth_client(self._sends_by_https())

    def _digest(self, state):
        """A digest of an OAuth state that only this browser's session can repeat. It uses the start
        of the session's id: Odoo changes the rest from time to time.

        :raises UserError: there is no browser
        """
        if not request:
            raise UserError(self.env._("A sign-in begins in a browser."))
        key = request.session.sid[:STORED_SESSION_BYTES].encode()
        return hmac.new(key, state.encode(), hashlib.sha256).hexdigest()

    @api.model
    @api.private
    def claim(self, state):
        """Find the dialog that a sign-in belongs to, and mark the sign-in as used.

        :param str state: the OAuth state that the browser brings back
        :return: the dialog; empty if there is none, if the sign-in was used or is too old, or if
            another user or browser began it
        """
        self.env.cr.execute(
            """UPDATE system_mail_connect SET oauth_state = NULL
                WHERE oauth_state = %s AND create_uid = %s
            RETURNING id, oauth_until >= %s""",
            [self._digest(state or ""), self.env.uid, fields.Datetime.now()],
        )
        claimed = self.browse(id_ for id_, in_time in self.env.cr.fetchall() if in_time)
        claimed.invalidate_recordset()
        return claimed

    @api.private
    def finish_sign_in(self, code, error):
        """Fetch the tokens, check that they belong to the account, and try it. The dialog then
        shows the result.

        :param str code: the authorization code; None if the provider sent none
        :param str error: the provider's error, if it sent no code
        """
        dialog_sudo = self.sudo()
        verifier, dialog_sudo.oauth_verifier = in_clear(dialog_sudo, "oauth_verifier"), False
        if not code:
            self._show_failure(
                self.env._("The sign-in was not completed: nothing was changed."),
                self.env._("Sign in again and allow the access, or connect by password."),
                Failure.from_token_response(None, {"error": error or "no code"}).text,
            )
            return
        try:
            client = self._oauth_client()
            if self.user_id:
                self.env["system.mail.attempt"].count_attempt()
            tokens = oauth.exchange(client, code, verifier)
            self._check_tokens(tokens, oauth.identities(client, tokens))
            trouble = self._try(self._oauth_server_values(), tokens)
        except ValidationError as exc:
            self._show_failure(str(exc))
        except MailboxError as exc:
            self._show_outcome((exc.failure, classify(exc.failure)))
        else:
            self._show_outcome(trouble)

    def _check_tokens(self, tokens, identities):
        """Check the tokens of a sign-in.

        :param identities: addresses of the account that signed in
        :raises ValidationError: it is another account, or there is no refresh token
        """
        wanted = (self.smtp_user or self.address).strip().lower()
        if wanted not in identities:
            raise ValidationError(
                self.env._(
                    "You signed in as %(account)s, but the mailbox to connect is %(wanted)s: "
                    "nothing was changed. Sign in again with that account.",
                    account=", ".join(sorted(identities))
                    or self.env._("an account without a name"),
                    wanted=wanted,
                )
            )
        if not tokens.refresh_token:
            raise ValidationError(
                self.env._(
                    "The provider gave no refresh token: the mailbox would be disconnected within "
                    "the hour. A Super User checks that the provider's scopes ask for offline "
                    "access; or remove this system's access in the account, and sign in again."
                )
            )

    def _oauth_server_values(self):
        provider_sudo = self._provider()
        login = (self.smtp_user or self.address).strip()
        return {
            "smtp_authentication": OAUTH,
            "smtp_host": provider_sudo.smtp_host,
            "smtp_port": provider_sudo.smtp_port,
            "smtp_encryption": provider_sudo.smtp_encryption,
            "smtp_user": login,
            "system_mail_login": login,
            "system_mail_provider_id": provider_sudo.id,
            "system_mail_password": False,
            "smtp_pass": False,
            **self._https_values(),
        }

    def action_return(self):
        """What the browser opens after a sign-in: the home page or the user's preferences, and the
        dialog over it.

        :return: ``{"page": action, "dialog": action}``
        :rtype: dict
        """
        self.ensure_one()
        actions = self.env["ir.actions.actions"]
        if self.company_id:
            page = actions._for_xml_id("system_mail.system_mail_home_action")
        else:
            page = actions._for_xml_id("mail.action_res_users_my_fullpage")
            page["res_id"] = self.env.uid
        return {"page": page, "dialog": self.reopen()}
