from . import (
    base_language_import,
    base_module_uninstall,
    base_partner_merge,
    connect,
    mail_compose_message,
    system_mail_announcement,
    system_mail_drill,
    system_mail_drill_schedule,
    system_mail_monitoring_token,
    system_mail_test,
)
