"""The domain check: what the DNS says about the domain that System Mail sends from."""

from . import (
    mail_alias_domain,
    res_company,
    system_mail_domain_finding,
)
