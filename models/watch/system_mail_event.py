import datetime
import logging

import psycopg2

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain
from odoo.tools import SQL

from ...constants import BATCH
from ...sending.ledger import writes_for_others
from ...tools.own_cursor import own_environment

_logger = logging.getLogger(__name__)

LONGEST_NOTE = 2000
"""Characters."""


class SystemMailEvent(models.Model):
    """What System Mail did, line by line. Nobody changes or deletes a line. No subjects, no bodies
    and no recipients: a Super User is not a reader of other people's mail.
    """

    _name = "system.mail.event"
    _inherit = "system.mail.failure"
    _description = "System Mail Activity"
    _order = "create_date desc, id desc"
    _rec_name = "kind"

    kind = fields.Selection(
        [
            ("fallback", "Fallback"),
            ("held", "May have been delivered"),
            ("deferred", "Had to wait"),
            ("failed", "Failed"),
            ("disconnected", "Mailbox disconnected"),
            ("reconnected", "Mailbox reconnected"),
            ("test", "Test or drill"),
            ("configured", "Change or decision"),
        ],
        required=True,
        readonly=True,
    )
    company_id = fields.Many2one("res.company", required=True, readonly=True, ondelete="restrict")
    user_id = fields.Many2one(
        "res.users", readonly=True, ondelete="set null", index="btree_not_null"
    )
    user_name = fields.Char("Deleted User", readonly=True, help="Who it was, of those deleted.")
    server_id = fields.Many2one(
        "ir.mail_server",
        "Mailbox",
        readonly=True,
        ondelete="set null",
        help="The mailbox that failed, or that the event is about.",
    )
    server_name = fields.Char("Mailbox Name", readonly=True)
    message_id = fields.Char("Message-ID", readonly=True)
    mail_message_id = fields.Integer("Message", readonly=True)
    recipient_count = fields.Integer("Recipients", readonly=True)
    original_from = fields.Char("Author", readonly=True)
    sent_from = fields.Char(readonly=True)
    phase = fields.Char(readonly=True, help="The step of the SMTP conversation that failed.")
    note = fields.Char(readonly=True, help="What happened, where no mailbox failed.")
    answer = fields.Char("Provider's Answer", readonly=True)
    is_undecided = fields.Boolean(
        compute="_compute_is_undecided", help="It was held or failed, and nobody has decided on it."
    )

    was_tried_again = fields.Boolean(
        store=False,
        search="_search_was_tried_again",
        help="The message had to wait once more later.",
    )

    _kind_date = models.Index("(kind, create_date)")
    _server_date = models.Index("(server_id, kind, create_date) WHERE server_id IS NOT NULL")
    _create_date = models.Index("(create_date DESC, id DESC)")

    @api.depends("kind")
    @api.depends_context("lang")
    def _compute_display_name(self):
        super()._compute_display_name()
        kinds = dict(self._fields["kind"]._description_selection(self.env))
        for event in self.filtered("display_name"):
            event.display_name = kinds.get(event.kind)

    @api.depends("note")
    def _compute_reason(self):
        super()._compute_reason()
        for event in self.filtered("note"):
            event.reason = event.note

    @api.model
    def _reason_says(self, text):
        if not text:
            return super()._reason_says(text) & Domain("note", "=", False)
        return super()._reason_says(text) | Domain("note", "ilike", text)

    def write(self, vals):  # pylint: disable=method-required-super
        raise AccessError(
            self.env._("The activity of System Mail is a record: it is never changed.")
        )

    @api.ondelete(at_uninstall=True)  # always: any caller can say that it is an uninstallation
    def _unlink_never(self):
        raise AccessError(
            self.env._("The activity of System Mail is a record: it is never deleted.")
        )

    @api.model
    @api.private
    def keep_names(self, users):
        """Keep who changed what, as a name: these users are about to be deleted."""
        self.flush_model(["kind", "user_id"])
        for user_sudo in users.sudo():
            self.env.cr.execute(  # not write(): that is closed to everybody
                """UPDATE system_mail_event SET user_name = %s
                    WHERE user_id = %s AND kind = 'configured'""",
                [f"{user_sudo.name} ({user_sudo.login})", user_sudo.id],
            )
        self.invalidate_model(["user_name"])

    @api.model
    def _search_was_tried_again(self, operator, value):
        if operator != "in":
            return NotImplemented

        def to_sql(model, alias, _query):
            return SQL(
                """(%(kind)s = 'deferred' AND %(id)s NOT IN (
                       SELECT max(id) FROM system_mail_event
                        WHERE kind = 'deferred' GROUP BY message_id))""",
                kind=model._field_to_sql(alias, "kind"),
                id=model._field_to_sql(alias, "id"),
            )

        was_tried_again = Domain.custom(to_sql=to_sql)
        return was_tried_again if True in value else ~was_tried_again

    # --- what people decide

    @api.depends("kind", "mail_message_id")
    def _compute_is_undecided(self):
        messages = self._undecided_mails().mail_message_id
        for event in self:
            event.is_undecided = event._is_bad() and event.mail_message_id in messages.ids

    def _is_bad(self):
        return self.kind in ("held", "failed")

    def _undecided_mails(self):
        """The mails of these messages that were not sent, and are not to be sent."""
        message_ids = self.filtered(lambda event: event._is_bad()).mapped("mail_message_id")
        return self.env["mail.mail"].search(
            [("mail_message_id", "in", message_ids), ("state", "=", "exception")]
        )

    def action_send_again(self):
        """Send again what was held or failed. Whoever clicks accepts a second copy of what may have
        been delivered.
        """
        return self._undecided_mails().action_system_mail_send_again()

    def action_drop(self):
        """Send nothing more of what was held or failed."""
        return self._undecided_mails().action_system_mail_drop()

    # --- documents

    def action_open_document(self):
        """Open the message in its document, if the user may read it."""
        self.ensure_one()
        return self.open_message(self.mail_message_id)

    @api.model
    @api.private
    def open_message(self, mail_message_id):
        """Open a message in its document, if the user may read it.

        :return: an action; a notification if they may not
        :rtype: dict
        """
        message_sudo = self.env["mail.message"].sudo().browse(mail_message_id).exists()
        document_sudo = message_sudo.system_mail_document()
        if document_sudo and document_sudo.sudo(False).has_access("read"):
            return {
                "type": "ir.actions.client",
                "tag": "system_mail_open_message",
                "params": {
                    "action": document_sudo.sudo(False).get_formview_action(),
                    "message_id": mail_message_id,
                },
            }
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "info",
                "message": self.env._(
                    "The message belongs to no document that you can open: it was deleted, or "
                    "you may not read it."
                ),
            },
        }

    @api.autovacuum
    def _gc_events(self):
        """Delete what is older than the settings keep, a batch at a time. Who changed what is kept.

        :return: how many were deleted, and whether more are left
        """
        days = self.env["ir.config_parameter"].system_mail_number("system_mail.retention_days")
        if not days:
            return 0, 0
        cutoff = fields.Datetime.now() - datetime.timedelta(days=days)
        self.env["system.mail.outage"].search([("ended_at", "<", cutoff)], limit=BATCH).unlink()
        self.env.cr.execute(  # not unlink(): that is closed to everybody
            """DELETE FROM system_mail_event WHERE id IN (
                   SELECT id FROM system_mail_event
                    WHERE create_date < %s AND kind != 'configured'
                 ORDER BY create_date LIMIT %s)""",
            [cutoff, BATCH],
        )
        deleted = self.env.cr.rowcount
        self.invalidate_model()
        return deleted, int(deleted == BATCH)

    @api.model
    @api.private
    def has_refused_author(self, mail):
        """Whether, within the last day, both mailboxes refused a message of this mail's author at
        the end of its transmission.
        """
        message_sudo = mail.sudo().mail_message_id
        users_sudo = message_sudo.create_uid | message_sudo.author_id.user_ids
        since = fields.Datetime.now() - datetime.timedelta(days=1)
        domain = [
            ("kind", "=", "failed"),
            ("create_date", ">=", since),
            ("user_id", "in", users_sudo.ids),
            ("phase", "=", "dot"),
            ("rule", "in", ("refused", "unproven")),
        ]
        return bool(self.sudo().search_count(domain, limit=1))

    @api.model
    @api.private
    def note_change_for_all(self, note):
        """Write down what concerns all companies, in each that has a System Mail.

        :param str note: as of ``note_change``
        """
        companies = self.env["res.company"]
        concerned = companies.browse(companies.system_mail_policies()) or self.env.company
        for company in concerned:
            self.note_change(note, company)

    @api.model
    @api.private
    def note_change(self, note, company, **values):
        """Write down who changed what, in the caller's transaction: it is no sending.

        :param str note: what changed, as people read it; people choose values of any length
        :param values: further ones of the event
        """
        self.sudo().create(
            {
                "kind": "configured",
                "company_id": company.id,
                "user_id": self.env.uid,
                "note": note if len(note) <= LONGEST_NOTE else f"{note[:LONGEST_NOTE]}…",
                **values,
            }
        )

    @api.model
    @api.private
    def write_down(self, vals_list):
        """Create events on an own cursor: they must survive a rollback of the sending transaction.
        An error of the database is logged, and does not stop the sending.

        :param list vals_list: with ``author_id`` and ``writer_id`` of a ``MailInfo`` instead of
            ``user_id``
        """
        if not vals_list:
            return
        try:
            with own_environment(self.env) as env:
                events = env[self._name].create(list(self._visible(env, vals_list)))
                env["system.mail.outage"]._count_in(events)
        except psycopg2.Error as exc:
            _logger.warning("%d System Mail events were not written: %s", len(vals_list), exc)

    @staticmethod
    def _visible(env, vals_list):
        """The values, without links to records that the own cursor does not see, since the sending
        transaction created them. The user is the writer, otherwise the user of the author's
        partner.
        """
        servers_sudo = env["ir.mail_server"].sudo().with_context(active_test=False)
        servers_sudo = servers_sudo.search_fetch(
            [("id", "in", [v["server_id"] for v in vals_list])], ["from_filter", "name"]
        )
        names = {server.id: server.from_filter or server.name for server in servers_sudo}
        writers = env["res.users"].browse({v["writer_id"] for v in vals_list}).exists()
        user_of_writer = {user.id: user.id for user in writers if not writes_for_others(user)}
        partner_ids = [v["author_id"] for v in vals_list if v["writer_id"] not in user_of_writer]
        users = env["res.users"]
        if any(partner_ids):
            users = users.search([("partner_id", "in", partner_ids), ("share", "=", False)])
        user_of_author = {user.partner_id.id: user.id for user in users}
        for vals in vals_list:
            own = dict(vals)
            writer_id, author_id = own.pop("writer_id"), own.pop("author_id")
            own["user_id"] = user_of_writer.get(writer_id) or user_of_author.get(author_id)
            own["server_name"] = names.get(own["server_id"], own["server_name"])
            own["original_from"] = (own.get("original_from") or "")[:LONGEST_NOTE]
            if own["server_id"] not in names:
                own["server_id"] = False
            yield own
