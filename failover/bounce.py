"""What a bounce says: which message did not arrive, and at whom (RFC 3464; RFC 6533 for addresses
in any script). Where the server that wrote it gives no report for machines, its text is read.
"""

import email
import re
from typing import NamedTuple

from .text import decode

LOOKED_AT = 50_000
"""Characters of each text."""
MOST = 20
"""Recipients, and messages."""

_REPORT = "message/delivery-status"
_GLOBAL_REPORT = "message/global-delivery-status"
_RECEIPT = "message/disposition-notification"
_SIGNS = ("x-failed-recipients", "x-ms-exchange-message-is-ndr")
"""Headers that only bounces have: of Exim and Gmail, and of Exchange."""
_ORIGINALS = ("message/rfc822", "message/global", "message/global-headers")
_MESSAGE_ID = re.compile(r"(?im)^[ \t>]*message-id:\s{0,9}(<[^<>\s]{1,250}>)")
_EMPTY_LINE = re.compile(r"\n[ \t]*\r?\n")
_ENCODINGS = ("base64", "quoted-printable")
_BETWEEN_WORDS = re.compile(r"""[\s<>()\[\]"',:;]+""")


class Bounce(NamedTuple):
    """What is read of one."""

    is_failure: bool
    """False: it says that a message is late, has arrived or was read."""
    recipients: tuple[tuple[str, ...], ...]
    """At whom, each by all the addresses that are known; of a text, every address in it."""
    message_ids: tuple[str, ...]
    """What may be the ID of the message, where the headers in the report don't have it: a provider
    may have given another one (``recipients.py``), or there is only a text that quotes it.
    """


def has_signs(message, sender):
    """Whether a message is a bounce though it has no report, and no daemon for a sender.

    :param message: the ``email.message.Message``
    :param str sender: the address in its From
    """
    if any(_headers(message, name) for name in _SIGNS):
        return True
    has_no_return_path = "<>" in _headers(message, "return-path")
    return has_no_return_path and sender.lower().startswith("postmaster@")


def read(message):
    """Read a bounce.

    :param message: the ``email.message.Message``
    :rtype: Bounce
    """
    types = {part.get_content_type() for part in message.walk()}
    blocks = [block for part in message.walk() for block in _blocks(part)]
    failed = [_names(block) for block in blocks if _has_failed(block)]
    texts = list(_texts(message))
    if not failed:
        listed = ",".join(_headers(message, "x-failed-recipients")) or " ".join(
            _MESSAGE_ID.split(text)[0] for text in texts
        )
        failed = [(word,) for word in _BETWEEN_WORDS.split(listed.lower()) if "@" in word]
    quoted = [
        *_references(message),
        *(message_id for part in _global(message) for message_id in _headers(part, "message-id")),
        *_headers(message, "x-ms-tnef-correlator"),
        *(message_id for text in texts for message_id in _MESSAGE_ID.findall(text)),
    ]
    return Bounce(
        is_failure=any(map(_has_failed, blocks)) if blocks else _RECEIPT not in types,
        recipients=tuple(dict.fromkeys(failed))[:MOST],
        # no database looks for a NUL
        message_ids=tuple(filter(str.isprintable, dict.fromkeys(quoted)))[:MOST],
    )


def _headers(message, name):
    """The values of a header, as they were written: to parse a hostile one may fail."""
    return [str(value).strip() for key, value in message.raw_items() if key.lower() == name]


def _blocks(part):
    """What a report says of each recipient; its first block is about the message."""
    kind, blocks = part.get_content_type(), part.get_payload()
    if kind == _GLOBAL_REPORT and part.is_multipart():
        [report] = blocks  # Python takes it for a message, whose headers are the first block
        [encoding, *_more] = *_headers(part, "content-transfer-encoding"), ""
        if encoding.lower() in _ENCODINGS:
            del report["Content-Transfer-Encoding"]  # Python refuses a second one
            report["Content-Transfer-Encoding"] = encoding
        blocks = map(email.message_from_string, _EMPTY_LINE.split(_text(report)))
    elif kind != _REPORT or not part.is_multipart():
        return []
    return [block for block in blocks if _headers(block, "final-recipient")]


def _has_failed(block):
    action, status = ((*_headers(block, name), "")[0].lower() for name in ("action", "status"))
    return action.startswith("failed") or (not action and status.startswith("5"))


def _names(block):
    values = _headers(block, "original-recipient") + _headers(block, "final-recipient")
    return tuple(dict.fromkeys(value.rpartition(";")[2].strip(" <>").lower() for value in values))


def _references(message):
    """The last one that the message in the report names."""
    for part in message.walk():
        kind, headers = part.get_content_type(), None
        if kind in _ORIGINALS and part.is_multipart():
            headers = part.get_payload(0)
        elif kind == "text/rfc822-headers":
            headers = email.message_from_string(_text(part))
        if headers:
            return " ".join(_headers(headers, "references")).split()[-1:]
    return []


def _global(message):
    """The messages in it that have addresses in any script: Odoo does not look at them."""
    kinds = _ORIGINALS[1:]
    parts = [part for part in message.walk() if part.get_content_type() in kinds]
    return [part.get_payload(0) for part in parts if part.is_multipart()]


def _texts(message):
    """Its own texts: not those of a message that is attached."""
    if message.is_multipart() and message.get_content_maintype() == "multipart":
        for part in message.get_payload():
            yield from _texts(part)
    elif message.get_content_type() == "text/plain":
        yield _text(message)


def _text(part):
    return decode(part.get_payload(decode=True))[:LOOKED_AT]
