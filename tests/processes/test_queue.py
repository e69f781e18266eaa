"""Mail that has the worker of the mail queue killed."""

from unittest.mock import patch

from measure.instance import environment

from ...sending import queue_run
from .company import AUTHOR, READER, Process


def run_queue():
    """As the scheduled action does."""
    with environment() as env:
        env["mail.mail"].process_email_queue()


def killed_at(server, phase):
    """A worker that runs the queue is killed when the server falls silent."""
    fault = server.fail(phase, action="hang")
    worker = Process(run_queue)
    server.wait(lambda _server: fault.struck)
    worker.kill()
    server.heal()


def deaths(ids):
    with environment() as env:
        return [
            (mail.system_mail_deaths, bool(mail.scheduled_date))
            for mail in env["mail.mail"].browse(ids)
        ]


def test_it_is_tried_alone_and_last_in_the_same_run(company):
    [first] = company.compose(author=AUTHOR)
    others = company.compose(3, author=READER) + company.compose(author=AUTHOR)
    killed_at(company.own, "data")
    assert not company.copies()
    Process(run_queue).join()
    [message_id] = company.mails([first])
    assert deaths([first, *others]) == [(1, False)] + [(0, False)] * 4
    order = [d.message["Message-Id"] for d in company.own.accepted]
    assert order[-1] == message_id
    assert company.own.accepted[-1].at > max(d.at for d in company.system.accepted)
    assert set(company.mails([first, *others]).values()) == {"sent"}
    assert set(company.copies().values()) == {1}


def test_the_second_time_it_is_put_off_and_the_others_were_sent(company):
    [first] = company.compose(author=AUTHOR)
    others = company.compose(3, author=READER)
    killed_at(company.own, "data")
    killed_at(company.own, "data")
    assert set(company.mails(others).values()) == {"sent"}
    Process(run_queue).join()
    assert deaths([first]) == [(2, True)]
    assert set(company.mails([first]).values()) == {"outgoing"}
    assert not company.own.accepted
    company.do("UPDATE mail_mail SET scheduled_date = NULL")
    Process(run_queue).join()
    assert set(company.mails([first]).values()) == {"sent"}


def test_a_mail_that_was_cut_short_before_is_not_taken_for_the_one(company):
    """The first one's server was silent for too long; the second one had the worker killed."""
    silent = company.own.fail("mail", action="hang")
    fault = company.system.fail("data", action="hang")
    [first] = company.compose(author=AUTHOR)
    [second] = company.compose(author=READER)
    with patch.object(queue_run, "TURN", 1):
        worker = Process(run_queue)
    company.own.wait(lambda _server: silent.struck)
    company.system.wait(lambda _server: fault.struck)
    worker.kill()
    company.own.heal()
    company.system.heal()
    Process(run_queue).join()
    assert deaths([first, second]) == [(0, False), (1, False)]


def test_a_run_that_goes_on_is_not_dead(company):
    fault = company.own.fail("data", action="hang")
    ids = company.compose(author=AUTHOR)
    worker = Process(run_queue)
    company.own.wait(lambda _server: fault.struck)
    with environment() as env:
        env["system.mail.queue.run"].blame_for_deaths()
    company.own.stop()
    worker.join()
    assert deaths(ids)[0][0] == 0
