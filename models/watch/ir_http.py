from odoo import models


class IrHttp(models.AbstractModel):
    _inherit = "ir.http"

    def session_info(self):
        """Add what the web client's banner tells the owner of a disconnected mailbox."""
        info = super().session_info()
        alert = self.env["res.users"].system_mail_alert()
        if alert is not None:
            info["system_mail_alert"] = alert
        return info
