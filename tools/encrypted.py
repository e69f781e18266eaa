"""Secrets that are stored encrypted, if the server has a key."""

import logging
import os
import re

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tools import config

from ..constants import MASK

_logger = logging.getLogger(__name__)

VARIABLE = "SYSTEM_MAIL_KEYS"
OPTION = "system_mail_keys"
"""In odoo.conf: Fernet keys, the newest first. It is used to encrypt, and all of them to
decrypt."""
MARK = "system_mail_fernet:"


class Unreadable(str):
    """A secret that this server has no key for: an empty string, so falsy."""

    __slots__ = ()


def keys_of_server():
    """The keys that this server has, the newest first.

    :raises ValueError: a key is not valid
    :rtype: list[Fernet]
    """
    given = os.environ.get(VARIABLE) or config.get(OPTION) or ""
    return [Fernet(key) for key in re.split(r"[\s,]+", given) if key]


def encrypt(secret):
    """The secret encrypted with the newest key; unchanged if there is no key.

    :raises ValueError: a key is not valid
    """
    keys = keys_of_server()
    return MARK + keys[0].encrypt(secret.encode()).decode() if keys else secret


def decrypt(stored):
    """The secret in clear; ``Unreadable`` if this server does not have its key."""
    if not stored or not stored.startswith(MARK):
        return stored
    try:
        secret = _decrypted(stored, keys_of_server())
    except ValueError:
        _logger.warning("%s is no list of Fernet keys: no secret can be read", OPTION)
        secret = None
    return Unreadable() if secret is None else secret


def renew(stored):
    """Encrypt a stored secret with the newest key.

    :return: None if already encrypted with the newest key, or if this server cannot read it
    :raises ValueError: a key is not valid
    """
    keys = keys_of_server()
    if not stored or not keys:
        return None
    if not stored.startswith(MARK):
        return encrypt(stored)
    if _decrypted(stored, keys[:1]) is not None:
        return None
    secret = _decrypted(stored, keys)
    return secret and encrypt(secret)


def _decrypted(stored, keys):
    """The secret in clear; None if none of these keys decrypts it."""
    if not keys:
        return None
    try:
        return MultiFernet(keys).decrypt(stored[len(MARK) :].encode()).decode()
    except InvalidToken:
        return None


def in_clear(record, name):
    """A secret as it was given: reading the field gives only whether there is one.

    :param record: at most one
    :return: False if there is none; ``Unreadable`` if this server does not have its key
    """
    record = record._origin  # a form's record took the mask from the real one
    shown = record[name]  # this also checks the access, and reads what is not read yet
    return shown and record._fields[name]._get_cache(record.env)[record.id]


class Encrypted(fields.Char):
    """A Char that is read as a mask, except by ``in_clear``, and that is stored encrypted if there
    is a key. Odoo reads fields as superuser by paths that people choose.
    """

    copy = False

    def condition_to_sql(self, field_expr, operator, value, model, *args):
        """:raises AccessError: the secret could be guessed from what is found, letter by letter:
        Odoo searches as superuser, too, by domains that people write
        """
        if operator not in ("in", "not in") or set(value) - {False}:
            self.refuse(model)
        return super().condition_to_sql(field_expr, operator, value, model, *args)

    def refuse(self, model):
        raise AccessError(
            model.env._("Nobody searches, sorts or groups by “%(field)s”.", field=self.string)
        )

    def convert_to_record(self, value, record):
        value = super().convert_to_record(value, record)
        return MASK if value else value

    def convert_to_cache(self, value, record, validate=True):
        if validate and value == MASK:
            raise ValueError(f"{self}: what was read is a mask, which must not replace the secret")
        return super().convert_to_cache(value, record, validate)

    def convert_to_column(self, value, record, values=None, validate=True):
        value = super().convert_to_column(value, record, values, validate)
        try:
            return encrypt(value) if value else value
        except ValueError:
            raise UserError(
                record.env._(
                    "The encryption key of this server is not valid, so nothing was saved: whoever "
                    "runs the server corrects “%(option)s” in its configuration file.",
                    option=OPTION,
                )
            ) from None

    def _insert_cache(self, records, values):  # values read from the database
        super()._insert_cache(records, [decrypt(value) for value in values])
