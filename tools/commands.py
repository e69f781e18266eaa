"""What the values of a new record would do to records that exist."""

from odoo.exceptions import AccessError
from odoo.fields import Command

TAKEN = {
    *("mail.message", "mail.mail", "mail.notification", "ir.mail_server"),
    *("discuss.channel", "discuss.channel.member"),
}
"""Models of which nothing is given to a record that is made beside the new one."""
OUTCOME = {"failure_type", "failure_reason"}
"""What became of a mail: nobody says that of a new one."""


def check_only_new(model, values):
    """Check that the values of a new record only create records, or link them to it. Odoo creates
    some records as superuser with values that any employee may choose.

    :param model: of the new record
    :param dict values: as given to ``create``
    :raises AccessError: they would change, delete or take records that exist, or fill in fields of
        this addon
    """
    if _changes_others(model, values or {}):
        raise _refusal(model.env)


def check_defaults(model):
    """Check that no default of the context changes or deletes records that exist, or takes one of
    ``TAKEN``. Odoo writes such values to the cache of those records, whoever asks for it, and makes
    some records as superuser with the defaults of whom it does so for.

    :param model: of the new record
    :raises AccessError: one does
    """
    for key, value in model.env.context.items():
        field = model._fields.get(key[8:]) if key.startswith("default_") else None
        if has_harm(model, field, value) and model.env["res.company"].system_mail_policies():
            raise _refusal(model.env)


def has_harm(model, field, value):
    """Whether a default of a field changes or deletes records that exist, or takes some."""
    if not (field and field.type in ("one2many", "many2many") and isinstance(value, list | tuple)):
        return False
    comodel = model.env[field.comodel_name]
    return any(_does_harm(comodel, field, command) for command in value)


def _does_harm(comodel, field, command):
    code, argument = _read(command)
    if code == Command.CREATE:
        values = argument if isinstance(argument, dict) else {}
        return any(has_harm(comodel, comodel._fields.get(name), v) for name, v in values.items())
    takes = field.type == "one2many" and comodel._name in TAKEN
    is_link = code == Command.LINK or (code == Command.SET and argument)
    return code in (Command.UPDATE, Command.DELETE) or bool(is_link and takes)


def _refusal(env):
    return AccessError(
        env._(
            "The values of a new record can't change or delete other records, or say what "
            "System Mail did. Nothing was done."
        )
    )


def _changes_others(model, values):
    is_ours = any(name.startswith("system_mail_") or name in OUTCOME for name in values)
    return is_ours or any(
        _is_of_others(model.env[field.comodel_name], field, command)
        for field, value in ((model._fields.get(name), value) for name, value in values.items())
        if field and field.type in ("one2many", "many2many")
        for command in value or ()
    )


def _is_of_others(comodel, field, command):
    """Whether a command concerns more than a new record. A record belongs to one other at most by a
    ``one2many``: a link takes it away from there.
    """
    code, argument = _read(command)
    if code == Command.CREATE:
        if comodel._name in TAKEN:
            return True
        return _takes_others(comodel, argument or {}) or _changes_others(comodel, argument or {})
    is_link = code == Command.LINK or (code == Command.SET and argument)
    return code in (Command.UPDATE, Command.DELETE) or bool(is_link and field.type == "one2many")


def _takes_others(model, values):
    """Whether a record that is made beside the new one is about something else than that: a
    notification of any message, or a member of any channel.
    """
    many2ones = (model._fields.get(name) for name, value in values.items() if value)
    return any(f and f.type == "many2one" and f.comodel_name in TAKEN for f in many2ones)


def _read(command):
    """The code and the values or ids of a command; an id alone is a link."""
    if not isinstance(command, list | tuple):
        return Command.LINK, None
    code, *more = command or [Command.CLEAR]
    return code, more[1] if len(more) > 1 else None


def record_of(model, value):
    """The record that a value of a many2one means, as Odoo takes it: an id, a record or nothing."""
    id_ = getattr(value, "id", value)
    return model.browse([id_] if id_ else ())
