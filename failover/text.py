"""What servers say, made fit to keep: decoded, on one line, cut, without secrets."""

import base64
import binascii
import json
import re

TEXT_LIMIT = 500
"""Characters of a provider's answer that are kept."""

_SHORTEST_SECRET = 4
_SECRET = re.compile(
    r"""(?ix)
    (?P<name>
        \b(?:password|passwd|pass|pwd|secret|client_secret|\w*token|assertion|api[_-]?key)
            ["']?\s*[=:]\s*["']?
        | \bBearer\s+(?=\S*\d)
        | \bAUTH\s+[\w-]+\s+(?=\S*[\d=])
    ) [^\s"',;&]+
    | (?<![\w/+-])[\w/+-]{40,}={0,2}           # base64: a token, a credential
    """
)


def clean(text, secrets=()):
    """The text on one line, printable, without secrets, cut to ``TEXT_LIMIT`` characters.

    :param secrets: what must not survive; shorter ones than 4 characters would riddle any text
    """
    text = without_secrets(text, secrets)
    text = printable(text[: 8 * TEXT_LIMIT])
    text = _SECRET.sub(lambda match: f"{match['name'] or ''}***", text)
    text = " ".join(text.split())
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"


def printable(text):
    """The text with a space in the place of each character that could end a line or hide in it."""
    return "".join(char if char.isprintable() else " " for char in text)


def without_secrets(text, secrets):
    """The text with ``***`` in the place of each secret."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return text


def decode(value):
    """Text without lone surrogates, of anything that a server or an exception carries."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode(errors="replace")
    return "" if value is None else str(value).encode(errors="replace").decode()


def json_object(text):
    """The JSON object that the text is, or None."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def challenge(text):
    """The error that an XOAUTH2 server hides in its 334 (base64 of a JSON object)."""
    try:
        decoded = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return text
    error = json_object(decode(decoded))
    return " ".join(f"{k}={decode(v)}" for k, v in error.items()) if error else ""
