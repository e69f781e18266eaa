"""Many mailboxes, checked at once by the threads of one process."""

import threading
import time
from collections import Counter

import pytest

from odoo.tools import config

from measure import instance
from measure.instance import environment

from ...failover.failure import Phase
from .company import SMTP_TIMEOUT, Mailbox, Process


class Mailboxes:
    """Mailboxes beside the company's own; gone at the end."""

    def __init__(self, lab):
        self.lab, self.ids = lab, []

    def at(self, server, count):
        """Found so many at the server of the lab."""
        with environment() as env:
            for _ in range(count):
                number = len(self.ids)
                mailbox = Mailbox(f"{number}", f"person{number}@company.test", "secret")
                server.logins[mailbox.address] = mailbox.password
                self.ids.append(instance.server(env, mailbox, server.port).id)

    def of(self, env):
        """Their records."""
        return env["ir.mail_server"].browse(self.ids)

    def check(self, **options):
        """:return: what was found and the seconds that it took"""
        begin = time.monotonic()
        with environment() as env:
            troubles = dict(self.of(env).system_mail_check_in_parallel(**options))
        return list(troubles.values()), time.monotonic() - begin

    def states(self):
        """``{state: count}`` of their health."""
        with environment() as env:
            health = env["system.mail.health"].search([("server_id", "in", self.ids)])
            return Counter(health.mapped("state"))


@pytest.fixture(name="mailboxes")
def _mailboxes(company, lab):
    found = Mailboxes(lab)
    yield found
    with environment() as env:
        found.of(env).unlink()


class Watch(threading.Thread):
    """Looks at a server until its ``end``, which tells how many were connected at once."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self._server, self._peak, self._over = server, 0, threading.Event()
        self.start()

    def run(self):
        while not self._over.wait(0.002):
            count = sum(connection.open for connection in self._server.connections)
            self._peak = max(self._peak, count)

    def end(self):
        self._over.set()
        self.join()
        return self._peak


def test_silent_mailboxes_cost_the_time_of_one(mailboxes, lab):
    mailboxes.at(lab.silent_server(), 8)
    mailboxes.at(lab.server("healthy"), 40)
    troubles, seconds = mailboxes.check()
    assert seconds < 1.5 * SMTP_TIMEOUT
    assert [t for t in troubles[:40] if t] == [], "the others did not wait for them"
    assert {decision.rule for _failure, decision in troubles[40:]} == {"unavailable"}
    assert mailboxes.states() == {"connected": 40, "unstable": 8}


def test_a_host_bears_16_at_once(mailboxes, lab):
    host = lab.server("host", latency=0.05)
    mailboxes.at(host, 40)
    watch = Watch(host)
    troubles, _seconds = mailboxes.check()
    assert troubles == [None] * 40
    assert watch.end() == 16


def test_checks_leave_half_of_the_connections_to_the_database_to_others(mailboxes, lab):
    host = lab.server("host", latency=0.05)
    mailboxes.at(host, 10)
    watch, connections = Watch(host), config["db_maxconn"]
    config["db_maxconn"] = 6
    try:
        mailboxes.check()
    finally:
        config["db_maxconn"] = connections
    assert watch.end() == 3


def test_who_waits_for_a_mailbox_keeps_no_transaction_open(mailboxes, lab):
    silent = lab.silent_server()
    mailboxes.at(silent, 8)
    instance.rest()
    checks = threading.Thread(target=mailboxes.check)
    checks.start()
    silent.wait(lambda server: len(server.connections) == 2)
    with environment() as env:
        env.cr.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid != pg_backend_pid() AND state LIKE 'idle in transaction%'"
        )
        assert env.cr.fetchone() == (1,), "the caller's own"
    checks.join()
    assert mailboxes.states() == {"unstable": 8}


def test_the_callers_transaction_is_its_own(mailboxes, lab):
    """It may be rolled back, and what was found is known all the same."""
    broken = lab.server("broken")
    broken.fail("auth", reply="535 5.7.8 Rejected")
    mailboxes.at(broken, 3)
    mailboxes.at(lab.server("healthy"), 3)
    with environment() as env:
        servers = mailboxes.of(env)
        servers.name = "written, not committed"
        env.flush_all()
        assert len(list(servers.system_mail_check_in_parallel(always=True))) == 6
        assert set(servers.mapped("name")) == {"written, not committed"}
        env.cr.rollback()
        assert "written, not committed" not in servers.mapped("name")
    assert mailboxes.states() == {"connected": 3, "disconnected": 3}


def test_who_leaves_early_leaves_no_check_behind(mailboxes, lab):
    host = lab.server("host", latency=0.05)
    mailboxes.at(host, 40)
    with environment() as env:
        for _server, _trouble in mailboxes.of(env).system_mail_check_in_parallel(workers=4):
            break
    assert not any(connection.open for connection in host.connections)
    assert len(host.connections) <= 8
    assert mailboxes.states() == {"connected": len(host.connections)}


def test_time_that_is_up(mailboxes, lab):
    mailboxes.at(lab.silent_server(), 4)
    mailboxes.at(lab.server("healthy"), 4)
    troubles, _seconds = mailboxes.check(workers=2, seconds=SMTP_TIMEOUT / 2)
    assert len(troubles) < 8
    assert sum(mailboxes.states().values()) == len(troubles), "those under way counted"


def test_the_sweep_as_a_cron_of_a_server(company, mailboxes, lab):
    mailboxes.at(lab.silent_server(), 4)
    mailboxes.at(lab.server("healthy"), 30)
    with environment() as env:
        cron = env.ref("system_mail.ir_cron_sweep")
        cron.method_direct_trigger()
    with environment() as env:
        progress = env["ir.cron.progress"].search([("cron_id", "=", cron.id)], order="id")
        assert sum(progress.mapped("done")) == len(mailboxes.ids) + 2, "and the company's own two"
        assert progress[-1].remaining == 0
    assert mailboxes.states() == {"connected": 30, "unstable": 4}
    assert company.health(company.own) == ("connected", 0)


def probe():
    with environment() as env:
        env["system.mail.health"]._cron_probe()


def test_two_workers_that_probe_try_each_mailbox_once(company, mailboxes, lab):
    host = lab.server("host", latency=0.02)
    mailboxes.at(host, 40)
    mailboxes.check()
    company.do(
        "UPDATE system_mail_health SET breaker_state = 'open', state = 'unstable',"
        " next_probe_at = now() AT TIME ZONE 'utc' - interval '1 minute'"
    )
    workers = [Process(probe) for _ in range(2)]
    for worker in workers:
        worker.join()
    attempts = Counter(attempt.login for attempt in host.attempts)
    assert set(attempts.values()) == {2}, "the check and one probe"
    assert mailboxes.states() == {"connected": 40}


def test_what_a_worker_reads_is_of_one_moment(company, mailboxes, lab):
    """Another worker's success may be committed while it reads, and empties what told of the
    failure.
    """
    broken = lab.server("broken")
    broken.fail("auth", reply="535 5.7.8 Rejected")
    mailboxes.at(broken, 1)
    mailboxes.check()

    def failure(health):
        company.do(
            "UPDATE system_mail_health SET breaker_state = 'closed', state = 'connected',"
            " phase = NULL, kind = NULL, next_probe_at = NULL"
        )
        return health.breaker_state, health._breaker(), health._last_failure()

    with environment() as env:
        state, breaker, failed = env["system.mail.health"]._read(mailboxes.of(env), failure, None)
    assert state == breaker.state == "open"
    assert breaker.next_probe_at
    assert (failed.phase, failed.code) == (Phase.AUTH, 535)
