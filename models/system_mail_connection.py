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
    _depends = {
        "res.users": ["active", "share", "partner_id", "company_id"],
        "res.partner": ["email"],
        "ir.mail_server": [
            "active",
            "owner_user_id",
            "smtp_host",
            "smtp_authentication",
            "from_filter",
            "name",
        ],
        "res.company": ["system_mail_server_id", "system_mail_address"],
        "system.mail.health": [
            "state",
            "reason",
            "remedy",
            "answer",
            "effect",
            "since",
            "last_success",
            "server_id",
        ],
        "system.mail.event": ["kind", "user_id", "server_id", "create_date"],
    }

    kind = fields.Selection(
        [("system", "System Mail"), ("personal", "Personal"), ("shared", "Shared")], readonly=True
    )
    priority = fields.Integer(readonly=True)
    user_id = fields.Many2one("res.users", readonly=True)
    server_id = fields.Many2one("ir.mail_server", "Mailbox", readonly=True)
    company_id = fields.Many2one("res.company", readonly=True)
    address = fields.Char(readonly=True)
    provider = fields.Char(readonly=True)
    state = fields.Selection("_states", readonly=True)
    reason = fields.Char(readonly=True)
    remedy = fields.Char("Next Step", readonly=True)
    answer = fields.Char("Provider's Answer", readonly=True)
    needs_attention = fields.Boolean(
        readonly=True, help="Somebody has something to do: it does not mend itself."
    )
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
                       CASE WHEN s.smtp_authentication = 'gmail'
                              OR s.smtp_host ~* '(^|[.])(gmail|google|googlemail)[.]com$'
                            THEN 'Google'
                            WHEN s.smtp_authentication = 'outlook'
                              OR s.smtp_host ~* '(^|[.])(office365|outlook|hotmail)[.]com$'
                            THEN 'Microsoft 365'
                            ELSE s.smtp_host END AS provider,
                       c.id AS system_company_id, c.system_mail_address,
                       h.state, h.reason, h.remedy, h.answer, h.since, h.last_success,
                       h.state = 'disconnected'
                           OR h.effect IN ('misconfigured', 'provider_misconfigured')
                           AS needs_attention,
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
                   m.answer, COALESCE(m.needs_attention, FALSE) AS needs_attention, m.since,
                   m.last_success, COALESCE(m.fallback_count, 0) AS fallback_count
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
                   m.answer, COALESCE(m.needs_attention, FALSE), m.since,
                   m.last_success, m.fallback_count
              FROM mailbox m
             WHERE m.owner_user_id IS NULL
            """,
            days=FALLBACK_DAYS,
        )

    def action_open_events(self):
        """The activity of this mailbox."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "system_mail.system_mail_event_action"
        )
        action["domain"] = [("server_id", "=", self.server_id.id)]
        return action

    @api.model
    def action_open(self):
        """The list; of what needs attention, if anything does."""
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "system_mail.system_mail_connection_action"
        )
        if self.search_count([("needs_attention", "=", True)], limit=1):
            action["context"] = {"search_default_needs_attention": 1}
        return action

    def action_connect(self):
        """Open System Mail's connect dialog."""
        self.ensure_one()
        return self.company_id.action_system_mail_connect()

    def action_test(self):
        """Try the log-in of each mailbox now, and say what came of it."""
        tried = self.filtered("server_id")
        failed = len([mailbox for mailbox in tried if mailbox.server_id._system_mail_check()])
        if not tried:
            message = self.env._("There is no mailbox to test.")
        elif failed:
            message = self.env._(
                "%(failed)s of %(tried)s mailboxes did not work: the list says why.",
                failed=failed,
                tried=len(tried),
            )
        else:
            message = self.env._("%(tried)s of %(tried)s mailboxes work.", tried=len(tried))
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "warning" if failed or not tried else "success",
                "message": message,
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }
