from odoo.exceptions import AccessError
from odoo.http import request, route

from odoo.addons.web.controllers.home import Home

from ..constants import GROUP


class SuperUserHome(Home):
    @route()
    def switch_to_admin(self):
        """“Become Superuser” of the debug menu turns an administrator into OdooBot, who may do all
        that a Super User may.
        """
        user = request.env.user
        if user._is_system() and not user.has_group(GROUP):
            raise AccessError(
                request.env._("Only Super Users become the superuser: ask one of them.")
            )
        return super().switch_to_admin()
