from odoo import api, fields, models
from odoo.tools import SQL

from ...failover import breaker as circuit
from ...failover.failure import Decision, Effect, Failure, Kind, Phase, Verdict
from ...failover.rules import COMPROMISED
from ...tools.database_clock import database_now
from ...tools.reasons import remedy_in_words


class SystemMailFailureBreaker(models.AbstractModel):
    """What has a circuit breaker: a mailbox, or a server that many mailboxes share. Its last
    failure is stored with the decision on it.
    """

    _name = "system.mail.failure.breaker"
    _inherit = "system.mail.failure"
    _description = "Circuit Breaker"

    remedy_key = fields.Char(readonly=True)
    remedy = fields.Char(compute="_compute_remedy", help="What to do about it.")
    last_failure = fields.Datetime(readonly=True)
    failure_count = fields.Integer(readonly=True, help="Failed connections since the last success.")
    next_probe_at = fields.Datetime("Next Check", readonly=True)

    phase = fields.Char(readonly=True)
    kind = fields.Char(readonly=True)
    answer = fields.Char("Provider's Answer", readonly=True)

    breaker_state = fields.Char(default=circuit.State.CLOSED.value, required=True, readonly=True)
    effect = fields.Char(default=Effect.NONE.value, required=True, readonly=True)
    first_failure_at = fields.Datetime(readonly=True)
    opened_at = fields.Datetime(readonly=True)
    delay = fields.Float(readonly=True)
    generation = fields.Integer(default=0, readonly=True)

    @api.depends("remedy_key")
    @api.depends_context("lang")
    def _compute_remedy(self):
        for record in self:
            record.remedy = remedy_in_words(self.env, record.remedy_key)

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
        breaker, now = self._breaker(), database_now(self.env)
        if circuit.allows(breaker, now) != "probe":
            return False
        leased = circuit.lease(breaker, now)
        taken = self.env.execute_query(
            SQL(
                """UPDATE %(table)s
                      SET breaker_state = %(state)s, next_probe_at = %(until)s,
                          generation = %(new)s
                    WHERE id = (SELECT id FROM %(table)s
                                 WHERE id = %(id)s AND generation = %(seen)s
                            FOR UPDATE SKIP LOCKED)
                RETURNING id""",
                table=SQL.identifier(self._table),
                state=leased.state.value,
                until=leased.next_probe_at,
                new=leased.generation,
                id=self.id,
                seen=self.generation,
            )
        )
        self.invalidate_recordset()
        return bool(taken)
