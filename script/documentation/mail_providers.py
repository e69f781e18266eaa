"""The page of what is known of each mail provider: a table of providers/."""

from __future__ import annotations

from collections.abc import Iterator

from system_mail.providers import all_providers
from system_mail.providers.provider import Provider, Server

from .tables import cells

PATH = "docs/mail-providers.rst"
MOST_SERVERS = 5
HEAD = """\
.. Made by "script/lint --fix" of providers/: change it there.

==============
Mail providers
==============

The connect dialog knows these providers by the domain of the address, or by the hosts that receive
the domain's mail. It fills in the server and proposes the limits. Any other mail server works too:
type its name.

The limits are recipients, as the providers publish them; your contract may say otherwise.

.. list-table::
   :header-rows: 1

   * - Provider
     - Server
     - Connect by
     - Limits
     - Pages
"""
PAGES = {
    "app_password": "App passwords",
    "compromised": "Blocked senders",
    "ip_allow": "Allowed servers",
    "password": "Passwords and access",
    "quota": "Limits",
    "send_as": "Allowed senders",
    "smtp_auth": "Allow sending by SMTP",
    "web_login": "Sign in on the web",
}
NOTHING = "\N{EN DASH}"


def make() -> str:
    """The page."""
    lines = [HEAD.rstrip()]
    for provider in sorted(all_providers().values(), key=lambda provider: provider.name.lower()):
        lines += cells(
            [
                [f"**{provider.name}**", *_domains(provider)],
                _servers(provider.servers),
                _ways(provider),
                [*_limits(provider)] or NOTHING,
                [_link(remedy, page) for remedy, page in provider.pages.items()] or NOTHING,
            ]
        )
    return "\n".join(lines) + "\n"


def _domains(provider: Provider) -> list[str]:
    own = [domain for server in provider.servers for domain in server.domains]
    return [", ".join(own)] if own else []


def _servers(servers: tuple[Server, ...]) -> list[str]:
    shown = [f"``{server.host}``, port {server.port}" for server in servers[:MOST_SERVERS]]
    more = len(servers) - MOST_SERVERS
    return [*shown, f"and {more} more in other regions"] if more > 0 else shown


def _ways(provider: Provider) -> str:
    password = "an app password" if provider.app_password else "a password"
    if provider.passwords_end:
        password += f" until {provider.passwords_end:%-d %B %Y}"
    if not provider.sign_in:
        return password
    by_https = f"; by HTTPS ({provider.api.name}) with a sign-in" if provider.api else ""
    return f"a sign-in, or {password}{by_https}"


def _limits(provider: Provider) -> Iterator[str]:
    if provider.limit_minute:
        yield f"{provider.limit_minute:,} a minute"
    if provider.limit_day:
        yield f"{provider.limit_day:,} a day"
    if provider.own_limit_day:
        [domain, *_others] = [domain for server in provider.servers for domain in server.domains]
        yield f"{provider.own_limit_day:,} a day at {domain}"


def _link(remedy: str, page: str) -> str:
    return f"`{PAGES[remedy]} <{page}>`__"
