"""Secrets that are encrypted in the database, where the server has a key for it."""

import logging
import os
import re

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from odoo import fields
from odoo.exceptions import UserError
from odoo.tools import config

_logger = logging.getLogger(__name__)

VARIABLE = "SYSTEM_MAIL_KEYS"
OPTION = "system_mail_keys"
"""Of odoo.conf. Keys of Fernet, the newest first: it encrypts, all of them decrypt."""
MARK = "system_mail_fernet:"


class Unreadable(str):
    """Stands for a secret that this server has no key for; false, like any empty string."""

    __slots__ = ()


def keys_of_server():
    """The keys that this server has, the newest first.

    :raises ValueError: one is none
    :rtype: list[Fernet]
    """
    given = os.environ.get(VARIABLE) or config.get(OPTION) or ""
    return [Fernet(key) for key in re.split(r"[\s,]+", given) if key]


def encrypt(secret):
    """:raises ValueError: a key is none"""
    keys = keys_of_server()
    return MARK + keys[0].encrypt(secret.encode()).decode() if keys else secret


def decrypt(stored):
    """The secret; ``Unreadable`` without its key: a database that came without it cannot send."""
    if not stored or not stored.startswith(MARK):
        return stored
    try:
        secret = _decrypted(stored, keys_of_server())
    except ValueError:
        _logger.warning("%s is no list of Fernet keys: no secret can be read", OPTION)
        secret = None
    return Unreadable() if secret is None else secret


def renew(stored):
    """The stored secret as the newest key encrypts it; None where it is so already, or where this
    server cannot read it.

    :raises ValueError: a key is none
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
    """None: these keys do not read it."""
    if not keys:
        return None
    try:
        return MultiFernet(keys).decrypt(stored[len(MARK) :].encode()).decode()
    except InvalidToken:
        return None


class Encrypted(fields.Char):
    """A Char that is plain for the code, and encrypted in its column where there is a key."""

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

    def _insert_cache(self, records, values):  # what a query read
        super()._insert_cache(records, [decrypt(value) for value in values])
