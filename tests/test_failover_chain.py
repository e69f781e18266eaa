"""The author's mailbox and two mailboxes of System Mail, one after the other."""

import contextlib
import smtplib
from email.message import EmailMessage

import pytest

from ..failover.connection import Patience
from ..failover.envelope import trust_again
from ..failover.failure import OverMailboxLimit
from ..failover.policy import Fate
from ..failover.session import Admission, Route, Session, Undelivered
from .smtp_lab import SmtpLab

PATIENT = Patience(log_in=5, command=5, body=5, dot=5, quit=5)
ANA, BEN = "ana@company.test", "ben@company.test"
UNKNOWN = {"phase": "rcpt", "reply": "550 Computer says no"}
DOWN = {"phase": "banner", "reply": "554 5.3.2 No service"}
NO_SUCH_USER = {"phase": "rcpt", "reply": "550 5.1.1 User unknown"}
ABUSED = {"phase": "mail", "reply": "550 5.7.501 Access denied, spam abuse detected"}


class Chain:
    """The lab's servers, a route to each in their order, and what was counted for limits."""

    def __init__(self, lab):
        self.servers = [lab.server(name) for name in ("own", "first", "second")]
        self.own, self.first, self.second = self.servers
        self.counted, self.full = [], set()
        self.routes = [self._route(server) for server in self.servers]

    def _route(self, server):
        def connect():
            connection = smtplib.SMTP(
                server.host, server.port, local_hostname="here.test", timeout=9
            )
            connection.ehlo()
            return connection

        def admit(count):
            if server in self.full:
                return Admission(0, OverMailboxLimit("2 a day"))
            self.counted.append((server.name, count))
            return Admission(count, None, lambda n: self.counted.append((server.name, -n)))

        is_own = server is self.own
        return Route(server, connect, patience=PATIENT, admit=None if is_own else admit)

    def send(self, *order, internal=True, session=None, **options):
        """Send to Ben by the routes, or by those of ``order``; the report."""
        routes = [self.routes[self.servers.index(server)] for server in order or self.servers]
        session = session or Session(routes, internal=internal, **options)
        reports = []
        session.on_report = reports.append
        message = EmailMessage()
        message["From"], message["Message-Id"] = ANA, "<1@company.test>"
        message.set_content("See this")
        with contextlib.suppress(Undelivered):
            session.send_message(message, ANA, [BEN])
        return reports[0]

    def fail(self, *faults):
        """Each server, in order, fails in that way; None: it works."""
        for server, fault in zip(self.servers, faults, strict=False):
            if fault:
                server.fail(**fault)

    def asked(self):
        """The names of the servers that were asked for the recipient."""
        return [
            server.name
            for server in self.servers
            if any("rcpt" in c.lower() for each in server.connections for c in each.commands)
        ]


@pytest.fixture(name="chain")
def _chain():
    trust_again()
    with SmtpLab() as lab:
        chain = Chain(lab)
        yield chain
        for route in chain.routes:
            route.close()


def test_the_second_carries_what_the_first_cannot_and_is_not_connected_before(chain):
    chain.fail(DOWN)
    assert chain.send().accepted == {BEN: chain.routes[1]}
    assert not chain.second.connections
    chain.routes[1].close()
    chain.first.fail(**DOWN)
    assert chain.send().accepted == {BEN: chain.routes[2]}


def test_whoever_has_no_mailbox_has_all_of_system_mails_then_odoos_own_sender(chain):
    order = chain.first, chain.second, chain.own
    chain.fail(None, DOWN)
    assert chain.send(*order, system_first=True).accepted == {BEN: chain.routes[2]}
    chain.routes[2].close()
    chain.second.fail(**DOWN)
    assert chain.send(*order, system_first=True).accepted == {BEN: chain.routes[0]}


def test_one_second_opinion_is_asked_not_the_whole_chain(chain):
    chain.fail(UNKNOWN, UNKNOWN)
    assert chain.send().fate(BEN) is Fate.FAILED
    assert chain.asked() == ["own", "first"]


def test_a_mailbox_at_fault_is_no_second_opinion_and_the_next_is_asked(chain):
    chain.fail(UNKNOWN, DOWN)
    assert chain.send().accepted == {BEN: chain.routes[2]}


def test_nothing_is_decided_while_no_mailbox_of_system_mail_can_answer(chain):
    chain.fail(UNKNOWN, DOWN, DOWN)
    assert chain.send().fate(BEN) is Fate.DEFERRED


def test_where_the_authors_mailbox_is_down_system_mails_second_gives_the_second_opinion(chain):
    chain.fail(DOWN, UNKNOWN)
    assert chain.send().accepted == {BEN: chain.routes[2]}
    chain.second.fail(**UNKNOWN)
    assert chain.send().fate(BEN) is Fate.FAILED


def test_after_two_opinions_odoos_own_sender_is_still_asked(chain):
    chain.fail(None, UNKNOWN, UNKNOWN)
    order = chain.first, chain.second, chain.own
    assert chain.send(*order, system_first=True).accepted == {BEN: chain.routes[0]}


def test_mail_to_others_has_no_second_opinion_but_goes_on_by_odoos_own_sender(chain):
    chain.fail(None, UNKNOWN)
    order = chain.first, chain.second, chain.own
    report = chain.send(*order, system_first=True, internal=False)
    assert report.accepted == {BEN: chain.routes[0]}
    assert chain.asked() == ["own", "first"]


def test_mail_to_others_does_not_follow_an_abused_account_to_the_next_mailbox(chain):
    chain.fail(None, ABUSED)
    order = chain.first, chain.second, chain.own
    report = chain.send(*order, system_first=True, internal=False)
    assert report.accepted == {BEN: chain.routes[0]}
    assert not chain.second.connections


@pytest.mark.parametrize("system_first", [True, False])
def test_the_recipients_own_fault_is_asked_of_no_further_mailbox(chain, system_first):
    chain.fail(DOWN, NO_SUCH_USER)
    order = (chain.first, chain.second) if system_first else ()
    assert chain.send(*order).fate(BEN) is Fate.FAILED
    assert chain.asked() == ["first"]


def test_a_limit_of_one_mailbox_passes_on_to_the_next_and_waits_for_any_behind_the_last(chain):
    chain.fail(DOWN)
    chain.full = {chain.first}
    assert chain.send().accepted == {BEN: chain.routes[2]}
    chain.full = {chain.first, chain.second}
    report = chain.send()
    assert report.fate(BEN) is Fate.DEFERRED
    assert report.troubles[BEN][-1].retry_at is None


def test_what_a_mailbox_at_fault_did_not_take_is_counted_once(chain):
    chain.fail(UNKNOWN, {"phase": "mail", "reply": "451 4.3.0 Local error"})
    assert chain.send().accepted == {BEN: chain.routes[2]}
    assert chain.counted == [("first", 1), ("first", -1), ("second", 1)]


def test_a_refused_second_opinion_stays_counted(chain):
    chain.fail(UNKNOWN, UNKNOWN)
    chain.send()
    assert chain.counted == [("first", 1)]


def test_what_may_have_arrived_goes_on_for_colleagues_alone(chain):
    chain.fail(DOWN, {"phase": "dot", "action": "drop", "accept": True})
    assert chain.send(internal=False).fate(BEN) is Fate.HELD
    assert not chain.second.connections
    chain.routes[1].trouble = None
    assert chain.send().accepted == {BEN: chain.routes[2]}
