from odoo.tests import tagged

from ..common import SystemMailCase
from ..imap_server import ImapServer

REJECTED = "535 5.7.8 Username and Password not accepted"


@tagged("post_install", "-at_install")
class TestMailEnvironment(SystemMailCase):
    """What is in a mail server, in or out, is computed there, and is in no column. A new one begins
    with the defaults of port, encryption and authentication, whatever is given.
    """

    def setUp(self):
        super().setUp()
        self.super_user = self.env.ref("base.user_admin")
        self.connections = self.env["system.mail.connection"].with_user(self.super_user)

    def fill(self, action, server, address, password):
        """The connect dialog, filled in by hand."""
        dialog = self.env["system.mail.connect"].browse(action["res_id"])
        dialog = dialog.with_env(self.env).with_user(self.super_user)
        dialog.write(
            {
                "address": address,
                "method": "password",
                "smtp_host": server.host,
                "smtp_encryption": "none",
                "smtp_port": server.port,
                "smtp_user": address,
                "smtp_pass": password,
            }
        )
        dialog.action_connect()
        self.assertEqual(dialog.state, "connected", dialog.problem)

    def assert_at(self, mailbox, server):
        self.env.flush_all()
        self.env.invalidate_all()
        place = mailbox.smtp_host, mailbox.smtp_port, mailbox.smtp_encryption
        self.assertEqual(place, (server.host, server.port, "none"))

    def row(self, **values):
        self.env.flush_all()
        self.env.invalidate_all()
        [name], [record] = values, values.values()
        return self.connections.search([(name, "=", record.id)])

    def test_system_mail_is_connected_through_the_dialog(self):
        self.company.system_mail_address = False
        company = self.company.with_user(self.super_user)
        self.fill(
            company.action_system_mail_connect("hello@company.test"),
            self.system,
            "hello@company.test",
            "neutral",
        )
        self.assert_at(self.company.system_mail_server_id, self.system)
        self.assertEqual(self.company.system_mail_state, "connected")
        self.own.fail("auth", reply=REJECTED)
        self.assert_arrives_once_by_system_mail(self.mention())

    def test_a_further_mailbox_is_connected_through_the_dialog(self):
        spare = self.smtp("spare", logins={"spare@company.test": "calm"})
        company = self.company.with_user(self.super_user)
        action = company.action_system_mail_connect_backup()
        self.fill(action, spare, "spare@company.test", "calm")
        self.assert_at(self.company.system_mail_backup_ids.server_id, spare)

    def test_connections_know_the_server(self):
        self.assertEqual(self.row(server_id=self.own_server).provider, self.own.host)
        self.own_server.smtp_host = "smtp.gmail.com"
        row = self.row(server_id=self.own_server)
        self.assertEqual(row.provider, "Google")
        self.assertEqual(self.connections.search([("provider", "=", "Google")]), row)

    def test_connections_know_an_incoming_server(self):
        imap = self.enterContext(ImapServer("right"))
        incoming = self.env["fetchmail.server"].create({"name": "Replies"})
        incoming.write(
            {
                "server": "127.0.0.1",
                "port": imap.port,
                "user": "hello@company.test",
                "password": "right",
            }
        )
        row = self.row(incoming_id=incoming)
        self.assertEqual((row.address, row.provider), ("hello@company.test", "127.0.0.1"))
        self.assertEqual(row.action_test()["params"]["type"], "success")

    def test_an_administrator_moves_no_password_to_another_server(self):
        """Not by the fields in which the addon keeps what it computes from."""
        groups = self.env.ref("base.group_system")
        otto = self._user("Otto", "otto@company.test", group_ids=groups.ids)
        for name in ("smtp_host", "smtp_user"):
            self.own_server.write({"system_mail_password": "secret", name: "as-before"})
            own_server = self.own_server.with_user(otto)
            own_server.write({"name": "Ana's"})
            self.assertTrue(self.own_server.system_mail_password)
            own_server.write({f"x_{name}_env_default": "else.test"})
            self.assertEqual(self.own_server[name], "else.test")
            self.assertFalse(self.own_server.system_mail_password)

    def test_uninstalling_finds_what_signs_in_here(self):
        self.own_server.write({"system_mail_password": "secret", "smtp_pass": False})
        going_on, others = self.env["ir.mail_server"].system_mail_dependents()
        self.assertEqual((going_on, others), (self.own_server, self.own_server.browse()))
        self.own_server.smtp_authentication = "system_mail_oauth"
        _going_on, others = self.env["ir.mail_server"].system_mail_dependents()
        self.assertEqual(others, self.own_server)
