from odoo import models


class BasePartnerMergeAutomaticWizard(models.TransientModel):
    _inherit = "base.partner.merge.automatic.wizard"

    def _merge(self, partner_ids, *args, **kwargs):
        # A merge can give a user another e-mail address, and does so by SQL, past our checks.
        partners_sudo = self.env["res.partner"].sudo().browse(partner_ids).exists()
        if len(set(partners_sudo.mapped("email"))) > 1:
            partners_sudo.system_mail_users().system_mail_protect()
        return super()._merge(partner_ids, *args, **kwargs)
