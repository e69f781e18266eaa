import contextlib

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import email_normalize, format_datetime

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ...constants import GROUP, OAUTH
from ...failover.session import Undelivered
from ...tools.odoo_20 import parameter
from ...tools.reasons import in_words, reason_of
from .res_company import TryFailed

MAILBOX_TYPES = ("login", OAUTH)
"""The kinds of personal mailbox that this addon connects, beside those of Odoo's own modules."""


class ResUsers(models.Model):
    _inherit = "res.users"

    outgoing_mail_server_type = fields.Selection(
        selection_add=[("login", "SMTP"), (OAUTH, "OAuth2")],
        ondelete={"login": "set default", OAUTH: "set default"},
    )
    system_mail_state = fields.Selection(
        "_system_mail_states",
        "Mailbox State",
        compute="_compute_system_mail_state",
        groups="base.group_user",
    )
    system_mail_message = fields.Char(
        compute="_compute_system_mail_state",
        groups="base.group_user",
        help="What is the matter with the mailbox, what still works, and what to do.",
    )
    system_mail_last_success = fields.Datetime(
        "Last Success", compute="_compute_system_mail_state", groups="base.group_user"
    )

    @property
    def SELF_READABLE_FIELDS(self):  # noqa: N802
        return [
            *super().SELF_READABLE_FIELDS,
            "system_mail_state",
            "system_mail_message",
            "system_mail_last_success",
        ]

    @api.model
    def _system_mail_states(self):
        return self.env["system.mail.health"].states()

    @api.depends("outgoing_mail_server_id")
    @api.depends_context("uid")
    def _compute_system_mail_state(self):
        """A user's own; of others a Super User sees it in Connections."""
        for user in self:
            own = user._origin == self.env.user
            health_sudo = user.outgoing_mail_server_id.sudo().system_mail_health_ids[:1]
            user.system_mail_state = (own and health_sudo.state) or "not_connected"
            user.system_mail_last_success = own and health_sudo.last_success
            user.system_mail_message = own and user.system_mail_trouble(health_sudo)

    @api.private
    def system_mail_trouble(self, health_sudo):
        """What is the matter with the mailbox, in words; False if nothing is."""
        if health_sudo.state not in ("unstable", "disconnected"):
            return False
        values = {
            "address": health_sudo.server_id.from_filter,
            "date": format_datetime(self.env, health_sudo.since, dt_format="medium"),
            "reason": in_words(self.env, health_sudo.reason) or self.env._("it does not answer"),
        }
        if health_sudo.state == "disconnected":
            what = self.env._(
                "Your mailbox %(address)s is disconnected since %(date)s: %(reason)s.", **values
            )
            return f"{what} {self._system_mail_stands_in()}".strip()
        what = self.env._(
            "Your mailbox %(address)s is unstable since %(date)s: %(reason)s. It is tried again by "
            "itself.",
            **values,
        )
        return f"{what} {self._system_mail_stands_in()}".strip()

    def _system_mail_stands_in(self):
        company_sudo = self.sudo().company_id
        policy = self.env["res.company"].system_mail_policies().get(company_sudo.id)
        if not policy or company_sudo.system_mail_state == "disconnected":
            return ""
        return self.env._(
            "Notifications to colleagues are sent from %(address)s meanwhile.",
            address=policy.address,
        )

    @api.constrains("login", "partner_id", "active")
    def _check_system_mail_address(self):
        for user in self.filtered("active"):
            addresses = [user.login, user.email]
            self.env["res.company"].check_system_mail_not_taken(addresses, user.name)

    # --- the banner in the web client

    @api.model
    def system_mail_alert(self):
        """What the user is to know wherever they work: their own mailbox is disconnected.

        :return: the words; False if nothing is the matter, None where such alerts are off
        """
        user = self.env.user
        if not (user._is_internal() and user._system_mail_wants_alerts()):
            return None
        health_sudo = user.outgoing_mail_server_id.sudo().system_mail_health_ids[:1]
        return health_sudo.state == "disconnected" and user.system_mail_trouble(health_sudo)

    @api.model
    def _system_mail_wants_alerts(self):
        """Whether owners are told, where personal mailboxes are in use."""
        return bool(
            self.env["ir.config_parameter"].system_mail_number("system_mail.alert_owners")
            and parameter(self.env, "base_setup.default_external_email_server")
        )

    @api.private
    def system_mail_push_state(self):
        """Have the web clients of a mailbox's owner ask anew what the matter is."""
        if self._system_mail_wants_alerts():
            self._bus_send("system_mail/state", {})

    # --- connect

    @api.model
    def action_setup_outgoing_mail_server(self, server_type):
        if server_type not in MAILBOX_TYPES:
            action = super().action_setup_outgoing_mail_server(server_type)
            self.env.user.system_mail_push_state()
            return action
        return self.env.user._system_mail_open_connect(server_type)

    def _system_mail_open_connect(self, server_type):
        """The connect dialog for the user's own mailbox; what works goes on until then."""
        self._check_system_mail_own()
        if not self.email:
            raise UserError(self.env._("Set your e-mail address first, then connect its mailbox."))
        dialog = self.env["system.mail.connect"].open_dialog(
            {
                "user_id": self.id,
                "address": email_normalize(self.email) or self.email,
                "wants_sign_in": server_type == OAUTH,
            }
        )
        # not the dialog itself: the page is to show what became of it
        return {
            "type": "ir.actions.client",
            "tag": "system_mail_connect",
            "params": {"dialog": dialog},
        }

    def _check_system_mail_own(self):
        if self != self.env.user:
            raise AccessError(self.env._("Only its owner can connect a personal mailbox."))
        if not self.has_external_mail_server:
            raise UserError(
                self.env._(
                    "Personal mailboxes are switched off: an administrator allows them in Settings "
                    "▸ General Settings, “Use Custom Email Servers”."
                )
            )
        if not self._is_internal():
            raise UserError(self.env._("Only internal users can connect a personal mailbox."))

    def _system_mail_connect(self, _address, server_values, tokens=None):
        """Try an account and, if it works, make it the user's own mailbox. The record is kept where
        there is one, with its history.

        :param dict server_values: fields of ``ir.mail_server``
        :param Tokens tokens: of a sign-in, or None for a password
        :return: why it failed and what that means, or None
        :rtype: tuple[Failure, Decision] | None
        """
        self._check_system_mail_own()
        self.env["system.mail.attempt"]._admit()
        trouble = None
        with contextlib.suppress(TryFailed), self.env.cr.savepoint():
            server_sudo = self._system_mail_own_server(server_values["smtp_authentication"])
            trouble = server_sudo.system_mail_set_up(
                {
                    **server_values,
                    "active": True,
                    "smtp_user": self.email,
                    # a sign-in is at the provider's server, which a Super User set up
                    "system_mail_public_only": not tokens and self.system_mail_is_limited(),
                },
                tokens,
            )
            if trouble:
                raise TryFailed
        self._system_mail_forget_choice()
        return trouble

    @api.private
    def system_mail_is_limited(self):
        """Whether the user may connect a mailbox at a public mail server alone."""
        parameters = self.env["ir.config_parameter"]
        return (
            bool(self)
            and not parameters.system_mail_number("system_mail.allow_internal_hosts")
            and not self.has_group(GROUP)
        )

    def _system_mail_own_server(self, server_type):
        """The user's server, made by Odoo with all that Odoo checks, and in use."""
        servers_sudo = self.env["ir.mail_server"].sudo().with_context(active_test=False)
        server_sudo = servers_sudo.search([("owner_user_id", "=", self.id)])
        if server_sudo.from_filter == email_normalize(self.email):
            server_sudo.write({"smtp_authentication": server_type, "active": True})  # kept as it is
        self._system_mail_forget_choice()
        # pylint: disable-next=super-method-mismatch
        super().action_setup_outgoing_mail_server(server_type)
        server_sudo = servers_sudo.search([("owner_user_id", "=", self.id)])
        server_sudo.active = True
        self._system_mail_forget_choice()
        return server_sudo

    def _system_mail_forget_choice(self):
        """Odoo computes the user's server from records that it does not depend on."""
        self.invalidate_recordset(["outgoing_mail_server_id", "outgoing_mail_server_type"])

    @api.model
    def _get_mail_server_values(self, server_type):
        values = super()._get_mail_server_values(server_type)
        if server_type in MAILBOX_TYPES:
            values["smtp_authentication"] = server_type
        return values

    @api.model
    def _get_mail_server_setup_end_action(self, smtp_server):
        if smtp_server.smtp_authentication in MAILBOX_TYPES:
            return False  # it is set up already: see _system_mail_connect
        return super()._get_mail_server_setup_end_action(smtp_server)

    # --- test, disconnect

    @api.private
    def system_mail_send_test(self, recipient):
        """Send a test to its owner by the user's own mailbox, without anything behind it.

        :return: the From that was really used, and the problem if there was one
        :rtype: tuple[str, str]
        """
        self._check_system_mail_own()
        server_sudo = self.outgoing_mail_server_id.sudo()
        if not server_sudo:
            return "", self.env._("Your mailbox is not connected: connect it first.")
        if email_normalize(recipient) != email_normalize(self.email):
            return "", self.env._("A test of your own mailbox goes to yourself.")
        message = server_sudo._build_email__(
            email_from=self.email_formatted,
            email_to=[recipient],
            subject=self.env._("Test of your mailbox"),
            body=self.env._("Your mailbox works: this message came from it."),
        )
        trouble = server_sudo.system_mail_check()
        if trouble:
            return "", reason_of(self.env, *trouble)
        session = server_sudo.system_mail_session(email_normalize(self.email))
        try:
            server_sudo.send_email(message, smtp_session=session.open())
        except Undelivered as exc:
            first = exc.report.all_troubles[0]
            return "", reason_of(self.env, first.failure, first.decision)
        except MailDeliveryException as exc:
            return "", str(exc.__context__ or exc)
        finally:
            session.quit()
        return self.email_formatted, ""

    @api.model
    def action_test_outgoing_mail_server(self):
        user = self.env.user
        if user.outgoing_mail_server_type not in MAILBOX_TYPES:
            return super().action_test_outgoing_mail_server()
        user._check_system_mail_own()
        trouble = user.outgoing_mail_server_id.sudo().system_mail_check()
        if trouble:
            raise UserError(reason_of(self.env, *trouble))
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "message": self.env._("Your mailbox works."),
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    def action_system_mail_reconnect(self):
        """Connect the user's own mailbox anew, the way it was connected before."""
        server_type = self.env.user.outgoing_mail_server_type
        if server_type == "default":  # none that people choose: by a certificate, say
            server_type = "login"
        return self.env["res.users"].action_setup_outgoing_mail_server(server_type)

    @api.model
    def action_system_mail_reconnect_page(self):
        """The user's preferences, and the reconnect dialog over them: where alerts lead.

        :rtype: dict
        """
        page = self.env["ir.actions.act_window"]._for_xml_id("mail.action_res_users_my_fullpage")
        return {
            "page": {**page, "res_id": self.env.uid},
            "dialog": self.env.user.action_system_mail_reconnect(),
        }

    def action_system_mail_disconnect(self):
        """Forget the user's own mailbox: Odoo's own sender takes its place."""
        action = self.env["res.users"].action_setup_outgoing_mail_server("default")
        action["params"]["next"] = {"type": "ir.actions.client", "tag": "soft_reload"}
        return action
