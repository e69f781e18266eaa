import datetime
import logging
import math

import psycopg2

from odoo import api, fields, models
from odoo.fields import Domain

from ...connect.oauth import PATIENCE, Tokens, application_token, refresh
from ...failover.connection import MailboxError, current_trace
from ...failover.failure import Failure, Kind, Phase
from ...providers import known_at
from ...tools.encrypted import Encrypted, Unreadable, in_clear
from ...tools.own_cursor import own_environment

_logger = logging.getLogger(__name__)

MARGIN = datetime.timedelta(minutes=1)
"""An access token that expires within this time is refreshed before use."""


class SystemMailOauthToken(models.Model):
    """The OAuth tokens of a mailbox. They are not fields of ``ir.mail_server`` because many workers
    refresh them while they send. Nobody can read them, by RPC or on screen.
    """

    _name = "system.mail.oauth.token"
    _inherit = "system.mail.unnamed"
    _description = "Mailbox Token"
    _rec_name = "server_id"

    server_id = fields.Many2one("ir.mail_server", required=True, ondelete="cascade")
    access_token = Encrypted(groups=fields.NO_ACCESS)
    refresh_token = Encrypted(groups=fields.NO_ACCESS)
    expires_at = fields.Datetime()

    _server_uniq = models.Constraint("UNIQUE(server_id)", "A mailbox has one token.")

    @api.model
    @api.private
    def store_tokens(self, server, tokens):
        """Store the tokens from a sign-in, in the caller's transaction.

        :param Tokens tokens: from ``connect.oauth``
        :return: the server, with a context by which this transaction refreshes the tokens itself:
            another cursor doesn't see them before the commit
        """
        found = self._of(server) or self.create({"server_id": server.id})
        found._keep(tokens)
        return server.with_context(system_mail_stored_tokens=tokens)

    @api.model
    @api.private
    def idle_mailboxes(self):
        """The mailboxes in use whose refresh token would lapse because nobody uses it: a third of
        that time is over.
        """
        now, idle = fields.Datetime.now(), Domain.FALSE
        providers = self.env["system.mail.oauth.provider"].with_context(active_test=False)
        for provider in providers.search([("grant", "=", "authorization_code")]):
            known, _server = known_at(provider.smtp_host)
            if days := known and known.sign_in and known.sign_in.refresh_days:
                used_until = now - datetime.timedelta(days=days) / 3
                idle |= Domain("server_id.system_mail_provider_id", "=", provider.id) & Domain(
                    "expires_at", "<", used_until
                )
        servers = self.search(idle).server_id.filtered("active")
        return servers.filtered(
            lambda server: server.owner_user_id.active or not server.owner_user_id
        )

    @api.model
    def _of(self, server):
        return self.search([("server_id", "=", server.id)])

    def _keep(self, tokens):
        values = {"access_token": tokens.access_token, "expires_at": tokens.expires_at}
        if tokens.refresh_token:
            values["refresh_token"] = tokens.refresh_token
        self.write(values)

    @api.model
    def _access_token(self, server):
        """A mailbox's access token, refreshed first if it expires soon.

        :raises MailboxError: the access was revoked, or the provider does not answer
        """
        self._check_provider(server.sudo())
        token = self._of(server)
        return token._if_fresh() or self._refreshed(server)

    @api.model
    def _check_provider(self, server_sudo):
        """Check that the token is still for this mailbox. An application may reach other mailboxes,
        too: a person's is used only as that person, and a change of its account disconnects it.

        :raises MailboxError: it is disconnected, or the log-in is not its owner's e-mail address
        """
        provider_sudo, owner_sudo = server_sudo.system_mail_provider_id, server_sudo.owner_user_id
        if not provider_sudo:
            raise MailboxError(Failure(Phase.TOKEN, kind=Kind.INVALID_GRANT))
        if owner_sudo and provider_sudo.is_application():
            login = (server_sudo.system_mail_login or "").lower()
            if login != owner_sudo.email_normalized:
                raise MailboxError(Failure(Phase.CONNECT, kind=Kind.FROM_FILTER))

    @api.model
    def _replace(self, server):
        """Refresh a mailbox's access token that its server refused.

        :raises MailboxError: as for ``_access_token``
        """
        self._refreshed(server, unless=in_clear(self._of(server), "access_token"))

    @api.model
    def _refreshed(self, server, unless=None):
        """Refresh a mailbox's access token on its own cursor, which commits at once: a rollback
        must not lose the new tokens. If several workers need it, one refreshes, the others wait.
        For a mailbox that this transaction has just connected, that is done within it.

        :param str unless: a token that was refused. If the stored one differs, another worker has
            refreshed it already.
        :return: the access token
        :raises MailboxError: as for ``_access_token``
        """
        token = self._of(server)
        # a context key that came by RPC is plain data, not Tokens
        if isinstance(self.env.context.get("system_mail_stored_tokens"), Tokens):
            return token._refresh_once(unless)
        try:
            with own_environment(self.env, f"{math.ceil(_patience() * 1000)}ms") as env:
                provider = server.sudo().system_mail_provider_id
                if server.with_env(env).exists().sudo().system_mail_provider_id.id != provider.id:
                    token = token or self.create({"server_id": server.id})
                    return token._refresh_once(unless)
                if provider.is_application():
                    env.cr.execute(
                        """INSERT INTO system_mail_oauth_token (server_id) VALUES (%s)
                        ON CONFLICT DO NOTHING""",
                        [server.id],
                    )
                env.cr.execute(
                    "SELECT id FROM system_mail_oauth_token WHERE server_id = %s FOR UPDATE",
                    [server.id],
                )
                locked = env[self._name].browse(row[0] for row in env.cr.fetchall())
                locked.invalidate_recordset()
                successor = locked._refresh_once(unless)
        except psycopg2.Error as exc:
            _logger.warning("The token of mailbox %s was not refreshed: %s", server.id, exc)
            raise MailboxError(
                Failure(
                    Phase.TOKEN, text="another worker refreshes it", kind=Kind.SIGN_IN_UNAVAILABLE
                )
            ) from None
        # this transaction doesn't see what the own cursor wrote
        self._fields["access_token"]._update_cache(token, successor)
        return successor

    def _refresh_once(self, unless):
        current = self._if_fresh()
        if current and current != unless:
            return current
        provider = self.server_id.system_mail_provider_id
        if isinstance(self.refresh_token, Unreadable):
            raise MailboxError(Failure(Phase.TOKEN, kind=Kind.NO_KEY))
        if provider.is_application():
            self._keep(self.application_tokens(self.server_id))
        else:
            client = provider.oauth_client(self.server_id.system_mail_https)
            self._keep(refresh(client, in_clear(self, "refresh_token")))
        return in_clear(self, "access_token")

    @api.model
    @api.private
    def application_tokens(self, server):
        """New tokens for a mailbox that connects without a person.

        :raises MailboxError: this server has not the key for the provider's secret; the provider
            refused or did not answer
        :rtype: Tokens
        """
        provider = server.system_mail_provider_id
        client = provider.oauth_client(server.system_mail_https)
        return application_token(client, server.system_mail_login, patience=_patience())

    def _if_fresh(self):
        fresh = self.expires_at and self.expires_at > fields.Datetime.now() + MARGIN
        return fresh and in_clear(self, "access_token")


def _patience():
    """Seconds to wait for a provider, or for another worker that asks it for the same token: no
    longer than whoever waits for the connection does.
    """
    trace = current_trace()
    return min(PATIENCE, trace.remaining()) if trace else PATIENCE
