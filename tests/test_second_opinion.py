from odoo.tests import tagged

from .common import SystemMailCase

CARRIED = (  # phase, what Ana's server says, the state of her mailbox, and the rule
    ("rcpt", "504 5.5.2 <odoo>: Helo command rejected: need fully-qualified hostname", "unstable"),
    (
        "rcpt",
        "450 4.7.1 <ben@company.test>: Recipient address rejected: Number recipients per hour "
        "exceeded",
        "unstable",
    ),
    ("rcpt", '550 Outgoing mail from "ana@company.test" has been suspended.', "disconnected"),
    ("rcpt", "451 4.3.5 Server configuration problem", "unstable"),
    ("mail", "550 sorry, too many emails (#5.7.1)", "unstable"),
    ("dot", "550 Incorrect sender header (LOCAL)", "unstable"),
    (
        "dot",
        "550 5.1.92 You've reached your limit for the number of messages you can send.",
        "unstable",
    ),
    ("rcpt", "550 5.7.1 Client host rejected: Access denied", "unstable"),
    ("rcpt", "550 Computer says no", "connected"),
    ("dot", "554 Message not allowed - [299]", "connected"),
    ("rcpt", "450 4.7.1 <ben@company.test>: try again some day", "connected"),
)

OWN_AT_RCPT = {  # as Postfix tells them, and the state that follows
    "504 5.5.2 <odoo>: Helo command rejected: need fully-qualified hostname": "unstable",
    "550 5.7.1 Client host rejected: Access denied": "unstable",
    "450 4.7.1 <ben@company.test>: Recipient address rejected: Quota exceeded": "unstable",
    "451 4.3.5 Server configuration problem": "unstable",
    "550 Computer says no": "connected",
}
SYSTEM = {  # phase, reply: the notification where Ana's is at fault, where nobody knows, the state
    ("rcpt", None): ("sent", "sent", "connected"),
    ("rcpt", "550 5.1.1 No such user"): ("exception", "exception", "connected"),
    ("rcpt", "550 Mine says no, too"): ("ready", "exception", "connected"),
    ("rcpt", "450 Mine says later"): ("ready", "ready", "connected"),
    ("rcpt", "550 5.7.1 Client host rejected: Access denied"): ("ready", "ready", "unstable"),
    ("auth", "535 5.7.8 Rejected"): ("ready", "ready", "disconnected"),
}


@tagged("post_install", "-at_install")
class TestSecondOpinion(SystemMailCase):
    """What Ana's server says in unknown words, or says of itself, loses nothing."""

    def heal(self):
        for server in (self.own, self.system):
            server.heal()
        for server in (self.own_server, self.system_server):
            self.health(server).give_new_chance()
        self.own_server.owner_limit_count = 0  # Odoo lets 30 a minute through

    def state(self, server):
        return self.health(server).state or "connected"

    def test_what_is_not_surely_the_recipients_fault_is_carried(self):
        for phase, reply, state in CARRIED:
            with self.subTest(reply=reply):
                self.heal()
                self.mention()  # the mailbox is known to work
                self.own.fail(phase, reply=reply)
                before = len(self.system.accepted)
                message = self.mention()
                self.assertEqual(len(self.system.accepted), before + 1)
                self.assertEqual(message.notification_ids.notification_status, "sent")
                self.assertEqual(self.state(self.own_server), state)
                self.assertEqual(self.events("fallback")[-1:].message_id, message.message_id)

    def test_the_recipients_own_fault_is_carried_by_nobody(self):
        for reply in (
            "550 5.1.1 <ben@company.test>: Recipient address rejected: User unknown",
            "550 5.4.1 Recipient address rejected: Access denied",
            "550 5.7.124 Sender not in allowed-senders list",
            "550 no such user here",
        ):
            with self.subTest(reply=reply):
                self.heal()
                self.own.fail("rcpt", reply=reply)
                message = self.mention()
                self.assertEqual(message.notification_ids.notification_status, "exception")
                self.assertFalse(self.system.accepted)
                self.assertNotIn(self.state(self.own_server), ("unstable", "disconnected"))

    def test_a_colleague_called_relay_takes_no_mailbox_out_of_service(self):
        self.ben.write({"login": "relay@company.test", "email": "relay@company.test"})
        reply = "550 5.1.1 <relay@company.test>: Recipient address rejected: User unknown"
        for server in (self.own, self.system):
            server.fail("rcpt", reply=reply)
        for _ in range(3):
            self.mention()
        for server in (self.own_server, self.system_server):
            self.assertNotIn(self.state(server), ("unstable", "disconnected"))

    def test_both_refuse_it_for_good_and_the_author_reads_both_answers(self):
        self.own.fail("rcpt", reply="550 Computer says no")
        self.system.fail("rcpt", reply="550 Mine too")
        message = self.mention()
        notification = message.notification_ids
        self.assertEqual(notification.notification_status, "exception")
        self.assertIn("Computer says no", notification.failure_reason)
        self.assertIn("Mine too", notification.failure_reason)
        self.assertNotIn(self.state(self.own_server), ("unstable", "disconnected"))

    def test_it_waits_while_system_mail_is_itself_at_fault_and_super_users_hear_of_it(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.system.fail("rcpt", reply="550 5.7.1 Client host rejected: Access denied")
        message = self.mention()
        self.assertEqual(message.notification_ids.notification_status, "ready")
        self.assertEqual(self.state(self.system_server), "unstable")
        self.assertEqual(self.health(self.system_server).effect, "misconfigured")

    def test_two_rejected_passwords_lose_nothing_and_a_reconnection_sends_what_waits(self):
        for server in (self.own, self.system):
            server.fail("auth", reply="535 5.7.8 Rejected")
        messages = self.mention() | self.mention()
        self.assertEqual(set(messages.notification_ids.mapped("notification_status")), {"ready"})
        self.assertFalse(self.received("ben@company.test"))
        self.system.heal()
        trouble = self.company._system_mail_connect(
            "hello@company.test",
            {"smtp_user": "hello@company.test", "system_mail_password": "neutral"},
        )
        self.assertFalse(trouble)
        self.assertFalse(any(messages.mail_ids.mapped("scheduled_date")), "due at once")
        self.run_queue()
        arrived = [copy.message["Message-Id"] for copy in self.received("ben@company.test")]
        self.assertEqual(arrived, messages.mapped("message_id"), "in order, one copy each")

    def test_faults_told_at_rcpt_and_each_answer_of_system_mail(self):
        """Of each pair: what the reader's notification came to, and both mailboxes' states."""
        for reply, own_state in OWN_AT_RCPT.items():
            for (phase, system_reply), (of_fault, of_unknown, system_state) in SYSTEM.items():
                with self.subTest(own=reply, system=system_reply):
                    self.heal()
                    self.mention()  # both are known to work
                    self.system_server.system_mail_check()
                    self.own.fail("rcpt", reply=reply)
                    if system_reply:
                        self.system.fail(phase, reply=system_reply)
                    notification = self.mention().notification_ids
                    expected = of_unknown if own_state == "connected" else of_fault
                    self.assertEqual(notification.notification_status, expected)
                    self.assertEqual(self.state(self.own_server), own_state)
                    self.assertEqual(self.state(self.system_server), system_state)

    # --- whose fault it was

    def test_unknown_words_twice_are_the_mailboxs_fault(self):
        cleo = self._user("Cleo Colleague", "cleo@company.test")
        self.own.fail("rcpt", reply="550 Computer says no")
        self.mention()
        self.mention()
        self.assertNotIn(self.state(self.own_server), ("unstable", "disconnected"), "the same one")
        self.mention(partners=cleo.partner_id)
        self.assertEqual(self.state(self.own_server), "unstable")
        self.own.heal()
        self.mention()
        self.assertEqual(self.state(self.own_server), "connected")

    def test_what_is_accepted_between_ends_the_doubt(self):
        cleo = self._user("Cleo Colleague", "cleo@company.test")
        refusing = self.own.fail("rcpt", reply="550 Computer says no")
        self.mention()
        self.own.heal(refusing)
        self.mention()
        self.own.fail("rcpt", reply="550 Computer says no")
        self.mention(partners=cleo.partner_id)
        self.assertNotIn(self.state(self.own_server), ("unstable", "disconnected"))


class TestSecondOpinionWithoutPipelining(TestSecondOpinion):
    """Likewise where the servers want one command at a time."""

    pipelining = False
