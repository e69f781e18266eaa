"""Odoo's log of SQL (``--log-sql``) tells each value that is written: not those of ours."""

import logging

SECRET_COLUMNS = (
    '"access_token"',
    '"client_secret"',
    '"oauth_verifier"',
    '"refresh_token"',
    '"secret"',
    '"smtp_pass"',
    '"system_mail_password"',
)


def tells_no_secret(record):
    """Whether a line of the log may be kept: it writes no column that holds a secret."""
    query = record.getMessage()
    writes = "INSERT INTO" in query or "UPDATE" in query
    return not (writes and any(column in query for column in SECRET_COLUMNS))


logging.getLogger("odoo.sql_db").addFilter(tells_no_secret)
