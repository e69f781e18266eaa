import re

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import email_domain_extract

from ..failover.words import REMEDIES, describe

MASK = "•" * 12
"""What a browser sees of a stored password."""
PORTS = {"none": 25, "starttls": 587, "starttls_strict": 587, "ssl": 465, "ssl_strict": 465}
HOST = re.compile(r"[^\s/@:]+|[0-9A-Fa-f:]+")


class SystemMailConnect(models.TransientModel):
    """The connect dialog: it tries the account before anything counts, and keeps what was typed."""

    _name = "system.mail.connect"
    _description = "Connect System Mail"

    company_id = fields.Many2one("res.company", required=True, ondelete="cascade", readonly=True)
    address = fields.Char()
    replaced_address = fields.Char(compute="_compute_replaced_address")
    smtp_host = fields.Char(
        "SMTP Server", compute="_compute_account", store=True, readonly=False, precompute=True
    )
    smtp_encryption = fields.Selection(
        selection="_encryptions",
        string="Encryption",
        compute="_compute_account",
        store=True,
        readonly=False,
        precompute=True,
    )
    smtp_port = fields.Integer(
        "Port", compute="_compute_smtp_port", store=True, readonly=False, precompute=True
    )
    smtp_user = fields.Char(
        "User", compute="_compute_account", store=True, readonly=False, precompute=True
    )
    smtp_pass = fields.Char("Password", compute="_compute_smtp_pass", inverse="_inverse_smtp_pass")
    secret = fields.Char(groups=fields.NO_ACCESS)
    keeps_password = fields.Boolean(compute="_compute_keeps_password")
    password_hint = fields.Char(compute="_compute_keeps_password")
    state = fields.Selection(
        [("draft", "Draft"), ("failed", "Failed"), ("connected", "Connected")], default="draft"
    )
    problem = fields.Char(readonly=True)
    remedy = fields.Char(readonly=True)
    answer = fields.Char("Provider's Answer", readonly=True)

    @api.model
    def _encryptions(self):
        field = self.env["ir.mail_server"]._fields["smtp_encryption"]
        return field._description_selection(self.env)

    @api.depends("company_id")
    def _compute_replaced_address(self):
        """As the dialog opens; it does not follow the typing: nothing may move under a click."""
        for wizard in self:
            company = wizard.company_id
            used = company.system_mail_server_id and company.system_mail_address
            wizard.replaced_address = used != wizard.address and used

    @api.depends("address")
    def _compute_account(self):
        """What somebody typed stays; what was proposed follows the address."""
        for wizard in self:
            before = wizard._proposal(wizard._origin.address)
            for name, value in wizard._proposal(wizard.address).items():
                if not wizard[name] or wizard[name] == before[name]:
                    wizard[name] = value

    def _proposal(self, address):
        """What is known of the address, else what is usual at its domain."""
        server = self._server(address)
        domain = email_domain_extract(address)
        return {
            "smtp_host": server.smtp_host or (domain and f"smtp.{domain}"),
            "smtp_encryption": server.smtp_encryption or "starttls_strict",
            "smtp_user": server.smtp_user if server else address,
        }

    @api.depends("smtp_encryption")
    def _compute_smtp_port(self):
        for wizard in self:
            server = wizard._server(wizard.address)
            if not wizard.smtp_port and server:
                wizard.smtp_port = server.smtp_port
            elif wizard.smtp_port in {0, *PORTS.values()}:
                wizard.smtp_port = PORTS.get(wizard.smtp_encryption)

    def _compute_smtp_pass(self):
        for wizard in self:
            wizard.smtp_pass = MASK if wizard.sudo().secret else False

    def _inverse_smtp_pass(self):
        for wizard in self.filtered(lambda wizard: wizard.smtp_pass != MASK):
            wizard.sudo().secret = wizard.smtp_pass

    @api.depends("address", "smtp_host", "smtp_port", "smtp_encryption", "smtp_user")
    def _compute_keeps_password(self):
        """A stored password never goes to another server than the one it was given for."""
        for wizard in self:
            server_sudo = wizard._server(wizard.address).sudo()
            stored = server_sudo.smtp_pass or server_sudo.system_mail_password
            wizard.keeps_password = bool(stored) and all(
                wizard[name] == server_sudo[name]
                for name in ("smtp_host", "smtp_port", "smtp_encryption", "smtp_user")
            )
            wizard.password_hint = (
                self.env._("Unchanged")
                if wizard.keeps_password
                else self.env._("The mailbox's password, or an app password")
            )

    def _server(self, address):
        """The server that the address has by now, or an empty one."""
        company = self.company_id
        same = address and address.strip() == company.system_mail_address
        return company.system_mail_server_id if same else company.system_mail_server_id.browse()

    def _reopen(self):
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Connect System Mail"),
            "res_model": self._name,
            "res_id": self.id,
            "views": [(False, "form")],
            "target": "new",
            "context": {"dialog_size": "medium"},
        }

    def action_connect(self):
        """Try the account; only when it works does it become System Mail."""
        self.ensure_one()
        try:
            self._check_input()
            trouble = self.company_id._system_mail_connect(self.address, self._server_values())
        except ValidationError as exc:
            return self._show_failure(str(exc))
        if trouble:
            failure, decision = trouble
            return self._show_failure(
                self._sentence(describe(failure, decision)), self._remedy(decision), failure.text
            )
        self.sudo().secret = False
        self.write({"state": "connected", "problem": False, "remedy": False, "answer": False})
        return self._reopen()

    def _show_failure(self, problem, remedy="", answer=""):
        self.write({"state": "failed", "problem": problem, "remedy": remedy, "answer": answer})
        return self._reopen()

    def _check_input(self):
        """:raises ValidationError: a sentence on what cannot work, before anything is tried"""
        if not self.address:
            raise ValidationError(self.env._("Type the address that System Mail shall send from."))
        if not HOST.fullmatch((self.smtp_host or "").strip()):
            raise ValidationError(
                self.env._(
                    "“%(host)s” is not the name of a server: it looks like smtp.company.com.",
                    host=self.smtp_host or "",
                )
            )
        if not 0 < self.smtp_port < 2**16:
            raise ValidationError(
                self.env._(
                    "%(port)s is not a port: it is a number from 1 to 65535, mostly 587 or 465.",
                    port=self.smtp_port,
                )
            )
        if self.smtp_user and not self.sudo().secret and not self.keeps_password:
            raise ValidationError(
                self.env._("Type the password: what is stored is for another server or user.")
                if self._server(self.address)
                else self.env._("Type the password of %(user)s.", user=self.smtp_user)
            )

    @staticmethod
    def _sentence(reason):
        return f"{reason[:1].upper()}{reason[1:]}."

    def _remedy(self, decision):
        """What to do here, at once: a dialog tries nothing again by itself."""
        again = self.env._("Wait a minute and press Connect again.")
        unreachable = self.env._("Check the server name and the port, then press Connect again.")
        password = self.env._("Check the user name and the password, then press Connect again.")
        return {
            "none": again,
            "unavailable": again,
            "quota": self.env._("The daily limit is reached: press Connect again when it resets."),
            "unreachable": unreachable,
            "password": password,
            "reconnect": password,
        }.get(decision.remedy, REMEDIES[decision.remedy])

    def _server_values(self):
        values = {
            "smtp_host": self.smtp_host.strip(),
            "smtp_port": self.smtp_port,
            "smtp_encryption": self.smtp_encryption,
            "smtp_user": (self.smtp_user or "").strip() or False,
        }
        secret = self.sudo().secret
        if secret or not values["smtp_user"]:
            values |= {"system_mail_password": secret, "smtp_pass": False}
        return values

    def action_test(self):
        """Offer a test message."""
        return self.company_id.action_system_mail_test()
