import datetime

from markupsafe import Markup

from odoo import models

from ...tools.moments import moment_in_words

HOME = "/odoo/system-mail"
SETTINGS = "/odoo/settings"
LATE = datetime.timedelta(days=2)
"""A drill that is due for so long is overdue: the scheduled action has not run it."""


class SystemMailAlert(models.Model):
    """A scheduled drill that did not pass, or that nobody can get, is told."""

    _inherit = "system.mail.alert"

    def _tell_drills(self):
        """Once for each mailbox of System Mail, and once when its drill passes again."""
        events = self.env["system.mail.event"]
        due, overdue = events.due_for_drill(), events.due_for_drill(LATE)
        for policy in self.env["res.company"].system_mail_policies().values():
            for mailbox in policy.mailboxes:
                each = policy, mailbox
                self._tell_drill(*each, is_due=each in due, is_overdue=each in overdue)

    def _tell_drill(self, policy, mailbox, *, is_due, is_overdue):
        server = self.env["ir.mail_server"].browse(mailbox.server_id)
        if server.system_mail_health_ids.state != "connected":
            return  # its own alert says so
        key = f"drill:{server.id}"
        if is_due:
            trouble = self._drill_trouble(policy, mailbox, is_overdue=is_overdue)
            if trouble and self._is_new(key):
                self.tell_super_users(trouble)
            return
        is_on = self.env["ir.config_parameter"].system_mail_number("system_mail.drill_days")
        if self._is_over(key) and is_on:
            self.tell_super_users(
                self.env._("The drill of System Mail %(address)s passed.", address=mailbox.address)
            )

    def _drill_trouble(self, policy, mailbox, *, is_overdue):
        """What is the matter with a drill that is due, and what to do; False if nothing is."""
        company = self.env["res.company"].browse(policy.company_id)
        if not company.system_mail_drill_user():
            what = self.env._(
                "The drill of System Mail %(address)s is due, but nobody can get it. Choose a "
                "steward: a Super User of %(company)s with an e-mail address.",
                address=mailbox.address,
                company=company.name,
            )
            return Markup("%s %s") % (what, self._link(SETTINGS, self.env._("Settings")))
        server = self.env["ir.mail_server"].browse(mailbox.server_id)
        drill = self.env["system.mail.event"].last_drills(server).get(server)
        if not drill or (drill.drill == "passed" and not is_overdue):
            return False
        values = {
            "address": mailbox.address,
            "date": moment_in_words(self.env, drill.create_date),
        }
        if drill.drill == "passed":
            return self.env._(
                "The drill of System Mail %(address)s is overdue: the last one was on %(date)s. "
                "See whether the scheduled action for drills runs.",
                **values,
            )
        what = self.env._(
            "The drill of System Mail %(address)s on %(date)s did not pass. %(reason)s It runs "
            "again tomorrow.",
            reason=drill.note,
            **values,
        )
        return Markup("%s %s") % (what, self._link(HOME, self.env._("Run Drill")))
