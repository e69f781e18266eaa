from odoo import api, models
from odoo.exceptions import UserError

from .res_company import AUDITED_FIELDS


class ResCompany(models.Model):
    """What is written down of a company's System Mail stays, and no System Mail outlives it."""

    _inherit = "res.company"

    @api.model_create_multi
    def create(self, vals_list):
        companies = super().create(vals_list)
        nothing = dict.fromkeys(self.browse()._system_mail_settings(), False)
        given = zip(companies, vals_list, strict=True)
        self._system_mail_log_changes(
            {company: nothing for company, vals in given if AUDITED_FIELDS & vals.keys()}
        )
        return companies

    @api.ondelete(at_uninstall=False)
    def _unlink_except_with_activity(self):
        """Its server would become an ordinary one, that sends anybody's mail."""
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
