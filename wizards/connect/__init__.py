"""The connect dialog, one step a file."""

from . import (
    detection,
    domain,
    held_mail,
    public_servers,
    sign_in,
    system_mail_connect,  # first: the others add to its model
)
