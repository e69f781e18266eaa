"""A message in System Mail's name."""

import copy
import functools
import re
from email.errors import MessageError
from email.header import decode_header, make_header
from email.headerregistry import AddressHeader
from email.utils import parseaddr

from .text import printable

_OF_THE_AUTHOR = (
    "From",
    "Sender",
    "Return-Path",  # the last server writes the envelope's (RFC 5321, 4.4)
    "Disposition-Notification-To",
    "Return-Receipt-To",
)
LONGEST_NAME = 128
"""Characters; a line of a header has at most 998 bytes (RFC 5322 2.1.1)."""
_LONGEST = 1000
_ADDRESS = re.compile(r"[^\s<>(),;:@\"\\\[\]]{1,64}@[^\s<>(),;:@\"\\]{1,255}")
_END_OF_HEADER = re.compile(r"[\r\n](?![\n \t]|\Z)")
_NAME_OF_HEADER = re.compile(r"[!-9;-~]+")  # RFC 5322 2.2: no space, no colon, no end of line
_OF_THE_BODY = ("mime-version", "content-type", "content-transfer-encoding")


def in_the_name_of(message, address, author, known_as="", own_addresses=()):
    """A copy of the message from ``"Author" <address>``; the original stays as it is.

    Reply-To is kept, or becomes the author, so that replies reach the thread or the person. An
    author has one address there: more of them may have been slipped into the author's e-mail
    field. The Message-ID is the same: it is the same message.

    :param EmailMessage message: as prepared for the author's own mailbox
    :param str address: System Mail's address
    :param str author: the From that the author wrote, ``Name <address>``
    :param str known_as: as for ``sender``
    :param own_addresses: all that the author's e-mail field has in it, in small letters
    """
    system = copy.copy(message)
    for header in _OF_THE_AUTHOR:
        del system[header]  # del makes a new list: the original keeps its headers
    _tidy(system)
    author = str(author or "")
    _write(system, "From", sender(author, address, known_as))
    name, own = parsed(author)
    reply_to = system["Reply-To"]
    if own and (not reply_to or _is_only_the_author(reply_to, own_addresses)):
        _write(system, "Reply-To", _mailbox(name, own))
    return system


def address_header(policy, header, mailboxes):
    """A header with these mailboxes.

    :param mailboxes: pairs of a name, which may be empty, and an address
    """
    written = (_mailbox(_fit(name), address) for name, address in mailboxes)
    return _header(policy, header, ", ".join(written))


def _write(message, header, value):
    """Write a header in the place of all of its name."""
    del message[header]
    message[header] = _header(message.policy, header, value)


def _is_only_the_author(reply_to, own_addresses):
    """Whether it has several addresses, all of them from the author's e-mail field."""
    addresses = [mailbox.addr_spec.lower() for mailbox in getattr(reply_to, "addresses", ())]
    return len(addresses) > 1 and {*addresses} <= {*own_addresses}


def _tidy(message):
    """Write those headers anew that would be written as more than one, or be read as something
    else: within encoded words, and when it folds long names, Python lets ends of lines pass.
    """
    policy = message.policy
    for header, value in message.items():
        if not _NAME_OF_HEADER.fullmatch(header):  # Odoo lets people name headers of their own
            del message[header]
            continue
        if header.lower() in _OF_THE_BODY:
            continue
        if not isinstance(value, AddressHeader):
            if _is_odd(value) and _is_encoded(policy, header, value):
                message.replace_header(header, _plain(value))
        elif any(map(_is_odd, map(str, value.addresses))) or _is_encoded(policy, header, value):
            tidied = ", ".join(_tidied(str(mailbox)) for mailbox in value.addresses)
            message.replace_header(header, _header(policy, header, tidied))


def _tidied(mailbox):
    name, address = parsed(mailbox)
    return _mailbox(name, address) if address else _plain(mailbox)


def _is_odd(text):
    return len(text) > 2 * LONGEST_NAME or "=?" in text or not text.isprintable()


def _is_encoded(policy, header, value):
    """Whether it is written in encoded words, on more lines than it should be, or cannot be."""
    try:
        written = policy.fold(header, value)
    except UnicodeError:
        return True
    breaks = not {"\r", "\n"}.isdisjoint(value)  # which were encoded
    return breaks or "=?" in written or bool(_END_OF_HEADER.search(written))


@functools.lru_cache(maxsize=256)
def _header(policy, name, value):
    """A parsed header: parsing takes longer than all else, and people write more than once."""
    return policy.header_store_parse(name, value)[1]


@functools.lru_cache(maxsize=256)
def sender(author, address, known_as=""):
    """The From that readers see: the author's name, System Mail's address. Where the author wrote
    no name, it is the one they are known by; where there is none, the part of their address before
    the @, as Odoo's own sender has it.

    :param str author: as for ``in_the_name_of``
    :param str address: System Mail's address
    :param str known_as: the name of the author's contact; one that is an e-mail address is none
    """
    name, own = parsed(author)
    if "@" not in known_as:
        name = name or _fit(known_as)
    return _mailbox(name or (own or address).partition("@")[0], address)


@functools.lru_cache(maxsize=256)
def parsed(author):
    """The author's name, fit for a header, and address, blank where it is none."""
    author = printable(author)
    try:
        # its parser takes the square of the length, and a level of calls for each bracket
        name, address = parseaddr(author) if len(author) <= _LONGEST else ("", "")
    except RecursionError:
        name, address = "", ""
    if not (name or address):
        name, _bracket, rest = author.rpartition("<")
        name, address = (name or rest).strip(' "'), rest.partition(">")[0].strip()
    return _fit(_decoded(name[:_LONGEST])), address if _ADDRESS.fullmatch(address) else ""


def _decoded(name):
    """Without RFC 2047's encoding, if that is what it is."""
    try:
        return str(make_header(decode_header(name)))
    except (MessageError, LookupError, ValueError):
        return name


def _fit(name):
    """The name on one line, no longer than it may be, and without what would be decoded anew."""
    name = _plain(name)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _plain(text):
    return " ".join(printable(text).replace("=?", "= ?").split())


def _mailbox(name, address):
    """``"Name" <address>``, as Odoo writes it: quoted."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{address}>' if name else address
