from odoo import fields, models


class MailNotification(models.Model):
    _inherit = "mail.notification"

    failure_type = fields.Selection(
        selection_add=[("system_mail_held", "It may have been delivered")],
        ondelete={"system_mail_held": "set null"},
    )
