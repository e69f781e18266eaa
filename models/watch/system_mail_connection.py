import datetime

from odoo import api, fields, models
from odoo.tools import SQL

from ...providers import all_providers
from ...tools.moments import moment_in_words
from ...tools.odoo_20 import parameter
from ...tools.own_cursor import own_environment
from ...tools.reasons import reason_of, remedy_in_words, remedy_of
from ...tools.rows import rows

FALLBACK_DAYS = 7
HISTORY = 80
"""Lines of its past that a mailbox's form shows."""
SAME_MOMENT = datetime.timedelta(minutes=1)
CHUNK = 16
"""Mailboxes that are tested at once, while the page shows how far it is."""
LOOKED_UP = {
    "provider": """COALESCE(
        (SELECT CASE %(known)s ELSE smtp_host END FROM %(servers)s s WHERE id = %(server)s),
        (SELECT server FROM %(incoming_servers)s f WHERE id = %(incoming)s))""",
    "fallback_count": """(
        SELECT count(*) FROM system_mail_event event
         WHERE event.server_id = %(server)s AND event.kind = 'fallback'
           AND event.create_date >= now() AT TIME ZONE 'utc' - %(days)s * interval '1 day')""",
    "last_check": """(
        SELECT GREATEST(health.last_success, health.last_failure) FROM system_mail_health health
         WHERE health.server_id = %(server)s)""",
}
"""For the rows that are shown, not for the whole list: that may have 10,000 of them."""


def _known_providers():
    """The branches of a CASE that names the provider of a row of ``ir_mail_server``.

    :rtype: SQL
    """
    branches = [
        SQL(
            "WHEN smtp_authentication = %s OR '.' || lower(smtp_host) LIKE ANY(%s) THEN %s",
            provider.sign_in and provider.sign_in.odoo_authentication,
            [f"%.{host}" for host in provider.hosts()],
            provider.name,
        )
        for provider in all_providers().values()
    ]
    return SQL(" ").join(branches)


class SystemMailConnection(models.Model):
    """The status view: one row for each internal user, with or without a mailbox, one for each
    shared mailbox, and one for each incoming mail server. Each sort of row has ids of its own.
    """

    _name = "system.mail.connection"
    _inherit = "system.mail.failure"
    _description = "Mailbox Connection"
    _rec_name = "address"
    _auto = False
    _order = "address, id"
    _depends = {
        "res.users": ["active", "share", "partner_id", "company_id"],
        "res.partner": ["email", "email_normalized"],
        "ir.mail_server": [
            "active",
            "owner_user_id",
            "smtp_host",
            "smtp_authentication",
            "smtp_user",
            "from_filter",
            "name",
        ],
        "res.company": ["system_mail_server_id", "system_mail_address"],
        "system.mail.backup": ["company_id", "server_id", "address", "sequence"],
        "system.mail.health": [
            "state",
            "rule",
            "smtp_code",
            "enhanced_code",
            "remedy_key",
            "answer",
            "effect",
            "by_server",
            "since",
            "last_success",
            "last_failure",
            "next_probe_at",
            "slow_seconds",
            "server_id",
        ],
        "system.mail.event": ["kind", "user_id", "server_id", "create_date"],
    }

    kind = fields.Selection(
        [
            ("system", "System Mail"),
            ("personal", "Personal"),
            ("shared", "Shared"),
            ("incoming", "Incoming"),
        ],
        readonly=True,
    )
    priority = fields.Integer(readonly=True, help="System Mail comes first, in its own order.")
    user_id = fields.Many2one("res.users", readonly=True)
    server_id = fields.Many2one("ir.mail_server", "Mailbox", readonly=True)
    backup_id = fields.Many2one("system.mail.backup", "Further Mailbox", readonly=True)
    company_id = fields.Many2one("res.company", readonly=True)
    address = fields.Char(readonly=True)
    provider = fields.Char(readonly=True)
    state = fields.Selection("states", readonly=True)
    remedy_key = fields.Char(readonly=True)
    remedy = fields.Char("Next Step", compute="_compute_remedy")
    answer = fields.Char("Provider's Answer", readonly=True)
    failed_server = fields.Char(
        readonly=True, help="The mail server that is down, for all mailboxes there."
    )
    needs_attention = fields.Boolean(
        readonly=True, help="Somebody has something to do: it does not mend itself."
    )
    since = fields.Datetime(readonly=True)
    last_success = fields.Datetime(readonly=True)
    next_probe_at = fields.Datetime("Next Check", readonly=True)
    slow_seconds = fields.Float(readonly=True)
    speed = fields.Char(
        compute="_compute_speed",
        help="A slow mailbox sends from the mail queue, so nobody waits for it. Three quick "
        "messages in a row end that.",
    )
    fallback_count = fields.Integer("Fallbacks in 7 Days", readonly=True)
    last_check = fields.Datetime(
        readonly=True, help="When it last worked or failed, in a test or with a message."
    )
    event_ids = fields.One2many("system.mail.event", compute="_compute_history", string="History")
    outage_ids = fields.One2many("system.mail.outage", compute="_compute_history")

    @api.model
    @api.private
    def states(self):
        return self.env["system.mail.health"].states()

    @property
    def _table_query(self):
        # Each part has the same types, and no WITH: so PostgreSQL reads only what a search needs.
        return SQL(
            """
            SELECT 5 * u.id AS id, 'personal' AS kind, 1000 AS priority, u.id AS user_id,
                   m.server_id, NULL::integer AS backup_id, u.company_id,
                   COALESCE(m.from_filter, p.email) AS address,
                   CASE WHEN r.rule = 'personal_off' THEN 'not_connected'
                        WHEN r.rule IS NOT NULL THEN 'unstable'
                        ELSE COALESCE(m.state, 'not_connected') END AS state,
                   COALESCE(r.rule, m.rule) AS rule, m.smtp_code, m.enhanced_code,
                   COALESCE(r.rule, m.remedy_key) AS remedy_key, m.answer,
                   COALESCE(r.rule != 'personal_off', m.needs_attention, FALSE)
                       AS needs_attention,
                   CASE WHEN r.rule IS NULL THEN m.since END AS since,
                   m.last_success, m.next_probe_at, m.slow_seconds,
                   CASE WHEN r.rule IS NULL THEN m.failed_server END AS failed_server,
                   m.ending, m.ends_on, NULL::integer AS incoming_id,
                   NULL::varchar AS incoming_trouble
              FROM res_users u
              JOIN res_partner p ON p.id = u.partner_id
         LEFT JOIN (%(of_people)s) m ON m.owner_user_id = u.id
        CROSS JOIN LATERAL (SELECT %(refusal)s AS rule) r
             WHERE u.active AND NOT u.share
             UNION ALL
            SELECT CASE WHEN m.backup_id IS NOT NULL THEN 5 * m.backup_id + 3
                        ELSE COALESCE(5 * m.system_company_id + 1, 5 * m.server_id + 2) END,
                   CASE WHEN m.system_company_id IS NULL THEN 'shared' ELSE 'system' END,
                   CASE WHEN m.system_company_id IS NULL THEN 1000
                        ELSE COALESCE(LEAST(GREATEST(m.sequence, 0), 900) + 1, 0) END,
                   NULL, m.server_id, m.backup_id, m.system_company_id,
                   COALESCE(m.system_mail_address, m.from_filter, m.name),
                   m.state, m.rule, m.smtp_code, m.enhanced_code, m.remedy_key, m.answer,
                   m.needs_attention OR COALESCE(m.system_company_id IS NOT NULL
                       AND m.state = 'unstable'
                       AND m.since < now() AT TIME ZONE 'utc' - interval '1 hour', FALSE),
                   m.since, m.last_success, m.next_probe_at,
                   m.slow_seconds, m.failed_server, m.ending, m.ends_on, NULL, NULL
              FROM (%(of_companies)s) m
             WHERE m.owner_user_id IS NULL
             UNION ALL
            %(incoming)s
            """,
            refusal=self._refusal(),
            of_people=self._mailboxes(
                SQL(
                    """(SELECT DISTINCT ON (server_id) server_id, ending, ends_on
                          FROM (%s) AS ends
                      ORDER BY server_id, ends_on) e ON e.server_id = s.id""",
                    self._ends(),
                )
            ),
            of_companies=self._mailboxes(
                SQL(
                    """LATERAL (SELECT ending, ends_on
                                  FROM (%s) AS ends
                                 WHERE server_id = s.id
                              ORDER BY ends_on
                                 LIMIT 1) e ON TRUE""",
                    self._ends(),
                )
            ),
            incoming=self._incoming(),
        )

    @api.model
    def _mailboxes(self, first_end):
        """The mailboxes in use with what is known of each, as a query.

        :param SQL first_end: joins the first end of each, which is quicker in one way for many
            mailboxes, and in another for few
        """
        return SQL(
            """
            SELECT s.id AS server_id, s.owner_user_id, s.name, s.from_filter, s.smtp_user,
                   b.id AS backup_id, b.sequence,
                   COALESCE(b.company_id, c.id) AS system_company_id,
                   COALESCE(b.address, c.system_mail_address) AS system_mail_address,
                   COALESCE(h.state, 'not_connected') AS state, h.rule, h.smtp_code,
                   h.enhanced_code, h.remedy_key, h.answer, h.since, h.last_success,
                   h.next_probe_at, h.slow_seconds,
                   CASE WHEN h.by_server THEN s.smtp_host END AS failed_server,
                   e.ending, e.ends_on,
                   COALESCE(h.state = 'disconnected'
                       OR h.effect IN ('misconfigured', 'provider_misconfigured'), FALSE)
                       OR e.ending IS NOT NULL AS needs_attention
              FROM %s s
         LEFT JOIN res_company c ON c.system_mail_server_id = s.id
         LEFT JOIN system_mail_backup b ON b.server_id = s.id
         LEFT JOIN system_mail_health h ON h.server_id = s.id
         LEFT JOIN %s
             WHERE s.active""",
            self._servers(),
            first_end,
        )

    def _refusal(self):
        """The rule by which Odoo doesn't use a personal mailbox, as ``system_mail_refusal`` has it.
        It outweighs an earlier success, but not what failed since.
        """
        return SQL(
            """
            (CASE WHEN m.state IS NULL OR m.state IN ('unstable', 'disconnected') THEN NULL
                  WHEN %(off)s THEN 'personal_off'
                  WHEN m.from_filter IS DISTINCT FROM p.email_normalized THEN 'from_filter'
                  WHEN m.smtp_user IS DISTINCT FROM p.email
                   AND NOT (%(any_case)s AND lower(m.smtp_user) = m.from_filter) THEN 'user_name'
             END)::varchar""",
            off=bool(parameter(self.env, "mail.disable_personal_mail_servers")),
            any_case=bool(self.env["res.company"].system_mail_policies()),
        )

    def _field_to_sql(self, alias, field_expr, query=None):
        if field_expr not in LOOKED_UP:
            return super()._field_to_sql(alias, field_expr, query)
        self._check_field_access(self._fields[field_expr], "read")
        return SQL(
            LOOKED_UP[field_expr],
            server=SQL.identifier(alias, "server_id"),
            incoming=SQL.identifier(alias, "incoming_id"),
            days=FALLBACK_DAYS,
            known=_known_providers(),
            servers=self._servers(),
            incoming_servers=rows(self.env["fetchmail.server"], "server"),
        )

    @api.model
    def _servers(self):
        """All outgoing mail servers, as a table of SQL."""
        return rows(
            self.env["ir.mail_server"],
            *("active", "name", "owner_user_id", "from_filter", "system_mail_provider_id"),
            *("smtp_host", "smtp_authentication", "smtp_user", "system_mail_login"),
        )

    def _read_group_orderby(self, order, groupby_terms, query):
        grouped = self.with_context(system_mail_grouped=True)
        return super(SystemMailConnection, grouped)._read_group_orderby(order, groupby_terms, query)

    def _order_to_sql(self, order, query, alias=None, reverse=False):
        terms = super()._order_to_sql(order, query, alias, reverse)
        if self.env.context.get("system_mail_grouped"):
            return terms
        return SQL("%s, %s", SQL.identifier(alias or self._table, "priority"), terms)

    @api.depends(
        "incoming_id",
        "remedy_key",
        "rule",
        "ending",
        "incoming_trouble",
        "needs_attention",
        "server_id",
        "state",
    )
    @api.depends_context("lang")
    def _compute_remedy(self):
        for connection in self.filtered("incoming_id"):
            connection.remedy = connection._incoming_remedy()
        for connection in self.filtered(lambda row: not row.incoming_id):
            key, ending = connection.remedy_key, not connection.rule and connection.ending
            connection.remedy = self.way_out(ending) if ending else remedy_in_words(self.env, key)
            if connection.state == "not_connected" and connection.server_id and not (key or ending):
                connection.remedy = self.env._("It was not tried yet: test it.")

    @api.depends("slow_seconds")
    def _compute_speed(self):
        for connection in self:
            seconds = connection.slow_seconds
            text = seconds and self.env._("Slow: %(seconds)s s a message", seconds=round(seconds))
            connection.speed = text or False

    @api.depends("server_id")
    def _compute_history(self):
        for connection in self:
            mailbox = [("server_id", "=", connection.server_id.id or 0)]
            connection.event_ids = self.env["system.mail.event"].search(mailbox, limit=HISTORY)
            connection.outage_ids = self.env["system.mail.outage"].search(mailbox, limit=HISTORY)

    def action_open_events(self):
        """The activity of this mailbox."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "system_mail.system_mail_event_action"
        )
        action["domain"] = [("server_id", "=", self.server_id.id)]
        return action

    def action_connect(self):
        """Open System Mail's connect dialog."""
        self.ensure_one()
        if self.backup_id:
            return self.backup_id.action_connect()
        return self.company_id.action_system_mail_connect()

    can_use_application = fields.Boolean(
        compute="_compute_can_use_application",
        help="A registration for people's mailboxes is set up.",
    )

    @api.depends("kind")
    def _compute_can_use_application(self):
        providers = self.env["system.mail.oauth.provider"]
        is_registered = bool(providers.search_count([("for_people", "=", True)], limit=1))
        for connection in self:
            connection.can_use_application = is_registered and connection.kind == "personal"

    def action_connect_by_application(self):
        """Open the dialog that connects a person's mailbox by an application.

        :raises UserError: no registration for people's mailboxes is set up
        """
        self.ensure_one()
        return self.user_id.system_mail_open_application()

    # --- the tiles

    @api.model
    def get_overview(self):
        """What stands above the list: how many mailboxes are in which state, System Mail, and the
        servers that are down.

        :rtype: dict
        """
        groups = self._read_group([], ["state", "needs_attention"], ["__count"])
        counts = {state: 0 for state, _label in self.states()}
        counts["needs_attention"] = 0
        for state, needs_attention, count in groups:
            counts[state] += count
            counts["needs_attention"] += count if needs_attention else 0
        hosts = self.env["system.mail.server.health"]
        systems, servers = self._system_mails(), hosts.servers_down_in_words()
        return {"counts": counts, "systems": systems, "servers": servers}

    @api.model
    def _system_mails(self):
        """Each company's System Mail with its last test."""
        companies = self.env.companies
        tests = self.env["system.mail.event"]._read_group(
            [("kind", "=", "test"), ("server_id", "in", companies.system_mail_server_id.ids)],
            ["server_id"],
            ["id:max"],
        )
        last_tests = {server: self.env["system.mail.event"].browse(id_) for server, id_ in tests}
        states = dict(self.states())
        return [
            {
                "company_id": company.id,
                "company": company.name,
                "address": company.system_mail_address or "",
                "state": company.system_mail_state,
                "state_label": states[company.system_mail_state],
                "message": company.system_mail_message or "",
                "clash": company.system_mail_clash or "",
                "last_test": self._last_test(
                    company, last_tests.get(company.system_mail_server_id)
                ),
            }
            for company in companies
        ]

    def _last_test(self, company, event):
        """What came of a company's last test; or its last success, if no test says more: it worked
        or failed since.

        :param event: the last test, or None
        """
        health = company.system_mail_server_id.system_mail_health_ids
        success = health.last_success
        changed = [success]
        if event and event.sent_from:  # a test that passed is itself a success, of that moment
            changed = [success and success - SAME_MOMENT, health.last_failure]
        is_older = event and any(event.create_date < moment for moment in changed if moment)
        if not event or is_older:
            if success:
                date = moment_in_words(self.env, success)
                return self.env._("Last success on %(date)s.", date=date)
            return (
                ""
                if company.system_mail_state != "not_connected"
                else self.env._("Not tested yet.")
            )
        if event.drill:
            return event.drill_in_words()
        date = moment_in_words(self.env, event.create_date)
        if event.sent_from:
            return self.env._("Last test on %(date)s: passed.", date=date)
        if event.note:  # in the words of who tried it
            return self.env._("Last test on %(date)s: failed.", date=date)
        return self.env._("Last test on %(date)s: %(reason)s", date=date, reason=event.reason)

    # --- test

    def action_test(self):
        """Try the log-in of each mailbox: of one at once, of more while the page shows how far it
        is.
        """
        tried = self.filtered(lambda row: row.server_id or row.incoming_id)
        if not tried:
            return self._notification("warning", self.env._("There is no mailbox to test."))
        if len(tried) > 1:
            return {
                "type": "ir.actions.client",
                "tag": "system_mail_test",
                "params": {"ids": tried.ids, "chunk": CHUNK},
            }
        [result] = tried.test_chunk()["results"]
        return self._notification(
            "success" if result["works"] else "warning",
            "{address}: {text} {time}".format(**result),
            sticky=not result["works"],
            next={"type": "ir.actions.client", "tag": "soft_reload"},
        )

    def test_chunk(self):
        """Try the log-in of some mailboxes, all at the same time.

        :return: what came of each, and a sentence on each server that is down:
            ``{"results": [{"id", "address", "works", "text", "time"}], "servers": [str]}``
        :rtype: dict
        """
        self.check_access("read")
        tried = self[:CHUNK]
        found = dict(tried.server_id.sudo().system_mail_check_in_parallel())
        problems = tried._test_incoming()
        with own_environment(self.env) as env:  # what the checks have just committed
            hosts = env["system.mail.server.health"].with_context(lang=self.env.lang)
            down = hosts.servers_down_in_words()
            troubles = {
                server: hosts.put_down(server.with_env(hosts.env), trouble)
                for server, trouble in found.items()
            }
        return {
            "results": [
                row._test_result(troubles.get(row.server_id), problems.get(row.incoming_id.id))
                for row in tried
            ],
            "servers": down,
        }

    def _test_result(self, trouble, problem):
        """What came of the test of one mailbox, which has just ended.

        :param trouble: as of ``system_mail_check``
        :param str problem: as of ``_test_incoming``
        """
        text = self._incoming_result(problem) if problem else self.env._("It works.")
        if trouble:
            text = self.env._(
                "The test failed: %(reason)s. %(remedy)s",
                reason=reason_of(self.env, *trouble),
                remedy=remedy_of(self.env, trouble[1]),
            )
        return {
            "id": self.id,
            "address": self.address,
            "works": not (trouble or problem),
            "text": text,
            "time": moment_in_words(self.env, fields.Datetime.now()),
        }

    @staticmethod
    def _notification(kind, message, **params):
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {"type": kind, "message": message, **params},
        }
