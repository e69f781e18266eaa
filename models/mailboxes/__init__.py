"""What is known of a mailbox: its fields, its health, and the checks of it."""

from . import (
    ir_mail_server,
    ir_mail_server_audit,
    ir_mail_server_check,
    ir_mail_server_uninstall,
    res_users,
    system_mail_failure,
    system_mail_failure_breaker,
    system_mail_health,
    system_mail_health_certificate,
    system_mail_health_check,
    system_mail_health_doubt,
    system_mail_server_health,
)
