"""What Dovecot's submission server answers: its own log-in, and behind it another server."""

import base64
import contextlib
import smtplib
import time
from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.base.models import ir_mail_server

from .mta_case import LOGINS, MtaCase


@tagged("post_install", "-at_install")
class TestAuthorAtDovecot(MtaCase):
    """Ana's mailbox is at a Dovecot in front of a Postfix; System Mail is well."""

    def dovecot(self, **options):
        relay = self.mtas.postfix(
            mynetworks="127.0.0.0/8",
            smtpd_relay_restrictions="permit_mynetworks, reject",
            **options.pop("behind", {}),
        )
        self.author_at(self.mtas.dovecot(relay=relay, **options))
        self.behind = relay

    def test_a_company_server_sends(self):
        self.dovecot()
        self.assert_sent()

    # --- the log-in

    def test_a_wrong_password(self):
        self.own_server.smtp_pass = "old"
        self.dovecot()
        self.assert_carried("535 5.7.8 Authentication", "disconnected", "password_rejected")

    def test_an_account_that_may_not_log_in(self):
        self.dovecot(logins={**LOGINS, "ana@company.test": "secret:::::: nologin reason=Suspended"})
        self.assert_carried("525 5.7.13 Suspended", "disconnected", "account_blocked")

    def test_the_server_that_knows_the_passwords_is_down(self):
        self.dovecot(passdb="driver = checkpassword\n  args = /nowhere")
        self.assert_carried("454 4.7.0 Temporary", "unstable", "login_unavailable")

    def test_the_wrong_passwords_of_others_slow_ana_down(self):
        self.dovecot(penalty=True)
        give_wrong_passwords(self.own)
        self.assert_carried("timed out", "unstable", "login_unavailable")

    # --- the server behind it

    def test_the_server_behind_it_is_down(self):
        self.dovecot()
        self.behind.stop()
        self.assert_carried("421 4.4.0 .*relay", "unstable", "temporary")

    def test_the_server_behind_it_does_not_want_it(self):
        self.dovecot(behind={"smtpd_client_restrictions": "check_client_access static:REJECT"})
        self.assert_carried("554 5.7.1 .*Client host rejected", "unstable", "client_refused")

    def test_an_unknown_user_fails(self):
        self.dovecot(behind={"relay_recipient_maps": "inline:{cleo@company.test=1}"})
        self.assert_fails("550 5.1.1.*User unknown")

    def test_spam_fails(self):
        self.dovecot(behind={"header_checks": "static:{REJECT Spam message rejected}"})
        self.assert_fails("550 5.7.1.*Spam message rejected")

    def test_a_message_that_is_too_big(self):
        self.dovecot(settings="submission_max_mail_size = 300\n")
        self.assert_fails("552 5.2.3.*size exceeds")


@tagged("post_install", "-at_install")
class TestSystemMailAtDovecot(MtaCase):
    """Ana's own mailbox is down, and System Mail is at a Dovecot in front of a Postfix."""

    def setUp(self):
        super().setUp()
        self.behind = self.mtas.postfix(
            mynetworks="127.0.0.0/8", smtpd_relay_restrictions="permit_mynetworks, reject"
        )

    def test_a_company_server_carries(self):
        self.system_mail_at(self.mtas.dovecot(relay=self.behind))
        self.assert_arrives_once_by_system_mail(self.mention())

    def test_the_server_behind_it_is_down(self):
        self.system_mail_at(self.mtas.dovecot(relay=self.behind))
        self.behind.stop()
        message = self.assert_waits_for_system_mail("421 4.4.0 .*relay", "unstable", "temporary")
        self.behind.start()
        self.assert_arrives_later(message, self.system)

    def test_the_wrong_passwords_of_others_slow_it_down(self):
        self.system_mail_at(self.mtas.dovecot(relay=self.behind, penalty=True))
        give_wrong_passwords(self.system)
        self.assert_waits_for_system_mail("timed out", "unstable", "login_unavailable")


def give_wrong_passwords(dovecot):
    """Have somebody at this address try so many that Dovecot makes the next log-ins wait for more
    than Odoo's patience in the tests.
    """
    wrong = base64.b64encode(b"\0eve@company.test\0wrong").decode()
    for number in range(4):
        with contextlib.closing(smtplib.SMTP(dovecot.host, dovecot.port, timeout=20)) as client:
            client.ehlo()
            client.putcmd("AUTH", f"PLAIN {wrong}")
            if number < 2:  # those surely count, however busy this machine is
                client.getreply()


@tagged("post_install", "-at_install")
class TestManyWrongPasswords(MtaCase):
    """A company's Dovecot, where most passwords have just been changed."""

    WRONG, RIGHT = 60, 15
    SECONDS = 60

    def test_its_penalty_hurts_nobody_whose_password_is_right(self):
        self.startPatcher(patch.object(ir_mail_server, "SMTP_TIMEOUT", 60))
        count = self.WRONG + self.RIGHT
        addresses = [f"person{number}@company.test" for number in range(count)]
        relay = self.mtas.postfix(
            mynetworks="127.0.0.0/8", smtpd_relay_restrictions="permit_mynetworks, reject"
        )
        dovecot = self.mtas.dovecot(
            relay=relay, penalty=True, logins=LOGINS | dict.fromkeys(addresses, "secret")
        )
        self.servers.append(dovecot)
        mailboxes, mails = self.env["ir.mail_server"], self.env["mail.mail"]
        for number, address in enumerate(addresses):
            author = self._user(f"Person {number}", address)
            is_right = number % 5 == 4
            mailboxes |= self.mailbox(
                dovecot, address, "secret" if is_right else "old", owner_user_id=author.id
            )
            mails |= self.mail(author=author)
        self.env.flush_all()
        begin = time.monotonic()
        mails.send()
        self.assertLess(time.monotonic() - begin, self.SECONDS)
        self.assertEqual(set(mails.mapped("state")), {"sent"})
        states = {self.health(mailbox).state for mailbox in mailboxes}
        self.assertNotIn("unstable", states)
        self.assertEqual(len(self.received(self.ben.email)), count)
