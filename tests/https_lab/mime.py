"""What an API reads of a message that it is given whole."""

import email
import email.policy
import re


def parse(content):
    return email.message_from_bytes(content, policy=email.policy.default)


def sender_of(message):
    """The address in From, in lower case."""
    return message["From"].addresses[0].addr_spec.lower() if message["From"] else ""


def to_of(message):
    """All whom the headers name: an API has no envelope. Addresses in UTF-8 are read, too."""
    return [
        mailbox.addr_spec.encode(errors="surrogateescape").decode()
        for header in ("To", "Cc", "Bcc")
        for value in message.get_all(header, ())
        for mailbox in value.addresses
    ]


def without(content, names):
    """The message without these headers.

    :param str names: a regular expression
    """
    head, _, body = content.partition(b"\r\n\r\n")
    unwanted = re.compile(rf"(?im)^(?:{names}):.*(?:\r\n[ \t].*)*\r\n".encode())
    return unwanted.sub(b"", head + b"\r\n") + b"\r\n" + body
