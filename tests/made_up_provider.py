"""A provider that does not exist, in a file as those of ``providers/``."""

import contextlib
import sys
import tempfile
from pathlib import Path

from .. import providers

FILE = "pigeon_post.py"
SOURCE = """
import datetime

from .provider import Provider, Server, SignIn

PROVIDER = Provider(
    name="Pigeon Post",
    servers=(
        Server(
            "127.0.0.1",
            465,
            "ssl_strict",
            domains=("pigeon.example",),
            other_hosts=("smtp.pigeon.example",),
            spf_includes=("spf.pigeon.example",),
        ),
    ),
    app_password=True,
    limit_day=12,
    replies={"quota_reached": (r"^5.*all pigeons are out",)},
    pages={"app_password": "https://pigeon.example/passwords"},
)
"""
SIGN_IN = """
    sign_in=SignIn(
        authorization_endpoint="https://pigeon.example/authorize",
        token_endpoint="https://pigeon.example/token",
        scope="send",
        refresh_days=90,
    ),
)
"""


@contextlib.contextmanager
def made_up_provider(sign_in=False, passwords_end=None):
    """Have one provider more in ``providers/``, until the block ends.

    :param bool sign_in: whether people can sign in there
    :param date passwords_end: the last day on which it takes passwords
    """
    source = SOURCE.removesuffix(")\n") + SIGN_IN.lstrip("\n") if sign_in else SOURCE
    if passwords_end:
        source = source.removesuffix(")\n") + f"    passwords_end={passwords_end!r},\n)\n"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / FILE).write_text(source)
        providers.__path__.append(folder)
        providers.all_providers.cache_clear()
        try:
            yield
        finally:
            providers.__path__.remove(folder)
            providers.all_providers.cache_clear()
            sys.modules.pop(f"{providers.__name__}.{Path(FILE).stem}", None)
