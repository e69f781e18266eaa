"""Odoo's side of chaos: a company in a database of its own, and the processes that send mail."""

import ast
import contextlib
import datetime
import logging
import socket
import time
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from typing import NamedTuple

import psycopg2

from odoo import SUPERUSER_ID, api
from odoo.fields import Domain
from odoo.modules.registry import Registry
from odoo.tools.mail import email_normalize_all

from odoo.addons.http_routing.tests.common import MockRequest
from odoo.addons.system_mail.models.queue.mail_mail import LATEST_BELIEVABLE
from odoo.addons.system_mail.tools.worker import scheduled_action

from . import instance, plan
from .diaries import Diary, note_clashes
from .hurry import hurry
from .instance import environment
from .storm import TAG
from .weather import generator

TICK = 0.5
"""Seconds of ours in which all that is due later becomes due."""
BATCH = 500
QUEUE = "mail.ir_cron_mail_scheduler_action"
WORKER = "worker"
"""So begin the workers' names."""
PERSON_SECONDS = 2
"""The budget of a request."""
REPLY_SECONDS = 8
"""For which a late reply is awaited, and may take some more for its storing."""
JUMPS = 0.04
"""Of the ticks."""
AHEAD = (-6, -2, 0, 2, 6)
"""Hours by which the database's clock may be ahead of the workers'."""


def load(config_file: str, log_file: str):
    """Load Odoo into this process, once; its log goes to the file."""
    instance.load(config_file, log_file)
    hurry()


# --- the company


def found_company(ports: dict[str, int], hosts: dict[str, str] | None = None):
    """Its people, their mailboxes, System Mail, and a record of each state a mailbox was in.

    :param ports: of the mail servers, by mailbox
    :param hosts: their names, by mailbox; by default, this machine's
    """
    hosts = hosts or {}
    with environment() as env:
        instance.domain(env, plan.DOMAIN, plan.NOTIFICATIONS.address)
        users = {name: instance.user(env, name, email) for name, email in plan.USERS.items()}
        env["res.partner"].create(
            [{"name": name, "email": email} for name, email in plan.CUSTOMERS.items()]
        )
        for mailbox in (plan.NOTIFICATIONS, plan.SHARED, *plan.PERSONAL):
            owner = users[mailbox.name] if mailbox in plan.PERSONAL else None
            host = hosts.get(mailbox.name, instance.HERE)
            instance.server(env, mailbox, ports[mailbox.name], owner, host)
        host = hosts.get(plan.SYSTEM.name, instance.HERE)
        instance.use_system_mail(env, plan.SYSTEM, ports[plan.SYSTEM.name], host)
        env.company.system_mail_limit_minute = plan.LIMIT
        parameters = env["ir.config_parameter"]
        parameters.set_param("system_mail.person_seconds", PERSON_SECONDS)
        parameters.set_param("system_mail.reply_seconds", REPLY_SECONDS)
        env.cr.execute(_AUDIT)


def make_clock():
    """Have the database's clock run as the test wants."""
    with environment() as env:
        env.cr.execute(_CLOCK)


_AUDIT = """
CREATE TABLE chaos_health AS
    SELECT server_id, state, effect, rule, phase, smtp_code, answer, write_date
      FROM system_mail_health WHERE false;
CREATE FUNCTION chaos_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO chaos_health VALUES
        (NEW.server_id, NEW.state, NEW.effect, NEW.rule, NEW.phase, NEW.smtp_code, NEW.answer,
         NEW.write_date);
    RETURN NEW; END $$;
CREATE TRIGGER chaos_audit AFTER INSERT OR UPDATE ON system_mail_health
    FOR EACH ROW EXECUTE FUNCTION chaos_audit();
CREATE TABLE chaos_deaths (deaths integer);
CREATE FUNCTION chaos_deaths() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO chaos_deaths VALUES (NEW.system_mail_deaths);
    RETURN NEW; END $$;
CREATE TRIGGER chaos_deaths AFTER UPDATE OF system_mail_deaths ON mail_mail
    FOR EACH ROW WHEN (NEW.system_mail_deaths > COALESCE(OLD.system_mail_deaths, 0))
    EXECUTE FUNCTION chaos_deaths();
"""


# Nobody touches the machine's clock: now() is looked up in the schemas of search_path, in their
# order, and PostgreSQL's own come last here.
_CLOCK = """
CREATE TABLE chaos_clock (ahead interval);
INSERT INTO chaos_clock VALUES ('0');
CREATE FUNCTION now() RETURNS timestamptz STABLE LANGUAGE sql AS
    'SELECT pg_catalog.now() + ahead FROM chaos_clock';
CREATE FUNCTION clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql AS
    'SELECT pg_catalog.clock_timestamp() + ahead FROM chaos_clock';
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database());
END $$;
"""


def write_messages(messages):
    """Put the messages in the queue."""
    for start in range(0, len(messages), BATCH):
        with environment() as env:
            _write(env, messages[start : start + BATCH])


def _write(env, messages):
    users = {
        user.name: user for user in env["res.users"].search([("name", "in", list(plan.USERS))])
    }
    partners = env["res.partner"].search([("name", "in", list(plan.PARTNERS))])
    partners = {partner.name: partner for partner in partners}
    domain = env.company.alias_domain_id
    for author in plan.AUTHORS:
        theirs = [message for message in messages if message.author == author]
        user = users[author]
        # as message_post does: a personal mailbox sends only what its owner created
        records = (
            env["mail.message"]
            .with_user(user)
            .sudo()
            .create(
                [
                    {
                        "message_id": message.message_id,
                        "message_type": "comment",
                        "subject": f"{message.subject} {message.number}",
                        "body": f"<p>{message.number} points, one by one.</p>",
                        "author_id": user.partner_id.id,
                        "email_from": user.partner_id.email_formatted,
                        "model": "res.partner",
                        "res_id": env.company.partner_id.id,
                        "record_alias_domain_id": domain.id,
                        "record_company_id": env.company.id,
                    }
                    for message in theirs
                ]
            )
        )
        values, notified = [], []
        for message, record in zip(theirs, records, strict=True):
            for mail in message.mails:
                values.append(
                    {
                        "mail_message_id": record.id,
                        "body_html": record.body,
                        "headers": repr({TAG: f"{mail.worker} {mail.tag}"}),
                        "recipient_ids": [(6, 0, [partners[name].id for name in mail.partners])],
                        "email_to": ", ".join(mail.email_to) or False,
                        "email_cc": ", ".join(mail.email_cc) or False,
                        "is_notification": mail.notification,
                        "auto_delete": mail.auto_delete,
                    }
                )
                notified.append(mail.partners if mail.notification else [])
        mails = env["mail.mail"].with_user(user).sudo().create(values)
        env["mail.notification"].create(
            [
                {
                    "mail_message_id": mail.mail_message_id.id,
                    "mail_mail_id": mail.id,
                    "res_partner_id": partners[name].id,
                    "notification_type": "email",
                    "notification_status": "ready",
                }
                for mail, names in zip(mails, notified, strict=True)
                for name in names
            ]
        )


def lift_limit():
    """System Mail serves as many as there are."""
    with environment() as env:
        env.company.system_mail_limit_minute = 0
    _tell_others()


def _tell_others():
    Registry(instance.database()).signal_changes()


# --- the processes, forked


def work(number: int, life: int, seed: int, diary: Path, stop, raging):
    """A worker: sends the mails that are its own, as the queue does or as a request does.

    :param int life: how often it was killed before
    :param stop: a shared flag: end
    :param raging: a shared flag: now and then the transaction is rolled back after the sending
    """
    rng, book = generator(seed, "worker", number, life), Diary(diary)
    socket.getfqdn = lambda _name="": f"{WORKER}{number}.{plan.DOMAIN}"  # Odoo's host is not asked
    note_clashes(book.note)
    mine = [("headers", "like", f"'{TAG}': '{number} ")]
    while not stop.value:
        try:
            with _noted_cursor(book) as cr:
                env = api.Environment(cr, SUPERUSER_ID, {})
                if not _send_some(env, rng, mine, book if raging.value else None):
                    time.sleep(0.1)
        except psycopg2.Error as exc:  # its line to the database was cut
            logging.getLogger(__name__).info("Worker %s: %s", number, exc)


@contextlib.contextmanager
def _noted_cursor(book):
    cr = Registry(instance.database()).check_signaling().cursor()
    commit = cr.commit

    def noted_commit():
        commit()
        book.note(Diary.COMMIT)

    cr.commit = noted_commit
    try:
        with contextlib.closing(cr):
            yield cr
            cr.rollback()
    finally:
        book.note(Diary.END)


def _send_some(env, rng, mine, book):
    """Send what is due of this worker's; returns whether there was anything.

    :param Diary book: where it is noted that all is undone; None: nothing is
    """
    how = rng.choices(("queue", "request", "undone"), (75, 20, 5))[0]
    limit = rng.choice((1, 5, 20, 60)) if how == "queue" else rng.choice((1, 2, 4))
    due = Domain(mine) & env["mail.mail"]._system_mail_due()
    mails = env["mail.mail"].search(due, limit=limit, order="id")
    if not mails:
        return False
    if how == "queue":
        with scheduled_action(env.cr):
            queue = env["mail.mail"].with_context(cron_id=env.ref(QUEUE).id)
            queue.process_email_queue(email_ids=mails.ids)
    else:
        with MockRequest(env):
            mails.send()
        if how == "undone" and book:
            book.note(Diary.UNDONE)
        else:
            env.cr.commit()
    return True


class Clock(NamedTuple):
    """What the clock tells the other processes: shared numbers."""

    waiting: RawValue
    """Mails; -1 until they are counted."""
    cuts: RawValue
    """Lines to the database that were cut."""
    reconnections: RawValue
    woken: RawValue
    """Mails that a reconnection made due."""
    asleep: RawValue
    """Mails that it should have made due."""
    jumps: RawValue
    healed_at: RawValue
    """``time.monotonic()``, when the storm was over."""

    @classmethod
    def new(cls):
        """:rtype: Clock"""
        return cls(RawValue("l", -1), *(RawValue("l", 0) for _ in range(5)), RawValue("d", 0))


def keep_time(seed: int, diary: Path, stop, raging, clock: Clock):
    """What is due later becomes due, the database's clock jumps, mailboxes are probed, people
    reconnect theirs, lines to the database are cut, and the mails that wait are counted.
    """
    rng, book = generator(seed, "clock"), Diary(diary)
    while not stop.value:
        time.sleep(TICK)
        try:
            with environment() as env:
                env.cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
                env.cr.execute(_TIME_PASSES)
            if raging.value and rng.random() < JUMPS:
                with environment() as env:
                    env.cr.execute("UPDATE chaos_clock SET ahead = %s", [f"{rng.choice(AHEAD)} h"])
                book.note(Diary.JUMP)
                clock.jumps.value += 1
            if raging.value and rng.random() < 0.1:
                with environment() as env:
                    env.cr.execute(_CUT_A_LINE)
                    clock.cuts.value += env.cr.rowcount
            if rng.random() < 0.5:
                with environment() as env:
                    env["system.mail.health"]._cron_probe()
            if rng.random() < 0.3:
                with environment() as env:
                    _reconnect(env, rng, clock)
                _tell_others()
            with environment() as env:
                clock.waiting.value = env["mail.mail"].search_count([("state", "=", "outgoing")])
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as exc:
            logging.getLogger(__name__).warning("The clock: %s", exc)


def _reconnect(env, rng, clock):
    """Somebody connects a mailbox anew that is out of order, as the dialogs do."""
    broken = env["system.mail.health"].search([("state", "in", ("unstable", "disconnected"))])
    if not broken:
        return
    server = rng.choice(broken).server_id
    mailbox = next(mailbox for mailbox in plan.MAILBOXES if mailbox.name == server.name)
    values = {"name": mailbox.name, "smtp_pass": mailbox.password}
    if server == env.company.system_mail_server_id:
        trouble = env.company._system_mail_connect(mailbox.address, values)
    else:
        trouble = server.system_mail_set_up(values)
    if trouble:
        env.cr.rollback()
        return
    clock.reconnections.value += 1
    clock.woken.value += _waiting_mails(env, mailbox, [("scheduled_date", "=", False)])
    clock.asleep.value += _waiting_mails(env, mailbox, [("scheduled_date", ">", env.cr.now())])


def _waiting_mails(env, mailbox, domain):
    """How many mails wait for the mailbox and no worker has in hand."""
    domain = [*domain, ("state", "=", "outgoing"), ("system_mail_waiting_since", "!=", False)]
    if mailbox in plan.PERSONAL:
        domain.append(("mail_message_id.author_id.email", "=", mailbox.address))
    elif mailbox != plan.SYSTEM:
        return 0
    return len(env["mail.mail"].search(domain).try_lock_for_update())


# What Odoo has put off, to spare a mailbox, may go out in the same run after all: as long as one
# takes, nobody else touches it. Time does not pass for what the queue must find by itself: mail
# that was put off before the clock jumped back, or whose reply is awaited.
_NOW = "(now() AT TIME ZONE 'utc')"
_TIME_PASSES = f"""
UPDATE mail_mail SET scheduled_date = {_NOW} - interval '1 second'
 WHERE state = 'outgoing' AND scheduled_date > {_NOW} AND system_mail_reply_until IS NULL
   AND (system_mail_waiting_since IS NULL
        OR scheduled_date < {_NOW} + interval '{LATEST_BELIEVABLE.total_seconds()} seconds')
   AND (system_mail_attempts > 0
        OR write_date NOT BETWEEN {_NOW} - interval '1 minute' AND {_NOW});
UPDATE ir_mail_server SET owner_limit_time = owner_limit_time - interval '1 minute'
 WHERE owner_limit_time IS NOT NULL;
UPDATE system_mail_event SET create_date = create_date - interval '1 day'
 WHERE create_date > {_NOW} - interval '1 hour' AND create_date < {_NOW} - interval '10 seconds';
UPDATE system_mail_server_health SET next_probe_at = {_NOW} - interval '1 minute'
 WHERE next_probe_at > {_NOW};
UPDATE system_mail_server_health SET next_login_at = {_NOW} - interval '1 minute'
 WHERE next_login_at > {_NOW};
UPDATE system_mail_health SET next_probe_at = {_NOW} - interval '1 minute'
 WHERE next_probe_at > {_NOW};
"""
_CUT_A_LINE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1
"""


# --- what became of it


class Row(NamedTuple):
    """A mail.mail that is left."""

    id: int
    tag: str
    state: str
    failure_type: str
    reason: str
    addresses: list[str]


class Notice(NamedTuple):
    """A notification, as the chatter shows it."""

    message_id: str
    addresses: list[str]
    status: str
    reason: str


class Event(NamedTuple):
    """What System Mail says that it did."""

    at: datetime.datetime
    kind: str
    message_id: str
    rule: str
    phase: str
    code: int
    answer: str
    server: str


class State(NamedTuple):
    """What a mailbox was once in."""

    server: str
    state: str
    rule: str
    answer: str
    """The server's words behind it."""


class Facts(NamedTuple):
    """What the database says at the end."""

    rows: list[Row]
    notices: list[Notice]
    events: list[Event]
    states: list[State]
    """Each that a mailbox was ever in."""
    runs: int
    """Runs of the queue that are still noted."""
    deaths: dict[int, int]
    """How many mails were once said to have had a worker killed, by how often."""


def read_facts():
    """The database, when all is over."""
    with environment() as env:
        rows = [
            Row(
                mail.id,
                ast.literal_eval(mail.headers)[TAG].partition(" ")[2],
                mail.state,
                mail.failure_type or "",
                mail.failure_reason or "",
                [
                    *(a for partner in mail.recipient_ids for a in partner.email.split(", ")),
                    *email_normalize_all(mail.email_to or ""),
                    *email_normalize_all(mail.email_cc or ""),
                ],
            )
            for mail in env["mail.mail"].search([("headers", "like", TAG)])
        ]
        notices = [
            Notice(
                notice.mail_message_id.message_id,
                notice.res_partner_id.email.split(", "),
                notice.notification_status,
                notice.failure_reason or "",
            )
            for notice in env["mail.notification"].search([("notification_type", "=", "email")])
        ]
        events = [
            Event(
                event.create_date,
                event.kind,
                event.message_id or "",
                event.rule or "",
                event.phase or "",
                event.smtp_code,
                event.answer or "",
                event.server_id.name or "",
            )
            for event in env["system.mail.event"].search([], order="id")
        ]
        env.cr.execute(_STATES)
        states = list(map(State._make, env.cr.fetchall()))
        runs = env["system.mail.queue.run"].search_count([])
        env.cr.execute("SELECT deaths, count(*) FROM chaos_deaths GROUP BY deaths")
        deaths = dict(env.cr.fetchall())
        return Facts(rows, notices, events, states, runs, deaths)


_STATES = """
SELECT DISTINCT ir_mail_server.name, state, coalesce(rule, ''), answer
  FROM chaos_health JOIN ir_mail_server ON ir_mail_server.id = server_id
 WHERE answer IS NOT NULL
"""
