import functools

from odoo import api, models
from odoo.api import SUPERUSER_ID
from odoo.exceptions import AccessError
from odoo.fields import Domain
from odoo.tools import ormcache

from ...constants import GROUP
from ...tools.odoo_20 import clear_caches

TOLD = ("subject", "body")
"""What an alert says."""
PLACE = ("model", "res_id")


class MailMessage(models.Model):
    """Guards the alerts: nobody else reads one, or puts a message among them."""

    _inherit = "mail.message"

    @api.constrains("model", "res_id")
    def _check_system_mail_alerts(self):
        alerts = self._system_mail_alerts()
        if alerts and not self._system_mail_has_alerts():
            clear_caches(self.env, "stable")
            # once more: until then, another thread sees none, and caches that
            self.env.cr.postcommit.add(functools.partial(clear_caches, self.env, "stable"))
        alerts._system_mail_check_insider()

    @api.constrains("parent_id", "model", "res_id")
    def _check_system_mail_parent(self):
        """An alert is answered where it is: to whoever may read an answer, Odoo shows as superuser
        what it answers.
        """
        if not self._system_mail_has_alerts():  # or each message would cost one more query
            return
        answers = self.filtered("parent_id")
        alerts_sudo = answers.sudo().parent_id._system_mail_alerts()
        elsewhere = answers.filtered(lambda message: message.sudo().parent_id in alerts_sudo)
        if elsewhere - elsewhere.sudo()._system_mail_alerts():
            raise AccessError(
                self.env._("An alert of System Mail is only answered in its channel.")
            )

    @api.private
    def system_mail_check_alerts(self):
        """Check that the current user may change these messages, or address them to somebody.

        :raises AccessError: one is an alert, and the user is no Super User
        """
        if self._system_mail_has_alerts():  # or each check would cost one more query
            self._system_mail_alerts()._system_mail_check_insider()

    @api.private
    def system_mail_check_place(self, vals):
        """Check that alerts stay in their channel, whoever moves them: Odoo does some things as
        OdooBot for anybody.

        :param dict vals: to be written
        :raises AccessError: one would be elsewhere
        """
        if not (vals.keys() & set(PLACE) and self._system_mail_has_alerts()):
            return
        alerts = self._system_mail_alerts()
        if any(vals.get(name, alert[name]) != alert[name] for alert in alerts for name in PLACE):
            raise AccessError(self.env._("An alert of System Mail stays in its channel."))

    def _system_mail_check_insider(self):
        """Check that the current user may write these alerts.

        Odoo lets people create messages as superuser, with any document and any author. Mail
        that comes in is OdooBot's, whoever sent it or gave it to Odoo over RPC.

        :raises AccessError: the user is no Super User
        """
        by_mail = "email" in self.mapped("message_type")
        if self and (by_mail or not self._system_mail_is_insider()):
            raise AccessError(
                self.env._(
                    "Only Super Users write where System Mail's alerts are. Nothing was sent."
                )
            )

    @api.model
    def _system_mail_is_insider(self):
        """Whether the current user is OdooBot or a Super User. ``sudo()`` doesn't change that."""
        return self.env.uid == SUPERUSER_ID or bool(self.env.uid and self.env.user.has_group(GROUP))

    @api.model
    @ormcache(cache="stable")
    def _system_mail_has_alerts(self):
        """Whether there has ever been one."""
        channel_id = self.env["ir.model.data"]._xmlid_to_res_id("system_mail.channel_alerts")
        # not message_ids: what is read of them stays as it is for the rest of the transaction
        there = [("model", "=", "discuss.channel"), ("res_id", "=", channel_id)]
        return bool(self.sudo().search_count(there, limit=1))

    def _system_mail_alerts(self):
        """Those of these messages that are in the channel of the alerts."""
        channel_id = self.env["ir.model.data"]._xmlid_to_res_id("system_mail.channel_alerts")
        return self.filtered(
            lambda message: (message.model, message.res_id) == ("discuss.channel", channel_id)
        )

    @api.model
    def _search(self, domain, *args, bypass_access=False, **kwargs):
        """Find no alert for others than Super Users, also where Odoo lets somebody find it who was
        made one of its readers: they could guess what it says, letter by letter.
        """
        is_free = self.env.su or bypass_access or self._system_mail_is_insider()
        if not is_free and self._system_mail_has_alerts():
            channel_id = self.env["ir.model.data"]._xmlid_to_res_id("system_mail.channel_alerts")
            elsewhere = Domain("model", "!=", "discuss.channel") | Domain(
                "res_id", "!=", channel_id
            )
            domain = Domain(domain) & elsewhere
        return super()._search(domain, *args, bypass_access=bypass_access, **kwargs)

    def _fetch_query(self, query, fields):
        """Read an alert as empty where Odoo reads it as superuser for somebody: by a field that has
        its value from there, in a form that is not saved yet.
        """
        is_free = self._system_mail_is_insider() or {f.name for f in fields}.isdisjoint(TOLD)
        if is_free or not self._system_mail_has_alerts():
            return super()._fetch_query(query, fields)
        place = [self._fields[name] for name in ("model", "res_id")]
        fetched = super()._fetch_query(query, dict.fromkeys((*fields, *place)))
        for alert in fetched._system_mail_alerts():
            for name in TOLD:
                self._fields[name]._update_cache(alert, None)
        return fetched

    def fetch(self, field_names=None):
        """Refuse the alerts to all but Super Users: Odoo reads here as superuser, also what an
        export asks for, or what another record leads to.
        """
        if self.env.su or self.env.user.has_group(GROUP):
            return super().fetch(field_names)
        place = ("model", "res_id")
        super().fetch(None if field_names is None else list({*field_names, *place}))
        alerts_sudo = self.sudo()._system_mail_alerts()
        if alerts_sudo:
            alerts_sudo.invalidate_recordset()
            raise alerts_sudo.with_env(self.env)._make_access_error("read")
        return None
