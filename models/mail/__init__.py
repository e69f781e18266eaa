"""What becomes of a message: hooks on Odoo's sending, and the mail that waits."""

from . import (
    ir_attachment,
    ir_mail_server,
    mail_activity,
    mail_mail,
    mail_mail_queue,
    mail_mail_reply,
    mail_message,
    mail_notification,
    mail_template,
    mail_thread,
    res_partner,
    system_mail_usage,
)
