import typing
from contextlib import nullcontext

from odoo import api, fields, models
from odoo.api import SUPERUSER_ID
from odoo.exceptions import AccessError, ValidationError
from odoo.tools import ormcache

from ...constants import GROUP
from ...tools.addresses import is_plain
from ...tools.moments import moment_in_words
from ...tools.odoo_20 import clear_caches

LIMIT_FIELDS = (
    "system_mail_limit_minute",
    "system_mail_limit_day",
    "system_mail_limit_user_hour",
)
POLICY_FIELDS = {
    "system_mail_address",
    "system_mail_server_id",
    "system_mail_scope",
    *LIMIT_FIELDS,
}
"""Fields from which a ``Policy`` is made, in addition to the company's name."""
OF_BACKUP = ("address", "server_id", "accepted_clash", "limit_minute", "limit_day", "sequence")
"""Likewise, of a further mailbox."""
OF_DOMAINS = {"email", "partner_id", "active"}
"""What decides which domains are the companies' own."""
OUT_OF_ORDER = ("unstable", "disconnected")
"""States of a mailbox by which mail may not be sent now."""
AUDITED_FIELDS = POLICY_FIELDS | {
    "system_mail_accepted_clash",
    "system_mail_steward_id",
    "system_mail_note",
    "system_mail_review_on",
}
"""Fields whose changes are logged."""


class SystemMailbox(typing.NamedTuple):
    """One mailbox of a company's System Mail, as plain values that can be cached."""

    address: str
    server_id: int
    is_clash_accepted: bool
    limit_minute: int = 0
    limit_day: int = 0


class Policy(typing.NamedTuple):
    """A company's System Mail and its limits, as plain values that can be cached."""

    company_id: int
    company_name: str
    mailboxes: tuple[SystemMailbox, ...]
    """In the order in which they are tried. The limits of a company hold for all together."""
    scope: str
    limit_minute: int
    limit_day: int
    limit_user_hour: int

    @property
    def address(self):
        """The address of the first mailbox."""
        return self.mailboxes[0].address

    @property
    def server_id(self):
        """The id of the first mailbox's server."""
        return self.mailboxes[0].server_id

    def mailbox(self, server_id):
        """The mailbox that has this server; None if there is none, or it is not in use.

        :rtype: SystemMailbox | None
        """
        return next((each for each in self.mailboxes if each.server_id == server_id), None)

    @property
    def limited(self):
        """Whether there is any limit, so that recipients must be counted."""
        return bool(self.limit_minute or self.limit_day or self.limit_user_hour)


class ResCompany(models.Model):
    _inherit = "res.company"

    system_mail_address = fields.Char(
        groups=GROUP,
        copy=False,
        help="The neutral address that sends people's messages when their mailbox fails, "
        "such as hello@company.com. Leave empty to turn the fallback off.",
    )
    system_mail_server_id = fields.Many2one(
        "ir.mail_server", groups=GROUP, copy=False, index="btree_not_null"
    )
    system_mail_backup_ids = fields.One2many(
        "system.mail.backup",
        "company_id",
        groups=GROUP,
        copy=False,
        help="Mailboxes that send, in this order, what System Mail's first mailbox cannot.",
    )
    system_mail_scope = fields.Selection(
        [
            ("internal", "Mail to colleagues only"),
            ("automatic", "Also automatic mail to others"),
            ("all", "All mail but mass mailing"),
        ],
        default="internal",
        required=True,
        groups=GROUP,
        help="Which mail System Mail may send.",
    )
    system_mail_state = fields.Selection(
        "_system_mail_states", compute="_compute_system_mail_state", groups=GROUP
    )
    system_mail_reason = fields.Char(compute="_compute_system_mail_state", groups=GROUP)
    system_mail_message = fields.Char(
        compute="_compute_system_mail_state",
        groups=GROUP,
        help="What is the matter, since when, and what to do.",
    )
    system_mail_limit_minute = fields.Integer(
        "Recipients a Minute", groups=GROUP, help="Recipients a minute; 0 = no limit."
    )
    system_mail_limit_day = fields.Integer(
        "Recipients a Day", groups=GROUP, help="Recipients a day; 0 = no limit."
    )
    system_mail_limit_user_hour = fields.Integer(
        "Recipients an Hour and Author",
        groups=GROUP,
        help="Recipients an hour and author; 0 = no limit.",
    )

    @api.model
    def _system_mail_states(self):
        return self.env["system.mail.health"].states()

    @api.depends("system_mail_address", "system_mail_server_id.active")
    def _compute_system_mail_state(self):
        for company in self:
            status = company._system_mail_status(
                company.system_mail_address, company.system_mail_server_id
            )
            company.system_mail_state, company.system_mail_reason, company.system_mail_message = (
                status
            )
            carrier = company.system_mail_state in OUT_OF_ORDER and company.system_mail_carrier()
            if carrier:
                company.system_mail_message += " " + self.env._(
                    "Meanwhile, mail is sent from %(address)s.", address=carrier.address
                )

    def _system_mail_status(self, address, server):
        """The state of one of System Mail's mailboxes, the reason of its failure, and a message
        that says what is the matter, since when, and what to do.

        :param str address: of the mailbox; empty if it is not in use
        :param server: its ``ir.mail_server``, or an empty one
        :rtype: tuple[str, str | bool, str | bool]
        """
        used = address and server.active
        health = server.system_mail_health_ids[:1] if used else self.env["system.mail.health"]
        state = health.state or "not_connected"
        if state == "connected" or not address:
            return state, health.reason, False
        if state == "not_connected":
            message = self.env._("It is not in use yet. Connect it first.")
            return state, health.reason, message
        message = self.env._(
            "Since %(time)s: %(reason)s. %(remedy)s",
            time=moment_in_words(self.env, health.since),
            reason=health.reason,
            remedy=health.remedy,
        )
        return state, health.reason, message

    @api.private
    def system_mail_carrier(self):
        """The first mailbox of System Mail that is not known to be out of order.

        :return: None if there is none, or if System Mail is not in use
        :rtype: SystemMailbox | None
        """
        policy = self.system_mail_policies().get(self.id)
        mailboxes = policy.mailboxes if policy else ()
        broken_sudo = (
            self.env["system.mail.health"]
            .sudo()
            .search(
                [
                    ("server_id", "in", [mailbox.server_id for mailbox in mailboxes]),
                    ("state", "in", OUT_OF_ORDER),
                ]
            )
        )
        broken_ids = broken_sudo.server_id.ids
        return next((mailbox for mailbox in mailboxes if mailbox.server_id not in broken_ids), None)

    @api.constrains("system_mail_address")
    def _check_system_mail_address(self):
        for company in self.filtered("system_mail_address"):
            company.check_system_mail_is_plain(company.system_mail_address)

    @api.private
    def check_system_mail_is_plain(self, address):
        """:raises ValidationError: it is not one plain address"""
        if not is_plain(address):
            raise ValidationError(
                self.env._(
                    "“%(address)s” is not an e-mail address that System Mail can use: it takes "
                    "one plain address, such as hello@company.com.",
                    address=address,
                )
            )

    @api.constrains("system_mail_server_id")
    def _check_system_mail_server(self):
        servers_sudo = self.sudo().system_mail_server_id
        servers_sudo.system_mail_backup_ids._check_server()
        if personal_sudo := servers_sudo.filtered("owner_user_id"):
            raise ValidationError(
                self.env._(
                    "%(server)s is a personal mailbox, or already sends for System Mail. "
                    "Connect another mailbox.",
                    server=personal_sudo[0].name,
                )
            )
        others = servers_sudo.system_mail_companies().with_env(self.env) - self
        others.check_system_mail_access()

    @api.constrains(*LIMIT_FIELDS)
    def _check_system_mail_limits(self):
        if any(company[name] < 0 for company in self for name in LIMIT_FIELDS):
            raise ValidationError(self.env._("A limit is a number of recipients; 0 is no limit."))

    @api.model_create_multi
    def create(self, vals_list):
        has_address = any(OF_DOMAINS & vals.keys() for vals in vals_list)
        with self.system_mail_log_own_domains() if has_address else nullcontext():
            companies = super().create(vals_list)
        if any(POLICY_FIELDS & vals.keys() for vals in vals_list):
            clear_caches(self.env)
        companies._system_mail_log_first_settings(vals_list)
        return companies

    def write(self, vals):
        if not self.env.su and any(name.startswith("system_mail_") for name in vals):
            self.check_system_mail_access()
        vals = self._system_mail_clean(vals)
        is_emptied = vals.get("system_mail_address", True) is False
        servers = self._system_mail_servers() if is_emptied else None
        before = self._system_mail_audit_snapshot(vals)
        guard = self.env["res.groups"].system_mail_guard() if "user_ids" in vals else nullcontext()
        sets_limits = not vals.keys().isdisjoint(LIMIT_FIELDS)
        limits = self._system_mail_limits() if sets_limits else None
        has_address = OF_DOMAINS & vals.keys()
        domains = self.system_mail_log_own_domains() if has_address else nullcontext()
        with guard, domains:
            result = super().write(vals)
        if {"name", *AUDITED_FIELDS} & vals.keys():
            clear_caches(self.env)
        self._system_mail_log_changes(before)
        if is_emptied:
            self._system_mail_drop(servers)
        elif vals.get("system_mail_server_id"):
            self._system_mail_encrypt_password()
        if {"system_mail_address", "system_mail_server_id"} & vals.keys():
            self.system_mail_recheck_domain()
        if sets_limits and self._system_mail_limits() != limits:
            self.env["mail.mail"].system_mail_wake_limited(self)
        return result

    def _system_mail_limits(self):
        return [company_sudo[name] for company_sudo in self.sudo() for name in LIMIT_FIELDS]

    @staticmethod
    def _system_mail_clean(vals):
        """The values of a write, with a blank address turned into False. It takes the server along:
        that is one change.
        """
        if "system_mail_address" not in vals:
            return vals
        address = (vals["system_mail_address"] or "").strip() or False
        server = {} if address else {"system_mail_server_id": False}
        return {**vals, "system_mail_address": address, **server}

    def _system_mail_encrypt_password(self):
        if self.env["system.mail.secret"].has_key():
            self.sudo().system_mail_server_id.system_mail_take_password()

    @api.private
    def system_mail_forget(self):
        """Delete the servers of these companies' System Mail, with their credentials, and their
        further mailboxes. Without a company, such a server would send anybody's mail.
        """
        servers = self._system_mail_servers()
        self.sudo().filtered("system_mail_server_id").write({"system_mail_server_id": False})
        self._system_mail_drop(servers)

    def _system_mail_servers(self):
        """The servers of these companies' first mailboxes, also archived ones."""
        return self.sudo().with_context(active_test=False).system_mail_server_id

    def _system_mail_drop(self, servers):
        """Delete the further mailboxes of these companies, and servers that no company has now."""
        self.sudo().system_mail_backup_ids.unlink()
        servers.system_mail_drop_unused()

    @api.private
    def check_system_mail_access(self):
        """Check that the current user is OdooBot, or a Super User who works in these companies.

        :raises AccessError: they are not
        """
        if self.env.uid == SUPERUSER_ID:
            return
        if not self.env.user.has_group(GROUP):
            raise AccessError(self.env._("Only Super Users may see or change System Mail."))
        if others := self._origin - self.env.user.company_ids:
            raise AccessError(
                self.env._(
                    "You don't work in %(companies)s. Only a Super User who works there sees or "
                    "changes its System Mail.",
                    companies=", ".join(others.sudo().mapped("name")),
                )
            )

    def action_system_mail_settings(self):
        """Open the settings of this company's System Mail. It becomes the user's current company:
        Odoo has no settings of another one.
        """
        self.ensure_one()
        self.check_system_mail_access()
        others = self.env.companies - self
        return {
            "type": "ir.actions.client",
            "tag": "system_mail_settings",
            "params": {"company_ids": (self + others).ids},
        }

    @api.model
    @ormcache()
    @api.private
    def system_mail_policies(self):
        """The System Mail of each company that uses one: ``{company_id: Policy}``. System Mail is
        in use when its address is set and its server is set and active. The answer is cached, so
        databases without System Mail make no query for it.
        """
        companies = self.sudo().search(
            [("active", "=", True), ("system_mail_server_id", "!=", False)]
        )
        companies._system_mail_forget_unchecked()
        return {
            company.id: Policy(
                company.id,
                company.name,
                tuple(company._system_mail_mailboxes()),
                company.system_mail_scope,
                company.system_mail_limit_minute,
                company.system_mail_limit_day,
                company.system_mail_limit_user_hour,
            )
            for company in companies
            if company.system_mail_address and company.system_mail_server_id.active
        }

    def _system_mail_forget_unchecked(self):
        """Odoo writes defaults of the context to the cache of records, whoever asks for it. What
        is kept for everybody is read from the database.
        """
        clash = "system_mail_accepted_clash"
        self.invalidate_recordset(["name", "system_mail_backup_ids", clash, *POLICY_FIELDS])
        self.system_mail_backup_ids.invalidate_recordset(OF_BACKUP)
        servers = self.system_mail_server_id | self.system_mail_backup_ids.server_id
        servers.invalidate_recordset(["active"])

    def _system_mail_mailboxes(self):
        """The mailboxes of this company's System Mail that are in use, in order."""
        first = self.system_mail_address, self.system_mail_server_id
        accepted = self.system_mail_accepted_clash
        yield SystemMailbox(*_in_use(*first, accepted))
        for backup in self.system_mail_backup_ids.sorted().filtered("server_id.active"):
            in_use = _in_use(backup.address, backup.server_id, backup.accepted_clash)
            yield SystemMailbox(*in_use, backup.limit_minute, backup.limit_day)

    @api.model
    @ormcache()
    @api.private
    def system_mail_server_ids(self):
        """The ids of all servers that are a company's System Mail, in use or not. Cached."""
        companies = self.sudo().with_context(active_test=False)
        companies = companies.search([("system_mail_server_id", "!=", False)])
        companies._system_mail_forget_unchecked()
        # pylint: disable-next=no-search-all
        backups = self.env["system.mail.backup"].sudo().with_context(active_test=False).search([])
        return frozenset((companies.system_mail_server_id | backups.server_id).ids)


def _in_use(address, server, accepted_clash):
    """The first values of a ``SystemMailbox``."""
    return address.lower(), server.id, (accepted_clash or "").lower() == address.lower()
