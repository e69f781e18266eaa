"""What in a reply are the server's own words.

A server repeats what it was given: addresses, a subject, what another server told it. Strangers
choose such text, so it must not decide about a mailbox. Everything here takes time in proportion to
the length of the text.
"""

import email
import functools
import itertools
import re
import typing
from email.errors import MessageError
from email.header import decode_header, make_header

LONGEST = 1_000
"""Characters of a reply that are read; RFC 5321 4.5.3.1.5 gives a line 512 bytes."""

LONGEST_MAIL = 65_536
"""Bytes of a mail that are looked at."""
MOST_RECIPIENTS = 50
HEADERS = ("Subject", "From", "To", "Cc", "Reply-To", "Message-ID")
_TAG = re.compile(r"<[^<>]*>")
_RELAYED = re.compile(  # "host mx.example said: 550 5.1.1 …", Exim's "Response: 550 …"
    r"\b(said|says|respon\w{1,5}|replie[ds]|reply|answer\w{0,3}|returned|reported)\b"
    r"(:|[ '\"(<\[]{1,3}(?=[245]\d\d[ -]))[^\n]*",
    re.IGNORECASE,
)
_QUOTED_LOCAL_PART = re.compile(r'"[^"\n]*"(?=@)')
_BETWEEN = re.compile(r"([\s<>()\[\],;:\"'=]+)")
_WORD = re.compile(r"[^\W_]+")
_FOLDED = re.compile(r"[ \t\r\n]+")


class OwnWords(typing.NamedTuple):
    """A reply as the rules read it."""

    said: str
    """Without whole addresses, what the mail says and what another server said."""
    sure: str
    """Also without each single word that the mail's addresses or headers have in them."""


class MailText:
    """What of a mail a server could repeat."""

    def __init__(self, addresses=(), headers=(), body=""):
        """
        :param addresses: bare ones
        :param headers: values, decoded: the subject, names, the Message-ID
        :param str body: its text
        """
        self.addresses, self.headers, self._body = tuple(addresses), tuple(headers), body

    @functools.cached_property
    def words(self):
        """Each word of its addresses and headers, in lower case."""
        return _words(self.addresses, self.headers)

    @functools.cached_property
    def domains(self):
        return _domains(self.addresses)

    @functools.cached_property
    def phrases(self):
        """Its headers, as patterns; what is longer no server repeats whole."""
        folded = (_FOLDED.sub(" ", value).strip() for value in self.headers)
        return [
            re.compile(re.escape(value), re.IGNORECASE)
            for value in folded
            if 0 < len(value) <= LONGEST
        ]

    @functools.cached_property
    def pairs(self):
        """Each two words that the body has in a row."""
        return set(itertools.pairwise(word.lower() for word in _WORD.findall(self._body)))


class SentMail:
    """A mail as it is sent. What of it a server could repeat is worked out where one refuses it."""

    def __init__(self, from_addr, to_addrs, content):
        """
        :param bytes content: the mail, as it goes on the wire
        """
        self._from_addr, self._to_addrs, self._content = from_addr, to_addrs, content
        self.recipient = ""
        """Whom the server was asked for last."""

    @functools.cached_property
    def envelope_and_headers(self):
        """:rtype: MailText"""
        return MailText(self._addresses, self._headers)

    @functools.cached_property
    def all_of_it(self):
        """:rtype: MailText"""
        body = "".join(map(_text_of, self._message.walk()))
        return MailText(self._addresses, self._headers, body)

    @property
    def _addresses(self):
        return (self._from_addr, *self._to_addrs[:MOST_RECIPIENTS])

    @functools.cached_property
    def _headers(self):
        values = (self._message.get_all(name, ()) for name in HEADERS)
        return [_decoded(str(value)[:LONGEST]) for value in itertools.chain(*values)]

    @functools.cached_property
    def _message(self):
        return email.message_from_bytes(self._content[:LONGEST_MAIL])


def _text_of(part):
    """The text of a part, without its tags; nothing where it cannot be read."""
    if part.get_content_maintype() != "text":
        return ""
    content, charset = part.get_payload(decode=True), part.get_content_charset("utf-8")
    try:
        return _TAG.sub(" ", content.decode(charset, "replace"))
    except LookupError:  # a character set that there is not
        return ""


def _decoded(value):
    """A header's value without RFC 2047's encoding."""
    try:
        return str(make_header(decode_header(value)))
    except (MessageError, LookupError, ValueError):
        return value


def own_words(text, mail=None, addresses=()):
    """The server's own words of a reply.

    :param str text: the reply, with its lines
    :param MailText mail: what the mail is that it answers
    :param addresses: further ones that the mail has
    :rtype: OwnWords
    """
    mail = mail or MailText()
    text = _RELAYED.sub(r"\1", text[:LONGEST])
    for phrase in mail.phrases:
        text = phrase.sub("", text)
    text = _without_addresses(text, mail.domains | _domains(addresses))
    if mail.pairs:
        text = _without_pairs(text, mail.pairs)
    further = _words(addresses)

    def unless_of_mail(match):
        word = match[0].lower()
        return "" if word in mail.words or word in further else match[0]

    return OwnWords(text, _WORD.sub(unless_of_mail, text))


def _words(*texts):
    return {
        word.lower() for given in itertools.chain(*texts) for word in _WORD.findall(given[:LONGEST])
    }


def _domains(addresses):
    found = (address.rpartition("@")[2].strip(" <>").lower() for address in addresses)
    return {domain for domain in found if "." in domain}


def _without_addresses(text, domains):
    """Whole addresses, of this mail or not, and what names a domain of this mail:
    ``ben=40corp.example``.
    """
    parts = _BETWEEN.split(_QUOTED_LOCAL_PART.sub("", text))
    return "".join(
        "" if "@" in part or _names_any(part.lower(), domains) else part for part in parts
    )


def _names_any(part, domains):
    return "." in part and any(domain in part for domain in domains)


def _without_pairs(text, pairs):
    """Without each two or more words in a row that the body has in a row as well."""
    found = list(_WORD.finditer(text))
    repeated = set()
    for first, second in itertools.pairwise(found):
        if (first[0].lower(), second[0].lower()) in pairs:
            repeated |= {first.span(), second.span()}
    return _WORD.sub(lambda m: "" if m.span() in repeated else m[0], text)
