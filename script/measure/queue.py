"""How long the mail of colleagues waits in the mail queue behind a mailbox that is silent or slow,
by a real Odoo with one worker for scheduled actions, and how often that worker is killed.

python -m measure.queue CONFIG_FILE
"""

import argparse
import sys
import time
from pathlib import Path

from demonstration.processes import free_port
from smtp_lab import SmtpLab

from . import instance
from .mailboxes import DOMAIN, OWN, SYSTEM
from .server import running

WAYS = (
    ("each reply", 45),
    ("each reply", 15),
    ("each reply", 2),
    ("mail", "hang"),
    ("rcpt", "drip"),
    ("data", "hang"),
    ("dot", "hang"),
)
"""Where the author's server fails, and how; or the seconds of each reply."""
COLLEAGUES = 3
ROUNDS, PAUSE = 6, 7
"""So often mail of every colleague joins the queue, so many seconds apart."""
TARGET = 15
"""Seconds."""
OVERHEAD = 1
"""Seconds that Odoo takes besides."""
PATIENCE = 300


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config_file")
    parser.add_argument("--log-file", default="")
    parser.add_argument("--ways", type=int, nargs="*", default=range(len(WAYS)))
    options = parser.parse_args()
    instance.load(options.config_file, options.log_file)
    log = Path(options.log_file)
    with SmtpLab() as lab:
        office = Office(lab)
        with running(options.config_file, options.log_file, free_port()):
            office.warm_up()
            print(f"\n{'Seconds that other mail waits':30}{'worst':>7}{'killed':>7}  target")
            for way in options.ways:
                before = _deaths(log)
                worst = office.worst_wait(*WAYS[way])
                killed = _deaths(log) - before
                met = worst <= TARGET + OVERHEAD and not killed
                name = " ".join(map(str, WAYS[way]))
                verdict = "met" if met else f"missed: {TARGET} s, none"
                print(f"{name:30}{worst:7.1f}{killed:7}  {verdict}")
    return 0


def _deaths(log):
    return log.read_text().count("WorkerCron (") if log.exists() else 0


class Office:
    """An author whose server fails, and colleagues whose servers work."""

    def __init__(self, lab):
        self._own, self._system, self._good = (
            lab.server(name, logins=logins)
            for name, logins in (
                (OWN.name, {OWN.address: OWN.password}),
                (SYSTEM.name, {SYSTEM.address: SYSTEM.password}),
                ("good", {_address(n): OWN.password for n in range(COLLEAGUES)}),
            )
        )
        with instance.environment() as env:
            kept = env.ref("mail.ir_cron_mail_scheduler_action")
            (env["ir.cron"].search([]) - kept).active = False
            env["ir.config_parameter"].set_param("mail.server.personal.limit.minutes", "1000")
            author = instance.user(env, OWN.name, OWN.address)
            instance.server(env, OWN, self._own.port, author)
            instance.use_system_mail(env, SYSTEM, self._system.port)
            self._author_id, self._colleague_ids = author.id, []
            for number in range(COLLEAGUES):
                mailbox = OWN._replace(name=f"colleague {number}", address=_address(number))
                colleague = instance.user(env, mailbox.name, mailbox.address)
                instance.server(env, mailbox, self._good.port, colleague)
                self._colleague_ids.append(colleague.id)

    def warm_up(self):
        """Wait until the worker for scheduled actions has loaded Odoo."""
        self._queue(self._colleague_ids, {})
        self._wait_for(self._is_queue_empty)

    def worst_wait(self, phase, action):
        """The author's mail is the first in the queue; colleagues' mail joins it again and again.

        :return: how long the colleagues' mail waited at most
        :raises RuntimeError: mail was lost, or came twice
        """
        self._forget()
        if phase == "each reply":
            self._own.latency = action
        else:
            self._own.fail(phase, action=action)
        before, begun = self._accepted(self._good), {}
        self._queue([self._author_id] * 2 + self._colleague_ids, begun)
        for _ in range(ROUNDS - 1):
            time.sleep(PAUSE)
            self._queue(self._colleague_ids, begun)
        self._wait_for(lambda: len(self._accepted(self._good)) - len(before) >= ROUNDS * COLLEAGUES)
        self._own.latency = 0
        self._own.stop()  # whoever hangs there goes on
        self._own.heal()
        self._wait_for(self._is_queue_empty)
        accepted = {
            delivery.message["Message-Id"]: delivery.at
            for server in (self._own, self._system, self._good)
            for delivery in server.accepted
        }
        return max(
            accepted[message_id] - at
            for message_id, (at, user_id) in begun.items()
            if user_id != self._author_id
        )

    def _queue(self, user_ids, begun):
        with instance.environment() as env:
            for user in env["res.users"].browse(user_ids):
                mail = (
                    env["mail.mail"]
                    .with_user(user)
                    .sudo()
                    .create(
                        {
                            "subject": "Hello",
                            "body_html": "<p>See this</p>",
                            "email_from": user.email_formatted,
                            "author_id": user.partner_id.id,
                            "recipient_ids": [(6, 0, user.partner_id.ids)],
                        }
                    )
                )
                begun[mail.message_id] = time.monotonic(), user.id
            env.ref("mail.ir_cron_mail_scheduler_action")._trigger()

    @staticmethod
    def _accepted(server):
        return list(server.accepted)

    @staticmethod
    def _forget():
        """The author's mailbox has just worked."""
        with instance.environment() as env:
            env["system.mail.health"].search([]).unlink()

    @staticmethod
    def _is_queue_empty():
        with instance.environment() as env:
            waiting = env["mail.mail"].search([("state", "=", "outgoing")])
            if waiting.filtered("scheduled_date"):
                waiting.scheduled_date = False
                env.ref("mail.ir_cron_mail_scheduler_action")._trigger()
            return not waiting

    @staticmethod
    def _wait_for(condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise RuntimeError("mail was lost")
            time.sleep(0.5)


def _address(number):
    return f"colleague{number}@{DOMAIN}"


if __name__ == "__main__":
    sys.exit(main())
