from odoo.tests import tagged

from .common import SystemMailCase


@tagged("post_install", "-at_install")
class TestBatches(SystemMailCase):
    """Many mails at once: System Mail is opened once, and once more where its line drops."""

    def mails(self, count, **values):
        return self.env["mail.mail"].union(*(self.mail(**values) for _ in range(count)))

    def assert_each_arrives_once(self, mails, copies):
        message_ids = [copy.message["Message-Id"] for copy in copies]
        self.assertCountEqual(message_ids, mails.mapped("message_id"))
        self.assertEqual(set(mails.mapped("state")), {"sent"})

    def test_a_batch_opens_the_dead_mailbox_and_system_mail_once(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        mails = self.mails(5)
        mails.send()
        self.assertEqual(len(self.own.connections), 1)
        self.assertEqual(len(self.system.connections), 1)
        self.assert_each_arrives_once(mails, self.system.accepted)
        self.assertEqual(len(self.events("fallback")), 5)
        self.assertEqual(self.health(self.own_server).failure_count, 1)

    def test_what_was_sent_is_deleted_by_the_batch(self):
        mails = self.mails(5, auto_delete=True, is_notification=True)
        messages = mails.mail_message_id
        deleted = []
        unlink = self.registry["mail.mail"].unlink

        def count(mails):
            deleted.append(len(mails))
            return unlink(mails)

        self.patch(self.registry["mail.mail"], "unlink", count)
        mails.send()
        self.assertEqual(deleted, [1, 1, 1, 1, 1, 5], "asked by each, done by the last")
        self.assertFalse(mails.exists())
        self.assertEqual(messages.exists(), messages)
        self.assertEqual(len(self.own.accepted), 5)

    def test_what_a_killed_worker_has_sent_is_not_sent_again_and_deleted_some_day(self):
        mail = self.mail(auto_delete=True)
        mail.write({"state": "sent", "system_mail_is_over": True})
        self.env["mail.mail"].process_email_queue()
        self.assertFalse(self.own.accepted)
        mail.state = "outgoing"  # somebody sends it again
        self.env["mail.mail"]._gc_over()
        self.assertTrue(mail.exists())
        mail.state = "sent"
        self.env["mail.mail"]._gc_over()
        self.assertFalse(mail.exists())

    def test_a_refusing_mailbox_is_tried_once_for_a_batch(self):
        self.own.stop()
        mails = self.mails(5)
        mails.send()
        self.assertEqual(len(self.system.connections), 1)
        self.assert_each_arrives_once(mails, self.system.accepted)
        self.assertEqual(self.health(self.own_server).failure_count, 1)

    def test_several_authors_share_system_mails_connection(self):
        self.own.stop()
        dora = self._user("Dora Author", "dora@company.test")
        self.mailbox(self.own, "dora@company.test", "secret", owner_user_id=dora.id)
        mails = self.mails(2) | self.mails(2, author=dora)
        mails.send()
        self.assertEqual(len(self.system.connections), 1)
        self.assert_each_arrives_once(mails, self.system.accepted)
        senders = {copy.message["From"].addresses[0].display_name for copy in self.system.accepted}
        self.assertEqual(senders, {"Ana Author", "Dora Author"})

    def test_a_mailbox_that_breaks_in_mid_batch_hands_over_the_rest(self):
        self.own.fail("data", reply="550 5.4.5 Daily user sending limit exceeded", after=2)
        mails = self.mails(5)
        mails.send()
        self.assertEqual(len(self.own.accepted), 2)
        self.assertEqual(len(self.system.accepted), 3)
        self.assert_each_arrives_once(mails, self.own.accepted + self.system.accepted)
        self.assertEqual(len(self.events("fallback")), 3)

    def test_system_mails_line_that_drops_between_two_mails_is_opened_once_more(self):
        self.own.stop()
        self.system.fail("mail", action="drop", after=2, times=1)
        mails = self.mails(5)
        mails.send()
        self.assertEqual(len(self.system.connections), 2)
        self.assert_each_arrives_once(mails, self.system.accepted)
        self.assertEqual(self.health(self.system_server).state, "connected")

    def test_the_authors_line_that_drops_between_two_mails_is_opened_once_more(self):
        self.own.fail("mail", action="drop", after=2, times=1)
        mails = self.mails(5)
        mails.send()
        self.assertEqual(len(self.own.connections), 2)
        self.assert_each_arrives_once(mails, self.own.accepted)
        self.assertFalse(self.system.connections)
        self.assertFalse(self.events())
        self.assertEqual(self.health(self.own_server).state, "connected")

    def test_a_polite_421_between_two_mails_is_no_failure(self):
        self.own.fail("mail", reply="421 4.7.0 Too many messages on this connection", after=1)
        mails = self.mails(3)
        mails.send()
        self.assertEqual(len(self.own.connections), 3)
        self.assert_each_arrives_once(mails, self.own.accepted)
        self.assertFalse(self.events())

    def test_a_connection_is_said_good_bye(self):
        self.own.stop()
        self.mails(2).send()
        self.system.wait(lambda server: server.commands[0][-1] == "QUIT")
        self.system.wait(lambda server: not server.connections[0].open)

    def test_one_bad_recipient_in_a_batch_holds_up_nobody(self):
        self.own.fail("rcpt", reply="550 5.1.1 No such user", recipient="ben@company.test", times=1)
        mails = self.mails(3)
        mails.send()
        self.assertEqual(mails.mapped("state").count("sent"), 2)
        self.assertEqual(mails.mapped("state").count("exception"), 1)
        self.assertEqual(len(self.own.accepted), 2)

    def test_the_author_is_read_once_for_a_batch(self):
        self.own.stop()
        mails = self.mails(
            5, auto_delete=True, is_notification=True
        )  # then Odoo reads all anew for each mail
        with self.assertLogs("odoo.sql_db", "DEBUG") as log:
            mails.send()
        of_author = f'"res_partner"."id" IN ({self.ana.partner_id.id})'
        reads = [line for line in log.output if of_author in line]
        self.assertEqual(len(self.system.accepted), 5)
        self.assertLessEqual(len(reads), 1)
