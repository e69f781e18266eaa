"""Yandex Mail and Yandex 360."""

from .provider import Provider, Server

PROVIDER = Provider(
    name="Yandex",
    servers=(
        Server(
            "smtp.yandex.com",
            465,
            "ssl_strict",
            domains=("yandex.com", "yandex.ru", "yandex.by", "yandex.kz", "ya.ru", "narod.ru"),
            mail_hosts=("mx.yandex.net", "mx.yandex.ru"),
            other_hosts=("smtp.yandex.ru",),
            spf_includes=("_spf.yandex.net",),
        ),
    ),
    app_password=True,
    dkim_keys={"mail": ""},
    replies={
        "encryption_required": (r"^530 .*without SSL/TLS encryption",),
        "smtp_auth_disabled": (r"^535 .*access rights to this service",),
    },
    pages={"app_password": "https://id.yandex.com/security/app-passwords"},
)
