"""Why a mail was not sent, told only to who may know what a provider says of a mailbox."""

from odoo import fields
from odoo.exceptions import AccessError

from ..constants import GROUP

_FETCHES = object()
"""Value of a context key that nobody can give over RPC."""


class FailureReason(fields.Text):
    """A text that others than Super Users read only where the record's model lets them; they
    neither search, sort nor group by it. Code in superuser mode reads it as it is.

    Its model defines ``_system_mail_hides_reason()`` for a record, and fetches by ``fetching``.
    """

    def convert_to_record(self, value, record):
        if value and not record.env.su and record._system_mail_hides_reason():
            return record.env._("It was not sent. Only who wrote it and Super Users see why.")
        return super().convert_to_record(value, record)

    def to_sql(self, model, alias):
        """:raises AccessError: a person would learn it by a search, an order or a group"""
        if (
            model.env.context.get("system_mail_fetches") is not _FETCHES
            and not model.env.su
            and model.env["res.company"].system_mail_policies()
            and not model.env.user.has_group(GROUP)
        ):
            raise AccessError(
                model.env._(
                    "Only Super Users can search, sort or group by “%(field)s”.", field=self.string
                )
            )
        return super().to_sql(model, alias)


def fetching(records):
    """The same records, whose reasons go into Odoo's cache."""
    return records.with_context(system_mail_fetches=_FETCHES)
