import dataclasses
import datetime
import logging
import random
import typing

import psycopg2

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ...failover import breaker as circuit
from ...failover.budget import SLOW
from ...failover.failure import Effect, Phase
from ...failover.session import RouteClosed
from ...failover.words import describe
from ...tools.database_clock import database_now
from ...tools.log_throttle import LogThrottle
from ...tools.own_cursor import own_environment
from ...tools.reasons import at_server
from .system_mail_server_health import ServerSnapshot

_logger = logging.getLogger(__name__)
_throttle = LogThrottle()

SUCCESS_INTERVAL = datetime.timedelta(hours=1)
"""The success of a mailbox in order is written no more often than this."""
SYSTEM_MAIL_INTERVAL = datetime.timedelta(minutes=1)
"""That of System Mail's own mailboxes: a Super User sees on the home page that it has just sent."""
QUICK_SESSIONS = 3
"""So many in a row, and a slow mailbox is slow no more."""


class Snapshot(typing.NamedTuple):
    """The health of a mailbox as a sender read it before it connected."""

    state: str
    last_success: datetime.datetime | None
    """None also if the mailbox has failed since, or is in doubt."""
    generation: int
    is_slow: bool = False
    server: ServerSnapshot = ServerSnapshot()


UNSEEN = Snapshot("not_connected", None, 0)


class SystemMailHealth(models.Model):
    """What is known about a mailbox: one row for each mailbox that was ever tried. It is not a part
    of ``ir.mail_server``, because the sending transaction writes there: two workers that write the
    same row would conflict, and Odoo would send again.
    """

    _name = "system.mail.health"
    _inherit = "system.mail.failure.breaker"
    _description = "Mailbox Health"
    _rec_name = "server_id"
    _order = "server_id"

    server_id = fields.Many2one("ir.mail_server", required=True, ondelete="cascade", readonly=True)
    by_server = fields.Boolean(
        "Server Failed",
        readonly=True,
        help="It is unstable because its server failed, before any log-in.",
    )
    state = fields.Selection("states", required=True, default="connected", readonly=True)
    since = fields.Datetime(default=fields.Datetime.now, readonly=True)
    last_success = fields.Datetime(readonly=True)
    next_probe_at = fields.Datetime(
        "Next Check", readonly=True, help="Until then no message is tried by this mailbox."
    )

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

    @api.depends("by_server", "server_id.smtp_host")
    def _compute_reason(self):
        super()._compute_reason()
        for health in self.filtered("by_server"):
            host = health.server_id.sudo().smtp_host
            health.reason = at_server(self.env, host, health.reason)

    # --- before a connection

    @api.model
    @api.private
    def look(self, server):
        """The health of a mailbox, for a sender that uses it only if it is in order.

        :rtype: Snapshot
        :raises RouteClosed: the mailbox or its server is out of order, or our own network is; only
            the scheduled action tries it again
        """
        place = self.env["system.mail.server.health"].place(server)
        is_system_mail = server.id in self.env["res.company"].system_mail_server_ids()
        return self._read(server, lambda health: health._as_allowed(place, is_system_mail), UNSEEN)

    @api.model
    @api.private
    def snapshot(self, server):
        """The health of a mailbox, for a check that also tries a mailbox out of order.

        :rtype: Snapshot
        """
        hosts = self.env["system.mail.server.health"]
        place = hosts.place(server)
        return self._read(
            server,
            lambda health: health._as_seen(hosts.with_env(health.env).snapshot(place)),
            UNSEEN,
        )

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
                # all in one statement: another worker may commit before the next one
                return read(env[self._name].search_fetch([("server_id", "=", server.id)]))
        except psycopg2.Error as exc:
            _logger.warning("The health of mailbox %s is not known: %s", server.id, exc)
            return otherwise

    def _as_allowed(self, place, is_system_mail):
        if self and self.breaker_state != circuit.State.CLOSED:
            raise RouteClosed(self._last_failure(), self._last_decision())
        # the password of System Mail is taken for right, and so is a new one of a person
        is_taken_for_right = is_system_mail or self.state == "disconnected"
        proven_at = datetime.datetime.max if is_taken_for_right else self.last_success
        return self._as_seen(self.env["system.mail.server.health"].look(place, proven_at))

    def _as_seen(self, server):
        if not self:
            return UNSEEN._replace(is_slow=server.is_slow, server=server)
        in_doubt = self._failed_last() or self._is_doubted()
        last_success = not in_doubt and self.last_success
        is_slow = bool(self.slow_seconds) or server.is_slow
        return Snapshot(self.state, last_success or None, self.generation, is_slow, server)

    @api.model
    def _connected(self, server, certificate=b""):
        """Note that the mailbox has just been connected. This is written in the same transaction:
        other cursors do not see the new mailbox yet.

        :param bytes certificate: as for ``note_success``
        """
        ends_on = self._certificate_end(server, certificate)
        self._of(server)._write_success(ends_on)
        hosts = self.env["system.mail.server.health"]
        hosts.note_served(hosts.place(server), ServerSnapshot(in_trouble=True))

    @api.private
    def give_new_chance(self):
        """Use the mailboxes again, since their credentials or servers changed. Results of attempts
        that began earlier are dropped.
        """
        for health in self:
            health.write(self._breaker_values(circuit.after_change(health._breaker())))
        self.write({"slow_seconds": 0, "quick_sessions": 0, "by_server": False})
        self.flush_recordset()

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
        changes, while the mailbox is slow, or after its interval.

        :param Snapshot seen: what ``look`` returned
        :param bytes certificate: what the server showed (``failover.connection.Trace``)
        :param float seconds: how long the connection and a message took; None if none was sent
        """
        self._note_success(server, seen, certificate, seconds)
        hosts = self.env["system.mail.server.health"]
        hosts.note_served(hosts.place(server), seen.server, seconds)

    @api.model
    def _note_success(self, server, seen, certificate, seconds):
        now = fields.Datetime.now()  # this host's clock costs no query, and need not be right here
        known = seen.state == "connected" and seen.last_success and not seen.server.in_trouble
        speed_is_known = seconds is None or not (seen.is_slow or seconds >= SLOW)
        is_system_mail = server.id in self.env["res.company"].system_mail_server_ids()
        interval = SYSTEM_MAIL_INTERVAL if is_system_mail else SUCCESS_INTERVAL
        if known and speed_is_known and now - seen.last_success < interval:
            return
        ends_on = self._certificate_end(server, certificate)
        self._record(server, seen, lambda health: health._write_success(ends_on, seconds))

    def _write_success(self, certificate_ends_on, seconds=None):
        before, now = self.state, database_now(self.env)
        self.write(
            {
                **self._breaker_values(circuit.after_success(self._breaker())),
                "state": "connected",
                "rule": False,
                "remedy_key": False,
                "answer": False,
                "last_success": now,
                "doubted_at": False,
                "by_server": False,
                "certificate_ends_on": certificate_ends_on,
                "since": self.since if before == "connected" and self.last_success else now,
                **self._speed_values(seconds),
            }
        )
        if before != "connected":  # a new mailbox may send what waits for others
            self.env["mail.mail"].system_mail_wake(self.server_id)
        if before in ("unstable", "disconnected"):
            self.env["system.mail.outage"].note_success(self)
            self.env["system.mail.alert"].look_soon()
            self._tell(logging.INFO, "it works again")
        if before == "disconnected":
            self._log_event("reconnected")
            self.server_id.owner_user_id.system_mail_push_state()

    @api.model
    @api.private
    def note_slow(self, server, seen, seconds, phase):
        """Note that a person did not wait for the mailbox any longer. It may work all the same.

        :param Snapshot seen: what ``look`` returned
        :param float seconds: how long the person waited for it
        :param Phase phase: how far they came. Before the log-in, the server is slow for everybody
        """
        if seen.is_slow:
            return
        if phase < Phase.AUTH:
            hosts = self.env["system.mail.server.health"]
            hosts.note_slow(hosts.place(server), seconds)
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
        hosts, of_server = self.env["system.mail.server.health"], None
        if hosts.is_at_fault(server, failure):
            of_server = hosts.note_failure(server, seen.server, failure, decision)
            if of_server is None:
                return seen.generation
        generation = self._record(
            server, seen, lambda health: health._write_failure(failure, decision, of_server)
        )
        if of_server is None:
            was_rejected = seen.state == "disconnected"
            hosts.note_answer(server, seen.server, failure, decision, was_rejected)
        elif circuit.is_network_failure(failure):
            hosts.note_late_failure(server)
        return generation

    def _write_failure(self, failure, decision, of_server=None):
        """
        :param Breaker of_server: the server's, if the failure speaks for the server
        """
        before, now = self.state, database_now(self.env)
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
            self.write({"rule": decision.rule, "remedy_key": decision.remedy})
        self._trip(failure, decision, now, of_server)
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

    def _trip(self, failure, decision, now, of_server):
        """Count the failure; the breaker may open. If it is the server's, its breaker counts, and
        the mailbox's own only shows that one.
        """
        before = self._breaker()
        by_server = bool(of_server) and before.reason_effect is not Effect.DISCONNECTED
        if by_server:
            opens = of_server.state != circuit.State.CLOSED
            after = dataclasses.replace(of_server, generation=before.generation + opens)
        else:
            after = circuit.after_failure(
                before,
                decision.effect,
                failure.kind,
                now,
                random.SystemRandom(),
                quota=decision.quota,
                retry_after=failure.retry_after,
            )
        state = after.reason_effect.state or self.state
        since = now if state != self.state else self.since
        values = {"state": state, "since": since, "by_server": by_server}
        self.write(self._breaker_values(after) | values)

    def _failed_last(self):
        return bool(self.last_failure) and self.last_failure >= (
            self.last_success or self.last_failure
        )

    # --- its server

    @api.model
    @api.private
    def note_known(self, server):
        """Save the check of a mailbox whose server, or our own network, was found down just now. If
        the mailbox was never tried, note that of it.

        :return: as ``system_mail_check``; None if it must be tried
        """
        hosts = self.env["system.mail.server.health"]
        known = hosts.found_down(hosts.place(server))
        if not known:
            return None
        failure, decision, of_server = known
        seen = self.snapshot(server)
        if of_server and seen.state == "not_connected":
            self._record(
                server, seen, lambda health: health._write_failure(failure, decision, of_server)
            )
        return failure, decision

    @api.model
    @api.private
    def note_server_down(self, row, servers):
        """Show what failed at a server on each mailbox there that worked. A row that another worker
        has locked is left out: it is about to change anyway.

        :param row: the ``system.mail.server.health``
        :param servers: the mailboxes there
        """
        self.env.flush_all()
        self.env.execute_query(
            SQL(
                """UPDATE system_mail_health
                      SET state = 'unstable', by_server = TRUE, since = %s, rule = %s,
                          remedy_key = %s, phase = %s, kind = %s, smtp_code = %s,
                          enhanced_code = %s, answer = %s
                    WHERE id IN (SELECT id FROM system_mail_health
                                  WHERE state = 'connected' AND server_id = ANY(%s)
                               ORDER BY id FOR UPDATE SKIP LOCKED)""",
                *(row.since, row.rule, row.remedy_key, row.phase, row.kind),
                *(row.smtp_code, row.enhanced_code or None, row.answer or None, servers.ids),
            )
        )
        self.invalidate_model()

    @api.model
    @api.private
    def note_own_trouble(self, servers, began):
        """Leave those of the mailboxes unstable that were so before their server failed: nothing
        shows that they work.

        :param servers: the mailboxes at the server
        :param datetime began: when it began to fail
        """
        before = Domain("since", "<", began) & Domain("state", "=", "unstable")
        of_server = Domain("by_server", "=", True) & Domain("server_id", "in", servers.ids)
        self.search(of_server & before).by_server = False
        self.flush_model()

    @api.model
    @api.private
    def note_server_back(self, row, servers):
        """Use the mailboxes at a server again that were unstable only because of it.

        :param row: the ``system.mail.server.health``
        :param servers: the mailboxes there
        """
        self.env.flush_all()
        freed = self.env.execute_query(
            SQL(
                """UPDATE system_mail_health
                      SET state = CASE WHEN last_success IS NULL THEN 'not_connected'
                                       ELSE 'connected' END,
                          by_server = FALSE, since = %s, rule = NULL, remedy_key = NULL,
                          answer = NULL, breaker_state = 'closed', effect = 'none',
                          failure_count = 0, first_failure_at = NULL, opened_at = NULL,
                          next_probe_at = NULL, delay = 0, generation = generation + 1
                    WHERE id IN (SELECT id FROM system_mail_health
                                  WHERE by_server AND server_id = ANY(%s)
                               ORDER BY id FOR UPDATE)
                RETURNING server_id""",
                row.since,
                servers.ids,
            )
        )
        self.invalidate_model()
        mailboxes = self.env["ir.mail_server"].browse(id_ for [id_] in freed)
        self.env["system.mail.outage"].note_end(mailboxes, row.since)

    # --- the log of the server

    def _tell_failure(self, failure, decision, has_changed):
        what = describe(failure, decision)
        if not has_changed:
            self._tell(logging.INFO, what)
            return
        company = self.server_id.system_mail_company()
        what += f"; it is {self.state}"
        if self.server_id.id in company.system_mail_server_ids():
            carrier = company.system_mail_carrier()
            what += (
                f", and {carrier.address} carries mail" if carrier else ", and mail waits for it"
            )
        elif company.id in company.system_mail_policies():
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
                "server_name": server.from_filter or server.name,
                "phase": self.phase,
                "smtp_code": self.smtp_code,
                "enhanced_code": self.enhanced_code,
                "rule": self.rule,
            }
        )
