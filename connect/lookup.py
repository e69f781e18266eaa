"""Asks the DNS, with one deadline for all questions."""

import ipaddress
import time

import dns.exception
import dns.name
import dns.resolver

LONGEST_QUESTION = 3.0
"""Seconds for one answer. A dead name server must not use up the time of the other questions."""


class Unanswered(Exception):
    """The DNS did not answer in time, or answered with an error."""


class Lookup:
    """Asks the DNS, each question only once.

    :param float seconds: the time for all questions together
    :param dns.resolver.Resolver resolver: None: as this machine is configured
    """

    def __init__(self, seconds, resolver=None):
        self._until = time.monotonic() + seconds
        self._resolver = resolver
        self._known = {}

    def records(self, name, kind):
        """The records of a name; an empty list if there are none, or if the name is not valid.

        :param str kind: the type of the records, such as ``TXT``
        :raises Unanswered: the DNS did not answer, or the time is up
        """
        question = (name.lower().rstrip("."), kind)
        if question not in self._known:
            self._known[question] = self._ask(*question)
        return self._known[question]

    def _ask(self, name, kind):
        try:
            name = dns.name.from_text(name)
        except (dns.exception.DNSException, UnicodeError):
            return []
        left = self._until - time.monotonic()  # if negative, the resolver times out at once
        try:
            resolver = self._resolver or dns.resolver.get_default_resolver()
            return list(resolver.resolve(name, kind, lifetime=min(left, LONGEST_QUESTION)))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError) as exc:
            raise Unanswered from exc

    def texts(self, name):
        """The TXT records of a name as text. Characters outside ASCII become U+FFFD.

        :raises Unanswered: as for ``records``
        """
        records = self.records(name, "TXT")
        return [b"".join(record.strings).decode("ascii", "replace") for record in records]

    def mail_hosts(self, name):
        """The hosts that receive a domain's mail (MX), in order of preference. A null MX is ``""``.

        :raises Unanswered: as for ``records``
        """
        records = sorted(self.records(name, "MX"), key=lambda record: record.preference)
        return [str(record.exchange).rstrip(".").lower() for record in records]

    def addresses(self, name, *versions):
        """The IP addresses of a host.

        :param int versions: 4, 6 or both
        :raises Unanswered: as for ``records``
        """
        return [
            ipaddress.ip_address(record.address)
            for version in versions
            for record in self.records(name, {4: "A", 6: "AAAA"}[version])
        ]
