import typing
from contextlib import nullcontext

from odoo import api, fields, models
from odoo.api import SUPERUSER_ID
from odoo.exceptions import AccessError, ValidationError
from odoo.tools import format_date, format_time, ormcache

from ...constants import GROUP
from ...tools.addresses import is_plain
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
AUDITED_FIELDS = POLICY_FIELDS | {
    "system_mail_accepted_clash",
    "system_mail_steward_id",
    "system_mail_note",
    "system_mail_review_on",
}
"""Fields whose changes are logged."""


class Policy(typing.NamedTuple):
    """A company's System Mail and its limits, as plain values that can be cached."""

    company_id: int
    company_name: str
    address: str
    server_id: int
    scope: str
    limit_minute: int
    limit_day: int
    limit_user_hour: int

    @property
    def limited(self):
        """Whether there is any limit, so that recipients must be counted."""
        return bool(self.limit_minute or self.limit_day or self.limit_user_hour)


class ResCompany(models.Model):
    _inherit = "res.company"

    system_mail_address = fields.Char(
        groups=GROUP,
        copy=False,
        help="The neutral address that carries system mail when a person's mailbox fails, "
        "such as hello@company.com. Blank: no fallback.",
    )
    system_mail_server_id = fields.Many2one(
        "ir.mail_server", groups=GROUP, copy=False, index="btree_not_null"
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
        help="Which mail System Mail may carry.",
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
        groups=GROUP, help="Recipients a minute; 0 = no limit."
    )
    system_mail_limit_day = fields.Integer(groups=GROUP, help="Recipients a day; 0 = no limit.")
    system_mail_limit_user_hour = fields.Integer(
        groups=GROUP, help="Recipients an hour and author; 0 = no limit."
    )

    @api.model
    def _system_mail_states(self):
        return self.env["system.mail.health"].states()

    @api.depends("system_mail_address", "system_mail_server_id.active")
    def _compute_system_mail_state(self):
        for company in self:
            server = company.system_mail_server_id
            used = company.system_mail_address and server.active
            health = server.system_mail_health_ids[:1]
            company.system_mail_state = (used and health.state) or "not_connected"
            company.system_mail_reason = used and health.reason
            company.system_mail_message = company._system_mail_message(health)

    def _system_mail_message(self, health):
        if self.system_mail_state == "connected" or not self.system_mail_address:
            return False
        if self.system_mail_state == "not_connected":
            return self.env._("Not in use yet: connect it, and it carries what others cannot.")
        since = fields.Datetime.context_timestamp(self, health.since)
        return self.env._(
            "Since %(date)s, %(time)s: %(reason)s. %(remedy)s",
            date=format_date(self.env, since, date_format="long"),
            time=format_time(self.env, since.time(), time_format="short"),
            reason=health.reason,
            remedy=health.remedy,
        )

    @api.constrains("system_mail_address")
    def _check_system_mail_address(self):
        for company in self.filtered("system_mail_address"):
            address = company.system_mail_address
            if not is_plain(address):
                raise ValidationError(
                    self.env._(
                        "“%(address)s” is not an e-mail address that System Mail can use: it takes "
                        "one plain address, such as hello@company.com.",
                        address=address,
                    )
                )

    @api.constrains(*LIMIT_FIELDS)
    def _check_system_mail_limits(self):
        if any(company[name] < 0 for company in self for name in LIMIT_FIELDS):
            raise ValidationError(self.env._("A limit is a number of recipients; 0 is no limit."))

    @api.model_create_multi
    def create(self, vals_list):
        has_address = any(vals.get("email") for vals in vals_list)
        with self.system_mail_log_own_domains() if has_address else nullcontext():
            companies = super().create(vals_list)
        if any(POLICY_FIELDS & vals.keys() for vals in vals_list):
            clear_caches(self.env)
        companies._system_mail_log_first_settings(vals_list)
        return companies

    def write(self, vals):
        vals = self._system_mail_clean(vals)
        before = self._system_mail_audit_snapshot(vals)
        guard = self.env["res.groups"].system_mail_guard() if "user_ids" in vals else nullcontext()
        domains = self.system_mail_log_own_domains() if "email" in vals else nullcontext()
        with guard, domains:
            result = super().write(vals)
        if {"name", *AUDITED_FIELDS} & vals.keys():
            clear_caches(self.env)
        self._system_mail_log_changes(before)
        if vals.get("system_mail_address", True) is False:
            self.system_mail_forget()
        elif vals.get("system_mail_server_id"):
            self._system_mail_encrypt_password()
        if {"system_mail_address", "system_mail_server_id"} & vals.keys():
            self.system_mail_recheck_domain()
        return result

    @staticmethod
    def _system_mail_clean(vals):
        """The values of a write, with a blank address turned into False."""
        if "system_mail_address" not in vals:
            return vals
        return {**vals, "system_mail_address": (vals["system_mail_address"] or "").strip() or False}

    def _system_mail_encrypt_password(self):
        if self.env["system.mail.secret"].has_key():
            self.sudo().system_mail_server_id.system_mail_take_password()

    @api.private
    def system_mail_forget(self):
        """Delete the servers of these companies' System Mail, with their credentials. Without a
        company, such a server would send anybody's mail.
        """
        servers = self.sudo().with_context(active_test=False).system_mail_server_id
        self.sudo().filtered("system_mail_server_id").write({"system_mail_server_id": False})
        servers.filtered(lambda server: not server.system_mail_company_ids).unlink()

    @api.private
    def check_system_mail_access(self):
        """:raises AccessError: the current user is neither a Super User nor OdooBot"""
        if self.env.uid != SUPERUSER_ID and not self.env.user.has_group(GROUP):
            raise AccessError(self.env._("Only Super Users may see or change System Mail."))

    def action_system_mail_settings(self):
        """Open the settings of this company's System Mail."""
        self.ensure_one()
        self.check_system_mail_access()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "base_setup.action_general_configuration"
        )
        companies = [self.id, *(id_ for id_ in self.env.companies.ids if id_ != self.id)]
        action["context"] = {"module": "system_mail", "allowed_company_ids": companies}
        return action

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
        return {
            company.id: Policy(
                company.id,
                company.name,
                company.system_mail_address.lower(),
                company.system_mail_server_id.id,
                company.system_mail_scope,
                company.system_mail_limit_minute,
                company.system_mail_limit_day,
                company.system_mail_limit_user_hour,
            )
            for company in companies
            if company.system_mail_address and company.system_mail_server_id.active
        }

    @api.model
    @ormcache()
    @api.private
    def system_mail_server_ids(self):
        """The ids of all servers that are a company's System Mail, in use or not. Cached."""
        companies = self.sudo().with_context(active_test=False)
        companies = companies.search([("system_mail_server_id", "!=", False)])
        return frozenset(companies.system_mail_server_id.ids)
