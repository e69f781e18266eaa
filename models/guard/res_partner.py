from contextlib import nullcontext

from odoo import api, models
from odoo.tools import email_domain_extract
from odoo.tools.mail import email_normalize_all

from ...sending.fire_drill import FireDrill

_ADDRESS_FIELDS = {"email", "email_normalized"}
"""Odoo computes and stores the second from the first, but lets people write it all the same."""


class ResPartner(models.Model):
    _inherit = "res.partner"

    @api.constrains("email", "email_normalized")
    def _check_system_mail_address(self):
        for partner in self.filtered("user_ids"):
            addresses = [partner.email, partner.email_normalized]
            self.env["res.company"].check_system_mail_not_taken(addresses, partner.name)

    def _notify_get_recipients(self, message, msg_vals=False, **kwargs):
        recipients = super()._notify_get_recipients(message, msg_vals, **kwargs)
        if FireDrill.of(self.env):
            for recipient in recipients:  # by e-mail, even to users who read theirs in Odoo
                recipient["notif"] = "email"
        return recipients

    def write(self, vals):
        # A user's e-mail address is the partner's. A new one could receive the password reset link.
        addresses = _ADDRESS_FIELDS & vals.keys()
        if addresses and self.env["res.groups"]._system_mail_is_outsider():
            changed = self.sudo().filtered(
                lambda partner: any((partner[n] or "") != (vals[n] or "") for n in addresses)
            )
            changed.system_mail_users().system_mail_protect()
        own = self & self.env.user.partner_id if "email" in vals else self.browse()
        before = own.email
        with self._system_mail_log_company_address(vals):
            result = super().write(vals)
        if own.email != before:
            own._system_mail_log_own_address(before)
        return result

    def _system_mail_log_company_address(self, vals):
        """A company's e-mail address is its contact's: it says which domains are the company's."""
        companies_sudo = self.env["res.company"].sudo()
        if "email" not in vals or not companies_sudo.system_mail_policies():
            return nullcontext()
        if not companies_sudo.search_count([("partner_id", "in", self.ids)], limit=1):
            return nullcontext()
        return self.env["res.company"].system_mail_log_own_domains()

    def _system_mail_log_own_address(self, before):
        """Log that the current user gave themselves an address outside the companies' own domains:
        notifications are sent there as to a colleague.

        :param before: the address that it replaces
        """
        companies, user = self.env["res.company"], self.env.user
        if user.share or not companies.system_mail_policies():
            return
        domains = {email_domain_extract(a) for a in email_normalize_all(self.email or "")}
        if domains - companies.system_mail_own_domains():
            note = self.env._(
                "%(user)s's own e-mail address, outside the company's domains: %(change)s",
                user=user.name,
                change=f"{before or '-'} → {self.email}",
            )
            self.env["system.mail.event"].note_change(note, user.company_id)

    @api.private
    def system_mail_users(self):
        """The users of these contacts, archived ones included."""
        return self.with_context(active_test=False).user_ids

    def _generate_signup_token(self, *args, **kwargs):
        """Give an outsider no sign-up token of a Super User, who could be impersonated with it: the
        link then leads to the log-in page. Extends the module auth_signup.
        """
        if self.env["res.groups"]._system_mail_is_outsider():
            users = self.sudo().system_mail_users()
            if users and users._system_mail_super_users():
                return None
        return super()._generate_signup_token(*args, **kwargs)
