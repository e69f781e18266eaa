"""AOL Mail, which Yahoo runs."""

from .provider import Provider, Server

PROVIDER = Provider(
    name="AOL Mail",
    servers=(Server("smtp.aol.com", 465, "ssl_strict", domains=("aol.com",)),),
    app_password=True,
    limit_day=500,
    pages={"app_password": "https://login.aol.com/account/security"},
)
