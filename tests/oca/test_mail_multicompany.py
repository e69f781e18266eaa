from odoo.tests import tagged

from ..common import SystemMailCase

REJECTED = "535 5.7.8 Username and Password not accepted"


@tagged("post_install", "-at_install")
class TestMailMulticompany(SystemMailCase):
    """A company's server, which that addon gives to each of its messages, fails like any other."""

    def setUp(self):
        super().setUp()
        self.office = self.smtp("office", logins={"office@company.test": "desk"})
        self.office_server = self.mailbox(
            self.office, "office@company.test", "desk", company_id=self.company.id, from_filter=""
        )

    def test_the_servers_company_decides(self):
        message = self.mention()
        self.assertEqual(message.mail_server_id, self.office_server)
        [delivery] = self.received("ben@company.test")
        self.assertIn(delivery, self.office.accepted)

    def test_system_mail_carries_what_the_companys_server_cannot(self):
        self.office.fail("auth", reply=REJECTED)
        message = self.mention()
        delivery = self.assert_arrives_once_by_system_mail(message)
        self.assertIn(b'\r\nFrom: "Ana Author" <hello@company.test>\r\n', delivery.content)
        self.assertEqual(self.health(self.office_server).state, "disconnected")

    def test_without_a_server_of_the_company_the_own_mailbox_counts(self):
        self.office_server.company_id = False
        self.own.fail("auth", reply=REJECTED)
        self.assert_arrives_once_by_system_mail(self.mention())
        self.assertFalse(self.office.accepted)

    def test_system_mail_of_a_company_is_not_the_companys_ordinary_server(self):
        self.office_server.company_id = False
        self.system_server.write({"company_id": self.company.id, "sequence": 1})
        self.mention()
        [delivery] = self.received("ben@company.test")
        self.assertIn(delivery, self.own.accepted)

    def test_another_companys_system_mail_carries_its_own(self):
        branch = self.env["res.company"].create({"name": "Branch"})
        self.ana.write({"company_ids": [(4, branch.id)], "company_id": branch.id})
        self.ben.write({"company_ids": [(4, branch.id)]})
        self.record.company_id = branch
        hello = self.smtp("branch", logins={"hello@branch.test": "calm"})
        branch.write(
            {
                "system_mail_address": "hello@branch.test",
                "system_mail_server_id": self.mailbox(
                    hello, "hello@branch.test", "calm", company_id=branch.id, sequence=99
                ).id,
            }
        )
        self.office_server.company_id = branch
        self.office.fail("auth", reply=REJECTED)
        self.mention()
        [delivery] = self.received("ben@company.test")
        self.assertIn(delivery, hello.accepted)
