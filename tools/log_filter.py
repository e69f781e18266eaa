"""Odoo's log of SQL (``--log-sql``, "bad query") has each value that is written, and its log of
calls has each value that was typed. Leave out the values of a line that has our secrets; every
other line passes as it is.
"""

import itertools
import logging
import re

SECRET_COLUMNS = {
    "ir_mail_server": ("smtp_pass", "system_mail_password"),
    "system_mail_connect": ("oauth_verifier", "secret"),
    "system_mail_oauth_provider": ("client_secret",),
    "system_mail_oauth_token": ("access_token", "refresh_token"),
}
"""By table."""
TYPED = ("smtp_pass", "client_secret_input", "smtp_ssl_private_key")
"""Fields of forms that people type a secret into."""
_MODELS = ("ir.mail_server", "system.mail.")
"""Starts of the names of the models that have them."""
_WRITES = re.compile(r'\s*(?:INSERT\s+INTO|UPDATE)\s+"?(?P<table>\w+)', re.IGNORECASE)
_LITERAL = re.compile(r"\bE'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'", re.DOTALL)
"""A text as psycopg2 writes it into a statement."""
_REPR = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?P<colon>\s*:)?""", re.DOTALL)
"""A text as Python shows it; with a colon, the key of a dict."""


def redact_secrets(record):
    """Replace what may be a secret in a line of the log by ``***``.

    :param logging.LogRecord record: changed where it tells of a statement that writes our secrets
    :return: True: each line is kept
    """
    if isinstance(record.args, tuple):
        if any(map(_writes_secret, record.args)):
            record.args = tuple(map(_redacted, record.args))
        elif any(map(_secret_columns, record.args)):  # an error quotes all columns of the row
            record.args = tuple(map(_first_line_of_error, record.args))
    return True


def _writes_secret(value):
    columns = _secret_columns(value)
    return any(re.search(rf"\b{column}\b", _text(value)) for column in columns)


def _secret_columns(value):
    """Those of the table that a statement writes."""
    statement = _text(value)
    found = statement and _WRITES.match(statement)
    return SECRET_COLUMNS.get(found["table"], ()) if found else ()


def _first_line_of_error(value):
    """The error without the lines that quote the statement and the row; anything else as it is."""
    return str(value).partition("\n")[0] if isinstance(value, Exception) else value


def _redacted(value):
    value = _first_line_of_error(value)
    text = _text(value)
    return value if text is None else _LITERAL.sub("'***'", text)


def _text(value):
    """A statement, which is bytes once psycopg2 has filled it in; None for anything else."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


def redact_typed(record):
    """Replace what may be a secret in a line of the log that tells of a call by ``***``.

    :param logging.LogRecord record: changed where the call is one of a model that has secrets, and
        names one
    :return: True: each line is kept
    """
    called = record.args[0] if isinstance(record.args, tuple) and record.args else None
    if getattr(called, "_name", "").startswith(_MODELS):
        names, secrets = map(str, record.args[:-1]), str(record.args[-1])
        if any(name in secrets for name in _secret_names()):
            record.args = (*names, _REPR.sub(_key_or_mask, secrets))
    return True


def _key_or_mask(found):
    return found[0] if found["colon"] else "'***'"


def _secret_names():
    return {*TYPED, *itertools.chain.from_iterable(SECRET_COLUMNS.values())}


logging.getLogger("odoo.service.model").addFilter(redact_typed)
logging.getLogger("odoo.sql_db").addFilter(redact_secrets)
