import datetime
import logging
import random
import typing

import psycopg2

from odoo import api, fields, models
from odoo.fields import Domain

from ...failover import breaker as circuit
from ...failover.budget import SLOW
from ...failover.failure import Decision, Effect, Failure, Kind, Phase, Verdict
from ...failover.rules import COMPROMISED
from ...failover.session import RouteClosed
from ...failover.words import describe
from ...tools.log_throttle import LogThrottle
from ...tools.own_cursor import own_environment
from ...tools.reasons import remedy_in_words

_logger = logging.getLogger(__name__)
_throttle = LogThrottle()

SUCCESS_INTERVAL = datetime.timedelta(hours=1)
"""The success of a mailbox in order is written no more often than this."""
NETWORK_WINDOW = datetime.timedelta(minutes=10)
QUICK_SESSIONS = 3
"""So many in a row, and a slow mailbox is slow no more."""


class Snapshot(typing.NamedTuple):
    """The health of a mailbox as a sender read it before it connected."""

    state: str
    last_success: datetime.datetime | None
    """None also if the mailbox has failed since, or is in doubt."""
    generation: int
    is_slow: bool = False


UNSEEN = Snapshot("not_connected", None, 0)


class SystemMailHealth(models.Model):
    """What is known about a mailbox: one row for each mailbox that was ever tried. It is not a part
    of ``ir.mail_server``, because the sending transaction writes there: two workers that write the
    same row would conflict, and Odoo would send again.
    """

    _name = "system.mail.health"
    _inherit = "system.mail.failure"
    _description = "Mailbox Health"
    _rec_name = "server_id"
    _order = "server_id"

    server_id = fields.Many2one("ir.mail_server", required=True, ondelete="cascade", readonly=True)
    state = fields.Selection("states", required=True, default="connected", readonly=True)
    remedy_key = fields.Char(readonly=True)
    remedy = fields.Char(compute="_compute_remedy", help="What to do about it.")
    since = fields.Datetime(default=fields.Datetime.now, readonly=True)
    last_success = fields.Datetime(readonly=True)
    last_failure = fields.Datetime(readonly=True)
    failure_count = fields.Integer(readonly=True, help="Failed connections since the last success.")
    next_probe_at = fields.Datetime(
        "Next Check", readonly=True, help="Until then no message is tried by this mailbox."
    )

    phase = fields.Char(readonly=True)
    kind = fields.Char(readonly=True)
    answer = fields.Char("Provider's Answer", readonly=True)

    breaker_state = fields.Char(default=circuit.State.CLOSED.value, required=True, readonly=True)
    effect = fields.Char(default=Effect.NONE.value, required=True, readonly=True)
    first_failure_at = fields.Datetime(readonly=True)
    opened_at = fields.Datetime(readonly=True)
    delay = fields.Float(readonly=True)
    generation = fields.Integer(default=0, readonly=True)
    slow_seconds = fields.Float(
        readonly=True,
        help="How long its last slow session took; 0 if it is not slow. While it is slow, its "
        "mail is sent from the mail queue, and nobody waits for it.",
    )
    quick_sessions = fields.Integer(readonly=True, help="In a row, since the last slow one.")

    _server_uniq = models.Constraint("UNIQUE(server_id)", "A mailbox has one health.")

    @api.model
    @api.private
    def states(self):
        return [
            ("not_connected", self.env._("Not connected")),
            ("connected", self.env._("Connected")),
            ("unstable", self.env._("Unstable")),
            ("disconnected", self.env._("Disconnected")),
        ]

    @api.depends("remedy_key")
    @api.depends_context("lang")
    def _compute_remedy(self):
        for health in self:
            health.remedy = remedy_in_words(self.env, health.remedy_key)

    # --- before a connection

    @api.model
    @api.private
    def look(self, server):
        """The health of a mailbox, for a sender that uses it only if it is in order.

        :rtype: Snapshot
        :raises RouteClosed: the mailbox is out of order; only the scheduled action tries it again
        """
        return self._read(server, lambda health: health._as_allowed(), UNSEEN)

    @api.model
    @api.private
    def snapshot(self, server):
        """The health of a mailbox, for a check that also tries a mailbox out of order.

        :rtype: Snapshot
        """
        return self._read(server, lambda health: health._as_seen(), UNSEEN)

    @api.model
    @api.private
    def slow_server_ids(self):
        """The ids of the mailboxes that are slow now.

        :rtype: set[int]
        """
        return set(self.search([("slow_seconds", ">", 0)]).server_id.ids)

    @api.model
    def _read(self, server, read, otherwise):
        """Call ``read`` with the mailbox's row, or with an empty recordset, on an own cursor.

        :return: what ``read`` returns; ``otherwise`` after an error of the database, which must not
            stop the sending
        """
        try:
            with own_environment(self.env) as env:
                return read(env[self._name].search([("server_id", "=", server.id)]))
        except psycopg2.Error as exc:
            _logger.warning("The health of mailbox %s is not known: %s", server.id, exc)
            return otherwise

    def _as_allowed(self):
        if self and circuit.allows(self._breaker(), fields.Datetime.now()) != "send":
            raise RouteClosed(self._last_failure(), self._last_decision())
        return self._as_seen()

    def _as_seen(self):
        if not self:
            return UNSEEN
        in_doubt = self._failed_last() or self._is_doubted(fields.Datetime.now())
        last_success = not in_doubt and self.last_success
        return Snapshot(self.state, last_success or None, self.generation, bool(self.slow_seconds))

    @api.model
    def _connected(self, server, certificate=b""):
        """Note that the mailbox has just been connected. This is written in the same transaction:
        other cursors do not see the new mailbox yet.

        :param bytes certificate: as for ``note_success``
        """
        ends_on = self._certificate_end(server, certificate)
        self._of(server)._write_success(fields.Datetime.now(), ends_on)

    @api.private
    def give_new_chance(self):
        """Use the mailboxes again, since their credentials or servers changed. Results of attempts
        that began earlier are dropped.
        """
        for health in self:
            health.write(self._breaker_values(circuit.after_change(health._breaker())))
            health.write({"slow_seconds": 0, "quick_sessions": 0})
        self.flush_recordset()

    def _breaker(self):
        self.ensure_one()
        return circuit.Breaker(
            state=circuit.State(self.breaker_state),
            failure_count=self.failure_count,
            first_failure_at=self.first_failure_at or None,
            opened_at=self.opened_at or None,
            next_probe_at=self.next_probe_at or None,
            delay=self.delay,
            generation=self.generation,
            reason_effect=Effect(self.effect),
        )

    @staticmethod
    def _breaker_values(breaker):
        return {
            "breaker_state": breaker.state.value,
            "failure_count": breaker.failure_count,
            "first_failure_at": breaker.first_failure_at,
            "opened_at": breaker.opened_at,
            "next_probe_at": breaker.next_probe_at,
            "delay": breaker.delay,
            "generation": breaker.generation,
            "effect": breaker.reason_effect.value,
        }

    def _last_failure(self):
        return Failure(
            Phase(self.phase),
            self.smtp_code or None,
            self.enhanced_code or None,
            self.answer or "",
            Kind(self.kind),
            all_recipients=True,  # otherwise it would not be the mailbox's failure
        )

    def _last_decision(self):
        """The stored decision on the last failure. The server's reply is not classified again."""
        return Decision(
            Verdict.FALLBACK,
            Effect(self.effect),
            self.rule or "unavailable",
            self.remedy_key or "none",
            internal_only=self.rule in COMPROMISED,
        )

    def _lease_if_due(self):
        """Take the lease if a probe is due and no other worker has it. Never waits for a lock.

        :return: whether this worker got the lease
        """
        breaker, now = self._breaker(), fields.Datetime.now()
        if circuit.allows(breaker, now) != "probe":
            return False
        leased = circuit.lease(breaker, now)
        self.env.cr.execute(
            """UPDATE system_mail_health
                  SET breaker_state = %s, next_probe_at = %s, generation = %s
                WHERE id = (SELECT id FROM system_mail_health
                             WHERE id = %s AND generation = %s FOR UPDATE SKIP LOCKED)
            RETURNING id""",
            [
                leased.state.value,
                leased.next_probe_at,
                leased.generation,
                self.id,
                self.generation,
            ],
        )
        taken = self.env.cr.fetchone()
        self.invalidate_recordset()
        return bool(taken)

    # --- after it

    @api.model
    def _record(self, server, seen, write):
        """Call ``write`` with the mailbox's row, locked, on an own cursor. An error of the database
        is logged, and does not stop the sending.

        :param Snapshot seen: as ``look`` returned it; if the row has changed since, the result is
            late, and ``write`` is not called
        :return: the generation of the row after that; results of earlier ones are late
        """
        try:
            with own_environment(self.env) as env:
                health = env[self._name]._locked(server.with_env(env), seen.generation)
                if health:
                    write(health)
                    return health.generation
        except psycopg2.Error as exc:
            _logger.warning("The health of mailbox %s was not written: %s", server.id, exc)
        return seen.generation

    @api.model
    def _locked(self, server, generation):
        """The mailbox's row, locked; empty if it changed since ``generation``, or is deleted."""
        self._of(server)
        self.env.cr.execute(
            "SELECT id FROM system_mail_health WHERE server_id = %s AND generation = %s FOR UPDATE",
            [server.id, generation],
        )
        return self.browse(row[0] for row in self.env.cr.fetchall())

    @api.model
    def _of(self, server):
        """The mailbox's row, created if there is none yet; empty if the mailbox is deleted."""
        mailbox = [("server_id", "=", server.id)]
        if health := self.search(mailbox):
            return health
        # one worker at a time creates the row: the others wait here, and then find it
        key = f"{self._name}:{server.id}"
        self.env.cr.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [key])
        health = self.search(mailbox)
        if health or not server.exists():
            return health
        return self.create({"server_id": server.id, "state": "not_connected"})

    @api.model
    @api.private
    def note_success(self, server, seen, certificate=b"", seconds=None):
        """Note that the mailbox sent a message: it is connected. This is written only if the state
        changes, while the mailbox is slow, or after SUCCESS_INTERVAL.

        :param Snapshot seen: what ``look`` returned
        :param bytes certificate: what the server showed (``failover.connection.Trace``)
        :param float seconds: how long the connection and a message took; None if none was sent
        """
        now = fields.Datetime.now()
        known = seen.state == "connected" and seen.last_success
        speed_is_known = seconds is None or not (seen.is_slow or seconds >= SLOW)
        if known and speed_is_known and now - seen.last_success < SUCCESS_INTERVAL:
            return
        ends_on = self._certificate_end(server, certificate)
        self._record(server, seen, lambda health: health._write_success(now, ends_on, seconds))

    def _write_success(self, now, certificate_ends_on, seconds=None):
        before = self.state
        self.write(
            {
                **self._breaker_values(circuit.after_success(self._breaker())),
                "state": "connected",
                "rule": False,
                "remedy_key": False,
                "answer": False,
                "last_success": now,
                "doubted_at": False,
                "certificate_ends_on": certificate_ends_on,
                "since": self.since if before == "connected" and self.last_success else now,
                **self._speed_values(seconds),
            }
        )
        if before in ("unstable", "disconnected"):
            self.env["system.mail.outage"].note_success(self)
            self.env["mail.mail"].system_mail_wake(self.server_id)
            self.env["system.mail.alert"].look_soon()
            self._tell(logging.INFO, "it works again")
        if before == "disconnected":
            self._log_event("reconnected")
            self.server_id.owner_user_id.system_mail_push_state()

    @api.model
    @api.private
    def note_slow(self, server, seen, seconds):
        """Note that a person did not wait for the mailbox any longer. It may work all the same.

        :param Snapshot seen: what ``look`` returned
        :param float seconds: how long the person waited for it
        """
        if not seen.is_slow:
            slow = {"slow_seconds": seconds, "quick_sessions": 0}
            self._record(server, seen, lambda health: health.write(slow))

    def _speed_values(self, seconds):
        """The fields that say whether the mailbox is slow, after a session.

        :param float seconds: how long the session took; None if that is not known
        """
        if seconds is None or not (self.slow_seconds or seconds >= SLOW):
            return {}
        if seconds >= SLOW:
            return {"slow_seconds": seconds, "quick_sessions": 0}
        quick = self.quick_sessions + 1
        is_quick = quick >= QUICK_SESSIONS
        return {
            "slow_seconds": 0 if is_quick else self.slow_seconds,
            "quick_sessions": 0 if is_quick else quick,
        }

    @api.model
    @api.private
    def note_failure(self, server, seen, failure, decision):
        """Note that the mailbox failed.

        :param Snapshot seen: what ``look`` returned
        :param Decision decision: on the failure; its effect is not NONE
        :return: as ``_record``
        """
        now = fields.Datetime.now()
        return self._record(
            server, seen, lambda health: health._write_failure(failure, decision, now)
        )

    def _write_failure(self, failure, decision, now):
        before = self.state
        self.last_failure = now
        # rejected credentials stay the reason, whatever fails later
        replaces_reason = (
            self.effect != Effect.DISCONNECTED or decision.effect is Effect.DISCONNECTED
        )
        if replaces_reason:
            self.write(
                {
                    "phase": failure.phase.value,
                    "kind": failure.kind.value,
                    "smtp_code": failure.code,
                    "enhanced_code": failure.enhanced,
                    "answer": failure.text,
                }
            )
        if not (circuit.is_network_failure(failure) and self._own_network_suspected(now)):
            self._trip(failure, decision, now)
            if replaces_reason:
                self.write({"rule": decision.rule, "remedy_key": decision.remedy})
        cron = self.env.ref("system_mail.ir_cron_probe", raise_if_not_found=False)
        if cron and self.next_probe_at:
            cron._trigger(self.next_probe_at)
        self._tell_failure(failure, decision, has_changed=self.state != before)
        if self.state != before:
            self.env["system.mail.outage"].note_failure(self)
            self.env["system.mail.alert"].look_soon()
        if self.state == "disconnected" != before:
            self._log_event("disconnected")
            self.server_id.owner_user_id.system_mail_push_state()
        if decision.effect is Effect.PROVIDER_MISCONFIGURED:
            providers = self.env["system.mail.oauth.provider"]
            provider = providers.of_server(self.server_id)
            provider.tell_client_rejected(failure, decision)

    def _trip(self, failure, decision, now):
        """Count the failure; the breaker may open."""
        after = circuit.after_failure(
            self._breaker(),
            decision.effect,
            failure.kind,
            now,
            random.SystemRandom(),
            quota=decision.quota,
            retry_after=failure.retry_after,
        )
        state = after.reason_effect.state or self.state
        since = now if state != self.state else self.since
        self.write({**self._breaker_values(after), "state": state, "since": since})

    def _own_network_suspected(self, now):
        """Whether our own network is the likely cause of this failure: most of the servers tried in
        the last minutes did not answer at all.
        """
        recent = Domain("last_failure", ">=", now - NETWORK_WINDOW)
        recent |= Domain("last_success", ">=", now - SUCCESS_INTERVAL)
        hosts, failed, unresolved = set(), set(), set()
        for health in self.search(recent) | self:
            host = health.server_id.smtp_host
            hosts.add(host)
            if not health._failed_last():
                continue
            if health.phase and circuit.is_network_failure(health._last_failure()):
                failed.add(host)
                if health.kind == Kind.UNKNOWN_HOST.value:
                    unresolved.add(host)
        return circuit.own_network_suspected(len(hosts), len(failed), len(unresolved))

    def _failed_last(self):
        return bool(self.last_failure) and self.last_failure >= (
            self.last_success or self.last_failure
        )

    # --- the log of the server

    def _tell_failure(self, failure, decision, has_changed):
        what = describe(failure, decision)
        if not has_changed:
            self._tell(logging.INFO, what)
            return
        companies = self.env["res.company"]
        what += f"; it is {self.state}"
        if self.server_id.id in companies.system_mail_server_ids():
            what += ", and mail waits for it"
        elif self.server_id.system_mail_company().id in companies.system_mail_policies():
            what += ", and System Mail carries its mail"
        self._tell(logging.WARNING, what)

    def _tell(self, level, what):
        """Log a line about the mailbox, unless there are too many about its server."""
        server_sudo = self.server_id.sudo()
        place = server_sudo.smtp_host, server_sudo.smtp_port
        left_out = _throttle.admit(place)
        if left_out is None:
            return
        name = server_sudo.from_filter or server_sudo.smtp_user or server_sudo.name
        more = f" ({left_out} more lines about this server were left out)" if left_out else ""
        _logger.log(level, "mailbox %s at %s:%s: %s%s", name, *place, what, more)

    def _log_event(self, kind):
        self.ensure_one()
        server = self.server_id
        self.env["system.mail.event"].create(
            {
                "kind": kind,
                "company_id": server.system_mail_company().id,
                "user_id": server.owner_user_id.id,
                "server_id": server.id,
                "phase": self.phase,
                "smtp_code": self.smtp_code,
                "enhanced_code": self.enhanced_code,
                "rule": self.rule,
            }
        )
