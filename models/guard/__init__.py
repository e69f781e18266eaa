"""What only Super Users may do: grant Super User, change another Super User's account, and give
somebody System Mail's address.
"""

from . import (
    ir_model_data,
    res_company,
    res_groups,
    res_partner,
    res_users,
    res_users_deletion,
)
