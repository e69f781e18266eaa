"""Ids as numbers: RPC may give them as text, or as numbers of another kind."""

import contextlib
from collections.abc import Iterable

from odoo.api import NewId
from odoo.exceptions import ValidationError
from odoo.fields import Command
from odoo.models import BaseModel

IDS = (int, bool, type(None), NewId)
"""What an id is in Python; False and None are none."""
SEVERAL = (list, tuple)
FROM_RPC = (list, str, dict)
"""What RPC gives where ids are wanted; Odoo itself mostly has tuples."""
END = 2**63
"""No id is as large."""


def ids_as_numbers(model, ids):
    """What ``browse`` takes, with numbers for the rest. Models without a table may have other
    ids.
    """
    if ids.__class__ in FROM_RPC and model._auto and any(id_.__class__ not in IDS for id_ in ids):
        return [_number(model, id_) for id_ in ids]
    return ids


def with_numbers(model, vals):
    """The same values, with numbers for the ids in them.

    :param dict vals: as of ``create`` and ``write``
    :rtype: dict
    """
    changed = {}
    for name, value in vals.items():
        if value.__class__ in IDS:
            continue
        field = model._fields.get(name)
        if not field or not field.relational or not model.env[field.comodel_name]._auto:
            continue
        if field.type == "many2one":
            changed[name] = _number(model, value)
        elif value.__class__ in SEVERAL:
            changed[name] = [_command(model, command) for command in value]
    return {**vals, **changed} if changed else vals


def _command(model, command):
    """A command of an x2many field, or an id. The values in it are those of another ``create``. A
    code that is text is none in Odoo, and stays none: checks have seen it so.
    """
    if command.__class__ not in SEVERAL:
        return _number(model, command)
    if not command or command[0] == Command.CREATE:
        return command
    code, *parts = command
    return [code, *(_numbers(model, part) for part in parts)]


def _numbers(model, part):
    """Odoo itself also has sets of ids."""
    if isinstance(part, Iterable) and not isinstance(part, str | bytes | dict | BaseModel):
        return [_numbers(model, each) for each in part]
    return _number(model, part)


def _number(model, id_):
    """The number that PostgreSQL takes it for, or the same text if it takes it for none. Records,
    and what Odoo takes for several ids, stay.

    :raises ValidationError: it is no whole number: PostgreSQL rounds fractions
    """
    if id_.__class__ in IDS or isinstance(id_, list | tuple | dict | BaseModel):
        return id_
    if isinstance(id_, str):
        for base in (10, 0):  # "0026" and "0x1A"
            with contextlib.suppress(ValueError):
                return int(id_, base)
        return id_
    with contextlib.suppress(TypeError, ValueError, ArithmeticError):
        if abs(id_) < END and int(id_) == id_:
            return int(id_)
    raise ValidationError(model.env._("“%(id)s” is not the number of a record.", id=id_))
