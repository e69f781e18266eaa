"""What the demo says to Odoo and to the inbox, over HTTP as a browser does."""

from __future__ import annotations

import email
import http.cookiejar
import json
import urllib.error
import urllib.request
from email.message import Message
from typing import Any

from sandbox.console import Problem

TIMEOUT = 90
"""Seconds for one answer: Odoo sends mail while the caller waits."""


class OdooSession:
    """A user logged in to Odoo.

    Raises Problem, with what Odoo said, when the log-in or a call is refused.
    """

    def __init__(self, url: str, database: str, login: str, password: str):
        self._url = url
        cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(cookies)
        )
        self._post(
            "/web/session/authenticate", {"db": database, "login": login, "password": password}
        )

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of a model; the first argument is the ids, where it takes a record."""
        return self._post(
            f"/web/dataset/call_kw/{model}/{method}",
            {"model": model, "method": method, "args": args, "kwargs": kwargs},
        )

    def search(self, model: str, domain: list[Any], **kwargs: Any) -> list[int]:
        """The ids of the records for which `domain` holds."""
        return self.call(model, "search", domain, **kwargs)

    def reference(self, xmlid: str) -> int:
        """The id of the record with this external id."""
        module, name = xmlid.split(".")
        [found] = self.call(
            "ir.model.data",
            "search_read",
            [("module", "=", module), ("name", "=", name)],
            fields=["res_id"],
        )
        return found["res_id"]

    def _post(self, path: str, params: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self._url + path,
            json.dumps({"jsonrpc": "2.0", "method": "call", "params": params}).encode(),
            {"Content-Type": "application/json"},
        )
        with self._opener.open(request, timeout=TIMEOUT) as response:
            answer = json.load(response)
        if "error" in answer:
            error = answer["error"]
            said = error.get("data", {}).get("message") or error["message"]
            raise Problem(f"Odoo refused {path}: {said}")
        return answer["result"]


class Inbox:
    """The inbox's messages."""

    def __init__(self, url: str):
        self._url = url

    def messages(self) -> list[Message]:
        """All messages, the oldest first, their headers as they stand on the wire."""
        listed = json.loads(_get(f"{self._url}/messages/"))["messages"]
        return [
            email.message_from_bytes(_get(f"{self._url}/messages/{number}.source"))
            for number in sorted(message["id"] for message in listed)
        ]


def answers(url: str) -> bool:
    """Whether a page can be had."""
    try:
        _get(url)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
    return True


def _get(url: str) -> bytes:
    # Not through a proxy that the environment may name.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=TIMEOUT) as response:
        return response.read()
