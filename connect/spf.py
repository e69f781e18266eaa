"""Evaluates SPF records as receivers do (RFC 7208): who may send for a domain. Macros are not
evaluated, since they depend on each message.
"""

import ipaddress
import re
import typing

MOST_LOOKUPS = 10
"""The most terms that may ask the DNS, in all records together (RFC 7208, 4.6.4)."""
MOST_VOID = 2
"""The most terms that may ask the DNS and find nothing."""
MOST_MAIL_HOSTS = 10
RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
WITH_DOMAIN = {"include", "exists", "redirect"}
"""Terms that need a domain."""

_VERSION = re.compile(r"v=spf1(?: |$)", re.IGNORECASE)
_MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9_.-]*)=(?P<value>.*)", re.IGNORECASE)
_MECHANISM = re.compile(
    r"(?P<qualifier>[-+~?]?)(?P<name>all|include|a|mx|ptr|ip4|ip6|exists)(?::(?P<value>.*?))?"
    r"(?:/(?P<length>[0-9]+))?(?://(?P<length6>[0-9]+))?",
    re.IGNORECASE,
)
_MACRO = r"%(?:[%_-]|\{[slodiphcrtv](?:[1-9][0-9]*)?r?[-.+,/_=]*\})"
_MACRO_STRING = re.compile(rf"(?:[!-$&-~]|{_MACRO})*", re.IGNORECASE)
_MACRO_END = re.compile(rf".*{_MACRO}", re.IGNORECASE)
_TOP_LABEL = re.compile(r"(?![0-9]+$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.IGNORECASE)


class Broken(Exception):
    """The record is broken (permerror): for receivers it allows nobody.

    :param str key: ``several``, ``syntax``, ``lookups``, ``void`` or ``included``
    :param str subject: what is wrong: a term, or the domain of an ``include``
    """

    def __init__(self, key, subject=""):
        super().__init__(key, subject)
        self.key = key
        self.subject = subject


class Term(typing.NamedTuple):
    """A term of a record: a mechanism, or the modifier ``redirect``."""

    name: str
    qualifier: str = "+"
    domain: str = ""
    network: typing.Any = None
    length: int = 32
    length6: int = 128


class Sender(typing.NamedTuple):
    """A sender whose right to send is evaluated: an address, or all that the records of these
    domains allow. A sender without either stands for everybody.
    """

    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None = None
    includes: tuple[str, ...] = ()


def find(lookup, domain):
    """The SPF record of a domain, or None.

    :raises Broken: the domain has several
    :raises Unanswered: the DNS did not answer
    """
    found = [text for text in lookup.texts(domain) if _VERSION.match(text)]
    if len(found) > 1:
        raise Broken("several", str(len(found)))
    return found[0] if found else None


def parse(record):
    """The terms of a record in the order in which they are evaluated, ``redirect`` last.

    :rtype: list[Term]
    :raises Broken: a term is wrong
    """
    terms, modifiers = [], {}
    for text in record.split(" ")[1:]:
        modifier = _MODIFIER.fullmatch(text)
        if modifier:
            name, value = modifier["name"].lower(), modifier["value"]
            known = name in ("redirect", "exp")
            if known and (name in modifiers or not _is_domain(value)):
                raise Broken("syntax", text)
            if not _MACRO_STRING.fullmatch(value) and not known:
                raise Broken("syntax", text)
            modifiers[name] = value
        elif text:
            terms.append(_mechanism(text))
    if "redirect" in modifiers and all(term.name != "all" for term in terms):
        terms.append(Term("redirect", domain=modifiers["redirect"]))
    return terms


def _mechanism(text):
    match = _MECHANISM.fullmatch(text)
    if not match:
        raise Broken("syntax", text)
    name, value = match["name"].lower(), match["value"]
    term = Term(name, match["qualifier"] or "+")
    lengths = (match["length"], match["length6"])
    if name in ("ip4", "ip6"):
        return term._replace(network=_network(text, name, value, lengths))
    wants_domain, takes_lengths = name in WITH_DOMAIN, name in ("a", "mx")
    if (
        (wants_domain and not value)
        or (name == "all" and value)
        or (value is not None and not _is_domain(value))
        or (any(lengths) and not takes_lengths)
    ):
        raise Broken("syntax", text)
    return term._replace(
        domain=value or "",
        length=_length(text, lengths[0], 32),
        length6=_length(text, lengths[1], 128),
    )


def _length(text, digits, most):
    if digits is None:
        return most
    if (digits[0] == "0" and digits != "0") or len(digits) > len("128") or int(digits) > most:
        raise Broken("syntax", text)
    return int(digits)


def _network(text, name, value, lengths):
    kind, most = {
        "ip4": (ipaddress.IPv4Address, 32),
        "ip6": (ipaddress.IPv6Address, 128),
    }[name]
    try:
        address = kind(value or "")
    except ValueError as exc:
        raise Broken("syntax", text) from exc
    if lengths[1] is not None or getattr(address, "scope_id", None):
        raise Broken("syntax", text)
    return ipaddress.ip_network((address, _length(text, lengths[0], most)), strict=False)


def _is_domain(value):
    if not _MACRO_STRING.fullmatch(value):
        return False
    if _MACRO_END.fullmatch(value):
        return True
    _rest, dot, label = value.removesuffix(".").rpartition(".")
    return bool(dot and _TOP_LABEL.fullmatch(label))


class Evaluation:
    """Evaluates for one sender the record of a domain.

    ``lookups`` counts the terms that asked the DNS. ``uncertain`` says that terms were skipped
    which depend on the message: then a ``pass`` is certain, and other results are not.
    """

    def __init__(self, lookup, sender):
        self._lookup = lookup
        self._sender = sender
        self._void = 0
        self.lookups = 0
        self.uncertain = False

    def result(self, domain):
        """The result for the sender: ``none``, ``neutral``, ``pass``, ``fail`` or ``softfail``.

        :raises Broken: SPF's permerror
        :raises Unanswered: SPF's temperror
        """
        record = find(self._lookup, domain)
        if record is None:
            return "none"
        for term in parse(record):
            if term.name == "redirect":
                return self._redirect(term)
            if self._matches(term, domain):
                return RESULTS[term.qualifier]
        return "neutral"

    def _redirect(self, term):
        self._count()
        if "%" in term.domain:
            self.uncertain = True
            return "neutral"
        return self._included(term.domain)

    def _included(self, domain):
        result = self.result(domain)
        if result == "none":
            raise Broken("included", domain)
        return result

    def _matches(self, term, domain):
        if term.name == "all":
            return True
        if term.network:
            return self._is_in(term.network)
        self._count()
        target = term.domain or domain
        if "%" in target or (term.name == "ptr" and self._sender.address):
            self.uncertain = True
            return False
        if term.name == "include":
            named = target.lower().rstrip(".") in self._sender.includes
            return self._included(target) == "pass" or named
        if term.name == "exists":
            return bool(self._addresses(target, 4))
        return bool(self._sender.address) and self._is_host(term, target)

    def _is_in(self, network):
        return self._sender.address is not None and self._sender.address in network

    def _is_host(self, term, target):
        address = self._sender.address
        length = {4: term.length, 6: term.length6}[address.version]
        if term.name == "a":
            found = self._addresses(target, address.version)
        else:
            found = [
                found
                for host in self._mail_hosts(target)
                for found in self._lookup.addresses(host, address.version)
            ]
        return any(
            self._is_in(ipaddress.ip_network((host_address, length), strict=False))
            for host_address in found
        )

    def _addresses(self, host, version):
        return self._not_void(self._lookup.addresses(host, version))

    def _mail_hosts(self, domain):
        hosts = self._not_void(self._lookup.mail_hosts(domain))
        if len(hosts) > MOST_MAIL_HOSTS:
            raise Broken("lookups")
        return hosts

    def _count(self):
        if self.lookups == MOST_LOOKUPS:
            raise Broken("lookups")
        self.lookups += 1

    def _not_void(self, found):
        if not found:
            self._void += 1
            if self._void > MOST_VOID:
                raise Broken("void")
        return found


def with_mechanism(record, mechanism):
    """Add a mechanism to a record, before ``all`` and the modifiers, where it has an effect."""
    terms = record.split()
    ends = (
        index
        for index, text in enumerate(terms[1:], start=1)
        if _MODIFIER.fullmatch(text) or text.lstrip("-+~?").lower() == "all"
    )
    terms.insert(next(ends, len(terms)), mechanism)
    return " ".join(terms)
