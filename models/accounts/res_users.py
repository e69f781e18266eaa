import contextlib

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import email_normalize

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ...constants import GROUP, OAUTH
from ...failover.failure import Failure, Kind, Phase
from ...failover.rules import OWN_NETWORK, classify
from ...tools.moments import moment_in_words
from ...tools.odoo_20 import parameter
from ...tools.reasons import in_words, reason_of, remedy_of
from .res_company import TryFailed

MAILBOX_TYPES = ("login", OAUTH)
"""The types of personal mailbox that this addon adds to those of Odoo's own modules."""


class ResUsers(models.Model):
    """Connects, tests and disconnects a user's own mailbox, and tells the user about its state."""

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
        """Show users only the state of their own mailbox. Connections has all mailboxes."""
        for user in self:
            own = user._origin == self.env.user
            server_sudo = self.env["ir.mail_server"].sudo()
            if own:
                server_sudo = server_sudo.search([("owner_user_id", "=", user._origin.id)])
            health_sudo = server_sudo.system_mail_health_ids[:1]
            user.system_mail_state = health_sudo.state or "not_connected"
            user.system_mail_last_success = health_sudo.last_success
            user.system_mail_message = user.system_mail_trouble(health_sudo)
            refusal = server_sudo.system_mail_refusal(user.email)
            if refusal and not user.system_mail_message:
                off = refusal is Kind.PERSONAL_OFF
                user.system_mail_state = "not_connected" if off else "unstable"
                user.system_mail_message = user._system_mail_not_used(server_sudo, refusal)
            elif server_sudo and not user.system_mail_message:
                user.system_mail_message = user._system_mail_waits(server_sudo)

    def _system_mail_waits(self, server_sudo):
        """Tell the user that all mail waits for our own network; False if it doesn't."""
        if not self.env["system.mail.server.health"].sudo().is_network_down(server_sudo):
            return False
        words = in_words(self.env, OWN_NETWORK.rule)
        return f"{words}. {remedy_of(self.env, OWN_NETWORK)}"

    @api.private
    def system_mail_trouble(self, health_sudo):
        """Tell the user in sentences what is wrong with the mailbox; False if nothing is.

        :param health_sudo: the mailbox's ``system.mail.health``, or an empty one
        """
        if health_sudo.state not in ("unstable", "disconnected"):
            return False
        values = {
            "address": health_sudo.server_id.from_filter,
            "date": moment_in_words(self.env, health_sudo.since),
            "reason": health_sudo.reason or self.env._("it does not answer"),
        }
        if health_sudo.state == "disconnected":
            what = self.env._(
                "Your mailbox %(address)s has been disconnected since %(date)s: %(reason)s.",
                **values,
            )
            first = health_sudo.remedy if health_sudo.remedy_key != "reconnect" else ""
            return " ".join(filter(None, [what, first, self._system_mail_substitute()]))
        what = self.env._(
            "Your mailbox %(address)s has been unstable since %(date)s: %(reason)s. %(remedy)s",
            remedy=health_sudo.remedy or "",
            **values,
        )
        return f"{what} {self._system_mail_substitute()}".strip()

    def _system_mail_not_used(self, server_sudo, refusal):
        """Tell the user in sentences why Odoo doesn't use their mailbox.

        :param Kind refusal: as of ``system_mail_refusal``
        """
        failure = Failure(Phase.CONNECT, kind=refusal)
        decision = classify(failure)
        return self.env._(
            "Your mailbox %(address)s is not used: %(reason)s. %(remedy)s",
            address=server_sudo.from_filter,
            reason=reason_of(self.env, failure, decision),
            remedy=remedy_of(self.env, decision),
        )

    def _system_mail_substitute(self):
        """Say what becomes of notifications meanwhile; empty if there is no System Mail."""
        company_sudo = self.sudo().company_id
        carrier = company_sudo.system_mail_carrier()
        if not carrier and company_sudo.system_mail_policies().get(company_sudo.id):
            return self.env._("Your messages wait until your mailbox or System Mail works again.")
        if not carrier:
            return ""
        if company_sudo.system_mail_scope == "all":
            return self.env._(
                "Your messages are sent from %(address)s meanwhile.", address=carrier.address
            )
        return self.env._(
            "Your messages to colleagues are sent from %(address)s meanwhile. Others wait or fail.",
            address=carrier.address,
        )

    @api.constrains("login", "partner_id", "active")
    def _check_system_mail_address(self):
        for user in self.filtered("active"):
            addresses = [user.login, user.email]
            self.env["res.company"].check_system_mail_not_taken(addresses, user.name)

    # --- the banner in the web client

    @api.model
    def system_mail_alert(self):
        """What the banner in the web client tells the current user about their own mailbox.

        :return: sentences if it is disconnected, False if it is not, None if such alerts are off
        :rtype: str | bool | None
        """
        user = self.env.user.with_context(lang=self.env.user.lang)  # they may just have changed it
        if not (user._is_internal() and user._system_mail_wants_alerts()):
            return None
        health_sudo = user.outgoing_mail_server_id.sudo().system_mail_health_ids[:1]
        return health_sudo.state == "disconnected" and user.system_mail_trouble(health_sudo)

    @api.model
    def _system_mail_wants_alerts(self):
        """Whether owners are told about their mailbox: the setting is on, and Odoo allows personal
        mailboxes.
        """
        return bool(
            self.env["ir.config_parameter"].system_mail_number("system_mail.alert_owners")
            and parameter(self.env, "base_setup.default_external_email_server")
        )

    @api.private
    def system_mail_push_state(self):
        """Have the owner's open web clients update the banner about the mailbox."""
        if self._system_mail_wants_alerts():
            self._bus_send("system_mail/state", {})

    # --- connect

    @api.model
    def action_setup_outgoing_mail_server(self, server_type):
        types = self._fields["outgoing_mail_server_type"].get_values(self.env)
        if server_type not in types:  # Odoo would make a server of any
            raise UserError(self.env._("Choose one of the ways to send that are offered."))
        if server_type not in MAILBOX_TYPES:
            action = super().action_setup_outgoing_mail_server(server_type)
            self.env.user.system_mail_push_state()
            return action
        return self.env.user._system_mail_open_connect(server_type)

    def _system_mail_open_connect(self, server_type):
        """Open the connect dialog for the user's own mailbox. Nothing changes until it succeeds."""
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
        # a client action of ours opens the dialog: it reloads the page afterwards
        return {
            "type": "ir.actions.client",
            "tag": "system_mail_connect",
            "params": {"dialog": dialog},
        }

    @api.private
    def system_mail_open_application(self):
        """Open the dialog by which a Super User connects this person's mailbox, without the person.

        :raises UserError: it cannot be done yet; what to do first
        """
        self.env["res.company"].check_system_mail_access()
        providers = self.env["system.mail.oauth.provider"].search([("for_people", "=", True)])
        ready = providers.filtered(lambda p: p.is_application() and not p.missing())
        if not ready:
            raise UserError(
                self.env._(
                    "No registration for people's mailboxes is set up. In Settings ▸ System Mail ▸ "
                    "Providers, add one of its own and tick “For People's Mailboxes”."
                )
            )
        if not self.email:
            raise UserError(self.env._("%(user)s has no e-mail address.", user=self.name))
        return self.env["system.mail.connect"].open_dialog(
            {
                "user_id": self.id,
                "address": email_normalize(self.email) or self.email,
                "method": str(ready[0].id),
            }
        )

    def _check_system_mail_own(self, by_super_user=False):
        """Check that the current user may connect or test this user's mailbox.

        :param bool by_super_user: whether a Super User may do it for another
        :raises AccessError: it is another user's
        :raises UserError: Odoo doesn't allow this user a personal mailbox
        """
        user = self.env.user
        by_colleague = (
            by_super_user and user.has_group(GROUP) and self.company_ids & user.company_ids
        )
        if self != user and not by_colleague:
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
        """Try an account and, if it works, make it the user's own mailbox. A server that the user
        already has keeps its record and its history.

        :param dict server_values: fields of ``ir.mail_server``
        :param Tokens tokens: from a sign-in; None for a password
        :return: why it failed and what that means; None if it worked
        :rtype: tuple[Failure, Decision] | None
        """
        provider_id = server_values.get("system_mail_provider_id")
        provider_sudo = self.env["system.mail.oauth.provider"].sudo().browse(provider_id or [])
        self._check_system_mail_own(by_super_user=provider_sudo.is_for_people())
        if not (tokens or provider_sudo.is_application()):  # a sign-in was counted before
            self.env["system.mail.attempt"].count_attempt()
        trouble = None
        with contextlib.suppress(TryFailed), self.env.cr.savepoint():
            server_sudo = self._system_mail_own_server(server_values["smtp_authentication"])
            trouble = server_sudo.system_mail_set_up(
                {
                    **server_values,
                    "active": True,
                    "smtp_user": self.email,
                    # with a sign-in, the server is the provider's, which a Super User chose
                    "system_mail_public_only": not provider_sudo and self.system_mail_is_limited(),
                },
                tokens,
            )
            if trouble:
                raise TryFailed
        self._system_mail_invalidate_server()
        return trouble

    @api.private
    def system_mail_is_limited(self):
        """Whether this user may connect mailboxes only at public mail servers."""
        parameters = self.env["ir.config_parameter"]
        return (
            bool(self)
            and not parameters.system_mail_number("system_mail.allow_internal_hosts")
            and not self.has_group(GROUP)
        )

    def _system_mail_own_server(self, server_type):
        """Have Odoo create or update the user's server, with all of Odoo's own checks.

        :param str server_type: one of ``MAILBOX_TYPES``
        """
        servers_sudo = self.env["ir.mail_server"].sudo().with_context(active_test=False)
        server_sudo = servers_sudo.search([("owner_user_id", "=", self.id)])
        if server_sudo.from_filter == email_normalize(self.email):
            server_sudo.write({"smtp_authentication": server_type, "active": True})  # Odoo keeps it
        self._system_mail_invalidate_server()
        # pylint: disable-next=super-method-mismatch
        super(ResUsers, self.with_user(self)).action_setup_outgoing_mail_server(server_type)
        server_sudo = servers_sudo.search([("owner_user_id", "=", self.id)])
        server_sudo.active = True
        self._system_mail_invalidate_server()
        return server_sudo

    def _system_mail_invalidate_server(self):
        """Have Odoo compute the user's server again: Odoo doesn't notice when a server changes."""
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
            return False  # no page to open: _system_mail_connect does the rest
        return super()._get_mail_server_setup_end_action(smtp_server)

    # --- test, disconnect

    @api.private
    def system_mail_send_test(self, recipient):
        """Send a test message to the user by their own mailbox, without a fallback.

        :param str recipient: the user's own address
        :return: the From that was sent, and a sentence on the problem; one of them is empty
        :rtype: tuple[str, str]
        """
        self._check_system_mail_own()
        self.env["system.mail.attempt"].count_attempt()
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
        try:
            trouble = server_sudo.system_mail_send_alone(message, email_normalize(self.email))
        except MailDeliveryException as exc:
            return "", str(exc.__context__ or exc)
        return ("", reason_of(self.env, *trouble)) if trouble else (self.email_formatted, "")

    @api.model
    def action_test_outgoing_mail_server(self):
        user = self.env.user
        if user.outgoing_mail_server_type not in MAILBOX_TYPES:
            return super().action_test_outgoing_mail_server()
        user._check_system_mail_own()
        self.env["system.mail.attempt"].count_attempt()
        trouble = user.outgoing_mail_server_id.sudo().system_mail_check()
        if trouble:
            reason, remedy = reason_of(self.env, *trouble), remedy_of(self.env, trouble[1])
            # Odoo says before it that the test failed
            raise UserError(self.env._("%(reason)s. %(remedy)s", reason=reason, remedy=remedy))
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
        """Open the connect dialog for the user's own mailbox, for the way it logs in now."""
        server_type = self.env.user.outgoing_mail_server_type
        if server_type == "default":  # no mailbox, or one that logs in by a certificate
            server_type = "login"
        return self.env["res.users"].action_setup_outgoing_mail_server(server_type)

    @api.model
    def action_system_mail_reconnect_page(self):
        """The page that alerts link to: the user's preferences, with the connect dialog over them.

        :return: ``{"page": action, "dialog": action}``
        :rtype: dict
        """
        page = self.env["ir.actions.act_window"]._for_xml_id("mail.action_res_users_my_fullpage")
        return {
            "page": {**page, "res_id": self.env.uid},
            "dialog": self.env.user.action_system_mail_reconnect(),
        }

    def action_system_mail_disconnect(self):
        """Delete the user's own mailbox. Odoo's own sender then sends their mail."""
        action = self.env["res.users"].action_setup_outgoing_mail_server("default")
        action["params"]["next"] = {"type": "ir.actions.client", "tag": "soft_reload"}
        return action
