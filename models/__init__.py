from . import (
    ir_mail_server,
    mail_mail,
    mail_message,
    mail_notification,
    res_company,
    res_config_settings,
    system_mail_connection,
    system_mail_event,
    system_mail_health,
    system_mail_usage,
)
