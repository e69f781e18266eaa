"""What Super Users and owners are told."""

from . import (
    mail_message_reaction,
    system_mail_alert,
    system_mail_alert_drill,
    system_mail_alert_ends,
    system_mail_alert_review,
    system_mail_webhook,
)
