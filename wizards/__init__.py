from . import (
    base_module_uninstall,
    base_partner_merge,
    system_mail_connect,
    system_mail_connect_detect,
    system_mail_connect_domain,
    system_mail_drill,
    system_mail_held,
    system_mail_monitoring_token,
    system_mail_reach,
    system_mail_sign_in,
    system_mail_test,
)
