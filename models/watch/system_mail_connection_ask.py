import datetime

from odoo import api, fields, models

from ...failover.words import RECONNECTABLE
from ...tools.moments import day_in_words


class SystemMailConnection(models.Model):
    """Asks the owners of mailboxes to reconnect them: those who can mend them that way."""

    _inherit = "system.mail.connection"

    can_ask = fields.Boolean(
        compute="_compute_can_ask", help="The owner can mend it by reconnecting it."
    )
    asked = fields.Char(
        compute="_compute_asked", help="When its owner was last asked to reconnect."
    )

    @api.depends("user_id", "needs_attention", "failed_server", "remedy_key")
    def _compute_can_ask(self):
        for connection in self:
            connection.can_ask = (
                bool(connection.user_id)
                and connection.needs_attention
                and not connection.failed_server
                and connection.remedy_key in RECONNECTABLE
            )

    @api.depends("server_id")
    @api.depends_context("lang", "tz")
    def _compute_asked(self):
        asked_at = self.env["system.mail.alert"].asked_at(self.server_id)
        for connection in self:
            moment = asked_at.get(connection.server_id.id)
            connection.asked = self._asked_in_words(moment) if moment else False

    def _asked_in_words(self, moment):
        today = fields.Date.context_today(self)
        day = fields.Datetime.context_timestamp(self, moment).date()
        if day == today:
            return self.env._("Asked today")
        if day == today - datetime.timedelta(days=1):
            return self.env._("Asked yesterday")
        return self.env._("Asked on %(date)s", date=day_in_words(self.env, day))

    def action_ask_to_reconnect(self):
        """Have OdooBot ask the owners who can mend their mailboxes. Nobody else is asked."""
        self.check_access("read")
        asked = self.filtered("can_ask")
        alert = self.env["system.mail.alert"].sudo()
        for user in asked.user_id:
            alert.ask_to_reconnect(user)
        alert.note_asked(asked.server_id)
        self.invalidate_recordset(["asked"])
        kind, message = "success" if asked else "info", self._asked_whom(asked)
        reload = {"type": "ir.actions.client", "tag": "soft_reload"}
        return self._notification(kind, message, next=reload)

    def _asked_whom(self, asked):
        """Who of the owners of these mailboxes was asked, as a sentence."""
        if len(asked) == 1:
            return self.env._("Asked %(name)s to reconnect.", name=asked.user_id.name)
        if asked:
            return self.env._("Asked %(count)s people to reconnect.", count=len(asked))
        return self.env._(
            "Nobody was asked. The owners of these mailboxes can't mend them by reconnecting. Each "
            "line says what to do."
        )
