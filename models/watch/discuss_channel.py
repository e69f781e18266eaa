from odoo import api, models
from odoo.api import SUPERUSER_ID
from odoo.exceptions import ValidationError

from ...constants import GROUP
from ...tools.odoo_20 import clear_caches


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

    @api.model
    @api.private
    def system_mail_is_heard(self):
        """Whether the access rights and record rules of now let each Super User read the alerts."""
        self.env.flush_all()  # Odoo does both only after the change
        clear_caches(self.env)
        alerts = self.env.ref("system_mail.channel_alerts", raise_if_not_found=False)
        alerts_sudo = (alerts or self.browse()).sudo()
        message = alerts_sudo.message_ids[:1]
        for user in self.env.ref(GROUP).sudo().all_user_ids.filtered("active"):
            member = alerts_sudo.channel_member_ids.filtered(
                lambda member, user=user: member.partner_id == user.partner_id
            )
            read = (each.with_user(user) for each in (alerts_sudo, message, member))
            if user.id != SUPERUSER_ID and not all(each.has_access("read") for each in read):
                return False
        return True
