"""What a company and its Super Users decide."""

from . import (
    ir_config_parameter,
    res_company,
    res_company_audit,
    res_config_settings,
)
