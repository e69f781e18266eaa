import ast
import collections
import contextlib
import email.policy
import functools
import logging
from email.errors import MessageError

import psycopg2

from odoo import api, fields, models
from odoo.api import SUPERUSER_ID
from odoo.fields import Command
from odoo.http import request
from odoo.tools import email_domain_extract, email_normalize, formataddr
from odoo.tools.mail import email_normalize_all

from odoo.addons.base.models.ir_mail_server import (
    MailDeliveryException,
    extract_rfc2822_addresses,
)

from ...constants import HELD, NOT_KEPT
from ...failover.policy import Fate
from ...sending.fire_drill import FireDrill, FireDrillRun
from ...sending.log_lines import told_as_it_is
from ...sending.parts import notification_values, parts_of
from ...sending.queue_run import QueueRun
from ...sending.send_run import SendRun, Treatment
from ...tools.commands import record_of
from ...tools.failure_reason import FailureReason, fetching

_logger = logging.getLogger(__name__)

AUTOMATIC = ("notification", "user_notification", "auto_comment", "out_of_office")
"""Types of messages that no person wrote to the recipient."""
RECIPIENT_HEADERS = ("To", "Cc", "Bcc")
UNREADABLE = (ValueError, LookupError, AttributeError, RecursionError, MessageError)
"""What Python may raise where it reads a header that somebody made up."""
DECIDE_WHO_READS = {"mail_message_id", "mailing_id"}
"""Fields of a mail that decide who reads why it was not sent."""
LONGEST_HEADER, LONGEST_ADDRESS = 4000, 500
"""Characters: twice as many take Python four times as long, and anybody may have a long address."""


def _addresses(text, longest=LONGEST_HEADER):
    if len(text) > longest:
        return {text}  # which is nobody's address
    return {*email_normalize_all(text)} or {*_addresses_in_header(text)}


@functools.lru_cache(1024)
def _addresses_in_header(text):
    """What Odoo takes for recipients where the text is a header's: also what a name has in it, and
    after Python has decoded encoded words (RFC 2047).
    """
    if len(text) > LONGEST_HEADER:
        return frozenset({text})
    try:
        texts = [text, str(email.policy.SMTP.header_factory("To", text))]
    except UNREADABLE:
        return frozenset({text})
    return frozenset(
        address.lower() for each in texts for address in extract_rfc2822_addresses(each)
    )


class MailMail(models.Model):
    _inherit = "mail.mail"

    failure_type = fields.Selection(
        selection_add=[(HELD, "It may have been delivered")], ondelete={HELD: "set unknown"}
    )
    failure_reason = FailureReason(readonly=True, copy=False)
    system_mail_split = fields.Boolean(
        readonly=True, help="Other mails of its message have the same content, for other people."
    )
    system_mail_served = fields.Char(
        readonly=True,
        help="Addresses to which another addon had sent an e-mail of its own for this mail. They "
        "are left out when the mail is tried again.",
    )
    system_mail_is_over = fields.Boolean(
        readonly=True,
        copy=False,
        prefetch=False,
        help="It was sent, and is deleted together with the other mails of its batch.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        """A mail of another's message would go out as that one, and decide what becomes of it."""
        if not self.env.su:
            for vals in vals_list:
                if vals.get("mail_message_id"):
                    self._system_mail_check_message(vals)
        return super().create(vals_list)

    # --- before sending

    @api.private  # Odoo sends them as superuser: over RPC, anybody could
    def send_after_commit(self):
        return super().send_after_commit()

    def send(self, auto_commit=False, raise_exception=False, post_send_callback=None):
        policies = self.env["res.company"].system_mail_policies()
        if not policies or self.env["ir.mail_server"]._disable_send():
            return super().send(auto_commit, raise_exception, post_send_callback)
        not_kept = self.env.context.get("system_mail_not_kept") is NOT_KEPT
        raise_exception = raise_exception or not_kept
        if not callable(post_send_callback):
            post_send_callback = None  # over RPC: an error now would have what has left sent again
        all_mails = self.union()  # likewise a mail that is named twice
        if not self.env.su:  # a person who does not wait until they are due decides on them
            now = fields.Datetime.now()
            early = self.filtered(lambda mail: mail.scheduled_date and mail.scheduled_date > now)
            (self if raise_exception else early)._system_mail_check_undecided()
        all_mails._system_mail_take_in_hand()
        mails_to_send = all_mails._system_mail_without_awaited()
        # where an error for some recipients would have the mail sent again, all share it
        groups = mails_to_send._system_mail_groups(policies, may_set_apart=not raise_exception)
        for (policy, treatment), mails in groups.items():
            run = None
            if policy:
                run = self._system_mail_new_run(policy, treatment, raise_exception)
            of_run = mails.with_context(
                system_mail_run=run,
                system_mail_drill=None,
                send_smtp_skip_to=None,  # over RPC: whom it names would get nothing, and it be over
            )
            try:
                with told_as_it_is(run), of_run._system_mail_telling_nobody_else():
                    super(MailMail, of_run).send(auto_commit, raise_exception, post_send_callback)
                    if run and (postponed := run.postponed_though_down()):
                        postponed.scheduled_date = False
                        super(MailMail, postponed).send(
                            auto_commit, raise_exception, post_send_callback
                        )
                if run:
                    self._system_mail_delete_over(run)
                    self.env["mail.notification"].browse(run.notified_ids)._system_mail_push()
            finally:
                if run:
                    run.close()
        return True

    def _system_mail_new_run(self, *args):
        drill, servers = FireDrill.of(self.env), self.env["ir.mail_server"]
        return FireDrillRun(drill, servers, *args) if drill else SendRun(servers, *args)

    def _system_mail_groups(self, policies, may_set_apart):
        """Group the mails by company and treatment.

        :param bool may_set_apart: give those recipients who are no colleagues mails of their own
        :return: ``{(Policy, Treatment): mails}``; both are None for mails that are left to Odoo
        """
        colleagues, companies = self._system_mail_known(), self._system_mail_companies()
        if may_set_apart:
            ours = self.filtered(lambda mail: policies.get(companies[mail.id]))
            apart = ours._system_mail_set_apart(colleagues)
            companies |= apart._system_mail_companies()
            self |= apart
        internal = self._system_mail_internal(colleagues)
        default_from = functools.cache(self._system_mail_default_from)
        groups = collections.defaultdict(list)
        for mail in self:
            policy, treatment = policies.get(companies[mail.id]), None
            if policy and not mail._system_mail_is_mass_mailing():
                treatment = Treatment(
                    in_scope=mail.id in internal
                    or policy.scope == "all"
                    or (policy.scope == "automatic" and mail.message_type in AUTOMATIC),
                    internal=mail.id in internal,
                    forced=bool(mail.mail_server_id),
                    default_from=default_from(mail.record_alias_domain_id, mail.email_from),
                )
            groups[policy if treatment else None, treatment].append(mail.id)
        return {group: self.browse(ids) for group, ids in groups.items()}

    def _system_mail_companies(self):
        """The company of each mail: its message's, or that of who sends it where that is unknown.

        :return: ``{mail id: company id}``
        """
        own = self.env.user.company_id  # the current one may be anybody's choice
        return {
            mail_sudo.id: (mail_sudo.mail_message_id._system_mail_company() or own).id
            for mail_sudo in self.sudo()
        }

    def _system_mail_set_apart(self, colleagues):
        """Have a mail of its own for those recipients of a notification who are no colleagues: one
        follower's address must not decide whether System Mail sends the message to the others.

        :param set colleagues: addresses
        :return: the new mails
        """
        apart = self.browse()
        for mail in self.with_user(SUPERUSER_ID):
            if mail.state != "outgoing" or not mail.is_notification or len(mail.recipient_ids) <= 1:
                continue
            others = mail.recipient_ids.filtered(
                lambda partner: not self._system_mail_addresses_of(partner) <= colleagues
            )
            if not others or others == mail.recipient_ids:
                continue
            if mail.try_lock_for_update(allow_referencing=True):  # or another worker is at it
                of_others = mail._system_mail_copy(
                    recipient_ids=[Command.set(others.ids)],
                    email_to=False,  # the addresses in both stay with the mail
                    email_cc=False,
                    system_mail_served=mail.system_mail_served,
                )
                apart |= of_others.with_env(self.env)
                mail.write(
                    {
                        "system_mail_split": True,
                        "recipient_ids": [Command.unlink(partner.id) for partner in others],
                    }
                )
                theirs = [("res_partner_id", "in", others.ids)]
                notifications = mail._system_mail_notifications().filtered_domain(theirs)
                notifications.mail_mail_id = of_others
        return apart

    def _system_mail_copy(self, **values):
        """A further mail of the same message, as core makes it in _split_by_delayed_batch."""
        copied = (
            self.with_user(self.create_uid)
            .sudo()
            .copy(
                {
                    "headers": self.headers,
                    "mail_message_id": self.mail_message_id.id,
                    "is_notification": True,
                    "system_mail_split": True,
                    **values,
                }
            )
        )
        return copied.with_env(self.env)

    def _system_mail_internal(self, colleagues=None):
        """The ids of the mails that go to colleagues only: each address to which a mail goes is the
        one address of an active internal user.

        :param set colleagues: as ``_system_mail_known`` has them
        """
        colleagues = self._system_mail_known() if colleagues is None else colleagues
        addresses = {mail.id: mail.system_mail_recipient_addresses() for mail in self}
        return {id_ for id_, found in addresses.items() if found and found <= colleagues}

    def _system_mail_known(self):
        """Those of the mails' addresses that are colleagues'."""
        addresses = set().union(*(mail.system_mail_recipient_addresses() for mail in self))
        return self._system_mail_colleagues(addresses)

    @api.private
    def system_mail_recipient_addresses(self):
        """The addresses to which Odoo sends the mail, normalized.

        :rtype: set[str]
        """
        found = _addresses(f"{self.email_to or ''},{self.email_cc or ''}")
        found = found.union(*map(self._system_mail_addresses_of, self.recipient_ids))
        return found | self._system_mail_header_addresses()

    @staticmethod
    def _system_mail_addresses_of(partner):
        # without an address, Odoo looks for one in the name
        of_name = formataddr((partner.name, "-"))
        return _addresses(partner.email or "", LONGEST_ADDRESS) or _addresses(
            of_name, LONGEST_ADDRESS
        )

    def _system_mail_header_addresses(self):
        """The addresses in headers of the mail's own: where a recipient has no valid address, Odoo
        sends to these.
        """
        headers = {}
        with contextlib.suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            headers = ast.literal_eval(self.headers or "{}")
        if not isinstance(headers, dict):
            return set()
        values = [str(v) for n, v in headers.items() if str(n).title() in RECIPIENT_HEADERS]
        return set().union(*map(email_normalize_all, values), *map(_addresses_in_header, values))

    @api.model
    def _system_mail_colleagues(self, addresses):
        """Those of the addresses that are the one address of an active internal user. A Super User
        may have said that only addresses in the companies' own domains count.

        :param set addresses: normalized
        :rtype: set[str]
        """
        if self.env["ir.config_parameter"].system_mail_number("system_mail.own_domains_only"):
            domains = self.env["res.company"].system_mail_own_domains()
            addresses = {a for a in addresses if email_domain_extract(a) in domains}
        users_sudo = self.env["res.users"].sudo()
        found = users_sudo.search_fetch(
            [("share", "=", False), ("email_normalized", "in", list(addresses))], ["partner_id"]
        )
        # who has several addresses has none that is surely their own
        return {email_normalize(partner.email) for partner in found.partner_id} & addresses

    def _system_mail_is_mass_mailing(self):
        return "mailing_id" in self._fields and bool(self.mailing_id)

    @api.model
    def _system_mail_default_from(self, alias_domain, email_from):
        """The notifications address that Odoo may use as From; "" if it is the author's own."""
        default = email_normalize(
            alias_domain.sudo().default_from_email
            or self.env["ir.mail_server"]._get_default_from_address()
        )
        return "" if not default or email_normalize(email_from) == default else default

    @api.model
    def _filter_mail_mail_servers(self, mail_servers):
        servers = super()._filter_mail_mail_servers(mail_servers)
        reserved = self.env["res.company"].system_mail_server_ids()
        return servers.filtered(lambda s: s.id not in reserved) if reserved else servers

    def _split_by_mail_configuration(self):
        """Begin each batch, in the queue when it is its turn. Leave out mails that wait no longer,
        or that another worker is sending: the queue would wait for that worker, and fail.

        If no mailbox can be connected, core marks the whole batch as failed. Mails that another
        worker has sent meanwhile, or that somebody has cancelled, would return to the queue.
        """
        batches = super()._split_by_mail_configuration()
        if queue := QueueRun.of(self.env):
            batches = queue.in_turn(batches)
        run = self.env["ir.mail_server"].system_mail_run()
        if run is None:
            yield from batches
            return
        for *configuration, ids in batches:
            batch = self.browse(ids).try_lock_for_update(allow_referencing=True)
            batch = batch.filtered(lambda mail: mail.state == "outgoing")
            if batch:
                self._system_mail_delete_over(run)
                run.begin_batch(batch)
                yield *configuration, batch.ids

    def _split_by_delayed_batch(self, mail_server):
        run = self.env["ir.mail_server"].system_mail_run()
        if run is None:
            return super()._split_by_delayed_batch(mail_server)
        if run.treatment.in_scope and mail_server.owner_user_id and run.is_unavailable(mail_server):
            return self  # System Mail sends these: the limit of the mailbox does not matter
        if run.is_left_to_queue(mail_server):
            return self  # the queue counts them
        to_send = super()._split_by_delayed_batch(mail_server)
        run.write_limits()
        run.note_postponed(mail_server, self - to_send)
        if copies := to_send - self:
            parts = copies | self.filtered(lambda m: m.mail_message_id in copies.mail_message_id)
            parts.system_mail_split = True
            copies.is_notification = True  # deleting a copy must not delete the message
        return to_send

    def _prepare_outgoing_list(self, *args, **kwargs):
        email_list = super()._prepare_outgoing_list(*args, **kwargs)
        if run := self.env["ir.mail_server"].system_mail_run():
            self._system_mail_take_in_hand()  # again: core may have committed since
            if self._system_mail_is_awaited():
                return []
            run.begin(self, email_list)
        return email_list

    # --- what a viewer may know

    def _fetch_query(self, query, fields):
        if self.env.su:  # as all that sends is: it reads reasons as they are
            return super()._fetch_query(query, fields)
        return super(MailMail, fetching(self))._fetch_query(query, fields).with_env(self.env)

    def _system_mail_hides_reason(self):
        message_sudo = self.sudo().mail_message_id
        return not self._system_mail_is_mass_mailing() and message_sudo._system_mail_hides_reasons(
            self.env.user
        )

    @contextlib.contextmanager
    def _system_mail_telling_nobody_else(self):
        """Within the block, an error says why a mail was not sent only to who may know it.

        :raises MailDeliveryException: as in Odoo
        """
        viewer = (request.env if request else self.env).user
        is_ours = bool(self.env["ir.mail_server"].system_mail_run())
        try:
            yield
        except MailDeliveryException:
            if not (is_ours and self.exists()._system_mail_hides_from(viewer)):
                raise
            raise MailDeliveryException(
                self.env._("It was not sent. Only who wrote it and Super Users see why.")
            ) from None

    def _system_mail_hides_from(self, viewer):
        """Whether a user, or a visitor, may not know why one of the mails was not sent."""
        if viewer.id == SUPERUSER_ID:
            return False
        messages_sudo = self.sudo().mail_message_id
        is_visitor = not viewer or viewer.share
        return is_visitor or any(m._system_mail_hides_reasons(viewer) for m in messages_sudo)

    # --- after sending

    def write(self, vals):
        """Leave out a Message-ID that does not change: core writes it on the message. Two workers
        that send mails of one message would conflict there, after the mails have left.
        """
        if not self.env.su:
            self._system_mail_check_undecided()
        self._system_mail_check_message(vals)
        if (
            "message_id" in vals
            and self.env["ir.mail_server"].system_mail_run()
            and all(mail.message_id == vals["message_id"] for mail in self)
        ):
            vals = {name: value for name, value in vals.items() if name != "message_id"}
        return super().write(vals)

    def _system_mail_check_message(self, vals):
        """Check that the current user may decide on the mail of the message that these mails have,
        and of the one that they get, also where Odoo writes as superuser for them.

        :raises AccessError: they may not
        """
        of_whom = DECIDE_WHO_READS & vals.keys()
        if not of_whom or self.env.uid == SUPERUSER_ID:
            return
        if self.env["ir.mail_server"].system_mail_run():
            return
        new = record_of(self.env["mail.message"], vals.get("mail_message_id"))
        new.system_mail_check_alerts()
        if self.env["res.company"].system_mail_policies():
            (self.sudo().mail_message_id | new.sudo()).with_env(
                self.env
            )._system_mail_check_decision()

    def _postprocess_sent_message(
        self, success_pids, success_emails, failure_reason=False, failure_type=None
    ):
        settle = super()._postprocess_sent_message
        run = self.env["ir.mail_server"].system_mail_run()
        if run is None:
            return settle(success_pids, success_emails, failure_reason, failure_type)
        if run.refusal:
            run.settle_refused(self)
            fate, troubles = run.refusal.report.fate(""), run.refusal.report.troubles[""]
            why = run.why(troubles, fate)
            with run.writing_notifications({}, (False, why)):
                if fate is Fate.DEFERRED:
                    self._system_mail_requeue(str(run.refusal), troubles[-1].retry_at)
                else:  # core writes the reason on the mail, but not on its notifications
                    self._system_mail_fail(str(run.refusal), failure_type)
            return True
        if len(self) == 1 and self._system_mail_is_awaited():
            self._system_mail_go_on_waiting()
            return True
        units = []
        if len(self) == 1:
            sent = {*success_pids, *email_normalize_all(", ".join(success_emails))}
            units = run.settle(self.id, self, sent, failed=bool(failure_reason or failure_type))
            if not all(unit.went_well for unit in units):
                self._system_mail_restore_body(run.bodies)
        waited = any(mail.system_mail_waiting_since for mail in self)
        writing = contextlib.nullcontext()
        if units or waited:
            writing = run.writing_notifications(*notification_values(run, units))
        with writing:
            none = not any(unit.reached for unit in units)
            if not units or (run.raise_exception and none):
                settle(success_pids, success_emails, failure_reason, failure_type)
            else:
                for part in self._system_mail_split(units, failure_type, failure_reason):
                    part.mail._system_mail_settle(part, may_wait=not run.raise_exception)
        return True

    def _system_mail_restore_body(self, bodies):
        """Another addon, such as OCA's mail_show_follower, may add to the body whenever the mail is
        sent. What is tried again must not have that twice.
        """
        body = bodies.get(self.id, self.body_html)
        if self.body_html != body:
            self.body_html = body

    def _system_mail_split(self, units, *failure):
        """Split the mail into one mail for each fate.

        The first part keeps the original mail, and the others get copies. Deleting the original may
        delete the message, but deleting a copy never does. So the original gets the fate with most
        to come.

        :param units: as ``Ledger.settle`` returns them
        :param failure: type and reason, of recipients that were not tried
        :return: the parts, each with its mail
        :rtype: list[Part]
        """
        parts = parts_of(self, units, *failure)
        if len(parts) == 1 and not parts[0].served:
            return parts
        notifications = (
            self.env["mail.notification"]
            .sudo()
            .search([("mail_mail_id", "=", self.id), ("notification_type", "=", "email")])
        )
        for part in parts[1:]:
            part.mail = self._system_mail_copy(**part.values())
            notifications.filtered(part.concerns).mail_mail_id = part.mail
        self.write({"system_mail_split": True, **parts[0].values()})
        return parts

    def unlink(self):
        """Keep the message of a split mail until its last part is deleted: core deletes the message
        with a mail that is no notification. Mails that core deletes after it has sent them are
        deleted by the batch: to delete one takes a fifth of the time of sending it.
        """
        run = self.env["ir.mail_server"].system_mail_run()
        if run and all(
            mail.auto_delete and mail.state == "sent" and not mail.system_mail_split
            for mail in self
        ):
            self.system_mail_is_over = True
            run.over_ids += self.ids
            return True
        self._system_mail_check_undecided()
        for mail in self.filtered(lambda mail: mail.system_mail_split and not mail.is_notification):
            left = [("mail_message_id", "=", mail.mail_message_id.id), ("id", "not in", self.ids)]
            if next_part := self.sudo().search(left, limit=1):
                next_part.is_notification = False
                mail.is_notification = True
        return super().unlink()

    def _system_mail_delete_over(self, run):
        """Delete the mails that the run has sent. If the database refuses, ``_gc_over`` does."""
        ids, run.over_ids = run.over_ids, []
        if not ids:
            return
        over_sudo = self.sudo().with_context(system_mail_run=None).browse(ids)
        try:
            with self.env.cr.savepoint():
                over_sudo.try_lock_for_update().unlink()
        except psycopg2.Error as exc:
            _logger.info("Sent mail is deleted later: %s", exc)

    @api.autovacuum
    def _gc_over(self):
        """Delete what was sent by a worker that was killed before it deleted it."""
        # what somebody has put back into the queue since is not over
        self.search([("system_mail_is_over", "=", True), ("state", "=", "sent")]).unlink()

    def _system_mail_settle(self, part, may_wait):
        """Store the fate of this mail and its notifications.

        :param Part part: the recipients of this mail
        :param bool may_wait: False: a deferred mail fails
        """
        settle = super()._postprocess_sent_message
        if part.fate is Fate.ACCEPTED:
            self.write({"state": "sent", "failure_type": False, "failure_reason": False})
            settle(success_pids=list(part.partners), success_emails=part.email_to)
        elif part.fate is Fate.AWAITED:
            run = self.env["ir.mail_server"].system_mail_run()
            self._system_mail_await(run.awaited(self, part.report))
        elif part.fate is Fate.DEFERRED and may_wait:
            self._system_mail_requeue(part.reason, part.retry_at)
        else:
            self._system_mail_fail(part.reason, part.failure_type)
            if len(set(part.reasons.values())) > 1:
                for notification in self._system_mail_notifications():
                    recipient = notification.res_partner_id or notification.mail_email_address
                    notification.failure_reason = part.reasons.get(recipient, part.reason)

    def _system_mail_fail(self, reason, failure_type):
        self.write(
            {
                "state": "exception",
                "failure_type": failure_type,
                "failure_reason": reason,
                "system_mail_attempts": 0,
                "system_mail_waiting_since": False,
            }
        )
        settle = super()._postprocess_sent_message  # pylint: disable=super-method-mismatch
        settle([], [], reason, failure_type)
