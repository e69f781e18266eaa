"""What Super Users and owners are told."""

from . import discuss_channel, system_mail_alert, system_mail_alert_ends
