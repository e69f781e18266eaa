"""The domain check: what the DNS says about the domain that System Mail sends from."""

from . import (
    res_company,
    system_mail_domain_finding,
)
