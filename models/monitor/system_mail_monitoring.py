"""The figures that a monitoring system may read, and the token that it reads them with."""

import collections
import dataclasses
import datetime
import hashlib
import secrets

from odoo import api, models
from odoo.tools import SQL, consteq

from ...tools.odoo_20 import parameter, set_parameter

TOKEN_PARAMETER = "system_mail.monitoring_token_sha256"  # noqa: S105
TOKEN_BYTES = 32
"""So random that a plain SHA-256 cannot be searched: a slow hash would only slow each reading."""
WINDOWS = {
    "1h": datetime.timedelta(hours=1),
    "24h": datetime.timedelta(days=1),
    "7d": datetime.timedelta(days=7),
}
BROKEN = ("unstable", "disconnected")
"""States of a mailbox that doesn't work."""
LATE = datetime.timedelta(hours=2)
"""Odoo looks at its mail queue once an hour at the latest: what is due for longer is stuck."""


@dataclasses.dataclass
class Figures:
    """Of one company; without an id: of what belongs to no active company."""

    company_id: int | None = None
    company_name: str | None = None
    has_address: bool = False
    state: str | None = None
    last_success: datetime.datetime | None = None
    mailboxes: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    """By kind and state."""
    queued: int = 0
    oldest_due: int = 0
    """Seconds since the oldest mail that is due became so; 0 = none is due."""
    held: int = 0
    fallbacks: dict = dataclasses.field(default_factory=lambda: dict.fromkeys(WINDOWS, 0))
    """By window."""

    @property
    def broken_backups(self):
        """How many further mailboxes of System Mail don't work."""
        count = sum(self.mailboxes["system", state] for state in BROKEN)
        return count - (self.state in BROKEN)


class SystemMailMonitoring(models.AbstractModel):
    """Counts, states and ages: no address, no subject, nothing of a person. Four queries, however
    many companies, mailboxes, mails and events there are.
    """

    _name = "system.mail.monitoring"
    _description = "System Mail Monitoring"

    # --- the token

    @api.model
    @api.private
    def is_on(self):
        return bool(self._token_hash())

    @api.model
    @api.private
    def is_token(self, token):
        """Whether it is the token in use."""
        return consteq(self._token_hash(), self._hash(token))

    @api.model
    @api.private
    def new_token(self):
        """Switch monitoring on, or replace its token.

        :return: the token; only its hash is kept, so it can never be shown again
        """
        was_on, token = self.is_on(), secrets.token_urlsafe(TOKEN_BYTES)
        self._set_token_hash(
            self._hash(token),
            self.env._("Monitoring: new token") if was_on else self.env._("Monitoring: off → on"),
        )
        return token

    @api.model
    @api.private
    def switch_off(self):
        if self.is_on():
            self._set_token_hash(False, self.env._("Monitoring: on → off"))

    @api.model
    def _token_hash(self):
        return parameter(self.env, TOKEN_PARAMETER)

    @api.model
    def _set_token_hash(self, value, change):
        self.env.company.check_system_mail_access()
        set_parameter(self.env, TOKEN_PARAMETER, value)
        self.env["system.mail.event"].note_change_for_all(change)

    @staticmethod
    def _hash(token):
        return hashlib.sha256(token.encode()).hexdigest()

    # --- the figures

    @api.model
    @api.private
    def figures(self):
        """All figures, read with all rights: it is for the caller to know whom they are for.

        :return: those of each active company, and last of what belongs to none
        :rtype: list[Figures]
        """
        by_company = {figures.company_id: figures for figures in self._company_figures()}
        without_company = by_company[None] = Figures()
        self._add_mailboxes(by_company)
        for company_id, queued, oldest_due, held in self._query_queue():
            figures = by_company.get(company_id, without_company)
            figures.queued += queued
            figures.oldest_due = max(figures.oldest_due, oldest_due)
            figures.held += held
        for company_id, *counts in self._query_fallbacks():
            figures = by_company.get(company_id, without_company)
            for window, count in zip(WINDOWS, counts, strict=True):
                figures.fallbacks[window] += count
        return list(by_company.values())

    @api.model
    def _company_figures(self):
        rows = self.env.execute_query(
            SQL(
                """SELECT c.id, c.name, COALESCE(c.system_mail_address, '') <> '',
                          COALESCE(h.state, 'not_connected'), h.last_success
                     FROM res_company c
                LEFT JOIN ir_mail_server s
                       ON s.id = c.system_mail_server_id AND s.active
                      AND c.system_mail_address <> ''
                LEFT JOIN system_mail_health h ON h.server_id = s.id
                    WHERE c.active
                 ORDER BY c.id"""
            )
        )
        return [Figures(*row) for row in rows]

    @api.model
    def _add_mailboxes(self, by_company):
        states = self.states()
        for company_id, figures in by_company.items():  # a monitor wants to read 0, not nothing
            kinds = ("system", "personal") if company_id else ("shared", "incoming")
            figures.mailboxes.update({(kind, state): 0 for kind in kinds for state in states})
        groups = (
            self.env["system.mail.connection"]
            .sudo()
            ._read_group([], ["company_id", "kind", "state"], ["__count"])
        )
        for company, kind, state, count in groups:
            figures = by_company.get(company.id, by_company[None])
            figures.mailboxes[kind, state] += count

    @api.model
    def _query_queue(self):
        """Rows of company id, mails in the queue, seconds since the oldest of them became due
        (negative: none has yet), and mails that are held. A mail's company is its record's, or else
        its author's.
        """
        return self.env.execute_query(
            SQL(
                """SELECT COALESCE(message.record_company_id, author.company_id),
                          count(*) FILTER (WHERE mail.state = 'outgoing'),
                          COALESCE(EXTRACT(EPOCH FROM
                              now() AT TIME ZONE 'utc'
                              - min(COALESCE(mail.scheduled_date, mail.create_date))
                                FILTER (WHERE mail.state = 'outgoing')
                          ), 0)::integer,
                          count(*) FILTER (WHERE mail.state = 'exception')
                     FROM mail_mail mail
                     JOIN mail_message message ON message.id = mail.mail_message_id
        LEFT JOIN LATERAL (SELECT company_id FROM res_users
                            WHERE partner_id = message.author_id AND active AND NOT share
                         ORDER BY id LIMIT 1) author ON TRUE
                    WHERE mail.state = 'outgoing'
                       OR (mail.state = 'exception' AND mail.failure_type = 'system_mail_held')
                 GROUP BY 1"""
            )
        )

    @api.model
    def _query_fallbacks(self):
        """Rows of company id and the number of fallbacks in each window."""
        since = [
            SQL("now() AT TIME ZONE 'utc' - %s", length) for length in WINDOWS.values()
        ]  # psycopg2 passes a timedelta as an interval
        counts = [SQL("count(*) FILTER (WHERE create_date >= %s)", start) for start in since]
        return self.env.execute_query(
            SQL(
                """SELECT company_id, %s FROM system_mail_event
                    WHERE kind = 'fallback' AND create_date >= %s
                 GROUP BY company_id""",
                SQL(", ").join(counts),
                since[-1],
            )
        )

    @api.model
    @api.private
    def states(self):
        """The states that a mailbox can be in."""
        return [state for state, _word in self.env["system.mail.health"].states()]

    # --- what they mean

    @api.model
    @api.private
    def verdict(self, all_figures):
        """How System Mail is, and why, the worst first.

        :param list all_figures: as ``_figures`` returns them
        :return: ``ok``, ``warning`` or ``critical``, and sentences
        :rtype: tuple[str, list[str]]
        """
        critical, warnings = [], []
        for figures in all_figures:
            where = f"{figures.company_name}: " if figures.company_name else ""
            critical += [where + reason for reason in self._critical(figures)]
            warnings += [where + reason for reason in self._warnings(figures)]
        status = "critical" if critical else "warning" if warnings else "ok"
        return status, critical + warnings

    @api.model
    def _critical(self, figures):
        if not figures.mailboxes["system", "connected"]:
            yield from self._of_system_mail(figures)
        if figures.oldest_due > LATE.total_seconds():
            yield self.env._(
                "A mail has been due for %(hours)s hours. See whether Odoo's scheduled action for "
                "the mail queue runs.",
                hours=figures.oldest_due // 3600,
            )

    @api.model
    def _of_system_mail(self, figures):
        if figures.state == "disconnected":
            yield self.env._("System Mail is disconnected. Reconnect it.")
        elif figures.state == "unstable":
            yield self.env._("System Mail is unstable. It is tried again by itself.")

    @api.model
    def _warnings(self, figures):
        if figures.mailboxes["system", "connected"]:  # a further mailbox sends
            yield from self._of_system_mail(figures)
        if broken := figures.broken_backups:
            yield self.env._(
                "Further mailboxes of System Mail that don't work: %(count)s. Reconnect them.",
                count=broken,
            )
        if figures.has_address and figures.state == "not_connected":
            yield self.env._("System Mail has an address but is not connected. Connect it.")
        if figures.held:
            yield self.env._(
                "Mails that may have been delivered: %(count)s. Somebody has to decide on each.",
                count=figures.held,
            )
        if disconnected := figures.mailboxes["shared", "disconnected"]:
            yield self.env._(
                "Shared mailboxes that are disconnected: %(count)s. Reconnect them.",
                count=disconnected,
            )
