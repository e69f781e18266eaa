from odoo import models

from ...constants import MODULE


class IrModuleModule(models.Model):
    """Lets only Super Users uninstall this addon: the administrator who installs it again would be
    one of them.
    """

    _inherit = "ir.module.module"

    def write(self, vals):
        if "name" in vals or vals.get("state", "installed") not in ("installed", "to upgrade"):
            self._system_mail_check_access()
        return super().write(vals)

    def unlink(self):
        self._system_mail_check_access()
        return super().unlink()

    def _system_mail_check_access(self):
        if MODULE in self.mapped("name"):
            self.env.company.check_system_mail_access()
