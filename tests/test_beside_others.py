from odoo.exceptions import UserError
from odoo.tests import tagged

from ..failover.failure import Kind
from .common import SystemMailCase


@tagged("post_install", "-at_install")
class TestBesideOthers(SystemMailCase):
    """Other modules choose among the servers too; see tests/oca for some of OCA's."""

    def test_the_first_server_is_still_an_ordinary_one(self):
        self.own_server.sequence = 20
        self.smtp("neutral", logins={"neutral@company.test": "calm"})
        trouble = self.company._system_mail_connect(
            "neutral@company.test",
            {
                "smtp_host": self.servers[-1].host,
                "smtp_port": self.servers[-1].port,
                "smtp_encryption": "none",
                "smtp_user": "neutral@company.test",
                "smtp_pass": "calm",
            },
        )
        self.assertFalse(trouble)
        in_order = self.env["ir.mail_server"].search([])
        self.assertEqual(in_order[-1], self.company.system_mail_server_id)

    def test_a_message_that_was_given_system_mails_server_is_sent_as_if_it_had_none(self):
        self.env["ir.default"].set("mail.message", "mail_server_id", self.system_server.id)
        message = self.mention()
        self.assertFalse(message.mail_server_id)
        [delivery] = self.received("ben@company.test")
        self.assertIn(delivery, self.own.accepted)

    def test_another_modules_way_to_log_in_may_fail_in_words_of_its_own(self):
        failure = self.own_server._system_mail_token_failure(UserError("The token has expired."))
        self.assertEqual(failure.kind, Kind.SIGN_IN_UNAVAILABLE)
        self.assertEqual(failure.text, "The token has expired.")
