from odoo import models
from odoo.fields import Domain

from ...constants import HELD, INCOMING
from ...tools.commands import check_only_new


class MailThread(models.AbstractModel):
    _inherit = "mail.thread"

    def message_notify(self, **kwargs):
        """Odoo lets whoever notifies somebody name any document."""
        self.env["mail.message"]._system_mail_check_document(kwargs)
        return super().message_notify(**kwargs)

    def _message_route_process(self, message, message_dict, routes):
        """Odoo creates the document of mail that comes in as superuser and as its sender, whom
        anybody can forge. Employees give such mail to Odoo over RPC, with values for the document;
        an alias has values of its own. So nobody is a Super User here.
        """
        for model, _thread_id, values, *_more in routes or ():
            check_only_new(self.env[model], values)
        incoming = self.with_context(**{INCOMING: True})
        return super(MailThread, incoming)._message_route_process(message, message_dict, routes)

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
