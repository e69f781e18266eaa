"""maildump, the inbox to look at, with what a reader sees as From; runs in a venv of its own.

python inbox_page.py HTTP_PORT SMTP_PORT
"""

import sys
from email.parser import BytesHeaderParser

from gevent import monkey

monkey.patch_all()

import maildump  # noqa: E402 (gevent comes first)
from maildump.smtp import smtp_handler  # noqa: E402
from maildump.web import app  # noqa: E402

HOST = "127.0.0.1"


def keep(sender: str, recipients: list[str], body: bytes) -> None:
    """Keep a message under its From; maildump would show the envelope's sender."""
    smtp_handler(BytesHeaderParser().parsebytes(body)["From"] or sender, recipients, body)


def main(http_port: int, smtp_port: int) -> None:
    app.config.update(MAILDUMP_HTPASSWD=None, MAILDUMP_NO_QUIT=True)
    maildump.smtp_handler = keep
    maildump.start(HOST, http_port, HOST, smtp_port)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
