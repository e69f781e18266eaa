"""Odoo's log of SQL (``--log-sql``, "bad query") has each value that is written. Leave out the
values of a statement that writes our secrets; every other line passes as it is.
"""

import logging
import re

SECRET_COLUMNS = {
    "ir_mail_server": ("smtp_pass", "system_mail_password"),
    "system_mail_connect": ("oauth_verifier", "secret"),
    "system_mail_oauth_provider": ("client_secret",),
    "system_mail_oauth_token": ("access_token", "refresh_token"),
}
"""By table."""
_WRITES = re.compile(r'\s*(?:INSERT\s+INTO|UPDATE)\s+"?(?P<table>\w+)', re.IGNORECASE)
_LITERAL = re.compile(r"\bE'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'", re.DOTALL)
"""A text as psycopg2 writes it into a statement."""


def redact_secrets(record):
    """Replace what may be a secret in a line of the log by ``***``.

    :param logging.LogRecord record: changed where it tells of a statement that writes our secrets
    :return: True: each line is kept
    """
    if isinstance(record.args, tuple) and any(map(_writes_secret, record.args)):
        record.args = tuple(map(_redacted, record.args))
    return True


def _writes_secret(value):
    statement = _text(value)
    found = statement and _WRITES.match(statement)
    columns = SECRET_COLUMNS.get(found["table"], ()) if found else ()
    return any(re.search(rf"\b{column}\b", statement) for column in columns)


def _redacted(value):
    if isinstance(value, Exception):  # its other lines quote the statement and the row
        return _LITERAL.sub("'***'", str(value).partition("\n")[0])
    text = _text(value)
    return value if text is None else _LITERAL.sub("'***'", text)


def _text(value):
    """A statement, which is bytes once psycopg2 has filled it in; None for anything else."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


logging.getLogger("odoo.sql_db").addFilter(redact_secrets)
