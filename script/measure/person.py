"""What a person waits who mentions a colleague, by a real Odoo with two HTTP workers and one for
crons, while their own mail server is silent, drips or is slow.

python -m measure.person CONFIG_FILE
"""

import argparse
import sys
import time
from collections import Counter

from demonstration.processes import free_port
from demonstration.web_clients import OdooSession
from smtp_lab import SmtpLab

from . import instance
from .mailboxes import DOMAIN, OWN, SYSTEM
from .server import running

SILENT = ("connect", "banner", "ehlo", "auth", "mail", "rcpt", "data", "dot")
LATE = 35
"""Seconds that a filter takes for a whole message, and then accepts it."""
WAYS = [
    *((phase, "hang") for phase in SILENT),
    *((phase, "drip") for phase in SILENT[1:]),
    ("each reply", "2 s"),
    ("dot", f"{LATE} s"),
]
"""Where the author's server fails, and how."""
FIRST, LATER = 5, 1
"""Targets, in seconds."""
PATIENCE = 120


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config_file")
    parser.add_argument("--log-file", default="")
    options = parser.parse_args()
    instance.load(options.config_file, options.log_file)
    port = free_port()
    with SmtpLab() as lab:
        office = Office(lab, port)
        with running(options.config_file, options.log_file, port):
            office.log_in()
            office.mention()
            print(f"\n{'What a person waits, seconds':30}{'first':>7}{'later':>7}  target")
            for way in WAYS:
                first, later = office.waits(*way)
                met = first <= FIRST and later <= LATER
                verdict = "met" if met else f"missed: {FIRST} s, then {LATER} s"
                print(f"{' '.join(way):30}{first:7.2f}{later:7.2f}  {verdict}")
    return 0


class Office:
    """An author with a mailbox, a reader, and a lead that both know."""

    def __init__(self, lab, port):
        self._url = f"http://127.0.0.1:{port}"
        self._own, self._system = (
            lab.server(mailbox.name, logins={mailbox.address: mailbox.password})
            for mailbox in (OWN, SYSTEM)
        )
        with instance.environment() as env:
            kept = env.ref("mail.ir_cron_mail_scheduler_action")
            (env["ir.cron"].search([]) - kept).active = False
            author = instance.user(env, OWN.name, OWN.address)
            author.password = OWN.password
            author.group_ids += env.ref("base.group_partner_manager")
            self._reader_id = instance.user(env, "reader", f"reader@{DOMAIN}").partner_id.id
            instance.server(env, OWN, self._own.port, author)
            instance.use_system_mail(env, SYSTEM, self._system.port)
            self._lead_id = env["res.partner"].create({"name": "A lead"}).id
        self._author = None

    def log_in(self):
        """As the author."""
        self._author = OdooSession(self._url, instance.database(), OWN.name, OWN.password)

    def mention(self):
        """:return: how many seconds it took"""
        begin = time.monotonic()
        self._author.call(
            "res.partner",
            "message_post",
            [self._lead_id],
            body="See this",
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
            partner_ids=[self._reader_id],
        )
        return time.monotonic() - begin

    def waits(self, phase, action):
        """The author mentions the reader twice; then the server works again.

        :return: what the author waited, the first time and later
        :raises RuntimeError: a mention was lost, or came twice
        """
        self._forget()
        before = self._copies()
        if phase == "each reply":
            self._own.latency = 2
        elif action in ("hang", "drip"):
            self._own.fail(phase, action=action)
        else:
            end = time.monotonic() + LATE
            self._own.deliver = lambda _delivery: time.sleep(max(end - time.monotonic(), 0))
        waits = self.mention(), self.mention()
        self._own.latency = 0
        if not self._own.deliver:
            self._own.stop()  # whoever hangs there goes on
        self._own.heal()
        self._wait_for(2 + before.total())
        self._own.deliver = None
        new = self._copies() - before
        if len(new) != 2 or set(new.values()) != {1}:
            raise RuntimeError(f"{phase} {action}: two mentions came as {new.total()} copies")
        return waits

    def _forget(self):
        """The author's mailbox has just worked."""
        with instance.environment() as env:
            env["system.mail.health"].search([]).unlink()
            env["system.mail.server.health"].search([]).unlink()

    def _copies(self):
        return Counter(
            delivery.message["Message-Id"]
            for server in (self._own, self._system)
            for delivery in server.accepted
        )

    def _wait_for(self, copies):
        end = time.monotonic() + PATIENCE
        while self._copies().total() < copies:
            if time.monotonic() > end:
                raise RuntimeError("a mention was lost")
            time.sleep(0.1)
        self._end_of_queue()

    @staticmethod
    def _end_of_queue():
        """Wait until the queue has stored what it sent."""
        while True:
            with instance.environment() as env:
                if not env["mail.mail"].search_count([("state", "=", "outgoing")]):
                    return
            time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
