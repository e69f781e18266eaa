import datetime

from odoo import api, fields, models

from ...tools.moments import moment_in_words

SLACK = datetime.timedelta(hours=2)
"""The scheduled action does not run at the very same time each day."""


class SystemMailEvent(models.Model):
    """The history of drills, and when the next one is due."""

    _inherit = "system.mail.event"

    drill = fields.Selection(
        [("passed", "Passed"), ("wrong", "Not as it should be"), ("failed", "Failed")],
        readonly=True,
        help="The verdict, if the event is a drill.",
    )

    @api.model
    @api.private
    def last_drills(self, servers):
        """The last drill of each System Mail: ``{server: event}``."""
        groups = self._read_group(
            [("kind", "=", "test"), ("drill", "!=", False), ("server_id", "in", servers.ids)],
            ["server_id"],
            ["id:max"],
        )
        return {server: self.browse(id_) for server, id_ in groups}

    @api.private
    def drill_in_words(self):
        """When the last drill was, and its verdict."""
        verdicts = dict(self._fields["drill"]._description_selection(self.env))
        return self.env._(
            "Last drill on %(time)s: %(outcome)s.",
            time=moment_in_words(self.env, self.create_date),
            outcome=verdicts[self.drill].lower(),
        )

    @api.model
    @api.private
    def due_for_drill(self, late=datetime.timedelta()):
        """The mailboxes of System Mail in use whose last drill did not pass, or is older than the
        settings allow; none if drills are not scheduled.

        :param timedelta late: for so much longer
        :return: ``[(Policy, SystemMailbox)]``
        """
        days = self.env["ir.config_parameter"].system_mail_number("system_mail.drill_days")
        policies = self.env["res.company"].system_mail_policies().values() if days else ()
        mailboxes = [(policy, mailbox) for policy in policies for mailbox in policy.mailboxes]
        servers = self.env["ir.mail_server"].browse(box.server_id for _policy, box in mailboxes)
        last = {server.id: drill for server, drill in self.last_drills(servers).items()}
        since = fields.Datetime.now() - datetime.timedelta(days=days) - late + SLACK

        def is_due(mailbox):
            drill = last.get(mailbox.server_id)
            return not drill or drill.drill != "passed" or drill.create_date < since

        return [(policy, mailbox) for policy, mailbox in mailboxes if is_due(mailbox)]
