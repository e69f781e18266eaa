"""Waits for a server's reply after the request of the person who sent the message has ended: one
thread for each reply, in the process of the request.
"""

import logging
import threading
import time

import psycopg2

from odoo.modules.registry import Registry

from ..failover.failure import Verdict
from ..failover.rules import classify
from ..failover.words import describe
from ..tools.own_cursor import environment_of

_logger = logging.getLogger(__name__)

LOOK = 1
"""Seconds between two looks whether the process ends."""
LAST_SECONDS = 40
"""A process that ends waits for its threads. Until then it takes up a worker's place, and after
``limit_time_real`` it is killed.
"""
STORING = 60
"""Seconds in which a result is stored at the latest, while the database can be reached."""
_PAUSES = (0, 0.5, 1, 2, 4, 8, 16)


def watch(awaited, database, mail_id, seconds):
    """Wait for the reply in a thread, and store what it says.

    The thread is no daemon: a worker that is recycled waits for it.

    :param Awaited awaited: its mail's lease is committed
    :param str database: the name of the database
    :param int mail_id: whose recipients it is about
    :param float seconds: how long to wait at most
    """
    thread = threading.Thread(
        target=_watch,
        args=(awaited, database, mail_id, seconds),
        name="system_mail_watcher",
        daemon=False,
    )
    thread.dbname = database  # for the log
    try:
        thread.start()
    except RuntimeError as exc:  # the mail waits until its lease is over
        awaited.reply.close()
        _logger.warning("Nobody waits for the reply of %s: %s", awaited.name, exc)


def _watch(awaited, database, mail_id, seconds):
    _wait(awaited.reply, seconds)
    failure = awaited.reply.failure()
    _logger.info(
        "%s, %d seconds after the message: %s",
        awaited.name,
        awaited.reply.seconds,
        describe(failure, classify(failure)) if failure else "accepted",
    )
    for pause in _PAUSES:
        time.sleep(pause)
        try:
            _store(Registry(database), mail_id, awaited, failure)
        except psycopg2.Error as exc:
            _logger.warning("The reply of %s was not stored: %s", awaited.name, exc)
        else:
            return


def _wait(reply, seconds):
    """Wait until the reply is there, for so many seconds at most."""
    end, is_ending = time.monotonic() + seconds, False
    while not reply.wait(LOOK) and time.monotonic() < end:
        if not is_ending and not threading.main_thread().is_alive():
            end, is_ending = min(end, time.monotonic() + LAST_SECONDS), True


def _store(registry, mail_id, awaited, failure):
    with environment_of(registry) as env:
        event = env["mail.mail"].browse(mail_id).system_mail_settle_reply(awaited, failure)
    with environment_of(registry) as env:
        env["system.mail.event"].write_down([event] if event else [])
        if server := env["ir.mail_server"].browse(awaited.server_id).exists():
            _note_health(env["system.mail.health"], server, awaited.reply, failure)


def _note_health(health, server, reply, failure):
    """Note what the reply says of the mailbox. What it refused is sent to it again: then it is
    asked anew.
    """
    seen = health.snapshot(server)
    if failure is None:
        health.note_success(server, seen, reply.certificate, reply.seconds)
    elif (decision := classify(failure)).verdict is Verdict.UNCERTAIN:
        health.note_failure(server, seen, failure, decision)
