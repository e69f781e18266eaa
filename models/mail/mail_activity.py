from odoo import api, models
from odoo.exceptions import ValidationError

from ...constants import OURS


class MailActivity(models.Model):
    _inherit = "mail.activity"

    @api.constrains("res_model_id", "res_model")
    def _check_system_mail(self):
        """Check that none is about a record of this addon. Odoo would keep the record's name in it,
        for whoever may read the activity.
        """
        if any((activity.sudo().res_model or "").startswith(OURS) for activity in self):
            raise ValidationError(self.env._("Records of System Mail have no activities."))
