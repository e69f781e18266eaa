"""An application's tokens on connections of their own to the database, as workers have them, and
what a dump of the database has of its secrets.
"""

import logging
import multiprocessing

import pytest
from cryptography.fernet import Fernet

from measure import instance
from measure.instance import environment

from ...connect.keys import make_key_pair, read_private_key
from ...constants import OAUTH
from ...tools.encrypted import VARIABLE, in_clear
from ..oauth_lab import Application, OAuthLab
from .company import SYSTEM, Process
from .test_processes import send

CLIENT_ID, SECRET = "11111111-2222-3333-4444-555555555555", "hush~hush~hush"


class SystemMail:
    """The company's System Mail at a provider that knows an application. Ana's own mailbox rejects
    her password.
    """

    def __init__(self, lab, company):
        self.lab, self.company = lab, company
        self.application = Application(secret=SECRET, mailboxes=[SYSTEM.address])
        lab.applications[CLIENT_ID] = self.application
        lab.on_token = company.system.tokens.__setitem__
        company.system.logins.clear()
        company.own.fail("auth", reply="535 5.7.8 Rejected")

    def register(self, env, **values):
        return env["system.mail.oauth.provider"].create(
            {
                "name": "Lab Application",
                "grant": "client_credentials",
                "client_id": CLIENT_ID,
                "client_secret_input": SECRET,
                "token_endpoint": self.lab.token_endpoint,
                "scope": self.application.scope,
                "smtp_host": self.company.system.host,
                "smtp_port": self.company.system.port,
                "smtp_encryption": "none",
                **values,
            }
        )

    @staticmethod
    def connect(env, provider):
        """As an integrator does, by the ORM."""
        env.company.system_mail_server_id.write(
            {
                "smtp_authentication": OAUTH,
                "system_mail_login": SYSTEM.address,
                "system_mail_provider_id": provider.id,
            }
        )


@pytest.fixture(name="system_mail")
def _system_mail(company, monkeypatch):
    # oauthlib wants https of all but the tests of its users
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    with OAuthLab() as lab:
        yield SystemMail(lab, company)
    monkeypatch.delenv(VARIABLE, raising=False)  # else the next tests cannot read the password
    with environment() as env:
        company.forget_sign_in(env, "Lab Application")


def test_two_workers_that_need_its_first_token_fetch_one(system_mail):
    with environment() as env:
        system_mail.connect(env, system_mail.register(env))
    system_mail.lab.latency = 0.5
    company = system_mail.company
    ids, barrier = company.compose(2), multiprocessing.get_context("fork").Barrier(2)
    workers = [Process(send, [mail_id], barrier) for mail_id in ids]
    for worker in workers:
        worker.join()
    assert set(company.copies(company.system).values()) == {1}
    assert len(company.copies(company.system)) == 2
    assert len(system_mail.lab.requests) == 1, "the other one waited for it"


def test_a_token_outlives_the_rollback_of_who_fetched_it(system_mail):
    with environment() as env:
        system_mail.connect(env, system_mail.register(env))
    Process(send, system_mail.company.compose(), None, True).join()
    with environment() as env:
        assert env["system.mail.oauth.token"].search([]).access_token
    Process(send, system_mail.company.compose()).join()
    assert len(system_mail.lab.requests) == 1


def test_it_sends_in_the_transaction_in_which_it_was_set_up(system_mail):
    ids = system_mail.company.compose()
    with environment() as env:
        provider = system_mail.register(env)
        server = instance.server(env, SYSTEM, system_mail.company.system.port)
        old, env.company.system_mail_server_id = env.company.system_mail_server_id, server
        system_mail.connect(env, provider)
        env["mail.mail"].browse(ids).send()
        assert len(system_mail.company.copies(system_mail.company.system)) == 1
        env.company.system_mail_server_id = old
        server.unlink()


@pytest.mark.parametrize("way", ["secret", "certificate"])
def test_with_a_key_neither_dump_nor_log_has_a_secret_of_it(system_mail, monkeypatch, caplog, way):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(VARIABLE, Fernet.generate_key().decode())
    key, certificate = make_key_pair("Odoo of Company")
    values = {}
    if way == "certificate":
        values = {"certificate_input": certificate, "private_key_input": key}
        system_mail.lab.applications[CLIENT_ID] = Application(
            certificate=certificate, mailboxes=[SYSTEM.address]
        )
    ids = system_mail.company.compose()
    with environment() as env:
        system_mail.connect(env, system_mail.register(env, **values))
    with environment() as env:
        env["mail.mail"].browse(ids).send()
    assert len(system_mail.company.copies(system_mail.company.system)) == 1
    with environment() as env:
        token = in_clear(env["system.mail.oauth.token"].search([]), "access_token")
        dump = "\n".join(_everything(env))
    assert CLIENT_ID in dump, "what is no secret is found"
    numbers = read_private_key(key).private_numbers()
    secrets = [SECRET, token, *key.splitlines()[1:-1], str(numbers.d), str(numbers.p)]
    assert not [secret for secret in secrets if secret in dump]
    assert "/token" in caplog.text, "the request for the token is told"
    assert not [secret for secret in secrets if secret in caplog.text]


def _everything(env):
    """All rows of all tables, as text; what is binary, in clear and as it is written."""
    env.cr.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
    for [table] in env.cr.fetchall():
        env.cr.execute(f"SELECT t::text FROM {table} t")
        yield from (row for [row] in env.cr.fetchall())
    for attachment in env["ir.attachment"].search([("type", "=", "binary")]):
        yield (attachment.raw or b"").decode(errors="replace")
