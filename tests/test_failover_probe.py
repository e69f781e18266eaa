"""Trying a mailbox without a message, at real servers."""

import base64
import smtplib

import pytest

from ..failover.connection import Patience
from ..failover.failure import Kind, Phase
from ..failover.probe import probe
from .smtp_lab import SmtpLab

PATIENT = Patience(log_in=5, command=5, quit=5)
SENDER = "ana@company.test"


@pytest.fixture(name="server")
def _server():
    with SmtpLab() as lab:
        yield lab.server()


def found(server, sender=None, login=(), on_success=None):
    """What failed, or None."""

    def connect():
        connection = smtplib.SMTP(server.host, server.port, local_hostname="here.test", timeout=9)
        connection.ehlo()
        if login:
            connection.login(*login)
        return connection

    return probe(connect, PATIENT, sender, on_success)


def said(server):
    """What the server was told, but for the greeting."""
    [connection] = server.connections
    return [command.partition(" ")[0].lower() for command in connection.commands][1:]


def test_a_mailbox_that_answers_is_well_and_left_politely(server):
    assert found(server) is None
    assert said(server) == ["noop", "quit"]


def test_it_is_asked_whether_it_may_send_as_somebody(server):
    assert found(server, SENDER) is None
    assert said(server) == ["noop", "mail", "quit"]
    assert not server.accepted


def test_any_2xx_is_a_yes(server):
    server.fail("noop", reply="252 2.0.0 As you like")
    assert found(server) is None


def test_what_it_says_is_told_with_the_phase(server):
    server.fail("mail", reply="550 5.7.60 Not this sender")
    failure = found(server, SENDER)
    assert (failure.phase, failure.code, failure.enhanced) == (Phase.MAIL, 550, "5.7.60")
    assert failure.text == "Not this sender"
    assert found(server) is None


def test_where_it_does_not_answer_nothing_more_is_asked(server):
    server.fail("noop", reply="451 4.3.0 Not now")
    failure = found(server, SENDER)
    assert (failure.phase, failure.code) == (Phase.EHLO, 451)
    assert "mail" not in said(server)


def test_a_log_in_that_it_repeats_is_not_told(server):
    server.logins = {"ana": "horse"}
    said = base64.b64encode(b"\0ana\0horse").decode()
    server.fail("mail", reply=f"550 5.7.1 Who says {said}?")
    assert found(server, SENDER, login=("ana", "horse")).text == "Who says ***?"


def test_what_works_is_told_with_the_certificate(server):
    told = []
    assert found(server, on_success=told.append) is None
    assert told == [b""], "without encryption"
    server.fail("noop", reply="451 4.3.0 Not now")
    assert found(server, on_success=told.append)
    assert len(told) == 1


def test_a_line_that_drops(server):
    server.fail("noop", action="drop")
    assert found(server).kind is Kind.DROP


def test_where_sending_is_disabled_nothing_is_wrong():
    assert probe(lambda: None, PATIENT) is None
