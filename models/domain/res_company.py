import datetime

from odoo import api, fields, models

from ...constants import GROUP

FRESH = datetime.timedelta(days=6)
"""The weekly check skips what was checked less long ago, so an interrupted one can go on later."""
NEVER = datetime.datetime.min


class ResCompany(models.Model):
    """Checks the DNS of the domain that a company's System Mail sends from: after it was connected,
    every week, and on demand. Sending and connecting never wait for this check.
    """

    _inherit = "res.company"

    system_mail_finding_ids = fields.One2many(
        "system.mail.domain.finding",
        "company_id",
        domain=[("backup_id", "=", False)],
        groups=GROUP,
        readonly=True,
    )
    system_mail_domain_status = fields.Selection(
        "_system_mail_domain_statuses", compute="_compute_system_mail_domain", groups=GROUP
    )
    system_mail_domain_checked_at = fields.Datetime(
        compute="_compute_system_mail_domain", groups=GROUP
    )

    @api.model
    def _system_mail_domain_statuses(self):
        return self.env["system.mail.domain.finding"].statuses()

    @api.depends("system_mail_finding_ids.status", "system_mail_finding_ids.checked_at")
    def _compute_system_mail_domain(self):
        for company in self:
            findings = company.system_mail_finding_ids
            worst = findings.worst(findings.mapped("status"))
            company.system_mail_domain_status = worst or "unknown"
            company.system_mail_domain_checked_at = findings[:1].checked_at

    @api.private
    def system_mail_recheck_domain(self):
        """Delete the findings, and have the scheduled action check the domain again soon."""
        company_sudo = self.sudo()
        company_sudo.system_mail_finding_ids.unlink()
        company_sudo.system_mail_backup_ids.finding_ids.unlink()
        cron = self.env.ref("system_mail.ir_cron_domain_check", raise_if_not_found=False)
        if cron and self.sudo().system_mail_server_id:
            cron.sudo()._trigger()

    def _system_mail_check_domain(self):
        """Check the domains of all mailboxes now, which takes some seconds each at most, and store
        the findings.

        :return: the findings that are worse than when the DNS last answered
        """
        self.ensure_one()
        company_sudo = self.sudo()
        worse = company_sudo.system_mail_finding_ids._check(
            {"company_id": self.id, "backup_id": False},
            company_sudo.system_mail_address,
            company_sudo.system_mail_server_id,
        )
        for backup_sudo in company_sudo.system_mail_backup_ids:
            holder = {"company_id": self.id, "backup_id": backup_sudo.id}
            worse |= backup_sudo.finding_ids._check(
                holder, backup_sudo.address, backup_sudo.server_id
            )
        return worse

    def action_system_mail_check_domain(self):
        """Check the sending domain in the DNS again."""
        self.check_system_mail_access()
        self._system_mail_check_domain()
        return True

    @api.model
    def _system_mail_cron_check_domains(self):
        """Check the domain of each System Mail in use that was not checked within the last days."""
        checked_before = fields.Datetime.now() - FRESH
        due = self.browse(self.system_mail_policies()).filtered(
            lambda company: (company.system_mail_domain_checked_at or NEVER) < checked_before
        )
        cron = self.env["ir.cron"]
        cron._commit_progress(remaining=len(due))
        for company in due:
            company._system_mail_check_domain()._tell_worse()
            if not cron._commit_progress(1):
                break
