"""The settings: System Mail of each company, and the system parameters of this addon."""

from . import (
    ir_config_parameter,
    res_company,
    res_company_audit,
    res_config_settings,
)
