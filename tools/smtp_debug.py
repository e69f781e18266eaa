"""``smtp_debug`` of a mailbox has every line of its conversation in the log: leave out what it logs
in with.
"""

import ast
import base64
import contextlib

MASK = "***"


@contextlib.contextmanager
def log_in_unseen(connection, *secrets):
    """Within it, what the connection says is not logged; what it said, or the secrets, never is.

    :param smtplib.SMTP connection: or what another module uses in its place
    :param str secrets: a password or token; empty ones don't count
    """
    if not getattr(connection, "debuglevel", 0):
        yield
        return
    lines = DebugLines(connection._print_debug, secrets)
    connection._print_debug = lines
    try:
        yield
    finally:
        lines.logging_in = False


class DebugLines:
    """In place of ``smtplib.SMTP._print_debug``: takes the lines, and hands them on without the
    secrets.
    """

    def __init__(self, write, secrets):
        self.logging_in = True
        self._write, self._secrets = write, {secret for secret in secrets if secret}
        self._in_auth = False

    def __call__(self, *words):
        if self.logging_in and words[:1] == ("send:",):
            self._learn(words[1])
        self._write(*map(self._masked, words))

    def _learn(self, said):
        """Remember the base64 that was said with and after ``AUTH``, and the token in it."""
        said = ast.literal_eval(said)
        said = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        verb, *words = said.split() or [""]
        self._in_auth |= verb.upper() == "AUTH"
        if self._in_auth:
            for credentials in words[1:] if verb.upper() == "AUTH" else [verb]:
                self._secrets |= {credentials, _token(credentials)} - {""}

    def _masked(self, word):
        text = str(word)
        for secret in sorted(self._secrets, key=len, reverse=True):
            for form in (secret, repr(secret)[1:-1], _encoded(secret)):
                text = text.replace(form, MASK)
        return text


def _encoded(secret):
    return base64.b64encode(secret.encode()).decode()


def _token(credentials):
    """The token in the credentials of XOAUTH2, or ""."""
    try:
        plain = base64.b64decode(credentials, validate=True).decode()
    except ValueError:
        return ""
    return plain.rstrip("\1").partition("auth=Bearer ")[2]
