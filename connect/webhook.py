"""Telling a chat or a monitoring system something, by a webhook: an address to which anybody who
knows it can post. Only https, no redirects; what was checked of the host is what is connected to.

Sources: Slack, "Sending messages using incoming webhooks"; Discord, "Execute Webhook"; Microsoft
Teams, "Create incoming webhooks with Workflows" (an Adaptive Card).
"""

import os
import threading
import time
from urllib.parse import urlsplit

import requests

from ..failover.network import resolve
from ..failover.ssrf_guard import is_public
from .bounded import BoundedAdapter

FORMS = ("json", "slack", "teams", "discord")
PATIENCE = 5
"""Seconds for the whole."""
LONGEST_TEXT = 1900
"""Characters; Discord takes 2,000."""
_HOSTS = {  # the ends of the hosts' names
    "slack": ("hooks.slack.com",),
    "discord": ("discord.com", "discordapp.com"),
    "teams": (".logic.azure.com", ".powerplatform.com", ".webhook.office.com"),
}


class WebhookError(Exception):
    """``code``: ``address`` (it is none for a webhook), ``host`` (the host is not public) or
    ``no_answer``. It never tells the address.
    """

    def __init__(self, code):
        super().__init__(code)
        self.code = code


def host_of(url):
    """The host of a webhook's address.

    :raises WebhookError: it is no https address with a host, or has a user name in it
    """
    try:
        parts = urlsplit((url or "").strip())
        port = parts.port
    except ValueError:
        raise WebhookError("address") from None
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or port == 0:
        raise WebhookError("address")
    return parts.hostname


def form_of(url):
    """The form that the service at this address takes: one of ``FORMS``."""
    host = host_of(url)
    return next((form for form, ends in _HOSTS.items() if host.endswith(ends)), "json")


def payload(form, text, link, link_text):
    """What to post.

    :param str form: one of ``FORMS``
    :param str text: plain
    :param str link: where to look
    """
    if form in ("discord", "teams"):  # Markdown: a person's name may look like a link
        text = text.replace("](", "] (")
    text = text[:LONGEST_TEXT]
    if form == "slack":
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {"text": f"{escaped} <{link}|{link_text}>"}
    if form == "discord":
        return {"content": f"{text} <{link}>", "allowed_mentions": {"parse": []}}
    if form == "teams":
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": [{"type": "TextBlock", "text": text, "wrap": True}],
            "actions": [{"type": "Action.OpenUrl", "title": link_text, "url": link}],
        }
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
        return {"type": "message", "attachments": [attachment]}
    return {"source": "system_mail", "text": text, "link": link}


def post(url, content, public_only=True):
    """Post it once.

    :param dict content: as ``payload`` makes it
    :param bool public_only: refuse a host that is not public
    :return: the status of the answer; nothing else of it is looked at
    :rtype: int
    :raises WebhookError: it was not posted, or nothing answered
    """
    host_of(url)
    with requests.Session() as session:
        session.trust_env = False  # a proxy would look the host up by itself
        session.mount("https://", _Adapter(public_only))
        ending = threading.Timer(PATIENCE, session.close)
        ending.start()
        try:
            response = session.post(
                url.strip(),
                json=content,
                timeout=PATIENCE,
                allow_redirects=False,
                verify=os.environ.get("REQUESTS_CA_BUNDLE") or True,
            )
        except _NotPublic:
            raise WebhookError("host") from None
        except (requests.RequestException, OSError, ValueError):
            raise WebhookError("no_answer") from None
        finally:
            ending.cancel()
        return response.status_code


class _NotPublic(Exception):
    pass


class _Adapter(BoundedAdapter):
    def __init__(self, public_only):
        self._public_only, self._end, self.timed_out = (
            public_only,
            time.monotonic() + PATIENCE,
            False,
        )
        super().__init__()

    def remaining(self):
        """Seconds; never 0."""
        return max(self._end - time.monotonic(), 0.01)

    def peer_of(self, connection):
        """Look the host up once, and connect to what was checked."""
        found = resolve(connection.host, connection.port, self)
        if self._public_only and not all(is_public(peer[4][0]) for peer in found):
            raise _NotPublic
        return found[0][4][0]
