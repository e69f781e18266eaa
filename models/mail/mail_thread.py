from odoo import models
from odoo.fields import Domain
from odoo.tools import email_normalize
from odoo.tools.mail import email_normalize_all

from ...constants import HELD, INCOMING
from ...failover import bounce
from ...tools.commands import check_only_new


class MailThread(models.AbstractModel):
    _inherit = "mail.thread"

    def message_notify(self, **kwargs):
        """Odoo lets whoever notifies somebody name any document, and its company."""
        messages = self.env["mail.message"]
        messages.system_mail_check_documents(kwargs.get("model"), [kwargs.get("res_id")])
        if kwargs.get("record_company_id"):
            messages.system_mail_check_documents(self._name, self.ids)
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

    # --- bounces

    def _detect_is_bounce(self, message, message_dict):
        """Odoo knows a bounce by its form and its sender. One to System Mail that has neither
        must not become a document.
        """
        sender = email_normalize(message_dict["email_from"]) or ""
        return super()._detect_is_bounce(message, message_dict) or (
            bounce.has_signs(message, sender) and self._system_mail_receives(message_dict)
        )

    def _message_parse_extract_bounce(self, email_message, message_dict):
        """Odoo takes each report for a bounce, the first recipient in it for the one that failed,
        and finds the message only by the headers in it. What is about mail that System Mail sent
        is read in full.
        """
        found = super()._message_parse_extract_bounce(email_message, message_dict)
        if not found["is_bounce"] or not self.env["res.company"].system_mail_policies():
            return found
        said = bounce.read(email_message)
        message = found["bounced_message"]
        if not message and said.message_ids:
            message = message.search([("message_id", "in", said.message_ids)], limit=1)
        notifications_sudo = message.sudo().notification_ids
        carried = any(notifications_sudo.mapped("system_mail_sent_from"))
        if not carried and not self._system_mail_receives(message_dict):
            return found
        if not said.is_failure:
            nobody = {"bounced_email": False, "bounced_partner": found["bounced_partner"].browse()}
            return {**found, **nobody, "bounced_message": message.browse(), "bounced_msg_ids": []}
        if message and not found["bounced_message"]:
            found |= {"bounced_message": message, "bounced_msg_ids": list(said.message_ids)}
        first, *others = notifications_sudo._system_mail_named(said.recipients) or [{}]
        return {**found, **first, "system_mail_others": others}

    def _routing_handle_bounce(self, email_message, message_dict):
        """Odoo handles one recipient of a bounce, and does not tell an author who looks at it."""
        super()._routing_handle_bounce(email_message, message_dict)
        for other in message_dict.get("system_mail_others", ()):
            super()._routing_handle_bounce(email_message, {**message_dict, **other})
        if "system_mail_others" in message_dict:
            message_dict["bounced_message"]._notify_message_notification_update()

    def _system_mail_receives(self, message_dict):
        """Whether mail that came in is for an address of System Mail."""
        policies = self.env["res.company"].system_mail_policies().values()
        own = {mailbox.address.lower() for policy in policies for mailbox in policy.mailboxes}
        return bool(own) and not own.isdisjoint(email_normalize_all(message_dict["recipients"]))

    # --- what is held or waits

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
