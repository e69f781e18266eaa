from odoo import models
from odoo.tools import SQL

from ..constants import MODULE


class BaseLanguageImport(models.TransientModel):
    """Lets only Super Users import translations of this addon's texts: Odoo writes them by SQL,
    past what guards the records.
    """

    _inherit = "base.language.import"

    def import_lang(self):
        if not self.env["res.groups"]._system_mail_is_outsider():
            return super().import_lang()
        before = self._system_mail_texts()
        result = super().import_lang()
        changed = {row[0] for row in self._system_mail_texts() - before}
        self.env["ir.model.data"]._system_mail_check_change(sorted(changed))
        return result

    def _system_mail_texts(self):
        """The stored texts of this addon's records: ``{(external ID, texts in all languages)}``."""
        self.env.flush_all()
        names_sudo = self.env["ir.model.data"].sudo().search([("module", "=", MODULE)])
        texts = set()
        for model, names in names_sudo.grouped("model").items():
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
