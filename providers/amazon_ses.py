"""Amazon SES. Its limits and the names of its DKIM keys are the customer's own.

Servers: https://docs.aws.amazon.com/general/latest/gr/ses.html
Replies: https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-smtp.html
"""

from .provider import Provider, Server

REGIONS = (
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "ca-central-1",
    "sa-east-1",
    "eu-central-1",
    "eu-north-1",
    "eu-south-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "af-south-1",
    "il-central-1",
    "me-south-1",
)

PROVIDER = Provider(
    name="Amazon SES",
    servers=tuple(Server(f"email-smtp.{region}.amazonaws.com") for region in REGIONS),
    replies={
        "send_as_denied": (
            r"(email address|domain|identity) is not verified|identities failed the check",
            r"not authori[sz]ed to perform",
        ),
        "sender_blocked": (r"sending (is |was |has been )?(suspended|paused) for this account",),
    },
    pages={"send_as": "https://console.aws.amazon.com/ses/home"},
)
