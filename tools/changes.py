"""Describe the changes of a record for people: the old and the new values."""

from odoo.api import SUPERUSER_ID

from .encrypted import Encrypted, in_clear
from .moments import day_in_words


def change(label, old, new):
    """One change on one line: ``Port: 25 → 587``. ``-`` means no value."""
    return f"{label}: {old or '-'} → {new or '-'}"


def snapshot(records, names):
    """Keep the values of fields, for ``changes_since``.

    :return: ``{record: {field name: value as people read it}}``
    """
    return {record: {name: _shown(record, name) for name in names} for record in records}


def changes_since(before, secrets=()):
    """Compare records with a snapshot.

    :param dict before: what ``snapshot`` returned
    :param secrets: names of fields whose values are not shown
    :return: yields ``(record, {field name: line})`` for each record that changed
    """
    for record, old in before.items():
        lines = {}
        for name, was in old.items():
            now = _shown(record, name)
            if now == was:
                continue
            label = record._fields[name]._description_string(record.env)
            if name in secrets:
                lines[name] = record.env._("%(setting)s changed", setting=label)
            else:
                lines[name] = change(label, was, now)
        if lines:
            yield record, lines


def _shown(record, name):
    field, value = record._fields[name], record[name]
    if isinstance(field, Encrypted):
        return in_clear(record, name)
    if field.relational:  # as OdooBot: some records are named only to Super Users
        names = value.with_user(SUPERUSER_ID).mapped("display_name")
        return ", ".join(filter(None, names)) or False
    if field.type == "selection":
        return dict(field._description_selection(record.env)).get(value)
    if field.type == "date" and value:
        return day_in_words(record.env, value)
    return value
