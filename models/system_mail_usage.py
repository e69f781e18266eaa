import datetime
import typing

from odoo import api, fields, models

from ..failover.failure import OverLimit
from .own_cursor import own_environment
from .system_mail_event import BATCH

MINUTE, HOUR, DAY = (datetime.timedelta(seconds=s) for s in (60, 3600, 86400))


class Limit(typing.NamedTuple):
    """So many recipients in a window of time, of one author or of all."""

    recipients: int
    window: datetime.timedelta
    author_id: int | None
    text: str


class SystemMailUsage(models.Model):
    """How many recipients System Mail served, message by message. Kept only while a limit is set,
    and no longer than a day.
    """

    _name = "system.mail.usage"
    _description = "System Mail Usage"
    _log_access = False

    company_id = fields.Many2one("res.company", required=True, ondelete="cascade", readonly=True)
    author_id = fields.Integer(readonly=True)
    minute = fields.Datetime(required=True, readonly=True)
    recipient_count = fields.Integer(required=True, readonly=True)

    _company_minute = models.Index("(company_id, minute)")

    @api.model
    def _admit(self, policy, author_id, recipient_count):
        """Count the recipients in, or refuse them all: no worker counts past another.

        A message with more recipients than a limit has is let through when it comes first.

        :param Policy policy: the company's System Mail and its limits
        :param int author_id: the author's partner, 0 for nobody
        :raises OverLimit: with the time at which there is room again
        :raises psycopg2.Error: the count could not be kept
        """
        now = fields.Datetime.now()
        limits = (
            Limit(policy.limit_minute, MINUTE, None, "{} recipients a minute"),
            Limit(policy.limit_day, DAY, None, "{} recipients a day"),
            Limit(policy.limit_user_hour, HOUR, author_id, "{} recipients an hour and author"),
        )
        with own_environment(self.env) as env:
            key = f"{self._name}{policy.company_id}"
            env.cr.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [key])
            usage = env[self._name]
            for limit in limits:
                if limit.recipients:
                    usage._check(policy.company_id, limit, recipient_count, now)
            usage.create(
                {
                    "company_id": policy.company_id,
                    "author_id": author_id,
                    "minute": now,
                    "recipient_count": recipient_count,
                }
            )

    def _check(self, company_id, limit, recipient_count, now):
        domain = [("company_id", "=", company_id), ("minute", ">", now - limit.window)]
        if limit.author_id is not None:
            domain.append(("author_id", "=", limit.author_id))
        [(used, messages)] = self._read_group(domain, [], ["recipient_count:sum", "__count"])
        room = limit.recipients - used
        if recipient_count <= room or not messages:
            return
        for usage in self.search(domain, order="minute, id"):  # the oldest leave the window first
            room += usage.recipient_count
            if recipient_count <= room:
                break
        raise OverLimit(limit.text.format(limit.recipients), usage.minute + limit.window)

    @api.autovacuum
    def _gc_usage(self):
        old = [("minute", "<", fields.Datetime.now() - DAY)]
        rows = self.search(old, limit=BATCH)
        rows.unlink()
        return len(rows), int(len(rows) == BATCH)
