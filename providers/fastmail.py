"""Fastmail."""

from .provider import Provider, Server

PROVIDER = Provider(
    name="Fastmail",
    servers=(
        Server(
            "smtp.fastmail.com",
            465,
            "ssl_strict",
            domains=("fastmail.com", "fastmail.fm"),
            mail_hosts=("messagingengine.com",),
            other_hosts=("messagingengine.com",),
            spf_includes=("spf.messagingengine.com",),
        ),
    ),
    app_password=True,
    dkim_keys={name: f"{name}.{{domain}}.dkim.fmhosted.com" for name in ("fm1", "fm2", "fm3")},
    dkim_type="CNAME",
    pages={"app_password": "https://www.fastmail.help/hc/en-us/articles/360058752854"},
)
