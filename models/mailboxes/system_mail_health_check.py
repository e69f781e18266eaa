import collections
import datetime
import random

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import split_every

from ...failover import breaker as circuit
from ...failover.connection import MailboxError
from ...failover.failure import Phase
from ...failover.rules import classify
from ...tools.database_clock import database_now
from ...tools.odoo_20 import parameter
from ...tools.own_cursor import own_environment
from .ir_mail_server_check import CHECKS_OF_A_HOST

CHECK_INTERVAL = datetime.timedelta(hours=6)
"""A mailbox that neither succeeded nor failed for about so long is checked."""
RETRY_INTERVAL = datetime.timedelta(minutes=25)
"""The same for one that failed last, but is still in use."""

RENEWAL_INTERVAL = datetime.timedelta(days=1)


class SystemMailHealth(models.Model):
    _inherit = "system.mail.health"

    @api.model
    def _may_check(self):
        """Whether mailboxes may be checked on a schedule: only if System Mail is in use, and never
        in a copy of the database, which would log in as real people.
        """
        in_use = self.env["res.company"].system_mail_policies()
        return bool(in_use) and not parameter(self.env, "database.is_neutralized")

    # --- mailboxes in use

    @api.model
    def _cron_sweep(self):
        """Check the mailboxes that were not used for hours, so that a failure is known before their
        mail fails. ``_cron_probe`` checks those that are out of order.
        """
        servers = self._due_for_check() if self._may_check() else self.env["ir.mail_server"]
        cron = self.env["ir.cron"]
        seconds = cron._commit_progress(remaining=len(servers))
        for _server, _trouble in servers.system_mail_check_in_parallel(seconds=seconds):
            cron._commit_progress(1)  # when time is up no more begin; those under way count
        if servers and not seconds:
            # Otherwise Odoo would go on only in a minute.
            self.env.ref("system_mail.ir_cron_sweep")._trigger()
        else:
            self._renew_idle_tokens()

    @api.model
    def _renew_idle_tokens(self):
        """Use the refresh tokens that would lapse because nobody does; without System Mail, too.
        A mailbox whose token cannot be renewed for now is tried again in a day.
        """
        if parameter(self.env, "database.is_neutralized"):
            return
        servers = self.env["system.mail.oauth.token"].idle_mailboxes()
        cron, lately = self.env["ir.cron"], fields.Datetime.now() - RENEWAL_INTERVAL
        failed = Domain("state", "=", "disconnected") | Domain("last_failure", ">", lately)
        for server in servers - self.search(failed).server_id:
            seen = self.snapshot(server)
            try:
                server.system_mail_refresh()
            except MailboxError as exc:
                self.note_failure(server, seen, exc.failure, classify(exc.failure))
            if not cron._commit_progress():
                break

    @api.model
    def _due_for_check(self):
        """The mailboxes in use that are due for a check, the longest unused first. At a server that
        is down, only a probe is tried.
        """
        now = fields.Datetime.now()
        servers = self.env["ir.mail_server"].search(
            ["|", ("owner_user_id", "=", False), ("owner_user_id.active", "=", True)]
        )
        known = {health.server_id: health for health in self.search([])}
        known = collections.defaultdict(self.browse, known)
        of_servers = self.env["system.mail.server.health"]
        down, urgent = of_servers.mailboxes_down(), of_servers.untried_system_mail()
        due = servers.filtered(lambda server: known[server]._is_due_for_check(now, down))
        return urgent | due.sorted(lambda server: known[server]._last_heard())

    def _is_due_for_check(self, now, down):
        """
        :param down: the mailboxes at servers that are down
        """
        if not self:
            return True
        if self.breaker_state != circuit.State.CLOSED or (
            self.by_server and self.server_id in down
        ):
            return False
        # A different interval for each mailbox, so that no provider sees all of them at once.
        spread = random.Random(self.server_id.id).uniform(0.75, 1.25)  # noqa: S311
        interval = RETRY_INTERVAL if self._failed_last() else spread * CHECK_INTERVAL
        return now >= self._last_heard() + interval

    @api.model
    @api.private
    def heard_since(self, moment):
        """The mailboxes that worked or failed since then."""
        lately = Domain("last_success", ">=", moment) | Domain("last_failure", ">=", moment)
        return self.search(lately).server_id

    def _last_heard(self):
        return max(
            self.last_success or datetime.datetime.min, self.last_failure or datetime.datetime.min
        )

    # --- mailboxes out of order

    @api.model
    def _cron_probe(self):
        """Probe the mailboxes that are due: only log in, never send a person's mail."""
        due = self.browse()
        if self._may_check():
            with own_environment(self.env) as env:  # senders write of the same servers meanwhile
                servers, mailboxes = env["system.mail.server.health"], env[self._name]
                due = self.browse((servers.due_for_probe() | mailboxes._due_for_probe()).ids)
        cron = self.env["ir.cron"]
        seconds = cron._commit_progress(remaining=len(due))
        for ids in split_every(CHECKS_OF_A_HOST, due.ids):
            if not seconds:
                break
            leased = self.browse(ids).exists().filtered(lambda health: health._lease_apart())
            seconds = cron._commit_progress(len(ids) - len(leased))
            for _server, _trouble in leased.server_id.system_mail_check_in_parallel(always=True):
                seconds = cron._commit_progress(1)

    @api.model
    def _due_for_probe(self):
        now = database_now(self.env)
        out_of_order = self.search(
            Domain("breaker_state", "!=", circuit.State.CLOSED.value)
            & Domain("by_server", "=", False)
            & Domain("server_id.active", "=", True),
            order="next_probe_at",
        )
        due = out_of_order.filtered(lambda h: circuit.allows(h._breaker(), now) == "probe")
        risky = due.filtered(lambda health: health._is_password_rejected())
        return due - risky | self._one_of_each_server(risky)

    def _is_password_rejected(self):
        return self.state == "disconnected" and self.phase == Phase.AUTH.value

    @api.model
    def _one_of_each_server(self, healths):
        """The first of the mailboxes at each server: one wrong password is tried there at once."""
        first = {}
        for health in healths:
            place = self.env["system.mail.server.health"].place(health.server_id)
            first.setdefault(place, health)
        return self.union(*first.values())

    def _lease_apart(self):
        """Take the lease of the mailbox, or of its server if that is down, on an own cursor: the
        other workers must see it while this one probes.
        """
        place = self.env["system.mail.server.health"].place(self.server_id)

        def lease_if_due(health):
            if not health:  # it may just have been deleted
                return False
            hosts = health.env["system.mail.server.health"]
            of_server = hosts.lease(place)
            if of_server is not None:
                return of_server
            if health._is_password_rejected() and not hosts.may_risk_password(place):
                return False
            return health._lease_if_due()

        return self._read(self.server_id, lease_if_due, otherwise=False)
