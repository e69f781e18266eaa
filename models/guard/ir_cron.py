from odoo import models


class IrCron(models.Model):
    _name = "ir.cron"
    _inherit = ["ir.cron", "system.mail.guarded"]

    def _system_mail_is_about_us(self):
        """Alerts reach the browsers of Super Users by it."""
        push_id = self.env["ir.model.data"]._xmlid_to_res_id("mail.ir_cron_web_push_notification")
        return self.id == push_id and bool(self.env["res.company"].system_mail_policies())

    def method_direct_trigger(self):
        """Let nobody else run ours at will: the summary is mailed whenever it runs."""
        self._system_mail_guarded()._system_mail_check_records()
        return super().method_direct_trigger()
