from odoo import api, models


class ResUsersDeletion(models.Model):
    _inherit = "res.users.deletion"

    @api.constrains("user_id")
    def _check_system_mail_super_user(self):
        """OdooBot deletes who is on this list: who puts them there must be allowed to."""
        self.sudo().user_id.system_mail_protect()
