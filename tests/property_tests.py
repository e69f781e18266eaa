"""Property tests say what holds, not how fast this machine is today."""

import os

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("SYSTEM_MAIL_EXAMPLES") or 0)
"""How many examples each of them tries; 0: a number that keeps a run short."""

settings.register_profile(
    "system_mail",
    deadline=None,
    max_examples=EXAMPLES or 30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("system_mail")


def slow(examples=20):
    """For a test whose every example talks to a server."""
    return settings(max_examples=EXAMPLES or examples)
