from odoo import api, models

from ...tools.encrypted import Encrypted


class Base(models.AbstractModel):
    _inherit = "base"

    @api.model
    def _sql_error_to_message(self, exc):
        """PostgreSQL quotes the row that it refuses, and Odoo shows its words, with the traceback,
        to the browser: keep only the first line where the row has a secret of ours.
        """
        if any(isinstance(field, Encrypted) for field in self._fields.values()):
            exc.args = (str(exc).partition("\n")[0],)
        return super()._sql_error_to_message(exc)
