import collections
import datetime
import random

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools.translate import LazyTranslate

from ...constants import HELD, WAITING
from ...failover.breaker import LONGEST_WAIT, backoff, expired
from ...failover.session import AT_ONCE
from ...failover.words import KILLED
from ...sending.queue_run import QueueRun
from ...tools.moments import moment_in_words

_lt = LazyTranslate(__name__)

HELD_MAIL = Domain("state", "=", "exception") & Domain("failure_type", "=", HELD)
WAITING_MAIL = (
    Domain("state", "=", "outgoing")
    & Domain("failure_reason", "!=", False)
    & Domain("failure_type", "=", False)
)
AWAITED_MAIL = Domain("state", "=", "outgoing") & Domain("system_mail_reply_until", "!=", False)
"""It was sent, and its server may still confirm it."""
UNDECIDED = HELD_MAIL | WAITING_MAIL | AWAITED_MAIL
FAILED_DAYS = 7
OUTCOMES = {
    "sent": (_lt("1 message was sent."), _lt("%(count)s messages were sent.")),
    "underway": (_lt("1 message is being sent."), _lt("%(count)s messages are being sent.")),
    "limited": (
        _lt(
            "1 message waits for a limit of System Mail. It is sent on %(last_turn)s, or "
            "sooner if a Super User raises the limit in Settings."
        ),
        _lt(
            "%(count)s messages wait for a limit of System Mail. The last is sent on "
            "%(last_turn)s, or sooner if a Super User raises the limit in Settings."
        ),
    ),
    "waiting": (
        _lt("1 message still can't be sent. It is tried again on %(next_try)s."),
        _lt("%(count)s messages still can't be sent. The next try is on %(next_try)s."),
    ),
    "held": (
        _lt("1 message was sent, but the server did not confirm it. It may have been delivered."),
        _lt(
            "%(count)s messages were sent, but the server did not confirm them. They may "
            "have been delivered."
        ),
    ),
    "failed": (
        _lt("1 message could not be sent."),
        _lt("%(count)s messages could not be sent."),
    ),
}
"""What became of a message, and of several."""
LATE = datetime.timedelta(hours=2)
"""Odoo looks at its mail queue once an hour at the latest: what is due for longer is stuck."""


class MailMail(models.Model):
    """Mail that goes back to the queue: how long it waits, what wakes it, what people decide."""

    _inherit = "mail.mail"

    system_mail_attempts = fields.Integer(
        readonly=True,
        prefetch=False,  # only mail that waits is asked for it
        help="How often it went back to the queue.",
    )
    system_mail_waiting_since = fields.Datetime(readonly=True)

    def _system_mail_requeue(self, reason, retry_at=None):
        """Put the mails back into the queue, with growing delays. Mails that have waited too long
        fail.

        :param str reason: why they wait
        :param datetime retry_at: when our own limits allow them again, or AT_ONCE. This wait is not
            counted
        """
        if queue := QueueRun.of(self.env):
            queue.is_marked = False
        if retry_at == AT_ONCE:
            self._system_mail_leave_to_queue()
            return
        if retry_at:
            self.write({"system_mail_attempts": 0, "system_mail_waiting_since": False})
            self._system_mail_wait(reason, retry_at)
            return
        now = self._system_mail_now()
        alike = collections.defaultdict(self.browse)
        for mail in self:
            alike[mail.system_mail_attempts, mail.system_mail_waiting_since or now] |= mail
        for (attempts, since), mails in alike.items():
            if mails[0].system_mail_gives_up():
                mails._system_mail_fail(reason, "mail_smtp")
                continue
            delay = backoff(attempts + 1, random.SystemRandom())
            mails.write({"system_mail_attempts": attempts + 1, "system_mail_waiting_since": since})
            mails._system_mail_wait(reason, now + datetime.timedelta(seconds=delay))

    @api.private
    def system_mail_gives_up(self):
        """Whether the mail has waited too long, and fails now."""
        now = self._system_mail_now()
        return expired(
            self.system_mail_waiting_since or now, now, self._system_mail_give_up_hours()
        )

    @api.model
    def _system_mail_now(self):
        """The time by the clock of the database: the workers' clocks may differ."""
        return self.env.cr.now().replace(microsecond=0)

    def _system_mail_give_up_hours(self):
        return self.env["ir.config_parameter"].system_mail_number("system_mail.give_up_hours")

    def _system_mail_last_try(self):
        """Until when the mail is tried; False if it only waits for our own limits."""
        hours = datetime.timedelta(hours=self._system_mail_give_up_hours())
        return self.system_mail_waiting_since and self.system_mail_waiting_since + hours

    def _system_mail_leave_to_queue(self, due=False):
        """Have Odoo's queue send the mails then, or now, as if nobody had tried."""
        self.write(
            {
                "state": "outgoing",
                "scheduled_date": due,
                "failure_type": False,
                "failure_reason": False,
            }
        )
        self._system_mail_notifications().write(
            {"notification_status": "ready", "failure_type": False, "failure_reason": False}
        )
        self.system_mail_trigger_queue(due + datetime.timedelta(seconds=1) if due else None)

    def _system_mail_wait(self, reason, due):
        self.write(
            {
                "state": "outgoing",
                "scheduled_date": due,
                "failure_type": False,
                "failure_reason": reason,
            }
        )
        self._system_mail_notifications().write(
            {"notification_status": "ready", "failure_type": WAITING, "failure_reason": False}
        )
        # a second later, so that the mail is surely due then
        self.system_mail_trigger_queue(due + datetime.timedelta(seconds=1))

    @api.private
    def system_mail_put_off(self):
        """Put off a mail that had its worker killed again and again."""
        company_id = self._system_mail_companies()[self.id]
        is_ours = company_id in self.env["res.company"].system_mail_policies()
        if is_ours and not self._system_mail_is_mass_mailing():
            self._system_mail_requeue(KILLED)
        else:
            self.scheduled_date = self._system_mail_now() + datetime.timedelta(seconds=LONGEST_WAIT)

    # --- a mailbox works again

    def _system_mail_take_in_hand(self):
        """Lock the mails that waited before they are sent: nobody can wake them meanwhile, and a
        conflict with another worker shows before they are sent, not after.
        """
        if waited := self.filtered("system_mail_waiting_since"):
            self.env.cr.execute(
                "SELECT id FROM mail_mail WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [waited.ids]
            )

    @api.model
    @api.private
    def system_mail_wake(self, servers):
        """Send the mails that wait for these mailboxes, since they work again. The queue sends them
        at once; mails that another worker is sending are left out.

        :return: the mails that are due now
        """
        due = self._system_mail_lock_waiting_for(servers)
        if due:
            due.write({"scheduled_date": False, "system_mail_attempts": 0})
            self.system_mail_trigger_queue()
        return due

    @api.model
    @api.private
    def system_mail_wake_limited(self, companies):
        """Have the queue look again at the mails that wait for a limit of these companies, since it
        was changed. Those that still wait get a new turn.
        """
        turns = self.env["system.mail.usage"].sudo()
        turns = turns.search([("company_id", "in", companies.ids), ("waits_for", "!=", False)])
        waiting = self.sudo().browse(set(turns.mapped("mail_id"))).exists()
        due = waiting.filtered(lambda mail: mail.state == "outgoing").try_lock_for_update()
        if due:
            turns.filtered(lambda turn: turn.mail_id in due.ids).unlink()
            due.scheduled_date = False
            self.system_mail_trigger_queue()

    @api.model
    def _system_mail_lock_waiting_for(self, servers):
        """The mails that may wait for these mailboxes, the oldest first: mails of their owners,
        from the addresses of shared ones, and of the companies whose System Mail they are. Mails
        that wait for our own limits are not among them, nor mails that are due already: a worker
        may be sending these.
        """
        servers_sudo = servers.sudo()
        domain = Domain("state", "=", "outgoing") & Domain("system_mail_waiting_since", "!=", False)
        domain &= Domain("scheduled_date", ">", self._system_mail_now())
        waiting = self.sudo().search(domain, order="id")
        # Lock before reading: another worker may send a mail meanwhile, and delete it.
        waiting = waiting.try_lock_for_update()
        owners = servers_sudo.owner_user_id
        shared = servers_sudo.filtered(
            lambda server: server.from_filter and not server.owner_user_id
        )
        company_ids = set(servers_sudo.system_mail_companies().ids)
        companies = waiting._system_mail_companies() if company_ids else {}
        return waiting.filtered(
            lambda mail: (
                companies.get(mail.id) in company_ids
                or mail.mail_message_id.create_uid in owners
                or mail.author_id in owners.partner_id
                or any(
                    server._match_from_filter(mail.email_from, server.from_filter)
                    for server in shared
                )
            )
        )

    @api.model
    @api.private
    def system_mail_trigger_queue(self, at=None):
        """Have Odoo's queue run then, or now: a run of it that is going on looks for what is due by
        itself. Administrators can delete its scheduled action, or its external ID: then the mail
        waits for whatever sends it, as in Odoo.

        Now is what both the database's clock and this host's have reached: Odoo runs the queue by
        the former, and wakes its workers by the latter.
        """
        if at is None:
            if QueueRun.of(self.env):
                return
            at = min(fields.Datetime.now(), self._system_mail_now())
        queue = self.env.ref("mail.ir_cron_mail_scheduler_action", raise_if_not_found=False)
        if queue and queue._name == "ir.cron":
            queue.sudo()._trigger(at)

    def _system_mail_notifications(self):
        return (
            self.env["mail.notification"]
            .sudo()
            .search(
                [
                    ("notification_type", "=", "email"),
                    ("mail_mail_id", "in", self.ids),
                    ("notification_status", "not in", ("sent", "canceled")),
                ]
            )
        )

    # --- what people see

    @api.model
    @api.private
    def system_mail_counts(self):
        """How many mails wait, are held, have failed in the last days, and are due but not sent:
        ``{"waiting", "held", "failed", "late"}``. The filters of the list of mails are the same.
        """
        late = fields.Datetime.now() - LATE
        recent = Domain("create_date", ">=", f"today -{FAILED_DAYS}d")
        due = Domain("scheduled_date", "<", late)
        due |= Domain("scheduled_date", "=", False) & Domain("create_date", "<", late)
        domains = {
            "waiting": WAITING_MAIL,
            "held": HELD_MAIL,
            "failed": Domain("state", "=", "exception")
            & Domain("failure_type", "!=", HELD)
            & recent,
            "late": Domain("state", "=", "outgoing") & due,
        }
        ours = self.system_mail_of_companies()
        return {name: self.search_count(domain & ours) for name, domain in domains.items()}

    @api.model
    @api.private
    def system_mail_of_companies(self):
        """The domain of mail of the companies that the user works in now, and of no company."""
        companies = [False, *self.env.companies.ids]
        return Domain("mail_message_id.record_company_id", "in", companies)

    # --- what people decide

    def action_system_mail_send_again(self):
        """Send mails again that are held, wait or failed. Whoever clicks accepts a second copy of
        what may have been delivered.

        :return: the action that tells what became of them
        """
        mails_sudo = self._system_mail_undelivered()
        mails_sudo.with_env(self.env)._system_mail_log_decision(
            self.env._("Tried a message again that was held, waiting or failed")
        )
        return mails_sudo.system_mail_send_again()

    def action_system_mail_drop(self):
        """Send nothing more of mails that are held, wait or failed."""
        mails_sudo = self._system_mail_undelivered()
        mails_sudo.with_env(self.env)._system_mail_log_decision(
            self.env._("Dropped a message that was held, waiting or failed")
        )
        return mails_sudo.system_mail_drop()

    def _system_mail_undelivered(self):
        """Those of these mails on which somebody decides, as superuser.

        :raises AccessError: the current user may not decide on one of them
        """
        self.check_access("write")
        self.mail_message_id._system_mail_check_decision()
        return self.sudo().filtered(lambda mail: mail.state in ("outgoing", "exception"))

    def action_system_mail_open_document(self):
        """Open the message in its document, if the user may read it."""
        self.ensure_one()
        return self.env["system.mail.event"].open_message(self.mail_message_id.id)

    def _system_mail_check_undecided(self):
        """Check, in what is done to these mails by hand, that the current user may decide on those
        that are held or wait, and log that they did. Code in superuser mode may, and is logged too.

        :raises AccessError: they may not
        """
        companies, servers = self.env["res.company"], self.env["ir.mail_server"]
        if servers.system_mail_run() or not companies.system_mail_policies():
            return
        undecided_sudo = self.sudo().filtered_domain(UNDECIDED)
        if not self.env.su:
            undecided_sudo.mail_message_id.with_env(self.env)._system_mail_check_decision()
        undecided_sudo._system_mail_log_decision(
            self.env._("Somebody changed or deleted messages that were held or waiting")
        )

    def _system_mail_log_decision(self, what):
        """Log what the current user decided on these mails: an event for each message.

        :param str what: as people read it
        """
        companies = self._system_mail_companies()
        for message, mails in self.grouped("mail_message_id").items():
            self.env["system.mail.event"].note_change(
                what,
                self.env["res.company"].browse(companies[mails[0].id]),
                message_id=message.message_id,
                mail_message_id=message.id,
            )

    @api.private
    def system_mail_send_again(self):
        """Send mails that failed, were held or wait, after the transaction is committed. The time
        until they are given up begins anew.

        :return: the action that asks, after that, what became of them, and tells it
        """
        notifications = self._system_mail_notifications()
        notifications.write(
            {"notification_status": "ready", "failure_type": False, "failure_reason": False}
        )
        self.write(
            {
                "state": "outgoing",
                "scheduled_date": False,
                "failure_type": False,
                "failure_reason": False,
                "system_mail_attempts": 0,
                "system_mail_waiting_since": self._system_mail_now(),
            }
        )
        notifications._system_mail_push()
        message_ids = self.mail_message_id.ids
        self.send_after_commit()
        return {
            "type": "ir.actions.client",
            "tag": "system_mail_outcome",
            "params": {"message_ids": message_ids},
        }

    @api.private
    def system_mail_outcome_in_words(self, count):
        """What became of so many messages, of which these are the mails that are not sent.

        :return: a sentence for each outcome
        :rtype: list[str]
        """
        outgoing = self.filtered(lambda mail: mail.state == "outgoing")
        turns = self.env["system.mail.usage"].turns(outgoing)
        limited = self.browse().union(*turns)
        # what was woken meanwhile is due, and has no date
        waiting = self.filtered_domain(WAITING_MAIL).filtered("scheduled_date") - limited
        held = self.filtered_domain(HELD_MAIL)
        moments = {
            "next_try": min(waiting.mapped("scheduled_date"), default=None),
            "last_turn": max(turns.values(), default=None),
        }
        values = {name: moment_in_words(self.env, at) for name, at in moments.items() if at}
        outcomes = {
            "sent": count - len(self.mail_message_id),
            "underway": len((outgoing - limited - waiting).mail_message_id),
            "limited": len(limited.mail_message_id),
            "waiting": len(waiting.mail_message_id),
            "held": len(held.mail_message_id),
            "failed": len((self - outgoing - held).mail_message_id),
        }
        sentences = []
        for outcome, number in outcomes.items():
            if number:
                one, several = OUTCOMES[outcome]
                sentence = self.env._(one if number == 1 else several)
                sentences.append(sentence % {"count": number, **values})
        return sentences

    @api.private
    def system_mail_drop(self):
        """Cancel the mails: nothing more is sent.

        :return: a notification
        """
        notifications = self._system_mail_notifications()
        notifications.write({"notification_status": "canceled"})
        self.cancel()
        notifications._system_mail_push()
        count = len(self.mail_message_id)
        dropped = (
            self.env._("1 message was dropped.")
            if count == 1
            else self.env._("%(count)s messages were dropped.", count=count)
        )
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "message": dropped,
                "next": {"type": "ir.actions.act_window_close"},
            },
        }
