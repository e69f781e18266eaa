from markupsafe import Markup

from odoo import api, fields, models

from ...constants import HELD
from ...models.mailboxes.system_mail_health import SUCCESS_INTERVAL
from ...tools.moments import moment_in_words

SHOWN = 20
"""The most messages that are listed."""


class SystemMailConnectHeldMail(models.TransientModel):
    """Lists, once a person's mailbox is connected again, the mail that failed meanwhile. Sends or
    discards it.
    """

    _inherit = "system.mail.connect"

    outage_since = fields.Datetime(readonly=True)
    held_count = fields.Integer(compute="_compute_held")
    held_list = fields.Html(compute="_compute_held")
    held_outcome = fields.Char(readonly=True)
    doubtful_count = fields.Integer(compute="_compute_held")
    doubtful_list = fields.Html(compute="_compute_held")

    @api.model
    def _outage_of(self, user_id):
        """The dialog's value for the time since when a user's mailbox may have failed.

        :rtype: dict
        """
        user = self.env["res.users"].browse(user_id)
        health_sudo = user.outgoing_mail_server_id.sudo().system_mail_health_ids[:1]
        if health_sudo.state not in ("unstable", "disconnected"):
            return {}
        worked = health_sudo.last_success or health_sudo.since
        return {"outage_since": worked - SUCCESS_INTERVAL}

    @api.depends("state", "held_outcome")
    def _compute_held(self):
        for dialog in self:
            failed_sudo = dialog._failed_mails()
            held_sudo, doubtful_sudo = self._apart(failed_sudo)
            dialog.held_count, dialog.doubtful_count = len(held_sudo), len(doubtful_sudo)
            dialog.held_list = self._list(held_sudo)
            dialog.doubtful_list = self._list(doubtful_sudo)

    @staticmethod
    def _apart(mails_sudo):
        """Those that surely did not arrive, and those that may have."""
        doubtful_sudo = mails_sudo.filtered(lambda mail: mail.failure_type == HELD)
        return mails_sudo - doubtful_sudo, doubtful_sudo

    def _list(self, mails_sudo):
        return Markup().join(map(self._describe_held, mails_sudo[:SHOWN]))

    def _describe_held(self, mail_sudo):
        """One line of HTML about a mail: its date, recipients and document."""
        people = ", ".join(mail_sudo.recipient_ids.mapped("name")) or mail_sudo.email_to or ""
        message = mail_sudo.mail_message_id
        line = Markup("<div>{} · {} · {}</div>").format(
            moment_in_words(self.env, message.date),
            people,
            message.record_name or mail_sudo.subject or "",
        )
        if not (message.model and message.res_id):
            return line
        return Markup('<a href="/mail/message/{}" target="_blank">{}</a>').format(message.id, line)

    def _held_mails(self):
        """Of the mail that failed, what surely did not arrive: it is sent again, or dropped."""
        return self._apart(self._failed_mails())[0]

    def _failed_mails(self):
        """The mail that the owner wrote, that failed since their mailbox did, and that can be sent
        again. Who is named as its author proves nothing.
        """
        mails_sudo = self.env["mail.mail"].sudo()
        if not (self.user_id and self.user_id == self.env.user and self.outage_since):
            return mails_sudo
        return mails_sudo.search(
            [
                ("state", "=", "exception"),
                # Odoo gives a mail no type where its server could not be reached at all
                ("failure_type", "in", (False, "mail_smtp", HELD)),
                ("mail_message_id.create_uid", "=", self.user_id.id),
                ("create_date", ">=", self.outage_since),
            ],
            order="id",
        )

    def action_send_held(self):
        """Send the failed mail again."""
        mails_sudo = self._held_mails()
        count = len(mails_sudo)
        mails_sudo.action_system_mail_send_again()
        self.held_outcome = (
            self.env._("1 message is being sent.")
            if count == 1
            else self.env._("%(count)s messages are being sent.", count=count)
        )
        return self.reopen()

    def action_discard_held(self):
        """Drop the failed mail, which may be out of date by now."""
        mails_sudo = self._held_mails()
        count = len(mails_sudo)
        mails_sudo.action_system_mail_drop()
        self.held_outcome = (
            self.env._("1 message was dropped.")
            if count == 1
            else self.env._("%(count)s messages were dropped.", count=count)
        )
        return self.reopen()
