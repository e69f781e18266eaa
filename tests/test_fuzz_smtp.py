"""Servers that say anything at any time: a mailbox always comes to a verdict, in time, and leaves
neither a socket nor a secret behind.
"""

import itertools
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ..failover.connection import Patience
from ..failover.envelope import trust_again
from ..failover.failure import Failure
from ..failover.policy import Fate
from ..failover.probe import probe
from ..failover.session import Route, Session, Undelivered
from .leaks import everything_about, none_from
from .property_tests import slow
from .smtp_lab import Liar, SmtpLab

IMPATIENT = Patience(log_in=0.3, command=0.1, body=0.2, dot=0.1, quit=0.05)
USER, SECRET = "ana", r"her\own word"
READERS = ("ben@company.test", "cleo@company.test")
SENT_TO_LOG_IN = 8
"""Characters, from which on a word of the log-in is taken for a secret."""
WITHOUT_SECRETS = (b"MAIL", b"RCPT", b"EHLO", b"QUIT")
HERE = "127.0.0.1"
TLS = ssl.create_default_context()


# --- what servers say

CODES = [b"220", b"235", b"250", b"251", b"334", b"354", b"421", b"450", b"535", b"554"]
codes = st.one_of(st.sampled_from(CODES), st.integers(0, 999).map(lambda code: b"%03d" % code))
lines = st.tuples(codes, st.sampled_from([b" ", b"-", b"\t"]), st.binary(max_size=40)).map(
    lambda parts: b"".join((*parts, b"\r\n"))
)
oddities = [
    b"",
    b"\0" * 100,
    b"250",
    b"250\n",
    b"334 !\r\n",
    b"250-\r\n",
    b"\xff\xfe\r\n",
    b"25\r\n",
]
replies = st.one_of(lines, st.binary(max_size=200), st.sampled_from(oddities))
pieces = replies.map(lambda reply: [reply[i : i + 7] for i in range(0, len(reply), 7)])
deeds = st.sampled_from(["close", "reset", "flood", "endless", "echo", 0.02, 0.2])
behaviours = st.lists(
    st.one_of(replies.map(lambda reply: [reply]), pieces, deeds.map(lambda deed: [deed])),
    max_size=4,
).map(lambda parts: [*itertools.chain(*parts)])
liars = st.dictionaries(st.sampled_from(Liar.PHASES), behaviours, min_size=1, max_size=3)
modes = st.sampled_from(["password", "password", "token", "starttls", "ssl"])


# --- what we do


def log_in(port, mode="password"):
    """Open a connection as Odoo does."""
    if mode == "ssl":
        return smtplib.SMTP_SSL(HERE, port, "here.test", timeout=60, context=TLS)
    connection = smtplib.SMTP(HERE, port, "here.test", timeout=60)
    connection.set_debuglevel(1)
    if mode == "starttls":
        connection.starttls(context=TLS)
    connection.trace.secrets += (SECRET,)
    if mode == "token":
        connection.ehlo_or_helo_if_needed()
        credentials = f"user={USER}\1auth=Bearer {SECRET}\1\1"
        connection.auth("XOAUTH2", lambda challenge=None: "" if challenge else credentials)
    else:
        connection.login(USER, SECRET)
    connection.ehlo_or_helo_if_needed()
    return connection


def message():
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "ana@company.test"
    mail["To"] = ", ".join(READERS)
    mail["Message-Id"] = "<1@company.test>"
    mail.set_content("See this\n.\nand that\n" * 100)
    return mail


def send(port, mode="password", behind=None, internal=False):
    """The report on one message by the mailbox and, where there is one, by the lab's server behind
    it; and the error, if it was sent to nobody.
    """
    routes = [Route("own", lambda: log_in(port, mode), name="own", patience=IMPATIENT)]
    if behind:
        routes.append(Route("system", lambda: log_in(behind.port), name="system"))
    session, reports = Session(routes, internal=internal), []
    session.on_report = reports.append
    try:
        session.open().send_message(message(), "ana@company.test", list(READERS))
    except Undelivered as exc:
        return exc.report, exc
    finally:
        session.quit()
    return reports[-1], None


def secrets(liar):
    """The password, and all that was sent from AUTH to whatever came after it."""
    yield from (SECRET, repr(SECRET)[1:-1])
    for line in itertools.dropwhile(lambda line: not line.startswith(b"AUTH"), liar.heard):
        word = line.split()[-1] if line.strip() else b""
        if line[:4].upper() not in WITHOUT_SECRETS and len(word) >= SENT_TO_LOG_IN:
            yield word.decode("latin-1")


# --- what holds


@slow(20)
@given(says=liars, mode=modes, internal=st.booleans(), pipelining=st.booleans())
@example({"auth": ["echo"]}, "password", False, True)
@example({"auth": [b"334 R28gb24=\r\n", "echo"]}, "password", False, True)
@example({"auth": ["echo"]}, "token", False, True)
@example({"auth": [b"334 !\r\n"]}, "password", False, True)
@example({"banner": ["endless"]}, "password", False, True)
@example({"dot": ["endless"]}, "password", False, True)
@example({"rcpt": ["flood"]}, "password", False, True)
@example({"rcpt": ["echo"]}, "password", False, True)
@example({"starttls": [b"220 Go on\r\n250 AUTH PLAIN\r\n"]}, "starttls", False, True)
@example({"banner": [b"220 hi\r\n250 a\r\n250 b\r\n250 c\r\n"]}, "password", False, True)
@example({"mail": [b"550 No\r\n"]}, "password", True, True)
@example({"rcpt": [b"550 No\r\n"]}, "password", True, True)
@example({"rcpt": ["close"]}, "password", True, True)
def test_each_recipient_comes_to_something(says, mode, internal, pipelining):
    trust_again()
    liar = Liar(says, pipelining)
    with none_from(liar, secrets) as told:
        report, error = send(liar.port, mode, internal=internal)
        told += [repr(report), *everything_about(error)]
    if error and "" in report.troubles:  # no mailbox could be opened
        assert report.fate("") in Fate
    else:
        fates = {report.fate(reader) for reader in READERS}
        assert Fate.ACCEPTED not in fates or liar.dots
        assert bool(error) == (Fate.ACCEPTED not in fates)


@slow(20)
@given(says=liars, mode=modes)
@example({"auth": [b"334 R28gb24=\r\n"], "quit": [2.0]}, "password")
def test_a_look_at_the_mailbox_ends(says, mode):
    liar = Liar(says)
    with none_from(liar, secrets) as told:
        failure = probe(lambda: log_in(liar.port, mode), IMPATIENT, "ana@company.test")
        told += [repr(failure)]
    assert failure is None or isinstance(failure, Failure)


@pytest.fixture(scope="module", name="lab")
def _lab():
    with SmtpLab() as lab:
        yield lab


single = st.one_of(
    codes.map(lambda code: [code + b" As you say\r\n"]),
    st.sampled_from([["close"], ["reset"], [0.2]]),
)
answers = st.dictionaries(st.sampled_from(Liar.PHASES), single, min_size=1, max_size=3)


@slow(20)
@given(says=answers, pipelining=st.booleans())
@example({"dot": [b"251 2.0.0 Queued\r\n"]}, False)
@example({"dot": [b"354 Go on\r\n"]}, False)
@example({"mail": [b"550 No\r\n"]}, True)
@example({"rcpt": [b"550 No\r\n"]}, True)
@example({"mail": [b"550 No\r\n"], "dot": ["close"]}, True)
def test_nobody_but_a_colleague_gets_it_where_somebody_may_have_it(lab, says, pipelining):
    """For mail to others, System Mail never sends what the mailbox may have accepted."""
    trust_again()
    system = lab.server(logins={USER: SECRET})
    try:
        with Liar(says, pipelining) as liar:
            report, _error = send(liar.port, behind=system)
        copies = [reader for sent in system.accepted for reader in sent.rcpt_to]
        assert len(copies) == len({*copies})
        for reader in READERS:
            by = report.accepted.get(reader)
            assert (by is not None and by.name == "system") == (reader in copies)
            if liar.dots and (reader in copies or report.fate(reader) is Fate.DEFERRED):
                assert says["dot"][0][:1] in (b"4", b"5"), "only a clear no is one"
    finally:
        system.stop()
