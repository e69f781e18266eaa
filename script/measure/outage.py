"""A provider's outage: many mailboxes at one server that goes silent, and comes back.

python -m measure.outage CONFIG_FILE --mailboxes 10000
"""

import argparse
import datetime
import sys
import time

from smtp_lab import SmtpLab

from odoo.addons.base.models import ir_mail_server

from . import instance
from .mailboxes import DOMAIN, SYSTEM

MAILS = 200
"""Each by another mailbox."""
SWEPT = 200
"""Mailboxes that are due for a check meanwhile."""
SMTP_TIMEOUT = 2
"""Seconds, in place of Odoo's 60."""
MOST_WAITS = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config_file")
    parser.add_argument("--mailboxes", type=int, default=10_000)
    parser.add_argument("--log-file", default="")
    options = parser.parse_args()
    instance.load(options.config_file, options.log_file)
    ir_mail_server.SMTP_TIMEOUT = SMTP_TIMEOUT
    with SmtpLab() as lab:
        provider = Provider(lab, options.mailboxes)
        print(f"\n{options.mailboxes} mailboxes at one server")
        provider.go_silent()
        seconds = provider.send()
        provider.sweep()
        waits = provider.waits()
        verdict = "met" if waits <= MOST_WAITS else f"missed: {MOST_WAITS}"
        print(f"{'log-ins that timed out':36}{waits:8}     {verdict}")
        print(f"{f'seconds for {MAILS} mails':36}{seconds:8.1f}")
        print(f"{'seconds until all are in use again':36}{provider.come_back():8.1f}")
    return 0


class Provider:
    """The server with all the mailboxes. System Mail is at another one."""

    def __init__(self, lab, count):
        self._server = lab.server("provider", keep=False)
        self._system = lab.server(SYSTEM.name, logins={SYSTEM.address: SYSTEM.password})
        with instance.environment() as env:
            env["ir.cron"].search([]).active = False
            instance.use_system_mail(env, SYSTEM, self._system.port)
            self._found(env, count)

    def _found(self, env, count):
        """The mailboxes, which have all worked."""
        addresses = [f"person{number}@{DOMAIN}" for number in range(count)]
        self._server.logins.update(dict.fromkeys(addresses, "secret"))
        servers = env["ir.mail_server"].create(
            [
                {
                    "name": address,
                    "smtp_host": "127.0.0.1",
                    "smtp_port": self._server.port,
                    "smtp_encryption": "none",
                    "smtp_user": address,
                    "smtp_pass": "secret",
                    "from_filter": address,
                }
                for address in addresses
            ]
        )
        self._ids = servers.ids
        worked = datetime.datetime.now(datetime.UTC).replace(tzinfo=None, microsecond=0)
        worked -= datetime.timedelta(minutes=5)
        env["system.mail.health"].create(
            [{"server_id": id_, "state": "connected", "last_success": worked} for id_ in self._ids]
        )

    def go_silent(self):
        self._server.fail("banner", action="hang")

    def send(self):
        """:return: how many seconds it took
        :raises RuntimeError: a mail did not arrive
        """
        with instance.environment() as env:
            servers = env["ir.mail_server"].browse(self._ids[:MAILS])
            mails = env["mail.mail"].create(
                [
                    {
                        "subject": "Hello",
                        "body_html": "<p>See this</p>",
                        "email_from": server.from_filter,
                        "email_to": SYSTEM.address,
                        "mail_server_id": server.id,
                    }
                    for server in servers
                ]
            )
            env["res.company"].search([]).system_mail_scope = "all"
        begin = time.monotonic()
        with instance.environment() as env:
            env["mail.mail"].browse(mails.ids).send()
        seconds = time.monotonic() - begin
        if len(self._system.accepted) != MAILS:
            raise RuntimeError(f"{len(self._system.accepted)} of {MAILS} mails arrived")
        return seconds

    def sweep(self):
        """The scheduled check of mailboxes, some of which nobody has heard of for long."""
        with instance.environment() as env:
            env.cr.execute(
                """UPDATE system_mail_health SET last_success = last_success - interval '1 day'
                    WHERE server_id = ANY(%s)""",
                [self._ids[-SWEPT:]],
            )
        with instance.environment() as env:
            env["system.mail.health"]._cron_sweep()

    def waits(self):
        """How many log-ins timed out."""
        return len(self._server.connections)

    def come_back(self):
        """:return: seconds from the probe that finds out until every mailbox is in use again"""
        self._server.heal()
        with instance.environment() as env:
            env["system.mail.server.health"].search([]).next_probe_at = "2020-01-01"
        begin = time.monotonic()
        with instance.environment() as env:
            env["system.mail.health"]._cron_probe()
        seconds = time.monotonic() - begin
        with instance.environment() as env:
            down = env["system.mail.health"].search_count([("state", "!=", "connected")])
        if down:
            raise RuntimeError(f"{down} mailboxes are still out of order")
        return seconds


if __name__ == "__main__":
    sys.exit(main())
