from odoo import fields, models

WAITING = "system_mail_waiting"


class MailNotification(models.Model):
    _inherit = "mail.notification"

    failure_type = fields.Selection(
        selection_add=[
            ("system_mail_held", "It may have been delivered"),
            ("system_mail_waiting", "Waiting"),
        ],
        ondelete={"system_mail_held": "set null", "system_mail_waiting": "set null"},
    )

    def _filtered_for_web_client(self):
        waiting = self.filtered(lambda notification: notification.failure_type == WAITING)
        return super()._filtered_for_web_client() | waiting
