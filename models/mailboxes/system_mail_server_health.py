import datetime
import logging
import random
import time
from typing import NamedTuple

import psycopg2

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ...failover import breaker as circuit
from ...failover import pace
from ...failover.budget import SLOW
from ...failover.failure import Effect, Failure, Kind, Phase
from ...failover.rules import OWN_NETWORK, PACED
from ...failover.session import RouteClosed
from ...failover.words import describe
from ...providers import known_at
from ...tools.database_clock import database_now
from ...tools.own_cursor import own_environment
from ...tools.rows import rows

_logger = logging.getLogger(__name__)

NETWORK = "network"
"""The key of the row that stands for our own network. No server has it."""
HTTPS = "https"
"""The encryption of a server that is a provider's API. A network that blocks SMTP may still reach
it: it neither waits for our own network, nor tells anything about it.
"""
NETWORK_WINDOW = datetime.timedelta(minutes=10)
LATELY = datetime.timedelta(seconds=60)
"""A server that served somebody since is tried once more before it counts as down."""
PACED_FAILURE = Failure(Phase.AUTH)

_served = {}
"""When each server, by key, last served this process (``time.monotonic``). It is not written to the
database: a mailbox in order costs no write."""


class Place(NamedTuple):
    """What mailboxes at the same server have in common."""

    host: str
    port: int
    encryption: str

    @property
    def key(self):
        return f"{self.host}:{self.port}:{self.encryption}"


class ServerSnapshot(NamedTuple):
    """What is known of a server, as a sender read it before it connected."""

    generation: int = 0
    in_trouble: bool = False
    """The next success must be written: of it, or of our own network."""
    is_slow: bool = False
    network_down: bool = False
    has_turn: bool = False
    """Log-ins there are paced, and it is the turn of this one."""


class SystemMailServerHealth(models.Model):
    """What is known about a mail server that many mailboxes share. What fails before the log-in is
    the server's fault: the first mailbox that finds out speaks for all, and one worker probes it.
    There is a row for each server that had any trouble, and one for our own network.
    """

    _name = "system.mail.server.health"
    _inherit = "system.mail.failure.breaker"
    _description = "Mail Server Health"
    _rec_name = "host"
    _order = "host, port, encryption"
    _log_access = False

    answer = fields.Char(groups=fields.NO_ACCESS)  # to whichever company's mailbox it was given
    key = fields.Char(required=True, readonly=True)
    host = fields.Char(readonly=True)
    port = fields.Integer(readonly=True, aggregator=None)
    encryption = fields.Char(readonly=True)
    since = fields.Datetime(readonly=True, help="Since when it is down, or works again.")
    slow_seconds = fields.Float(
        readonly=True,
        help="How long a person waited for it before the log-in; 0 if it is not slow. While it is "
        "slow, mail of its mailboxes is sent from the mail queue.",
    )
    rejected_count = fields.Integer(readonly=True, help="Passwords that it rejected lately.")
    first_rejected_at = fields.Datetime(readonly=True)
    last_rejected_at = fields.Datetime(readonly=True)
    next_login_at = fields.Datetime(
        readonly=True, help="Until then, only mailboxes that worked lately log in."
    )

    _key_uniq = models.Constraint("UNIQUE(key)", "A server has one health.")

    # --- before a connection

    @api.model
    @api.private
    def place(self, server):
        """:rtype: Place"""
        server_sudo = server.sudo()
        host, encryption = server_sudo.smtp_host or "", server_sudo.smtp_encryption or "none"
        if server_sudo.system_mail_https:  # the provider's API is another server
            encryption = HTTPS
        return Place(host.strip().lower(), server_sudo.smtp_port or 0, encryption)

    @api.model
    @api.private
    def look(self, place, proven_at):
        """What is known of a server, for a mailbox that may use it only if it is in order.

        :param datetime proven_at: when the mailbox last worked
        :rtype: ServerSnapshot
        :raises RouteClosed: the server or our own network is down, or log-ins there are paced
        """
        row, network = self._rows(place)
        for each in (network, row):
            if each.is_down():
                raise RouteClosed(each._last_failure(), each._last_decision())
        return row._as_seen(network, has_turn=bool(row.next_login_at) and row._turn(proven_at))

    @api.model
    @api.private
    def snapshot(self, place):
        """The same for a check, which is done whatever is known.

        :rtype: ServerSnapshot
        """
        row, network = self._rows(place)
        return row._as_seen(network)

    @api.model
    @api.private
    def found_down(self, place):
        """Why a check may be saved: the server, or our own network, was found down within the last
        minute, or log-ins are paced there.

        :return: None, or the failure, the decision, and the server's breaker if it is the server's
        """
        row, network = self._rows(place)
        for each in (network, row):
            if each.is_down() and database_now(self.env) < each.last_failure + LATELY:
                breaker = each._breaker() if each == row else None
                return each._last_failure(), each._last_decision(), breaker
        if row.next_login_at and pace.allows(row._pace(), database_now(self.env)) != "send":
            return PACED_FAILURE, PACED, None
        return None

    @api.model
    def _rows(self, place):
        keys = [place.key] if place.encryption == HTTPS else [NETWORK, place.key]
        rows = self.search_fetch([("key", "in", keys)])  # whole: others may commit meanwhile
        network = rows.filtered(lambda row: row.key == NETWORK)
        return rows - network, network

    def _as_seen(self, network, has_turn=False):
        in_trouble = bool(self.failure_count or self.rejected_count or self.slow_seconds)
        network_down = network.is_down()
        return ServerSnapshot(
            self.generation,
            in_trouble or network_down,
            bool(self.slow_seconds),
            network_down,
            has_turn,
        )

    @api.private
    def is_down(self):
        return bool(self) and self.breaker_state != circuit.State.CLOSED

    def _turn(self, proven_at):
        """Whether this log-in ends a pause; False if it need not wait.

        :raises RouteClosed: it must wait
        """
        now, paced = database_now(self.env), self._pace()
        allowed = pace.allows(paced, now)
        if allowed == "send" or (proven_at and proven_at > self.first_rejected_at):
            return False
        if allowed == "turn":
            self.env.cr.execute(
                """UPDATE system_mail_server_health SET next_login_at = %s
                    WHERE id = (SELECT id FROM system_mail_server_health
                                 WHERE id = %s AND next_login_at = %s FOR UPDATE SKIP LOCKED)
                RETURNING id""",
                [pace.take_turn(paced, now).next_at, self.id, self.next_login_at],
            )
            if self.env.cr.fetchone():
                return True
        raise RouteClosed(PACED_FAILURE, PACED)

    def _pace(self):
        return pace.Pace(
            self.rejected_count,
            self.first_rejected_at or None,
            self.last_rejected_at or None,
            self.next_login_at or None,
        )

    def _write_pace(self, paced):
        self.write(
            {
                "rejected_count": paced.rejected,
                "first_rejected_at": paced.first_at,
                "last_rejected_at": paced.last_at,
                "next_login_at": paced.next_at,
            }
        )

    # --- after it

    @api.model
    @api.private
    def is_at_fault(self, server, failure):
        """Whether a failure speaks for the server, and not only for this mailbox there."""
        server_sudo = server.sudo()
        if server_sudo.system_mail_public_only and failure.kind is Kind.UNKNOWN_HOST:
            return False  # it may be one that its owner must not reach
        own_certificate = server_sudo.smtp_authentication == "certificate"
        if own_certificate and failure.phase >= Phase.TLS and failure.kind is not Kind.TIMEOUT:
            return False
        return circuit.is_failure_of_server(failure)

    @api.model
    def _apart(self, place, write, otherwise=None, with_network=False):
        """Call ``write`` with the server's row, locked, on an own cursor. An error of the database
        is logged, and does not stop the sending.

        :param bool with_network: lock the row of our own network, too
        :return: what ``write`` returns
        """
        try:
            with own_environment(self.env) as env:
                rows = env[self._name]
                if with_network:  # before the server: two workers must not wait for each other
                    rows._locked(NETWORK)
                return write(rows._locked(place.key, place._asdict()))
        except psycopg2.Error as exc:
            _logger.warning("The health of the server %s was not written: %s", place.key, exc)
            return otherwise

    @api.model
    def _locked(self, key, values=None):
        """The row of this key, locked; created if there is none yet."""
        self.env.cr.execute(
            "SELECT id FROM system_mail_server_health WHERE key = %s FOR UPDATE", [key]
        )
        if found := self.env.cr.fetchone():
            return self.browse(found)
        # one worker at a time creates the row: the others wait here, and then find it
        self.env.cr.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"{self._name}:{key}"])
        return self.search([("key", "=", key)]) or self.create({"key": key, **(values or {})})

    @api.model
    @api.private
    def note_failure(self, server, seen, failure, decision):
        """Note a failure that speaks for the server.

        :param server: the mailbox that found out
        :param ServerSnapshot seen: what ``look`` returned
        :return: the server's breaker; None if the mailbox has nothing to do with it: our own
            network is suspected, or the result is late
        :rtype: Breaker | None
        """
        return self._apart(
            self.place(server),
            lambda row: row._write_failure(server, seen, failure, decision),
            otherwise=circuit.Breaker(),
            with_network=circuit.is_network_failure(failure),
        )

    def _write_failure(self, server, seen, failure, decision):
        now, before = database_now(self.env), self._breaker()
        if before.generation != seen.generation:
            return before if self.is_down() else None
        if circuit.is_network_failure(failure) and self._is_of_own_network(now):
            return None
        after = circuit.after_failure(
            before,
            decision.effect,
            failure.kind,
            now,
            random.SystemRandom(),
            served_lately=self._served_ago([self.key]) < LATELY,
        )
        self.write(
            {
                **self._breaker_values(after),
                "last_failure": now,
                "phase": failure.phase.value,
                "kind": failure.kind.value,
                "smtp_code": failure.code,
                "enhanced_code": failure.enhanced,
                "answer": failure.text,
                "rule": decision.rule,
                "remedy_key": decision.remedy,
            }
        )
        if self.is_down():
            self._trigger_probe()
            if before.state is circuit.State.CLOSED:
                self._begin(server, now, describe(failure, decision))
            else:
                self._postpone_mailboxes()
        return after

    def _trigger_probe(self):
        cron = self.env.ref("system_mail.ir_cron_probe", raise_if_not_found=False)
        if cron:
            cron._trigger(self.next_probe_at)

    def _begin(self, server, now, what):
        """The server is down from now on. The mailbox that found out is written by itself."""
        self.since = now
        servers = self._mailboxes()
        others = servers.filtered(lambda each: each.id != server.id)
        self.env["system.mail.health"].note_server_down(self, others)
        self.env["system.mail.alert"].look_soon()
        text = "server %s:%s is down: %s; it concerns %s mailboxes"
        _logger.warning(text, self.host, self.port, what, len(servers))

    def _postpone_mailboxes(self):
        """The mailboxes that found out show when the server is tried again."""
        healths = self.env["system.mail.health"].search(self._of_mailboxes())
        tried = healths.filtered(lambda health: health.breaker_state != circuit.State.CLOSED)
        tried.next_probe_at = self.next_probe_at

    def _of_mailboxes(self):
        """The domain of the health of the mailboxes that are unstable because of this server."""
        return Domain("by_server", "=", True) & Domain("server_id", "in", self._mailboxes().ids)

    @api.model
    @api.private
    def mailboxes_down(self):
        """The mailboxes at servers that are down."""
        is_down = Domain("breaker_state", "!=", circuit.State.CLOSED.value)
        down = self.search(is_down & Domain("key", "!=", NETWORK))
        return self.env["ir.mail_server"].union(*(row._mailboxes() for row in down))

    @api.private
    def mailboxes(self):
        """The mailboxes in use at this server."""
        return self._mailboxes().filtered("active")

    @api.private
    def is_shared(self):
        """Whether it concerns more than one mailbox."""
        return self.key == NETWORK or len(self.mailboxes()) > 1

    @api.private
    def back_in_words(self):
        """That it works again, for people."""
        if self.key == NETWORK:
            return self.env._("Odoo's own network works again: what waited is sent.")
        return self.env._("%(server)s answers again.", server=self.host)

    @api.model
    @api.private
    def servers_down_in_words(self):
        """A sentence on each server that is down, and on our own network if that is."""
        return [row.in_words() for row in self.search([]) if row.is_down()]

    @api.private
    def in_words(self):
        """What is down, for people; once for all mailboxes there."""
        if self.key == NETWORK:
            return self.env._(
                "Odoo's own network seems down or blocks SMTP. Only mailboxes that send by HTTPS "
                "are tried; other mail waits. Ask the administrator of this server to check its "
                "network, DNS and firewall."
            )
        return self.env._(
            "%(server)s: %(reason)s. Mailboxes: %(count)s.",
            server=self.host,
            reason=self.reason,
            count=len(self.mailboxes()),
        )

    def _mailboxes(self):
        self.ensure_one()
        servers = self.env["ir.mail_server"]
        found = self.env.execute_query(
            SQL(
                """SELECT id FROM %s m
                    WHERE lower(trim(smtp_host)) = %s AND COALESCE(smtp_port, 0) = %s
                      AND CASE WHEN system_mail_https THEN 'https'
                               ELSE COALESCE(smtp_encryption, 'none') END = %s""",
                rows(servers, "smtp_host", "smtp_port", "smtp_encryption", "system_mail_https"),
                self.host,
                self.port,
                self.encryption,
            )
        )
        return servers.browse(id_ for [id_] in found)

    @api.model
    @api.private
    def note_served(self, place, seen, seconds=None):
        """Note that a mailbox at the server worked.

        :param ServerSnapshot seen: what ``look`` returned
        :param float seconds: how long it took; None if no message was sent
        """
        _served[place.key] = time.monotonic()
        if seen.in_trouble:
            self._apart(
                place, lambda row: row._write_served(seen, seconds), with_network=seen.network_down
            )

    def _write_served(self, seen, seconds):
        now = database_now(self.env)
        if seen.has_turn:
            self._write_pace(pace.after_turn(self._pace()))
        if self.rejected_count and pace.is_forgotten(self._pace(), now):
            self._write_pace(pace.Pace())
        if seconds is not None and seconds < SLOW:
            self.slow_seconds = 0
        self._end(now)
        if seen.network_down:
            self._locked(NETWORK)._end(now)

    def _end(self, now):
        """Its trouble is over: all its mailboxes may be used again, and what waits is sent."""
        was_down = self.is_down()
        if not (was_down or self.failure_count):
            return
        self.write({**self._breaker_values(circuit.after_success(self._breaker())), "since": now})
        if self.key == NETWORK:
            # pylint: disable-next=no-search-all
            servers = self.env["ir.mail_server"].search([])
            _logger.info("Odoo's own network works again")
        else:
            servers = self._mailboxes()
            self.env["system.mail.health"].note_server_back(self, servers)
        self.env["mail.mail"].system_mail_wake(servers)
        if was_down:
            self.env["system.mail.alert"].look_soon()
            if self.key != NETWORK:
                _logger.info("server %s:%s works again", self.host, self.port)

    @api.model
    @api.private
    def note_answer(self, server, seen, failure, decision, was_rejected):
        """Note that the server answered, though it refused this mailbox.

        :param ServerSnapshot seen: what ``look`` returned
        :param bool was_rejected: the mailbox was disconnected before
        """
        if failure.kind is not Kind.REPLY or failure.phase < Phase.AUTH:
            return
        place = self.place(server)
        self.note_served(place, seen._replace(has_turn=False))
        is_rejection = failure.phase is Phase.AUTH and decision.effect is Effect.DISCONNECTED
        known, _server = known_at(place.host)
        if is_rejection and not known and not server.system_mail_has_token():
            self._apart(place, lambda row: row._write_rejection(was_rejected))

    def _write_rejection(self, was_rejected):
        now = database_now(self.env)
        self._write_pace(pace.after_rejection(self._pace(), now, was_rejected))

    @api.model
    @api.private
    def note_slow(self, place, seconds):
        """Note that a person ran out of time before the log-in."""

        def write(row):
            row.slow_seconds = seconds

        self._apart(place, write)

    # --- our own network

    def _is_of_own_network(self, now):
        """Whether our own network is the likely cause of this server's failure. If it is, no server
        and no mailbox is blamed, and everything waits for the network.
        """
        if self.encryption == HTTPS:
            return False
        network = self.search([("key", "=", NETWORK)])
        if not network.is_down():
            failing = self._failing(now)
            failed_at = {row.host: row.last_failure for row in failing} | {self.host: now}
            has_long_been_down = self.failure_count and self not in failing
            if (
                has_long_been_down
                or not circuit.own_network_suspected(failed_at.values(), self._last_served(now))
                or not self._has_system_mail_failed(failing | self)
            ):
                return False
            for row in failing | self:
                row._forgive(now)
            network.since = now
            _logger.warning("Odoo's own network seems down: all mail waits")
            self.env["system.mail.alert"].look_soon()
        network.write(
            {
                **self._breaker_values(
                    circuit.after_failure(
                        network._breaker(),
                        OWN_NETWORK.effect,
                        Kind.TIMEOUT,
                        now,
                        random.SystemRandom(),
                    )
                ),
                "last_failure": now,
                "phase": Phase.CONNECT.value,
                "kind": Kind.TIMEOUT.value,
                "rule": OWN_NETWORK.rule,
                "remedy_key": OWN_NETWORK.remedy,
            }
        )
        network._trigger_probe()
        return True

    @api.model
    def _has_system_mail_failed(self, failing):
        """Whether each server of System Mail fails, too: people may want their own mailboxes to
        fail, some of them together, and a further mailbox of System Mail may still send. Those that
        nobody has used since are checked. Where no mailbox of System Mail could fail with our
        network, since all that can log in send by HTTPS: whether a server fails that the company
        itself uses.

        :param failing: the servers that failed just now; those long down come to them
        """
        keys = {self.place(server).key for server in self._system_mail_by_smtp()}
        if not keys:
            return not all(server.owner_user_id for row in failing for server in row._mailboxes())
        others = keys.difference(failing.mapped("key"))
        long_down = self.search([("key", "in", [*others])]).filtered(lambda row: row.is_down())
        has_failed = others != keys and len(long_down) == len(others)
        if not has_failed and self.untried_system_mail():
            cron = self.env.ref("system_mail.ir_cron_sweep", raise_if_not_found=False)
            if cron:
                cron._trigger()
        return has_failed

    @api.model
    def _system_mail_by_smtp(self):
        """The mailboxes of System Mail that our network could keep from sending."""
        reserved = self.env["ir.mail_server"].browse(
            self.env["res.company"].system_mail_server_ids()
        )
        disconnected = self.env["system.mail.health"].search([("state", "=", "disconnected")])
        return (reserved.exists() - disconnected.server_id).filtered(
            lambda server: server.active and not server.system_mail_https
        )

    @api.model
    @api.private
    def untried_system_mail(self):
        """The mailboxes of System Mail that nobody has used since other servers began to fail
        without an answer: whether they work tells whether it is our own network.
        """
        failing = self._failing(database_now(self.env))
        if not failing:
            return self.env["ir.mail_server"]
        mailboxes = self._system_mail_by_smtp().filtered(
            lambda server: self.place(server).key not in failing.mapped("key")
        )
        used = self.env["system.mail.health"].heard_since(min(failing.mapped("first_failure_at")))
        return mailboxes - used - self.mailboxes_down()

    @api.model
    def _failing(self, now):
        """The servers that began to fail within the last minutes, and did not answer at all."""
        recent = [
            ("key", "!=", NETWORK),
            ("encryption", "!=", HTTPS),
            ("first_failure_at", ">=", now - NETWORK_WINDOW),
        ]
        return self.search(recent).filtered(
            lambda row: circuit.is_network_failure(row._last_failure())
        )

    @api.model
    def _last_served(self, now):
        """When any server last served somebody, as far as the database and this process know."""
        self.env.cr.execute("SELECT max(last_success) FROM system_mail_health")
        [stored] = self.env.cr.fetchone()
        return max(stored or datetime.datetime.min, now - self._served_ago(_served))

    @staticmethod
    def _served_ago(keys):
        """:rtype: timedelta"""
        latest = max((_served.get(key, 0) for key in keys), default=0)
        return datetime.timedelta(seconds=time.monotonic() - latest)

    @api.model
    @api.private
    def note_late_failure(self, server):
        """Note that a mailbox was written unstable because of its server. Another one may have
        found out meanwhile that it was our own network.
        """

        def write(row):
            if self.with_env(row.env)._rows(self.place(server))[1].is_down() and not row.is_down():
                row._forgive(database_now(row.env))

        self._apart(self.place(server), write, with_network=True)

    def _forgive(self, now):
        """It was our own network: the server is not to blame. What its mailboxes had before, they
        still have.
        """
        mailboxes, began = self._mailboxes(), now - NETWORK_WINDOW
        self.env["system.mail.health"].note_own_trouble(mailboxes, began)
        self.write({**self._breaker_values(circuit.after_change(self._breaker())), "since": now})
        self.env["system.mail.health"].note_server_back(self, mailboxes)
        self.env["system.mail.outage"].note_innocent(mailboxes, began, self.since)

    @api.model
    @api.private
    def is_network_down(self, server):
        """Whether a mailbox waits for our own network, which seems down."""
        _row, network = self._rows(self.place(server))
        return network.is_down()

    @api.model
    @api.private
    def put_down(self, server, trouble):
        """The trouble of a mailbox that was just tried, put down to our own network if that seems
        down.

        :param trouble: as of ``system_mail_check``
        """
        if not trouble or not circuit.is_network_failure(trouble[0]):
            return trouble
        return (trouble[0], OWN_NETWORK) if self.is_network_down(server) else trouble

    # --- probes

    @api.model
    @api.private
    def due_for_probe(self):
        """The health of one mailbox for each server that is due for a probe, and for our own
        network.
        """
        now, healths = database_now(self.env), self.env["system.mail.health"]
        due = healths.browse()
        for row in self.search([("breaker_state", "!=", circuit.State.CLOSED.value)]):
            tried = row._mailbox_to_try()
            if not tried:  # no mailbox uses it any more; a sender may be about to read the row
                row._end(now)
                continue
            if tried.by_server and tried.next_probe_at and tried.next_probe_at < row.next_probe_at:
                row.next_probe_at = tried.next_probe_at
            if circuit.allows(row._breaker(), now) == "probe":
                due |= tried
        return due

    def _mailbox_to_try(self):
        """The health of the mailbox that this one is probed with."""
        if self.key == NETWORK:
            return self._mailbox_to_try_network()
        in_use = Domain("server_id.active", "=", True) & self._of_mailboxes()
        return self.env["system.mail.health"].search(
            in_use, order="next_probe_at nulls last, last_success desc nulls last", limit=1
        )

    @api.model
    def _mailbox_to_try_network(self):
        """A mailbox at any server, each time another one: a server may be silent for a reason of
        its own, or because its owner wants that. Every other time, one at a server of more than one
        person, or of the company.
        """
        self.env.flush_all()
        found = self.env.execute_query(
            SQL(
                """SELECT DISTINCT ON (host) id, is_shared
                     FROM (SELECT health.id, lower(trim(smtp_host)) AS host,
                                  COUNT(*) OVER place > COUNT(owner_user_id) OVER place
                                  OR MIN(owner_user_id) OVER place != MAX(owner_user_id) OVER place
                                  AS is_shared
                             FROM system_mail_health health
                             JOIN %s server ON server.id = health.server_id
                            WHERE server.active AND health.state != 'disconnected'
                                  AND server.system_mail_https IS NOT TRUE
                           WINDOW place AS (PARTITION BY lower(trim(smtp_host)), smtp_port)
                          ) AS mailbox
                 ORDER BY host, is_shared DESC, random()""",
                rows(
                    self.env["ir.mail_server"],
                    *("active", "smtp_host", "smtp_port", "system_mail_https", "owner_user_id"),
                ),
            )
        )
        chance = random.SystemRandom()
        shared = [row for row in found if row[1]]
        chosen = chance.choice(chance.choice([shared, found]) or found) if found else ()
        return self.env["system.mail.health"].browse(chosen[:1])

    @api.model
    @api.private
    def lease(self, place):
        """Take the lease of a server that is down, or of our own network.

        :return: whether this worker got it; None if nothing is down
        """
        row, network = self._rows(place)
        down = network if network.is_down() else row
        return down._lease_if_due() if down.is_down() else None

    @api.model
    @api.private
    def may_risk_password(self, place):
        """Whether a password that was rejected before may be tried: few were rejected lately."""
        row, _network = self._rows(place)
        few = row.rejected_count < pace.FREE
        return few or pace.is_forgotten(row._pace(), database_now(self.env))

    @api.autovacuum
    def _gc_servers(self):
        """Forget servers that no mailbox uses any more."""
        rows = self.search([("key", "!=", NETWORK)])
        unused = rows.filtered(lambda row: not row._mailboxes())
        unused.unlink()
