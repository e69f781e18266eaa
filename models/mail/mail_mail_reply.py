import datetime
import functools
import logging

import psycopg2

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import email_split

from ...constants import HELD
from ...failover.breaker import still_lasts
from ...failover.failure import Failure, Kind, Phase, Verdict
from ...failover.policy import Fate
from ...failover.rules import classify
from ...failover.words import describe
from ...sending.ledger import MailInfo, Why
from ...sending.parts import Part
from ...sending.watcher import STORING, watch
from ...tools.database_clock import database_now
from ...tools.own_cursor import own_environment

_logger = logging.getLogger(__name__)

NO_REPLY = Failure(Phase.DOT, kind=Kind.TIMEOUT)


class MailMail(models.Model):
    """Mail that was sent, but whose server has not confirmed it yet: a thread waits for the reply.
    Until then nobody sends the mail again, also if the thread dies with its process.
    """

    _inherit = "mail.mail"

    system_mail_reply_until = fields.Datetime(
        readonly=True,
        copy=False,
        help="Until then, the server's confirmation is awaited, and the mail is not sent again.",
    )
    system_mail_reply_server_id = fields.Many2one(
        "ir.mail_server",
        readonly=True,
        copy=False,
        prefetch=False,
        help="The mailbox by which it was sent.",
    )

    def _system_mail_await(self, awaited):
        """Have a thread wait for the reply, after the transaction is committed.

        :param Awaited awaited: its connection is closed if the transaction is rolled back
        """
        lease = self._system_mail_lease()
        until = database_now(self.env) + lease
        self.write(
            {
                "system_mail_reply_until": until,
                "system_mail_reply_server_id": awaited.server_id,
                "system_mail_attempts": 0,
                "system_mail_waiting_since": False,
            }
        )
        self._system_mail_leave_to_queue(until)
        cr, seconds = self.env.cr, lease.total_seconds() - STORING
        cr.postcommit.add(functools.partial(watch, awaited, cr.dbname, self.id, seconds))
        cr.postrollback.add(awaited.reply.close)

    def _system_mail_lease(self):
        """How long a reply is awaited at most, and its result stored."""
        seconds = self.env["ir.config_parameter"].system_mail_number("system_mail.reply_seconds")
        return datetime.timedelta(seconds=seconds + STORING)

    def _system_mail_is_awaited(self):
        """Whether a reply may still come."""
        until, lease = self.system_mail_reply_until, self._system_mail_lease().total_seconds()
        return bool(until) and still_lasts(until, database_now(self.env), lease)

    @api.model
    @api.private
    def system_mail_busy_until(self, server):
        """Until when a mailbox is not used, since its server may still reply to a message; False if
        it may be used. What the caller puts off until then is due once the reply has come.
        """
        sent_by_it = [("state", "=", "outgoing"), ("system_mail_reply_server_id", "=", server.id)]
        awaited = self.sudo().search(sent_by_it).filtered(lambda m: m._system_mail_is_awaited())
        until = max(awaited.mapped("system_mail_reply_until"), default=False)
        if until:
            self.env.cr.postcommit.add(functools.partial(self._system_mail_look_again, until))
        return until

    def _system_mail_look_again(self, until):
        """The reply may have come while mails were put off until then: nobody saw them."""
        try:
            with own_environment(self.env) as env:
                env.cr.execute(
                    "SELECT FROM mail_mail WHERE system_mail_reply_until = %s FOR SHARE", [until]
                )
                if not env.cr.rowcount:
                    env[self._name]._system_mail_wake_behind(until)
        except psycopg2.Error as exc:
            _logger.warning("Mail that waits until %s may be due now: %s", until, exc)

    # --- the reply has come, or will not come

    @api.private
    def system_mail_settle_reply(self, awaited, failure):
        """Store what a late reply says of the mail, unless somebody has decided on it meanwhile.

        :param Awaited awaited: the message
        :param Failure failure: None if the server has accepted the message
        :return: the values of an event to write, or None
        """
        self.env.cr.execute(
            "SELECT FROM mail_mail WHERE id = %s AND state = 'outgoing' FOR UPDATE", [self.id]
        )
        if not self.env.cr.rowcount:
            return None
        self._system_mail_end_wait()
        notifications = self._system_mail_notifications()
        if failure is None:
            event = self._system_mail_confirm(awaited, notifications)
        elif awaited.internal or classify(failure).verdict is not Verdict.UNCERTAIN:
            event = self._system_mail_leave_to_queue()
        else:
            event = {**awaited.held, **self._system_mail_hold(awaited.name, failure)}
            if awaited.why.rule:
                notifications._system_mail_explain(awaited.why)
        notifications._system_mail_push()
        return event

    def _system_mail_end_wait(self):
        """Nobody waits for the reply any longer. What waits for the same mailbox is due."""
        until = self.system_mail_reply_until
        self.write({"system_mail_reply_until": False, "system_mail_reply_server_id": False})
        if until:
            self._system_mail_wake_behind(until)

    def _system_mail_wake_behind(self, until):
        """Send at once the other mails that wait until then for the same mailbox."""
        waits = Domain("state", "=", "outgoing") & Domain("scheduled_date", "=", until)
        behind = self.search(waits & Domain("id", "not in", self.ids)).try_lock_for_update()
        behind.filtered(lambda mail: not mail.system_mail_reply_until).scheduled_date = False
        behind.system_mail_trigger_queue()

    def _system_mail_confirm(self, awaited, notifications):
        """The server has accepted the message.

        :return: the event, where System Mail stood in for another mailbox
        """
        part = Part(Fate.ACCEPTED, self, self.recipient_ids, self.env["res.partner"])
        part.email_to = email_split(self.email_to or "")
        self._system_mail_settle(part, may_wait=False)
        notifications._system_mail_explain(awaited.why, awaited.sent_from)
        return awaited.fallback

    def _system_mail_hold(self, name, failure):
        """The server may have accepted the message, and a second copy is not wanted.

        :param str name: the mailbox's
        :return: what an event says of the failure
        """
        decision = classify(failure)
        notifications = self._system_mail_notifications()
        self._system_mail_fail(f"{name}: {describe(failure, decision)}", HELD)
        why = Why(decision.rule, failure.code or False, failure.enhanced or False)
        notifications._system_mail_explain(why)
        return {**why._asdict(), "phase": failure.phase.value, "answer": failure.text}

    def _system_mail_without_awaited(self):
        """Those of the mails that may be sent now. Where nobody has stored a reply in time, the
        mail may have been delivered: to others than colleagues it is not sent again.
        """
        unanswered = self.filtered("system_mail_reply_until")
        if not unanswered:
            return self
        over = unanswered.filtered(lambda mail: not mail._system_mail_is_awaited())
        over = over.try_lock_for_update()
        internal = over._system_mail_internal()
        for mail in over:
            server_sudo = mail.sudo().system_mail_reply_server_id
            mail._system_mail_end_wait()
            if mail.id not in internal:
                mail._system_mail_hold_unanswered(server_sudo)
        return self - unanswered + over.browse(internal)

    def _system_mail_hold_unanswered(self, server_sudo):
        [company_id] = self._system_mail_companies().values()
        event = {
            **MailInfo.of(self)._asdict(),
            "kind": "held",
            "company_id": company_id,
            "server_id": server_sudo.id,
            "server_name": server_sudo.name or "Odoo",
            "recipient_count": len(self.recipient_ids) or 1,
        }
        event |= self._system_mail_hold(event["server_name"], NO_REPLY)
        self.env["system.mail.event"].write_down([event])

    def _system_mail_go_on_waiting(self):
        """Core has begun to send the mail, which had to wait."""
        self._system_mail_leave_to_queue(self.system_mail_reply_until)
