"""What is known of each mail provider: one file each, plain data that imports nothing else.

Adding a provider is adding a file that assigns ``PROVIDER``; everything reads from here: detection,
the connect dialog, the domain check, the rules for replies, Connections and the documentation.
"""

import functools
import importlib
import pkgutil

from .provider import Provider, SignIn


@functools.cache
def all_providers():
    """Every provider, by the name of its file.

    :rtype: tuple[Provider, ...]
    """
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = (importlib.import_module(f".{name}", __name__) for name in names)
    return tuple(module.PROVIDER for module in modules if hasattr(module, "PROVIDER"))


def replies(rule):
    """What providers say when a rule applies: regular expressions, searched as in ``reply_words``.

    :param str rule: id of a rule
    :rtype: tuple[str, ...]
    """
    return tuple(
        pattern for provider in all_providers() for pattern in provider.replies.get(rule, ())
    )
