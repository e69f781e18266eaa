"""A message in System Mail's name."""

import copy
import functools
import re
from email.utils import parseaddr

_PERSONAL_HEADERS = (
    "Sender",
    "Return-Path",  # the last server writes the envelope's (RFC 5321, 4.4)
    "Disposition-Notification-To",
    "Return-Receipt-To",
)
LONGEST_NAME = 128
"""Characters; a line of a header has at most 998 bytes (RFC 5322 2.1.1)."""
_LONGEST = 1000
_ADDRESS = re.compile(r"[^\s<>(),;:@\"\\\[\]]{1,64}@[^\s<>(),;:@\"\\]{1,255}")


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
    author = str(author or "")
    system["From"] = _header(system.policy, "From", sender(author, address))
    name, own = _parsed(author)
    if not system["Reply-To"] and own:
        system["Reply-To"] = _header(system.policy, "Reply-To", _mailbox(name, own))
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
    return _mailbox(_parsed(author)[0], address)


@functools.lru_cache(maxsize=256)
def _parsed(author):
    """The author's name, fit for a header, and address, blank where it is none."""
    author = _on_one_line(author)
    try:
        # its parser takes the square of the length, and a level of calls for each bracket
        name, address = parseaddr(author) if len(author) <= _LONGEST else ("", "")
    except RecursionError:
        name, address = "", ""
    if not (name or address):
        name, _bracket, rest = author.rpartition("<")
        name, address = (name or rest).strip(' "'), rest.partition(">")[0].strip()
    name = " ".join(name[:_LONGEST].replace("=?", "= ?").split())
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 1]}…"
    return name, address if _ADDRESS.fullmatch(address) else ""


def _mailbox(name, address):
    """``"Name" <address>``, as Odoo writes it: quoted."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{address}>' if name else address


def _on_one_line(text):
    """The text without what could end a header or hide in it."""
    return "".join(char if char.isprintable() else " " for char in text)
