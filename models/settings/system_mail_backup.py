from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ...tools.changes import changes_since, snapshot
from ...tools.odoo_20 import clear_caches

AUDITED_FIELDS = (
    "company_id",
    "sequence",
    "address",
    "server_id",
    "limit_minute",
    "limit_day",
    "accepted_clash",
)
"""Fields whose changes are logged."""


class SystemMailBackup(models.Model):
    """A further mailbox of a company's System Mail: it sends what the mailboxes before it cannot.
    It is in use while its server is set and active, and System Mail itself is in use.
    """

    _name = "system.mail.backup"
    _inherit = "system.mail.unnamed"
    _description = "Further Mailbox of System Mail"
    _order = "company_id, sequence, id"
    _rec_name = "address"

    company_id = fields.Many2one("res.company", required=True, ondelete="restrict", index=True)
    sequence = fields.Integer(default=10)
    address = fields.Char(
        required=True,
        help="The address that this mailbox sends from, such as hello@company.com.",
    )
    server_id = fields.Many2one(
        "ir.mail_server", "Mailbox", copy=False, readonly=True, index="btree_not_null"
    )
    limit_minute = fields.Integer(
        "Recipients a Minute",
        help="Set the limit of its provider. Over it, the next mailbox sends. 0 = no limit.",
    )
    limit_day = fields.Integer(
        "Recipients a Day",
        help="Set the limit of its provider. Over it, the next mailbox sends. 0 = no limit.",
    )
    accepted_clash = fields.Char(
        "Risk Accepted For",
        copy=False,
        readonly=True,
        help="The address that a Super User accepts although it is somebody's own.",
    )
    clash = fields.Char(
        compute="_compute_clash",
        help="Whose the address is as well, or what else speaks against it.",
    )
    state = fields.Selection("_states", compute="_compute_state")
    message = fields.Char(
        compute="_compute_state", help="What is the matter, since when, and what to do."
    )

    is_first = fields.Boolean(compute="_compute_is_first")
    finding_ids = fields.One2many("system.mail.domain.finding", "backup_id", readonly=True)
    domain_status = fields.Selection("_domain_statuses", compute="_compute_domain_status")

    _server_uniq = models.Constraint(
        "UNIQUE(server_id)", "Each mailbox of System Mail has a server of its own."
    )

    @api.model
    def _states(self):
        return self.env["system.mail.health"].states()

    @api.model
    def _domain_statuses(self):
        return self.env["system.mail.domain.finding"].statuses()

    @api.depends("company_id.system_mail_backup_ids.sequence")
    def _compute_is_first(self):
        for backup in self:
            first = backup.company_id._origin.system_mail_backup_ids.sorted()[:1]
            backup.is_first = backup._origin == first

    @api.depends("finding_ids.status")
    def _compute_domain_status(self):
        for backup in self:
            findings = backup.finding_ids
            backup.domain_status = findings.worst(findings.mapped("status")) or "unknown"

    @api.depends("address", "server_id.active")
    def _compute_state(self):
        for backup in self:
            status = backup.company_id._system_mail_status(backup.address, backup.server_id)
            backup.state, _reason, backup.message = status

    @api.depends("address", "server_id")
    def _compute_clash(self):
        for backup in self:
            companies, server_sudo = self.env["res.company"], backup.sudo().server_id
            login = server_sudo.system_mail_login or server_sudo.smtp_user
            backup.clash = companies.system_mail_objection(backup.address, login)

    @api.constrains("address")
    def _check_address(self):
        for backup in self:
            backup.company_id.check_system_mail_is_plain(backup.address)

    @api.constrains("address", "accepted_clash")
    def _check_clash(self):
        for backup in self:
            backup.company_id.check_system_mail_is_neutral(backup.address, backup.accepted_clash)

    @api.constrains("server_id")
    def _check_server(self):
        for server_sudo in self.sudo().server_id:
            if server_sudo.owner_user_id or server_sudo.system_mail_company_ids:
                raise ValidationError(
                    self.env._(
                        "%(server)s is a personal mailbox, or already sends for System Mail. "
                        "Connect another mailbox.",
                        server=server_sudo.display_name or f"#{server_sudo.id}",
                    )
                )

    @api.constrains("server_id")
    def _check_another_account(self):
        """A second mailbox with the same account fails together with the first one."""
        for backup_sudo in self.sudo().filtered("server_id"):
            company_sudo = backup_sudo.company_id
            others_sudo = company_sudo.system_mail_backup_ids.server_id
            others_sudo |= company_sudo.system_mail_server_id
            account = self._account(backup_sudo.server_id)
            if account in map(self._account, others_sudo - backup_sudo.server_id):
                raise ValidationError(
                    self.env._(
                        "%(address)s at this server is already a mailbox of System Mail. Both "
                        "would fail together: connect another one, best at another provider.",
                        address=backup_sudo.address,
                    )
                )

    @staticmethod
    def _account(server_sudo):
        login = server_sudo.system_mail_login or server_sudo.smtp_user or ""
        names = server_sudo.smtp_host or "", login, server_sudo.from_filter or ""
        return (*map(str.lower, names), server_sudo.smtp_port, server_sudo.system_mail_https)

    @api.constrains("limit_minute", "limit_day")
    def _check_limits(self):
        if any(min(backup.limit_minute, backup.limit_day) < 0 for backup in self):
            raise ValidationError(self.env._("A limit is a number of recipients; 0 is no limit."))

    @api.model_create_multi
    def create(self, vals_list):
        backups = super().create(vals_list)
        nothing = dict.fromkeys(AUDITED_FIELDS, False)
        backups._after_change(dict.fromkeys(backups.sudo(), nothing))
        return backups

    def write(self, vals):
        before = snapshot(self.sudo(), [name for name in AUDITED_FIELDS if name in vals])
        result = super().write(vals)
        self._after_change(before)
        return result

    def unlink(self):
        """Delete them with their servers, which would send anybody's mail otherwise."""
        companies = self.company_id
        companies.check_system_mail_access()
        for backup in self:
            note = self.env._("Further mailbox removed: %(address)s", address=backup.address)
            self.env["system.mail.event"].note_change(note, backup.company_id)
        servers = self.sudo().with_context(active_test=False).server_id
        result = super().unlink()
        clear_caches(self.env)
        servers.system_mail_drop_unused()
        companies._system_mail_tell_backups()
        return result

    def _after_change(self, before):
        """Have all workers use the new values, and log what changed.

        :param before: what ``snapshot`` returned before the change
        """
        clear_caches(self.env)
        moved = self.browse()
        for backup_sudo, changes in changes_since(before):
            backup = backup_sudo.with_env(self.env)
            note = f"{backup.address}: {'; '.join(changes.values())}"
            self.env["system.mail.event"].note_change(note, backup.company_id)
            if {"company_id", "address", "server_id"} & changes.keys():
                moved |= backup
        if self.env["system.mail.secret"].has_key():
            moved.sudo().server_id.system_mail_take_password()
        moved.company_id.system_mail_recheck_domain()
        moved.filtered("server_id").company_id._system_mail_tell_backups()

    # --- connect and test

    def _system_mail_connect(self, address, server_values, tokens=None):
        """Try an account and, if it works, use it for this mailbox.

        :param address: as all arguments, and the result: see ``res.company``
        """
        self.ensure_one()
        self.company_id.check_system_mail_access()
        return self.company_id.system_mail_try(
            self, ("address", "server_id"), address, server_values, tokens
        )

    @api.private
    def system_mail_send_test(self, recipient):
        """Send a test message by this mailbox only, as ``res.company`` does by the first one."""
        self.ensure_one()
        return self.company_id.system_mail_send_test(recipient, self.sudo().server_id)

    def action_connect(self):
        """Open the connect dialog."""
        self.ensure_one()
        return self.company_id.action_system_mail_connect_backup(self)

    def action_test(self):
        """Open the dialog that sends a test message."""
        self.ensure_one()
        self.company_id.check_system_mail_access()
        values = {"company_id": self.company_id.id, "backup_id": self.id}
        return self.env["system.mail.test"].create(values).reopen()

    def action_drill(self):
        """Open the dialog that tries this mailbox with one real notification to the user."""
        self.ensure_one()
        self.company_id.check_system_mail_access()
        values = {"company_id": self.company_id.id, "backup_id": self.id}
        return self.env["system.mail.drill"].create(values).reopen()

    def action_move_up(self):
        """Have this mailbox tried before the one that is before it now."""
        self.ensure_one()
        order = list(self.company_id.system_mail_backup_ids.sorted())
        place = order.index(self)
        order.insert(max(place - 1, 0), order.pop(place))
        for sequence, backup in enumerate(order):
            if backup.sequence != sequence:
                backup.sequence = sequence
        return {"type": "ir.actions.client", "tag": "soft_reload"}

    def action_remove(self):
        """Delete this mailbox with its server and credentials."""
        self.unlink()
        return {"type": "ir.actions.client", "tag": "soft_reload"}
