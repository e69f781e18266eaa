"""OVHcloud's e-mail for hosted domains."""

from .provider import Provider, Server

PROVIDER = Provider(
    name="OVHcloud",
    servers=(
        Server(
            "ssl0.ovh.net",
            465,
            "ssl_strict",
            mail_hosts=("ovh.net",),
            other_hosts=("mail.ovh.net",),
            spf_includes=("mx.ovh.com",),
        ),
    ),
    replies={"too_fast": (r"^550 sorry, too many emails",)},
)
