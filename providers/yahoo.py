"""Yahoo Mail."""

from .provider import Provider, Server, SignIn

PROVIDER = Provider(
    name="Yahoo",
    servers=(
        Server(
            "smtp.mail.yahoo.com",
            465,
            "ssl_strict",
            domains=("yahoo.com", "yahoo.fr", "yahoo.de", "yahoo.es", "yahoo.co.uk", "ymail.com"),
            mail_hosts=("yahoodns.net",),
            other_hosts=("mail.yahoo.com",),
            spf_includes=("_spf.mail.yahoo.com",),
        ),
    ),
    app_password=True,
    limit_day=500,
    sign_in=SignIn(
        authorization_endpoint="https://api.login.yahoo.com/oauth2/request_auth",
        token_endpoint="https://api.login.yahoo.com/oauth2/get_token",  # noqa: S106
        userinfo_endpoint="https://api.login.yahoo.com/openid/v1/userinfo",
        scope="openid email mail-w",
    ),
    dkim_keys={"s2048": "", "s1024": ""},
    pages={"app_password": "https://login.yahoo.com/account/security"},
)
