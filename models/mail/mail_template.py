from odoo import models


class MailTemplate(models.Model):
    _inherit = "mail.template"

    def send_mail_batch(
        self, res_ids, force_send=False, raise_exception=False, email_values=None, *args, **kwargs
    ):
        """Let only who wrote a message send a mail of it. Whoever sends a template may give any
        value of a mail: another's message would be changed, and the mail counted as theirs.
        """
        message = self.env["mail.message"].browse((email_values or {}).get("mail_message_id"))
        if not self.env.su and self.env["res.company"].system_mail_policies():
            message._system_mail_check_decision()
        return super().send_mail_batch(
            res_ids, force_send, raise_exception, email_values, *args, **kwargs
        )
