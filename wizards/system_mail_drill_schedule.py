from odoo import api, models

from ..tools.odoo_20 import parameter


class SystemMailDrill(models.TransientModel):
    """Runs drills on a schedule, if the settings say so."""

    _inherit = "system.mail.drill"

    @api.model
    def _cron_run(self):
        """Run the drill of each company where one is due, and send it to the company's steward. A
        drill that does not pass stays due: it runs again the next day.
        """
        due = self.env["system.mail.event"].companies_due_for_drill()
        if parameter(self.env, "database.is_neutralized"):
            return
        cron = self.env["ir.cron"]
        cron._commit_progress(remaining=len(due))
        for company in due:
            if steward := company.system_mail_drill_user():
                self._run_for(company, steward)
            if not cron._commit_progress(1):
                break
        if due:
            self.env["system.mail.alert"].look_soon()

    @api.model
    def _run_for(self, company, user):
        """Run the drill of each mailbox of a company's System Mail as if this user had pressed the
        button.
        """
        drills = self.with_user(user).with_context(
            allowed_company_ids=company.ids, lang=user.lang, tz=user.tz
        )
        values = {"company_id": company.id, "is_scheduled": True}
        drills.create(values).action_send()
        for backup in company.system_mail_backup_ids.filtered("server_id.active"):
            drills.create({**values, "backup_id": backup.id}).action_send()
