import datetime
import functools

from odoo import api, fields, models
from odoo.api import SUPERUSER_ID

from ...constants import GROUP
from ...tools.moments import moment_in_words
from .system_mail_outage import MESSAGES

PERIOD = datetime.timedelta(days=7)
LINES = 5


class SystemMailSummary(models.AbstractModel):
    """The weekly summary, if the settings want one: a mail to each Super User."""

    _name = "system.mail.summary"
    _description = "System Mail Summary"

    @api.model
    def _cron_send(self):
        """Write the mails; the queue sends them."""
        if not self.env["ir.config_parameter"].system_mail_number("system_mail.summary"):
            return
        root = self.env["res.users"].browse(SUPERUSER_ID)
        super_users = self.env.ref(GROUP).all_user_ids
        for user in super_users.filtered(lambda user: user.email and user.active) - root:
            theirs = self.with_user(user).with_context(
                lang=user.lang, tz=user.tz, allowed_company_ids=user.company_ids.ids
            )
            self.env["mail.mail"].create(
                {
                    "subject": theirs.env._("System Mail: the last seven days"),
                    "body_html": theirs._body(),
                    "model": self._name,  # by which a rule keeps it from administrators
                    "email_from": root.email_formatted,
                    "recipient_ids": user.partner_id.ids,
                    "auto_delete": True,
                }
            )

    def _body(self):
        events, outages = self.env["system.mail.event"], self.env["system.mail.outage"]
        since = fields.Datetime.now() - PERIOD
        recent = [("create_date", ">=", since)]
        return self.env["ir.qweb"]._render(
            "system_mail.summary",
            {
                **self.env["system.mail.connection"].get_overview(),
                "base_url": self.get_base_url(),
                "attention": self.env["system.mail.connection"].search(
                    [("needs_attention", "=", True)], limit=LINES
                ),
                "moment": functools.partial(moment_in_words, self.env),
                "kinds": self._kinds(recent),
                "reasons": self._labelled(
                    events._read_group(
                        [*recent, ("kind", "=", "fallback")],
                        ["rule"],
                        ["__count", "recipient_count:sum"],
                        order="__count desc",
                        limit=LINES,
                    ),
                    "rule",
                ),
                "outages": outages.search(
                    ["|", ("ended_at", "=", False), ("ended_at", ">=", since)],
                    order="message_count desc, started_at desc",
                    limit=LINES,
                ),
            },
        )

    def _kinds(self, recent):
        """What happened, each a line. A message that waited several times is one."""
        groups = self.env["system.mail.event"]._read_group(
            recent, ["kind"], ["__count", "message_id:count_distinct"], order="kind"
        )
        counts = [
            (kind, messages if kind in MESSAGES else count) for kind, count, messages in groups
        ]
        return [
            self.env._("%(kind)s: %(count)s", kind=label, count=count)
            for label, count in self._labelled(counts, "kind")
        ]

    def _labelled(self, groups, name):
        """The groups, each by its field's label instead of the value."""
        labels = dict(self.env["system.mail.event"]._fields[name]._description_selection(self.env))
        return [(labels.get(value, value), *figures) for value, *figures in groups]
