"""iCloud Mail (Apple)."""

from .provider import Provider

PROVIDER = Provider(
    name="iCloud Mail",
    replies={
        "send_as_denied": (r"from:? address (is )?not (one of your addresses|verified)",),
    },
)
