"""Detects the mail service of an address, by its domain or by the domain's mail hosts (MX)."""

import typing

from ..providers import all_providers, is_within
from .lookup import Lookup, Unanswered

PATIENCE = 2.0
"""Seconds that the DNS may take to answer."""


class Service(typing.NamedTuple):
    """A mail service, with the settings to send by it."""

    name: str
    domains: tuple[str, ...]
    """Its own domains: gmail.com."""
    mail_hosts: tuple[str, ...]
    """Where the mail of its customers' domains is received."""
    smtp_host: str
    smtp_port: int
    smtp_encryption: str
    """A value of ``ir.mail_server.smtp_encryption``."""
    provider_id: int = 0
    """The ``system.mail.oauth.provider`` to sign in with; 0: people connect by password."""
    app_password: bool = False
    """Whether it asks for an app password instead of the account's usual one."""
    limit_minute: int = 0
    limit_day: int = 0
    """Recipients that it lets through; 0 = unknown."""
    own_limit_day: int = 0
    """Recipients a day for an address at one of its own domains; 0 = no other limit."""

    def limit_day_of(self, domain):
        """Recipients a day for an address at a domain; 0 = unknown."""
        return (domain in self.domains and self.own_limit_day) or self.limit_day


class Detected(typing.NamedTuple):
    """The result of a detection."""

    service: Service | None
    looked_up: bool
    """Whether the domain was known, or the DNS answered."""


def password_services():
    """The services of ``providers/`` by which people send with a password only.

    :rtype: list[Service]
    """
    return [
        Service(
            provider.name,
            server.domains,
            server.mail_hosts,
            server.host,
            server.port,
            server.encryption,
            app_password=provider.app_password,
            limit_minute=provider.limit_minute,
            limit_day=provider.limit_day,
            own_limit_day=provider.own_limit_day,
        )
        for provider in all_providers().values()
        if not provider.sign_in
        for server in provider.servers
        if server.domains or server.mail_hosts
    ]


def detect(address, services, seconds=PATIENCE):
    """Detect the service of an address.

    :param str address: ``hello@company.com``
    :param services: the ``Service`` records to choose from
    :param float seconds: the longest that the DNS may take; 0: don't ask it
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
            if any(is_within(host, mail_host) for mail_host in service.mail_hosts):
                return Detected(service, True)
    return Detected(None, True)
