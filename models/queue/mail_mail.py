import datetime
import math

from odoo import api, fields, models, modules
from odoo.fields import Domain
from odoo.http import request
from odoo.tools import SQL

from ...failover.breaker import LONGEST_WAIT, MOMENT
from ...sending.queue_run import QUEUE, QueueRun
from ...tools.odoo_20 import parameter
from ...tools.worker import seconds_left

AT_ONCE = 200
"""Mails that are taken from the queue before it is looked at again."""
LATEST_BELIEVABLE = datetime.timedelta(seconds=LONGEST_WAIT, minutes=5)
"""A mail that is to be tried again later than this was put off before the clock was set back: it is
due now. So is one whose reply is awaited, once nobody awaits it any longer."""
AFTER_LAST_TURN = datetime.timedelta(minutes=1)
"""Until the queue runs again for a mail that is not through after its last turn."""
DEATHS = 2
"""A mail that had its worker killed so often is put off."""


class MailMail(models.Model):
    """Odoo's mail queue, where nobody's mail holds up another's."""

    _inherit = "mail.mail"

    system_mail_deaths = fields.Integer(
        readonly=True,
        prefetch=False,
        copy=False,
        help="How often the worker that was sending it from the mail queue was killed.",
    )

    @api.model
    def process_email_queue(self, email_ids=(), batch_size=1000):
        policies = self.env["res.company"].system_mail_policies()
        if not policies or self.env["ir.mail_server"]._disable_send():
            return super().process_email_queue(email_ids, batch_size)
        wanted = Domain(list(self.env.context.get("filters", [])))
        if email_ids:
            wanted &= Domain("id", "in", list(email_ids))
        if not self.env.su:  # what follows searches as superuser
            wanted = Domain("id", "in", self._search(wanted))
        runs = self.env["system.mail.queue.run"]
        if runs.blame_for_deaths():
            self._system_mail_end_transaction()
        is_scheduled = bool(self.env.context.get("cron_id")) and not request
        seconds = seconds_left() if is_scheduled else math.inf
        result = True
        with runs.opened() as mark:
            slow = self.env["system.mail.health"].sudo().slow_server_ids
            queue = QueueRun(seconds, is_scheduled, slow, mark)
            turns = self._system_mail_turns(queue, wanted, batch_size)
            for ids in turns:
                of_turn = self.with_context(**{QUEUE: queue, "filters": [("id", "in", ids)]})
                result = super(MailMail, of_turn).process_email_queue(email_ids, len(ids))
                if not result:
                    queue.failed.update(ids)
                self._system_mail_end_transaction(len(ids), undo=not result)
        return result

    @api.model
    def _system_mail_turns(self, queue, wanted, batch_size):
        """Yield the ids of mails that are sent next, until nothing is due or the time is over:
        mails of all authors in turn, and then one by one those that have made way.

        :param QueueRun queue: keeps what has made way
        :param Domain wanted: the mails that may be sent at all
        :param int batch_size: the most that are sent together
        """
        limit = int(parameter(self.env, "mail.mail.queue.batch.size") or 0) or batch_size
        suspects = self.sudo().search(
            wanted & self._system_mail_due() & Domain("system_mail_deaths", ">", 0), order="id"
        )
        queue.seen.update(suspects.ids)
        last = suspects.ids
        while queue.may_begin:
            ids = not queue.owes_last_turn and self._system_mail_next(
                wanted, queue.seen, min(limit, AT_ONCE)
            )
            if ids:
                queue.begin_turns(ids)
                yield ids
                queue.end_turns(ids, self._system_mail_still_due(ids))
            elif alone := queue.aside or last:
                mail = self.sudo().browse(alone.pop(0)).exists()
                queue.begin_last_turn(mail.id, bool(mail.system_mail_waiting_since))
                yield mail.ids
            else:
                break
        if queue.aside or last or self._system_mail_next(wanted, queue.seen, 1):
            self.system_mail_trigger_queue()
        elif self._system_mail_still_due(list(queue.seen - queue.failed)):
            at = None if request else self.env.cr.now() + AFTER_LAST_TURN
            self.system_mail_trigger_queue(at)

    @api.model
    def _system_mail_end_transaction(self, count=0, undo=False):
        """Commit, as Odoo does after each mail, and tell the scheduled action how much was done:
        otherwise Odoo takes it for stuck after three workers that were killed.

        :param bool undo: there was an error, and Odoo has left the transaction as it was
        """
        if modules.module.current_test:
            return
        if undo:
            self.env.cr.rollback()
        self.env["ir.cron"]._commit_progress(count, remaining=0)

    # --- what is due

    @api.model
    def _system_mail_due(self):
        """The mails that are due, by the clock of the database."""
        now = self.env.cr.now()
        future = now + datetime.timedelta(seconds=MOMENT)
        put_off = Domain("system_mail_waiting_since", "!=", False)
        put_off |= Domain("system_mail_reply_until", "!=", False)
        return Domain("state", "=", "outgoing") & (
            Domain("scheduled_date", "=", False)
            | Domain("scheduled_date", "<=", now)
            | (put_off & Domain("scheduled_date", ">", now + LATEST_BELIEVABLE))
            # our own limits put mail off for days
            | (Domain("failure_reason", "!=", False) & Domain("write_date", ">", future))
        )

    def _system_mail_still_due(self, ids):
        domain = Domain("id", "in", ids) & self._system_mail_due()
        return self.sudo().search(domain, order="id").ids

    @api.model
    def _system_mail_next(self, wanted, seen, limit):
        """The ids of due mails: the oldest of each author, then the second oldest, and so on.

        :param Domain wanted: the mails that may be sent at all
        :param seen: the ids of mails that are left out
        :param int limit: so many at most
        """
        domain = wanted & self._system_mail_due() & Domain("id", "not in", list(seen))
        self.env["mail.message"].flush_model(["author_id", "email_from"])
        rows = self.env.execute_query(
            SQL(
                """SELECT id, scheduled_date FROM (
                       SELECT mail.id, mail.scheduled_date, row_number() OVER (
                                  PARTITION BY COALESCE(author_id::text, email_from)
                                  ORDER BY mail.id) AS turn
                         FROM mail_mail mail
                         JOIN mail_message message ON message.id = mail.mail_message_id
                        WHERE mail.id IN %s) AS queued
                 ORDER BY turn, id LIMIT %s""",
                self.sudo()._search(domain).subselect(),
                limit,
            )
        )
        now = fields.Datetime.now()
        self._system_mail_make_due([id_ for id_, due in rows if due and due > now])
        return [id_ for id_, _due in rows]

    @api.model
    def _system_mail_make_due(self, ids):
        """Core asks the clock of this worker, which may be behind."""
        if ids:
            self.sudo().browse(ids).scheduled_date = False

    # --- what had its worker killed

    @api.model
    @api.private
    def system_mail_blame_first(self, groups):
        """The worker that was sending these mails, in this order, was killed: count that for the
        first one that is still due. At the second time, a mail is put off.

        :param groups: ids, or lists of those of which it is not known which was next: it is
            counted for each of them
        """
        groups = [group if isinstance(group, list) else [group] for group in groups]
        due = set(self._system_mail_still_due([id_ for group in groups for id_ in group]))
        blamed = next(filter(None, (due.intersection(group) for group in groups)), ())
        for mail in self.browse(sorted(blamed)):
            mail.system_mail_deaths += 1
            if mail.system_mail_deaths >= DEATHS:
                mail.system_mail_put_off()
