"""What the DNS says of the sending domain."""

from . import (
    res_company,
    system_mail_domain_finding,
)
