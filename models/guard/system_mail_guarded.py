from odoo import api, models
from odoo.api import SUPERUSER_ID

from ...constants import MODULE
from ...tools.changes import changes_since, snapshot


class SystemMailGuarded(models.AbstractModel):
    """Lets only Super Users change this addon's own records of a model of Odoo, and logs what they
    change. A model inherits it beside Odoo's own class. OdooBot is free: it installs modules.
    """

    _name = "system.mail.guarded"
    _description = "System Mail Guard"
    _system_mail_unguarded_fields = frozenset()
    """Fields that Odoo writes for whoever uses the record."""

    @api.model_create_multi
    def create(self, vals_list):
        records = super().create(vals_list)
        if guarded := records._system_mail_guarded():
            guarded._system_mail_check_records()
            guarded._system_mail_log_record(self.env._("created"))
        return records

    def write(self, vals):
        if vals.keys() <= self._system_mail_unguarded_fields:
            return super().write(vals)
        guarded = self._system_mail_guarded()
        guarded._system_mail_check_records()
        before = snapshot(guarded.sudo(), sorted(vals.keys() & self._fields.keys()))
        result = super().write(vals)
        # A change can also make a record ours: a rule of another model may become one of our model.
        (self._system_mail_guarded() - guarded)._system_mail_check_records()
        for record_sudo, changes in changes_since(before):
            record_sudo.with_env(self.env)._system_mail_log_record("; ".join(changes.values()))
        return result

    def unlink(self):
        # Odoo deletes external IDs with every record, most often none
        if guarded := self._system_mail_guarded():
            guarded._system_mail_check_records()
            guarded._system_mail_log_record(self.env._("deleted"))
        return super().unlink()

    def _system_mail_guarded(self):
        """The records among these that are this addon's own; none for OdooBot."""
        if not self or self.env.uid == SUPERUSER_ID:
            return self.browse()
        named = [("module", "=", MODULE), ("model", "=", self._name), ("res_id", "in", self.ids)]
        named_ids = set(self.env["ir.model.data"].sudo().search(named).mapped("res_id"))
        return self.exists().filtered(
            lambda record: record.id in named_ids or record.sudo()._system_mail_is_about_us()
        )

    def _system_mail_is_about_us(self):
        """Whether the record concerns this addon, although it may be another module's."""
        return False

    def _system_mail_title(self):
        """The record's name, in messages and events."""
        return self.display_name

    def _system_mail_check_records(self):
        self._system_mail_check_change([record._system_mail_title() for record in self.sudo()])

    @api.model
    def _system_mail_check_change(self, titles):
        """Check that the current user may change records of this addon.

        :param list titles: what people call the records
        :raises AccessError: there is any, and the user is an outsider
        """
        groups = self.env["res.groups"]
        if titles and groups._system_mail_is_outsider():
            groups._system_mail_refuse(
                self.env._(
                    "%(titles)s: System Mail relies on this. Only a Super User changes or deletes "
                    "it. Nothing was changed; ask one of them.",
                    titles=", ".join(titles),
                )
            )

    def _system_mail_log_record(self, what):
        """Log what happened to these records.

        :param str what: as people read it
        """
        kind = self.env["ir.model"].sudo().search([("model", "=", self._name)]).name
        for record_sudo in self.sudo():
            self.env["system.mail.event"].note_change_for_all(
                f"{kind}, {record_sudo._system_mail_title()}: {what}"
            )
