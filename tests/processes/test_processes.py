"""Several workers, and what may happen to them. The servers' ledger is what counts."""

import contextlib
import itertools
import multiprocessing
import threading

import psycopg2
import pytest

from odoo import sql_db

from measure.instance import environment

from ...tools.own_cursor import own_environment
from .company import PATIENCE, Process

REJECTED = "535 5.7.8 Username and Password not accepted"


# --- what a worker does


def send(ids, barrier=None, undo=False):
    """As a person's request does: committed, or undone, when all is sent."""
    with environment() as env:
        mails = env["mail.mail"].browse(ids)
        mails.mapped("state")  # the snapshot is taken
        if barrier:
            barrier.wait(20)
        mails.send()
        if undo:
            env.cr.rollback()


def send_and_wait(ids, sent):
    """As a person's request does, but it never comes to its commit."""
    with environment() as env:
        env["mail.mail"].browse(ids).send()
        sent.set()
        threading.Event().wait()


def run_queue(ids):
    """As the scheduled action does: committed mail by mail."""
    with environment() as env:
        env["mail.mail"].process_email_queue(email_ids=ids)


def keep_running_queue(ids):
    """As the scheduled action does, time and again, until there is nothing left."""
    left = True
    while left:
        with contextlib.suppress(psycopg2.Error):
            run_queue(ids)
            with environment() as env:
                waiting = [("id", "in", ids), ("state", "=", "outgoing")]
                left = env["mail.mail"].search_count(waiting)


def send_without_own_cursor(ids):
    with environment() as env:
        sql_db._Pool._maxconn = 1  # it is in use
        env["mail.mail"].browse(ids).send()


def probe():
    with environment() as env:
        env["system.mail.health"]._cron_probe()


def send_together(*batches):
    """A worker for each of the batches of mails, all at once."""
    barrier = multiprocessing.get_context("fork").Barrier(len(batches))
    workers = [Process(send, ids, barrier) for ids in batches]
    for worker in workers:
        worker.join()


def all_once(company, ids):
    """Each of the mails is sent, and was accepted once."""
    copies = company.copies()
    return company.mails(ids) == dict.fromkeys(copies, "sent") and set(copies.values()) == {1}


# --- several at once


def test_workers_that_find_a_mailbox_dead_at_the_same_time(company):
    company.own.fail("auth", reply=REJECTED)
    company.own.latency = 0.05
    batches = [company.compose(3) for _ in range(3)]
    send_together(*batches)
    assert all_once(company, [*itertools.chain(*batches)])
    assert len(company.copies(company.system)) == 9
    assert 1 <= len(company.own.attempts) <= 3, "one log-in each, at most"
    assert company.health(company.own) == ("disconnected", 1), "what came late was dropped"
    assert company.events() == {"fallback": 9, "disconnected": 1}
    send_together(company.compose())
    assert len(company.own.connections) <= 3, "every worker knows"


def test_workers_that_send_from_one_healthy_mailbox(company):
    """Odoo counts a mailbox's mails in a row that they all write."""
    company.own.latency = 0.02
    batches = [company.compose(3) for _ in range(3)]
    send_together(*batches)
    assert all_once(company, [*itertools.chain(*batches)])
    assert len(company.copies(company.own)) == 9
    assert company.health(company.own) == ("connected", 0)
    assert not company.events()


def test_workers_that_send_at_a_limit_pass_it_at_no_time(company):
    company.own.fail("auth", reply=REJECTED)
    company.system.latency = 0.02
    batches = [company.compose(3) for _ in range(3)]
    with company.limit_of_a_day(4):
        send_together(*batches)
        ids = [*itertools.chain(*batches)]
        assert sorted(company.mails(ids).values()) == ["outgoing"] * 5 + ["sent"] * 4
        assert list(company.copies().values()) == [1] * 4
        send_together(ids)
        assert len(company.copies()) == 4, "those who wait count past nobody"


def test_workers_that_send_mails_of_one_message(company):
    """Odoo writes the message's row for each of its mails."""
    company.own.latency = 0.02
    first = company.compose()
    second = company.compose(another_of=first[0])
    send_together(first, second)
    assert set(company.mails(first + second).values()) == {"sent"}
    assert list(company.copies().values()) == [2], "a copy for each mail"


def test_nobodys_mail_tries_a_mailbox_that_was_out_of_order(company):
    """Not even long after its probe was due: a log-in of the scheduled action does."""
    put_out_of_order(company)
    before = len(company.own.connections)
    send_together(*(company.compose() for _ in range(2)))
    assert len(company.own.connections) == before
    for worker in [Process(probe) for _ in range(3)]:
        worker.join()
    assert len(company.own.connections) == before + 1
    assert not company.own.accepted
    assert company.health(company.own) == ("connected", 0)
    send_together(company.compose())
    assert set(company.copies().values()) == {1}
    assert len(company.own.accepted) == 1


def test_of_two_workers_that_find_a_probe_due_one_gets_the_lease(company):
    put_out_of_order(company)
    with environment() as env, own_environment(env) as mine, own_environment(env) as theirs:
        health, same = (
            e["system.mail.health"].search([("server_id.name", "=", "own")]) for e in (mine, theirs)
        )
        assert health.generation == same.generation, "both have read it"
        assert health._lease_if_due()
        assert not same._lease_if_due(), "it does not even wait"
        mine.cr.commit()
        assert not same._lease_if_due()


def put_out_of_order(company):
    """The author's mailbox was, and should have been probed for long. It works by now."""
    company.own.fail("auth", reply=REJECTED)
    send_together(company.compose())
    company.own.heal()
    company.do(
        "UPDATE system_mail_health SET next_probe_at = now() - interval '1 hour'"
        " WHERE breaker_state != 'closed'"
    )


def test_a_mailbox_that_works_again_wakes_no_mail_that_is_in_hand(company):
    """It wakes what waits for it by another connection to the database."""
    for server in (company.own, company.system):
        server.fail("banner", reply="421 4.3.2 Shutting down")
    ids = company.compose(2)
    send_together(ids)
    assert set(company.mails(ids).values()) == {"outgoing"}
    company.own.heal()
    send_together(ids)
    assert all_once(company, ids)
    assert company.health(company.own) == ("connected", 0)


# --- killed


def test_a_worker_killed_before_the_dot_has_sent_nothing(company):
    fault = company.own.fail("data", action="hang")
    ids = company.compose()
    worker = Process(run_queue, ids)
    company.own.wait(lambda _server: fault.struck)
    worker.kill()
    assert set(company.mails(ids).values()) == {"outgoing"}
    assert not company.copies()
    company.own.heal()
    Process(run_queue, ids).join()
    assert all_once(company, ids)


def test_a_worker_killed_at_the_dot_sends_that_one_mail_again(company):
    ids = company.compose(5)
    third = sorted(ids)[2]
    [message_id] = company.mails([third])
    accepted, killed = threading.Event(), threading.Event()

    def pause(delivery):
        if delivery.message["Message-Id"] == message_id and not killed.is_set():
            accepted.set()
            killed.wait(10)

    company.own.on_accepted = pause
    worker = Process(run_queue, ids)
    assert accepted.wait(20)
    worker.kill()
    killed.set()
    assert sorted(company.mails(ids).values()) == ["outgoing"] * 3 + ["sent"] * 2
    Process(run_queue, ids).join()
    assert set(company.mails(ids).values()) == {"sent"}
    assert company.copies() == {**dict.fromkeys(company.mails(ids), 1), message_id: 2}


def test_a_worker_killed_after_the_dot_leaves_the_mailbox_healthy_and_sends_again(company):
    sent = multiprocessing.get_context("fork").Event()
    ids = company.compose()
    worker = Process(send_and_wait, ids, sent)
    assert sent.wait(PATIENCE)
    worker.kill()
    [message_id] = company.mails(ids)
    assert company.mails(ids) == {message_id: "outgoing"}
    assert company.health(company.own) == ("connected", 0), "written before"
    Process(send, ids).join()
    assert company.mails(ids) == {message_id: "sent"}
    assert company.copies() == {message_id: 2}, "the same Message-ID"


def test_a_worker_of_the_queue_killed_after_the_dot_sends_nothing_again(company):
    fault = company.own.fail("quit", action="hang")
    ids = company.compose(2)
    worker = Process(run_queue, ids)
    company.own.wait(lambda _server: fault.struck)
    worker.kill()
    company.own.heal()
    Process(run_queue, ids).join()
    assert all_once(company, ids)


def test_a_worker_killed_after_it_put_a_mail_off_leaves_it_put_off(company):
    """And the next one, which it had in hand, goes out as soon as the queue is looked at again."""
    company.own.fail("auth", reply=REJECTED)
    first = company.compose()
    Process(send, first).join()  # the first success of a mailbox wakes what waits
    company.system.pipelining = False  # or DATA would be asked of the first mail, too
    company.system.fail("rcpt", reply="450 4.2.1 Busy", times=1)
    fault = company.system.fail("data", action="hang")
    ids = company.compose(2)
    worker = Process(run_queue, ids)
    company.system.wait(lambda _server: fault.struck)
    worker.kill()
    assert set(company.mails(ids).values()) == {"outgoing"}
    assert company.events() == {"fallback": 1, "deferred": 1, "disconnected": 1}
    company.system.heal()
    Process(run_queue, ids).join()
    assert sorted(company.mails(ids).values()) == ["outgoing", "sent"], "one is not due yet"
    company.do("UPDATE mail_mail SET scheduled_date = NULL")
    Process(run_queue, ids).join()
    assert all_once(company, [*first, *ids])


# --- undone, or without a database


def test_a_rollback_forgets_nothing_that_left_the_building(company):
    company.own.fail("auth", reply=REJECTED)
    ids = company.compose()
    Process(send, ids, None, True).join()
    [message_id] = company.mails(ids)
    assert company.mails(ids) == {message_id: "outgoing"}
    assert company.copies() == {message_id: 1}
    assert company.health(company.own) == ("disconnected", 1)
    assert company.events() == {"fallback": 1, "disconnected": 1}
    Process(send, ids).join()
    assert company.mails(ids) == {message_id: "sent"}
    assert company.copies() == {message_id: 2}, "the same Message-ID"


@pytest.mark.parametrize("works", [True, False], ids=["healthy mailbox", "dead mailbox"])
def test_sending_goes_on_where_no_second_connection_to_the_database_can_be_had(company, works):
    if not works:
        company.own.fail("auth", reply=REJECTED)
    ids = company.compose(2)
    Process(send_without_own_cursor, ids).join()
    assert all_once(company, ids)
    assert len(company.copies(company.own if works else company.system)) == 2
    assert company.health(company.own) is None


def test_postgresql_restarts_under_a_running_queue(company):
    company.own.fail("auth", reply=REJECTED)
    batches = [company.compose(20) for _ in range(2)]
    company.system.latency = 0.01
    workers = [Process(keep_running_queue, ids) for ids in batches]
    company.system.wait(lambda server: server.accepted_count >= 10)
    company.restart_postgres()
    for worker in workers:
        worker.join()
    ids = [*itertools.chain(*batches)]
    copies = company.copies()
    assert company.mails(ids) == dict.fromkeys(copies, "sent")
    again = sum(copies.values()) - len(copies)
    assert again <= len(workers), "no more than one each was accepted and not yet committed"
    assert max(copies.values()) <= 2
