"""The connect dialog, ``system.mail.connect``, with one concern in each file."""

from . import system_mail_connect  # first: the others add to its model

# isort: split
from . import (
    application,
    detection,
    domain,
    held_mail,
    https,
    public_servers,
    sign_in,
)
