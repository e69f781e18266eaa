"""Postmark."""

from .provider import Provider, Server

PROVIDER = Provider(
    name="Postmark",
    servers=(Server("smtp.postmarkapp.com"), Server("smtp-broadcasts.postmarkapp.com")),
    pages={"send_as": "https://account.postmarkapp.com/signature_domains"},
)
