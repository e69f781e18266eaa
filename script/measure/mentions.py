"""The process of one case of a bench: mentions in the queue of its database, and their sending."""

import gc
import resource
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from odoo import sql_db

from . import instance
from .instance import environment
from .mailboxes import BACKUP, DOMAIN, NOTIFICATIONS, OWN, SYSTEM

READER = ("reader", f"reader@{DOMAIN}")
ADDON = "odoo.addons.system_mail"
BATCH = 500
NOWHERE = 1
"""A port that nobody listens at: it is not tried."""
_COPIED = (
    "body_html",
    "headers",
    "references",
    "auto_delete",
    "is_notification",
    "email_from",
    "reply_to",
)
_COPIED_OF_MESSAGE = (
    "message_type",
    "subject",
    "body",
    "model",
    "email_from",
    "reply_to",
    "email_layout_xmlid",
    "record_name",
)
_RELATED_OF_MESSAGE = (
    "author_id",
    "subtype_id",
    "parent_id",
    "record_alias_domain_id",
    "record_company_id",
)


class Usage(NamedTuple):
    """What a run of the queue took."""

    seconds: float
    cpu_seconds: float
    queries: int


class Mentions:
    """Writes mentions and sends them.

    :param case: what the mailboxes are like
    :param ports: of the author's mailbox and of System Mail
    """

    def __init__(self, case, ports):
        own, system = ports
        with environment() as env:
            env["ir.config_parameter"].set_param("mail.server.personal.limit.minutes", 10**9)
            instance.domain(env, DOMAIN, NOTIFICATIONS)
            author = instance.user(env, OWN.name, OWN.address)
            reader = instance.user(env, *READER)
            instance.server(env, OWN, own, author)
            if case not in ("stock", "unset"):
                instance.use_system_mail(env, SYSTEM, system)
            if case == "backed":
                instance.add_backup(env, BACKUP, NOWHERE)
            lead = env["res.partner"].create({"name": "A lead"})
            # Posted as a person does it: the others are made alike, without the work of rendering.
            lead.with_user(author).sudo().message_post(
                body="Could you call them back today? They asked for an offer, and for a date.",
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
                partner_ids=reader.partner_id.ids,
                force_send=False,
            )
            mail = env["mail.mail"].search([("state", "=", "outgoing")])
            self._author_id, self._reader_id = author.id, reader.partner_id.id
            self._mail = {name: mail[name] for name in _COPIED}
            message = mail.mail_message_id
            self._message = {name: message[name] for name in _COPIED_OF_MESSAGE}
            self._message |= {name: message[name].id for name in _RELATED_OF_MESSAGE}
            self._message["res_id"] = message.res_id
            mail.unlink()

    @staticmethod
    def has_addon():
        """Whether the addon's code is loaded in this process."""
        return ADDON in sys.modules

    def write(self, count):
        """Put so many mentions in the queue."""
        for start in range(0, count, BATCH):
            with environment() as env:
                self._write(env, min(BATCH, count - start))

    def _write(self, env, count):
        # a personal mailbox sends only what its owner created
        env_of_author = env(user=self._author_id, su=True)
        messages = env_of_author["mail.message"].create([self._message] * count)
        mails = env_of_author["mail.mail"].create(
            [
                {
                    **self._mail,
                    "mail_message_id": message.id,
                    "recipient_ids": [(6, 0, [self._reader_id])],
                }
                for message in messages
            ]
        )
        env["mail.notification"].create(
            [
                {
                    "mail_message_id": mail.mail_message_id.id,
                    "mail_mail_id": mail.id,
                    "res_partner_id": self._reader_id,
                    "notification_type": "email",
                    "notification_status": "ready",
                }
                for mail in mails
            ]
        )

    @staticmethod
    def run_queue(batch):
        """Send all that waits, so many at a time, each committed by itself as the queue does it.

        :rtype: Usage
        """
        gc.collect()
        begin, queries, cpu = time.monotonic(), sql_db.sql_counter, _cpu_seconds()
        while _run_once(batch):
            pass
        return Usage(time.monotonic() - begin, _cpu_seconds() - cpu, sql_db.sql_counter - queries)

    @staticmethod
    def peak(batch):
        """The most memory, in MB, that this process had while it sent all that waits. Python frees
        cycles when it likes, and Odoo leaves it some 70 KB of them for each mail: they are freed
        after each run, so that what is left is what somebody holds.
        """
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")
        while _run_once(batch):
            gc.collect()
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _run_once(batch):
    """:return: whether some mail still waits"""
    with environment() as env:
        env["mail.mail"].process_email_queue(batch_size=batch)
        return bool(env["mail.mail"].search_count([("state", "=", "outgoing")], limit=1))


def _cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def work(line: Connection, case: str, config_file: str, log_file: str, ports: list[int]):
    """The process: does what it is asked by name, until it is told nothing."""
    instance.load(config_file, log_file)
    mentions = Mentions(case, ports)
    for name, *arguments in iter(line.recv, None):
        line.send(getattr(mentions, name)(*arguments))
