"""GMX. Sending by programs is off until the owner switches it on; until then it is a 535."""

from .provider import Provider, Server

PROVIDER = Provider(
    name="GMX",
    servers=(
        Server("mail.gmx.net", domains=("gmx.de", "gmx.net", "gmx.at", "gmx.ch")),
        Server("mail.gmx.com", domains=("gmx.com",)),
    ),
    pages={"password": "https://hilfe.gmx.net/pop-imap/einschalten.html"},
)
