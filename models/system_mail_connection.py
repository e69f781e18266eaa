from odoo import api, fields, models
from odoo.tools import SQL

FALLBACK_DAYS = 7


class SystemMailConnection(models.Model):
    """The status view: one row for each internal user, with or without a mailbox, and one for each
    shared mailbox. Ids: even for users, odd for servers.
    """

    _name = "system.mail.connection"
    _description = "Mailbox Connection"
    _auto = False
    _order = "priority, address, id"
    _depends = {  # noqa: RUF012
        "res.users": ["active", "share", "partner_id", "company_id"],
        "res.partner": ["email"],
        "ir.mail_server": ["active", "owner_user_id", "smtp_host", "from_filter", "name"],
        "res.company": ["system_mail_server_id", "system_mail_address"],
        "system.mail.health": ["state", "reason", "remedy", "since", "last_success", "server_id"],
        "system.mail.event": ["kind", "user_id", "server_id", "create_date"],
    }

    kind = fields.Selection(
        [("system", "System Mail"), ("personal", "Personal"), ("shared", "Shared")], readonly=True
    )
    priority = fields.Integer(readonly=True)
    user_id = fields.Many2one("res.users", "User", readonly=True)
    server_id = fields.Many2one("ir.mail_server", "Mailbox", readonly=True)
    company_id = fields.Many2one("res.company", readonly=True)
    address = fields.Char(readonly=True)
    provider = fields.Char(readonly=True)
    state = fields.Selection("_states", readonly=True)
    reason = fields.Char(readonly=True)
    remedy = fields.Char("Next Step", readonly=True)
    since = fields.Datetime(readonly=True)
    last_success = fields.Datetime(readonly=True)
    fallback_count = fields.Integer("Fallbacks in 7 Days", readonly=True)

    @api.model
    def _states(self):
        return self.env["system.mail.health"]._states()

    @property
    def _table_query(self):
        return SQL(
            """
            WITH fallbacks AS (
                SELECT server_id, count(*) AS fallback_count
                  FROM system_mail_event
                 WHERE kind = 'fallback'
                   AND create_date >= now() AT TIME ZONE 'utc' - %(days)s * interval '1 day'
              GROUP BY server_id
            ), mailbox AS (
                SELECT s.id AS server_id, s.owner_user_id, s.name, s.from_filter,
                       s.smtp_host AS provider, c.id AS system_company_id, c.system_mail_address,
                       h.state, h.reason, h.remedy, h.since, h.last_success,
                       COALESCE(f.fallback_count, 0) AS fallback_count
                  FROM ir_mail_server s
             LEFT JOIN res_company c ON c.system_mail_server_id = s.id
             LEFT JOIN system_mail_health h ON h.server_id = s.id
             LEFT JOIN fallbacks f ON f.server_id = s.id
                 WHERE s.active
            )
            SELECT 2 * u.id AS id, 'personal' AS kind, 1 AS priority, u.id AS user_id,
                   m.server_id, u.company_id, COALESCE(m.from_filter, p.email) AS address,
                   m.provider, COALESCE(m.state, 'not_connected') AS state, m.reason, m.remedy,
                   m.since, m.last_success, COALESCE(m.fallback_count, 0) AS fallback_count
              FROM res_users u
              JOIN res_partner p ON p.id = u.partner_id
         LEFT JOIN mailbox m ON m.owner_user_id = u.id
             WHERE u.active AND NOT u.share
             UNION ALL
            SELECT 2 * m.server_id + 1,
                   CASE WHEN m.system_company_id IS NULL THEN 'shared' ELSE 'system' END,
                   CASE WHEN m.system_company_id IS NULL THEN 2 ELSE 0 END,
                   NULL, m.server_id, m.system_company_id,
                   COALESCE(m.system_mail_address, m.from_filter, m.name),
                   m.provider, COALESCE(m.state, 'not_connected'), m.reason, m.remedy,
                   m.since, m.last_success, m.fallback_count
              FROM mailbox m
             WHERE m.owner_user_id IS NULL
            """,
            days=FALLBACK_DAYS,
        )

    def action_open_events(self):
        """The activity of this mailbox."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("system_mail.system_mail_event_action")
        action["domain"] = [("server_id", "=", self.server_id.id)]
        return action

    def action_test(self):
        """Try the log-in of each mailbox now."""
        for connection in self.filtered("server_id"):
            connection.server_id._system_mail_check()
        return True
