"""What is known of providers: each file is well-formed, and one more file is all it takes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ..connect.detection import detect, password_services
from ..failover.rules import RULES
from ..failover.words import REMEDIES
from ..providers import all_providers, known_at
from .made_up_provider import FILE, SOURCE

ROOT = Path(__file__).parents[1]
PORTS = {"starttls_strict": {25, 587, 2525}, "ssl_strict": {465}}
DOMAIN = re.compile(r"_?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")
SLOW = re.compile(r"[*+}]\)?[*+{]|\.[*+].*\.[*+]")
"""A repeated repetition, or two of anything: not linear in the length of a reply."""

each_provider = pytest.mark.parametrize("name", all_providers())


@each_provider
def test_a_provider_is_well_formed(name):
    provider = all_providers()[name]
    assert provider.name
    assert provider.servers
    for server in provider.servers:
        assert server.port in PORTS[server.encryption]
        for domain in (*server.hosts(), *server.domains, *server.mail_hosts, *server.spf_includes):
            assert DOMAIN.fullmatch(domain), domain
    assert provider.dkim_type in ("TXT", "CNAME")
    assert min(provider.limit_minute, provider.limit_day, provider.own_limit_day) >= 0
    assert provider.pages.keys() <= REMEDIES.keys()
    pages = [*provider.pages.values()]
    if provider.sign_in:
        pages += [provider.sign_in.authorization_endpoint, provider.sign_in.token_endpoint]
    assert all(page.startswith("https://") for page in pages)


@each_provider
def test_a_rule_for_which_it_has_words_has_a_row_with_patterns(name):
    with_patterns = {row.decision.rule for row in RULES if row.says.pattern}
    assert all_providers()[name].replies.keys() <= with_patterns


@each_provider
def test_its_words_are_read_by_their_rule_and_in_linear_time(name):
    for rule, patterns in all_providers()[name].replies.items():
        read = [row.says.pattern for row in RULES if row.decision.rule == rule]
        for pattern in patterns:
            assert re.compile(pattern)
            assert not SLOW.search(pattern), pattern
            assert any(pattern in says for says in read), (rule, pattern)


@pytest.mark.parametrize("pattern", [r"(a+)+", r"(a*)*", r"a{2}{3}", r"a.*b.*c"])
def test_a_slow_pattern_is_recognised(pattern):
    assert SLOW.search(pattern)


def test_a_domain_or_a_host_is_of_one_server_only():
    known = [
        domain
        for provider in all_providers().values()
        for server in provider.servers
        for domain in {*server.hosts(), *server.domains}
    ]
    assert sorted(set(known)) == sorted(known)


def test_a_provider_is_known_by_its_hosts():
    assert known_at("smtp-relay.gmail.com")[0].name == "Google"
    assert known_at("SMTPPRO.zoho.eu.")[1].host == "smtppro.zoho.eu"
    assert known_at("gmail.com.company.test") == (None, None)
    assert known_at("notgmail.com") == (None, None)
    assert known_at(False) == (None, None)


def test_people_and_organisations_at_zoho_send_by_different_servers():
    services = password_services()
    assert detect("ana@zohomail.eu", services, 0).service.smtp_host == "smtp.zoho.eu"
    [paid] = [service for service in services if "zohocloud.ca" in service.mail_hosts]
    assert paid.smtp_host == "smtppro.zohocloud.ca"


# In a process of its own: the rules are made when they are imported.
WITH_ONE_MORE = """
import json, sys, types

root, folder = sys.argv[1:]
sys.path.insert(0, f"{root}/script")
addon = sys.modules["system_mail"] = types.ModuleType("system_mail")
addon.__path__ = [root]

from system_mail import providers
providers.__path__.append(folder)

from documentation import mail_providers
from system_mail.connect.detection import detect, password_services
from system_mail.failover.failure import Failure, Phase
from system_mail.failover.rules import classify

service = detect("ana@pigeon.example", password_services(), 0).service
refused = Failure.from_reply(Phase.DOT, 550, b"5.0.0 Today all pigeons are out")
print(json.dumps([service and service.name, classify(refused).rule, mail_providers.make()]))
"""


def test_adding_a_provider_is_adding_a_file(tmp_path):
    assert _known_with(tmp_path)[:2] == [None, "refused"]
    (tmp_path / FILE).write_text(SOURCE)
    service, rule, page = _known_with(tmp_path)
    assert (service, rule) == ("Pigeon Post", "quota_reached")
    assert "`App passwords <https://pigeon.example/passwords>`__" in page


def _known_with(folder):
    """What is known with the providers in a folder: of an address, of a reply, and the page."""
    command = [sys.executable, "-c", WITH_ONE_MORE, str(ROOT), str(folder)]
    return json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
