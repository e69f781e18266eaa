import datetime
import statistics
import typing

from odoo import api, fields, models
from odoo.tools import SQL

from ...constants import BATCH
from ...failover.failure import MoreThanLimit, OverLimit, OverMailboxLimit
from ...tools.database_clock import database_now
from ...tools.own_cursor import own_environment

MINUTE, HOUR, DAY = (datetime.timedelta(seconds=s) for s in (60, 3600, 86400))
GRACE = 5 * MINUTE
"""A turn that nobody took for so long holds up nobody."""
FORECAST = 6
"""Hours: so far ahead the pace of as many hours before tells what will be served."""
_NEW = 2**31 - 1
"""Stands for the id of a row that is not yet written: all others are older."""


class Limit(typing.NamedTuple):
    """So many recipients in a window of time, of all authors or of each."""

    name: str
    recipients: int
    window: datetime.timedelta
    of_each_author: bool
    text: str

    def __str__(self):
        text = self.text.format(self.recipients)
        return text.replace("recipients", "recipient") if self.recipients == 1 else text


class Counted(typing.NamedTuple):
    """What the limits mean for the recipients of one e-mail."""

    number: int
    """So many of them are let through now."""
    row_id: int | None = None
    """The row that counts these, for ``give_back``."""
    over: OverLimit | None = None
    """Why the others are not, and when it is their turn."""


class Wait(typing.NamedTuple):
    """A limit that does not let all recipients of an e-mail through."""

    due: datetime.datetime
    """When the last of them may be sent to."""
    limit: Limit
    room: int
    """So many may be sent to now."""


class SystemMailUsage(models.Model):
    """How many recipients System Mail served, e-mail by e-mail, and whose turn comes when. Kept
    only while a limit is set, and no longer than a day.
    """

    _name = "system.mail.usage"
    _inherit = "system.mail.unnamed"
    _description = "System Mail Usage"
    _log_access = False

    company_id = fields.Many2one("res.company", required=True, ondelete="cascade", readonly=True)
    author_id = fields.Integer(readonly=True)
    server_id = fields.Integer(readonly=True, help="The mailbox of System Mail that served them.")
    minute = fields.Datetime(required=True, readonly=True)
    recipient_count = fields.Integer(required=True, readonly=True)
    waits_for = fields.Char(readonly=True, help="The limit for which it waits its turn, if any.")
    mail_id = fields.Integer(readonly=True, help="The mail that waits.")

    _company_minute = models.Index("(company_id, minute)")
    _mail = models.Index("(mail_id) WHERE mail_id IS NOT NULL")

    @api.model
    @api.private
    def admit(self, policy, mailbox, author_id, recipient_count, *, mail_id, taken):
        """Count in as many recipients of an e-mail as the limits let through now, and give the
        others a turn. Nobody counts past what waits already, but authors take turns: each one's
        mail waits behind that author's own.

        The company's limits hold for all mailboxes of its System Mail together. Those of one
        mailbox give no turn: the next mailbox may send the others.

        :param Policy policy: the company's System Mail and its limits
        :param SystemMailbox mailbox: the mailbox that is to send, and its own limits
        :param int author_id: the author's partner, 0 for nobody; a number below 0 for what a
            visitor or OdooBot wrote, by its recipients and subject
        :param int recipient_count: at least 1
        :param mail_id: of the mail that is to wait; None where it cannot
        :param set taken: the turns of the mail's other e-mails, to which this one's is added
        :rtype: Counted
        :raises psycopg2.Error: the count could not be kept
        """
        limits = self._limits(policy)
        for limit in limits:
            if recipient_count > limit.recipients:
                return Counted(0, over=MoreThanLimit(str(limit)))
        asked = {
            "company_id": policy.company_id,
            "author_id": author_id,
            "server_id": mailbox.server_id,
            "recipient_count": recipient_count,
        }
        with own_environment(self.env) as env:
            key = f"{self._name}{policy.company_id}"
            env.cr.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [key])
            asked["minute"] = database_now(env)
            usage = env[self._name]
            if full := usage._full_limit(mailbox, asked):
                return Counted(0, over=OverMailboxLimit(full))
            turns = [("mail_id", "=", mail_id), ("id", "not in", list(taken))]
            turn = usage.search(turns, order="id", limit=1) if mail_id else usage
            waits = [wait for limit in limits if (wait := turn._wait(limit, asked))]
            number = min((wait.room for wait in waits), default=recipient_count)
            served = usage.create({**asked, "recipient_count": number}) if number else usage
            if not waits:
                turn.unlink()
                return Counted(number, served.id)
            due, limit, _room = max(waits)
            if mail_id:
                rest = {
                    "recipient_count": recipient_count - number,
                    "minute": due,
                    "waits_for": limit.name,
                    "mail_id": mail_id,
                }
                if turn:
                    turn.write(rest)
                else:
                    turn = usage.create({**asked, **rest})
                taken.add(turn.id)
        return Counted(number, served.id, OverLimit(str(limit), due))

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
    @api.private
    def forecast(self, company_id):
        """How many recipients System Mail served within a day, and how many that will be in
        FORECAST hours. The pace is that of the hour in the middle: one burst is none.

        :rtype: tuple[int, float]
        """
        hours = self._served_by_hour(company_id)
        pace = statistics.median(hours[-FORECAST:])
        return sum(hours), sum(hours[FORECAST:]) + FORECAST * pace

    @api.model
    @api.private
    def waiting(self, companies):
        """What waits now for each limit that is reached.

        :param companies: those whose System Mail it is
        :return: ``{company: [(limit, messages, until)]}``: the limit in words, how many messages
            wait for it, and when it is the last one's turn
        :rtype: dict[Model, list[tuple[str, int, datetime.datetime]]]
        """
        outgoing = self.env["mail.mail"].sudo()._search([("state", "=", "outgoing")])
        groups = self.sudo()._read_group(
            [
                ("company_id", "in", companies.ids),
                ("waits_for", "!=", False),
                ("minute", ">", database_now(self.env)),
                ("mail_id", "in", outgoing.subselect()),
            ],
            ["company_id", "waits_for"],
            ["mail_id:count_distinct", "minute:max"],
        )
        found = {}
        for company, name, count, until in groups:
            limit = self._limit_in_words(company, name)
            found.setdefault(company.with_env(self.env), []).append((limit, count, until))
        return found

    @api.model
    @api.private
    def turns(self, mails):
        """When it is the turn of these mails that wait for a limit: the last one's.

        :return: empty if none waits for one
        :rtype: dict[Model, datetime.datetime]
        """
        groups = self.sudo()._read_group(
            [
                ("mail_id", "in", mails.ids),
                ("waits_for", "!=", False),
                ("minute", ">", database_now(self.env)),
            ],
            ["mail_id"],
            ["minute:max"],
        )
        return {mails.browse(id_): due for id_, due in groups}

    def _limit_in_words(self, company_sudo, name):
        minute, day = company_sudo.system_mail_limit_minute, company_sudo.system_mail_limit_day
        hour = company_sudo.system_mail_limit_user_hour
        return {
            "minute": self.env._("recipients a minute: %(count)s", count=minute),
            "day": self.env._("recipients a day: %(count)s", count=day),
            "author": self.env._("recipients an hour for each author: %(count)s", count=hour),
        }[name]

    @api.model
    def _served_by_hour(self, company_id):
        """The recipients served in each of the last 24 hours, the oldest first."""
        now = database_now(self.env)
        rows = self.env.execute_query(
            SQL(
                """SELECT FLOOR(EXTRACT(EPOCH FROM %s - minute) / 3600)::int, SUM(recipient_count)
                     FROM system_mail_usage
                    WHERE company_id = %s AND waits_for IS NULL AND minute > %s AND minute <= %s
                 GROUP BY 1""",
                now,
                company_id,
                now - DAY,
                now,
            )
        )
        served = dict(rows)
        return [served.get(ago, 0) for ago in reversed(range(DAY // HOUR))]

    @api.model
    def _limits(self, policy):
        limits = (
            Limit("minute", policy.limit_minute, MINUTE, False, "{} recipients a minute"),
            Limit("day", policy.limit_day, DAY, False, "{} recipients a day"),
            Limit(
                "author",
                policy.limit_user_hour,
                HOUR,
                True,
                "{} recipients an hour for each author",
            ),
        )
        return [limit for limit in limits if limit.recipients]

    @api.model
    def _full_limit(self, mailbox, asked):
        """The limit of this mailbox that an e-mail would exceed now, in words; empty if none.

        :param SystemMailbox mailbox: the mailbox that is to send
        :param dict asked: the values of a row for all recipients of the e-mail, now
        """
        for most, window, text in (
            (mailbox.limit_minute, MINUTE, "{} recipients a minute"),
            (mailbox.limit_day, DAY, "{} recipients a day"),
        ):
            served = [
                ("server_id", "=", mailbox.server_id),
                ("waits_for", "=", False),
                ("minute", ">", asked["minute"] - window),
            ]
            [[count]] = self._read_group(served, [], ["recipient_count:sum"]) if most else [[0]]
            if most and count + asked["recipient_count"] > most:
                return text.format(most)
        return ""

    def _wait(self, limit, asked):
        """How long the limit has an e-mail wait. ``self`` is the turn that it has, if any.

        :param Limit limit: the e-mail alone does not exceed it
        :param dict asked: the values of a row for all recipients of the e-mail, now
        :rtype: Wait | None
        """
        count = asked["recipient_count"]
        self.env.cr.execute(
            SQL(  # the oldest leave the window first
                """SELECT MAX(freed), MAX(minute), MIN(minute) FILTER (WHERE freed >= total - %s)
                     FROM (SELECT minute,
                                  SUM(recipient_count) OVER (ORDER BY minute, id) AS freed,
                                  SUM(recipient_count) OVER () AS total
                             FROM (%s) AS counted) AS leaving""",
                limit.recipients - count,
                self._counted(limit, asked),
            )
        )
        [(used, last, leaves)] = self.env.cr.fetchall()
        room = limit.recipients - (used or 0)
        if count <= room:
            return None
        return Wait(max(leaves + limit.window, last), limit, max(room, 0))

    def _counted(self, limit, asked):
        """The query of the rows that count before an e-mail: who was served within the window, and
        who waits for the same limit and comes first. What waits for another limit does not count:
        it may wait long, and this one is not for it.

        The author's own mail that waited before comes first. Other authors' mail does where its
        author has been served less: authors are served in turn, recipient by recipient.
        """
        author_id, now = asked["author_id"], asked["minute"]
        of_author = SQL("AND author_id = %s", author_id) if limit.of_each_author else SQL()
        return SQL(
            """WITH served AS (
                    SELECT id, minute, recipient_count, author_id
                      FROM system_mail_usage
                     WHERE company_id = %(company)s AND waits_for IS NULL
                           AND minute > %(begin)s AND minute <= %(end)s %(of_author)s),
                    used AS (
                    SELECT author_id, SUM(recipient_count) AS used FROM served GROUP BY author_id),
                    waiting AS (
                    SELECT id, minute, recipient_count, author_id = %(author)s AS is_own,
                           COALESCE(used, 0)
                           + SUM(recipient_count) OVER (PARTITION BY author_id ORDER BY id) AS place
                      FROM system_mail_usage LEFT JOIN used USING (author_id)
                     WHERE company_id = %(company)s AND waits_for = %(limit)s AND minute > %(due)s
                           %(of_author)s),
                    own AS (
                    SELECT %(count)s
                           + COALESCE((SELECT used FROM used WHERE author_id = %(author)s), 0)
                           + COALESCE(SUM(recipient_count), 0) AS place
                      FROM waiting
                     WHERE is_own AND id < %(turn)s)
               SELECT id, minute, recipient_count
                 FROM served
            UNION ALL
               SELECT id, minute, recipient_count
                 FROM waiting
                WHERE CASE WHEN is_own THEN id < %(turn)s
                           ELSE (place, id) < ((SELECT place FROM own), %(turn)s) END""",
            author=author_id,
            company=asked["company_id"],
            limit=limit.name,
            count=asked["recipient_count"],
            turn=self.id or _NEW,
            due=now - min(GRACE, limit.window),
            begin=now - limit.window,
            end=now + MINUTE,  # what is later was written before the clock was set back
            of_author=of_author,
        )

    @api.autovacuum
    def _gc_usage(self):
        old = [("minute", "<", database_now(self.env) - DAY)]
        rows = self.search(old, limit=BATCH)
        rows.unlink()
        return len(rows), int(len(rows) == BATCH)
