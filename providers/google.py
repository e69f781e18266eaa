"""Google: gmail.com and Workspace.

Replies: https://support.google.com/a/answer/3726730
Unused refresh tokens: https://developers.google.com/identity/protocols/oauth2#expiration
Sending by HTTPS: https://developers.google.com/workspace/gmail/api/guides/handle-errors
Limits: https://support.google.com/a/answer/166852 and https://support.google.com/mail/answer/22839
"""

from .provider import Api, Application, Provider, Server, SignIn, _lt

_NO_ACCESS = (
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
    "delegationDenied",
    "forbidden",
    "insufficientPermissions",
)

PROVIDER = Provider(
    name="Google",
    servers=(
        Server(
            "smtp.gmail.com",
            domains=("gmail.com", "googlemail.com"),
            mail_hosts=("google.com", "googlemail.com"),
            other_hosts=("gmail.com", "google.com", "googlemail.com", "gmail.googleapis.com"),
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
        name=_lt("Google Workspace (service account)"),
        grant="service_account",
        token_endpoint="https://oauth2.googleapis.com/token",  # noqa: S106
        scope="https://mail.google.com/",
        guide="https://support.google.com/a/answer/162106",
    ),
    api=Api(
        name="Gmail API",
        form="gmail",
        endpoint="https://gmail.googleapis.com/upload/gmail/v1/users/{mailbox}/messages/send"
        "?uploadType=media",
        scope="openid email https://www.googleapis.com/auth/gmail.send",
        application_scope="https://www.googleapis.com/auth/gmail.send",
        megabytes=25,
        codes={
            "quota_reached": ("dailyLimitExceeded", "quotaExceeded"),
            "too_fast": ("rateLimitExceeded", "userRateLimitExceeded", "RESOURCE_EXHAUSTED"),
            "https_disabled": (
                "accessNotConfigured",
                "domainPolicy",
                "failedPrecondition",
                "SERVICE_DISABLED",
            ),
            "application_no_access": _NO_ACCESS,
            "oauth_rejected": _NO_ACCESS,
            "temporary": ("backendError",),
        },
    ),
    dkim_keys={"google": ""},
    replies={
        "bad_recipient": (
            r"account that you tried to reach (does not exist|is (disabled|over quota)).*",
            r"the recipient's inbox is out of storage space.*",
        ),
        "content": (r"our system detected an illegal attachment on your message",),
        "recipient_busy": (
            r"the user you are trying to contact is receiving mail .*",
            r"account that you tried to reach is over quota.*",
        ),
        "too_big": (r"your message exceeded google's message size limits",),
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
