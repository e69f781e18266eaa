"""The company of the demo: its people, their mailboxes, System Mail, and a lead to write on."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any

from sandbox.console import Problem

from .web_clients import OdooSession

MODULES = ["crm"]
SYSTEM_MAIL = "hello@company.test"
INTERNAL_HOSTS = "system_mail.allow_internal_hosts"
CRONS = (
    "mail.ir_cron_mail_scheduler_action",
    "system_mail.ir_cron_probe",
    "system_mail.ir_cron_tell",
)
"""The scheduled actions that go on; some of the others would call services on the Internet."""
TAG = re.compile("<[^>]+>")


@dataclass(frozen=True)
class Person:
    """A user of Odoo; the log-in is the e-mail address as well."""

    name: str
    login: str
    password: str


ADMIN = Person("Administrator", "admin", "admin")
ANA = Person("Ana Author", "ana@company.test", "ana")
BEN = Person("Ben Reader", "ben@company.test", "ben")
CARLA = Person("Carla Healthy", "carla@company.test", "carla")

# What Odoo is told at first; Ana's provider has another by then (see smtp_servers.py).
MAILBOX_PASSWORDS = {
    ANA.login: "her old password",
    CARLA.login: "carla's password",
    SYSTEM_MAIL: "system mail's password",
}


@dataclass(frozen=True)
class Company:
    """The furnished Odoo, with its sessions."""

    admin: OdooSession
    author: OdooSession
    id: int
    lead: int
    reader_partner: int

    def mention(self) -> str:
        """Ana mentions Ben on the lead; return the message's Message-ID."""
        [message] = self.author.call(
            "crm.lead",
            "message_post",
            [self.lead],
            body=f"@{BEN.name}, could you call them today?",
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
            partner_ids=[self.reader_partner],
        )
        [values] = self.admin.call("mail.message", "read", [message], ["message_id"])
        return values["message_id"]

    def connect_system_mail(self, port: int) -> None:
        """What a Super User does in the connect dialog."""
        _connect_system_mail(self.admin, port)

    def drop_system_mail(self) -> None:
        """Empty the address: there is no fallback any more."""
        self.admin.call("res.company", "write", [self.id], {"system_mail_address": False})

    def uses_system_mail(self) -> bool:
        [values] = self.admin.call("res.company", "read", [self.id], ["system_mail_address"])
        return bool(values["system_mail_address"])

    def reconnect(self, login: str, password: str) -> None:
        """Give Odoo the password of a mailbox, and test it."""
        servers = self.admin.search("ir.mail_server", [("smtp_user", "=", login)])
        self.admin.call("ir.mail_server", "write", servers, {"smtp_pass": password})
        self.test(login)

    def test(self, login: str) -> None:
        """Press *Test* on a mailbox in Connections."""
        rows = self.admin.search("system.mail.connection", [("address", "=", login)])
        self.admin.call("system.mail.connection", "action_test", rows)

    def mailboxes(self, logins: list[str]) -> list[dict[str, Any]]:
        """The mailboxes as Connections shows them."""
        return self.admin.call(
            "system.mail.connection",
            "search_read",
            [("address", "in", logins), ("server_id", "!=", False)],
            fields=["address", "kind", "state", "reason"],
            order="kind desc",
        )

    def chatter(self, limit: int) -> list[dict[str, Any]]:
        """The latest messages on the lead, each with what became of its notification."""
        messages = self.author.call(
            "mail.message",
            "search_read",
            [
                ("model", "=", "crm.lead"),
                ("res_id", "=", self.lead),
                ("message_type", "=", "comment"),
            ],
            fields=["preview", "date"],
            limit=limit,
            order="id desc",
        )
        notifications = self.admin.call(
            "mail.notification",
            "search_read",
            [("mail_message_id", "in", [message["id"] for message in messages])],
            fields=["mail_message_id", "notification_status", "failure_type"],
        )
        status = {n["mail_message_id"][0]: n["notification_status"] for n in notifications}
        return [
            {
                "text": message["preview"],
                "at": message["date"],
                "status": status.get(message["id"], "none"),
            }
            for message in messages
        ]

    def alerts(self, limit: int) -> list[str]:
        """The latest alerts in the Super Users' channel, as text."""
        messages = self.admin.call(
            "mail.message",
            "search_read",
            [
                ("model", "=", "discuss.channel"),
                ("res_id", "=", self.admin.reference("system_mail.channel_alerts")),
                ("message_type", "=", "comment"),
            ],
            fields=["body"],
            limit=limit,
            order="id desc",
        )
        return [html.unescape(TAG.sub("", message["body"])) for message in messages]


def furnish(url: str, database: str, smtp_ports: dict[str, int]) -> Company:
    """Bring the database to where the demo begins; what is there already is kept.

    :param smtp_ports: the ports of the company's SMTP servers, by login
    """
    admin = OdooSession(url, database, ADMIN.login, ADMIN.password)
    _quieten(admin)
    users = {person: _user(admin, person) for person in (ANA, BEN, CARLA)}
    _connect_system_mail(admin, smtp_ports[SYSTEM_MAIL])
    for person in (ANA, CARLA):
        _connect_mailbox(admin, person, users[person], smtp_ports[person.login])
    carla = admin.search("system.mail.connection", [("user_id", "=", users[CARLA])])
    admin.call("system.mail.connection", "action_test", carla)
    author = OdooSession(url, database, ANA.login, ANA.password)
    [ben] = admin.call("res.users", "read", [users[BEN]], ["partner_id"])
    return Company(
        admin,
        author,
        admin.reference("base.main_company"),
        _lead(author, users[ANA]),
        ben["partner_id"][0],
    )


def _quieten(admin: OdooSession) -> None:
    """No onboarding tours, no calls to the Internet; personal mailboxes allowed, also here."""
    kept = [admin.reference(xmlid) for xmlid in CRONS]
    others = admin.search("ir.cron", [("id", "not in", kept)])
    admin.call("ir.cron", "write", others, {"active": False})
    tourists = admin.search("res.users", [("tour_enabled", "=", True)])
    admin.call("res.users", "write", tourists, {"tour_enabled": False})
    for parameter in ("base_setup.default_external_email_server", INTERNAL_HOSTS):
        admin.call("ir.config_parameter", "set_param", parameter, "True")


def _user(admin: OdooSession, person: Person) -> int:
    groups = ("base.group_user", "sales_team.group_sale_salesman_all_leads")
    values = {
        "name": person.name,
        "login": person.login,
        "email": person.login,
        "password": person.password,
        "notification_type": "email",
        "group_ids": [(6, 0, [admin.reference(group) for group in groups])],
    }
    found = admin.search("res.users", [("login", "=", person.login)])
    if found:
        return found[0]
    [created] = admin.call("res.users", "create", [values], context={"no_reset_password": True})
    return created


def _connect_mailbox(admin: OdooSession, person: Person, user: int, port: int) -> None:
    values: dict[str, Any] = {
        "name": person.login,
        "owner_user_id": user,
        "from_filter": person.login,
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_encryption": "none",
        "smtp_user": person.login,
        "smtp_pass": MAILBOX_PASSWORDS[person.login],
    }
    found = admin.search("ir.mail_server", [("owner_user_id", "=", user)])
    if found:
        admin.call("ir.mail_server", "write", found, values)
    else:
        admin.call("ir.mail_server", "create", [values])


def _connect_system_mail(admin: OdooSession, port: int) -> None:
    """What a Super User does in the connect dialog."""
    [wizard] = admin.call(
        "system.mail.connect",
        "create",
        [
            {
                "company_id": admin.reference("base.main_company"),
                "address": SYSTEM_MAIL,
                "smtp_host": "127.0.0.1",
                "smtp_port": port,
                "smtp_encryption": "none",
                "smtp_user": SYSTEM_MAIL,
                "smtp_pass": MAILBOX_PASSWORDS[SYSTEM_MAIL],
            }
        ],
    )
    admin.call("system.mail.connect", "action_connect", [wizard])
    [outcome] = admin.call("system.mail.connect", "read", [wizard], ["state", "problem"])
    if outcome["state"] != "connected":
        raise Problem(f"System Mail could not be connected: {outcome['problem']}")


def _lead(author: OdooSession, user: int) -> int:
    """A lead; Ana makes it herself, so that nobody is told of it by mail."""
    name = "New office for Northwind"
    found = author.search("crm.lead", [("name", "=", name)])
    if found:
        return found[0]
    values = {"name": name, "user_id": user, "type": "opportunity", "contact_name": "Nora Wind"}
    [created] = author.call("crm.lead", "create", [values])
    return created
