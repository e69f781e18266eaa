"""What the message of a drill must look like, and whether it did."""

import email.parser
import email.policy
import re
import typing

from .text import decode, printable

_PARSER = email.parser.BytesHeaderParser(policy=email.policy.default)
_NAMES_THE_PERSON = {"from", "to", "cc", "reply-to"}
"""Headers that may name whoever wrote it: in From only as the display name."""


class Copy(typing.NamedTuple):
    """One message that a server accepted, as it was handed over."""

    envelope_from: str
    content: bytes

    @property
    def raw_headers(self):
        """The headers as text, line by line."""
        head, _, _body = self.content.partition(b"\r\n\r\n")
        return decode(head).replace("\r\n", "\n")

    @property
    def headers(self):
        """The headers, parsed and decoded."""
        return _PARSER.parsebytes(self.content)


class Expected(typing.NamedTuple):
    """What each check compares with; addresses are bare ones."""

    address: str
    """System Mail's."""
    name: str
    """The author's."""
    own_address: str
    """The author's."""
    replies: str
    bounces: frozenset[str]
    """The envelope senders that will do."""
    message_id: str


def examine(copies, expected):
    """Check a drill, point by point.

    :param list[Copy] copies: at least one
    :param Expected expected: as it should be
    :return: ``{check: passed}``, in the order in which people ask
    :rtype: dict[str, bool]
    """
    copy = copies[0]
    headers = copy.headers
    senders = _mailboxes(headers, "From")
    return {
        "sender": _addresses(senders) == [expected.address.lower()],
        "name": [_words(s.display_name) for s in senders] == [_words(expected.name)],
        "replies": _addresses(_mailboxes(headers, "Reply-To")) == [expected.replies.lower()],
        "bounces": copy.envelope_from.lower() in expected.bounces,
        "one_copy": len(copies) == 1
        and [str(i).strip() for i in headers.get_all("Message-Id", ())] == [expected.message_id],
        "no_trace": expected.own_address.lower() == expected.address.lower()
        or not _names(expected.own_address, copy, headers, _addresses(senders)),
    }


def _mailboxes(headers, name):
    return headers[name].addresses if headers[name] else ()


def _addresses(mailboxes):
    return [mailbox.addr_spec.lower() for mailbox in mailboxes]


def _words(name):
    return printable(name).split()


def _names(address, copy, headers, senders):
    """Whether the address stands where only senders stand."""
    others = [str(v) for name, v in headers.items() if name.lower() not in _NAMES_THE_PERSON]
    bounded = re.compile(rf"(?<![\w.+-]){re.escape(address)}(?![\w.-])", re.IGNORECASE)
    return any(map(bounded.search, [copy.envelope_from, *senders, *others]))
