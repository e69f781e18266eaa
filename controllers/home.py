from odoo.exceptions import AccessError
from odoo.http import request, route

from odoo.addons.web.controllers.home import Home

from ..constants import GROUP


class SuperUserHome(Home):
    """Keeps administrators from becoming OdooBot, who may do all that a Super User may."""

    @route()
    def switch_to_admin(self):
        """Switch to OdooBot (“Become Superuser” in the debug menu), for Super Users only.

        :raises AccessError: an administrator who is no Super User asks for it
        """
        user = request.env.user
        if user._is_system() and not user.has_group(GROUP):
            raise AccessError(
                request.env._("Only Super Users become the superuser: ask one of them.")
            )
        return super().switch_to_admin()
