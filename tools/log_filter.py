"""Keep our secrets out of Odoo's log and out of its profiles.

Odoo logs SQL statements with the values that they write (``--log-sql``, "bad query"), and calls
with the values that people typed. A profile has the statements, too, and administrators read it.
The values of lines and statements with our secrets are replaced. Nothing else is changed.
"""

import contextlib
import contextvars
import itertools
import logging
import re

from odoo.tools.profiler import SQLCollector

SECRET_COLUMNS = {
    "ir_mail_server": ("smtp_pass", "system_mail_password"),
    "system_mail_connect": ("oauth_verifier", "secret"),
    "system_mail_oauth_provider": ("client_secret", "private_key"),
    "system_mail_oauth_token": ("access_token", "refresh_token"),
    "system_mail_webhook": ("url",),
}
"""Columns by table."""
TYPED = (
    "smtp_pass",
    "client_secret_input",
    "private_key_input",
    "service_account_file",
    "service_account_input",
    "smtp_ssl_private_key",
    "url_input",
)
"""Fields that people type a secret into."""
_MODELS = ("ir.mail_server", "system.mail.")
"""The models with such fields: beginnings of their names."""
_WRITES = re.compile(r'\s*(?:INSERT\s+INTO|UPDATE)\s+"?(?P<table>\w+)', re.IGNORECASE)
_LITERAL = re.compile(r"\bE'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'", re.DOTALL)
"""A text value in a statement, as psycopg2 writes it."""
_REPR = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?P<colon>\s*:)?""", re.DOTALL)
"""A string as Python's ``repr`` shows it. With a colon, it is the key of a dict."""


def redact_secrets(record):
    """Replace the values of a statement that writes our secrets by ``***``.

    :param logging.LogRecord record: a line of the log; changed in place
    :return: True: the line is kept
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
    """The secret columns of the table that a statement writes."""
    statement = _text(value)
    found = statement and _WRITES.match(statement)
    return SECRET_COLUMNS.get(found["table"], ()) if found else ()


def _first_line_of_error(value):
    """An error without the lines that quote the statement and the row; other values as they are."""
    return str(value).partition("\n")[0] if isinstance(value, Exception) else value


def _redacted(value):
    value = _first_line_of_error(value)
    text = _text(value)
    return value if text is None else _LITERAL.sub("'***'", text)


def _text(value):
    """A statement as text; None if the value is none. With its values, psycopg2 makes it bytes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


class StatementCollector(SQLCollector):
    """Collects statements for a profile. By its name, Odoo's profiler takes it for its own."""

    name = SQLCollector.name

    @property
    def entries(self):
        entries = super().entries
        for entry in entries:
            if _writes_secret(entry["full_query"]):
                entry["full_query"] = _redacted(entry["full_query"])
        return entries


def redact_typed(record):
    """Replace the values of a call to a model with secrets by ``***``, if the call names a secret.

    :param logging.LogRecord record: a line of the log; changed in place
    :return: True: the line is kept
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


@contextlib.contextmanager
def hidden():
    """Within it, what this thread requests is logged without the addresses."""
    token = _is_hidden.set(True)
    try:
        yield
    finally:
        _is_hidden.reset(token)


def redact_hidden(record):
    """Replace all but numbers within ``hidden`` by ``***``: a text may have the address, in
    whatever spelling, and so may an error.

    :param logging.LogRecord record: a line of the log; changed in place
    :return: True: the line is kept
    """
    if _is_hidden.get() and isinstance(record.args, tuple):
        record.args = tuple(arg if isinstance(arg, int) else "***" for arg in record.args)
    return True


_is_hidden = contextvars.ContextVar("system_mail_hidden", default=False)

for _module in ("connection", "connectionpool", "util.retry"):  # a filter holds for one logger only
    logging.getLogger(f"urllib3.{_module}").addFilter(redact_hidden)
logging.getLogger("odoo.service.model").addFilter(redact_typed)
logging.getLogger("odoo.sql_db").addFilter(redact_secrets)
