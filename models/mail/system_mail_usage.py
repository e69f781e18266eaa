import datetime
import typing

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ...constants import BATCH
from ...failover.failure import OverLimit
from ...tools.own_cursor import own_environment

MINUTE, HOUR, DAY = (datetime.timedelta(seconds=s) for s in (60, 3600, 86400))
GRACE = 5 * MINUTE
"""A turn that nobody took for so long holds up nobody."""


class Limit(typing.NamedTuple):
    """So many recipients in a window of time, of one author or of all."""

    name: str
    recipients: int
    window: datetime.timedelta
    author_id: int | None
    text: str


class SystemMailUsage(models.Model):
    """How many recipients System Mail served, message by message, and whose turn comes when. Kept
    only while a limit is set, and no longer than a day.
    """

    _name = "system.mail.usage"
    _description = "System Mail Usage"
    _log_access = False

    company_id = fields.Many2one("res.company", required=True, ondelete="cascade", readonly=True)
    author_id = fields.Integer(readonly=True)
    minute = fields.Datetime(required=True, readonly=True)
    recipient_count = fields.Integer(required=True, readonly=True)
    waits_for = fields.Char(readonly=True, help="The limit for which it waits its turn, if any.")
    mail_id = fields.Integer(readonly=True, help="The mail that waits.")

    _company_minute = models.Index("(company_id, minute)")
    _mail = models.Index("(mail_id) WHERE mail_id IS NOT NULL")

    @api.model
    @api.private
    def admit(self, policy, author_id, recipient_count, mail_id, taken):
        """Count the recipients in, or give them all a turn: nobody counts past another, and who
        comes later gets a later turn.

        A message with more recipients than a limit has is let through when it comes first.

        :param Policy policy: the company's System Mail and its limits
        :param int author_id: the author's partner, 0 for nobody
        :param mail_id: of the mail that is to wait; None where it cannot
        :param set taken: the turns of the mail's other messages, to which this one's is added
        :return: the id of the row that counts them, for ``give_back``
        :raises OverLimit: with the time of its turn
        :raises psycopg2.Error: the count could not be kept
        """
        now = fields.Datetime.now()
        with own_environment(self.env) as env:
            key = f"{self._name}{policy.company_id}"
            env.cr.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [key])
            usage = env[self._name]
            turns = [("mail_id", "=", mail_id), ("id", "not in", list(taken))]
            turn = usage.search(turns, order="id", limit=1) if mail_id else usage
            values = {
                "company_id": policy.company_id,
                "author_id": author_id,
                "recipient_count": recipient_count,
            }
            over = [
                (due, limit)
                for limit in self._limits(policy, author_id)
                if (due := turn._due(limit, values, now))
            ]
            if over:
                due, limit = max(over)
                values |= {"minute": due, "waits_for": limit.name, "mail_id": mail_id}
            else:
                values |= {"minute": now, "waits_for": False, "mail_id": False}
            if turn:
                turn.write(values)
            elif mail_id or not over:
                turn = usage.create(values)
            taken.update(turn.ids)
        if over:
            raise OverLimit(limit.text.format(limit.recipients), due)
        return turn.id

    @api.model
    @api.private
    def give_back(self, row_id, recipient_count):
        """These of the recipients were not served after all.

        :raises psycopg2.Error: it could not be kept
        """
        with own_environment(self.env) as env:
            usage = env[self._name].browse(row_id).exists()
            if usage.recipient_count > recipient_count:
                usage.recipient_count -= recipient_count
            else:
                usage.unlink()

    @api.model
    def _limits(self, policy, author_id):
        limits = (
            Limit("minute", policy.limit_minute, MINUTE, None, "{} recipients a minute"),
            Limit("day", policy.limit_day, DAY, None, "{} recipients a day"),
            Limit(
                "author",
                policy.limit_user_hour,
                HOUR,
                author_id,
                "{} recipients an hour and author",
            ),
        )
        return [limit for limit in limits if limit.recipients]

    def _due(self, limit, values, now):
        """When it is the turn of a message, None for now. ``self`` is the turn that it has.

        What waits for another limit does not count: it may wait long, and this one is not for it.
        """
        ahead = Domain("waits_for", "=", limit.name) & Domain("minute", ">", now - GRACE)
        if self.waits_for == limit.name:
            ahead &= Domain("id", "<", self.id)
        # what is later than now was written before the clock was set back
        served = Domain("waits_for", "=", False) & Domain("minute", "<=", now + MINUTE)
        domain = (
            Domain("company_id", "=", values["company_id"])
            & Domain("minute", ">", now - limit.window)
            & (served | ahead)
        )
        if limit.author_id is not None:
            domain &= Domain("author_id", "=", limit.author_id)
        [(used, count, last)] = self._read_group(
            domain, [], ["recipient_count:sum", "__count", "minute:max"]
        )
        missing = used + values["recipient_count"] - limit.recipients
        if not count or missing <= 0:
            return None
        query = self._search(domain)
        self.env.cr.execute(
            SQL(  # the oldest leave the window first
                """SELECT minute FROM (
                          SELECT minute, SUM(recipient_count) OVER (ORDER BY minute, id) AS freed
                            FROM %s WHERE %s) AS leaving
                    WHERE freed >= %s ORDER BY freed LIMIT 1""",
                query.from_clause,
                query.where_clause,
                missing,
            )
        )
        [minute] = self.env.cr.fetchone() or [last]
        return max(minute + limit.window, last)

    @api.autovacuum
    def _gc_usage(self):
        old = [("minute", "<", fields.Datetime.now() - DAY)]
        rows = self.search(old, limit=BATCH)
        rows.unlink()
        return len(rows), int(len(rows) == BATCH)
