"""The settings: System Mail of each company and the system parameters of this addon; also default
values of fields and the app itself.
"""

from . import (
    ir_config_parameter,
    ir_default,
    ir_module_module,
    res_company,
    res_company_audit,
    res_company_steward,
    res_config_settings,
    system_mail_backup,
)
