"""Mailjet."""

from .provider import Provider, Server

PROVIDER = Provider(
    name="Mailjet",
    servers=(Server("in-v3.mailjet.com"),),
    dkim_keys={"mailjet": ""},
    pages={
        "password": "https://app.mailjet.com/account/apikeys",
        "send_as": "https://app.mailjet.com/account/sender",
    },
)
