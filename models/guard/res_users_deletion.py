from odoo import api, models


class ResUsersDeletion(models.Model):
    _inherit = "res.users.deletion"

    @api.constrains("user_id")
    def _check_system_mail_super_user(self):
        """OdooBot later deletes the users on this list, so check the rights when they are added."""
        self.sudo().user_id.system_mail_protect()
