import datetime

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import format_time

from ...constants import BATCH
from ...tools.database_clock import database_now
from ...tools.own_cursor import own_environment

MOST = 10
"""Attempts of one user within ``WINDOW``."""
WINDOW = datetime.timedelta(minutes=10)


class SystemMailAttempt(models.Model):
    """Limits how often people try to connect or test their own mailbox, so that nobody guesses
    passwords, finds servers, or keeps workers waiting for a silent server.
    """

    _name = "system.mail.attempt"
    _inherit = "system.mail.unnamed"
    _description = "System Mail Attempt"
    _log_access = False

    user_id = fields.Integer(required=True, readonly=True, index=True)
    tried_at = fields.Datetime(required=True, readonly=True)

    @api.model
    @api.private
    def count_attempt(self):
        """Count an attempt of the current user, on its own cursor: a rollback doesn't undo it.

        :raises ValidationError: the user made too many attempts within the last minutes
        """
        with own_environment(self.env) as env:
            key = f"{self._name}{self.env.uid}"
            env.cr.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [key])
            attempts, now = env[self._name], database_now(env)
            recent = [("user_id", "=", self.env.uid), ("tried_at", ">", now - WINDOW)]
            found = attempts.search(recent, order="tried_at DESC", limit=MOST)
            if len(found) < MOST:
                attempts.create({"user_id": self.env.uid, "tried_at": now})
                return
            free_at = fields.Datetime.context_timestamp(self, found[-1].tried_at + WINDOW)
        raise ValidationError(
            self.env._(
                "You have tried %(count)s times within %(minutes)s minutes. What you typed stays: "
                "try again after %(time)s.",
                count=MOST,
                minutes=WINDOW.seconds // 60,
                time=format_time(self.env, free_at.time(), time_format="short"),
            )
        )

    @api.autovacuum
    def _gc_attempts(self):
        old = [("tried_at", "<", database_now(self.env) - WINDOW)]
        rows = self.search(old, limit=BATCH)
        rows.unlink()
        return len(rows), int(len(rows) == BATCH)
