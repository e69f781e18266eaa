"""Accounts of mailboxes: how they are connected, and how they log in."""

from . import system_mail_unnamed  # before those that inherit it

# isort: split
from . import (
    base,
    ir_mail_server,
    res_company,
    res_users,
    system_mail_attempt,
    system_mail_oauth_provider,  # first: the other adds to its model
    system_mail_oauth_provider_application,
    system_mail_oauth_provider_ends,
    system_mail_oauth_provider_https,
    system_mail_oauth_token,
    system_mail_secret,
)
