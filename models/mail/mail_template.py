from odoo import models

from ...tools.commands import check_only_new, record_of


class MailTemplate(models.Model):
    _inherit = "mail.template"

    def send_mail_batch(
        self, res_ids, force_send=False, raise_exception=False, email_values=None, *args, **kwargs
    ):
        """Let only who wrote a message send a mail of it. Whoever sends a template may give any
        value of a mail: another's message would be changed, and the mail counted as theirs. Odoo
        creates the mail as superuser, also what its values say of other mails and messages.
        """
        values = email_values or {}
        if not self.env.su:
            check_only_new(self.env["mail.mail"], values)
        message = record_of(self.env["mail.message"], values.get("mail_message_id"))
        ids = [values["res_id"]] if "res_id" in values else res_ids
        message.system_mail_check_documents(values.get("model") or self.model, ids)
        if not self.env.su and self.env["res.company"].system_mail_policies():
            message._system_mail_check_decision()
        return super().send_mail_batch(
            res_ids, force_send, raise_exception, email_values, *args, **kwargs
        )
