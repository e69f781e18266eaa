"""Strato."""

from .provider import Provider, Server

PROVIDER = Provider(
    name="Strato",
    servers=(Server("smtp.strato.de", 465, "ssl_strict", mail_hosts=("smtpin.rzone.de",)),),
)
