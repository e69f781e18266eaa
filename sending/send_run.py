"""One call of ``mail.mail.send``, for mails of one company and one Treatment."""

import functools
import logging
import time
import typing
import zlib

import psycopg2

from odoo.api import SUPERUSER_ID
from odoo.http import request
from odoo.tools import email_normalize
from odoo.tools.mail import email_normalize_all

from odoo.addons.base.models import ir_mail_server as core

from ..failover.budget import Budget
from ..failover.connection import Connection, MailboxError, Patience
from ..failover.failure import Effect, Failure, Kind, Phase
from ..failover.late_reply import LateReplies
from ..failover.rewrite import in_the_name_of, sender
from ..failover.session import (
    Admission,
    Route,
    RouteBusy,
    RouteClosed,
    Session,
    Undelivered,
    Unwatched,
)
from ..tools.own_cursor import own_environment
from ..tools.worker import MARGIN, time_limit
from .ledger import Ledger, writes_for_others
from .queue_run import QueueRun
from .refusals import refusals_as_failures

_logger = logging.getLogger(__name__)

LIMIT_FIELDS = {"owner_limit_time", "owner_limit_count"}
BUDGET = "system_mail.budget"
"""Where the Budget of a request is kept, in its environ."""
FOR_MAIL = 0.95
"""The part of a person's time that mail may take: the request has other work, too."""
LATE_REPLIES = LateReplies(10, of_people=8, of_one=2)
"""Those of this process: a thread waits for each (``sending/watcher.py``)."""


class Treatment(typing.NamedTuple):
    """What the routes of a mail depend on, besides its company."""

    in_scope: bool
    internal: bool
    forced: bool
    """The mail names the server to send it by."""
    default_from: str
    """The notifications address that Odoo would use as From if no server may send in the author's
    name; empty if it is the author's own address."""


class SendRun(Ledger):
    """Opens the sessions that the mails are sent by, and keeps the results (Ledger)."""

    def __init__(self, servers, policy, treatment, raise_exception):
        """
        :param servers: the ``ir.mail_server`` model, in the sender's environment
        :param Policy policy: the company's System Mail
        :param Treatment treatment: of all its mails
        :param bool raise_exception: as ``mail.mail.send`` has it
        """
        super().__init__(servers.env["system.mail.event"], policy, raise_exception)
        servers = servers.with_context(system_mail_run=self)
        self.treatment = treatment
        self.opening_system = False
        self._health = servers.env["system.mail.health"]
        self._usage = servers.env["system.mail.usage"]
        self._seen, self._cached_check, self._limits = {}, {}, {}
        self._own_routes, self._postponed, self._turns = {}, {}, set()
        self._budget = self._budget_of(servers.env)
        if QueueRun.of(servers.env):
            self.left_line = "%s message(s) make way in the mail queue: %s takes too long"
        self.systems = self._system_routes(servers) if treatment.in_scope else {}

    @staticmethod
    def _budget_of(env):
        """The time of the person who waits for this, or of a turn in the mail queue; otherwise no
        limit.

        :rtype: Budget
        """
        if not request:
            queue = QueueRun.of(env)
            return queue.budget() if queue else Budget()
        environ = request.httprequest.environ
        if BUDGET not in environ:
            seconds = env["ir.config_parameter"].system_mail_number("system_mail.person_seconds")
            environ[BUDGET] = Budget(seconds * FOR_MAIL) if seconds else Budget()
        return environ[BUDGET]

    # --- routes

    def session(self, server, smtp_from, connect):
        """Connect a session for one batch.

        Odoo's own connect is used if no server was chosen and System Mail may not send these mails.

        :param server: the ``ir.mail_server`` that Odoo chose; empty for its configuration file
        :param str smtp_from: the address to send from
        :param connect: core's ``_connect__``
        :return: a Session, or the session of Odoo or of another addon
        :raises Undelivered: no mailbox could be connected
        """
        is_mailbox = self._is_mailbox(server, smtp_from)
        if not is_mailbox and not self.systems and not server:
            return connect(mail_server_id=None, smtp_from=smtp_from)
        # where it would end in an error, the person waits as in Odoo, unless System Mail is next
        as_in_odoo = self.raise_exception and not (is_mailbox and self.systems)
        budget = Budget() if as_in_odoo else self._budget
        own = self._own_route(server, smtp_from, connect, budget)
        self._own_routes[server], last_resort = own, None
        if budget.is_limited and self.raise_exception:
            last_resort = self._own_route(server, smtp_from, connect, Budget())
        session = self._session(
            [own, *self.systems] if is_mailbox else [*self.systems, own],
            server,
            smtp_from,
            system_first=bool(self.systems) and not is_mailbox,
            last_resort=last_resort,
        )
        session.on_report = self._note
        session.is_distrusted = self._is_distrusted
        try:
            return session.open()
        except Unwatched as exc:
            return exc.session
        except Undelivered as exc:
            if self._mail:  # not for the batch: another addon sends a mail of its own meanwhile
                raise
            self.refusal = exc
            if self.raise_exception:  # then core does not call _postprocess_sent_message
                self.settle_refused(self.batch)
            raise

    def begin_batch(self, mails):
        """Begin a batch, and end the one before it: its events are written.

        :param mails: those that core opens the next session for
        """
        self._end_batch()
        self.batch, self._mail = mails, mails.browse()
        self.bodies = {mail.id: mail.body_html for mail in mails}
        self.refusal = None
        if self._budget.renew():
            for route in self.systems:
                route.take_next_turn()

    def system_session(self, mailbox):
        """Connect a session that uses only one mailbox of System Mail, to test it.

        :param SystemMailbox mailbox: one of the policy's
        :rtype: Session
        :raises Undelivered: it could not be connected
        """
        [route] = (route for route, of_route in self.systems.items() if of_route == mailbox)
        return self._session([route], route.mailbox, mailbox.address).open()

    def _session(self, routes, server, smtp_from, **options):
        return Session(
            routes,
            internal=self.treatment.internal,
            may_wait=not self.raise_exception,
            budget=self._budget,
            from_filter=server.from_filter if server else server._get_default_from_filter(),
            smtp_from=smtp_from,
            **options,
        )

    def _is_mailbox(self, server, smtp_from):
        """Whether the server is the author's own mailbox, personal or shared. A server without
        ``from_filter`` is not: it is Odoo's own sender.
        """
        if not server:
            return False
        if server.owner_user_id or self.treatment.forced:
            return True
        if email_normalize(smtp_from) == self.treatment.default_from:
            return False
        return bool(server.from_filter) and server._match_from_filter(smtp_from, server.from_filter)

    def _own_route(self, server, smtp_from, connect, budget):
        def open_own():
            self._require_available(server, budget)
            with refusals_as_failures(server, smtp_from):
                session = connect(mail_server_id=server.id or None, smtp_from=smtp_from)
            if not isinstance(session, Connection):
                raise Unwatched(session)
            return session

        return self._route(server, open_own, budget)

    def _system_routes(self, servers):
        """System Mail's routes, in order, with their mailboxes. One query reads all servers.

        :rtype: dict[Route, SystemMailbox]
        """
        mailboxes = self.policy.mailboxes
        of_system = servers.sudo().browse([mailbox.server_id for mailbox in mailboxes])
        return {
            self._system_route(servers, server, mailbox): mailbox
            for server, mailbox in zip(of_system, mailboxes, strict=True)
        }

    def _system_route(self, servers, server, mailbox):
        address, filter_ = mailbox.address, server.from_filter
        budget = Budget() if self.raise_exception else self._budget.for_another_mailbox()

        def open_system():
            self._require_available(server, budget)
            self.opening_system = True
            try:
                with refusals_as_failures(server, address):
                    session = servers._connect__(mail_server_id=server.id, smtp_from=address)
            finally:
                self.opening_system = False
            if not isinstance(session, Connection):  # another addon made it
                raise MailboxError(Failure(Phase.CONNECT, kind=Kind.INVALID, text=str(session)))
            return session

        @functools.cache
        def envelope(return_path):
            [bounce] = core.extract_rfc2822_addresses(return_path)[-1:] or [None]
            bounce_allowed = bounce and filter_ and server._match_from_filter(bounce, filter_)
            return bounce if bounce_allowed else address

        @functools.cache  # Odoo reads a contact anew for each mail, with all its fields
        def name_and_addresses(contact):
            contact_sudo = contact.sudo()
            return contact_sudo.name or "", email_normalize_all(contact_sudo.email or "")

        def rewrite(message, from_addr, author):
            known_as, own = name_and_addresses(self._mail.author_id)
            self.sent_from[mailbox] = sender(author, address, known_as)
            # from_addr may be the author's own address, which System Mail must not send from
            from_addr = envelope(str(message["Return-Path"] or ""))
            return in_the_name_of(message, address, author, known_as, own), from_addr

        is_limited = self.policy.limited or mailbox.limit_minute or mailbox.limit_day
        admit = functools.partial(self._admit, mailbox) if is_limited else None
        return self._route(server, open_system, budget, rewrite=rewrite, admit=admit, shared=True)

    def _admit(self, mailbox, recipient_count):
        try:
            number, row_id, over = self._usage.admit(
                self.policy,
                mailbox,
                self._whose_limit(),
                recipient_count,
                mail_id=None if self.raise_exception else self._mail.id,
                taken=self._turns,
            )
        except psycopg2.Error as exc:
            _logger.warning("System Mail's limits could not be checked: %s", exc)
            return Admission(recipient_count)
        return Admission(number, over, functools.partial(self._give_back, row_id))

    def _whose_limit(self):
        """The author's partner, for the limit of each author; 0 for unknown ones. What a visitor or
        OdooBot wrote has a number for its recipients and subject, below 0: visitors have links to
        choose a password sent, as many as they like, and must not keep others' back, or the codes
        to log in.
        """
        message_sudo = self._mail.sudo().mail_message_id
        writer = message_sudo.create_uid
        author = message_sudo.author_id if writes_for_others(writer) else writer.partner_id
        users = author.with_context(active_test=False).user_ids
        if not any(u.id == SUPERUSER_ID or u._is_public() for u in users):
            return author.id or 0
        alike = [self._mail.subject or "", *sorted(self._mail.system_mail_recipient_addresses())]
        return -1 - (zlib.crc32("\n".join(alike).encode()) >> 1)

    def _give_back(self, row_id, recipient_count):
        try:
            self._usage.give_back(row_id, recipient_count)
        except psycopg2.Error as exc:
            _logger.warning("System Mail's limits were not given back: %s", exc)

    def _route(self, server, connect, budget, **options):
        may_be_late = budget.may_leave and not self.raise_exception
        server_sudo = server.sudo()
        own_address = server_sudo.owner_user_id and server_sudo.from_filter
        return Route(
            server,
            connect,
            name=own_address or server_sudo.name or "Odoo",
            patience=patience(budget, may_be_late),
            late_replies=LATE_REPLIES if may_be_late else None,
            owner=server_sudo.owner_user_id.id or None,
            refresh=self._refresh(server) if server and server.system_mail_has_token() else None,
            on_failure=self._failed if server else None,
            on_success=self._succeeded if server else None,
            on_doubt=self._doubted if server else None,
            on_slow=self._slow if server else None,
            **options,
        )

    def _refresh(self, server):
        def refresh():
            server.system_mail_refresh()
            self._cached_check[server.id] = None  # the same attempt: do not check again

        return refresh

    def is_out_of_order(self, server):
        """Whether the mailbox is known to be out of order. The next connection to it uses the same
        answer, without another query.
        """
        try:
            self._seen[server.id] = self._health.look(server)
        except RouteClosed as exc:
            self._cached_check[server.id] = exc
            return True
        self._cached_check[server.id] = None
        return False

    def is_unavailable(self, server):
        """Whether System Mail sends this mailbox's mail: the mailbox is known to be out of order or
        this run could not log in to it.
        """
        route = self._own_routes.get(server)
        trouble = route and route.trouble
        failed = trouble and not trouble.is_cut_short and trouble.failure.phase.before_mail
        return bool(failed) or self.is_out_of_order(server)

    def is_left_to_queue(self, server):
        """Whether a person waits, and the mailbox is known to be slow: the queue sends its mail."""
        if self.raise_exception or not self._budget.is_limited:
            return False
        if server.id not in self._cached_check:
            self.is_out_of_order(server)
        return not self._cached_check[server.id] and self._seen[server.id].is_slow

    def note_postponed(self, server, mails):
        """Note mails that Odoo postpones because the mailbox has reached its limit."""
        if self.treatment.in_scope and mails:
            self._postponed[server] = mails | self._postponed.get(server, mails)

    def postponed_though_down(self):
        """The mails that Odoo postponed although their mailbox turned out to be down. Each is
        returned once.
        """
        postponed, self._postponed = self._postponed, {}
        of_down = [mails for server, mails in postponed.items() if self.is_unavailable(server)]
        return of_down and of_down[0].union(*of_down)

    def _require_available(self, server, budget):
        """Check what is known of the mailbox before it is connected.

        :raises RouteClosed: it is out of order
        :raises MailboxError: it is slow, and a person waits
        :raises RouteBusy: it still owes a reply
        """
        if not server:
            return
        if server.id not in self._cached_check:
            self.is_out_of_order(server)
        closed = self._cached_check.pop(server.id)
        if closed:
            raise closed
        if not self._seen[server.id].is_slow:
            return
        if budget.is_limited:
            raise MailboxError(Failure(Phase.CONNECT, kind=Kind.NO_TIME))
        if not self.raise_exception and (until := self.batch.system_mail_busy_until(server)):
            raise RouteBusy(until)

    def write_apart(self, servers, vals):
        """Write on an own cursor what core writes on a server while it sends: tokens at once, and
        the counter of sent mails later (``write_limits``).
        """
        if vals.keys() <= LIMIT_FIELDS:
            self._limits.setdefault(servers, {}).update(vals)
        else:
            self._write_apart(servers, vals)

    def write_limits(self):
        """Write the counters of sent mails, which are final now."""
        while self._limits:
            self._write_apart(*self._limits.popitem())

    @staticmethod
    def _write_apart(servers, vals):
        try:
            with own_environment(servers.env) as env:
                env[servers._name].browse(servers.ids).write(vals)
        except psycopg2.Error as exc:
            _logger.warning("%s of %s not written: %s", ", ".join(vals), servers, exc)

    def _failed(self, server, failure, decision):
        if decision.effect is Effect.NONE:
            return
        seen = self._seen[server.id]
        generation = self._health.note_failure(server, seen, failure, decision)
        # the next success must be written, and must not count as late
        self._seen[server.id] = seen._replace(last_success=None, generation=generation)

    def _succeeded(self, server, certificate, seconds):
        self._health.note_success(server, self._seen[server.id], certificate, seconds)

    def _slow(self, server, seconds, phase):
        """A person did not wait for this mailbox any longer."""
        self._health.note_slow(server, self._seen[server.id], seconds, phase)

    def _doubted(self, server, failure, message_id, address):
        """System Mail could send what this mailbox refused in words that no rule knows."""
        seen = self._seen[server.id]
        generation = self._health.note_doubt(server, seen, failure, message_id, address)
        # the next success must be written: it ends the doubt
        self._seen[server.id] = seen._replace(last_success=None, generation=generation)

    def _is_distrusted(self):
        """Whether both mailboxes refused a message of this author after its content within the last
        day.
        """
        return self._event_model.has_refused_author(self._mail)

    def close(self):
        """End the run: write the events of its last batch, and close System Mail.

        If the transaction failed, core did not ask for the results of all mails. Their events are
        written here, since their messages have been sent.
        """
        for mail_id in list(self._units):
            self.settle(mail_id)
        self._end_batch()
        for route in self.systems:
            route.close()


def patience(budget=None, may_be_late=False):
    """How long a server may take, in proportion to Odoo's own timeout for a command (60 s).

    After the content of a message (the dot), a request waits as long as for a command, unless its
    reply may be late. The queue waits up to ten times as long, but ends MARGIN before its
    worker's time limit, of which earlier scheduled actions may have used a part.

    :param Budget budget: what is left of a person's time; by default there is no such limit
    :param bool may_be_late: as for ``Patience``
    :rtype: Patience
    """
    timeout = core.SMTP_TIMEOUT
    dot = timeout
    if not request:
        limit = time_limit()
        dot = min(10 * timeout, max(limit - MARGIN, 30)) if limit else 10 * timeout
        dot = min(dot, budget.end - time.monotonic()) if budget else dot
    return Patience(
        log_in=min(12, timeout),
        command=timeout,
        body=3 * timeout,
        dot=dot,
        quit=min(5, timeout),
        budget=budget or Budget(),
        may_be_late=may_be_late,
    )
