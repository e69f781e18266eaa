from odoo import api, models

from ..tools.odoo_20 import parameter


class SystemMailDrill(models.TransientModel):
    """Runs drills on a schedule, if the settings say so."""

    _inherit = "system.mail.drill"

    @api.model
    def _cron_run(self):
        """Run the drills that are due, and send each to the company's steward. A drill that does
        not pass stays due: it runs again the next day.
        """
        if parameter(self.env, "database.is_neutralized"):
            return
        due = self.env["system.mail.event"].due_for_drill()
        cron = self.env["ir.cron"]
        cron._commit_progress(remaining=len(due))
        for policy, mailbox in due:
            company = self.env["res.company"].browse(policy.company_id)
            if steward := company.system_mail_drill_user():
                self._run_for(company, mailbox, steward)
            if not cron._commit_progress(1):
                break
        if due:
            self.env["system.mail.alert"].look_soon()

    @api.model
    def _run_for(self, company, mailbox, user):
        """Run the drill of a mailbox of System Mail as if this user had pressed the button.

        :param SystemMailbox mailbox: one of the company's
        """
        backups = company.system_mail_backup_ids
        backup = backups.filtered(lambda each: each.server_id.id == mailbox.server_id)
        drills = self.with_user(user).with_context(
            allowed_company_ids=company.ids, lang=user.lang, tz=user.tz
        )
        values = {"company_id": company.id, "backup_id": backup.id, "is_scheduled": True}
        drills.create(values).action_send()
