"""Google: gmail.com and Workspace.

Replies: https://support.google.com/a/answer/3726730
Unused refresh tokens: https://developers.google.com/identity/protocols/oauth2#expiration
Limits: https://support.google.com/a/answer/166852 and https://support.google.com/mail/answer/22839
"""

from .provider import Application, Provider, Server, SignIn

PROVIDER = Provider(
    name="Google",
    servers=(
        Server(
            "smtp.gmail.com",
            domains=("gmail.com", "googlemail.com"),
            mail_hosts=("google.com", "googlemail.com"),
            other_hosts=("gmail.com", "google.com", "googlemail.com"),
            spf_includes=("_spf.google.com",),
        ),
    ),
    app_password=True,
    limit_day=2000,
    own_limit_day=500,
    sign_in=SignIn(
        authorization_endpoint="https://accounts.google.com/o/oauth2/v2/auth",
        token_endpoint="https://oauth2.googleapis.com/token",  # noqa: S106
        userinfo_endpoint="https://openidconnect.googleapis.com/v1/userinfo",
        scope="openid email https://mail.google.com/",
        refresh_days=180,
        odoo_parameter="google_gmail",
        odoo_authentication="gmail",
    ),
    application=Application(
        name="Google Workspace (service account)",
        grant="service_account",
        token_endpoint="https://oauth2.googleapis.com/token",  # noqa: S106
        scope="https://mail.google.com/",
        guide="https://support.google.com/a/answer/162106",
    ),
    dkim_keys={"google": ""},
    replies={
        "app_password_required": (r"^5.*(application[ -]specific|InvalidSecondFactor)",),
        "web_login_required": (r"^5\d\d 5\.7\.14\b",),
        "quota_reached": (r"^5\d\d 5\.4\.5\b",),
        "too_fast": (r"peak smtp relay limit",),
        "too_many_recipients": (r"multiple destination domains",),
    },
    pages={
        "app_password": "https://myaccount.google.com/apppasswords",
        "web_login": "https://accounts.google.com/",
        "quota": "https://support.google.com/a/answer/166852",
    },
)
