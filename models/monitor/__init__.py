"""What a monitoring system reads."""

from . import system_mail_monitoring
