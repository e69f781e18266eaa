"""Find the server's own words in its reply.

A server may quote in its reply what it was given: addresses, a subject, the reply of another
server. Strangers can choose such text, so the rules must not read it as the server's. Every
function here takes time in proportion to the length of the text.
"""

import email
import functools
import itertools
import re
import typing
from email.errors import MessageError
from email.header import decode_header, make_header

LONGEST = 1_000
"""So many characters of a reply are read. A line has at most 512 bytes (RFC 5321 4.5.3.1.5)."""

LONGEST_MAIL = 65_536
"""So many bytes of a mail are read."""
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
    """A reply without what it quotes, in two degrees."""

    without_quotes: str
    """Without addresses, passages of the mail, and replies of other servers."""
    without_mail_words: str
    """Also without each word that occurs in the mail's addresses or headers."""
    whole: str = ""
    """With all that it repeats, but for the addresses of others than the sender."""
    proves_code: bool = True
    """Whether the enhanced code is surely the server's: the mail's addresses and headers have none
    like it."""


class MailText:
    """The parts of a mail that a server could quote."""

    def __init__(self, addresses=(), headers=(), body="", sender=""):
        """
        :param addresses: without names: ``ben@corp.example``
        :param headers: decoded values: the subject, names, the Message-ID
        :param str body: the text of the mail
        :param str sender: the address, one of ``addresses``, that it is sent from
        """
        self.addresses, self.headers, self._body = tuple(addresses), tuple(headers), body
        self.sender = sender.lower()

    @functools.cached_property
    def words(self):
        """The words of its addresses and headers, in lower case."""
        return _words(self.addresses, self.headers)

    @functools.cached_property
    def domains(self):
        return _domains(self.addresses)

    @functools.cached_property
    def phrases(self):
        """Patterns for its headers. No reply is long enough to quote a longer one whole."""
        folded = (_FOLDED.sub(" ", value).strip() for value in self.headers)
        return [
            re.compile(re.escape(value), re.IGNORECASE)
            for value in folded
            if 0 < len(value) <= LONGEST
        ]

    @functools.cached_property
    def pairs(self):
        """The pairs of words that follow each other in the body, in lower case."""
        return set(itertools.pairwise(word.lower() for word in _WORD.findall(self._body)))


class SentMail:
    """A mail that is being sent. It is read only if a server refuses it."""

    recipient = ""
    """The recipient of the last RCPT command."""

    def __init__(self, from_addr, to_addrs, content):
        """
        :param bytes content: the mail, as it goes on the wire
        """
        self._from_addr, self._to_addrs, self._content = from_addr, to_addrs, content

    @functools.cached_property
    def envelope_and_headers(self):
        """:rtype: MailText"""
        return MailText(self._addresses, self._headers, sender=self._from_addr)

    @functools.cached_property
    def all_of_it(self):
        """:rtype: MailText"""
        body = "".join(map(_text_of, self._message.walk()))
        return MailText(self._addresses, self._headers, body, self._from_addr)

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
    """The text of a part, without HTML tags; "" if it is no text or cannot be read."""
    if part.get_content_maintype() != "text":
        return ""
    content, charset = part.get_payload(decode=True), part.get_content_charset("utf-8")
    try:
        return _TAG.sub(" ", content.decode(charset, "replace"))
    except LookupError:  # an unknown character set
        return ""


def _decoded(value):
    """The value of a header, decoded (RFC 2047); as it is, if that fails."""
    try:
        return str(make_header(decode_header(value)))
    except (MessageError, LookupError, ValueError):
        return value


def own_words(text, mail=None, addresses=()):
    """Remove from a reply what may be quoted in it.

    :param str text: the reply, with its line breaks
    :param MailText mail: the mail that the server answers; None if there is none
    :param addresses: further addresses of that mail
    :rtype: OwnWords
    """
    mail = mail or MailText()
    domains = mail.domains | _domains(addresses)
    text = text[:LONGEST]
    whole = _without_addresses(text, domains, mail.sender, links=True)
    text = _RELAYED.sub(r"\1", text)
    for phrase in mail.phrases:
        text = phrase.sub("", text)
    text = _without_addresses(text, domains)
    if mail.pairs:
        text = _without_pairs(text, mail.pairs)
    further = _words(addresses)

    def unless_of_mail(match):
        word = match[0].lower()
        return "" if word in mail.words or word in further else match[0]

    return OwnWords(text, _WORD.sub(unless_of_mail, text), whole)


def _words(*texts):
    return {
        word.lower() for given in itertools.chain(*texts) for word in _WORD.findall(given[:LONGEST])
    }


def _domains(addresses):
    found = (address.rpartition("@")[2].strip(" <>").lower() for address in addresses)
    return {domain for domain in found if "." in domain}


def _without_addresses(text, domains, kept="", *, links=False):
    """Remove all addresses but one, also those of other mails, and each word that contains one of
    the domains, such as ``ben=40corp.example``.

    :param bool links: keep those, also to a page of one of the domains
    """

    def is_address(part):
        if part == kept or (links and part.startswith("//") and "@" not in part):
            return False
        return "@" in part or ("." in part and any(domain in part for domain in domains))

    parts = _BETWEEN.split(_QUOTED_LOCAL_PART.sub("", text))
    return "".join("" if is_address(part.lower()) else part for part in parts)


def _without_pairs(text, pairs):
    """Remove all words that follow each other in the body of the mail, too."""
    found = list(_WORD.finditer(text))
    repeated = set()
    for first, second in itertools.pairwise(found):
        if (first[0].lower(), second[0].lower()) in pairs:
            repeated |= {first.span(), second.span()}
    return _WORD.sub(lambda m: "" if m.span() in repeated else m[0], text)
