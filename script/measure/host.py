"""One of several hosts: Odoo's own server with workers, in a process group of its own.

python -m measure.host CONFIG_FILE --name host1 --address 127.0.1.1 --ahead 300 --diaries FOLDER

What makes it a host of its own on the same machine: its clock may be wrong, it has its own address
for each mail server, and it tells each mail server its name. What it commits and rolls back while
it sends is noted in diaries, one for each of its transactions' cursors.
"""

import argparse
import contextlib
import datetime
import itertools
import os
import socket
import sys
import threading
import time
from pathlib import Path

SERVERS = ".servers.test"
"""So end the names of the mail servers."""
HOSTS = ".hosts.test"
"""So end the hosts' names."""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config_file")
    parser.add_argument("--name", required=True)
    parser.add_argument("--address", required=True, help="where it finds the mail servers")
    parser.add_argument("--ahead", type=float, default=0, help="its clock's error, in seconds")
    parser.add_argument("--diaries", type=Path, required=True)
    parser.add_argument("--log-file", required=True)
    options = parser.parse_args()
    shift_clock(options.ahead)  # before anybody imports what it replaces
    find_servers_at(options.address)
    return serve(options)


def shift_clock(seconds):
    """Have Python's clock run ahead of the machine's."""
    if not seconds:
        return
    real, machine_time = datetime.datetime, time.time
    ahead = datetime.timedelta(seconds=seconds)

    class AnyDatetime(type):
        def __instancecheck__(cls, instance):
            return isinstance(instance, real)

        def __subclasscheck__(cls, subclass):
            return issubclass(subclass, real)

    class Shifted(real, metaclass=AnyDatetime):
        def __new__(cls, *args, **kwargs):
            return real(*args, **kwargs)

        @classmethod
        def now(cls, tz=None):
            return real.now(tz) + ahead

        @classmethod
        def utcnow(cls):
            return real.now(datetime.timezone.utc).replace(tzinfo=None) + ahead

        @classmethod
        def today(cls):
            return cls.now()

    datetime.datetime = Shifted
    time.time = lambda: machine_time() + seconds


def find_servers_at(address):
    """Look up the mail servers' names as this host does: each has its own lines to them."""
    look_up = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        of_server = isinstance(host, str) and host.endswith(SERVERS)
        return look_up(address if of_server else host, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo


def serve(options):
    """Run Odoo's server until it is told to stop."""
    from odoo.service import server  # noqa: PLC0415 - what reads the clock comes after its change
    from odoo.tools import config  # noqa: PLC0415

    from .hurry import HURRY_OF_HOSTS, hurry  # noqa: PLC0415

    log = ["--logfile", options.log_file, "--log-level", "warn"]
    config.parse_config(["-c", options.config_file, *log], setup_logging=True)
    hurry(HURRY_OF_HOSTS)
    os.nice = lambda _increment: 0  # Odoo's workers for scheduled actions; here they have to send
    keep_diaries(options.name, options.diaries)
    # the worker for websockets does not start this way, and sends nothing
    server.PreforkServer.long_polling_spawn = lambda _server: None
    return server.start(preload=config["db_name"])


def keep_diaries(name, folder):
    """Note what each thread commits and rolls back of what it sends, cursor by cursor: an alert may
    be sent and committed meanwhile. The thread calls itself by the name of the diary.
    """
    from odoo.sql_db import Cursor  # noqa: PLC0415

    from odoo.addons.mail.models.mail_mail import MailMail  # noqa: PLC0415

    from .diaries import PROBE, Diary, note_clashes  # noqa: PLC0415

    own, numbers = threading.local(), itertools.count(1)

    def sending():
        """The cursors of the sendings that this thread is in, the innermost last."""
        if not hasattr(own, "sending"):
            own.sending = []
        return own.sending

    def diary(cursor):
        thread = f"{name}-{os.getpid()}-{threading.get_native_id()}"
        return f"{thread}-{vars(cursor)['number']}" if cursor else thread

    def note(cursor, what):
        with contextlib.closing(Diary(folder / diary(cursor))) as book:
            book.note(what)

    def host_name(_name=""):
        is_check = threading.current_thread().name.startswith("system_mail")
        cursor = (sending() or [None])[-1]
        return f"{PROBE if is_check else ''}{diary(cursor)}{HOSTS}"

    send, commit, rollback = MailMail.send, Cursor.commit, Cursor.rollback

    def noted_send(mails, *args, **kwargs):
        cursor = mails.env.cr
        vars(cursor).setdefault("number", next(numbers))
        sending().append(cursor)
        try:
            return send(mails, *args, **kwargs)
        finally:
            sending().pop()

    def noted_commit(cr):
        if "number" in vars(cr):  # first of all, when the database has said so
            cr.postcommit._funcs.appendleft(lambda: note(cr, Diary.COMMIT))
        commit(cr)

    def noted_rollback(cr):
        if "number" in vars(cr):
            note(cr, Diary.END)
        rollback(cr)

    MailMail.send, Cursor.commit, Cursor.rollback = noted_send, noted_commit, noted_rollback
    socket.getfqdn = host_name
    note_clashes(lambda what: note((sending() or [None])[-1], what))


if __name__ == "__main__":
    sys.exit(main())
