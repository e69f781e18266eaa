from odoo import api, models
from odoo.exceptions import UserError

from ...tools.changes import changes_since, snapshot
from .res_company import AUDITED_FIELDS


class ResCompany(models.Model):
    """Logs changes of a company's System Mail, and keeps companies that have such a log."""

    _inherit = "res.company"

    def _system_mail_log_first_settings(self, vals_list):
        """Log the settings that new companies were created with.

        :param list vals_list: as given to ``create``
        """
        given = zip(self.sudo(), vals_list, strict=True)
        nothing = dict.fromkeys(sorted(AUDITED_FIELDS), False)
        self._system_mail_log_changes(
            {company: nothing for company, vals in given if AUDITED_FIELDS & vals.keys()}
        )

    def _system_mail_audit_snapshot(self, vals):
        """What the audited fields say before a write. Archiving a company turns its System Mail
        off, so ``active`` is one of them there.

        :param dict vals: as given to ``write``
        """
        before = {}
        if AUDITED_FIELDS & vals.keys():
            before = snapshot(self.sudo(), sorted(AUDITED_FIELDS))
        if "active" in vals:
            using_sudo = self.sudo().filtered("system_mail_server_id")
            for company_sudo, shown in snapshot(using_sudo, ["active"]).items():
                before[company_sudo] = before.get(company_sudo, {}) | shown
        return before

    def _system_mail_log_changes(self, before):
        """Log each change of a setting, and tell the Super Users of a new address or server.

        :param before: what ``snapshot`` returned before the change
        """
        for company_sudo, changes in changes_since(before, secrets={"system_mail_note"}):
            company = company_sudo.with_env(self.env)
            self.env["system.mail.event"].note_change("; ".join(changes.values()), company)
            if {"system_mail_address", "system_mail_server_id"} & changes.keys():
                company._system_mail_tell_change()

    def _system_mail_tell_change(self):
        """Tell all Super Users about a new address or server, from which mail is now sent."""
        company_sudo = self.sudo()
        values = {
            "user": self.env.user.name,
            "company": self.name,
            "address": company_sudo.system_mail_address,
            "server": company_sudo.system_mail_server_id.smtp_host,
        }
        if not values["address"]:
            text = self.env._("%(user)s turned System Mail of %(company)s off.", **values)
        elif not values["server"]:
            text = self.env._(
                "%(user)s changed System Mail of %(company)s: %(address)s is not connected now.",
                **values,
            )
        else:
            text = self.env._(
                "%(user)s changed System Mail of %(company)s: it now sends from %(address)s "
                "through the server %(server)s.",
                **values,
            )
        self.env["system.mail.alert"].sudo().tell_super_users(text)

    def _system_mail_tell_backups(self):
        """Tell all Super Users about the further mailboxes, after one was added, moved to another
        address or server, or removed.
        """
        for company_sudo in self.sudo():
            addresses = company_sudo.system_mail_backup_ids.mapped("address")
            self.env["system.mail.alert"].sudo().tell_super_users(
                self.env._(
                    "%(user)s changed System Mail of %(company)s. Its further mailboxes: "
                    "%(addresses)s.",
                    user=self.env.user.name,
                    company=company_sudo.name,
                    addresses=", ".join(addresses) or self.env._("none"),
                )
            )

    @api.ondelete(at_uninstall=True)  # always: any caller can say that it is an uninstallation
    def _unlink_except_with_activity(self):
        """Keep a company that has or had a System Mail: its log belongs to it, and its server would
        become an ordinary one that sends anybody's mail.
        """
        events_sudo = self.env["system.mail.event"].sudo()
        for company in self:
            if company.sudo().system_mail_server_id or events_sudo.search_count(
                [("company_id", "=", company.id)], limit=1
            ):
                raise UserError(
                    self.env._(
                        "%(company)s has or had a System Mail: what is written down of it stays, "
                        "so the company cannot be deleted. Archive it instead.",
                        company=company.name,
                    )
                )
