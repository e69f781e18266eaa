"""The mail services whose SPF entry and DKIM keys are known, by the host that one sends by. What a
service sends on leaves from other addresses than that host's.
"""

import typing

from .detection import is_within


class SendingService(typing.NamedTuple):
    """What a domain publishes for a service that sends its mail."""

    name: str
    hosts: tuple[str, ...]
    """Hosts that take mail from programs, or domains of such hosts."""
    includes: tuple[str, ...]
    """Domains whose SPF record has its addresses: the one it asks for now, then others."""
    keys: dict[str, str] = {}
    """The default names (selectors) of its DKIM keys, and what they are to point to (CNAME) where
    that is known beforehand. None: it makes a name for each customer.
    """
    key_type: str = "TXT"


SENDING_SERVICES = (
    SendingService(
        "Google",
        ("gmail.com", "smtp.googlemail.com"),
        ("_spf.google.com",),
        {"google": ""},
    ),
    SendingService(
        "Microsoft 365",
        ("smtp.office365.com", "smtp-mail.outlook.com", "mail.protection.outlook.com"),
        ("spf.protection.outlook.com",),
        {"selector1": "", "selector2": ""},
        "CNAME",
    ),
    SendingService(
        "Yahoo",
        ("mail.yahoo.com", "smtp.aol.com"),
        ("_spf.mail.yahoo.com",),
        {"s2048": "", "s1024": ""},
    ),
    SendingService(
        "iCloud Mail",
        ("smtp.mail.me.com",),
        ("icloud.com",),
        {"sig1": "sig1.dkim.{domain}.at.icloudmailadmin.com"},
        "CNAME",
    ),
    SendingService(
        "Fastmail",
        ("smtp.fastmail.com", "messagingengine.com"),
        ("spf.messagingengine.com",),
        {name: f"{name}.{{domain}}.dkim.fmhosted.com" for name in ("fm1", "fm2", "fm3")},
        "CNAME",
    ),
    SendingService(
        "Zoho Mail",
        ("smtp.zoho.com", "smtppro.zoho.com"),
        ("zohomail.com", "zoho.com", "spf.zoho.com"),
        {"zmail": "", "zoho": ""},
    ),
    SendingService(
        "Zoho Mail",
        ("smtp.zoho.eu", "smtppro.zoho.eu"),
        ("zohomail.eu", "zoho.eu", "spf.zoho.eu"),
        {"zmail": "", "zoho": ""},
    ),
    SendingService(
        "IONOS",
        ("smtp.ionos.com",),
        ("_spf-us.ionos.com", "_spf-eu.ionos.com", "_spf.perfora.net", "_spf.kundenserver.de"),
        {"s1-ionos": "s1.dkim.ionos.com", "s2-ionos": "s2.dkim.ionos.com"},
        "CNAME",
    ),
    SendingService("OVHcloud", ("ssl0.ovh.net", "mail.ovh.net"), ("mx.ovh.com",)),
    SendingService("Infomaniak", ("mail.infomaniak.com",), ("spf.infomaniak.ch",)),
)
"""As their help pages have it; none could be tried. Least sure: IONOS."""


def service_of(host):
    """The service that a host belongs to, or None."""
    for service in SENDING_SERVICES:
        if any(is_within(host, known) for known in service.hosts):
            return service
    return None
