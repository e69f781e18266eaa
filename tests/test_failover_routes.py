"""Two routes, to the servers of a person's mailbox and of System Mail, and what comes by each."""

import contextlib
import smtplib
from email.message import EmailMessage

import pytest

from ..failover.connection import Patience
from ..failover.envelope import trust_again
from ..failover.failure import MoreThanLimit, OverLimit
from ..failover.policy import Fate
from ..failover.session import Admission, Route, Session, Undelivered
from .smtp_lab import SmtpLab

PATIENT = Patience(log_in=5, command=5, body=5, dot=5, quit=5)
ANA, HELLO = "ana@company.test", "hello@company.test"
BEN, CLEO, DORA = "ben@company.test", "cleo@company.test", "dora@company.test"


class Office:
    """The lab's servers ``own`` and ``system``, a route to each, and what the routes told."""

    def __init__(self, lab, pipelining):
        self.own = lab.server("own", pipelining=pipelining)
        self.system = lab.server("system", pipelining=pipelining)
        self.told, self.reports, self.limits, self.doubts = [], [], [], []
        self.most = 3
        """Recipients that the limit of the first route lets through for now."""
        self.routes = [
            self._route("own", self.own, admit=self._admit),
            self._route("system", self.system, shared=True, rewrite=self._rewrite),
        ]

    def _route(self, name, server, **options):
        def connect():
            connection = smtplib.SMTP(
                server.host, server.port, local_hostname="here.test", timeout=9
            )
            connection.ehlo()
            return connection

        return Route(
            name,
            connect,
            name=name.title(),
            patience=PATIENT,
            on_failure=lambda name, _failure, decision: self.told.append((name, decision.rule)),
            on_success=lambda name, _certificate, _seconds: self.told.append((name, "works")),
            on_doubt=lambda name, _failure, *mail: self.doubts.append((name, *mail)),
            **options,
        )

    def _admit(self, count):
        self.limits.append(count)
        if count > self.most:
            over = MoreThanLimit("three") if count > 3 else OverLimit("three", retry_at="at noon")
            return Admission(0 if count > 3 else self.most, over, self._give_back)
        return Admission(count, None, self._give_back)

    def _give_back(self, not_taken):
        self.limits.append(-not_taken)

    @staticmethod
    def _rewrite(message, _from_addr, author):
        del message["From"]
        message["From"] = f"{author.partition(' ')[0]} <{HELLO}>"
        return message, HELLO

    def session(self, *, internal=True, **options):
        session = Session(self.routes, internal=internal, **options)
        session.author = f"Ana <{ANA}>"
        session.on_report = self.reports.append
        return session

    def send(self, *readers, **options):
        """The last report; a message that nobody took is in none of the servers."""
        message = EmailMessage()
        message["From"], message["Message-Id"] = ANA, f"<{len(self.reports)}@company.test>"
        message.set_content("See this")
        with contextlib.suppress(Undelivered):
            self.refused = self.session(**options).send_message(message, ANA, readers or [BEN])
        return self.reports[-1]

    def readers(self, server):
        """To whom its messages were."""
        return [delivery.rcpt_to for delivery in server.accepted]


@pytest.fixture(name="office", params=[True, False], ids=["pipelined", "one by one"])
def _office(request):
    trust_again()
    with SmtpLab() as lab:
        office = Office(lab, request.param)
        yield office
        for route in office.routes:
            route.close()


def test_what_is_reported_of_a_message(office):
    office.own.fail("dot", reply="250 2.0.0 Queued as 4711", times=1)
    report = office.send()
    assert (report.message_id, report.recipients) == ("<0@company.test>", (BEN,))
    assert (report.author, report.internal) == (f"Ana <{ANA}>", True)
    assert report.reply == "2.0.0 Queued as 4711"
    assert report.accepted == {BEN: office.routes[0]}
    assert report.all_troubles == []
    assert office.refused == {}


def test_a_healthy_mailbox_is_praised_once_for_all_messages_of_a_connection(office):
    for _ in range(3):
        office.send()
    assert office.told == [("own", "works")]
    assert len(office.own.connections) == 1
    assert office.limits == [1, 1, 1]
    assert not office.system.connections


def test_the_end_of_a_session_closes_its_own_routes_and_no_shared_one(office):
    office.send()
    office.own.fail("mail", reply="550 5.7.60 Not this sender")
    office.send()
    office.session().quit()
    [own], [system] = office.own.connections, office.system.connections
    assert own.commands[-1].lower() == "quit"
    assert "quit" not in [command.lower() for command in system.commands]
    office.routes[1].close()
    office.system.wait(lambda _: system.commands[-1].lower() == "quit")


def test_system_mail_carries_it_in_its_own_name_and_the_mailbox_is_not_asked_again(office):
    office.own.fail("mail", reply="550 5.7.60 Not this sender")
    report = office.send()
    assert report.fate(BEN) is Fate.ACCEPTED
    assert report.accepted == {BEN: office.routes[1]}
    [delivery] = office.system.accepted
    assert delivery.mail_from == HELLO
    assert delivery.message["From"] == f"Ana <{HELLO}>"
    asked = len(office.own.connections[0].commands)
    office.send()
    assert len(office.own.connections[0].commands) == asked
    assert office.told == [("own", "send_as_denied"), ("system", "works")]


def test_the_mail_of_an_abused_account_reaches_colleagues_alone(office):
    office.own.fail("mail", reply="550 5.7.501 Access denied, spam abuse detected")
    assert office.send(internal=False).fate(BEN) is Fate.FAILED
    assert not office.system.connections
    assert office.send(internal=True).fate(BEN) is Fate.ACCEPTED


@pytest.mark.parametrize("internal", [True, False])
def test_a_second_copy_goes_to_colleagues_alone(office, internal):
    office.own.fail("dot", action="drop", accept=True)
    report = office.send(internal=internal)
    assert report.fate(BEN) is (Fate.ACCEPTED if internal else Fate.HELD)
    assert len(office.own.accepted) == 1
    assert len(office.system.accepted) == internal


def test_where_it_may_have_arrived_and_nobody_else_takes_it(office):
    office.own.fail("dot", action="drop", accept=True)
    office.system.fail("mail", reply="451 4.3.0 Not now")
    assert office.send().fate(BEN) is Fate.DEFERRED


@pytest.mark.parametrize("system_first", [True, False])
def test_only_odoos_own_sender_is_asked_for_what_the_first_refuses(office, system_first):
    office.own.fail("dot", reply="554 5.6.0 Content refused")
    report = office.send(system_first=system_first)
    assert report.fate(BEN) is (Fate.ACCEPTED if system_first else Fate.FAILED)
    assert len(office.system.accepted) == system_first
    assert office.told == [("system", "works")] * system_first, "no fault of the mailbox"


@pytest.mark.parametrize("system_first", [True, False])
def test_only_odoos_own_sender_is_asked_for_what_the_first_postpones(office, system_first):
    office.own.fail("rcpt", reply="450 4.2.1 Busy")
    report = office.send(system_first=system_first)
    assert report.fate(BEN) is (Fate.ACCEPTED if system_first else Fate.DEFERRED)
    assert len(office.system.accepted) == system_first


def test_what_an_abused_account_may_not_send_goes_on_by_odoos_own_sender(office):
    office.own.fail("mail", reply="550 5.7.501 Access denied, spam abuse detected")
    assert office.send(internal=False, system_first=True).accepted == {BEN: office.routes[1]}


def test_each_recipient_has_a_fate(office):
    office.own.fail("rcpt", reply="550 5.1.1 No such user", recipient=CLEO)
    report = office.send(BEN, CLEO)
    assert [report.fate(reader) for reader in (BEN, CLEO)] == [Fate.ACCEPTED, Fate.FAILED]
    assert office.refused == {CLEO: (550, "No such user")}
    assert office.readers(office.own) == [(BEN,)]


def test_those_over_a_servers_limit_get_a_message_of_their_own(office):
    office.own.fail("rcpt", reply="452 4.5.3 Too many recipients", nth=2)
    report = office.send(BEN, CLEO)
    assert office.readers(office.own) == [(BEN,), (CLEO,)]
    assert {report.fate(reader) for reader in (BEN, CLEO)} == {Fate.ACCEPTED}
    assert report.troubles == {}


@pytest.mark.parametrize("end", [{"reply": "421 4.4.2 Too long"}, {"action": "drop"}])
def test_a_line_that_ends_between_two_messages_is_opened_again(office, end):
    office.own.fail("mail", after=1, **end)
    for _ in range(2):
        assert office.send().accepted == {BEN: office.routes[0]}
    assert len(office.own.connections) == 2
    assert office.told == [("own", "works")] * 2


def test_a_line_that_ends_at_the_first_message_is_not(office):
    office.own.fail("mail", action="drop")
    assert office.send().accepted == {BEN: office.routes[1]}
    assert len(office.own.connections) == 1


def test_a_limit_of_ours_defers_until_it_says(office):
    readers, office.most = [BEN, CLEO, ANA], 0
    report = office.send(*readers)
    assert {report.fate(reader) for reader in readers} == {Fate.DEFERRED}
    [trouble] = report.all_troubles
    assert (trouble.retry_at, trouble.decision.rule) == ("at noon", "over_limit")
    assert office.limits == [3]
    assert not office.system.connections
    assert office.told == [], "nothing is wrong with the mailbox"
    office.most = 3
    assert office.send().accepted == {BEN: office.routes[0]}


def test_who_fits_within_a_limit_of_ours_goes_now_and_the_others_wait(office):
    office.most = 2
    office.own.fail("rcpt", reply="550 5.1.1 No such user", recipient=CLEO)
    report = office.send(BEN, CLEO, DORA)
    fates = {BEN: Fate.ACCEPTED, CLEO: Fate.FAILED, DORA: Fate.DEFERRED}
    assert {reader: report.fate(reader) for reader in fates} == fates
    assert report.troubles[DORA][0].retry_at == "at noon"
    assert office.readers(office.own) == [(BEN,)]
    assert office.limits == [3, -1], "who waits was not counted in"


def test_a_message_with_more_recipients_than_a_limit_of_ours_fails_at_once(office):
    report = office.send(BEN, CLEO, DORA, ANA)
    assert {report.fate(reader) for reader in report.recipients} == {Fate.FAILED}
    [trouble] = report.all_troubles
    assert (trouble.decision.rule, trouble.failure.text) == ("more_than_limit", "three")
    assert not office.system.connections


@pytest.mark.parametrize(
    ("options", "accepted"),
    [
        ({}, 0),
        ({"system_first": True}, 0),
        ({"may_wait": False}, 0),
        ({"system_first": True, "may_wait": False}, 1),
    ],
)
def test_what_may_not_wait_its_turn_goes_on_by_odoos_own_sender(office, options, accepted):
    office.most = 0
    office.send(BEN, CLEO, ANA, **options)
    assert len(office.system.accepted) == accepted


def test_a_passing_trouble_is_told_once_and_does_not_close_the_route(office):
    office.own.fail("mail", reply="451 4.3.0 Not now", times=2)
    for route in (1, 1, 0):
        assert office.send().accepted == {BEN: office.routes[route]}
    assert office.told == [("own", "temporary"), ("system", "works"), ("own", "works")]


def test_where_nobody_takes_it_all_is_told_in_the_order_of_the_routes(office):
    office.own.fail("connect", action="drop")
    office.system.fail("mail", reply="451 4.3.0 Come back later")
    with pytest.raises(Undelivered) as caught:
        office.session().send_message(EmailMessage(), ANA, [BEN])
    assert caught.value.report.fate(BEN) is Fate.DEFERRED
    own, *_words, system, text = str(caught.value).split("\n")
    assert own.startswith("Own: ")
    assert system.startswith("System: ")
    assert text == "Come back later"


def test_a_session_opens_by_the_first_route_that_does(office):
    office.own.fail("banner", reply="554 5.3.2 No service")
    session = office.session(from_filter="company.test", smtp_from=HELLO)
    assert session.open() is session
    assert (session.from_filter, session.smtp_from) == ("company.test", HELLO)
    assert len(office.system.connections) == 1


def test_where_no_route_opens_the_session_says_why(office):
    for server in (office.own, office.system):
        server.fail("banner", reply="554 5.3.2 No service")
    with pytest.raises(Undelivered, match=r"(?s)Own: .*No service\nSystem: .*No service"):
        office.session().open()


def test_whom_the_mailbox_did_not_take_uses_up_no_limit(office):
    office.own.fail("rcpt", reply="450 4.2.1 Busy", recipient=CLEO, times=1)
    office.send(BEN, CLEO)
    assert office.limits == [2, -1]
    office.own.fail("dot", action="drop", accept=True)
    office.send(BEN)
    assert office.limits == [2, -1, 1], "it may have been delivered"


def test_who_is_named_twice_gets_one_copy_where_a_server_takes_few_at_once(office):
    office.own.fail("rcpt", reply="452 4.5.3 Too many recipients", nth=2)
    assert office.send(BEN, BEN).recipients == (BEN,)
    assert office.readers(office.own) == [(BEN,)]


def test_a_refusal_after_others_were_served_is_no_refusal_of_all(office):
    """The rest of a message that was split is a transaction of its own."""
    office.own.fail("rcpt", reply="452 4.5.3 Too many recipients", nth=3)
    office.own.fail("rcpt", reply="550 5.7.1 Relaying denied", recipient=DORA)
    office.send(BEN, CLEO, DORA)
    assert office.readers(office.own) == [(BEN, CLEO)]
    assert office.readers(office.system) == [(DORA,)]
    assert office.told == [("own", "works"), ("system", "works")]


# --- a second opinion


def test_a_refusal_in_unknown_words_is_carried_and_nobody_is_blamed(office):
    office.own.fail("rcpt", reply="550 Computer says no")
    report = office.send()
    assert report.accepted == {BEN: office.routes[1]}
    assert office.told == [("system", "works")]
    assert office.doubts == [("own", "<0@company.test>", BEN)]
    office.own.heal()
    assert office.send().accepted == {BEN: office.routes[0]}


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data", "dot"])
def test_what_both_refuse_for_good_is_the_recipients_or_the_messages_fault(office, phase):
    for server in (office.own, office.system):
        server.fail(phase, reply="550 Computer says no")
    assert office.send().fate(BEN) is Fate.FAILED
    assert (office.told, office.doubts) == ([], [])


def test_a_no_for_now_from_either_waits(office):
    office.own.fail("rcpt", reply="450 Computer says later")
    office.system.fail("rcpt", reply="550 5.1.1 User unknown")
    assert office.send().fate(BEN) is Fate.DEFERRED
    office.own.heal()
    office.system.heal()
    office.own.fail("rcpt", reply="550 Computer says no")
    office.system.fail("rcpt", reply="450 Computer says later")
    assert office.send().fate(BEN) is Fate.DEFERRED
    assert office.told == []


def test_nothing_is_decided_while_system_mail_is_at_fault(office):
    office.own.fail("rcpt", reply="550 Computer says no")
    office.system.fail("rcpt", reply="550 5.7.1 Client host rejected: Access denied")
    assert office.send().fate(BEN) is Fate.DEFERRED
    assert office.told == [("system", "client_refused")]


def test_mail_to_others_is_carried_only_where_the_mailbox_is_surely_at_fault(office):
    office.own.fail("rcpt", reply="550 Computer says no")
    assert office.send(internal=False).fate(BEN) is Fate.FAILED
    assert not office.system.connections
    office.own.heal()
    office.own.fail("rcpt", reply="504 5.5.2 <odoo>: Helo command rejected: need a full name")
    assert office.send(internal=False).fate(BEN) is Fate.ACCEPTED


def test_after_three_that_system_mail_refused_too_unknown_words_are_not_carried(office):
    for server in (office.own, office.system):
        server.fail("rcpt", reply="550 Computer says no")
    session = office.session()
    for reader in "abcde":
        message = EmailMessage()
        message["From"], message["Message-Id"] = ANA, "<same@company.test>"
        message.set_content("See this")
        with contextlib.suppress(Undelivered):
            session.send_message(message, ANA, [f"{reader}@company.test"])
    [connection] = office.system.connections
    asked = [command for command in connection.commands if command.lower().startswith("rcpt")]
    assert len(asked) == 3


def test_unknown_words_at_the_dot_are_not_carried_for_an_author_who_is_distrusted(office):
    office.own.fail("dot", reply="550 Computer says no")
    session = office.session()
    session.is_distrusted = lambda: True
    message = EmailMessage()
    message["From"], message["Message-Id"] = ANA, "<1@company.test>"
    message.set_content("See this")
    with pytest.raises(Undelivered):
        session.send_message(message, ANA, [BEN])
    assert not office.system.connections


def test_a_spam_verdict_is_never_carried(office):
    office.own.fail("dot", reply="554 5.7.1 Message rejected under suspicion of SPAM")
    assert office.send().fate(BEN) is Fate.FAILED
    assert not office.system.connections
