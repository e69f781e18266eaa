"""The shape of what is known of a provider."""

import typing


class SignIn(typing.NamedTuple):
    """How a person signs in with the provider (OAuth 2.0)."""

    authorization_endpoint: str
    token_endpoint: str
    scope: str
    userinfo_endpoint: str = ""
    tenant: str = ""
    odoo_parameter: str = ""
    """Start of the names of Odoo's own parameters for this provider."""


class Provider(typing.NamedTuple):
    """A mail provider, and how a program sends by it."""

    name: str
    """As people know it."""
    domains: tuple[str, ...] = ()
    """Domains of its own, where anybody may have an address: gmail.com."""
    mail_hosts: tuple[str, ...] = ()
    """Where the mail of its customers' domains is received (MX), as domains of hosts."""
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_encryption: str = "starttls_strict"
    """A value of ``ir.mail_server.smtp_encryption``."""
    other_hosts: tuple[str, ...] = ()
    """Further hosts that take mail from programs, or domains of such hosts."""
    app_password: bool = False
    """Whether a program needs a password made for it."""
    limit_minute: int = 0
    limit_day: int = 0
    """Recipients that it lets through; 0 = unknown."""
    sign_in: SignIn | None = None
    spf_includes: tuple[str, ...] = ()
    """Domains whose SPF record has its addresses: the one it asks for now, then others."""
    dkim_keys: dict[str, str] = {}
    """The default names (selectors) of its DKIM keys, and what they are to point to (CNAME) where
    that is known beforehand."""
    dkim_type: str = "TXT"
    replies: dict[str, tuple[str, ...]] = {}
    """What its server says, by the id of the rule that then applies: regular expressions."""
    pages: dict[str, str] = {}
    """Where an owner mends a thing, by the remedy's id: addresses on the web."""
