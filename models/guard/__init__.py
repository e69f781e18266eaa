"""Who may not do what: Super Users, their group and System Mail's address."""

from . import (
    ir_model_data,
    res_company,
    res_groups,
    res_partner,
    res_users,
    res_users_deletion,
)
