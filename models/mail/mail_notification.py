import functools

from odoo import api, fields, models
from odoo.api import SUPERUSER_ID
from odoo.tools import email_normalize

from odoo.addons.mail.tools.discuss import Store

from ...constants import GROUP, HELD, WAITING
from ...tools.commands import record_of
from ...tools.failure_reason import FailureReason, fetching
from ...tools.reasons import in_words, reasons

READING = {"is_read", "read_date"}
"""Fields that everybody changes who reads a message."""


class MailNotification(models.Model):
    """The result of a message for one recipient. Odoo lets every employee read every notification.
    So our fields are only for Super Users, and ``_to_store_defaults`` chooses what each viewer
    sees.
    """

    _inherit = "mail.notification"

    failure_type = fields.Selection(
        selection_add=[(HELD, "It may have been delivered"), (WAITING, "Waiting")],
        ondelete={HELD: "set unknown", WAITING: "set null"},
    )
    failure_reason = FailureReason(copy=False)
    system_mail_sent_from = fields.Char(
        readonly=True,
        copy=False,
        groups=GROUP,
        help="System Mail's address, where it stood in for a mailbox that failed.",
    )
    system_mail_rule = fields.Selection(
        lambda self: reasons(self.env), readonly=True, copy=False, groups=GROUP
    )
    system_mail_smtp_code = fields.Integer(readonly=True, copy=False, groups=GROUP)
    system_mail_enhanced_code = fields.Char(readonly=True, copy=False, groups=GROUP)
    system_mail_reason = fields.Char(
        compute="_compute_system_mail_reason",
        groups=GROUP,
        help="Why the mailbox did not send it.",
    )

    @api.depends("system_mail_rule", "system_mail_smtp_code", "system_mail_enhanced_code")
    @api.depends_context("lang")
    def _compute_system_mail_reason(self):
        for notification in self:
            notification.system_mail_reason = in_words(
                self.env,
                notification.system_mail_rule,
                notification.system_mail_smtp_code,
                notification.system_mail_enhanced_code,
            )

    @api.model_create_multi
    def create(self, vals_list):
        notifications = super().create(vals_list)
        messages_sudo = notifications.sudo().mail_message_id
        messages_sudo.system_mail_check_alerts()  # whom one tells of an alert could search it
        notifications._system_mail_check_marks()
        in_use = self.env["res.company"].system_mail_policies()
        if in_use and self.env.uid != SUPERUSER_ID:  # with sudo(), too: Odoo has schedules
            others_sudo = messages_sudo.filtered(lambda m: m.create_uid != self.env.user)
            others_sudo.sudo(False)._system_mail_check_undecided()
        return notifications

    def write(self, vals):
        """Add the values of the current run when a result is written."""
        if vals.keys() <= READING:
            return super().write(vals)
        self._system_mail_check_marks()
        is_bounce = vals.get("failure_type") == "mail_bounce"
        if is_bounce:
            self._system_mail_log_bounce()
        if "mail_message_id" in vals:  # Odoo lets administrators: they could search an alert then
            message = record_of(self.env["mail.message"], vals["mail_message_id"])
            message.system_mail_check_alerts()
            if not self.env.su and self.env["res.company"].system_mail_policies():
                self.mail_message_id._system_mail_check_decision()
        if not self.env.su:
            self._system_mail_check_links(vals)
        elif {"notification_status", "failure_type"} & vals.keys() and not is_bounce:
            self._system_mail_log_outsider()
        run = self.env["ir.mail_server"].system_mail_run()
        groups = run.values_for(self) if run and "notification_status" in vals else {}
        for (sent_from, why), notifications in groups.items():
            values = {f"system_mail_{name}": value for name, value in why._asdict().items()}
            values["system_mail_sent_from"] = sent_from
            super(MailNotification, notifications).write({**vals, **values})
        result = True if groups else super().write(vals)
        self._system_mail_check_marks()
        return result

    def unlink(self):
        self._system_mail_check_marks()
        return super().unlink()

    def _system_mail_check_marks(self):
        """Check that only who wrote a message, or a Super User, changes what these say of System
        Mail, or has them tell of its mail: Odoo lets people change their own notifications, and
        make new ones.

        :raises AccessError: the current user is somebody else
        """
        if self.env.su:
            return
        marks_sudo = self.sudo().filtered(
            lambda n: n.failure_type in (HELD, WAITING) or n.system_mail_rule
        )
        messages_sudo = marks_sudo.mail_message_id
        # Odoo writes why a mail failed on all notifications that name it, whatever their message.
        messages_sudo |= self.sudo().mail_mail_id.mail_message_id - self.sudo().mail_message_id
        messages_sudo.with_env(self.env)._system_mail_check_decision()

    def _system_mail_check_links(self, vals):
        """Check that only who wrote an e-mail, or a Super User, makes its notification one of
        something else, too, as of a letter: what becomes of that is written on it, as superuser.

        :raises AccessError: the current user is somebody else
        """
        links = [
            n for n in vals if self._fields[n].relational and not n.startswith(("mail_", "res_"))
        ]
        if links and self.env["res.company"].system_mail_policies():
            mails = self.filtered(lambda notification: notification.notification_type == "email")
            mails.mail_message_id._system_mail_check_decision()

    def _system_mail_log_outsider(self):
        """Log that Odoo changes the marks of mail that is held or waits for somebody else, as where
        a text message or a letter is said to have arrived.
        """
        if self.env.uid == SUPERUSER_ID or self.env["ir.mail_server"].system_mail_run():
            return
        if not self.env["res.company"].system_mail_policies():  # or each write costs a query
            return
        marked = self.filtered(lambda n: n.failure_type in (HELD, WAITING))
        others = marked.filtered(
            lambda n: not n.mail_message_id._system_mail_may_decide(self.env.user)
        )
        others.mail_mail_id._system_mail_log_decision(
            self.env._("Somebody changed or deleted messages that were held or waiting")
        )

    def _system_mail_log_bounce(self):
        """Log a bounce of mail that is held or waits. Anybody can forge one, by e-mail, and
        employees also over RPC.
        """
        marked_sudo = self.sudo().filtered(lambda n: n.failure_type in (HELD, WAITING))
        marked_sudo.mail_mail_id._system_mail_log_decision(
            self.env._("A bounce came in for a message that was held or waiting")
        )

    def _system_mail_named(self, recipients):
        """The recipients of a bounce among those of these notifications, as Odoo's gateway wants
        them. If there is only one, it is that one: the mail may have been forwarded.

        :param recipients: as ``Bounce`` has them
        :rtype: list[dict]
        """
        partners = {
            email_normalize(each.mail_email_address or each.res_partner_id.email or ""): (
                each.res_partner_id
            )
            for each in self
        }
        named = [next((a for a in names if a in partners), None) for names in recipients]
        addresses = list(dict.fromkeys(filter(None, named)))
        if not addresses and len(partners) == 1:
            addresses = list(filter(None, partners))
        return [{"bounced_email": a, "bounced_partner": partners[a]} for a in addresses]

    # --- what a viewer may know

    def _fetch_query(self, query, fields):
        if self.env.su:
            return super()._fetch_query(query, fields)
        fetched = super(MailNotification, fetching(self))._fetch_query(query, fields)
        return fetched.with_env(self.env)

    def _system_mail_hides_reason(self):
        own_sudo = self.sudo()
        # People may change the type of their own notifications.
        is_mail = own_sudo.notification_type in ("email", "inbox") or own_sudo.system_mail_rule
        return bool(is_mail) and own_sudo.mail_message_id._system_mail_hides_reasons(self.env.user)

    def _filtered_for_web_client(self):
        # with sudo, so that one query fetches for the viewer too
        ours = self.sudo().filtered(lambda n: n.failure_type == WAITING or n.system_mail_sent_from)
        return super()._filtered_for_web_client() | ours.with_env(self.env)

    def _to_store_defaults(self, target):
        viewer = target.get_user(self.env)

        def is_carried(notification):
            return notification.sudo().system_mail_sent_from

        def has_reason(notification):
            return notification.sudo().system_mail_rule and notification._system_mail_is_of(viewer)

        def waits(notification):
            return notification.failure_type == WAITING

        @functools.cache
        def is_disconnected():
            return viewer.with_user(viewer).system_mail_state == "disconnected"

        def is_for_the_owner(notification):
            author = notification.sudo().mail_message_id.author_id
            is_theirs = has_reason(notification) and author == viewer.partner_id
            dropped = notification.notification_status == "canceled"
            return is_theirs and not dropped and is_disconnected()

        return [
            *super()._to_store_defaults(target),
            Store.Attr("system_mail_sent_from", sudo=True, predicate=is_carried),
            Store.Attr(
                "system_mail_reason",
                lambda n: n.sudo().with_context(lang=viewer.lang).system_mail_reason,
                predicate=has_reason,
            ),
            Store.Attr("system_mail_reconnect", True, predicate=is_for_the_owner),
            Store.Attr(
                "system_mail_mailbox",
                lambda n: email_normalize(n.sudo().mail_message_id.email_from),
                predicate=lambda n: is_carried(n) and has_reason(n),
            ),
            Store.Attr(
                "system_mail_next_try",
                lambda n: n.sudo().mail_mail_id.scheduled_date,
                predicate=waits,
            ),
            Store.Attr(
                "system_mail_last_try",
                lambda n: n.sudo().mail_mail_id._system_mail_last_try(),
                predicate=waits,
            ),
            Store.Attr(
                "system_mail_may_decide",
                True,
                predicate=lambda n: (
                    n.failure_type in (HELD, WAITING) and n._system_mail_is_of(viewer)
                ),
            ),
        ]

    def _system_mail_is_of(self, viewer):
        """Whether the viewer wrote the message, or is a Super User."""
        return bool(viewer) and self.sudo().mail_message_id._system_mail_may_decide(viewer)

    def _system_mail_explain(self, why, sent_from=False):
        """Store why a mailbox did not send it, and the address from which System Mail did.

        :param Why why: all False if none failed
        """
        values = {f"system_mail_{name}": value for name, value in why._asdict().items()}
        self.exists().write({**values, "system_mail_sent_from": sent_from})

    def _system_mail_push(self):
        """Update the web clients of the author and of the current user. Odoo does so for failures.

        Odoo's own method is not used: it also runs code of the document. If that raised an error
        now, after the mail was sent, the mail would be sent again.
        """
        changed_sudo = self.sudo().exists().filtered(lambda n: n.notification_status != "exception")
        for author, notifications in changed_sudo.grouped("author_id").items():
            for user in author.main_user_id | self.env.user:
                if user.active and not user.share:
                    Store(bus_channel=user).add(notifications).bus_send()
