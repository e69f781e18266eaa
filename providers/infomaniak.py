"""Infomaniak.

Server and limits: https://www.infomaniak.com/en/support/faq/admin2/email-service
"""

from .provider import Provider, Server

PROVIDER = Provider(
    name="Infomaniak",
    servers=(
        Server(
            "mail.infomaniak.com",
            465,
            "ssl_strict",
            mail_hosts=("infomaniak.ch",),
            spf_includes=("spf.infomaniak.ch",),
        ),
    ),
    limit_day=1440,
)
