"""A server that replies late to a whole message, and the process in which somebody waits for it."""

import contextlib
import datetime
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from demonstration.web_clients import OdooSession

from odoo.tools import config

from measure import instance
from measure.instance import environment
from sandbox import layout

from .company import AUTHOR, OWN, READER, Mailbox
from .web_server import WebServer

SECONDS = 1
"""What a person waits for mail."""
MANY = 15
"""Seconds that no wait takes, however busy this machine is."""
PASSWORD = "an author's own"


class Office:
    """The company, at work in a web server."""

    def __init__(self, company, server):
        self.company, self.server = company, server
        self.reply = threading.Event()
        company.own.deliver = lambda _delivery: self.reply.wait(60)
        with environment() as env:
            env["ir.cron.trigger"].search([]).unlink()
            self._lead_id = env["res.partner"].create({"name": "A lead"}).id  # nobody follows it
            reader = env["res.users"].search([("login", "=", READER[0])])
            self._reader_id = reader.partner_id.id
        self._author = self.log_in(AUTHOR[0])
        self._mention_ids = []

    def log_in(self, login):
        with environment() as env:
            user = env["res.users"].search([("login", "=", login)])
            user.password = PASSWORD
            user.group_ids += env.ref("base.group_partner_manager")
        return OdooSession(self.server.url, instance.database(), login, PASSWORD)

    def mention(self, author=None):
        begin = time.monotonic()
        found = (author or self._author).call(
            "res.partner",
            "message_post",
            [self._lead_id],
            body="See this",
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
            partner_ids=[self._reader_id],
        )
        assert time.monotonic() - begin < MANY, "nobody waits"
        self._mention_ids += found if isinstance(found, list) else [found]

    def have_author_follow(self):
        with environment() as env:
            author = env["res.users"].search([("login", "=", AUTHOR[0])]).partner_id
            env["res.partner"].browse(self._lead_id).message_subscribe(author.ids)

    def awaited(self):
        """For each mention that is not settled, whether a reply is awaited."""
        with environment() as env:
            unsettled = [
                ("state", "=", "outgoing"),
                ("mail_message_id", "in", self._mention_ids),
            ]
            return [bool(m.system_mail_reply_until) for m in env["mail.mail"].search(unsettled)]

    def copies(self, server=None):
        """How often each mention was accepted for the reader."""
        with environment() as env:
            mentions = env["mail.message"].browse(self._mention_ids).mapped("message_id")
        servers = [server] if server else [self.company.own, self.company.system]
        accepted = [
            str(delivery.message["Message-Id"])
            for server in servers
            for delivery in server.accepted
            if READER[1] in delivery.rcpt_to
        ]
        return [accepted.count(message_id) for message_id in mentions]

    def is_put_off(self):
        """Whether nothing that the mail queue may send is due."""
        with environment() as env:
            due = [("state", "=", "outgoing"), ("scheduled_date", "=", False)]
            return not env["mail.mail"].search_count(due)

    def wait_for(self, condition):
        end = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < end, "it did not come"
            time.sleep(0.1)

    def assert_sent_once(self):
        self.wait_for(lambda: self.awaited() == [])
        assert set(self.copies()) == {1}
        with environment() as env:
            mentions = env["mail.message"].browse(self._mention_ids)
            assert set(mentions.notification_ids.mapped("notification_status")) == {"sent"}


@contextlib.contextmanager
def _served(company, **options):
    with environment() as env:
        env["ir.config_parameter"].set_param("system_mail.person_seconds", str(SECONDS))
        queue = env.ref("mail.ir_cron_mail_scheduler_action")
        (env["ir.cron"].search([]) - queue).active = False
    log_file = str(layout.LOGS / "late_replies.log")
    with WebServer(config["config"], log_file, **options) as server:
        yield Office(company, server)


@pytest.fixture(name="office")
def _office(company):
    with _served(company) as office:
        yield office


def test_a_reply_after_a_while_is_stored_and_meanwhile_nobody_and_nothing_waits(office):
    office.mention()
    assert office.awaited() == [True]
    time.sleep(5)
    office.wait_for(lambda: not _open_transactions())
    office.reply.set()
    office.assert_sent_once()


def _open_transactions():
    with environment() as env:
        env.cr.execute(
            """SELECT query FROM pg_stat_activity
                WHERE datname = current_database() AND pid != pg_backend_pid()
                  AND state != 'idle'"""
        )
        return env.cr.fetchall()


def test_the_queue_sends_what_comes_after_it_when_the_reply_has_come(office):
    for _ in range(3):
        office.mention()
    office.wait_for(office.is_put_off)
    assert office.copies() == [0, 0, 0]
    office.reply.set()
    office.assert_sent_once()
    assert office.copies(office.company.own) == [1, 1, 1]


def test_what_is_put_off_while_the_reply_comes_is_sent_at_once(company):
    first, second = company.compose(2)
    with environment() as env:
        server = env["ir.mail_server"].search([("name", "=", OWN.name)])
        env["mail.mail"].browse(first).write(
            {
                "system_mail_reply_until": env.cr.now() + datetime.timedelta(minutes=5),
                "system_mail_reply_server_id": server.id,
            }
        )
    with environment() as env:
        mail = env["mail.mail"].browse(second)
        mail.scheduled_date = mail.system_mail_busy_until(server.with_env(env))
        assert mail.scheduled_date
        with environment() as watcher:
            watcher["mail.mail"].browse(first).system_mail_reply_until = False
    with environment() as env:
        assert not env["mail.mail"].browse(second).scheduled_date


def test_a_worker_that_is_recycled_waits_for_the_reply(office):
    office.mention()
    worker = office.server.connected_to(office.company.own.port)
    worker.send_signal(signal.SIGINT)  # as at its limit of requests or of memory
    time.sleep(5)
    assert worker.is_running()
    office.mention()  # another one serves
    office.reply.set()
    office.assert_sent_once()
    office.wait_for(lambda: not worker.is_running() or worker.status() == "zombie")


def test_a_worker_that_is_killed_leaves_a_lease_that_ends(office):
    office.mention()
    office.server.connected_to(office.company.own.port).kill()
    office.reply.set()
    time.sleep(3)
    assert office.awaited() == [True]
    office.company.do(
        """UPDATE mail_mail SET system_mail_reply_until = now() - interval '1 minute',
                                scheduled_date = now() - interval '1 minute'"""
    )
    with environment() as env:
        env.ref("mail.ir_cron_mail_scheduler_action")._trigger()
    office.wait_for(lambda: office.awaited() == [])
    assert office.copies() == [2], "the same Message-ID"


def test_a_server_with_threads_that_is_stopped_stores_what_comes_soon(company):
    with _served(company, workers=0) as office:
        office.mention()
        threading.Timer(3, office.reply.set).start()
        office.server.stop()
        assert office.reply.is_set()
        office.assert_sent_once()


def test_an_evented_server_waits_as_well(company):
    with _served(company, is_evented=True) as office:
        office.mention()
        assert office.awaited() == [True]
        office.reply.set()
        office.assert_sent_once()


def test_no_more_than_eight_replies_are_awaited_in_a_process(company):
    with _served(company, workers=0) as office:
        authors = [office.log_in(_colleague(number, company)) for number in range(10)]
        with ThreadPoolExecutor(len(authors)) as pool:
            begin = time.monotonic()
            list(pool.map(office.mention, authors))
            assert time.monotonic() - begin < MANY, "all together"
        assert office.awaited().count(True) == 8
        office.reply.set()
        office.assert_sent_once()
    _forget_colleagues()


def test_one_author_takes_nobody_elses_place(company):
    with _served(company, workers=0) as office:
        colleague = office.log_in(_colleague(0, company, company.system))
        sessions = [office.log_in(AUTHOR[0]) for _ in range(10)]
        office.have_author_follow()  # or all of them would at once
        with ThreadPoolExecutor(len(sessions)) as pool:
            list(pool.map(office.mention, sessions))
        assert office.awaited().count(True) == 2
        before = len(company.system.accepted)
        office.mention(colleague)
        office.wait_for(lambda: len(company.system.accepted) > before)
        assert not office.reply.is_set()
        office.reply.set()
        office.assert_sent_once()
    _forget_colleagues()


def _forget_colleagues():
    with environment() as env:
        env["ir.mail_server"].search([("name", "=like", "colleague%")]).unlink()


def _colleague(number, company, server=None):
    """With a mailbox at the author's server, or at this one.

    :return: the log-in
    """
    mailbox = Mailbox(f"colleague {number}", f"colleague{number}@company.test", OWN.password)
    server = server or company.own
    server.logins[mailbox.address] = mailbox.password
    with environment() as env:
        user = env["res.users"].search([("login", "=", mailbox.name)])
        if not user:
            user = instance.user(env, mailbox.name, mailbox.address)
        instance.server(env, mailbox, server.port, user)
    return mailbox.name
