"""Own cursors: what is written on them survives a rollback of the sending transaction."""

import contextlib

from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from odoo.api import SUPERUSER_ID, Environment
from odoo.sql_db import BaseCursor

LOCK_TIMEOUT = "2s"
"""A sender waits no longer than this for a row that another transaction has locked."""
ENGLISH = {"lang": "en_US"}
"""Without a language, Odoo fails to translate the errors of mail servers: it looks for a user."""


def own_environment(env, lock_timeout=LOCK_TIMEOUT):
    """As ``environment_of``, for the caller's database."""
    return environment_of(env.registry, lock_timeout)


@contextlib.contextmanager
def environment_of(registry, lock_timeout=LOCK_TIMEOUT):
    """An environment on an own cursor, committed at the end.

    It is READ COMMITTED: it sees what other workers have committed, and never fails to serialize.
    It does not see what the caller's transaction has not committed.

    :param str lock_timeout: as PostgreSQL writes it: ``2s``
    :raises psycopg2.Error: the caller decides whether a failed write matters
    """
    with registry.cursor() as cr:
        # tests share one cursor, in a transaction that has begun already
        if cr.connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
            cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cr.execute("SET LOCAL lock_timeout = %s", [lock_timeout])
        yield Environment(cr, SUPERUSER_ID, ENGLISH)


@contextlib.contextmanager
def waiting_environment(registry):
    """An environment for code that waits for the network, in a thread. Between statements it has
    neither a transaction nor a connection to the database.
    """
    with StatementCursor(registry) as cr:
        yield Environment(cr, SUPERUSER_ID, ENGLISH)


class StatementCursor(BaseCursor):
    """A cursor that takes a connection for each statement, and commits it. It holds no locks
    between statements, and nothing can be rolled back.
    """

    def __init__(self, registry):
        super().__init__()
        self.dbname, self._registry = registry.db_name, registry
        self.description, self.rowcount, self._rows = None, -1, []

    def execute(self, query, params=None, log_exceptions=True):
        with self._registry.cursor() as cr:
            cr.execute(query, params, log_exceptions)
            self.description, self.rowcount = cr.description, cr.rowcount
            self._rows = cr.fetchall() if cr.description else []

    def fetchall(self):
        rows, self._rows = self._rows, []
        return rows

    def fetchone(self):
        return self._rows.pop(0) if self._rows else None

    def commit(self):
        self.flush()
        self.clear()

    def rollback(self):
        self.clear()

    def close(self):
        self.clear()
