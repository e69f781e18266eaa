from odoo import api, models
from odoo.exceptions import AccessError
from odoo.fields import Domain

from ...constants import GROUP, HELD


class MailMessage(models.Model):
    _inherit = "mail.message"

    @api.model_create_multi
    def create(self, vals_list):
        """A module may give a message that names no server the first one of its company, as OCA's
        mail_multicompany does: where that is System Mail's, Odoo chooses, as if there was none.
        """
        open_choices = [not vals.get("mail_server_id") for vals in vals_list]
        messages = super().create(vals_list)
        if reserved := self.env["res.company"].system_mail_server_ids():
            for message_sudo, is_open in zip(messages.sudo(), open_choices, strict=True):
                if is_open and message_sudo.mail_server_id.id in reserved:
                    message_sudo.mail_server_id = False
        return messages

    def action_system_mail_send_again(self):
        """Send again what may have been delivered: whoever clicks accepts a second copy."""
        self._system_mail_held_mails().system_mail_send_again()

    def action_system_mail_drop(self):
        """Leave it at that: it may have been delivered, and nothing more is sent."""
        self._system_mail_held_mails().system_mail_drop()

    def action_system_mail_send_now(self):
        """Try at once what waits for its next try."""
        waiting = [("state", "=", "outgoing"), ("failure_reason", "!=", False)]
        self._system_mail_mails(waiting).system_mail_send_again()

    def _system_mail_held_mails(self):
        return self._system_mail_mails([("state", "=", "exception"), ("failure_type", "=", HELD)])

    def _system_mail_mails(self, domain):
        """The mails of these messages that are to be decided on; raises AccessError for anyone but
        their author or a Super User.
        """
        self.check_access("read")
        if not self.env.user.has_group(GROUP) and any(
            message.author_id != self.env.user.partner_id for message in self
        ):
            raise AccessError(
                self.env._("Only its author or a Super User decides on mail that was not sent.")
            )
        domain = Domain("mail_message_id", "in", self.ids) & Domain(domain)
        return self.env["mail.mail"].sudo().search(domain)
