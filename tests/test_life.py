from odoo.tests import tagged
from odoo.tools import file_open

from ..hooks import uninstall_hook
from ..models.ir_mail_server import OAUTH
from .common import SystemMailCase


@tagged("post_install", "-at_install")
class TestLife(SystemMailCase):
    """What is left of System Mail in a staging copy, and after it is uninstalled."""

    def test_a_staging_copy_cannot_send(self):
        self.system_server.write({"smtp_pass": False, "system_mail_password": "neutral"})
        self.env.flush_all()
        with file_open("system_mail/data/neutralize.sql") as script:
            self.env.cr.execute(script.read())
        self.env.invalidate_all()
        self.assertFalse(self.system_server.sudo().system_mail_password)

    def test_uninstalling_leaves_no_system_mail_and_peoples_mailboxes_at_work(self):
        self.own_server.write(
            {"smtp_pass": False, "system_mail_password": "secret", "system_mail_login": "ana.login"}
        )
        signed_in = self.mailbox(self.own, "ben@company.test", False, smtp_authentication=OAUTH)
        uninstall_hook(self.env)
        self.assertFalse(self.system_server.exists())
        self.assertEqual(self.own_server.smtp_pass, "secret")
        self.assertEqual(self.own_server.smtp_user, "ana.login")
        self.assertFalse(signed_in.active)
