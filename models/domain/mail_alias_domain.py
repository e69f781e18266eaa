from odoo import api, models


class MailAliasDomain(models.Model):
    _inherit = "mail.alias.domain"

    @api.model_create_multi
    def create(self, vals_list):
        with self.env["res.company"].system_mail_log_own_domains():
            return super().create(vals_list)

    def write(self, vals):
        with self.env["res.company"].system_mail_log_own_domains():
            return super().write(vals)

    def unlink(self):
        with self.env["res.company"].system_mail_log_own_domains():
            return super().unlink()
