"""Who serves an address: by its domain, else by the hosts that receive the domain's mail (MX)."""

import typing

from .lookup import Lookup, Unanswered

PATIENCE = 2.0
"""Seconds for the DNS to answer."""


class Service(typing.NamedTuple):
    """A mail service and how a program sends by it."""

    name: str
    domains: tuple[str, ...]
    """Its own domains: gmail.com."""
    mx_domains: tuple[str, ...]
    """Where the mail of its customers' domains is received."""
    smtp_host: str
    smtp_port: int = 587
    smtp_encryption: str = "starttls_strict"
    """A value of ``ir.mail_server.smtp_encryption``."""
    provider_id: int = 0
    """The ``system.mail.oauth.provider`` to sign in with; 0: it takes a password alone."""
    wants_app_password: bool = False
    """Not the password that people know."""
    limit_minute: int = 0
    limit_day: int = 0
    """Recipients that it lets through; 0 = unknown."""


class Detected(typing.NamedTuple):
    """The outcome of a look at an address."""

    service: Service | None
    looked_up: bool
    """Whether the domain's mail hosts could be asked for."""


PASSWORD_SERVICES = (
    Service(
        "iCloud Mail",
        ("icloud.com", "me.com", "mac.com"),
        ("mail.icloud.com",),
        "smtp.mail.me.com",
        wants_app_password=True,
        limit_day=1000,
    ),
    Service(
        "Fastmail",
        ("fastmail.com", "fastmail.fm"),
        ("messagingengine.com",),
        "smtp.fastmail.com",
        465,
        "ssl_strict",
        wants_app_password=True,
    ),
    Service("Zoho Mail", ("zoho.com",), ("zoho.com",), "smtp.zoho.com", 465, "ssl_strict"),
    Service("Zoho Mail", ("zohomail.eu",), ("zoho.eu",), "smtp.zoho.eu", 465, "ssl_strict"),
    Service("IONOS", (), ("ionos.com", "kundenserver.de", "1and1.com"), "smtp.ionos.com"),
    Service("OVHcloud", (), ("mail.ovh.net", "ovh.net"), "ssl0.ovh.net", 465, "ssl_strict"),
    Service("Infomaniak", (), ("infomaniak.ch",), "mail.infomaniak.com"),
    Service("GMX", ("gmx.de", "gmx.net", "gmx.at", "gmx.ch"), (), "mail.gmx.net"),
)
"""Services by which people send with a password; taken from their own help pages."""


def detect(address, services, seconds=PATIENCE):
    """The service of an address.

    :param str address: ``hello@company.com``
    :param services: the ``Service`` records to choose from
    :param float seconds: the longest that the DNS may take; 0 asks only the domain's own name
    :rtype: Detected
    """
    domain = address.rpartition("@")[2].strip().lower()
    for service in services:
        if domain in service.domains:
            return Detected(service, True)
    if not (domain and seconds):
        return Detected(None, False)
    try:
        hosts = Lookup(seconds).mail_hosts(domain)
    except Unanswered:
        return Detected(None, False)
    for host in hosts:
        for service in services:
            if any(is_within(host, mx_domain) for mx_domain in service.mx_domains):
                return Detected(service, True)
    return Detected(None, True)


def is_within(host, domain):
    """Whether a host is the domain, or in it."""
    return host == domain or host.endswith(f".{domain}")
