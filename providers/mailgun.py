"""Mailgun."""

from .provider import Provider, Server

PROVIDER = Provider(
    name="Mailgun",
    servers=(Server("smtp.mailgun.org"), Server("smtp.eu.mailgun.org")),
    replies={"send_as_denied": (r"is not allowed to send: Please activate",)},
    pages={"password": "https://app.mailgun.com/"},
)
