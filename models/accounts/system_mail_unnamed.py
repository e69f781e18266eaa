from odoo import api, models
from odoo.api import SUPERUSER_ID

from ...constants import GROUP


class SystemMailUnnamed(models.AbstractModel):
    """Names records only to Super Users and OdooBot. Odoo reads the name of a record to which
    another one leads as superuser, whoever asks, and lets every employee make a message or an
    activity that leads to any record.
    """

    _name = "system.mail.unnamed"
    _description = "Unnamed"

    @api.depends_context("uid")
    def _compute_display_name(self):
        if self.env.uid == SUPERUSER_ID or self.env.user.has_group(GROUP):
            return super()._compute_display_name()
        self.display_name = False
        return None
