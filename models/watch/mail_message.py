from odoo import models

from ...constants import GROUP


class MailMessage(models.Model):
    _inherit = "mail.message"

    def fetch(self, field_names=None):
        """Refuse the alerts to all but Super Users: Odoo reads here as superuser, also what an
        export asks for, or what another record leads to.
        """
        if self.env.su or self.env.user.has_group(GROUP):
            return super().fetch(field_names)
        place = ("model", "res_id")
        super().fetch(None if field_names is None else list({*field_names, *place}))
        channel_id = self.env["ir.model.data"]._xmlid_to_res_id("system_mail.channel_alerts")
        alerts_sudo = self.sudo().filtered(
            lambda message: (message.model, message.res_id) == ("discuss.channel", channel_id)
        )
        if alerts_sudo:
            alerts_sudo.invalidate_recordset()
            raise alerts_sudo.with_env(self.env)._make_access_error("read")
        return None
