from odoo import models


class BasePartnerMergeAutomaticWizard(models.TransientModel):
    _inherit = "base.partner.merge.automatic.wizard"

    def _merge(self, partner_ids, *args, **kwargs):
        # It moves users to another contact by SQL, and so to another e-mail address.
        partners_sudo = self.env["res.partner"].sudo().browse(partner_ids).exists()
        if len(set(partners_sudo.mapped("email"))) > 1:
            partners_sudo.system_mail_users().system_mail_protect()
        return super()._merge(partner_ids, *args, **kwargs)
