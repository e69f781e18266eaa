from odoo.tests import tagged

from ..common import SystemMailCase

REJECTED = "535 5.7.8 Username and Password not accepted"
SAID = b"This message has been sent to"


@tagged("post_install", "-at_install")
class TestMailShowFollower(SystemMailCase):
    """That addon writes above each mail who else got it, whenever the mail is sent."""

    def setUp(self):
        super().setUp()
        self.cleo = self._user("Cleo Reader", "cleo@company.test").partner_id
        self.both = self.ben.partner_id | self.cleo

    def assert_said_once(self):
        for partner in self.both:
            [delivery] = self.received(partner.email)
            self.assertIn(delivery, self.system.accepted)
            body = delivery.message.get_body(("html",)).get_content().encode()
            self.assertEqual(body.count(SAID), 1)

    def test_system_mails_copy_says_it(self):
        self.own.fail("auth", reply=REJECTED)
        self.mention(partners=self.both)
        self.assert_said_once()

    def test_what_waited_says_it_once(self):
        self.own.fail("auth", reply=REJECTED)
        self.system.fail("auth", reply="454 4.7.0 Temporary authentication failure")
        message = self.mention(partners=self.both)
        for _try in range(2):
            self.run_queue(message.notification_ids.mail_mail_id)
        self.system.heal()
        for server in self.own_server | self.system_server:
            self.health(server).give_new_chance()
        self.run_queue(message.notification_ids.mail_mail_id)
        self.assert_said_once()
