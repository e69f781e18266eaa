from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ..failover.probe import probe
from ..failover.reach import public_only
from ..failover.rules import classify
from ..failover.session import Road, Session, Undelivered
from .encrypted import Encrypted
from .run import LIMIT_FIELDS, Run, as_mailbox_error, patience

CONNECTION_FIELDS = {
    "active",
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
}
"""A change of these is a new chance: the breaker closes."""
PLACE = {"smtp_host", "smtp_port", "smtp_encryption"}
OAUTH = "system_mail_oauth"
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

    def write(self, vals):
        run = self._system_mail_run()
        if run and vals.keys() <= OWN_CURSOR_FIELDS:
            return self._system_mail_write_apart(run, vals)
        self._system_mail_keep_secrets_here(vals)
        result = super().write(vals)
        if vals.get("smtp_pass") and self.env["system.mail.secret"]._has_key():
            reserved = self.env["res.company"]._system_mail_server_ids()
            for server in self.filtered(lambda server: server.id in reserved):
                server._system_mail_take_password()
        if "active" in vals:
            self.env.registry.clear_cache()
        if CONNECTION_FIELDS & vals.keys():
            self.sudo().system_mail_health_ids._reset()
        return result

    def _system_mail_keep_secrets_here(self, vals):
        """A password or a token that this addon keeps never goes to another server than the one it
        was given for: an administrator, who may not read it, could send it to one of theirs.
        """
        place = PLACE & vals.keys()
        moved = self.sudo().filtered(lambda server: any(server[n] != vals[n] for n in place))
        if not moved:
            return
        self.env["system.mail.oauth.token"].sudo().search([("server_id", "in", moved.ids)]).unlink()
        moved.write({"system_mail_password": False})  # also one that there is no key for now

    def unlink(self):
        outages = self.env["system.mail.outage"].sudo()
        outages.search([("server_id", "in", self.ids), ("ended_at", "=", False)]).write(
            {"ended_at": fields.Datetime.now()}
        )
        result = super().unlink()
        self.env.registry.clear_cache()
        return result

    @api.constrains("owner_user_id", "from_filter")
    def _check_system_mail_address(self):
        for server in self.filtered("owner_user_id"):
            addresses = self._parse_from_filter(server.from_filter)
            owner = server.owner_user_id.name
            self.env["res.company"]._check_system_mail_not_taken(addresses, owner)

    def _system_mail_run(self):
        """The sending in progress, or None. Only an object of ours counts: a context key that came
        by RPC is plain data.
        """
        run = self.env.context.get("system_mail_run")
        return run if isinstance(run, Run) else None

    def _system_mail_company(self):
        """The company to which an event of this mailbox belongs."""
        server_sudo = self.sudo()
        return (
            server_sudo.system_mail_company_ids[:1]
            or server_sudo.owner_user_id.company_id
            or self.env.company
        )

    def _system_mail_probe(self):
        """Try the mailbox, up to the log-in and its right to send from its address.

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
            self._system_mail_refresh()
            return connect()

        failure = probe(connect, patience(), sender)
        if failure and classify(failure).retry_forced_token and self._system_mail_has_token():
            failure = probe(connect_with_new_token, patience(), sender)
        return failure and (failure, classify(failure))

    def _system_mail_open(self, sender):
        """A logged-in connection, as a ``Road`` wants it."""
        try:
            return self._connect__(mail_server_id=self.id, smtp_from=sender, allow_archived=True)
        except UserError as exc:
            raise as_mailbox_error(exc) from exc

    def _system_mail_session(self, sender):
        """A session by this mailbox, with none behind it.

        :rtype: Session
        """
        road = Road(
            self, lambda: self._system_mail_open(sender), name=self.name, patience=patience()
        )
        return Session([road], internal=True, from_filter=self.from_filter, smtp_from=sender)

    def _system_mail_set_up(self, values, tokens=None):
        """Give the mailbox an account and try it. The caller rolls back where it does not work.

        :param Tokens tokens: of a sign-in, or None for a password
        :return: as ``_system_mail_probe``
        """
        token_sudo = self.env["system.mail.oauth.token"].sudo()
        self.write(values)
        if tokens:
            token_sudo._store(self, tokens)
        elif self.smtp_authentication != OAUTH:
            token_sudo.search([("server_id", "=", self.id)]).unlink()
        trouble = self._system_mail_probe()
        if not trouble:
            self.env["system.mail.health"].sudo()._connected(self)
        return trouble

    def _system_mail_check(self):
        """Try the mailbox now and record its health."""
        health = self.env["system.mail.health"].sudo()
        seen = health._snapshot(self)
        trouble = self._system_mail_probe()
        if trouble:
            health._note_failure(self, seen, *trouble)
        else:
            health._note_success(self, seen)
        return trouble

    # --- keep System Mail out of ordinary choice

    def _find_mail_server_allowed_domain(self):
        domain = super()._find_mail_server_allowed_domain()
        reserved = self.env["res.company"]._system_mail_server_ids()
        return domain & Domain("id", "not in", list(reserved)) if reserved else domain

    def _check_forced_mail_server(self, mail_server, allow_archived, smtp_from):
        super()._check_forced_mail_server(mail_server, allow_archived, smtp_from)
        if mail_server.id not in self.env["res.company"]._system_mail_server_ids():
            return
        run = self._system_mail_run()
        testing = allow_archived and self.env.user.has_group("system_mail.group_super_user")
        if not testing and not (run and run.opening_system):
            raise UserError(
                self.env._(
                    "This outgoing server is kept for System Mail: no message can choose it. "
                    "Take another server, or none, and send the message again."
                )
            )

    def _get_max_email_size(self):
        """What System Mail cannot carry is no fallback: the smaller of the two sizes counts."""
        size = super()._get_max_email_size()
        run = self._system_mail_run()
        if run and run.treatment.in_scope:
            system_sudo = self.sudo().browse(run.policy.server_id)
            return min(size, system_sudo.max_email_size or size)
        return size

    # --- the road of a message

    def _connect__(self, host=None, *args, mail_server_id=None, smtp_from=None, **kwargs):
        run = self._system_mail_run()
        core_connect = super()._connect__

        def connect(*args, mail_server_id=None, **kwargs):
            with public_only(self.sudo().browse(mail_server_id)._system_mail_is_limited()):
                return core_connect(*args, mail_server_id=mail_server_id, **kwargs)

        if run is None or run.opening_system or host or self._disable_send():
            return connect(
                host, *args, mail_server_id=mail_server_id, smtp_from=smtp_from, **kwargs
            )
        run.begin_batch()
        if mail_server_id:
            server = self.sudo().browse(mail_server_id)
            self._check_forced_mail_server(server, kwargs.get("allow_archived"), smtp_from)
        else:
            server, smtp_from = self.sudo()._find_mail_server(smtp_from)
            server = server or self.browse()
        return run.session(server, smtp_from, connect)

    def _system_mail_is_limited(self):
        """Whether it may be at a public mail server alone."""
        parameters = self.env["ir.config_parameter"]
        return bool(self.system_mail_public_only) and not parameters._system_mail_number(
            "system_mail.allow_internal_hosts"
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

    @api.model
    def _prepare_email_message__(self, message, smtp_session):
        if isinstance(smtp_session, Session):
            smtp_session.author = message["From"]  # super() may replace it
        return super()._prepare_email_message__(message, smtp_session)

    @api.model
    def send_email(self, message, *args, **kwargs):
        run = self._system_mail_run()
        if run is None or not isinstance(kwargs.get("smtp_session"), Session):
            return super().send_email(message, *args, **kwargs)
        run.next_unit()
        try:
            return super().send_email(message, *args, **kwargs)
        except MailDeliveryException as exc:
            if run.raise_exception or not isinstance(exc.__context__, Undelivered):
                raise
            # The only exception after which core still tries the mail's other recipients.
            raise AssertionError(self.NO_VALID_RECIPIENT) from exc
