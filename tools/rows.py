"""The records of a model as a table of SQL, also where another addon computes what Odoo stores."""

import json

from odoo.tools import SQL


def rows(model, *names):
    """All records, archived ones too, with their ids and these fields. OCA's mail_environment
    computes what is in an ``ir.mail_server``: then its values go with the query.

    :param names: of fields that Odoo stores
    :return: what comes after FROM or JOIN, without an alias
    :rtype: SQL
    """
    computed = [name for name in names if not model._fields[name].store]
    if not computed:
        return SQL.identifier(model._table)
    records = model.sudo().with_context(active_test=False).search([])
    values = [
        {"id": record.id, **{name: _value(record, name) for name in computed}} for record in records
    ]
    columns = [("id", "int4"), *((name, model._fields[name].column_type[0]) for name in computed)]
    stored = [SQL("s.%s", SQL.identifier(name)) for name in names if name not in computed]
    return SQL(
        "(SELECT %s FROM %s s JOIN json_to_recordset(%s) AS v (%s) ON v.id = s.id)",
        SQL(", ").join([SQL("v.*"), *stored]),
        SQL.identifier(model._table),
        json.dumps(values),
        SQL(", ").join(SQL("%s %s", SQL.identifier(name), SQL(type_)) for name, type_ in columns),
    )


def _value(record, name):
    field, value = record._fields[name], record[name]
    return value if value or field.type == "boolean" else None
