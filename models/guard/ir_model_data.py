import contextlib

from odoo import api, models
from odoo.tools import SQL

from ...constants import MODULE

RELIED_ON = {
    *("base.public_user", "base.public_partner", "base.user_root", "base.partner_root"),
    *("base.group_user", "base.group_portal", "base.group_public", "base.default_user_group"),
    *("base.group_system", "base.group_erp_manager", "base.template_portal_user_id"),
    *("mail.mt_comment", "mail.mt_note", "mail.ir_cron_web_push_notification"),
}
"""Odoo's external IDs by which it knows a visitor, OdooBot and people's rights, and how alerts go
out: whoever moves one could make every visitor a Super User, or stop what OdooBot does.
"""


class IrModelData(models.Model):
    """Guards this addon's external IDs, and every one of the group Super User. The addon finds its
    group, its channel and its scheduled actions by them. While System Mail is in use, also those of
    Odoo that it relies on.
    """

    _name = "ir.model.data"
    _inherit = ["ir.model.data", "system.mail.guarded"]

    def write(self, vals):
        result = super().write(vals)
        # Again, now that Odoo reads the names anew: the group's own may be hidden by an older one.
        self._system_mail_guarded()._system_mail_check_records()
        return result

    @api.model
    def _update_xmlids(self, data_list, update=False):
        # Imports come here: they write external IDs by SQL.
        names = [data["xml_id"] for data in data_list]
        relied_on = self._system_mail_relied_on()
        self._system_mail_check_change(
            [name for name in names if name.startswith(f"{MODULE}.") or name in relied_on]
        )
        return super()._update_xmlids(data_list, update)

    @api.model
    @api.private
    @contextlib.contextmanager
    def system_mail_keep_texts(self):
        """Check that no outsider changes texts or translations of this addon's records within the
        block.

        :raises AccessError: somebody did
        """
        outsider = self.env["res.groups"]._system_mail_is_outsider()
        before = self._system_mail_texts() if outsider else set()
        yield
        if outsider:
            changed = {title for title, _texts in self._system_mail_texts() - before}
            self._system_mail_check_change(sorted(changed))

    @api.model
    def _system_mail_texts(self):
        """The stored texts of this addon's records: ``{(external ID, texts in all languages)}``."""
        self.env.flush_all()
        texts = set()
        ours_sudo = self.sudo().search([("module", "=", MODULE)])
        for model, names in ours_sudo.grouped("model").items():
            fields = self.env[model]._fields.values() if model in self.env else ()
            columns = [f.name for f in fields if f.translate and f.store and not f.inherited]
            if columns:
                rows = self.env.execute_query(
                    SQL(
                        "SELECT id, concat_ws(' ', %s) FROM %s WHERE id IN %s",
                        SQL(", ").join(map(SQL.identifier, columns)),
                        SQL.identifier(self.env[model]._table),
                        tuple(names.mapped("res_id")),
                    )
                )
                titles = {name.res_id: name.complete_name for name in names}
                texts |= {(titles[id_], said) for id_, said in rows}
        return texts

    @api.model
    def _system_mail_relied_on(self):
        return RELIED_ON if self.env["res.company"].system_mail_policies() else ()

    def _system_mail_is_about_us(self):
        if self.complete_name in self._system_mail_relied_on():
            return True
        group_id = self.env["res.groups"]._system_mail_group_id()
        return self.module == MODULE or (self.model, self.res_id) == ("res.groups", group_id)

    def _system_mail_title(self):
        return self.complete_name
