"""A message in System Mail's name."""

import copy
import functools
from email.utils import parseaddr

_PERSONAL_HEADERS = (
    "Sender",
    "Return-Path",  # the last server writes the envelope's (RFC 5321, 4.4)
    "Disposition-Notification-To",
    "Return-Receipt-To",
)


def in_the_name_of(message, address, author):
    """A copy of the message from ``"Author" <address>``; the original stays as it is.

    Reply-To is kept, or becomes the author, so that replies reach the thread or the person. The
    Message-ID is the same: it is the same message.

    :param EmailMessage message: as prepared for the author's own mailbox
    :param str address: System Mail's address
    :param str author: the From that the author wrote, ``Name <address>``
    """
    system = copy.copy(message)
    for header in ("From", *_PERSONAL_HEADERS):
        del system[header]  # del makes a new list: the original keeps its headers
    author = _on_one_line(str(author or ""))
    system["From"] = _header(system.policy, "From", sender(author, address))
    if not system["Reply-To"] and parseaddr(author)[1]:
        system["Reply-To"] = _header(system.policy, "Reply-To", _mailbox(*parseaddr(author)))
    return system


@functools.lru_cache(maxsize=256)
def _header(policy, name, value):
    """A parsed header: parsing takes longer than all else, and people write more than once."""
    return policy.header_store_parse(name, value)[1]


@functools.lru_cache(maxsize=256)
def sender(author, address):
    """The From that readers see: the author's name, System Mail's address.

    :param str author: as for ``in_the_name_of``
    """
    return _mailbox(parseaddr(_on_one_line(author or ""))[0], address)


def _mailbox(name, address):
    """``"Name" <address>``, as Odoo writes it: quoted."""
    name = " ".join(name.split())
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{address}>' if name else address


def _on_one_line(text):
    """The text without what could end a header or hide in it."""
    return "".join(char if char.isprintable() else " " for char in text)
