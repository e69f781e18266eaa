"""One page that tells the story: the mailboxes, the chatter, the inbox and the alerts side by side,
with buttons that break and repair what sends.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sandbox.console import Problem

from .company import ANA, BEN, SYSTEM_MAIL
from .processes import HOST
from .stage import Stage

PAGE = Path(__file__).with_name("story.html")
OWN_HEADER = "X-System-Mail-Demo"
"""No other page's script can send it here."""
LATEST = 5
"""So many lines of each list."""


class Story:
    """What the page shows, and what its buttons do. One thing at a time."""

    def __init__(self, stage: Stage):
        self._stage, self._company = stage, stage.company
        self._lock = threading.Lock()
        self.actions: dict[str, Callable[[], None]] = {
            "mention": lambda: self._company.mention() and None,
            "break-ana": lambda: stage.servers.change_password(ANA.login),
            "break-system": self._break_system,
            "repair-ana": lambda: self._repair(ANA.login),
            "repair-system": lambda: self._repair(SYSTEM_MAIL),
            "without": self._company.drop_system_mail,
            "with": self._connect,
        }

    def do(self, name: str) -> None:
        """Do what a button says. Raises KeyError if there is no such button."""
        action = self.actions[name]
        with self._lock:
            action()

    def state(self) -> dict[str, Any]:
        """All that the page shows."""
        servers = self._stage.servers
        with self._lock:
            return {
                "odoo": self._stage.odoo_url,
                "inbox": self._stage.inbox_url,
                "lead": self._company.lead,
                "without": not self._company.uses_system_mail(),
                "mailboxes": self._company.mailboxes([ANA.login, SYSTEM_MAIL]),
                "servers": {
                    login: f"{HOST}:{servers.ports[login]}, password “{servers.passwords[login]}”"
                    for login in (ANA.login, SYSTEM_MAIL)
                },
                "chatter": self._company.chatter(LATEST),
                "alerts": self._company.alerts(LATEST),
                "arrived": [
                    {
                        "from": " ".join(str(message["From"]).split()),
                        "subject": " ".join(str(message["Subject"]).split()),
                        "at": _moment(message["Date"]),
                    }
                    for message in self._stage.inbox.messages()[-LATEST:]
                    if BEN.login in str(message["Delivered-To"])
                ],
            }

    def _break_system(self) -> None:
        self._stage.servers.change_password(SYSTEM_MAIL)
        self._company.test(SYSTEM_MAIL)  # Odoo does so by itself, some minutes later

    def _connect(self) -> None:
        self._stage.servers.accept(SYSTEM_MAIL)
        self._company.connect_system_mail(self._stage.servers.ports[SYSTEM_MAIL])

    def _repair(self, login: str) -> None:
        self._company.reconnect(login, self._stage.servers.passwords[login])


def _moment(date: object) -> str:
    """A Date header in ISO 8601, with its zone: ``-0000`` means UTC, and Python leaves that out."""
    return parsedate_to_datetime(str(date).replace("-0000", "+0000")).isoformat()


def start(story: Story, port: int) -> str:
    """Show the page on a port of this machine; return its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/":
                self._answer(200, "text/html; charset=utf-8", PAGE.read_bytes())
            elif self.path == "/state":
                self._carefully(story.state)
            else:
                self._answer(404, "text/plain", b"There is no such page.")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            name = self.path.removeprefix("/do/")
            if self.headers.get(OWN_HEADER) != "1" or name not in story.actions:
                self._answer(404, "text/plain", b"There is no such button.")
                return
            self._carefully(lambda: story.do(name))

        def _carefully(self, make: Callable[[], Any]) -> None:
            try:
                self._answer(200, "application/json", json.dumps(make()).encode())
            except (Problem, OSError) as problem:
                self._answer(500, "text/plain; charset=utf-8", str(problem).encode())

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://{HOST}:{server.server_port}"
