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
        """Keep the name by which Odoo knows the group on that group, and its only one.

        :raises AccessError: an outsider would give it to another group, or hide it
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
