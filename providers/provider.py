"""The shape of what is known of a provider."""

import datetime
import typing

_lt = str
"""Marks what is to be translated, for the tools that collect it."""


class Server(typing.NamedTuple):
    """A server of a provider that takes mail from programs, and whose mail it sends."""

    host: str
    port: int = 587
    encryption: str = "starttls_strict"
    """A value of ``ir.mail_server.smtp_encryption``."""
    domains: tuple[str, ...] = ()
    """The provider's own domains, where anybody may have an address: gmail.com."""
    mail_hosts: tuple[str, ...] = ()
    """Where the mail of customers' own domains is received (MX): hosts, or domains of hosts."""
    other_hosts: tuple[str, ...] = ()
    """Its other names, or domains whose hosts are all the provider's."""
    spf_includes: tuple[str, ...] = ()
    """What an SPF record includes to allow its mail: what the provider asks for now, then what it
    asked for earlier. None: its mail has a return address in another domain, or it is not known."""

    def hosts(self):
        """Its names, and domains whose hosts are all the provider's."""
        return (self.host, *self.other_hosts)


class SignIn(typing.NamedTuple):
    """How a person signs in with the provider (OAuth 2.0)."""

    authorization_endpoint: str
    token_endpoint: str
    scope: str
    userinfo_endpoint: str = ""
    tenant: str = ""
    """What takes the place of ``{tenant}`` in the endpoints, unless somebody changes it."""
    refresh_days: int = 0
    """A refresh token that is not used for so many days lapses; 0 = never, or not known."""
    odoo_parameter: str = ""
    """Start of the names of Odoo's own parameters for this provider."""
    odoo_authentication: str = ""
    """The value of ``ir.mail_server.smtp_authentication`` that Odoo's own module adds."""


class Application(typing.NamedTuple):
    """How a program signs in with the provider in its own name, without a person (OAuth 2.0)."""

    name: str
    """As people choose it in the connect dialog."""
    grant: str
    """``client_credentials`` (RFC 6749, 4.4) or ``service_account`` (RFC 7523)."""
    token_endpoint: str
    scope: str
    guide: str
    """A page of the provider that explains the set-up."""
    commands: str = ""
    """What an administrator types at the provider, with ``{client_id}``, ``{object_id}`` and
    ``{mailbox}``, each of which is put into quotes."""
    narrow_commands: str = ""
    """In place of these: what lets the application reach no other mailbox."""


class Api(typing.NamedTuple):
    """How a program hands the provider a message by HTTPS, where SMTP is closed."""

    name: str
    """As people know it."""
    form: str
    """How a request carries the message: a key of ``failover.https_api.FORMS``."""
    endpoint: str
    """Where a message is sent to, with ``{mailbox}``."""
    scope: str
    """What a person allows when they sign in."""
    application_scope: str
    """What an application asks for."""
    megabytes: float
    """Of the largest message that fits into a request."""
    codes: dict[str, tuple[str, ...]] = {}
    """The codes of its errors, by the id of the rule that applies."""
    permission: str = ""
    """What an administrator allows the application at the provider."""
    narrow_commands: str = ""
    """As of ``Application``."""


class Provider(typing.NamedTuple):
    """A mail provider, and how a program sends by it."""

    name: str
    """As people know it."""
    servers: tuple[Server, ...]
    """With a sign-in, the first one is the server to send by."""
    app_password: bool = False
    """Whether a program needs a password made for it."""
    limit_minute: int = 0
    limit_day: int = 0
    """Recipients that the provider lets through; 0 = unknown."""
    own_limit_day: int = 0
    """Recipients a day for an address at one of its own domains; 0 = no other limit."""
    passwords_end: datetime.date | None = None
    """The last day on which customers' own domains can log in by password as a matter of course."""
    passwords_stay_at: tuple[str, ...] = ()
    """Servers for which that day does not count."""
    sign_in: SignIn | None = None
    application: Application | None = None
    api: Api | None = None
    dkim_keys: dict[str, str] = {}
    """The default names (selectors) of its DKIM keys, and what they are to point to (CNAME) where
    that is known beforehand. None: it makes a name for each customer."""
    dkim_type: str = "TXT"
    replies: dict[str, tuple[str, ...]] = {}
    """What its servers say when a rule applies, by the rule's id: regular expressions that are
    searched in ``535 5.7.8 The server's text``, in upper or lower case. They are added to every row
    of that rule in ``failover/rules.py`` that has patterns, and only to those: a rule whose rows
    have none cannot be used here."""
    pages: dict[str, str] = {}
    """Web pages where an owner can do what a remedy says, by the remedy's id."""

    def hosts(self):
        """The names of all its servers, and domains whose hosts are all its own."""
        return tuple(host for server in self.servers for host in server.hosts())
