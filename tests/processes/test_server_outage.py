"""A mail server that many mailboxes share, and several workers that find it down or back."""

import datetime
import itertools
from collections import Counter

import pytest

from odoo import fields

from measure import instance
from measure.instance import environment

from ...tools.own_cursor import own_environment
from .company import Mailbox, Process
from .test_processes import probe, send, send_together

PEOPLE = 24
CONNECTIONS_TO_A_SILENT = 2
"""In one wait: the second one asks whether it waits for TLS to begin."""


class Provider:
    """A server with many people's mailboxes.

    :param Company company: where they work
    :param SmtpServer server: of the lab
    """

    count = itertools.count()

    def __init__(self, company, server):
        self.company, self.server = company, server
        with environment() as env:
            reader = env["res.users"].search([("login", "=", "Ben Reader")]).partner_id
            self.servers, self.mails = [], []
            for number in itertools.islice(self.count, PEOPLE):
                mailbox = Mailbox(f"person {number}", f"person{number}@company.test", "secret")
                server.logins[mailbox.address] = mailbox.password
                author = instance.user(env, mailbox.name, mailbox.address)
                self.servers.append(instance.server(env, mailbox, server.port, author).id)
                mails = env["mail.mail"].with_user(author).sudo()
                values = {
                    "subject": "Hello",
                    "body_html": "<p>See this</p>",
                    "email_from": author.email_formatted,
                    "author_id": author.partner_id.id,
                    "recipient_ids": [(6, 0, reader.ids)],
                }
                self.mails.append(mails.create([dict(values) for _ in range(2)]).ids)

    def states(self):
        with environment() as env:
            healths = env["system.mail.health"].search([("server_id", "in", self.servers)])
            return Counter(healths.mapped("state"))

    def row(self, env):
        return env["system.mail.server.health"].search([("port", "=", self.server.port)])

    def make_due(self):
        self.company.do(
            "UPDATE system_mail_server_health"
            " SET next_probe_at = now() AT TIME ZONE 'utc' - interval '1 minute'"
        )

    def close(self):
        with environment() as env:
            servers = env["ir.mail_server"].browse(self.servers)
            owners = servers.owner_user_id
            servers.unlink()
            owners.active = False


@pytest.fixture(name="provider")
def _provider(company, lab):
    provider = Provider(company, lab.server("provider"))
    yield provider
    provider.close()


def test_a_silent_provider_costs_few_waits_and_one_probe_frees_all(company, provider):
    server = provider.server
    Process(send, [mails[0] for mails in provider.mails]).join()
    assert provider.states() == {"connected": PEOPLE}
    connections = len(server.connections)
    server.fail("banner", action="hang")
    third = PEOPLE // 3
    batches = [
        [mails[1] for mails in provider.mails[begin : begin + third]]
        for begin in range(0, PEOPLE, third)
    ]
    send_together(*batches)
    made = len(server.connections) - connections
    assert made <= 3 * CONNECTIONS_TO_A_SILENT, "a wait of each worker, at the same time"
    assert len(company.copies(company.system)) == PEOPLE, "nobody's mail waited for it"
    assert provider.states() == {"unstable": PEOPLE}

    server.heal()
    provider.make_due()
    for worker in [Process(probe) for _ in range(3)]:
        worker.join()
    assert len(server.connections) == connections + made + 1, "one worker alone"
    assert provider.states() == {"connected": PEOPLE}


def test_of_two_workers_that_find_a_probe_due_one_gets_the_lease(provider):
    provider.server.fail("banner", action="hang")
    Process(send, provider.mails[0]).join()
    provider.make_due()
    with environment() as env, own_environment(env) as mine, own_environment(env) as theirs:
        rows = mine["system.mail.server.health"], theirs["system.mail.server.health"]
        place = rows[0].place(env["ir.mail_server"].browse(provider.servers[0]))
        assert provider.row(theirs).generation == provider.row(mine).generation
        assert rows[0].lease(place)
        assert not rows[1].lease(place), "it does not even wait"
        mine.cr.commit()
        theirs.invalidate_all()
        assert not rows[1].lease(place)


def test_a_check_goes_on_where_a_sender_writes_of_the_same_server(company, provider):
    provider.server.fail("banner", action="hang")
    Process(send, provider.mails[0]).join()
    provider.server.heal()
    company.do("UPDATE system_mail_health SET next_probe_at = '2026-01-01'")
    with environment() as env:
        row = provider.row(env)
        assert row.next_probe_at  # its transaction has begun
        company.do("UPDATE system_mail_server_health SET slow_seconds = 1")
        env["system.mail.health"]._cron_probe()
    assert provider.states() == {"connected": 1}


def test_windows_and_leases_go_by_the_clock_of_the_database(provider, monkeypatch):
    """The clock of this host is an hour ahead."""
    ahead = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(hours=1)
    monkeypatch.setattr(fields.Datetime, "now", staticmethod(lambda *_args: ahead))
    provider.server.fail("banner", action="hang")
    Process(send, provider.mails[0]).join()
    with environment() as env:
        due = provider.row(env).next_probe_at
        env.cr.execute("SELECT now() AT TIME ZONE 'utc'")
        [now] = env.cr.fetchone()
        assert -30 < (due - now).total_seconds() < 60
