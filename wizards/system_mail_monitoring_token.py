from odoo import api, fields, models
from odoo.tools.urls import urljoin


class SystemMailMonitoringToken(models.AbstractModel):
    """Shows a new monitoring token, once. It has no table, as ``res.users.apikeys.show`` has none:
    the token is stored nowhere in clear.
    """

    _name = "system.mail.monitoring.token"
    _description = "Monitoring Token"

    id = fields.Id()  # the web client reads it
    token = fields.Char(readonly=True)
    health_address = fields.Char(
        "JSON", readonly=True, default=lambda self: self._address("/system_mail/health")
    )
    metrics_address = fields.Char(
        "Prometheus", readonly=True, default=lambda self: self._address("/system_mail/metrics")
    )

    def _address(self, path):
        return urljoin(self.get_base_url(), path)

    @api.model
    @api.private
    def show(self, token):
        """The action that shows a token."""
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Monitoring Token"),
            "res_model": self._name,
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_token": token, "dialog_size": "medium"},
        }
