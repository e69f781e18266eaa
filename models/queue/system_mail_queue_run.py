import contextlib
import logging
import random

import psycopg2

from odoo import api, fields, models

from ...tools.own_cursor import own_environment

_logger = logging.getLogger(__name__)

_LOCK = 1_397_575_000
"""Tells our advisory locks from those of others."""


class SystemMailQueueRun(models.Model):
    """The mails that a run of the mail queue is sending. The row is deleted at the end of the run.
    While it lasts, its worker holds an advisory lock: a row without it is of a worker that was
    killed.
    """

    _name = "system.mail.queue.run"
    _inherit = "system.mail.unnamed"
    _description = "Run of the Mail Queue"

    key = fields.Integer(required=True, readonly=True, help="Of its advisory lock.")
    mail_ids = fields.Json(
        readonly=True, help="The ids of the mails, in the order in which they are sent."
    )

    @api.model
    @api.private
    @contextlib.contextmanager
    def opened(self):
        """Hold the lock of a new run within the block.

        :return: ``mark(groups)``, which stores the mails that are being sent
        """
        key = random.SystemRandom().randrange(2**31)
        self.env.cr.execute("SELECT pg_advisory_lock(%s, %s)", [_LOCK, key])
        marked = []
        try:
            yield lambda groups: marked.append(self._mark(key, groups))
        finally:
            if marked:
                self._forget(key)
            with contextlib.suppress(psycopg2.Error):  # a broken connection holds no lock
                self.env.cr.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK, key])

    @api.model
    def _mark(self, key, groups):
        try:
            with own_environment(self.env) as env:
                run = env[self._name].search([("key", "=", key)])
                run = run or env[self._name].create({"key": key})
                run.mail_ids = groups
        except psycopg2.Error as exc:
            _logger.warning("The mails that are being sent were not noted: %s", exc)

    @api.model
    def _forget(self, key):
        try:
            with own_environment(self.env) as env:
                env[self._name].search([("key", "=", key)]).unlink()
        except psycopg2.Error as exc:
            _logger.warning("The mails that were sent are still noted: %s", exc)

    @api.model
    @api.private
    def blame_for_deaths(self):
        """For each worker that was killed while it ran the queue, count that for the mail which it
        was sending.

        :return: whether there was any
        """
        try:
            with own_environment(self.env) as env:
                env.cr.execute(
                    """SELECT id FROM system_mail_queue_run
                        WHERE pg_try_advisory_xact_lock(%s, key) FOR UPDATE SKIP LOCKED""",
                    [_LOCK],
                )
                runs = env[self._name].browse(row[0] for row in env.cr.fetchall())
                for run in runs:
                    env["mail.mail"].system_mail_blame_first(run.mail_ids)
                was_any = bool(runs)
                runs.unlink()
        except psycopg2.Error as exc:
            _logger.warning("It is not known which mail had its worker killed: %s", exc)
            return False
        return was_any
