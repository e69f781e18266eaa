"""iCloud Mail (Apple)."""

from .provider import Provider, Server

PROVIDER = Provider(
    name="iCloud Mail",
    servers=(
        Server(
            "smtp.mail.me.com",
            domains=("icloud.com", "me.com", "mac.com"),
            mail_hosts=("mail.icloud.com",),
            spf_includes=("icloud.com",),
        ),
    ),
    app_password=True,
    limit_day=1000,
    dkim_keys={"sig1": "sig1.dkim.{domain}.at.icloudmailadmin.com"},
    dkim_type="CNAME",
    replies={"send_as_denied": (r"from:? address (is )?not (one of your addresses|verified)",)},
    pages={"app_password": "https://account.apple.com/"},
)
