"""Zoho Mail: one server for personal addresses and one for organisations in each data centre.

Servers: https://www.zoho.com/mail/help/zoho-smtp.html
"""

from .provider import Provider, Server


def _servers(data_centre, domains=(), spf_includes=()):
    """The two servers of a data centre.

    :param str data_centre: the domain that its servers are in
    :param domains: where people have personal addresses
    """
    return (
        Server(f"smtp.{data_centre}", 465, "ssl_strict", domains, (), (), spf_includes),
        Server(f"smtppro.{data_centre}", 465, "ssl_strict", (), (data_centre,), (), spf_includes),
    )


PROVIDER = Provider(
    name="Zoho Mail",
    servers=(
        *_servers(
            "zoho.com", ("zoho.com", "zohomail.com"), ("zohomail.com", "zoho.com", "spf.zoho.com")
        ),
        *_servers("zoho.eu", ("zohomail.eu",), ("zohomail.eu", "zoho.eu", "spf.zoho.eu")),
        *_servers("zoho.in", ("zohomail.in",), ("zohomail.in", "zoho.in", "spf.zoho.in")),
        *_servers("zoho.com.au"),
        *_servers("zoho.jp"),
        *_servers("zohocloud.ca"),
        *_servers("zoho.sa"),
    ),
    dkim_keys={"zmail": "", "zoho": ""},
    replies={
        "account_blocked": (r"^5\d\d 5\.1\.8\b.*blocked",),
        "send_as_denied": (r"relaying disallowed",),
        "sender_blocked": (r"^5\d\d 5\.1\.8\b.*blocked",),
    },
)
