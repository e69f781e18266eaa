import datetime

from odoo import api, fields, models

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

    @api.model
    @api.private
    def companies_due_for_drill(self, late=datetime.timedelta()):
        """The companies with System Mail in use whose last drill did not pass, or is older than
        the settings allow; none if drills are not scheduled.

        :param timedelta late: for so much longer
        """
        companies = self.env["res.company"]
        days = self.env["ir.config_parameter"].system_mail_number("system_mail.drill_days")
        if not days:
            return companies
        companies = companies.browse(companies.system_mail_policies())
        last = self.last_drills(companies.system_mail_server_id)
        since = fields.Datetime.now() - datetime.timedelta(days=days) - late + SLACK

        def is_due(company):
            drill = last.get(company.system_mail_server_id)
            return not drill or drill.drill != "passed" or drill.create_date < since

        return companies.filtered(is_due)
