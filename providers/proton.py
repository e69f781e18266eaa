"""Proton Mail: an organisation's addresses send by an SMTP token, others only by Proton's Bridge.

Server: https://proton.me/support/smtp-submission
"""

from .provider import Provider, Server

PROVIDER = Provider(
    name="Proton Mail",
    servers=(
        Server(
            "smtp.protonmail.ch",
            domains=("proton.me", "protonmail.com", "protonmail.ch", "pm.me"),
            mail_hosts=("protonmail.ch",),
            spf_includes=("_spf.protonmail.ch",),
        ),
    ),
    app_password=True,
    dkim_keys={"protonmail": "", "protonmail2": "", "protonmail3": ""},
    dkim_type="CNAME",
    pages={"app_password": "https://proton.me/support/smtp-submission"},
)
