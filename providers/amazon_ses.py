"""Amazon SES: mail sent by programs.

Replies: https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-smtp.html
"""

from .provider import Provider

PROVIDER = Provider(
    name="Amazon SES",
    replies={
        "send_as_denied": (
            r"(email address|domain|identity) is not verified|identities failed the check",
            r"not authori[sz]ed to perform",
        ),
        "sender_blocked": (r"sending (is |was |has been )?(suspended|paused) for this account",),
    },
)
