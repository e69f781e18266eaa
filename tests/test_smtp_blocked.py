"""The network blocks SMTP: what sends by HTTPS still sends, and the connect dialog proposes it."""

import socket
from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.base.models import ir_mail_server

from ..constants import OAUTH
from .test_application import ANA, HELLO, INFO
from .test_backups_by_https import HttpsBackupCase, put_off
from .test_https import HttpsCase, PersonalHttpsCase, SignInByHttpsCase

TENANT = "535 5.7.139 SmtpClientAuthentication is disabled for the Tenant"
SILENT = 0.7
"""Seconds: Odoo's time-out."""
SERVED = "odoo.addons.system_mail.models.mailboxes.system_mail_server_health._served"


class Firewall:
    """A port to which no packet gets through: whoever connects waits for an answer. Nobody accepts
    what comes to it, and its queue is full.
    """

    def __init__(self, number):
        self.host = f"127.0.0.{number}"

    def __enter__(self):
        self._listener = socket.create_server((self.host, 0), backlog=0)
        self.port = self._listener.getsockname()[1]
        self._waiting = []
        for _ in range(9):
            self._waiting.append(socket.socket())
            self._waiting[-1].settimeout(0.2)
            try:
                self._waiting[-1].connect((self.host, self.port))
            except TimeoutError:
                return self
        raise AssertionError("its queue is never full")

    def __exit__(self, *_exc):
        for sock in (*self._waiting, self._listener):
            sock.close()


class Blocked:
    """Mixin: firewalls, each in the place of a mail server of its own."""

    def setUp(self):
        super().setUp()
        self.startPatcher(patch.object(ir_mail_server, "SMTP_TIMEOUT", SILENT))
        self.startPatcher(patch.dict(SERVED)).clear()  # nobody was served within the last minute
        self.walls = [self.enterContext(Firewall(number)) for number in (2, 3, 4)]

    def block(self, server):
        """Another mail server, which cannot be reached."""
        wall = self.walls.pop()
        server.write({"smtp_host": wall.host, "smtp_port": wall.port})
        self.env.flush_all()

    def network(self):
        """What is known of our own network."""
        rows = self.env["system.mail.server.health"].search([("key", "=", "network")])
        rows.invalidate_recordset()
        return rows

    def probe(self):
        """The probes are due, and the scheduled action runs."""
        for rows in (self.env["system.mail.health"], self.env["system.mail.server.health"]):
            rows.search([]).next_probe_at = "2020-01-01"
        self.env.flush_all()
        self.env.ref("system_mail.ir_cron_probe").method_direct_trigger()
        self.env.invalidate_all()


@tagged("post_install", "-at_install")
class TestFirst(Blocked, HttpsCase):
    def test_system_mail_by_https_carries_it(self):
        self.connected()
        self.block(self.own_server)
        message = self.mention()
        [delivery] = self.received(self.ben.email)
        self.assertIn(delivery, self.api.accepted)
        self.assertEqual(message.notification_ids.notification_status, "sent")
        health = self.health(self.own_server)
        self.assertEqual((health.state, health.rule), ("unstable", "unreachable"))
        self.assertEqual(self.company.system_mail_state, "connected")

    def test_people_who_switch_off_servers_of_their_own_keep_nobodys_mail_back(self):
        self.connected()
        of_others = self.env["ir.mail_server"]
        for name in ("dora", "emil"):
            user = self._user(f"{name.title()} Author", f"{name}@company.test")
            of_others |= self.mailbox(self.own, user.email, "x", owner_user_id=user.id)
        shared = self.mailbox(self.own, "sales@company.test", "secret")
        self.block(self.own_server)
        of_others[0].write(
            {"smtp_host": self.own_server.smtp_host, "smtp_port": self.own_server.smtp_port}
        )
        self.block(of_others[1])
        for mailbox in self.own_server | of_others:
            mailbox.system_mail_check()
        self.assertFalse(self.network().is_down())
        self.block(shared)
        shared.system_mail_check()
        self.assertTrue(self.network().is_down(), "that one is the company's")


@tagged("post_install", "-at_install")
class TestSecond(Blocked, HttpsBackupCase):
    """Two servers that don't answer would be our own network, where nobody sends by HTTPS."""

    def setUp(self):
        super().setUp()
        self.block(self.own_server)
        self.block(self.system_server)

    def test_system_mails_second_mailbox_by_https_carries_it_in_the_same_run(self):
        for _ in range(2):
            message = self.mention()
            self.assertEqual(message.notification_ids.notification_status, "sent")
        self.assertEqual([d.mail_from for d in self.received(self.ben.email)], [INFO] * 2)
        self.assertEqual(self.health(self.second_server).state, "connected")
        [line] = self.env["system.mail.connection"].get_overview()["servers"]
        self.assertIn("blocks SMTP", line)

    def test_what_works_by_https_tells_nothing_of_smtp(self):
        self.mention()
        self.assertTrue(self.network().is_down())
        since, asked = self.network().since, len(self.api.requests)
        self.probe()
        self.assertEqual(len(self.api.requests), asked, "it is no probe of the network")
        self.mention()
        self.assertTrue(self.network().is_down())
        self.assertEqual(self.network().since, since)
        self.assertEqual(len(self.api.accepted), 2)

    def test_where_the_api_does_not_answer_either_it_is_asked_once(self):
        self.api.fail("connect", action="hang")
        messages = self.mention()
        self.assertEqual(messages.notification_ids.failure_type, "system_mail_waiting")
        asked = self.api.connections
        messages |= self.mention()
        self.assertEqual(self.api.connections, asked)
        put_off(messages)
        self.api.heal()
        self.probe()
        self.run_queue()
        self.assertEqual(len(self.received(self.ben.email)), 2)


@tagged("post_install", "-at_install")
class TestPersonal(Blocked, PersonalHttpsCase):
    def test_a_personal_mailbox_by_https_sends_although_the_network_seems_down(self):
        dora = self._user("Dora Author", "dora@company.test")
        values = {"owner_user_id": dora.id}
        self.block(self.mailbox(self.own, "dora@company.test", "secret", **values))
        self.block(self.system_server)
        mail = self.mail(author=dora)
        mail.send()
        self.assertEqual(mail.state, "outgoing")
        self.assertTrue(self.network().is_down())
        message = self.mention()
        [delivery] = self.received(self.ben.email)
        self.assertEqual((delivery.mail_from, delivery in self.api.accepted), (ANA, True))
        self.assertEqual(message.notification_ids.notification_status, "sent")


@tagged("post_install", "-at_install")
class TestProposalForSystemMail(Blocked, HttpsCase):
    def test_on_whatever_port_it_is_blocked(self):
        for wall in self.walls:
            # the address of the API goes with the server
            place = {"smtp_host": wall.host, "smtp_port": wall.port}
            self.provider.write({**place, **self._api_values()})
            dialog = self.connect(by_https=False)
            self.assertEqual(dialog.state, "failed")
            self.assertEqual(dialog.https_provider_id, self.provider.id)
        dialog.action_use_https()
        dialog.action_connect()
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.mention()
        [delivery] = self.received(self.ben.email)
        self.assertEqual((delivery.mail_from, delivery in self.api.accepted), (HELLO, True))


@tagged("post_install", "-at_install")
class TestProposalForAPerson(Blocked, SignInByHttpsCase):
    """Ana connects her mailbox herself."""

    def setUp(self):
        super().setUp()
        self.own_server.unlink()
        self.provider.smtp_port = self.own.port
        self.oauth.account = ANA
        self.authenticate(ANA, ANA)

    def open(self, **values):
        action = self.call("res.users", "action_setup_outgoing_mail_server", OAUTH)
        dialogs = self.env["system.mail.connect"].with_user(self.ana)
        dialog = dialogs.browse(action["params"]["dialog"]["res_id"])
        dialog.write(values)
        return dialog

    def assert_https_is_proposed(self, dialog):
        """She takes the proposal, signs in, and her mail leaves by HTTPS."""
        dialog.invalidate_recordset()
        self.assertEqual(dialog.state, "failed")
        self.assertEqual(dialog.https_provider_id, self.provider.id)
        self.call(dialog._name, "action_use_https", dialog.ids)
        dialog.invalidate_recordset()
        self.sign_in(dialog)
        self.assertEqual((dialog.state, dialog.problem), ("connected", False))
        self.ana.invalidate_recordset()
        self.assertTrue(self.ana.outgoing_mail_server_id.system_mail_https)
        self.mention()
        [delivery] = self.received(self.ben.email)
        self.assertEqual((delivery.mail_from, delivery in self.api.accepted), (ANA, True))

    def test_where_the_tenant_forbids_smtp(self):
        self.own.fail("auth", reply=TENANT)
        dialog = self.open()
        self.sign_in(dialog)
        self.assert_https_is_proposed(dialog)

    def test_where_the_port_is_blocked(self):
        wall = self.walls[0]
        api = {name: self.provider[name] for name in ("api_form", "api_endpoint", "api_scope")}
        self.provider.write({"smtp_host": wall.host, "smtp_port": wall.port, **api})
        dialog = self.open()
        self.sign_in(dialog)
        self.assert_https_is_proposed(dialog)

    def test_where_the_tenant_forbids_passwords(self):
        self.own.fail("auth", reply=TENANT)
        dialog = self.open(
            method="password",
            smtp_host=self.own.host,
            smtp_port=self.own.port,
            smtp_encryption="none",
            smtp_user=ANA,
            smtp_pass="secret",
        )
        self.call(dialog._name, "action_connect", dialog.ids)
        self.assert_https_is_proposed(dialog)


@tagged("post_install", "-at_install")
class TestProposalBeforeTheRegistration(Blocked, SignInByHttpsCase):
    """Nobody has registered this system at the provider yet."""

    def setUp(self):
        super().setUp()
        self.own_server.unlink()
        self.provider.client_id = False

    def fails_by_password(self, user, action):
        dialog = self.env["system.mail.connect"].with_user(user).browse(action["res_id"])
        dialog.write(
            {
                "method": "password",
                "smtp_host": self.walls[0].host,
                "smtp_port": self.walls[0].port,
                "smtp_encryption": "none",
                "smtp_user": dialog.address,
                "smtp_pass": "secret",
            }
        )
        self.call(dialog._name, "action_connect", dialog.ids)
        dialog.invalidate_recordset()
        self.assertEqual(dialog.state, "failed")
        return dialog

    def test_a_super_user_is_led_to_it(self):
        action = self.call("res.company", "action_system_mail_connect", self.company.ids, HELLO)
        dialog = self.fails_by_password(self.env.ref("base.user_admin"), action)
        self.assertEqual(dialog.https_provider_id, self.provider.id)
        self.call(dialog._name, "action_use_https", dialog.ids)
        dialog.invalidate_recordset()
        self.assertTrue(dialog.missing)

    def test_a_person_cannot_do_it(self):
        self.authenticate(ANA, ANA)
        action = self.call("res.users", "action_setup_outgoing_mail_server", "login")
        dialog = self.fails_by_password(self.ana, action["params"]["dialog"])
        self.assertFalse(dialog.https_provider_id)
