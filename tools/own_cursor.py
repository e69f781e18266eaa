"""Transactions of their own: what they write survives the rollback of the one that sends."""

import contextlib

from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from odoo.api import SUPERUSER_ID, Environment
from odoo.sql_db import BaseCursor

LOCK_TIMEOUT = "2s"
"""A sender may wait no longer for a row that somebody else holds."""


@contextlib.contextmanager
def own_environment(env, lock_timeout=LOCK_TIMEOUT):
    """An environment on a cursor of its own, committed at the end; READ COMMITTED, so that it sees
    what other workers did and never fails to serialize against them.

    It does not see what the caller's transaction has not committed.

    :param str lock_timeout: as PostgreSQL writes it
    :raises psycopg2.Error: the caller decides what a failed write is worth
    """
    with env.registry.cursor() as cr:
        if cr.connection.info.transaction_status == TRANSACTION_STATUS_IDLE:  # not in a test's
            cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cr.execute("SET LOCAL lock_timeout = %s", [lock_timeout])
        yield Environment(cr, SUPERUSER_ID, {})


@contextlib.contextmanager
def waiting_environment(registry):
    """An environment for one who waits for the network between statements, in a thread: meanwhile
    it has neither a transaction nor a connection to the database.
    """
    with StatementCursor(registry) as cr:
        yield Environment(cr, SUPERUSER_ID, {})


class StatementCursor(BaseCursor):
    """Borrows a connection for each statement, and commits it. So nothing can be locked for longer,
    and nothing rolled back.
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
