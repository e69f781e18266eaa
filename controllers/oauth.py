from odoo import http
from odoo.http import request

from ..constants import RETURN_ADDRESS


class OAuthController(http.Controller):
    """Receives the browser when it comes back from a provider's sign-in page."""

    @http.route(RETURN_ADDRESS, type="http", auth="user", methods=["GET"], sitemap=False)
    def oauth_return(self, **_given):
        """Finish a sign-in (RFC 6749, 4.1.2), and show the dialog that began it."""
        if request.httprequest.method != "GET":  # werkzeug adds HEAD, Odoo OPTIONS
            return request.make_response("", [("Allow", "GET")], status=405)
        said = request.httprequest.args  # only the address: a body may hold anything
        dialog = request.env["system.mail.connect"].claim(said.get("state"))
        if not dialog:
            return request.render("system_mail.sign_in_refused", status=400)
        request.env.cr.commit()  # an error below must not make the sign-in usable again
        dialog.finish_sign_in(said.get("code"), said.get("error"))
        return request.redirect(f"/odoo/system-mail-connect/{dialog.id}")
