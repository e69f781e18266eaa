"""Nobody keeps a default that changes or deletes records which exist."""

import json


def migrate(cr, _version):
    cr.execute(
        """SELECT d.id, d.json_value FROM ir_default d JOIN ir_model_fields f ON f.id = d.field_id
            WHERE f.ttype IN ('one2many', 'many2many')"""
    )
    harmful = [id_ for id_, value in cr.fetchall() if _has_harm(json.loads(value))]
    cr.execute("DELETE FROM ir_default WHERE id = ANY(%s)", [harmful])


def _has_harm(commands):
    """:param commands: of a field to many; ids are links"""
    return isinstance(commands, list) and any(
        command[0] in (1, 2) or (command[0] == 0 and any(map(_has_harm, command[2].values())))
        for command in commands
        if isinstance(command, list) and command
    )
