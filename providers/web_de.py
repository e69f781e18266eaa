"""WEB.DE. Sending by programs is off until the owner switches it on; until then it is a 535."""

from .provider import Provider, Server

PROVIDER = Provider(
    name="WEB.DE",
    servers=(Server("smtp.web.de", domains=("web.de", "email.de")),),
    pages={"password": "https://hilfe.web.de/pop-imap/einschalten.html"},
)
