"""A company whose mail is sent by real processes, on a PostgreSQL server that they may restart."""

import collections
import contextlib
import multiprocessing
import os
from pathlib import Path
from typing import NamedTuple

from odoo.addons.base.models import ir_mail_server

from measure import instance
from sandbox import layout, postgres, workbench

from ..smtp_lab import SmtpServer

SMTP_TIMEOUT = 5
"""Seconds, in place of Odoo's 60."""
PATIENCE = 60
"""Seconds in which a process must have ended."""


class Mailbox(NamedTuple):
    """One account."""

    name: str
    address: str
    password: str
    encryption: None = None


OWN = Mailbox("own", "ana@company.test", "secret")
SYSTEM = Mailbox("system", "hello@company.test", "neutral")
AUTHOR, READER = ("Ana Author", OWN.address), ("Ben Reader", "ben@company.test")


class Server(SmtpServer):
    """Calls ``on_accepted`` with what it has accepted, before the client is told."""

    on_accepted = None

    async def accept(self, connection, **values):
        await super().accept(connection, **values)
        if self.on_accepted:
            self.on_accepted(self.accepted[-1])


class Process:
    """A worker, forked: calls ``task(*args)``. Ended by ``kill`` or ``join``."""

    def __init__(self, task, *args):
        instance.rest()  # no connection to the database may be shared
        fork = multiprocessing.get_context("fork")
        self._process = fork.Process(target=_work, args=(task, *args), daemon=True)
        self._process.start()

    def kill(self):
        """As nobody can prevent: SIGKILL."""
        self._process.kill()
        self._process.join()

    def join(self):
        """Wait for its end, which must be a good one."""
        self._process.join(PATIENCE)
        assert self._process.exitcode == 0, f"it ended with {self._process.exitcode}"


def _work(task, *args):
    _close_sockets()
    task(*args)


def _close_sockets():
    """Those of the SMTP lab are the parent's: with a copy here none would ever be closed."""
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the folder's own is closed by now
            if descriptor.is_socket():
                os.close(int(descriptor.name))


class Company:
    """Ana has a mailbox of her own, the company has System Mail, Ben reads. For each test anew.

    :param SmtpLab lab: makes ``own`` and ``system``, the servers of both mailboxes
    :param postgres_server: restarts
    """

    def __init__(self, lab, postgres_server):
        self.postgres = postgres_server
        self.own, self.system = (
            lab.server(mailbox.name, kind=Server, logins={mailbox.address: mailbox.password})
            for mailbox in (OWN, SYSTEM)
        )
        with instance.environment() as env:
            env.cr.execute(_FORGET)
            for server in (self.own, self.system):
                record = env["ir.mail_server"].search([("name", "=", server.name)])
                record.write({"smtp_port": server.port, "owner_limit_count": 0})

    @staticmethod
    def found():
        """In a new database: its people and mailboxes."""
        with instance.environment() as env:
            env["ir.config_parameter"].set_param("base_setup.default_external_email_server", True)
            author, _reader = (instance.user(env, *person) for person in (AUTHOR, READER))
            instance.server(env, OWN, 1, author)
            instance.use_system_mail(env, SYSTEM, 1)

    @staticmethod
    def forget_sign_in(env, provider):
        """System Mail logs in by its password, as before it signed in.

        :param str provider: the name of the registration
        """
        env.company.system_mail_server_id.write(
            {
                "name": SYSTEM.name,  # whoever connects it gives it another one
                "smtp_authentication": "login",
                "smtp_pass": SYSTEM.password,
                "system_mail_provider_id": False,
            }
        )
        env["system.mail.oauth.token"].search([]).unlink()
        env["system.mail.oauth.provider"].search([("name", "=", provider)]).unlink()

    def compose(self, count=1, another_of=None, author=AUTHOR):
        """Mails from Ana to Ben, in the queue; or from Ben, who has no mailbox.

        :param int another_of: a mail whose message they are of, too
        :return: their ids
        """
        with instance.environment() as env:
            author = env["res.users"].search([("login", "=", author[0])])
            reader = env["res.users"].search([("login", "=", READER[0])])
            mails = env["mail.mail"].with_user(author).sudo()
            values = {
                "subject": "Hello",
                "body_html": "<p>See this</p>",
                "email_from": author.email_formatted,
                "author_id": author.partner_id.id,
                "recipient_ids": [(6, 0, reader.partner_id.ids)],
            }
            if another_of:
                values["mail_message_id"] = mails.browse(another_of).mail_message_id.id
            return mails.create([dict(values) for _ in range(count)]).ids

    @contextlib.contextmanager
    def limit_of_a_day(self, recipients):
        """System Mail has this limit within the block."""
        self._limit_day(recipients)
        try:
            yield
        finally:
            self._limit_day(0)

    @staticmethod
    def _limit_day(recipients):
        with instance.environment() as env:
            env["res.company"].browse(1).system_mail_limit_day = recipients

    def copies(self, server=None):
        """How often each message was accepted, by one server or by both: ``{Message-ID: count}``"""
        servers = [server] if server else [self.own, self.system]
        return collections.Counter(
            str(delivery.message["Message-Id"])
            for server in servers
            for delivery in server.accepted
        )

    def mails(self, ids):
        """``{Message-ID: state}``"""
        with instance.environment() as env:
            return {mail.message_id: mail.state for mail in env["mail.mail"].browse(ids)}

    def health(self, server):
        """``(state, failure_count)`` of its mailbox, or None."""
        with instance.environment() as env:
            health = env["system.mail.health"].search([("server_id.name", "=", server.name)])
            return (health.state, health.failure_count) if health else None

    def events(self):
        """``{kind: count}``"""
        with instance.environment() as env:
            events = env["system.mail.event"].search([("kind", "!=", "configured")])
            return collections.Counter(events.mapped("kind"))

    def do(self, statement):
        """Execute SQL."""
        with instance.environment() as env:
            env.cr.execute(statement)

    def restart_postgres(self):
        """Every connection breaks; it is up again at the end."""
        instance.rest()
        postgres.restart(self.postgres)


_FORGET = """
DELETE FROM mail_mail;
DELETE FROM system_mail_event;
DELETE FROM system_mail_health;
DELETE FROM system_mail_server_health;
DELETE FROM system_mail_usage;
DELETE FROM system_mail_queue_run;
"""


@contextlib.contextmanager
def company_on_a_server_of_its_own():
    """Odoo in this process, with the company founded; yields the PostgreSQL server."""
    with (
        workbench.opened() as bench,
        bench.temporary_database("processes", install=["system_mail"]) as database,
        postgres.private_copy(bench.server) as server,
    ):
        config_file = workbench.Workbench(bench.installed, server).config_file(database)
        instance.load(str(config_file), str(layout.LOGS / "processes.log"))
        ir_mail_server.SMTP_TIMEOUT = SMTP_TIMEOUT
        Company.found()
        yield server
        instance.rest()
