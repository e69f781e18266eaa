import contextlib

from odoo import api, fields, models
from odoo.api import SUPERUSER_ID
from odoo.tools import email_normalize

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ...constants import GROUP, OAUTH
from ...failover.connection import MailboxError
from ...failover.failure import Kind
from ...failover.probe import probe
from ...failover.rules import classify, classify_probe
from ...failover.session import Route, Session, Undelivered
from ...sending.refusals import refusals_as_failures
from ...sending.send_run import LIMIT_FIELDS, patience
from ...tools.encrypted import Encrypted
from ...tools.odoo_20 import clear_caches, parameter

CONNECTION_FIELDS = {
    "active",
    "owner_user_id",
    "from_filter",
    "smtp_host",
    "smtp_port",
    "smtp_encryption",
    "smtp_authentication",
    "smtp_user",
    "smtp_pass",
    "smtp_ssl_certificate",
    "smtp_ssl_private_key",
    "system_mail_login",
    "system_mail_password",
    "system_mail_provider_id",
    "system_mail_https",
}
"""A change of these is a new chance: the breaker closes."""
ACCOUNT = {
    "owner_user_id",
    "from_filter",
    "smtp_host",
    "smtp_port",
    "smtp_encryption",
    "smtp_user",
    "system_mail_login",
}
"""A change of these by an administrator forgets the mailbox's secrets."""
PERSONAL_SECRETS = {
    "smtp_pass",
    "smtp_ssl_certificate",
    "smtp_ssl_private_key",
    "google_gmail_refresh_token",
    "google_gmail_access_token",
    "microsoft_outlook_refresh_token",
    "microsoft_outlook_access_token",
}
"""Where Odoo keeps the secrets of a mailbox: of a person's, they are forgotten too."""
OWN_CURSOR_FIELDS = LIMIT_FIELDS | {
    "google_gmail_access_token",
    "google_gmail_access_token_expiration",
    "microsoft_outlook_refresh_token",
    "microsoft_outlook_access_token",
    "microsoft_outlook_access_token_expiration",
}
"""What core writes while it sends."""


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    system_mail_company_ids = fields.One2many(
        "res.company", "system_mail_server_id", groups="system_mail.group_super_user"
    )
    system_mail_backup_ids = fields.One2many(
        "system.mail.backup", "server_id", groups="system_mail.group_super_user"
    )
    system_mail_health_ids = fields.One2many(
        "system.mail.health", "server_id", groups="system_mail.group_super_user"
    )
    smtp_authentication = fields.Selection(
        selection_add=[(OAUTH, "OAuth2 Sign-in")], ondelete={OAUTH: "set default"}
    )
    system_mail_provider_id = fields.Many2one(
        "system.mail.oauth.provider",
        groups="system_mail.group_super_user",
        copy=False,
        ondelete="restrict",
        index="btree_not_null",
    )
    system_mail_login = fields.Char(
        "Log-in Name",
        groups="base.group_system",
        copy=False,
        help="The name to log in with, where it is not the address.",
    )
    system_mail_password = Encrypted(
        "Mailbox Password",
        groups=fields.NO_ACCESS,
        copy=False,
        help="The password of a mailbox connected by this addon: no browser ever reads it.",
    )
    system_mail_public_only = fields.Boolean(
        "Public Servers Only",
        groups="base.group_system",
        copy=False,
        readonly=True,
        help="Its owner, who is no Super User, said where it is: only public servers are asked, "
        "unless the settings allow internal ones.",
    )

    system_mail_https = fields.Boolean(
        "By HTTPS",
        groups="base.group_system",
        copy=False,
        readonly=True,
        help="It sends by its provider's API, not by SMTP.",
    )

    @api.depends_context("uid")
    def _compute_display_name(self):
        """Name a server of System Mail only to OdooBot and to Super Users who work in its
        companies. Odoo reads the name of a record that another one names as superuser, whoever
        reads it.
        """
        unnamed = self.browse()
        if self.env.uid != SUPERUSER_ID:
            reserved = self.env["res.company"].system_mail_server_ids()
            of_system = self.filtered(lambda server: server._origin.id in reserved)
            unnamed = of_system.filtered(lambda server: not server._system_mail_may_be_named())
            unnamed.display_name = False
        super(IrMailServer, self - unnamed)._compute_display_name()

    def _system_mail_may_be_named(self):
        user = self.env.user
        return user.has_group(GROUP) and (
            self._origin.system_mail_companies().with_env(self.env) <= user.company_ids
        )

    @api.model_create_multi
    def create(self, vals_list):
        servers = super().create(vals_list)
        servers._system_mail_log_connected()
        return servers

    def write(self, vals):
        run = self.system_mail_run()
        if run and vals.keys() <= OWN_CURSOR_FIELDS:
            return self._system_mail_write_apart(run, vals)
        if CONNECTION_FIELDS & vals.keys():
            self._system_mail_check_ours()
        before = self._system_mail_audit_snapshot(vals)
        accounts = self._system_mail_accounts()
        result = super().write(vals)
        moved_sudo = self._system_mail_moved(accounts)
        self._system_mail_keep_secrets_here(moved_sudo, accounts, vals)
        self._system_mail_leave_application(moved_sudo, vals)
        if vals.get("smtp_pass"):
            self._system_mail_encrypt_password()
        if "active" in vals:
            clear_caches(self.env)
        if CONNECTION_FIELDS & vals.keys():
            self.sudo().system_mail_health_ids.give_new_chance()
        self._system_mail_log_changes(before)
        return result

    def unlink(self):
        self._system_mail_check_ours()
        self._system_mail_log_removed()
        self._system_mail_end_outages()
        result = super().unlink()
        clear_caches(self.env)
        return result

    def _system_mail_check_ours(self):
        """Check that a module that acts as superuser does so for no outsider with System Mail's
        mailboxes, as where an administrator deletes what a person left behind.

        :raises AccessError: it does
        """
        reserved = self.env["res.company"].system_mail_server_ids()
        if self.env.su and not reserved.isdisjoint(self.ids):
            self.system_mail_companies().with_env(self.env).check_system_mail_access()

    def _system_mail_encrypt_password(self):
        """A password that Odoo's own form gave to a System Mail is kept encrypted, where it can."""
        if self.env["system.mail.secret"].has_key():
            reserved = self.env["res.company"].system_mail_server_ids()
            for server in self.filtered(lambda server: server.id in reserved):
                server.system_mail_take_password()

    def _system_mail_end_outages(self):
        outages = self.env["system.mail.outage"].sudo()
        outages.search([("server_id", "in", self.ids), ("ended_at", "=", False)]).write(
            {"ended_at": fields.Datetime.now()}
        )

    def _system_mail_write_apart(self, run, vals):
        """Core writes these while it sends. Two workers that send from one mailbox would clash at
        the commit, after the mail has left, and send it again: so they go by an own cursor, and the
        sending transaction only remembers them.
        """
        for name, value in vals.items():
            field = self._fields[name]
            for server in self:
                field._update_cache(server, field.convert_to_cache(value, server))
        run.write_apart(self, vals)
        return True

    def _system_mail_accounts(self):
        """Who owns each of these mailboxes, and in which account and where it logs in.

        :return: ``{server: {field name: value}}``, as superuser
        """
        return {
            server_sudo: {name: server_sudo[name] or False for name in ACCOUNT}
            for server_sudo in self.sudo()
        }

    def _system_mail_moved(self, accounts):
        """The mailboxes that have another owner, account or server now, whatever field was written:
        another addon may compute these from fields of its own.

        :param dict accounts: what ``_system_mail_accounts`` returned before
        """
        for field in map(self._fields.get, ACCOUNT):
            if not field.store and not any(self.env.is_protected(field, each) for each in self):
                self.invalidate_recordset([field.name])
        now = self._system_mail_accounts()
        return self.sudo().filtered(lambda server: now[server] != accounts[server])

    def _system_mail_keep_secrets_here(self, moved_sudo, accounts, vals):
        """Forget the secrets of mailboxes that an administrator gave to another owner, or to
        another account or server. They could otherwise send as the owner with a password that they
        may not read, or have it sent to a server of theirs. Super Users who work in its company,
        the owner and code in superuser mode may do so.

        :param moved_sudo: these mailboxes
        :param dict accounts: what ``_system_mail_accounts`` returned before
        :param dict vals: as given to ``write``
        """
        if self.env.su:
            return
        user, is_super_user = self.env.user, self.env.user.has_group(GROUP)

        def may(server_sudo):
            owner = accounts[server_sudo]["owner_user_id"]
            of_system = server_sudo.system_mail_companies()
            works_there = of_system <= user.company_ids and (
                not owner or owner.company_ids & user.company_ids
            )
            return owner == user or (is_super_user and works_there)

        moved_sudo = moved_sudo.filtered(lambda server: not may(server))
        moved_sudo._system_mail_forget({"system_mail_password"} - vals.keys())
        personal_sudo = moved_sudo.filtered(
            lambda server: server.owner_user_id or accounts[server]["owner_user_id"]
        )
        personal_sudo._system_mail_forget(PERSONAL_SECRETS & self._fields.keys() - vals.keys())
        tokens_sudo = self.env["system.mail.oauth.token"].sudo()
        tokens_sudo.search([("server_id", "in", moved_sudo.ids)]).unlink()

    def _system_mail_leave_application(self, moved_sudo, vals):
        """Disconnect mailboxes that connect by an application, where anybody gave them another
        owner, address or server: the application would send as that one without a consent, or its
        token would go to that server.

        :param moved_sudo: the mailboxes that have another one
        :param dict vals: as given to ``write``
        """
        if "system_mail_provider_id" in vals:
            return
        moved_sudo = moved_sudo.filtered(
            lambda server: server.system_mail_provider_id.is_application()
        )
        moved_sudo._system_mail_forget({"system_mail_provider_id"})
        tokens_sudo = self.env["system.mail.oauth.token"].sudo()
        tokens_sudo.search([("server_id", "in", moved_sudo.ids)]).unlink()

    def _system_mail_forget(self, names):
        if self:
            self.write(dict.fromkeys(names, False))

    @api.constrains("owner_user_id", "from_filter")
    def _check_system_mail_address(self):
        for server in self.filtered("owner_user_id"):
            addresses = self._parse_from_filter(server.from_filter)
            owner = server.owner_user_id.name
            self.env["res.company"].check_system_mail_not_taken(addresses, owner)

    @api.private
    def system_mail_companies(self):
        """The companies whose System Mail these mailboxes are, first or further ones."""
        servers_sudo = self.sudo()
        return servers_sudo.system_mail_company_ids | servers_sudo.system_mail_backup_ids.company_id

    @api.private
    def system_mail_drop_unused(self):
        """Delete those that are no System Mail any more: they would send anybody's mail."""
        reserved = self.env["res.company"].system_mail_server_ids()
        self.sudo().exists().filtered(lambda server: server.id not in reserved).unlink()

    @api.private
    def system_mail_company(self):
        """The company to which an event of this mailbox belongs."""
        server_sudo = self.sudo()
        return (
            server_sudo.system_mail_companies()[:1]
            or server_sudo.owner_user_id.company_id
            or self.env.company
        )

    @api.private
    def system_mail_refusal(self, sender):
        """Why Odoo doesn't use this mailbox; it checks a personal one in
        ``_check_forced_mail_server``.

        :param str sender: the address to send from
        :rtype: Kind | None
        """
        owner = self.owner_user_id
        if owner and parameter(self.env, "mail.disable_personal_mail_servers"):
            return Kind.PERSONAL_OFF
        if self and not self.active:
            return Kind.ARCHIVED
        if owner and self.from_filter != owner.email_normalized:
            return Kind.FROM_FILTER
        if owner and self != owner.outgoing_mail_server_id:
            return Kind.USER_NAME
        if owner and self.from_filter != email_normalize(sender):
            return Kind.OTHER_SENDER
        return None

    def _system_mail_probe(self, on_success):
        """Try the mailbox, up to the log-in and its right to send from its address.

        :param on_success: as for ``probe``
        :return: why it failed and what that means, or None
        :rtype: tuple[Failure, Decision] | None
        """
        self.ensure_one()
        sender = next(
            (part for part in self._parse_from_filter(self.from_filter) if "@" in part), None
        )

        def connect():
            return self._system_mail_open(sender)

        def connect_with_new_token():
            self.system_mail_refresh()
            return connect()

        failure = probe(connect, patience(), sender, on_success)
        if failure and classify(failure).retry_forced_token and self.system_mail_has_token():
            failure = probe(connect_with_new_token, patience(), sender, on_success)
        return failure and (failure, classify_probe(failure))

    def _system_mail_open(self, sender):
        """A logged-in connection, as a ``Route`` wants it."""
        with refusals_as_failures(self, sender):
            return self._connect__(mail_server_id=self.id, smtp_from=sender, allow_archived=True)

    @api.private
    def system_mail_session(self, sender):
        """A session by this mailbox, with none behind it.

        :rtype: Session
        """
        route = Route(
            self, lambda: self._system_mail_open(sender), name=self.name, patience=patience()
        )
        return Session([route], internal=True, from_filter=self.from_filter, smtp_from=sender)

    @api.private
    def system_mail_set_up(self, values, tokens=None):
        """Give the mailbox an account and try it. The caller rolls back where it does not work.

        :param Tokens tokens: of a sign-in, or None for a password
        :return: as ``_system_mail_probe``
        """
        token_sudo = self.env["system.mail.oauth.token"].sudo()
        self.write(values)
        server = self
        application = self.sudo().system_mail_provider_id.is_application()
        if application:
            try:
                tokens = token_sudo.application_tokens(self.sudo())
            except MailboxError as exc:
                return exc.failure, classify(exc.failure)
        if tokens:
            server = token_sudo.store_tokens(self, tokens)
        elif self.smtp_authentication != OAUTH:
            token_sudo.search([("server_id", "=", self.id)]).unlink()
        certificates = []
        trouble = server._system_mail_probe(certificates.append)
        if application and not trouble:
            trouble = server._system_mail_prove()
        if not trouble:
            self.env["system.mail.health"].sudo()._connected(self, *certificates)
        return trouble

    @api.private
    def system_mail_log_in_as(self, login):
        """Try whether this mailbox's application can log in to another mailbox, without a message.
        Nothing is changed.

        :param str login: the other mailbox
        :return: as ``_system_mail_probe``
        """
        token_sudo = self.env["system.mail.oauth.token"].sudo()
        provider_id = self.sudo().system_mail_provider_id.id
        with contextlib.closing(self.env.cr.savepoint()):  # rolls it back
            self.write({"system_mail_login": login, "system_mail_provider_id": provider_id})
            try:
                server = token_sudo.store_tokens(self, token_sudo.application_tokens(self.sudo()))
            except MailboxError as exc:
                failure = exc.failure
            else:
                failure = probe(lambda: server._system_mail_open(login), patience())
        return failure and (failure, classify_probe(failure))

    def _system_mail_prove(self):
        """Send a message from a mailbox that connects by an application: to log in proves less,
        since a provider looks at the right to send later. It goes to the owner, or to who connects
        System Mail, or to the mailbox itself.

        :return: as ``_system_mail_probe``
        """
        server_sudo = self.sudo()
        user = server_sudo.owner_user_id or self.env.user
        recipient = user.id != SUPERUSER_ID and user.email_normalized
        message = self._build_email__(
            email_from=server_sudo.from_filter,
            email_to=[recipient or server_sudo.from_filter],
            subject=self.env._("%(address)s is connected", address=server_sudo.from_filter),
            body=self.env._(
                "%(user)s connected %(address)s to Odoo by %(provider)s. This message came from "
                "it.",
                user=self.env.user.name,
                address=server_sudo.from_filter,
                provider=server_sudo.system_mail_provider_id.name,
            ),
        )
        return self.system_mail_send_alone(message, server_sudo.from_filter)

    @api.private
    def system_mail_send_alone(self, message, sender):
        """Send a message by this mailbox, with none behind it.

        :param EmailMessage message: as ``_build_email__`` makes it
        :param str sender: the address that it is sent from
        :return: why it failed and what that means, or None
        :rtype: tuple[Failure, Decision] | None
        """
        session = self.system_mail_session(sender)
        try:
            self.send_email(message, smtp_session=session.open())
        except (Undelivered, MailDeliveryException) as exc:
            undelivered = exc if isinstance(exc, Undelivered) else exc.__context__
            if not isinstance(undelivered, Undelivered):
                raise
            first = undelivered.report.all_troubles[0]
            return first.failure, first.decision
        finally:
            session.quit()
        return None

    @api.private
    def system_mail_check(self):
        """Try the mailbox now and record its health.

        :return: None if it works, or ``(failure, decision)``; the decision is of our own network if
            that seems down
        """
        health = self.env["system.mail.health"].sudo()
        seen = health.snapshot(self)
        certificates = []
        trouble = self._system_mail_probe(certificates.append)
        if trouble:
            health.note_failure(self, seen, *trouble)
        else:  # always written: who renewed a certificate wants to see that
            health.note_success(self, seen._replace(last_success=None), *certificates)
        return self.env["system.mail.server.health"].sudo().put_down(self, trouble)
