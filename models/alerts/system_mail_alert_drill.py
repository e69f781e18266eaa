import datetime

from markupsafe import Markup

from odoo import models
from odoo.tools import format_date

HOME = "/odoo/system-mail"
SETTINGS = "/odoo/settings"
LATE = datetime.timedelta(days=2)
"""A drill that is due for so long is overdue: the scheduled action has not run it."""


class SystemMailAlert(models.Model):
    """A scheduled drill that did not pass, or that nobody can get, is told."""

    _inherit = "system.mail.alert"

    def _tell_drills(self):
        """Once, and once when a drill passes again. While System Mail itself is out of order, its
        own alert says so.
        """
        events = self.env["system.mail.event"]
        due, overdue = events.companies_due_for_drill(), events.companies_due_for_drill(LATE)
        is_on = self.env["ir.config_parameter"].system_mail_number("system_mail.drill_days")
        companies = self.env["res.company"]
        companies = companies.browse(companies.system_mail_policies())
        last = events.last_drills(companies.system_mail_server_id)
        for company in companies.filtered(lambda each: each.system_mail_state == "connected"):
            drill, key = last.get(company.system_mail_server_id), f"drill:{company.id}"
            if company in due:
                trouble = self._drill_trouble(company, drill, is_overdue=company in overdue)
                if trouble and self._is_new(key):
                    self.tell_super_users(trouble)
            elif self._is_over(key) and is_on:
                self.tell_super_users(
                    self.env._(
                        "The drill of System Mail %(address)s passed.",
                        address=company.system_mail_address,
                    )
                )

    def _drill_trouble(self, company, drill, *, is_overdue):
        """What is the matter with the drill of a company where one is due, and what to do.

        :param drill: the last one, or None
        :return: False if nothing is
        """
        address = company.system_mail_address
        if not company.system_mail_drill_user():
            what = self.env._(
                "The drill of System Mail %(address)s is due, but nobody can get it. Choose a "
                "steward: a Super User of %(company)s with an e-mail address.",
                address=address,
                company=company.name,
            )
            return Markup("%s %s") % (what, self._link(SETTINGS, self.env._("Settings")))
        if not drill or (drill.drill == "passed" and not is_overdue):
            return False
        if drill.drill == "passed":
            return self.env._(
                "The drill of System Mail %(address)s is overdue: the last one was on %(date)s. "
                "See whether the scheduled action for drills runs.",
                address=address,
                date=format_date(self.env, drill.create_date),
            )
        what = self.env._(
            "The drill of System Mail %(address)s on %(date)s did not pass. It runs again "
            "tomorrow. To see why it failed, run it now.",
            address=address,
            date=format_date(self.env, drill.create_date),
        )
        return Markup("%s %s") % (what, self._link(HOME, self.env._("Run Drill")))
