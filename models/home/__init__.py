"""The home page: what a Super User sees first."""

from . import (
    system_mail_home,
    system_mail_home_work,
)
