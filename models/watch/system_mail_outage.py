import collections

from odoo import api, fields, models
from odoo.fields import Domain

from ...tools.moments import moment_in_words

OF_HEALTH = ("state", "rule", "smtp_code", "enhanced_code", "answer")
"""What an outage keeps of a mailbox's health at its worst."""
MESSAGES = ("fallback", "held", "deferred", "failed")
"""Kinds of events that are about a message."""
OF_LIMITS = ("over_limit", "over_mailbox_limit", "more_than_limit")
"""Rules by which a mailbox that works does not send a message."""
SHOWN = 80
"""Messages that an outage shows."""


class SystemMailOutage(models.Model):
    """A time in which a mailbox did not work: from its first failure to its next success, with what
    System Mail did for it meanwhile.
    """

    _name = "system.mail.outage"
    _inherit = "system.mail.failure"
    _description = "Mailbox Outage"
    _order = "started_at desc, id desc"
    _rec_name = "server_name"
    _log_access = False

    server_id = fields.Many2one(
        "ir.mail_server",
        "Mailbox",
        readonly=True,
        ondelete="set null",
        index="btree_not_null",
    )
    server_name = fields.Char("Mailbox Name", readonly=True)
    user_id = fields.Many2one("res.users", readonly=True, ondelete="set null")
    company_id = fields.Many2one("res.company", required=True, readonly=True, ondelete="cascade")
    state = fields.Selection("states", "Worst State", readonly=True)
    answer = fields.Char("Provider's Answer", readonly=True)
    started_at = fields.Datetime("From", required=True, readonly=True, index=True)
    ended_at = fields.Datetime("Ended", readonly=True, help="Empty: it is not over.")
    until = fields.Char("To", compute="_compute_until")
    duration = fields.Float(
        compute="_compute_duration", help="Hours, until now for one that is not over."
    )
    message_count = fields.Integer("Fallbacks", default=0, readonly=True)
    recipient_count = fields.Integer("Recipients", default=0, readonly=True)
    event_ids = fields.One2many(
        "system.mail.event", compute="_compute_event_ids", string="Messages"
    )
    partner_ids = fields.Many2many(
        "res.partner",
        compute="_compute_partner_ids",
        string="People Reached",
        help="All who got one of these messages. Nothing shows who got which.",
    )

    _one_at_a_time = models.UniqueIndex("(server_id) WHERE ended_at IS NULL")

    @api.model
    @api.private
    def states(self):
        return self.env["system.mail.health"].states()

    @api.depends("ended_at")
    @api.depends_context("lang", "tz")
    def _compute_until(self):
        for outage in self:
            ended = outage.ended_at
            outage.until = moment_in_words(self.env, ended) if ended else self.env._("Not over")

    @api.depends("started_at", "ended_at")
    def _compute_duration(self):
        now = fields.Datetime.now()
        for outage in self:
            lasted = (outage.ended_at or now) - (outage.started_at or now)
            outage.duration = lasted.total_seconds() / 3600

    @api.depends("server_id", "started_at")
    def _compute_event_ids(self):
        events = self.env["system.mail.event"]
        for outage in self:
            # what waits is tried again and again: a message is one line
            latest = events._read_group(
                outage._messages(),
                ["message_id", "kind"],
                ["id:max"],
                order="id:max desc",
                limit=SHOWN,
            )
            outage.event_ids = events.browse(id_ for *_message, id_ in latest)

    @api.depends("server_id", "started_at")
    def _compute_partner_ids(self):
        events = self.env["system.mail.event"]
        for outage in self:
            carried = outage._messages() & Domain("kind", "=", "fallback")
            reached_sudo = self.env["mail.notification"].sudo()
            reached_sudo = reached_sudo.search(
                [
                    ("mail_message_id", "in", events.search(carried).mapped("mail_message_id")),
                    ("notification_type", "=", "email"),
                    ("notification_status", "=", "sent"),
                ]
            )
            partners = reached_sudo.res_partner_id.with_env(self.env)
            outage.partner_ids = partners._filtered_access("read")

    def _messages(self):
        """The domain of the events about messages that the mailbox did not send: those until its
        next outage, since a batch may end after it works again. What waits for a limit is none.
        """
        own = Domain("server_id", "=", self.server_id.id or 0)
        events = own & Domain("kind", "in", MESSAGES) & Domain("create_date", ">=", self.started_at)
        events &= Domain("rule", "not in", OF_LIMITS)
        later = self.search(own & Domain("started_at", ">", self.started_at), order="started_at")
        if later:
            events &= Domain("create_date", "<", later[0].started_at)
        return events

    @api.model
    def _current(self, server):
        return self.search([("server_id", "=", server.id), ("ended_at", "=", False)])

    @api.model
    @api.private
    def note_failure(self, health):
        """The mailbox does not work: the outage begins, or goes on and got worse."""
        values = {name: health[name] for name in OF_HEALTH}
        if outage := self._current(health.server_id):
            if outage.state != "disconnected":
                outage.write(values)
            return
        server = health.server_id
        self.create(
            {
                **values,
                "server_id": server.id,
                "server_name": server.from_filter or server.name,
                "user_id": server.owner_user_id.id,
                "company_id": server.system_mail_company().id,
                "started_at": health.since if health.by_server else health.last_failure,
            }
        )

    @api.model
    @api.private
    def note_success(self, health):
        self.note_end(health.server_id, health.last_success)

    @api.model
    @api.private
    def note_end(self, servers, at):
        """These mailboxes work again.

        :param datetime at: since then
        """
        self.search([("server_id", "in", servers.ids), ("ended_at", "=", False)]).ended_at = at

    @api.model
    @api.private
    def note_innocent(self, servers, began, ended):
        """It was our own network: the outages of these mailboxes that began since then, and end now
        because of it, are taken back, unless System Mail carried something meanwhile.

        :param datetime began: in UTC
        :param datetime ended: as given to ``note_end``
        """
        blamed = Domain("server_id", "in", servers.ids) & Domain("started_at", ">=", began)
        # others have reasons of their own
        blamed &= Domain("ended_at", "=", ended) & Domain("state", "=", "unstable")
        self.search(blamed & Domain("message_count", "=", 0)).unlink()

    @api.model
    def _count_in(self, events):
        """Add what System Mail carried to the latest outage of each mailbox: a batch may end after
        its mailbox works again. A mailbox whose server is down has one as soon as it costs mail.
        """
        counts = collections.defaultdict(collections.Counter)
        for event in events:
            if event.kind == "fallback" and event.server_id:
                counts[event.server_id.id]["messages"] += 1
                counts[event.server_id.id]["recipients"] += event.recipient_count
        by_server = [("server_id", "in", list(counts)), ("by_server", "=", True)]
        for health in self.env["system.mail.health"].search(by_server):
            if not self._current(health.server_id):
                self.note_failure(health)
        # in the order of ids: two workers that count at once must not wait for each other
        for server_id, count in sorted(counts.items()):
            self.env.cr.execute(
                """UPDATE system_mail_outage
                      SET message_count = message_count + %s,
                          recipient_count = recipient_count + %s
                    WHERE id = (SELECT id FROM system_mail_outage WHERE server_id = %s
                              ORDER BY started_at DESC, id DESC LIMIT 1)""",
                [count["messages"], count["recipients"], server_id],
            )
