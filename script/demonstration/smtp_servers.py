"""The company's SMTP servers; runs in the sandbox's venv, with tests/ on its path.

    python smtp_servers.py INBOX_PORT

Prints their ports and passwords as one JSON object, by the login of whom they serve, and stops when
its standard input closes. A line of JSON there, ``[login, password]``, changes the password that a
server takes; it is answered with an empty line. What a server accepts it hands on to the inbox at
INBOX_PORT before it says so, with the envelope in Return-Path and Delivered-To, and its own name in
X-Accepted-By.
"""

import json
import smtplib
import sys
from collections.abc import Callable

from smtp_lab import Delivery, SmtpLab

# Ana's password was changed: Odoo still has the old one (see company.py).
PASSWORDS = {
    "ana@company.test": "her new password",
    "carla@company.test": "carla's password",
    "hello@company.test": "system mail's password",
}


def main(inbox_port: int) -> None:
    with SmtpLab() as lab:
        servers = {
            login: lab.server(
                login,
                logins={login: password},
                allowed_senders={login},
                deliver=hand_on(login, inbox_port),
                keep=False,
            )
            for login, password in PASSWORDS.items()
        }
        told = {login: [server.port, PASSWORDS[login]] for login, server in servers.items()}
        print(json.dumps(told), flush=True)
        for line in sys.stdin:
            login, password = json.loads(line)
            servers[login].logins[login] = password
            print(flush=True)


def hand_on(server: str, inbox_port: int) -> Callable[[Delivery], None]:
    """A function that hands a delivery on to the inbox; it raises OSError when it cannot."""

    def deliver(delivery: Delivery) -> None:
        trace = (
            f"Return-Path: <{delivery.mail_from}>\r\n"
            f"Delivered-To: {', '.join(delivery.rcpt_to)}\r\n"
            f"X-Accepted-By: {server}\r\n"
        )
        with smtplib.SMTP("127.0.0.1", inbox_port, timeout=10) as inbox:
            inbox.sendmail(delivery.mail_from, delivery.rcpt_to, trace.encode() + delivery.content)

    return deliver


if __name__ == "__main__":
    main(int(sys.argv[1]))
