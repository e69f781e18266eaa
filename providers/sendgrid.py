"""SendGrid (Twilio)."""

from .provider import Provider, Server

PROVIDER = Provider(
    name="SendGrid",
    servers=(Server("smtp.sendgrid.net"),),
    dkim_keys={"s1": "", "s2": ""},
    dkim_type="CNAME",
    replies={
        "account_blocked": (r"credits? (exceeded|expired|blocked)",),
        "not_authenticated": (r"^5.*unauthenticated senders not allowed",),
        "send_as_denied": (r"verified sender identity",),
        "too_fast": (r"exceeded your messaging limits",),
    },
    pages={
        "ip_allow": "https://app.sendgrid.com/settings/access",
        "password": "https://app.sendgrid.com/settings/api_keys",
        "send_as": "https://app.sendgrid.com/settings/sender_auth",
    },
)
