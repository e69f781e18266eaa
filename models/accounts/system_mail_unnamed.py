from odoo import api, models
from odoo.api import SUPERUSER_ID

from ...constants import GROUP


class SystemMailUnnamed(models.AbstractModel):
    """Names records only to OdooBot, and to Super Users who work in the record's company. Odoo
    reads the name of a record to which another one leads as superuser, whoever asks, and lets every
    employee make a message or an activity that leads to any record.
    """

    _name = "system.mail.unnamed"
    _description = "Unnamed"

    def exists(self):
        """None of them, for whoever may not read them: a property leads to any record, and Odoo
        tells by this which there are.
        """
        if self.env.su or self.browse().has_access("read"):
            return super().exists()
        return self.browse()

    @api.depends_context("uid")
    def _compute_display_name(self):
        named = self.filtered(lambda record: record._system_mail_may_be_named())
        (self - named).display_name = False
        super(SystemMailUnnamed, named)._compute_display_name()

    def _system_mail_may_be_named(self):
        user = self.env.user
        if user.id == SUPERUSER_ID or not user.has_group(GROUP):
            return user.id == SUPERUSER_ID
        return "company_id" not in self._fields or self.sudo().company_id <= user.company_ids
