"""A short transaction of its own: what it writes survives the rollback of the one that sends."""

import contextlib

from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from odoo import SUPERUSER_ID, api

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
        yield api.Environment(cr, SUPERUSER_ID, {})
