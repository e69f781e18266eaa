from odoo import api, models

from ...constants import OAUTH
from ...tools.encrypted import Unreadable, in_clear


class IrMailServer(models.Model):
    """What becomes of mailboxes when this addon goes. System Mails go with their company's."""

    _inherit = "ir.mail_server"

    @api.model
    @api.private
    def system_mail_dependents(self):
        """The mailboxes that log in with the help of this addon.

        :return: those that Odoo alone can log in to, and those that it cannot
        """
        reserved = list(self.env["res.company"].system_mail_server_ids())
        servers_sudo = self.sudo().with_context(active_test=False)
        servers_sudo = servers_sudo.search([("id", "not in", reserved)]).filtered(
            lambda server: (
                server.smtp_authentication == OAUTH
                or (
                    server.smtp_authentication == "login"
                    and (server.system_mail_login or server.system_mail_password is not False)
                )
            )
        )
        going_on = servers_sudo.filtered(lambda server: server._system_mail_can_go_on())
        return going_on, servers_sudo - going_on

    def _system_mail_can_go_on(self):
        # Odoo takes no notice of a personal mailbox whose log-in name is not its owner's address.
        keeps_name = self.system_mail_login in (False, self.smtp_user) or not self.owner_user_id
        readable = not isinstance(self.system_mail_password, Unreadable)
        return self.smtp_authentication == "login" and keeps_name and readable

    @api.model
    @api.private
    def system_mail_release(self):
        """Leave each mailbox to Odoo alone. One that Odoo could not log in to is removed, as Odoo
        does with personal ones: whatever names it would fail, and now takes Odoo's own sender.
        """
        going_on, others = self.system_mail_dependents()
        for server in going_on:
            server.write(
                {
                    "smtp_user": server.system_mail_login or server.smtp_user,
                    "smtp_pass": in_clear(server, "system_mail_password") or server.smtp_pass,
                }
            )
        others.unlink()
