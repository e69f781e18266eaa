from odoo import api, fields, models
from odoo.api import SUPERUSER_ID
from odoo.exceptions import ValidationError
from odoo.fields import Domain
from odoo.tools import email_domain_extract, email_normalize

from ...constants import GROUP
from ...providers import known_at
from ...tools.reasons import reason_of


class SystemMailConnectApplication(models.TransientModel):
    """Connects a mailbox without a person, as an application or by a service account. Shows what an
    administrator does at the provider, and says how far the application reaches.
    """

    _inherit = "system.mail.connect"

    offered = fields.Json("Ways to Connect", compute="_compute_offered")
    is_of_other = fields.Boolean("Another Person's Mailbox", compute="_compute_offered")
    grant = fields.Char(compute="_compute_grant")
    missing = fields.Char(compute="_compute_grant", help="What the set-up lacks.")
    commands = fields.Text(compute="_compute_grant", help="For the provider's administrator.")
    narrow_commands = fields.Text(compute="_compute_grant")
    delegation_client = fields.Char(compute="_compute_grant")
    scope = fields.Char(compute="_compute_grant")
    guide = fields.Char(compute="_compute_grant")
    other_mailbox = fields.Char(
        "Mailbox It Must Not Reach",
        help="Type any other address of your organisation to see whether the application reaches "
        "it. Odoo tries to log in there, and sends nothing.",
    )
    reach = fields.Char(readonly=True, help="Whether the application reaches another mailbox.")
    reach_is_wide = fields.Boolean(readonly=True)

    @api.model
    def _applications(self):
        """All applications, as superuser; none if the current user may not use them."""
        # pylint: disable-next=no-search-all
        providers_sudo = self.env["system.mail.oauth.provider"].sudo().search([])
        may = self._may_use_applications()
        return providers_sudo.filtered(lambda provider: may and provider.is_application())

    @api.depends("company_id", "user_id", "address", "service_host")
    @api.depends_context("uid")
    def _compute_offered(self):
        """An application connects one kind of mailbox. There is no other way to connect another
        person's. What cannot work is not offered.
        """
        methods = self._methods()
        # pylint: disable-next=no-search-all
        providers_sudo = self.env["system.mail.oauth.provider"].sudo().search([])
        for_people = {str(provider.id): provider.for_people for provider in self._applications()}
        for dialog in self:
            of_person = bool(dialog.user_id)
            dialog.is_of_other = of_person and dialog.user_id != self.env.user
            otherwise = None if dialog.is_of_other else of_person
            unfit = {str(p.id) for p in providers_sudo if not dialog._fits(p)}
            dialog.offered = [
                key
                for key, _label in methods
                if for_people.get(key, otherwise) == of_person and key not in unfit
            ]

    def _fits(self, provider):
        """Whether a provider is the detected one, if one was detected, and is set up or can be set
        up by the current user. The one in use fits in any case. Applications are for the mailboxes
        of an organisation, not for those at the provider's own domains.
        """
        if provider == self._server(self.address).sudo().system_mail_provider_id:
            return True
        _known, server = known_at(provider.smtp_host)
        is_private = server and email_domain_extract(self.address) in server.domains
        if is_private and provider.is_application():
            return False
        is_it = provider.smtp_host == (self.service_host or provider.smtp_host)
        return is_it and (bool(provider.client_id) or self._may_use_applications())

    def _ready_application(self, smtp_host):
        """An application for this dialog's mailbox that is set up, at a provider; empty if there is
        none.
        """
        return self._applications().filtered(
            lambda provider: (
                provider.smtp_host == smtp_host
                and provider.for_people == bool(self.user_id)
                and not provider.missing()
            )
        )[:1]

    @api.onchange("method")
    def _onchange_method(self):
        """Propose System Mail's own mailbox to an application that would log in to a person's."""
        if self._provider().is_application() and self.person_behind:
            self.smtp_user = self.address

    @api.depends("method", "address", "smtp_user", "by_https")
    def _compute_grant(self):
        for dialog in self:
            provider = dialog._provider()
            is_shown = provider.is_application() and self._may_use_applications()
            used = provider if is_shown else provider.browse()
            mailbox = (dialog.smtp_user or dialog.address or "").strip()
            dialog.grant = used.grant
            dialog.missing = provider.missing() if provider and self._may_use_applications() else ""
            dialog.commands, dialog.narrow_commands = (
                used.commands_for(mailbox, dialog.by_https) if used else ("", "")
            )
            dialog.delegation_client = used.client_id
            dialog.scope = used.api_scope if dialog._sends_by_https() else used.scope
            dialog.guide = used.guide() if used else ""

    def _may_use_applications(self):
        return self.env.uid == SUPERUSER_ID or self.env.user.has_group(GROUP)

    def _connects_for_other(self):
        """Whether the current user may connect another person's mailbox with this dialog: a Super
        User may, by an application.
        """
        return self._provider().is_for_people() and self._may_use_applications()

    def _check_application(self):
        """Check what can be checked before the provider is asked.

        :raises AccessError: the current user is no Super User
        :raises ValidationError: with a sentence on what is wrong
        """
        provider_sudo = self._provider()
        if provider_sudo.for_people != bool(self.user_id):
            raise ValidationError(
                self.env._(
                    "%(provider)s connects only people's mailboxes: System Mail needs a "
                    "registration of its own, which reaches no other mailbox.",
                    provider=provider_sudo.name,
                )
                if self.company_id
                else self.env._(
                    "%(provider)s connects only System Mail: people's mailboxes need a "
                    "registration of their own.",
                    provider=provider_sudo.name,
                )
            )
        if missing := provider_sudo.missing():
            raise ValidationError(missing)
        if self.user_id:
            self._check_owners_address()
        other, mailbox = (email_normalize(a or "") for a in (self.other_mailbox, self.smtp_user))
        if other and other == mailbox:
            raise ValidationError(
                self.env._(
                    "“%(address)s” is the mailbox to connect. To see how far the application "
                    "reaches, type another mailbox.",
                    address=self.other_mailbox,
                )
            )

    def _check_owners_address(self):
        """:raises ValidationError: the mailbox is not its owner's alone: people can change their
        e-mail address themselves
        """
        address = self.user_id.email_normalized
        if email_normalize(self.smtp_user or "") != address:
            raise ValidationError(
                self.env._(
                    "An application connects a person's mailbox only at their e-mail address, "
                    "%(address)s.",
                    address=self.user_id.email,
                )
            )
        theirs = Domain("email_normalized", "=", address) | Domain("login", "=", address)
        theirs &= Domain("id", "!=", self.user_id.id)
        if other_sudo := self.env["res.users"].sudo().search(theirs, limit=1):
            raise ValidationError(
                self.env._(
                    "%(address)s is also the address of %(name)s. Find out whose mailbox it is, "
                    "and correct the other user first.",
                    address=address,
                    name=other_sudo.name,
                )
            )

    def _look_at_reach(self):
        """Try whether the application can log in to the other mailbox, without a message. Only a
        refusal of the application counts: SMTP may be off there, or the server may be busy.
        """
        self.reach, self.reach_is_wide = False, False
        other = (self.other_mailbox or "").strip()
        if not other or self.grant != "client_credentials":
            return
        server_sudo = self._server(self.address).sudo()
        trouble = server_sudo.system_mail_log_in_as(other)
        if not trouble:
            self.reach_is_wide = True
            self.reach = self.env._(
                "The application can also log in to %(other)s: it may send as other people. Let it "
                "reach this mailbox only, by the commands in “Reach no other mailbox”.",
                other=other,
            )
        elif trouble[1].rule == "application_no_access":
            self.reach = self.env._(
                "The application was refused at %(other)s, as it should be.", other=other
            )
        else:
            self.reach_is_wide = True
            self.reach = self.env._(
                "Whether the application reaches %(other)s is not known: %(reason)s.",
                other=other,
                reason=reason_of(self.env, *trouble),
            )

    def action_open_provider(self):
        """Open the registration in this dialog's place, to set it up; it leads back here."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self._provider().name,
            "res_model": "system.mail.oauth.provider",
            "res_id": self._provider().id,
            "views": [(False, "form")],
            "target": "new",
            "context": {"dialog_size": "large", "system_mail_connect_id": self.id},
        }
