from odoo import models


class IrActionsActWindow(models.Model):
    _inherit = "ir.actions.act_window"

    def _get_action_dict(self):
        """Connections opens on what needs attention, if anything does."""
        action = super()._get_action_dict()
        connections = self.env["system.mail.connection"].sudo(False)
        if (
            self.res_model == connections._name
            and connections.has_access("read")
            and connections.search_count([("needs_attention", "=", True)], limit=1)
        ):
            action["context"] = "{'search_default_needs_attention': 1}"
        return action
