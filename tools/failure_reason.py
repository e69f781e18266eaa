"""Why a mail was not sent, told only to who may know what a provider says of a mailbox."""

from odoo import fields
from odoo.api import SUPERUSER_ID
from odoo.exceptions import AccessError
from odoo.tools import SQL

from ..constants import GROUP
from .reasons import as_stored, translated

_FETCHES = object()
"""Value of a context key that nobody can give over RPC."""


class FailureReason(fields.Text):
    """A text that others than Super Users read only where the record's model lets them; they
    neither search, sort nor group by it. Super Users sort and group by it if they work in each
    company that has a System Mail. Code in superuser mode reads it as it is.

    Our own words are stored in English. People read and search them in their language.

    Its model defines ``_system_mail_hides_reason()`` for a record, and fetches by ``fetching``.
    """

    def convert_to_record(self, value, record):
        if value and not record.env.su and record._system_mail_hides_reason():
            return record.env._("It was not sent. Only who wrote it and Super Users see why.")
        return super().convert_to_record(value, record)

    def convert_to_read(self, value, record, use_display_name=True):
        read = super().convert_to_read(value, record, use_display_name)
        return read and translated(record.env, read)

    def to_sql(self, model, alias):
        """:raises AccessError: a person would learn it by a search, an order or a group"""
        if not (
            model.env.context.get("system_mail_fetches") is _FETCHES
            or model.env.su
            or self._may_know_all(model.env)
        ):
            raise AccessError(
                model.env._(
                    "Only Super Users can search, sort or group by “%(field)s”.", field=self.string
                )
            )
        return super().to_sql(model, alias)

    def condition_to_sql(self, field_expr, operator, value, model, alias, *args):
        """Whether there is any reason, each Super User may ask: the filters of mail do. By a
        reason, they find what was written in the companies in which they work.
        """
        user = model.env.user
        is_limited = not model.env.su and user.has_group(GROUP)
        asks = fetching(model) if is_limited else model
        to_sql = super().condition_to_sql
        words = [value, *(as_stored(model.env, value) if operator == "ilike" else ())]
        condition = SQL(
            "(%s)",
            SQL(" OR ").join(
                to_sql(field_expr, operator, each, asks, alias, *args) for each in words
            ),
        )
        if not is_limited:
            return condition
        asks_for_any = operator in ("in", "not in") and not set(value) - {False}
        if asks_for_any or self._may_know_all(model.env):
            return condition
        return SQL(
            """(%(condition)s AND %(message)s IN (
                   SELECT id FROM mail_message
                    WHERE record_company_id IN %(companies)s
                       OR record_company_id IS NULL AND create_uid IN (
                          SELECT id FROM res_users
                           WHERE company_id IN %(companies)s AND NOT share AND id != %(root)s)))""",
            condition=condition,
            message=model._field_to_sql(alias, "mail_message_id"),
            companies=tuple(user.company_ids.ids),
            root=SUPERUSER_ID,
        )

    @staticmethod
    def _may_know_all(env):
        """Whether the current user may know why any mail was not sent."""
        policies = env["res.company"].system_mail_policies()
        return not policies or (
            env.user.has_group(GROUP) and policies.keys() <= {*env.user.company_ids.ids}
        )


def fetching(records):
    """The same records, whose reasons go into Odoo's cache."""
    return records.with_context(system_mail_fetches=_FETCHES)
