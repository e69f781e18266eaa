"""SendGrid (Twilio): mail sent by programs."""

from .provider import Provider

PROVIDER = Provider(
    name="SendGrid",
    replies={
        "account_blocked": (r"credits? (exceeded|expired|blocked)",),
        "not_authenticated": (r"^5.*unauthenticated senders not allowed",),
        "send_as_denied": (r"verified sender identity",),
    },
)
