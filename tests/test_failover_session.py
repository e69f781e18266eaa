"""One route and one session, by connections that say what they are told to say."""

import contextlib
import dataclasses
import math
import time
from email.message import EmailMessage

import pytest

from ..failover import late_reply
from ..failover.budget import Budget, Turn
from ..failover.connection import MailboxError, Outcome, Patience, Trace
from ..failover.failure import Effect, Failure, Kind, Phase, Verdict
from ..failover.late_reply import LateReplies
from ..failover.own_words import MailText
from ..failover.policy import Fate
from ..failover.rules import classify
from ..failover.session import (
    AT_ONCE,
    Route,
    RouteBusy,
    RouteClosed,
    Session,
    Trouble,
    Undelivered,
    Unwatched,
    explain,
)

ANA, READER, CLEO = "ana@company.test", "ben@company.test", "cleo@company.test"
REJECTED = Failure(Phase.MAIL, 535, "5.7.8", "Not accepted", Kind.REPLY)
SILENT = Failure(Phase.DOT, kind=Kind.TIMEOUT)
UNKNOWN = Failure(Phase.RCPT, 550, text="Computer says no", kind=Kind.REPLY)
UNKNOWN_AT_DOT = Failure(Phase.DOT, 550, text="Computer says no", kind=Kind.REPLY)
NO_SUCH_USER = Failure(Phase.RCPT, 550, "5.1.1", "User unknown", Kind.REPLY)
NOT_NOW = Failure(Phase.MAIL, 451, "4.3.0", "Not now", Kind.REPLY)


class Connection:
    """A connection that accepts messages, but for those that it is told to fail.

    :param failures: of its first messages; an exception is raised; None: that one is accepted
    :param refused: the failures of single recipients
    """

    sock = None

    def __init__(self, *failures, refused=None, reply="2.0.0 Ok", seconds=0.0):
        self.trace, self.lost, self._failures = Trace(Patience()), False, list(failures)
        self._refused, self._reply, self._seconds = refused or {}, reply, seconds
        self.sent = []

    def send_message(self, message, from_addr, to_addrs):
        time.sleep(self._seconds)
        self.sent.append((message, from_addr, to_addrs))
        if self._failures:
            failure = self._failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            if failure:
                is_late = failure.kind is Kind.AWAITED
                self.lost = failure.kind is not Kind.REPLY and not is_late
                return Outcome((), dict.fromkeys(to_addrs, failure), is_late=is_late)
        accepted = tuple(address for address in to_addrs if address not in self._refused)
        self.trace.accepted += bool(accepted)
        refused = {a: failure for a, failure in self._refused.items() if a in to_addrs}
        return Outcome(accepted, refused, self._reply if accepted else "")

    def close(self):
        self.lost = True


class Mailbox:
    """A route whose every connection is planned: an exception to raise, or a Connection.

    :param seconds: that each connection takes
    """

    def __init__(
        self, *connections, refresh_raises=None, with_token=True, seconds=0.0, name="own", **options
    ):
        self.planned, self.refreshed, self.blamed = list(connections), 0, []
        self.refresh_raises, self._seconds = refresh_raises, seconds
        self.praised, self.slow, self.doubted, self.failed = [], [], [], []
        self.route = Route(
            self,
            self._connect,
            name=name,
            refresh=self._refresh if with_token else None,
            on_failure=self._on_failure,
            on_success=lambda *praise: self.praised.append(praise),
            on_slow=lambda *slow: self.slow.append(slow),
            on_doubt=lambda *doubt: self.doubted.append(doubt),
            **options,
        )

    def _connect(self):
        time.sleep(self._seconds)
        connection = self.planned.pop(0)
        if isinstance(connection, Exception):
            raise connection
        return connection

    def _on_failure(self, mailbox, failure, decision):
        assert mailbox is self
        self.failed.append(failure)
        self.blamed.append(decision.rule)

    def _refresh(self):
        self.refreshed += 1
        if self.refresh_raises:
            raise self.refresh_raises

    def send(self, *readers):
        return self.route.send(EmailMessage(), ANA, list(readers or [READER]), ANA)


def refused(code=535, enhanced="5.7.8", text="Username and Password not accepted"):
    return MailboxError(Failure(Phase.AUTH, code, enhanced, text, Kind.REPLY))


class TestANewAccessToken:
    def test_it_is_fetched_once_where_the_log_in_is_refused(self):
        mailbox = Mailbox(refused(), Connection())
        assert mailbox.send().accepted == (READER,)
        assert mailbox.refreshed == 1
        assert not mailbox.blamed

    def test_when_it_is_taken_the_log_in_is_over_and_each_command_has_its_own_time(self):
        connection = Connection()
        assert Mailbox(refused(), connection).route.open()
        assert connection.trace.settled

    def test_one_that_is_refused_too_is_the_mailboxs_trouble(self):
        mailbox = Mailbox(refused(), refused())
        carried = mailbox.send()
        assert carried.troubles[READER].decision.effect is Effect.DISCONNECTED
        assert mailbox.refreshed == 1
        assert len(mailbox.blamed) == 1
        assert not mailbox.planned

    def test_it_is_fetched_where_the_refusal_comes_as_late_as_mail_from(self):
        mailbox = Mailbox(Connection(REJECTED), Connection())
        carried = mailbox.send()
        assert carried.accepted == (READER,)
        assert not carried.troubles
        assert mailbox.refreshed == 1
        assert not mailbox.blamed

    def test_it_is_fetched_once_for_all_connections(self):
        mailbox = Mailbox(refused(), Connection(REJECTED))
        assert mailbox.send().troubles[READER].failure == REJECTED
        assert mailbox.refreshed == 1
        assert len(mailbox.blamed) == 1

    def test_a_revoked_grant_is_told_as_such(self):
        revoked = MailboxError(Failure(Phase.TOKEN, kind=Kind.INVALID_GRANT))
        mailbox = Mailbox(refused(), refresh_raises=revoked)
        assert not mailbox.route.open()
        assert mailbox.blamed == ["token_revoked"]

    def test_a_password_is_not_tried_twice(self):
        mailbox = Mailbox(refused(), with_token=False)
        assert not mailbox.route.open()
        assert mailbox.blamed == ["password_rejected"]
        assert [failure.code for failure in mailbox.failed] == [535]

    def test_no_other_trouble_asks_for_it(self):
        mailbox = Mailbox(refused(454, "4.7.0", "Temporary failure"))
        assert not mailbox.route.open()
        assert not mailbox.refreshed

    def test_a_mailbox_that_another_worker_found_dead_is_left_alone(self):
        closed = RouteClosed(REJECTED, classify(REJECTED))
        mailbox = Mailbox(refused(), closed)
        assert not mailbox.route.open()
        assert not mailbox.blamed
        assert mailbox.route.trouble.route is mailbox.route
        assert str(closed) == REJECTED.text


class TestAMailboxKnownToBeOutOfOrder:
    def test_what_was_uncertain_of_one_message_is_certain_of_the_next(self):
        mailbox = Mailbox(Connection(SILENT))
        assert mailbox.send().troubles[READER].decision.verdict is Verdict.UNCERTAIN
        assert mailbox.send().troubles[READER].decision.verdict is Verdict.FALLBACK

    def test_no_message_to_a_customer_is_held_that_was_never_sent(self):
        mailbox = Mailbox(RouteClosed(SILENT, classify(SILENT)), with_token=False)
        reports = []
        session = Session([mailbox.route, Mailbox(Connection()).route], internal=False)
        session.on_report = reports.append
        session.open().send_message(EmailMessage(), ANA, [READER])
        assert [report.fate(READER) for report in reports] == [Fate.ACCEPTED]


class TestWhatIsTold:
    def test_a_success_with_the_certificate_and_the_time_that_it_took(self):
        connection = Connection(seconds=0.02)
        connection.trace.certificate = b"der"
        mailbox = Mailbox(connection, seconds=0.05)
        mailbox.send()
        mailbox.send()
        [(whose, certificate, seconds)] = mailbox.praised
        assert (whose, certificate) == (mailbox, b"der")
        assert 0.07 <= seconds < 1

    def test_the_next_success_after_a_doubt_with_the_time_of_its_message_alone(self):
        mailbox = Mailbox(Connection(), seconds=0.05)
        mailbox.send()
        mailbox.route.report_doubt(UNKNOWN, "<1@company.test>", READER)
        mailbox.send()
        assert mailbox.doubted == [(mailbox, UNKNOWN, "<1@company.test>", READER)]
        first, second = (seconds for _mailbox, _certificate, seconds in mailbox.praised)
        assert second < 0.05 <= first

    def test_a_failure_once_for_each_connection(self):
        mailbox = Mailbox(Connection(NOT_NOW, NOT_NOW), Connection(NOT_NOW))
        [trouble] = mailbox.send().troubles.values()
        assert (trouble.failure, trouble.retry_at) == (NOT_NOW, None)
        mailbox.send()
        assert mailbox.blamed == ["temporary"]
        assert mailbox.failed == [NOT_NOW]
        mailbox.route.close()
        mailbox.send()
        assert mailbox.blamed == ["temporary"] * 2
        assert not mailbox.praised

    def test_nothing_where_the_server_refuses_each_recipient_in_another_way(self):
        denied = Failure(Phase.RCPT, 554, "5.7.1", "Relay access denied", Kind.REPLY)
        refused = {
            reader: dataclasses.replace(failure, all_recipients=True)
            for reader, failure in ((READER, denied), (CLEO, NO_SUCH_USER))
        }
        mailbox = Mailbox(Connection(refused=refused))
        assert mailbox.send(READER, CLEO).troubles.keys() == {READER, CLEO}
        assert not mailbox.blamed

    def test_nothing_where_nobody_wants_to_know(self):
        connections = [Connection(NOT_NOW)]
        route = Route("own", connections.pop)
        readers = [READER]
        assert route.send(EmailMessage(), ANA, readers, ANA).troubles
        assert route.send(EmailMessage(), ANA, readers, ANA).accepted
        route.report_doubt(UNKNOWN, "<1@company.test>", READER)
        route.close()
        assert (route.name, route.shared, route.trouble) == ("", False, None)

    def test_why_it_was_not_sent_is_told_of_each_mailbox(self):
        silent = Failure(Phase.CONNECT, kind=Kind.REFUSED)
        routes = [Mailbox(name=name).route for name in ("Own", "System")]
        failures = [REJECTED, silent]
        told = explain(Trouble.of(*pair) for pair in zip(routes, failures, strict=True))
        assert told.split("\n") == [
            "Own: the password was rejected (535 5.7.8)",
            "Not accepted",
            "System: the server could not be reached",
        ]


class TestTooLittleTime:
    """A person waits, and no longer for this mailbox."""

    def mailbox(self, *connections, **options):
        self.budget = Budget(0.1)
        return Mailbox(*connections, patience=Patience(budget=self.budget), **options)

    def test_a_mailbox_that_used_up_most_of_it_is_slow(self):
        mailbox = self.mailbox(Connection(), seconds=0.06)
        with self.budget.spending():
            assert mailbox.route.open()
            assert not mailbox.route.open()
        [(whose, seconds, phase)] = mailbox.slow
        assert (whose, phase) == (mailbox, Phase.CONNECT)
        assert 0.06 <= seconds < 1
        assert not mailbox.blamed

    def test_one_in_whose_conversation_it_was_used_up_is_slow_too(self):
        failure = Failure(Phase.RCPT, kind=Kind.NO_TIME)
        mailbox = self.mailbox(Connection(failure, seconds=0.06))
        with self.budget.spending():
            assert mailbox.send().troubles[READER].failure == failure
        assert [(whose, phase) for whose, _seconds, phase in mailbox.slow] == [
            (mailbox, Phase.RCPT)
        ]
        assert mailbox.route.trouble.is_cut_short

    def test_one_that_came_too_late_is_not(self):
        mailbox = self.mailbox(Connection())
        with self.budget.spending():
            time.sleep(0.06)
            [trouble] = mailbox.send().troubles.values()
        assert (trouble.failure.kind, trouble.retry_at) == (Kind.NO_TIME, AT_ONCE)
        assert trouble.route is mailbox.route
        assert (mailbox.slow, mailbox.blamed, len(mailbox.planned)) == ([], [], 1)

    def test_in_its_next_turn_it_is_used_again(self):
        turn = Turn(0.1, math.inf, may_leave=True)
        mailbox = Mailbox(Connection(), patience=Patience(budget=turn))
        with turn.spending():
            time.sleep(0.06)
            assert not mailbox.route.open()
        turn.renew()
        assert not mailbox.send().accepted
        mailbox.route.take_next_turn()
        assert mailbox.route.trouble is None
        assert mailbox.send().accepted == (READER,)

    def test_no_turn_makes_a_mailbox_work_that_failed(self):
        mailbox = Mailbox(refused(), with_token=False)
        mailbox.send()
        mailbox.route.take_next_turn()
        assert not mailbox.route.open()

    def test_a_server_that_owes_a_reply_is_waited_for_and_not_blamed(self):
        mailbox = Mailbox(RouteBusy("at noon"))
        [trouble] = mailbox.send().troubles.values()
        assert (trouble.failure.phase, trouble.failure.kind) == (Phase.CONNECT, Kind.BUSY)
        assert trouble.retry_at == "at noon"
        assert trouble.is_cut_short
        assert not mailbox.blamed
        assert not mailbox.slow


class TestLateReplies:
    """The server has the whole message, and has not answered yet."""

    LATE = Failure(Phase.DOT, kind=Kind.AWAITED)

    @pytest.fixture(autouse=True)
    def _in_a_hurry(self, monkeypatch):
        monkeypatch.setattr(late_reply, "PAUSE", 0)

    def test_whoever_waits_for_it_has_the_connection(self):
        connection = Connection(self.LATE)
        mailbox = Mailbox(connection, late_replies=LateReplies(1))
        result = mailbox.send()
        assert result.troubles[READER].is_awaited
        assert [(whose, phase) for whose, _seconds, phase in mailbox.slow] == [(mailbox, Phase.DOT)]
        mailbox.route.close()
        assert not connection.lost
        result.late.close()
        assert connection.lost

    def test_nothing_more_goes_by_it_and_nobody_is_blamed(self):
        mailbox = Mailbox(Connection(self.LATE), late_replies=LateReplies(1))
        mailbox.send()
        [trouble] = mailbox.send().troubles.values()
        assert (trouble.failure.phase, trouble.failure.kind) == (Phase.DOT, Kind.NO_TIME)
        assert (trouble.route, trouble.retry_at) == (mailbox.route, AT_ONCE)
        assert not mailbox.blamed

    def test_who_finds_no_room_among_them_waits(self):
        late_replies, connection = LateReplies(1), Connection()
        late = Mailbox(Connection(self.LATE), late_replies=late_replies).send().late
        mailbox = Mailbox(connection, late_replies=late_replies)
        [trouble] = mailbox.send().troubles.values()
        assert (trouble.failure.phase, trouble.failure.kind) == (Phase.MAIL, Kind.NO_TIME)
        assert not connection.sent
        late.close()
        mailbox.route.take_next_turn()
        assert mailbox.send().accepted == (READER,)

    def test_who_has_the_reply_takes_no_room(self):
        late_replies = LateReplies(1)
        for mailbox in (Mailbox(Connection(), late_replies=late_replies) for _ in range(2)):
            assert mailbox.send().accepted == (READER,)

    def test_a_report_has_it(self):
        report = deliver(Mailbox(Connection(self.LATE), late_replies=LateReplies(1)))
        assert report.fate(READER) is Fate.AWAITED
        assert report.late.certificate == b""


class TestAfterALostLine:
    @pytest.mark.parametrize(
        ("accepted_before", "kind", "is_used_again"),
        [(1, Kind.DROP, True), (0, Kind.DROP, False), (1, Kind.TIMEOUT, False)],
    )
    def test_a_mailbox_that_had_worked_is_used_again(self, accepted_before, kind, is_used_again):
        lost = Failure(Phase.DOT, kind=kind, accepted_before=accepted_before)
        mailbox = Mailbox(Connection(None, lost), Connection())
        assert mailbox.send().accepted
        assert mailbox.send().troubles[READER].failure == lost
        assert bool(mailbox.send().accepted) is is_used_again


class TestOneMessage:
    @pytest.mark.parametrize("error", [ValueError("no"), UnicodeError("no"), OSError("no")])
    def test_what_cannot_be_written_is_told(self, error):
        mailbox = Mailbox(Connection(error))
        [trouble] = mailbox.send().troubles.values()
        assert trouble.failure.phase is Phase.MAIL

    def test_what_is_known_of_the_author_and_the_message(self):
        connection = Connection()
        session = Session([Mailbox(connection).route], internal=False)
        reports = []
        session.on_report = reports.append
        message = EmailMessage()
        message["From"], message["Message-Id"] = f"Ana <{ANA}>", "<1@company.test>"
        assert session.send_message(message, ANA, [READER, CLEO, READER]) == {}
        [report] = reports
        assert (report.author, report.message_id) == (f"Ana <{ANA}>", "<1@company.test>")
        assert report.recipients == (READER, CLEO)
        assert (report.internal, report.late) == (False, None)
        assert connection.sent == [(message, ANA, [READER, CLEO])]

    def test_it_goes_out_as_the_mailbox_has_to_write_it(self):
        connection, asked = Connection(), []

        def rewrite(*what):
            asked.append(what)
            return "rewritten", CLEO

        message = EmailMessage()
        route = Mailbox(connection, rewrite=rewrite).route
        assert route.send(message, ANA, [READER], f"Ana <{ANA}>").accepted
        assert asked == [(message, ANA, f"Ana <{ANA}>")]
        assert connection.sent == [("rewritten", CLEO, [READER])]

    @pytest.mark.parametrize(("reply", "last"), [("second", "second"), ("", "first")])
    def test_the_last_reply_is_told(self, reply, last):
        own = Mailbox(Connection(refused={CLEO: REJECTED}, reply="first"), with_token=False)
        report = deliver(own, Mailbox(Connection(reply=reply)), to=[READER, CLEO])
        assert report.reply == last
        assert [report.fate(reader) for reader in (READER, CLEO)] == [Fate.ACCEPTED] * 2

    def test_nobody_is_told_of_it_who_did_not_ask(self):
        session = Session([Mailbox(Connection(NO_SUCH_USER)).route], internal=True)
        assert (session.from_filter, session.smtp_from, session.author) == (False, False, "")
        assert session.on_report is session.is_distrusted is None
        with pytest.raises(Undelivered, match=r"own: .*\nUser unknown"):
            session.send_message(EmailMessage(), ANA, [READER])


def deliver(*mailboxes, to=(READER,), last_resort=None, internal=True, **options):
    """The report on one message by these mailboxes."""
    session = Session(
        [mailbox.route for mailbox in mailboxes],
        internal=internal,
        last_resort=last_resort and last_resort.route,
        **{name: options.pop(name) for name in ("system_first", "may_wait") if name in options},
    )
    for name, value in options.items():
        setattr(session, name, value)
    reports = []
    session.on_report = reports.append
    message = EmailMessage()
    message["Message-Id"] = "<1@company.test>"
    with contextlib.suppress(Undelivered):
        session.send_message(message, ANA, list(to))
    session.quit()
    [report] = reports
    return report


def busy():
    return Mailbox(RouteBusy("at noon"))


def down():
    return Mailbox(ConnectionRefusedError())


def works(*failures):
    return Mailbox(Connection(*failures))


class TestTheLastResort:
    """Where the first mailbox has too little time: without a last resort, the message waits."""

    def test_without_it_the_message_waits(self):
        system = works()
        assert deliver(busy(), system).fate(READER) is Fate.DEFERRED
        assert system.planned

    def test_with_it_system_mail_is_asked_first(self):
        system, last = works(), works()
        assert deliver(busy(), system, last_resort=last).accepted == {READER: system.route}
        assert last.planned

    @pytest.mark.parametrize("system", [busy, down, lambda: works(NO_SUCH_USER)])
    def test_then_it_is(self, system):
        connection = Connection()
        last = Mailbox(connection)
        assert deliver(busy(), system(), last_resort=last).accepted == {READER: last.route}
        assert connection.lost, "it is closed at the end"

    @pytest.mark.parametrize("internal", [True, False])
    def test_what_may_have_arrived_goes_by_it_to_colleagues_alone(self, internal):
        last = works()
        report = deliver(busy(), works(SILENT), last_resort=last, internal=internal)
        assert report.fate(READER) is (Fate.ACCEPTED if internal else Fate.HELD)
        assert bool(last.planned) is not internal

    def test_it_is_nothing_to_a_mailbox_that_failed(self):
        last = works()
        assert deliver(down(), busy(), last_resort=last).fate(READER) is Fate.DEFERRED
        assert last.planned

    @pytest.mark.parametrize(
        ("own", "has_last_resort", "tried"),
        [
            (busy, False, ["own"]),
            (busy, True, ["own", "system", "last"]),
            (down, False, ["own", "system"]),
            (down, True, ["own", "system"]),
            (works, True, ["own"]),
        ],
    )
    def test_a_session_opens_by_it_likewise(self, own, has_last_resort, tried):
        mailboxes = {"own": own(), "system": down(), "last": works()}
        *routes, last = (mailbox.route for mailbox in mailboxes.values())
        session = Session(routes, internal=True, last_resort=last if has_last_resort else None)
        try:
            assert session.open() is session
        except Undelivered as exc:
            report = exc.report
            assert (report.message_id, report.recipients, report.internal) == ("", (), True)
        assert [name for name, mailbox in mailboxes.items() if not mailbox.planned] == tried
        assert mailboxes[tried[-1]].route.open() is (own is works or "last" in tried)


class TestAnotherAddonsMailbox:
    def test_who_has_none_of_ours_gets_theirs(self):
        theirs = Unwatched("theirs")
        with pytest.raises(Unwatched) as caught:
            deliver(down(), Mailbox(theirs))
        assert caught.value.session == "theirs"
        assert str(caught.value) == "another addon's session"

    def test_it_is_left_alone_where_somebody_has_got_the_message(self):
        own = Mailbox(Connection(refused={CLEO: NOT_NOW}))
        report = deliver(own, Mailbox(Unwatched("theirs")), works(), to=[READER, CLEO])
        assert report.accepted == {READER: own.route}
        assert report.fate(CLEO) is Fate.DEFERRED


class TestDoubts:
    def test_each_recipient_whom_another_mailbox_accepted_is_one(self):
        unknown = {READER: UNKNOWN, CLEO: UNKNOWN_AT_DOT}
        own = Mailbox(Connection(refused=unknown))
        deliver(own, works(), to=unknown)
        assert own.doubted == [
            (own, failure, "<1@company.test>", reader) for reader, failure in unknown.items()
        ]

    @pytest.mark.parametrize(("answer", "asked"), [(UNKNOWN, 3), (NO_SUCH_USER, 3), (NOT_NOW, 5)])
    def test_the_second_mailbox_is_asked_until_it_has_refused_three(self, answer, asked):
        own, second = Connection(refused={READER: UNKNOWN}), Connection(*[answer] * 5)
        session = Session([Mailbox(own).route, Mailbox(second).route], internal=True)
        for _ in range(5):
            with contextlib.suppress(Undelivered):
                session.send_message(EmailMessage(), ANA, [READER])
        assert len(second.sent) == asked

    def test_what_the_first_mailbox_refuses_surely_does_not_count(self):
        own, second = Connection(*[NO_SUCH_USER] * 5, UNKNOWN), Connection()
        session = Session([Mailbox(own).route, Mailbox(second).route], internal=True)
        for _ in range(6):
            with contextlib.suppress(Undelivered):
                session.send_message(EmailMessage(), ANA, [READER])
        assert len(second.sent) == 1

    def test_the_author_who_is_distrusted_is_asked_about_at_the_dot_alone(self):
        system = works()
        report = deliver(works(UNKNOWN), system, is_distrusted=lambda: True)
        assert report.accepted == {READER: system.route}

    @pytest.mark.parametrize("distrusted", [True, False])
    def test_unknown_words_at_the_dot(self, distrusted):
        report = deliver(works(UNKNOWN_AT_DOT), works(), is_distrusted=lambda: distrusted)
        assert report.fate(READER) is (Fate.FAILED if distrusted else Fate.ACCEPTED)

    def test_no_mailbox_is_doubted_for_words_that_may_be_the_mails(self):
        mail = MailText(headers=["denied access: relay"])
        failure = Failure.from_reply(Phase.RCPT, 550, b"Relay access denied", mail=mail)
        assert classify(failure).rule == "unproven"
        own = works(failure)
        assert deliver(own, works()).fate(READER) is Fate.ACCEPTED
        assert not own.doubted
