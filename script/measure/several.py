"""The database's side of a run with several hosts: who posts, what is written down, what is due."""

from typing import NamedTuple

from odoo.tools import SQL

from . import office, plan
from .instance import environment

PROBES = "system_mail.ir_cron_probe"
NETWORK = "network"
"""The key of the row for our own network."""


class People:
    """Posts messages as their authors do.

    :param int record_id: the contact that they post on
    :param dict partner_ids: by name
    """

    def __init__(self, record_id, partner_ids):
        self._record_id, self._partner_ids = record_id, partner_ids

    def post(self, session, message):
        """
        :param OdooSession session: the author's
        """
        [mail] = message.mails
        session.call(
            "res.partner",
            "message_post",
            [self._record_id],
            body=f"{message.number} points, one by one.",
            subject=f"{message.subject} {message.number}",
            message_id=message.message_id,
            message_type="comment",
            subtype_xmlid="mail.mt_note",  # or it would go to all who posted before
            partner_ids=[self._partner_ids[name] for name in mail.partners],
            mail_headers={office.TAG: f"0 {mail.tag}"},
        )


def let_people_in():
    """The authors may log in: their passwords are their names. Only the mail queue and the checks
    run on a schedule.

    :rtype: People
    """
    with environment() as env:
        kept = env.ref(office.QUEUE) | env.ref(PROBES)
        (env["ir.cron"].search([]) - kept).active = False
        env["ir.config_parameter"].set_param("mail.server.personal.limit.minutes", 10**6)
        for author in env["res.users"].search([("name", "in", plan.AUTHORS)]):
            password = author._crypt_context().hash(author.name)
            author._set_encrypted_password(author.id, password)  # no mail tells them of it
            author.group_ids += env.ref("base.group_partner_manager")
        record = env["res.partner"].create({"name": "A lead"})
        partners = env["res.partner"].search([("name", "in", list(plan.PARTNERS))])
        return People(record.id, {partner.name: partner.id for partner in partners})


def note_leases():
    """From now on, each lease to try a mailbox, a server or our own network is written down."""
    with environment() as env:
        env.cr.execute(_LEASES)


_LEASES = """
CREATE TABLE hosts_lease (server_id integer, key varchar, at double precision);
CREATE FUNCTION hosts_lease_of_mailbox() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO hosts_lease VALUES
        (NEW.server_id, NULL, extract(epoch FROM clock_timestamp()));
    RETURN NEW; END $$;
CREATE FUNCTION hosts_lease_of_server() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO hosts_lease VALUES
        (NULL, NEW.key, extract(epoch FROM clock_timestamp()));
    RETURN NEW; END $$;
CREATE TRIGGER hosts_lease AFTER UPDATE OF breaker_state ON system_mail_health FOR EACH ROW
    WHEN (NEW.breaker_state = 'half_open' AND NEW.generation <> OLD.generation)
    EXECUTE FUNCTION hosts_lease_of_mailbox();
CREATE TRIGGER hosts_lease AFTER UPDATE OF breaker_state ON system_mail_server_health FOR EACH ROW
    WHEN (NEW.breaker_state = 'half_open' AND NEW.generation <> OLD.generation)
    EXECUTE FUNCTION hosts_lease_of_server();
"""


def keep():
    """What is due later becomes due, and the scheduled actions run. Leases last as long as they do.

    :return: how many mails wait
    """
    with environment() as env:
        env.cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        env.cr.execute("SET LOCAL lock_timeout = '2s'")
        env.cr.execute(_TIME_PASSES)
        for xmlid in (office.QUEUE, PROBES):
            env.ref(xmlid)._trigger()
        return env["mail.mail"].search_count([("state", "=", "outgoing")])


_NOW = "(now() AT TIME ZONE 'utc')"
_TIME_PASSES = f"""
UPDATE mail_mail SET scheduled_date = {_NOW} - interval '1 second'
 WHERE id IN (SELECT id FROM mail_mail
               WHERE state = 'outgoing' AND scheduled_date > {_NOW}
                 AND system_mail_reply_until IS NULL AND system_mail_waiting_since IS NOT NULL
                 FOR UPDATE SKIP LOCKED);
UPDATE system_mail_server_health SET next_probe_at = {_NOW} - interval '1 minute'
 WHERE next_probe_at > {_NOW} AND breaker_state = 'open';
UPDATE system_mail_server_health SET next_login_at = {_NOW} - interval '1 minute'
 WHERE next_login_at > {_NOW};
UPDATE system_mail_health SET next_probe_at = {_NOW} - interval '1 minute'
 WHERE next_probe_at > {_NOW} AND breaker_state = 'open';
"""


def make_all_due():
    """Nothing waits for a limit any longer."""
    with environment() as env:
        env.cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        env.cr.execute(
            f"""UPDATE mail_mail SET scheduled_date = {_NOW} - interval '1 second'
                 WHERE id IN (SELECT id FROM mail_mail
                               WHERE state = 'outgoing' AND scheduled_date > {_NOW}
                                 AND system_mail_reply_until IS NULL FOR UPDATE SKIP LOCKED)"""
        )


class Lease(NamedTuple):
    """Somebody may try a mailbox, or one of the mailboxes of a server, once."""

    at: float
    """``time.time()``"""
    mailboxes: set[str]


class History(NamedTuple):
    """What the database says at the end."""

    facts: office.Facts
    leases: list[Lease]
    message_ids: set[str]
    """Of all messages."""


def read_history():
    """:rtype: History"""
    facts = office.read_facts()
    with environment() as env:
        servers = env["ir.mail_server"].search([])
        hosts = env["system.mail.server.health"]
        at = {server.name: hosts.place(server).key for server in servers}
        leases = []
        for server_id, key, moment in env.execute_query(
            SQL("SELECT server_id, key, at FROM hosts_lease ORDER BY at")
        ):
            if server_id:
                of = {server.name for server in servers if server.id == server_id}
            else:
                of = {name for name in at if key in (at[name], NETWORK)}
            leases.append(Lease(moment, of))
        ids = env.execute_query(SQL("SELECT message_id FROM mail_message"))
        return History(facts, leases, {message_id for [message_id] in ids})
