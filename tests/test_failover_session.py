"""One route and one session, by connections that say what they are told to say."""

from email.message import EmailMessage

from ..failover.connection import MailboxError, Outcome, Patience, Trace
from ..failover.failure import Effect, Failure, Kind, Phase, Verdict
from ..failover.policy import Fate
from ..failover.rules import classify
from ..failover.session import Route, RouteClosed, Session

READER = "ben@company.test"
REJECTED = Failure(Phase.MAIL, 535, "5.7.8", "Not accepted", Kind.REPLY)
SILENT = Failure(Phase.DOT, kind=Kind.TIMEOUT)


class Connection:
    """A connection that accepts messages, but for those that it is told to fail."""

    def __init__(self, *failures):
        self.trace, self.lost, self._failures = Trace(Patience()), False, list(failures)

    def send_message(self, _message, _from_addr, to_addrs):
        if self._failures:
            failure = self._failures.pop(0)
            self.lost = failure.kind is not Kind.REPLY
            return Outcome((), dict.fromkeys(to_addrs, failure))
        return Outcome(tuple(to_addrs), {}, "2.0.0 Ok")

    def close(self):
        self.lost = True


class Mailbox:
    """A route whose every connection is planned: an exception to raise, or a Connection."""

    def __init__(self, *connections, refresh_raises=None, with_token=True):
        self.planned, self.refreshed, self.blamed = list(connections), 0, []
        self.refresh_raises = refresh_raises
        self.route = Route(
            self,
            self._connect,
            name="own",
            refresh=self._refresh if with_token else None,
            on_failure=lambda _mailbox, _failure, decision: self.blamed.append(decision.rule),
        )

    def _connect(self):
        connection = self.planned.pop(0)
        if isinstance(connection, Exception):
            raise connection
        return connection

    def _refresh(self):
        self.refreshed += 1
        if self.refresh_raises:
            raise self.refresh_raises

    def send(self):
        return self.route.send(EmailMessage(), "ana@company.test", [READER], "ana@company.test")


def refused(code=535, enhanced="5.7.8", text="Username and Password not accepted"):
    return MailboxError(Failure(Phase.AUTH, code, enhanced, text, Kind.REPLY))


class TestANewAccessToken:
    def test_it_is_fetched_once_where_the_log_in_is_refused(self):
        mailbox = Mailbox(refused(), Connection())
        assert mailbox.send().accepted == (READER,)
        assert mailbox.refreshed == 1
        assert not mailbox.blamed

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

    def test_no_other_trouble_asks_for_it(self):
        mailbox = Mailbox(refused(454, "4.7.0", "Temporary failure"))
        assert not mailbox.route.open()
        assert not mailbox.refreshed

    def test_a_mailbox_that_another_worker_found_dead_is_left_alone(self):
        closed = RouteClosed(REJECTED, classify(REJECTED))
        mailbox = Mailbox(refused(), closed)
        assert not mailbox.route.open()
        assert not mailbox.blamed


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
        session.open().send_message(EmailMessage(), "ana@company.test", [READER])
        assert [report.fate(READER) for report in reports] == [Fate.ACCEPTED]
