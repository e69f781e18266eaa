"""NetEase: 163.com, 126.com and yeah.net. The app password is called an authorization code."""

from .provider import Provider, Server

PROVIDER = Provider(
    name="NetEase Mail",
    servers=tuple(
        Server(f"smtp.{domain}", 465, "ssl_strict", domains=(domain,))
        for domain in ("163.com", "126.com", "yeah.net")
    ),
    app_password=True,
    replies={
        "smtp_auth_disabled": (r"^550 User has no permission",),
        "send_as_denied": (r"^552 mail from invalid",),
    },
    pages={"app_password": "https://mail.163.com/", "smtp_auth": "https://mail.163.com/"},
)
