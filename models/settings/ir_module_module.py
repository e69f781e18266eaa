from odoo import models
from odoo.api import SUPERUSER_ID
from odoo.modules import Manifest

from ...constants import GROUP, MODULE

_OF_AN_INSTALLATION = {"name", "demo", "latest_version"}
"""What an upgrade goes by: demo data makes users, and an old version changes data once more."""


class IrModuleModule(models.Model):
    """Lets only Super Users uninstall this addon, or what it needs: without that, Odoo would not
    load it, and nothing would check who becomes a Super User.
    """

    _inherit = "ir.module.module"

    def write(self, vals):
        stays = vals.get("state", "installed") in ("installed", "to upgrade")
        if not stays or _OF_AN_INSTALLATION & vals.keys():
            self._system_mail_check_access()
        return super().write(vals)

    def unlink(self):
        self._system_mail_check_access()
        return super().unlink()

    def _update_translations(self, filter_lang=None, overwrite=False):
        """An outsider who has a language installed anew leaves the texts that are in use here."""
        ours = self.filtered(lambda module: module.name == MODULE)
        outsider = self.env.uid != SUPERUSER_ID and not self.env.user.has_group(GROUP)
        if not (overwrite and ours and outsider):
            return super()._update_translations(filter_lang, overwrite)
        super(IrModuleModule, ours)._update_translations(filter_lang)
        return super(IrModuleModule, self - ours)._update_translations(filter_lang, overwrite)

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
