from odoo import api, fields, models

from ..tools.reasons import reason_of


class SystemMailTest(models.TransientModel):
    """Sends a test message by System Mail or by a user's own mailbox, and shows the From that was
    sent.
    """

    _name = "system.mail.test"
    _description = "Test System Mail"

    company_id = fields.Many2one("res.company", ondelete="cascade", readonly=True)
    backup_id = fields.Many2one("system.mail.backup", ondelete="cascade", readonly=True)
    user_id = fields.Many2one("res.users", ondelete="cascade", readonly=True)
    recipient = fields.Char("Send To", default=lambda self: self.env.user.email_normalized)
    state = fields.Selection(
        [("draft", "Draft"), ("failed", "Failed"), ("sent", "Sent")], default="draft"
    )
    sent_from = fields.Char(readonly=True)
    problem = fields.Text(readonly=True)

    def action_send(self):
        """Send the test message and show the result."""
        self.ensure_one()
        sent_from, problem = "", self._check_system_mail()
        if not problem:
            mailbox = self.backup_id or self.company_id or self.user_id
            sent_from, problem = mailbox.system_mail_send_test(self.recipient)
        self.write(
            {
                "state": "failed" if problem else "sent",
                "sent_from": sent_from,
                "problem": problem,
            }
        )
        return self.reopen()

    def _check_system_mail(self):
        """Check System Mail now if it was out of order: sending would skip it, and a test must try
        it.

        :return: a sentence on why it still doesn't work; empty if it works
        """
        company, backup = self.company_id, self.backup_id
        if not company:
            return ""
        company.check_system_mail_access()
        state = backup.state if backup else company.system_mail_state
        if state not in ("unstable", "disconnected"):
            return ""
        server = backup.server_id if backup else company.system_mail_server_id
        trouble = server.system_mail_check()
        if not trouble:
            return ""
        return self.env._("System Mail: %(reason)s.", reason=reason_of(self.env, *trouble))

    @api.private
    def reopen(self):
        """The action that shows this dialog."""
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Test System Mail") if self.company_id else self.env._("Test"),
            "res_model": self._name,
            "res_id": self.id,
            "views": [(False, "form")],
            "target": "new",
            "context": {"dialog_size": "medium"},
        }
