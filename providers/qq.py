"""QQ Mail and Tencent Exmail. The app password is called an authorization code."""

from .provider import Provider, Server

PROVIDER = Provider(
    name="QQ Mail",
    servers=(
        Server("smtp.qq.com", 465, "ssl_strict", domains=("qq.com", "foxmail.com")),
        Server(
            "smtp.exmail.qq.com",
            465,
            "ssl_strict",
            mail_hosts=("mxbiz1.qq.com", "mxbiz2.qq.com"),
            spf_includes=("spf.mail.qq.com",),
        ),
    ),
    app_password=True,
    replies={"app_password_required": (r"^535 .*authorization code to login",)},
    pages={
        "app_password": "https://service.mail.qq.com/cgi-bin/help?subtype=1&id=28&no=1001256",
    },
)
