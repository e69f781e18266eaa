"""Checks the DNS of a sending domain: who receives its mail (MX), who may send for it (SPF), how
its mail is signed (DKIM), and what receivers do with mail that fails both (DMARC, RFC 9989).
"""

import enum
import ipaddress
import re
import typing

from ..providers import is_within, known_at
from . import spf
from .detection import password_services
from .lookup import Lookup, Unanswered

PATIENCE = 6.0
"""Seconds that all questions to the DNS may take together."""
MOST_LABELS = 8
"""Longer names are shortened before their parents are asked for a policy (RFC 9989, 4.10)."""
MOST_HOSTS = 3
"""The most receiving hosts that are listed."""
POLICIES = ("none", "quarantine", "reject")
LONGEST_SUBJECT = 80
"""Characters that are shown of a broken record."""


class Status(enum.Enum):
    """The status of a finding, from the best to the worst."""

    GOOD = "good"
    UNKNOWN = "unknown"
    WARNING = "warning"
    BAD = "bad"

    @property
    def is_known(self):
        """Whether the DNS answered, so that the status is certain."""
        return self is not Status.UNKNOWN


class Record(typing.NamedTuple):
    """A DNS record to add. The value is empty if only the service knows it."""

    name: str
    type: str
    value: str = ""


class Finding(typing.NamedTuple):
    """The result of one check."""

    kind: str
    """``mx``, ``spf``, ``dkim``, ``dmarc``, or ``provider`` for a domain of the provider's own."""
    status: Status
    key: str
    """What was found. The caller has a sentence for it, into which it puts ``facts``."""
    facts: dict[str, str] = {}
    record: Record | None = None
    """What to add, or to replace the present record with."""


def check(domain, smtp_host, services=None, resolver=None, seconds=PATIENCE):
    """Check the DNS of a domain whose mail a host sends. If the DNS doesn't answer, the finding is
    *unknown*.

    :param services: the ``Service`` records whose own domains need no check; by default those that
        take a password
    :param dns.resolver.Resolver resolver: None: as this machine is configured
    :param float seconds: the longest that it may take
    :rtype: list[Finding]
    """
    domain, smtp_host = domain.strip().lower().rstrip("."), smtp_host.strip().lower().rstrip(".")
    for service in password_services() if services is None else services:
        if domain in service.domains:
            return [_provider(service, smtp_host)]
    lookup = Lookup(seconds, resolver)
    findings = {
        kind: _checked(kind, look, lookup, domain, smtp_host)
        for kind, look in (("mx", _mx), ("spf", _spf), ("dkim", _dkim), ("dmarc", _dmarc))
    }
    policy = findings["dmarc"].facts.get("policy", "none")
    if policy != "none" and not any(_may_prove(findings[kind]) for kind in ("spf", "dkim")):
        findings["dmarc"] = findings["dmarc"]._replace(status=Status.BAD, key=f"strict_{policy}")
    return list(findings.values())


def _may_prove(finding):
    """Whether SPF or DKIM may prove to receivers that the mail comes from the domain."""
    return finding.status in (Status.GOOD, Status.UNKNOWN) or finding.key == "open"


def _checked(kind, look, *args):
    try:
        status, key, *more = look(*args)
    except Unanswered:
        status, key, more = Status.UNKNOWN, "unanswered", ()
    return Finding(kind, status, key, *more)


def _provider(service, smtp_host):
    """The finding for a domain of a service's own: only the service's own hosts may send for it."""
    own = (service.smtp_host, *service.domains, *service.mail_hosts)
    sender, _server = known_at(smtp_host)
    if any(is_within(smtp_host, host) for host in own) or (
        sender and sender == known_at(service.smtp_host)[0]
    ):
        return Finding("provider", Status.GOOD, "own_host", {"service": service.name})
    return Finding("provider", Status.BAD, "foreign_host", {"service": service.name})


SPF_FINDINGS = {
    "none": (Status.WARNING, "none"),
    "nobody": (Status.UNKNOWN, "no_address"),
    "everybody": (Status.WARNING, "open"),
    "uncertain": (Status.UNKNOWN, "macros"),
    "pass": (Status.GOOD, "allowed"),
    "softfail": (Status.WARNING, "not_named"),
    "fail": (Status.BAD, "forbidden"),
}
SPF_ADVICE = {"none", "not_named", "forbidden", "other_host"}

# Each of these functions returns the arguments of its finding, without the kind.


def _mx(lookup, domain, _smtp_host):
    hosts = lookup.mail_hosts(domain)
    if any(hosts):
        return Status.GOOD, "receives", {"hosts": ", ".join(hosts[:MOST_HOSTS])}
    if hosts:
        return Status.BAD, "null"
    if lookup.addresses(domain, 4, 6):
        return Status.WARNING, "implicit"
    return Status.BAD, "none"


def _spf(lookup, domain, smtp_host):
    provider, server = known_at(smtp_host)
    includes = server.spf_includes if server else ()
    facts = {"service": provider.name if provider else smtp_host}
    senders, mechanism = _senders(lookup, smtp_host, includes)
    try:
        record = spf.find(lookup, domain)
        result = _spf_result(lookup, domain, senders) if record else "none"
    except spf.Broken as exc:
        return Status.BAD, exc.key, facts | {"subject": _shown(exc.subject)}
    status, key = SPF_FINDINGS[result]
    if key in ("not_named", "forbidden") and not includes:
        status, key = Status.WARNING, "other_host"  # it may send from other addresses than its own
    if key not in SPF_ADVICE or not mechanism:
        return status, key, facts
    wanted = spf.with_mechanism(record or "v=spf1 ~all", mechanism)
    return status, key, facts, Record(domain, "TXT", wanted)


def _senders(lookup, smtp_host, includes):
    """The senders that SPF must allow, as receivers see them, and the mechanism to add for them."""
    if includes:
        return [spf.Sender(includes=includes)], f"include:{includes[0]}"
    try:
        addresses = [ipaddress.ip_address(smtp_host)]
    except ValueError:
        addresses = lookup.addresses(smtp_host, 4, 6)
        mechanism = "." in smtp_host and f"a:{smtp_host}"
    else:
        mechanism = f"ip{addresses[0].version}:{smtp_host}"
    senders = [spf.Sender(address) for address in addresses if address.is_global]
    return senders, senders and mechanism


def _shown(text):
    """A text from the DNS, made safe to store and to show."""
    shown = (char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return "".join(shown)[:LONGEST_SUBJECT]


def _spf_result(lookup, domain, senders):
    """A key of ``SPF_FINDINGS``."""
    if spf.Evaluation(lookup, spf.Sender()).result(domain) == "pass":
        return "everybody"
    evaluations = [spf.Evaluation(lookup, sender) for sender in senders]
    results = [evaluation.result(domain) for evaluation in evaluations]
    if "pass" in results or not results:
        return "pass" if results else "nobody"
    if any(evaluation.uncertain for evaluation in evaluations):
        return "uncertain"
    return "fail" if "fail" in results else "softfail"


def _dkim(lookup, domain, smtp_host):
    provider, _server = known_at(smtp_host)
    if not provider or not provider.dkim_keys:
        return Status.UNKNOWN, "no_selector", {"service": provider.name if provider else smtp_host}
    facts, withdrawn = {"service": provider.name}, ""
    for selector in provider.dkim_keys:
        for text in lookup.texts(f"{selector}._domainkey.{domain}"):
            key = _tags(text).get("p")
            if key:
                return Status.GOOD, "found", facts | {"selector": selector}
            withdrawn = withdrawn or (selector if key == "" else "")
    selector, alias = next(iter(provider.dkim_keys.items()))
    name, value = f"{selector}._domainkey.{domain}", alias.format(domain=domain)
    record = Record(name, provider.dkim_type, value)
    if withdrawn:
        return Status.BAD, "withdrawn", facts | {"selector": withdrawn}, record
    return Status.WARNING, "none", facts, record


def _dmarc(lookup, domain, _smtp_host):
    found = _dmarc_records(lookup, domain)
    tags = _tags(found[0]) if len(found) == 1 else {}
    at, wanted = domain, ("p",)
    if not found:
        at, tags = _inherited_dmarc(lookup, domain)
        wanted = ("sp", "p")
    facts, own = {"at": at}, f"_dmarc.{domain}"
    if len(found) > 1:
        return Status.BAD, "several", facts | {"count": str(len(found))}
    if not tags:
        value = f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}"
        return Status.WARNING, "none", facts, Record(own, "TXT", value)
    policy = next((tags[tag].lower() for tag in wanted if tag in tags), "")
    if policy not in POLICIES:
        return Status.BAD, "invalid", facts
    return Status.GOOD, f"policy_{policy}", facts | {"policy": policy}


def _dmarc_records(lookup, domain):
    texts = lookup.texts(f"_dmarc.{domain}")
    return [text for text in texts if re.match(r"v\s*=\s*DMARC1\s*(?:;|$)", text)]


def _inherited_dmarc(lookup, domain):
    """Look for a DMARC policy at the domain's parents, up to the organisation's own domain (RFC
    9989, 4.10, which needs no list of public suffixes).

    :return: the domain with the policy, and its tags; no tags if there is no policy
    """
    labels = domain.split(".")
    found = domain, {}
    for count in range(min(len(labels), MOST_LABELS) - 1, 0, -1):
        parent = ".".join(labels[-count:])
        records = _dmarc_records(lookup, parent)
        if len(records) == 1:
            tags = _tags(records[0])
            ends = tags.get("psd", "").lower()
            if ends != "y" or not found[1]:
                found = parent, tags
            if ends in ("y", "n"):
                break
    return found


def _tags(text):
    """The tags of a DKIM or DMARC record: ``{name: value}``."""
    tags = (tag.partition("=") for tag in text.split(";"))
    return {name.strip().lower(): value.strip() for name, equals, value in tags if equals}
