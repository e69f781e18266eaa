from odoo import models
from odoo.exceptions import AccessError

HELD = "system_mail_held"


class MailMessage(models.Model):
    _inherit = "mail.message"

    def action_system_mail_send_again(self):
        """Send again what may have been delivered: whoever clicks accepts a second copy."""
        self._system_mail_held_mails()._system_mail_send_again()

    def action_system_mail_drop(self):
        """Leave it at that: it may have been delivered, and nothing more is sent."""
        self._system_mail_held_mails()._system_mail_drop()

    def _system_mail_held_mails(self):
        """The held mails of these messages; raises AccessError for anyone but their author or a
        Super User.
        """
        self.check_access("read")
        if not self.env.user.has_group("system_mail.group_super_user") and any(
            message.author_id != self.env.user.partner_id for message in self
        ):
            raise AccessError(
                self.env._("Only its author or a Super User decides on a message that is held.")
            )
        return (
            self.env["mail.mail"]
            .sudo()
            .search(
                [
                    ("mail_message_id", "in", self.ids),
                    ("state", "=", "exception"),
                    ("failure_type", "=", HELD),
                ]
            )
        )
