"""A message for a provider that takes the recipients from its headers, not from an envelope."""

import copy
from email.headerregistry import AddressHeader

from .rewrite import address_header, parsed

_OF_THE_ENVELOPE = ("To", "Cc", "Bcc", "Return-Path")


def addressed(message, to_addrs):
    """Copies of the message that name the recipients, and nobody else: addresses that only readers
    were to see are dropped. Who is not in To or Cc gets a copy of their own, so that nobody sees
    them, whatever a provider makes of a Bcc.

    A provider may give the message an ID of its own. Replies then name ours in their References, so
    that they still find their thread (RFC 5322 3.6.4).

    :param EmailMessage message: stays as it is
    :param to_addrs: the recipients, bare addresses
    :return: yields ``(copy, recipients)``; each recipient is in one copy
    """
    hidden = {address.lower(): address for address in to_addrs}
    seen = {}
    for header in ("To", "Cc"):
        for name, address in _mailboxes(message, header):
            if address.lower() in hidden:
                mailbox = name, hidden.pop(address.lower())
                seen.setdefault(header, []).append(mailbox)
    if seen:
        recipients = [address for mailboxes in seen.values() for _name, address in mailboxes]
        yield _copy(message, seen), recipients
    for address in hidden.values():
        yield _copy(message, {"To": [("", address)]}), [address]


def _mailboxes(message, header):
    """The names and addresses in the headers of this name."""
    for value in message.get_all(header, ()):
        if isinstance(value, AddressHeader):
            # text where the header was made of a list, as Odoo's are
            yield from (parsed(str(mailbox)) for mailbox in value.addresses)


def _copy(message, seen):
    copied = copy.copy(message)
    for header in _OF_THE_ENVELOPE:
        del copied[header]
    for header, mailboxes in seen.items():
        copied[header] = address_header(copied.policy, header, mailboxes)
    message_id, references = str(message["Message-Id"] or ""), str(message["References"] or "")
    if message_id and message_id not in references.split():
        del copied["References"]
        copied["References"] = f"{references} {message_id}".strip()
    return copied
