from odoo import api, models
from odoo.exceptions import ValidationError


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

    @api.constrains("parent_channel_id")
    def _check_system_mail_alerts(self):
        """Check that the alerts have no threads: what guards the alerts doesn't guard these. Odoo
        creates a channel as superuser for mail that comes in.
        """
        alerts_id = self.env["ir.model.data"]._xmlid_to_res_id("system_mail.channel_alerts")
        if alerts_id in self.sudo().parent_channel_id.ids:
            raise ValidationError(self.env._("The alerts of System Mail have no threads."))
