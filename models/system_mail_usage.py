import datetime

from odoo import api, fields, models

from ..failover.failure import OverLimit
from .own_cursor import own_environment

MINUTE, HOUR, DAY = (datetime.timedelta(seconds=s) for s in (60, 3600, 86400))


class SystemMailUsage(models.Model):
    """How many recipients System Mail served, by author and minute. Kept only while a limit is set,
    and no longer than a day.
    """

    _name = "system.mail.usage"
    _description = "System Mail Usage"
    _log_access = False

    company_id = fields.Many2one("res.company", required=True, ondelete="cascade", readonly=True)
    user_id = fields.Integer(readonly=True)
    minute = fields.Datetime(required=True, readonly=True)
    recipient_count = fields.Integer(required=True, readonly=True)

    _company_minute = models.Index("(company_id, minute)")

    @api.model
    def _admit(self, policy, user_id, recipient_count):
        """Count the recipients in, or refuse them all: no worker counts past another.

        A message with more recipients than a limit has is let through when it comes first.

        :param Policy policy: the company's System Mail and its limits
        :param int user_id: the author's user, 0 for nobody
        :raises OverLimit: with the time at which there is room again
        :raises psycopg2.Error: the count could not be kept
        """
        now = fields.Datetime.now()
        with own_environment(self.env) as env:
            env.cr.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"{self._name}{policy.company_id}"])
            usage = env[self._name]
            for limit, window, author, text in (
                (policy.limit_minute, MINUTE, None, "{} recipients a minute"),
                (policy.limit_day, DAY, None, "{} recipients a day"),
                (policy.limit_user_hour, HOUR, user_id, "{} recipients an hour and author"),
            ):
                if limit:
                    usage._check(policy, limit, window, author, recipient_count, now, text)
            usage.create(
                {
                    "company_id": policy.company_id,
                    "user_id": user_id,
                    "minute": now,
                    "recipient_count": recipient_count,
                }
            )

    def _check(self, policy, limit, window, author, recipient_count, now, text):  # noqa: PLR0913
        domain = [("company_id", "=", policy.company_id), ("minute", ">", now - window)]
        if author is not None:
            domain.append(("user_id", "=", author))
        counted = self.search(domain, order="minute, id")
        room = limit - sum(counted.mapped("recipient_count"))
        if recipient_count <= room or not counted:
            return
        for usage in counted:  # the oldest leave the window first
            room += usage.recipient_count
            if recipient_count <= room:
                break
        raise OverLimit(text.format(limit), usage.minute + window)

    @api.autovacuum
    def _gc_usage(self, limit=10_000):
        old = [("minute", "<", fields.Datetime.now() - DAY)]
        self.search(old, limit=limit).unlink()
