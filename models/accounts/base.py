from odoo import api, models

from ...tools.encrypted import Encrypted


class Base(models.AbstractModel):
    """Keeps secrets of ours out of what PostgreSQL tells: errors, groups, aggregates and orders."""

    _inherit = "base"

    @api.model
    def _read_group_groupby(self, alias, groupby_spec, query):
        self._system_mail_check_secret(groupby_spec)
        return super()._read_group_groupby(alias, groupby_spec, query)

    @api.model
    def _read_group_select(self, aggregate_spec, query):
        self._system_mail_check_secret(aggregate_spec)
        return super()._read_group_select(aggregate_spec, query)

    @api.model
    def _order_field_to_sql(self, alias, field_name, direction, nulls, query):
        self._system_mail_check_secret(field_name)
        return super()._order_field_to_sql(alias, field_name, direction, nulls, query)

    def _system_mail_check_secret(self, spec):
        """:raises AccessError: the specification of a group or an order is a secret of ours"""
        field = self._fields.get(spec.partition(":")[0])
        if isinstance(field, Encrypted):
            field.refuse(self)

    @api.model
    def _sql_error_to_message(self, exc):
        """PostgreSQL quotes the row that it refuses, and Odoo shows its words, with the traceback,
        to the browser: keep only the first line where the row has a secret of ours.
        """
        if any(isinstance(field, Encrypted) for field in self._fields.values()):
            exc.args = (str(exc).partition("\n")[0],)
        return super()._sql_error_to_message(exc)
