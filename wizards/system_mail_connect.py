from odoo import api, fields, models
from odoo.tools import email_domain_extract

from ..failover.words import REMEDIES, describe

MASK = "•" * 12
"""What a browser sees of a stored password."""


class SystemMailConnect(models.TransientModel):
    """The connect dialog: it tries the account before anything counts, and keeps what was typed."""

    _name = "system.mail.connect"
    _description = "Connect System Mail"

    company_id = fields.Many2one("res.company", required=True, ondelete="cascade", readonly=True)
    address = fields.Char(required=True)
    smtp_host = fields.Char("SMTP Server", required=True, compute="_compute_smtp_host", store=True, readonly=False)
    smtp_port = fields.Integer("Port", required=True, default=587)
    smtp_encryption = fields.Selection(
        selection="_encryptions", string="Encryption", required=True, default="starttls_strict"
    )
    smtp_user = fields.Char("User", compute="_compute_smtp_user", store=True, readonly=False)
    smtp_pass = fields.Char("Password", compute="_compute_smtp_pass", inverse="_inverse_smtp_pass")
    secret = fields.Char(groups=fields.NO_ACCESS)
    state = fields.Selection(
        [("draft", "Draft"), ("failed", "Failed"), ("connected", "Connected")], default="draft"
    )
    problem = fields.Char(readonly=True)
    remedy = fields.Char(readonly=True)
    answer = fields.Char(readonly=True)

    @api.model
    def _encryptions(self):
        return self.env["ir.mail_server"]._fields["smtp_encryption"]._description_selection(self.env)

    @api.depends("address")
    def _compute_smtp_host(self):
        for wizard in self:
            domain = email_domain_extract(wizard.address)
            wizard.smtp_host = wizard.smtp_host or (domain and f"smtp.{domain}")

    @api.depends("address")
    def _compute_smtp_user(self):
        for wizard in self:
            wizard.smtp_user = wizard.smtp_user or wizard.address

    def _compute_smtp_pass(self):
        for wizard in self:
            wizard.smtp_pass = MASK if wizard.sudo().secret else False

    def _inverse_smtp_pass(self):
        for wizard in self.filtered(lambda wizard: wizard.smtp_pass != MASK):
            wizard.sudo().secret = wizard.smtp_pass

    def _reopen(self):
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Connect System Mail"),
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "target": "new",
        }

    def action_connect(self):
        """Try the account; only when it works does it become System Mail."""
        self.ensure_one()
        trouble = self.company_id._system_mail_connect(self.address, self._server_values())
        if trouble is None:
            self.sudo().secret = False
            self.write({"state": "connected", "problem": False, "remedy": False, "answer": False})
            return self._reopen()
        failure, decision = trouble
        self.write(
            {
                "state": "failed",
                "problem": describe(failure, decision),
                "remedy": REMEDIES[decision.remedy],
                "answer": failure.text,
            }
        )
        return self._reopen()

    def _server_values(self):
        values = {
            "smtp_host": self.smtp_host.strip(),
            "smtp_port": self.smtp_port,
            "smtp_encryption": self.smtp_encryption,
            "smtp_user": (self.smtp_user or "").strip() or False,
        }
        secret = self.sudo().secret
        return values | {"system_mail_password": secret} if secret else values

    def action_test(self):
        """Offer a test message."""
        return self.company_id.action_system_mail_test()
