import ipaddress
import time

import dns.resolver
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ..connect import spf
from ..connect.domain import Record, Status, check
from ..connect.lookup import Lookup
from ..models.domain.system_mail_domain_finding import TEXTS
from .dns_lab import DnsLab

DOMAIN = "company.test"
HOST = "smtp.company.test"
GOOGLE = "smtp.gmail.com"
OUTSIDE = "9.9.9.9"
"""An address that counts as public; nothing is ever sent there."""


@pytest.fixture
def dns_lab():
    with DnsLab() as lab:
        lab.publish(HOST, "A", OUTSIDE)
        lab.publish_text("_spf.google.com", "v=spf1 ip4:8.8.8.0/24 ~all")
        yield lab


def finding(lab, kind, host=HOST, domain=DOMAIN, **options):
    """What the check says of one thing."""
    options = {"resolver": lab.resolver, "seconds": 5, **options}
    findings = {finding.kind: finding for finding in check(domain, host, **options)}
    for found in findings.values():
        assert_there_are_words(found, domain, host)
    return findings[kind]


def assert_there_are_words(found, domain, host):
    if found.key != "unanswered":
        sentence = str(TEXTS[found.kind, found.key]) % {
            "domain": domain,
            "host": host,
            **found.facts,
        }
        assert sentence.endswith(".")


def outcome(*args, **options):
    found = finding(*args, **options)
    return found.status, found.key


# --- all of it


def test_a_domain_in_order(dns_lab):
    dns_lab.publish(DOMAIN, "MX", "20 mx2.company.test.", "10 mx1.company.test.")
    dns_lab.publish_text(DOMAIN, "verification=1", "v=spf1 include:_spf.google.com ~all")
    dns_lab.publish_text(f"google._domainkey.{DOMAIN}", "v=DKIM1; k=rsa; p=MIIB")
    dns_lab.publish_text(f"_dmarc.{DOMAIN}", "v=DMARC1; p=reject")
    findings = check("Company.Test.", "SMTP.gmail.com", resolver=dns_lab.resolver)
    assert [(f.kind, f.status, f.key) for f in findings] == [
        ("mx", Status.GOOD, "receives"),
        ("spf", Status.GOOD, "allowed"),
        ("dkim", Status.GOOD, "found"),
        ("dmarc", Status.GOOD, "policy_reject"),
    ]
    assert findings[0].facts == {"hosts": "mx1.company.test, mx2.company.test"}
    assert not any(f.record for f in findings)


def test_an_empty_domain_and_what_to_add(dns_lab):
    findings = check(DOMAIN, GOOGLE, resolver=dns_lab.resolver)
    assert [(f.kind, f.status, f.key, f.record) for f in findings] == [
        ("mx", Status.BAD, "none", None),
        (
            "spf",
            Status.WARNING,
            "none",
            Record(DOMAIN, "TXT", "v=spf1 include:_spf.google.com ~all"),
        ),
        ("dkim", Status.WARNING, "none", Record(f"google._domainkey.{DOMAIN}", "TXT")),
        (
            "dmarc",
            Status.WARNING,
            "none",
            Record(f"_dmarc.{DOMAIN}", "TXT", f"v=DMARC1; p=none; rua=mailto:postmaster@{DOMAIN}"),
        ),
    ]


@pytest.mark.parametrize("silent", [False, True])
def test_no_dns_is_no_finding(dns_lab, silent):
    dns_lab.fail(".", silent=silent)
    start = time.monotonic()
    findings = check(DOMAIN, HOST, resolver=dns_lab.resolver, seconds=1)
    assert time.monotonic() - start < 2
    kinds = {f.kind for f in findings if (f.status, f.key) == (Status.UNKNOWN, "unanswered")}
    assert kinds >= {"mx", "spf", "dmarc"}
    assert finding(dns_lab, "dkim", GOOGLE, seconds=0.2).key == "unanswered"


def test_when_the_time_is_up_nothing_more_is_asked(dns_lab):
    findings = check(DOMAIN, GOOGLE, resolver=dns_lab.resolver, seconds=0)
    assert {f.key for f in findings} == {"unanswered"}
    assert not dns_lab.questions


def test_a_machine_without_a_resolver():
    nobody = dns.resolver.Resolver(configure=False)
    assert {f.status for f in check(DOMAIN, HOST, resolver=nobody)} == {Status.UNKNOWN}


def test_one_name_without_an_answer_spoils_only_its_own_finding(dns_lab):
    dns_lab.publish_text(DOMAIN, "v=spf1 include:slow.test -all")
    dns_lab.fail("slow.test")
    dns_lab.publish(DOMAIN, "MX", "10 mx.company.test.")
    assert outcome(dns_lab, "spf") == (Status.UNKNOWN, "unanswered")
    assert outcome(dns_lab, "mx") == (Status.GOOD, "receives")


@pytest.mark.parametrize(
    "domain", ["", ".", "a..b", "x" * 64, f"{'x.' * 130}test", "xn--zz\\.test"]
)
def test_what_is_no_domain_has_no_records(dns_lab, domain):
    assert outcome(dns_lab, "mx", domain=domain)[0] is not Status.GOOD
    assert outcome(dns_lab, "spf", domain=domain)[0] is not Status.GOOD


@pytest.mark.parametrize(
    ("domain", "host", "expected"),
    [
        ("icloud.com", "smtp.mail.me.com", (Status.GOOD, "own_host")),
        ("gmx.de", "mail.gmx.net", (Status.GOOD, "own_host")),
        ("fastmail.com", "smtp.messagingengine.com", (Status.GOOD, "own_host")),
        ("icloud.com", "smtp.company.test", (Status.BAD, "foreign_host")),
        ("gmx.de", "smtp.gmail.com", (Status.BAD, "foreign_host")),
    ],
)
def test_a_providers_own_domain_has_nothing_to_add(dns_lab, domain, host, expected):
    assert outcome(dns_lab, "provider", domain=domain, host=host) == expected
    assert not dns_lab.questions


# --- MX


def test_mx(dns_lab):
    assert outcome(dns_lab, "mx") == (Status.BAD, "none")
    dns_lab.publish(DOMAIN, "AAAA", "2620:fe::9")
    assert outcome(dns_lab, "mx") == (Status.WARNING, "implicit")
    dns_lab.publish(DOMAIN, "MX", "0 .")
    assert outcome(dns_lab, "mx") == (Status.BAD, "null")


# --- SPF

INCLUDES = [f"i{count}.test" for count in range(12)]
CASES = [
    # what the records say, what is found for Google and for a host of one's own
    ("v=spf1 include:_spf.google.com ~all", "allowed", "other_host"),
    ("v=spf1 include:_SPF.Google.com. -all", "allowed", "other_host"),
    ("v=spf1 include:nested.test -all", "allowed", "other_host"),
    ("v=spf1 redirect=nested.test", "allowed", "other_host"),
    ("v=spf1 ?include:_spf.google.com -all", "not_named", "other_host"),
    ("v=spf1 -include:_spf.google.com ~all", "forbidden", "other_host"),
    ("v=spf1 ip4:9.9.9.0/24 -all include:_spf.google.com", "forbidden", "allowed"),
    ("v=spf1 ip4:9.9.9.9 ~all", "not_named", "allowed"),
    ("v=spf1 -ip4:9.9.9.9 ip4:9.9.9.0/24 ~all", "not_named", "other_host"),
    ("v=spf1 ip6:2620:fe::/48 ?all", "not_named", "other_host"),
    ("v=spf1 a:smtp.company.test -all", "forbidden", "allowed"),
    ("v=spf1 a:other.test/24 -all", "forbidden", "allowed"),
    ("v=spf1 a:other.test -all", "forbidden", "other_host"),
    ("v=spf1 mx -all", "forbidden", "allowed"),
    ("v=spf1 exists:other.test -all", "open", "open"),
    ("v=spf1", "not_named", "other_host"),
    ("V=SPF1   MX   ~ALL ", "not_named", "allowed"),
    ("v=spf1 redirect=unknown.test", "included", "included"),
    ("v=spf1 include:unknown.test ~all", "included", "included"),
    ("v=spf1 +all", "open", "open"),
    ("v=spf1 include:open.test -all", "open", "open"),
    ("v=spf1 include:%{d}.spf.test -all", "macros", "macros"),
    ("v=spf1 include:%{d}.spf.test include:_spf.google.com -all", "allowed", "macros"),
    ("v=spf1 redirect=%{d}.spf.test", "macros", "macros"),
    ("v=spf1 ptr -all", "forbidden", "macros"),
    ("v=spf1 include:loop.test -all", "lookups", "lookups"),
    (f"v=spf1 {' '.join(f'include:{name}' for name in INCLUDES)} -all", "lookups", "lookups"),
    (
        f"v=spf1 {' '.join(f'include:{name}' for name in INCLUDES[:10])} -all",
        "forbidden",
        "other_host",
    ),
    ("v=spf1 a:v1.test a:v2.test a:v3.test -all", "forbidden", "void"),
    ("v=spf1 mx:many.test -all", "forbidden", "lookups"),
    ("v=spf1 ip4:9.9.9.300 -all", "syntax", "syntax"),
    ("v=spf1 ip4:9.9.9.9/33 -all", "syntax", "syntax"),
    ("v=spf1 ip6:9.9.9.9 -all", "syntax", "syntax"),
    ("v=spf1 a:/24 -all", "syntax", "syntax"),
    ("v=spf1 include: -all", "syntax", "syntax"),
    ("v=spf1 include:localhost -all", "syntax", "syntax"),
    ("v=spf1 all:x.test", "syntax", "syntax"),
    ("v=spf1 includes:x.test -all", "syntax", "syntax"),
    ("v=spf1 mx\t-all", "syntax", "syntax"),
    ("v=spf1 redirect=a.test redirect=b.test", "syntax", "syntax"),
    ("v=spf1 mx é -all", "syntax", "syntax"),
    ("v=spf1 a:%{x}.test -all", "syntax", "syntax"),
    ("v=spf10 mx -all", "none", "none"),
]


@pytest.mark.parametrize(("record", "of_google", "of_own_host"), CASES)
def test_spf(dns_lab, record, of_google, of_own_host):
    dns_lab.publish_text(DOMAIN, record)
    dns_lab.publish(DOMAIN, "MX", "10 smtp.company.test.")
    dns_lab.publish("other.test", "A", "9.9.9.1")
    dns_lab.publish("many.test", "MX", *(f"{count} {count}.test." for count in range(11)))
    dns_lab.publish_text("nested.test", "v=spf1 include:_spf.google.com ~all")
    dns_lab.publish_text("open.test", "v=spf1 +all")
    dns_lab.publish_text("loop.test", "v=spf1 include:loop.test -all")
    for name in INCLUDES:
        dns_lab.publish_text(name, "v=spf1 ip4:8.8.8.8 -all")
    assert finding(dns_lab, "spf", GOOGLE).key == of_google
    assert finding(dns_lab, "spf", HOST).key == of_own_host


def test_two_spf_records_count_for_none(dns_lab):
    dns_lab.publish_text(DOMAIN, "v=spf1 include:_spf.google.com ~all", "v=spf1 mx -all")
    found = finding(dns_lab, "spf", GOOGLE)
    assert (found.status, found.key, found.facts["subject"]) == (Status.BAD, "several", "2")


def test_what_cannot_be_read_is_shown_without_harm(dns_lab):
    dns_lab.publish_text(DOMAIN, b"v=spf1 \x00\x1b[31m\xff" + b"x" * 500)
    found = finding(dns_lab, "spf")
    assert found.facts["subject"] == f"�� [31m�{'x' * 500}".replace(" ", "")[:80]


@pytest.mark.parametrize(
    ("record", "host", "status", "wanted"),
    [
        (
            "v=spf1 mx -all",
            GOOGLE,
            Status.BAD,
            "v=spf1 mx include:_spf.google.com -all",
        ),
        (
            "v=spf1  a ~all exp=why.test",
            "smtp.office365.com",
            Status.WARNING,
            "v=spf1 a include:spf.protection.outlook.com ~all exp=why.test",
        ),
        (
            "v=spf1 redirect=other.test",
            GOOGLE,
            Status.WARNING,
            "v=spf1 include:_spf.google.com redirect=other.test",
        ),
        ("v=spf1", HOST, Status.WARNING, "v=spf1 a:smtp.company.test"),
        ("v=spf1 -all", HOST, Status.WARNING, "v=spf1 a:smtp.company.test -all"),
        ("v=spf1 -all", OUTSIDE, Status.WARNING, "v=spf1 ip4:9.9.9.9 -all"),
        ("v=spf1 -all", "2620:fe::9", Status.WARNING, "v=spf1 ip6:2620:fe::9 -all"),
    ],
)
def test_what_to_put_in_the_place_of_a_record(dns_lab, record, host, status, wanted):
    for name in ("other.test", "spf.protection.outlook.com"):
        dns_lab.publish_text(name, "v=spf1 ip4:8.8.8.8 ~all")
    dns_lab.publish_text(DOMAIN, record)
    dns_lab.publish(DOMAIN, "A", "9.9.9.1")
    found = finding(dns_lab, "spf", host)
    assert (found.status, found.record) == (status, Record(DOMAIN, "TXT", wanted))
    dns_lab.publish_text(DOMAIN, wanted)
    assert outcome(dns_lab, "spf", host) == (Status.GOOD, "allowed"), "the advice works"


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "gone.test"])
def test_a_host_whose_outside_address_is_not_known(dns_lab, host):
    assert outcome(dns_lab, "spf", host) == (Status.WARNING, "none")
    assert finding(dns_lab, "spf", host).record is None, "nothing can be advised"
    dns_lab.publish_text(DOMAIN, "v=spf1 ip4:8.8.8.8 -all")
    assert outcome(dns_lab, "spf", host) == (Status.UNKNOWN, "no_address")
    dns_lab.publish_text(DOMAIN, "v=spf1 ip4:8.8.8 -all")
    assert outcome(dns_lab, "spf", host) == (Status.BAD, "syntax")


def test_a_short_name_of_a_host_is_no_advice(dns_lab):
    dns_lab.publish("mailhost", "A", OUTSIDE)
    dns_lab.publish_text(DOMAIN, "v=spf1 mx -all")
    found = finding(dns_lab, "spf", "mailhost")
    assert (found.key, found.record) == ("other_host", None)


# --- DKIM


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["v=DKIM1; k=rsa; p=MIIB"], (Status.GOOD, "found")),
        (["p=MIIB"], (Status.GOOD, "found")),
        (["v=DKIM1; p="], (Status.BAD, "withdrawn")),
        (["something else"], (Status.WARNING, "none")),
        ([], (Status.WARNING, "none")),
    ],
)
def test_dkim(dns_lab, texts, expected):
    if texts:
        dns_lab.publish_text("key.onmicrosoft.test", *texts)
        dns_lab.publish(f"selector2._domainkey.{DOMAIN}", "CNAME", "key.onmicrosoft.test.")
    assert outcome(dns_lab, "dkim", "smtp.office365.com") == expected


def test_where_a_key_is_to_point_is_said_where_it_is_known(dns_lab):
    record = finding(dns_lab, "dkim", "smtp.fastmail.com").record
    name, target = f"fm1._domainkey.{DOMAIN}", f"fm1.{DOMAIN}.dkim.fmhosted.com"
    assert record == Record(name, "CNAME", target)


def test_an_unknown_selector_is_not_checked(dns_lab):
    assert outcome(dns_lab, "dkim", HOST) == (Status.UNKNOWN, "no_selector")
    assert outcome(dns_lab, "dkim", "mail.infomaniak.com") == (Status.UNKNOWN, "no_selector")


# --- DMARC


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["v=DMARC1; p=none"], (Status.GOOD, "policy_none")),
        (["v = DMARC1 ;p = None ; rua=mailto:x@x.test"], (Status.GOOD, "policy_none")),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], (Status.BAD, "several")),
        (["v=DMARC1; p=none", "unrelated"], (Status.GOOD, "policy_none")),
        (["v=DMARC1; p=maybe"], (Status.BAD, "invalid")),
        (["v=DMARC1"], (Status.BAD, "invalid")),
        (["v=DMARC2; p=none"], (Status.WARNING, "none")),
        (["p=none; v=DMARC1"], (Status.WARNING, "none")),
    ],
)
def test_dmarc(dns_lab, texts, expected):
    dns_lab.publish_text(f"_dmarc.{DOMAIN}", *texts)
    assert outcome(dns_lab, "dmarc") == expected


@pytest.mark.parametrize(
    ("records", "policy", "at"),
    [
        ({"company.test": "p=none"}, "none", "company.test"),
        ({"company.test": "p=reject; sp=none"}, "none", "company.test"),
        ({"mail.company.test": "p=quarantine", "company.test": "p=none"}, "none", "company.test"),
        ({"a.mail.company.test": "p=none", "company.test": "p=reject"}, "none", None),
        (
            {"mail.company.test": "p=none; psd=n", "company.test": "p=reject"},
            "none",
            "mail.company.test",
        ),
        ({"company.test": "p=none", "test": "p=reject; psd=y"}, "none", "company.test"),
        ({"test": "p=none; psd=y"}, "none", "test"),
    ],
)
def test_the_policy_of_the_organisation(dns_lab, records, policy, at):
    for name, text in records.items():
        dns_lab.publish_text(f"_dmarc.{name}", f"v=DMARC1; {text}")
    found = finding(dns_lab, "dmarc", domain="a.mail.company.test")
    assert found.facts == {"policy": policy, "at": at or "a.mail.company.test"}


def test_a_strict_policy_that_the_mail_cannot_meet(dns_lab):
    dns_lab.publish_text(f"_dmarc.{DOMAIN}", "v=DMARC1; p=quarantine")
    assert outcome(dns_lab, "dmarc", GOOGLE) == (Status.BAD, "strict_quarantine")
    assert outcome(dns_lab, "dmarc", HOST) == (Status.GOOD, "policy_quarantine"), "DKIM: unknown"
    dns_lab.publish_text(DOMAIN, "v=spf1 include:_spf.google.com -all")
    assert outcome(dns_lab, "dmarc", GOOGLE) == (Status.GOOD, "policy_quarantine")


# --- whatever a zone says

NAMES = ["company.test", "loop.test", "_spf.google.com", "gone.test", "many.test", "%{d}.test", "%"]
TERMS = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "+", "-", "~", "?", "!"]),
    st.sampled_from(["a", "mx", "include", "exists", "ptr", "ip4", "ip6", "all", "redirect", "x"]),
    st.sampled_from([":", "=", "", "/"]),
    st.sampled_from([*NAMES, "9.9.9.9", "::1", ""]),
    st.sampled_from(["", "/24", "//64", "/24//64", "/999"]),
)
RECORDS = st.one_of(
    st.lists(TERMS, max_size=15).map(lambda terms: " ".join(["v=spf1", *terms])),
    st.text(max_size=300).map(lambda text: f"v=spf1 {text}"),
    st.binary(max_size=600),
)


@pytest.fixture(scope="module")
def wild_lab():
    with DnsLab() as lab:
        lab.publish("many.test", "MX", *(f"10 {count}.test." for count in range(10)))
        yield lab


@given(records=st.lists(RECORDS, max_size=3), other=RECORDS, key=RECORDS, policy=RECORDS)
@example(["v=spf1 include:loop.test"], "v=spf1 include:company.test", "", "")
@example(["v=spf1 a:" + "a" * 60000], b"", ";" * 60000, "v=DMARC1" + "a" * 60000)
@example(["v=spf1 " + "/1" * 30000], b"", "", "")
@example(["v=spf1 ip4:" + "1" * 60000 + "/" + "1" * 5000], b"", "", "")
def test_no_record_breaks_the_check_or_makes_it_endless(wild_lab, records, other, key, policy):
    lab = wild_lab
    lab.publish_text("company.test", *records)
    lab.publish_text("loop.test", other)
    lab.publish_text("google._domainkey.company.test", key)
    lab.publish_text("_dmarc.company.test", policy)
    for host in (GOOGLE, OUTSIDE):
        lab.questions.clear()
        start = time.monotonic()
        findings = check("company.test", host, resolver=lab.resolver, seconds=30)
        assert time.monotonic() - start < 5
        assert [f.kind for f in findings] == ["mx", "spf", "dkim", "dmarc"]
        for found in findings:
            assert found.key != "unanswered"
            assert_there_are_words(found, "company.test", host)
            assert all(
                text.isprintable() for text in (*found.facts.values(), *(found.record or ()))
            )
        assert len(lab.questions) <= 10 + spf.MOST_LOOKUPS * (spf.MOST_MAIL_HOSTS + 1)
    evaluation = spf.Evaluation(
        Lookup(30, lab.resolver), spf.Sender(ipaddress.ip_address(OUTSIDE), ("_spf.google.com",))
    )
    try:
        assert evaluation.result("company.test") in {*spf.RESULTS.values(), "none"}
    except spf.Broken as exc:
        assert exc.key in {"several", "syntax", "lookups", "void", "included"}
    assert evaluation.lookups <= spf.MOST_LOOKUPS
