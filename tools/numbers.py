"""Ids as numbers: RPC may give them as text or as decimals."""

import contextlib

from odoo.exceptions import ValidationError
from odoo.fields import Command

OTHERS = (str, float)
FROM_RPC = (list, str, dict)
"""What RPC gives where ids are wanted; Odoo itself mostly has tuples."""


def ids_as_numbers(model, ids):
    """What ``browse`` takes, with numbers for text. Models without a table may have other ids."""
    if ids.__class__ in FROM_RPC and model._auto and any(id_.__class__ in OTHERS for id_ in ids):
        return [_number(model, id_) for id_ in ids]
    return ids


def with_numbers(model, vals):
    """The same values, with numbers for the ids in them.

    :param dict vals: as of ``create`` and ``write``
    :rtype: dict
    """
    changed = {}
    for name, value in vals.items():
        if value.__class__ in OTHERS:
            field = model._fields.get(name)
            if value and field and field.type == "many2one" and _has_numbers(model, field):
                changed[name] = _number(model, value)
        elif value.__class__ in (list, tuple):
            field = model._fields.get(name)
            if field and field.type in ("one2many", "many2many") and _has_numbers(model, field):
                changed[name] = [_command(model, command) for command in value]
    return {**vals, **changed} if changed else vals


def _has_numbers(model, field):
    return model.env[field.comodel_name]._auto


def _command(model, command):
    """A command of an x2many field, or an id. The values in it are those of another ``create``. A
    code that is text is none in Odoo, and stays none: checks have seen it so.
    """
    if command.__class__ in OTHERS:
        return _number(model, command)
    if command.__class__ not in (list, tuple) or not command or command[0] == Command.CREATE:
        return command
    code, *parts = command
    return [code, *(_numbers(model, part) for part in parts)]


def _numbers(model, part):
    if part.__class__ in OTHERS:
        return _number(model, part)
    if part.__class__ in (list, tuple):
        return [_numbers(model, each) for each in part]
    return part


def _number(model, id_):
    """The number that PostgreSQL takes it for, or the same text if it takes it for none.

    :raises ValidationError: it is a fraction, which PostgreSQL rounds
    """
    if id_.__class__ is str:
        for base in (10, 0):  # "0026" and "0x1A"
            with contextlib.suppress(ValueError):
                return int(id_, base)
        return id_
    if not id_.is_integer():
        raise ValidationError(model.env._("“%(id)s” is not the number of a record.", id=id_))
    return int(id_)
