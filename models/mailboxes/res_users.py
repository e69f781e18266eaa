from odoo import models
from odoo.tools import email_normalize


class ResUsers(models.Model):
    """Which mailbox is a user's own."""

    _inherit = "res.users"

    def _compute_outgoing_mail_server_id(self):
        """Find a user's mailbox also where only capitals differ: Odoo compares the mailbox's user
        name with the e-mail address to the letter, and stops using the mailbox.
        """
        super()._compute_outgoing_mail_server_id()
        without = self.filtered(lambda user: not user.outgoing_mail_server_id)
        if not without or not self.env["res.company"].system_mail_policies():
            return
        known = self._fields["outgoing_mail_server_type"].get_values(self.env)
        servers_sudo = self.env["ir.mail_server"].sudo()
        for server_sudo in servers_sudo.search([("owner_user_id", "in", without._origin.ids)]):
            owner = without.filtered(lambda user, s=server_sudo: user._origin == s.owner_user_id)
            login = email_normalize(server_sudo.smtp_user)
            if login and login == server_sudo.from_filter == owner.email_normalized:
                owner.outgoing_mail_server_id = server_sudo.id
                kind = server_sudo.smtp_authentication
                owner.outgoing_mail_server_type = kind if kind in known else "default"
