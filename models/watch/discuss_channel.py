from odoo import models


class DiscussChannel(models.Model):
    """Guards the channel of the alerts."""

    _name = "discuss.channel"
    _inherit = ["discuss.channel", "system.mail.guarded"]
    _system_mail_unguarded_fields = frozenset({"last_interest_dt"})

    def _system_mail_guarded(self):
        # Look in the cache first: a query for each channel that people open would be too much.
        alerts_id = self.env["ir.model.data"]._xmlid_to_res_id("system_mail.channel_alerts")
        alerts = self.filtered(lambda channel: channel.id == alerts_id)
        return super(DiscussChannel, alerts)._system_mail_guarded()
