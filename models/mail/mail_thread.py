from odoo import models
from odoo.fields import Domain

from ...constants import HELD


class MailThread(models.AbstractModel):
    _inherit = "mail.thread"

    def _message_update_content(self, message, /, **kwargs):
        """Odoo lets administrators, and whom a message names as its author, edit it, and writes as
        superuser.
        """
        message.sudo(False)._system_mail_check_undecided()
        return super()._message_update_content(message, **kwargs)

    def _notify_cancel_by_type_generic(self, notification_type):
        """Keep what is held when somebody dismisses all their failures at once: who wrote it
        decides on each.
        """
        mine = Domain("author_id", "=", self.env.user.partner_id.id)
        mine &= Domain("mail_message_id.model", "=", self._name)
        held = Domain("failure_type", "=", HELD) & Domain("notification_status", "=", "exception")
        held_sudo = self.env["mail.notification"].sudo().search(mine & held)
        result = super()._notify_cancel_by_type_generic(notification_type)
        if held_sudo:
            held_sudo.notification_status = "exception"
            held_sudo.mail_message_id.with_env(self.env)._notify_message_notification_update()
        return result
