"""Zoho Mail."""

from .provider import Provider

PROVIDER = Provider(
    name="Zoho Mail",
    replies={
        "account_blocked": (r"^5\d\d 5\.1\.8\b.*blocked",),
        "send_as_denied": (r"relaying disallowed",),
        "sender_blocked": (r"^5\d\d 5\.1\.8\b.*blocked",),
    },
)
