from odoo import api, fields, models

from ...constants import GROUP


def _parameter(field_type, name, **options):
    """A settings field for the parameter ``system_mail.<name>``, the same for all companies. With
    Odoo's ``config_parameter=``, saving the page would reset fields that the user can't see.
    """
    return field_type(
        compute=lambda settings: settings._read_system_mail_parameter(name),
        inverse=lambda settings: settings._write_system_mail_parameter(name),
        readonly=False,
        groups=GROUP,
        **options,
    )


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    system_mail_address = fields.Char(
        compute="_compute_system_mail_address",
        inverse="_inverse_system_mail_address",
        readonly=False,
        groups=GROUP,
    )
    system_mail_new_address = fields.Char(groups=GROUP, help="Typed, saved, and to be connected.")
    system_mail_server_id = fields.Many2one(
        related="company_id.system_mail_server_id", readonly=False, groups=GROUP
    )
    system_mail_backup_ids = fields.One2many(
        related="company_id.system_mail_backup_ids", groups=GROUP
    )
    system_mail_scope = fields.Selection(
        related="company_id.system_mail_scope", readonly=False, groups=GROUP
    )
    system_mail_saved_address = fields.Char(
        "Saved Address", related="company_id.system_mail_address", groups=GROUP
    )
    system_mail_state = fields.Selection(related="company_id.system_mail_state", groups=GROUP)
    system_mail_reason = fields.Char(related="company_id.system_mail_reason", groups=GROUP)
    system_mail_message = fields.Char(related="company_id.system_mail_message", groups=GROUP)
    system_mail_clash = fields.Char(related="company_id.system_mail_clash", groups=GROUP)
    system_mail_finding_ids = fields.One2many(
        related="company_id.system_mail_finding_ids", groups=GROUP
    )
    system_mail_domain_status = fields.Selection(
        related="company_id.system_mail_domain_status", groups=GROUP
    )
    system_mail_domain_checked_at = fields.Datetime(
        related="company_id.system_mail_domain_checked_at", groups=GROUP
    )
    system_mail_has_key = fields.Boolean(compute="_compute_system_mail_secrets", groups=GROUP)
    system_mail_clear_count = fields.Integer(compute="_compute_system_mail_secrets", groups=GROUP)
    system_mail_limit_minute = fields.Integer(
        related="company_id.system_mail_limit_minute", readonly=False, groups=GROUP
    )
    system_mail_limit_day = fields.Integer(
        related="company_id.system_mail_limit_day", readonly=False, groups=GROUP
    )
    system_mail_limit_user_hour = fields.Integer(
        related="company_id.system_mail_limit_user_hour", readonly=False, groups=GROUP
    )
    system_mail_monitoring = fields.Boolean(compute="_compute_system_mail_monitoring", groups=GROUP)

    system_mail_alert_owners = _parameter(
        fields.Boolean, "alert_owners", string="Tell people when their mailbox is disconnected"
    )
    system_mail_alert_share = _parameter(
        fields.Integer, "alert_share", string="Percent of mailboxes for an alert"
    )
    system_mail_summary = _parameter(
        fields.Boolean, "summary", string="Weekly summary by e-mail to Super Users"
    )
    system_mail_steward_id = fields.Many2one(
        related="company_id.system_mail_steward_id", readonly=False, groups=GROUP
    )
    system_mail_note = fields.Text(
        related="company_id.system_mail_note", readonly=False, groups=GROUP
    )
    system_mail_review_on = fields.Date(
        related="company_id.system_mail_review_on", readonly=False, groups=GROUP
    )
    system_mail_review_days = _parameter(
        fields.Integer, "review_days", string="Days from one review to the next"
    )
    system_mail_drill_days = _parameter(
        fields.Selection,
        "drill_days",
        string="Days between drills",
        selection="_system_mail_drill_choices",
    )
    system_mail_retention_days = _parameter(
        fields.Integer, "retention_days", string="Days that records are kept"
    )
    system_mail_allow_internal_hosts = _parameter(
        fields.Boolean,
        "allow_internal_hosts",
        string="People may connect mailboxes on internal servers",
    )
    system_mail_own_domains_only = _parameter(
        fields.Boolean,
        "own_domains_only",
        string="Only addresses in the company's own domains count as colleagues",
    )

    def _compute_system_mail_secrets(self):
        secrets = self.env["system.mail.secret"].sudo()
        self.system_mail_has_key = secrets.has_key()
        self.system_mail_clear_count = secrets.clear_count()

    def _compute_system_mail_monitoring(self):
        self.system_mail_monitoring = self.env["system.mail.monitoring"].is_on()

    def _read_system_mail_parameter(self, name):
        number = self.env["ir.config_parameter"].system_mail_number(f"system_mail.{name}")
        field = self._fields[f"system_mail_{name}"]
        self[field.name] = str(number) if field.type == "selection" else number

    def _write_system_mail_parameter(self, name):
        parameters, field = self.env["ir.config_parameter"], self._fields[f"system_mail_{name}"]
        for settings in self:
            number = int(settings[field.name])
            if number != parameters.system_mail_number(f"system_mail.{name}"):
                label = field._description_string(self.env)
                parameters._system_mail_set_number(f"system_mail.{name}", number, label)

    @api.model
    def _system_mail_drill_choices(self):
        """How often drills run, by days; also another number that somebody set as a parameter."""
        days = self.env["ir.config_parameter"].system_mail_number("system_mail.drill_days")
        choices = {
            0: self.env._("Never"),
            7: self.env._("Every week"),
            30: self.env._("Every month"),
        }
        choices.setdefault(days, self.env._("Every %(days)s days", days=days))
        return [(str(number), label) for number, label in choices.items()]

    @api.onchange("system_mail_drill_days")
    def _onchange_system_mail_drill_days(self):
        """Scheduled drills go to the steward: propose the current user."""
        are_on = self.system_mail_drill_days not in (False, "0")
        if are_on and not self.system_mail_steward_id and self.env.user.email_normalized:
            self.system_mail_steward_id = self.env.user

    @api.depends("company_id")
    def _compute_system_mail_address(self):
        for settings in self:
            settings.system_mail_address = settings.company_id.system_mail_address

    def _inverse_system_mail_address(self):
        """Keep a new address in ``system_mail_new_address`` until it is connected. Until then, the
        old address stays in use.
        """
        for settings in self:
            company, address = settings.company_id, (settings.system_mail_address or "").strip()
            if not address or not company.system_mail_server_id:
                company.system_mail_address = address
            elif address != company.system_mail_address:
                settings.system_mail_new_address = address

    @api.model
    def get_values(self):
        """Odoo tells anybody who calls this, or ``default_get``, which calls it, what the system
        parameters are, secrets among them.
        """
        self.browse().check_access("read")
        return super().get_values()

    def set_values(self):
        """Odoo writes as superuser for anybody who calls it, and resets what is not given. So an
        employee could become a mail template editor, who runs code as any user.
        """
        self.check_access("write")
        return super().set_values()

    def execute(self):
        action = super().execute()
        address = self.env.user.has_group(GROUP) and self.system_mail_new_address
        if not address or (action or {}).get("type") == "ir.actions.act_window":
            return action
        self.system_mail_new_address = False
        return self.company_id.action_system_mail_connect(address)

    def action_system_mail_connect_backup(self):
        """Open the connect dialog for a further mailbox."""
        return self.company_id.action_system_mail_connect_backup()

    def action_system_mail_disconnect(self):
        """Delete System Mail's server and credentials; keep the address."""
        return self.company_id.action_system_mail_disconnect()

    def action_system_mail_check_domain(self):
        """Check the sending domain in the DNS again."""
        return self.company_id.action_system_mail_check_domain()

    def action_system_mail_test(self):
        """Open the dialog that sends a test message."""
        return self.company_id.action_system_mail_test()

    def action_system_mail_drill(self):
        """Open the dialog that tries the fallback with one real notification to the user."""
        return self.company_id.action_system_mail_drill()

    def action_system_mail_announce(self):
        """Show a text that tells colleagues about System Mail."""
        return self.company_id.action_system_mail_announce()

    def action_system_mail_encrypt(self):
        """Encrypt all stored secrets with the newest key."""
        self.company_id.check_system_mail_access()
        self.env["system.mail.secret"].sudo().encrypt_all()
        return {"type": "ir.actions.client", "tag": "soft_reload"}

    def action_system_mail_monitoring_token(self):
        """Switch monitoring on, or replace its token, and show the new token once."""
        token = self.env["system.mail.monitoring"].new_token()
        return self.env["system.mail.monitoring.token"].show(token)

    def action_system_mail_monitoring_off(self):
        """Switch monitoring off, and delete its token."""
        self.env["system.mail.monitoring"].switch_off()
