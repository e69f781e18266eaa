"""What only Super Users may do: grant Super User, change another Super User's account, give
somebody System Mail's address, and change this addon's external IDs, scheduled actions and access
rights.
"""

from . import system_mail_guarded  # before those that inherit it

# isort: split
from . import (
    base,
    ir_actions_server,
    ir_cron,
    ir_model_access,
    ir_model_data,
    ir_rule,
    res_company,
    res_groups,
    res_partner,
    res_users,
    res_users_deletion,
)
