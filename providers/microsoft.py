"""Microsoft 365 (Exchange Online) and Outlook.com.

Replies: https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online
"""

from .provider import Provider

PROVIDER = Provider(
    name="Microsoft 365",
    replies={
        "basic_auth_retired": (r"^5\d\d 5\.7\.30\b",),
        "smtp_auth_disabled": (
            r"SmtpClientAuthentication",
            r"\b5\.7\.139\b(?!.*credentials were incorrect)",
        ),
        "password_rejected": (r"\b5\.7\.139\b.*credentials were incorrect",),
        "not_authenticated": (r"^5\d\d 5\.7\.57\b",),
        "send_as_denied": (r"^5\d\d 5\.(7\.60|2\.252)\b", r"SendAsDenied"),
        "sender_blocked": (
            r"^5\d\d 5\.7\.(50[1-9]|51\d|70[2-9]|750)\b",
            r"bad outbound sender",
            r"verdict is (Suspend|HipSend)",
        ),
        "quota_reached": (
            r"^5\d\d 5\.(1\.9[0-2]|7\.23[23])\b",
            r"Submission ?Quota|RefuseQuota",
        ),
        "too_many_connections": (r"^4.*sender thread limit",),
        "spam": (r"OutboundSpamException",),
        "recipient_busy": (r"^4.*recipient thread limit", r"^432.*\bDeliver\b"),
    },
)
