from email.message import Message

from odoo import api, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ...failover.session import Session, Undelivered, Unwatched
from ...failover.ssrf_guard import public_only
from ...sending.send_run import SendRun
from ...tools.odoo_20 import max_email_size


class IrMailServer(models.Model):
    """Which mailbox Odoo chooses, and the session that it sends by."""

    _inherit = "ir.mail_server"

    @api.private
    def system_mail_run(self):
        """The sending in progress, or None. Only an object of ours counts: a context key that came
        by RPC is plain data.
        """
        run = self.env.context.get("system_mail_run")
        return run if isinstance(run, SendRun) else None

    # --- keep System Mail out of ordinary choice

    def _find_mail_server_allowed_domain(self):
        domain = super()._find_mail_server_allowed_domain()
        reserved = self.env["res.company"].system_mail_server_ids()
        return domain & Domain("id", "not in", list(reserved)) if reserved else domain

    def _check_forced_mail_server(self, mail_server, allow_archived, smtp_from):
        super()._check_forced_mail_server(mail_server, allow_archived, smtp_from)
        self._system_mail_check_reserved(mail_server, allow_archived)

    def _system_mail_check_reserved(self, mail_server, allow_archived):
        """:raises UserError: it is System Mail's, and it is not System Mail that uses it"""
        if mail_server.id not in self.env["res.company"].system_mail_server_ids():
            return
        run = self.system_mail_run()
        testing = allow_archived and self.env.user.has_group("system_mail.group_super_user")
        if not testing and not (run and run.opening_system):
            raise UserError(
                self.env._(
                    "This outgoing server is kept for System Mail: no message can choose it. "
                    "Take another server, or none, and send the message again."
                )
            )

    def _get_max_email_size(self):
        """What System Mail cannot carry is no fallback: the smallest of the sizes counts."""
        size = super()._get_max_email_size()
        run = self.system_mail_run()
        if run and run.treatment.in_scope:
            systems_sudo = self.sudo().browse(
                [mailbox.server_id for mailbox in run.policy.mailboxes]
            )
            return min([size, *filter(None, map(max_email_size, systems_sudo))])
        return size

    # --- the route of a message

    def _connect__(self, host=None, *args, mail_server_id=None, smtp_from=None, **kwargs):
        run = self.system_mail_run()
        core_connect = super()._connect__

        def connect(*args, mail_server_id=None, **kwargs):
            server_sudo = self.sudo().browse(mail_server_id)
            if server_sudo.system_mail_https:
                return self._system_mail_connect_by_https(server_sudo, **kwargs)
            with public_only(server_sudo.system_mail_is_limited()):
                return core_connect(*args, mail_server_id=mail_server_id, **kwargs)

        if run is None or run.opening_system or host or self._disable_send():
            return connect(
                host, *args, mail_server_id=mail_server_id, smtp_from=smtp_from, **kwargs
            )
        if mail_server_id:
            server = self.sudo().browse(mail_server_id)
            # The other refusals come when the route opens: then another mailbox can take over.
            self._system_mail_check_reserved(server, kwargs.get("allow_archived"))
        else:
            server, smtp_from = self.sudo()._find_mail_server(smtp_from)
            server = server or self.browse()
        return run.session(server, smtp_from, connect)

    def _system_mail_connect_by_https(
        self, server_sudo, smtp_from=None, allow_archived=False, **_of_smtp
    ):
        """In place of Odoo's own connection, for a mailbox that sends by its provider's API."""
        if self._disable_send():
            return None
        self._check_forced_mail_server(server_sudo, allow_archived, smtp_from)
        connection = server_sudo.with_env(self.env).system_mail_open_by_https()
        connection.from_filter, connection.smtp_from = server_sudo.from_filter, smtp_from
        return connection

    @api.private
    def system_mail_is_limited(self):
        """Whether it may be at a public mail server alone."""
        parameters = self.env["ir.config_parameter"]
        return bool(self.system_mail_public_only) and not parameters.system_mail_number(
            "system_mail.allow_internal_hosts"
        )

    @api.model
    def _prepare_email_message__(self, message, smtp_session):
        if isinstance(smtp_session, Session):
            smtp_session.author = message["From"]  # super() may replace it
        return super()._prepare_email_message__(message, smtp_session)

    @api.model
    def send_email(self, message, *args, **kwargs):
        if not isinstance(message, Message):  # over RPC: Odoo would connect to any server first
            raise AccessError(self.env._("E-mail is sent by messages, not by calling the server."))
        run, session = self.system_mail_run(), kwargs.get("smtp_session")
        if run is None:
            return super().send_email(message, *args, **kwargs)
        servers = self
        if run.begin_email(message) and (served := run.served()):
            skipped = [*self.env.context.get("send_smtp_skip_to", ()), *served]
            servers = self.with_context(send_smtp_skip_to=skipped)
            if not servers._prepare_smtp_to_list(message, session):
                return message["Message-Id"]
        if not isinstance(session, Session):
            return super(IrMailServer, servers).send_email(message, *args, **kwargs)
        try:
            return super(IrMailServer, servers).send_email(message, *args, **kwargs)
        except MailDeliveryException as exc:
            cause = exc.__context__
            if isinstance(cause, Unwatched):
                return self.send_email(message, *args, **{**kwargs, "smtp_session": cause.session})
            if run.raise_exception or not isinstance(cause, Undelivered):
                raise
            # The only exception after which core still tries the mail's other recipients.
            raise AssertionError(self.NO_VALID_RECIPIENT) from exc
