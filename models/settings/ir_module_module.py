from odoo import models
from odoo.modules import Manifest

from ...constants import MODULE


class IrModuleModule(models.Model):
    """Lets only Super Users uninstall this addon, or what it needs: without that, Odoo would not
    load it, and nothing would check who becomes a Super User.
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
        if not self._system_mail_needed().isdisjoint(self.mapped("name")):
            self.env.company.check_system_mail_access()

    @staticmethod
    def _system_mail_needed():
        """The names of this addon and of all that it needs, by the files: administrators can change
        what the database says of it.
        """
        needed, names = set(), {MODULE}
        while names:
            needed |= names
            names = {n for name in names for n in Manifest.for_addon(name)["depends"]} - needed
        return needed
