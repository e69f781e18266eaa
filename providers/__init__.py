"""What is known of each mail provider: one file each, plain data that imports nothing of ours.

To add a provider, add a file that assigns ``PROVIDER``. Everything reads from here: detection, the
connect dialog, the domain check, the rules for replies, Connections and the documentation.
"""

import functools
import importlib
import pkgutil

from .provider import Api, Application, Provider, Server, SignIn


@functools.cache
def all_providers():
    """Every provider, by the name of its file.

    :rtype: dict[str, Provider]
    """
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = {name: importlib.import_module(f".{name}", __name__) for name in names}
    return {name: mod.PROVIDER for name, mod in modules.items() if hasattr(mod, "PROVIDER")}


def replies(rule):
    """What providers say when a rule applies: regular expressions, to be searched in any case.

    :param str rule: id of a rule
    :rtype: tuple[str, ...]
    """
    found = (provider.replies.get(rule, ()) for provider in all_providers().values())
    return tuple(pattern for patterns in found for pattern in patterns)


def api_codes(rule):
    """What the providers' APIs for sending by HTTPS call an error when a rule applies.

    :param str rule: id of a rule
    :rtype: tuple[str, ...]
    """
    apis = (provider.api for provider in all_providers().values() if provider.api)
    return tuple(code for api in apis for code in api.codes.get(rule, ()))


def known_at(host):
    """Who runs a host that mail is sent by.

    :rtype: tuple[Provider, Server] | tuple[None, None]
    """
    host = (host or "").strip().lower().rstrip(".")
    for provider in all_providers().values():
        for server in provider.servers:
            if any(is_within(host, known) for known in server.hosts()):
                return provider, server
    return None, None


def is_within(host, domain):
    """Whether a host is the domain, or in it."""
    return host == domain or host.endswith(f".{domain}")
