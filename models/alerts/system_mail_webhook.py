import datetime
import logging

from odoo import api, fields, models
from odoo.api import SUPERUSER_ID
from odoo.exceptions import ValidationError
from odoo.tools.mail import html_to_inner_content
from odoo.tools.urls import urljoin

from ...connect import webhook
from ...constants import MASK
from ...tools.changes import changes_since, snapshot
from ...tools.encrypted import Encrypted, Unreadable, in_clear
from ...tools.log_filter import hidden

_logger = logging.getLogger(__name__)

LATEST = datetime.timedelta(days=1)
"""What could not be posted for so long is not posted any more."""
HOME = "/odoo/system-mail-connections"


class SystemMailWebhook(models.Model):
    """Posts to a chat, or to any other service, what the Super Users are told in Discuss: once for
    each trouble, and once when it is over. It goes by https, never by a mailbox.
    """

    _name = "system.mail.webhook"
    _inherit = "system.mail.unnamed"
    _description = "System Mail Webhook"
    _order = "name, id"

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    form = fields.Selection("_forms", "Format", required=True, default="json")
    url = Encrypted("Stored Address", groups=fields.NO_ACCESS, copy=False)
    url_input = fields.Char(
        "Address",
        compute="_compute_url_input",
        inverse="_inverse_url_input",
        required=True,
        help="It begins with https://. Anyone who knows it can post there, so Odoo never shows it "
        "again.",
    )
    host = fields.Char(readonly=True, copy=False)
    since = fields.Datetime(readonly=True, copy=False, help="What was told before is not posted.")
    answer = fields.Char(readonly=True, copy=False, help="A status of HTTP, or why there is none.")
    answered_at = fields.Datetime("Last Try", readonly=True, copy=False)
    result = fields.Char("Last Result", compute="_compute_result")

    @api.model
    def _forms(self):
        return [
            ("json", self.env._("Plain (JSON)")),
            ("slack", "Slack"),
            ("teams", "Microsoft Teams"),
            ("discord", "Discord"),
        ]

    def _compute_url_input(self):
        for hook in self:
            hook.url_input = MASK if hook.sudo().url else False

    def _inverse_url_input(self):
        for hook in self.filtered(lambda hook: hook.url_input != MASK):
            url = (hook.url_input or "").strip()
            hook.sudo().write(
                {
                    "url": url,
                    "host": hook._host_of(url),
                    "since": self.env.cr.now(),
                    "answer": False,
                    "answered_at": False,
                }
            )
        self.invalidate_recordset(["url_input"])  # or the user who wrote it could read it

    @api.onchange("url_input")
    def _onchange_url_input(self):
        if self.url_input and self.url_input != MASK:
            self._host_of(self.url_input)
            self.form = webhook.form_of(self.url_input)

    def _host_of(self, url):
        """:raises ValidationError: it is no address of a webhook"""
        try:
            return webhook.host_of(url)
        except webhook.WebhookError:
            raise ValidationError(
                self.env._(
                    "This is no address of a webhook. Copy it from the service that gave it: it "
                    "begins with https:// and has no user name in it."
                )
            ) from None

    @api.depends("answer")
    def _compute_result(self):
        sentences = self._sentences()
        for hook in self:
            answer = hook.answer or ""
            if answer.startswith("2"):
                hook.result = self.env._("It arrived (%(status)s).", status=answer)
            elif answer.isdigit():
                hook.result = self.env._(
                    "The service refused it (%(status)s). Copy its address anew.", status=answer
                )
            else:
                hook.result = sentences.get(answer, "")

    def _sentences(self):
        return {
            "no_answer": self.env._(
                "The service did not answer. Alerts are sent to it again for a day."
            ),
            "host": self.env._(
                "The host is not public. Allow internal hosts in Settings, or use another one."
            ),
            "no_key": self.env._("This server has not the key to read the address: type it again."),
        }

    # --- what is told

    def action_test(self):
        """Post a test now, and show what came of it."""
        self.ensure_one()
        self.check_access("write")
        self._post(self.env._("A test of System Mail: its alerts arrive here."))

    @api.model
    @api.private
    def look_soon(self):
        """Something was told: post it soon. Nobody waits for that."""
        cron = self.env.ref("system_mail.ir_cron_tell", raise_if_not_found=False)
        if cron and self.sudo().search_count([], limit=1):
            cron.sudo()._trigger()

    @api.model
    @api.private
    def post_new(self):
        """Post what the Super Users have been told since. What fails is tried again for a
        day, and what came later waits for it.
        """
        channel = self.env.ref("system_mail.channel_alerts", raise_if_not_found=False)
        if channel:
            for hook in self.sudo().search([("url", "!=", False)]):
                hook._post_new(channel)

    def _post_new(self, channel):
        odoobot = self.env["res.users"].browse(SUPERUSER_ID)
        since = max(self.since or self.create_date, fields.Datetime.now() - LATEST)
        told = self.env["mail.message"].search(
            [
                ("model", "=", channel._name),
                ("res_id", "=", channel.id),
                ("author_id", "=", odoobot.partner_id.id),
                ("message_type", "=", "comment"),
                ("create_date", ">=", since),
            ],
            order="id",
        )
        alerts = self.env["system.mail.alert"]
        keys = {message: f"webhook:{self.id}:{message.id}" for message in told}
        posted = alerts.search([("key", "in", list(keys.values()))]).mapped("key")
        for message, key in keys.items():
            if key in posted:
                continue
            if not self._post(html_to_inner_content(message.body)):
                return
            alerts._is_new(key)
            self.env["ir.cron"]._commit_progress()

    def _post(self, text):
        """Post a text, and keep the status of the answer.

        :return: whether it was taken
        """
        answer = self._answer(text)
        self.sudo().write({"answer": answer, "answered_at": fields.Datetime.now()})
        return answer.startswith("2")

    def _answer(self, text):
        url = in_clear(self.sudo(), "url")
        if isinstance(url, Unreadable):
            return "no_key"
        link = urljoin(self.get_base_url(), HOME)
        content = webhook.payload(self.form, text, link, self.env._("Open Odoo"))
        internal = self.env["ir.config_parameter"].system_mail_number(
            "system_mail.allow_internal_hosts"
        )
        try:
            with hidden():
                return str(webhook.post(url, content, public_only=not internal))
        except webhook.WebhookError as exc:
            _logger.warning("webhook %s at %s: %s", self.id, self.host, exc.code)
            return exc.code

    # --- each change is an event

    @api.model_create_multi
    def create(self, vals_list):
        hooks = super().create(vals_list)
        for hook in hooks:
            hook._log_change(self.env._("Webhook %(name)s added", name=hook.name))
        return hooks

    def write(self, vals):
        before = snapshot(self.sudo(), ("name", "active", "form", "host", "url"))
        result = super().write(vals)
        for hook_sudo, changes in changes_since(before, secrets={"url"}):
            hook_sudo.with_env(self.env)._log_change(
                f"{hook_sudo.name}: {'; '.join(changes.values())}"
            )
        return result

    def unlink(self):
        self.env["res.company"].check_system_mail_access()
        for hook in self:
            hook._log_change(self.env._("Webhook %(name)s deleted", name=hook.name))
        return super().unlink()

    def _log_change(self, what):
        self.env["system.mail.event"].note_change_for_all(what)
