from odoo import api, models


class IrModelData(models.Model):
    _inherit = "ir.model.data"

    def write(self, vals):
        self.system_mail_protect()
        result = super().write(vals)
        self.system_mail_protect()
        return result

    def unlink(self):
        self.system_mail_protect()
        return super().unlink()

    @api.private
    def system_mail_protect(self):
        """Check that these external IDs don't belong to the group Super User. Odoo finds the group
        by its external ID: a change could name another group, or none.

        :raises AccessError: one of them does, and the current user is no Super User
        """
        groups = self.env["res.groups"]
        if not groups._system_mail_is_outsider():
            return
        group_id = groups._system_mail_group_id()
        if any(data.model == groups._name and data.res_id == group_id for data in self.sudo()):
            groups._system_mail_refuse(
                self.env._(
                    "Nothing was changed: only a Super User changes the external ID of the group "
                    "“Super User”. Ask one of them."
                )
            )
