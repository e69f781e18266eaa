from odoo import models
from odoo.fields import Domain

NEEDS_ATTENTION = (
    (
        Domain("state", "=", "disconnected")
        | Domain("effect", "in", ("misconfigured", "provider_misconfigured"))
    )
    & Domain("server_id.active", "=", True)
    & (
        Domain("server_id.owner_user_id", "=", False)
        | Domain("server_id.owner_user_id.active", "=", True)
    )
)
"""As the view has it, asked of far less."""


class IrActionsActWindow(models.Model):
    _inherit = "ir.actions.act_window"

    def _get_action_dict(self):
        """Connections opens on what needs attention, if anything does."""
        action = super()._get_action_dict()
        healths = self.env["system.mail.health"].sudo(False)
        if (
            self.res_model == "system.mail.connection"
            and healths.has_access("read")
            and (healths.search_count(NEEDS_ATTENTION, limit=1) or self._system_mail_others_need())
        ):
            action["context"] = "{'search_default_needs_attention': 1}"
        return action

    def _system_mail_others_need(self):
        """Whether something ends on a day that is known, or incoming mail is not fetched."""
        connections = self.env[self.res_model]
        incoming = [("kind", "=", "incoming"), ("needs_attention", "=", True)]
        return connections.search_count(
            [("ending", "!=", False)], limit=1
        ) or connections.search_count(incoming, limit=1)
