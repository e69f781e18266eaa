from odoo import http
from odoo.http import request

from ..constants import RETURN_ADDRESS


class OAuthController(http.Controller):
    @http.route(RETURN_ADDRESS, type="http", auth="user", methods=["GET"], sitemap=False)
    def oauth_return(self, **_given):
        """A provider sends the browser back (RFC 6749 4.1.2): to the dialog that it came from, and
        nowhere else.
        """
        if request.httprequest.method != "GET":  # werkzeug adds HEAD, Odoo OPTIONS
            return request.make_response("", [("Allow", "GET")], status=405)
        said = request.httprequest.args  # not what a body may hold
        dialog = request.env["system.mail.connect"].claim(said.get("state"))
        if not dialog:
            return request.render("system_mail.sign_in_refused", status=400)
        request.env.cr.commit()  # used once, whatever comes of it
        dialog.finish_sign_in(said.get("code"), said.get("error"))
        return request.redirect(f"/odoo/system-mail-connect/{dialog.id}")
