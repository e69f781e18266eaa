"""What Exim answers, and what becomes of the mail: few codes, its own words, at many phases."""

import smtplib
from unittest.mock import patch

from odoo.tests import tagged

from .mta_case import MtaCase


@tagged("post_install", "-at_install")
class TestAuthorAtExim(MtaCase):
    """Ana's mailbox is at an Exim that is set up in many ways; System Mail is well."""

    def exim(self, **options):
        self.author_at(self.mtas.exim(**options))

    def test_a_company_server_sends(self):
        self.exim()
        self.assert_sent()

    # --- the author's log-in and address

    def test_a_wrong_password(self):
        self.own_server.smtp_pass = "old"
        self.exim()
        self.assert_carried("535 Incorrect authentication", "disconnected", "password_rejected")

    def test_no_log_in_without_encryption(self):
        self.exim(options="auth_advertise_hosts =")
        self.assert_carried("AUTH extension not supported", "unstable", "login_not_offered")

    def test_an_address_that_does_not_exist_there(self):
        self.exim(rcpt="  require verify = sender", local_parts="!ana : *")
        self.assert_carried("550 .*Sender verify failed", "unstable", "send_as_denied")

    # --- Odoo's host

    def test_a_client_on_a_blocklist(self):
        self.exim(
            rcpt="""
  deny message = rejected because $sender_host_address is in a black list at $dnslist_domain
       dnslists = dnsbl.test
"""
        )
        self.own.put("dns", "A 1.0.0.127.dnsbl.test 127.0.0.2\n")
        self.assert_carried("550 .*black list at dnsbl.test", "unstable", "client_refused")

    def test_a_client_that_is_not_wanted(self):
        self.exim(options="host_reject_connection = *")
        self.assert_carried("554", "unstable", "unavailable")

    def test_a_helo_that_is_no_name(self):
        self.exim(options="helo_verify_hosts = *")
        with patch("socket.getfqdn", return_value="odoo.internal"):
            self.assert_carried("550 HELO", "unstable", "unavailable")

    # --- limits

    # the limits of Exim's own manual

    def test_too_much_mail_in_a_while(self):
        self.exim(
            rcpt="""
  deny ratelimit = 0 / 1h / strict / $authenticated_id
       message = Sender rate overlimit - $sender_rate / $sender_rate_period
"""
        )
        self.assert_carried("550 Sender rate overlimit", "unstable", "too_fast")

    def test_too_much_mail_for_now(self):
        self.exim(
            mail="""
  defer ratelimit = 0 / 1h / strict / $authenticated_id
        message = Sender rate exceeds $sender_rate_limit messages per $sender_rate_period
"""
        )
        self.assert_carried("451 Sender rate exceeds", "unstable", "too_fast")

    def test_a_limit_that_is_not_named(self):
        self.exim(rcpt="  deny ratelimit = 0 / 1d / strict / $authenticated_id")
        self.assert_carried_without_blame("550 Administrative prohibition")

    def test_too_many_connections_at_a_time(self):
        self.exim(options="smtp_accept_max = 1")
        with smtplib.SMTP(self.own.host, self.own.port, timeout=9):
            self.assert_carried("421 Too many concurrent", "unstable", "unavailable")

    # --- the server's own trouble

    def test_a_table_that_cannot_be_read(self):
        self.exim(rcpt="  deny condition = ${lookup{x}lsearch{/nowhere}}")
        self.assert_carried_without_blame("451 Temporary local problem")

    def test_a_full_disk(self):
        self.exim(options="check_spool_space = 100000G")
        self.assert_carried("452 Space shortage", "unstable", "temporary")

    def test_a_queue_that_cannot_be_written(self):
        self.exim()
        self.own.put("spool/input", "no folder")
        self.assert_carried("421 Unexpected failure", "unstable", "temporary")

    # --- what it may not do for Ana

    def test_it_relays_for_nobody(self):
        self.exim(rcpt="  deny message = relay not permitted")
        self.assert_carried("550 relay not permitted", "unstable", "relay_denied")

    def test_it_says_no_to_the_sender_and_not_why(self):
        self.exim(mail="  deny")
        self.assert_carried_without_blame("550 Administrative prohibition")

    def test_it_says_no_to_the_message_and_not_why(self):
        self.exim(data="  deny")
        self.assert_carried_without_blame("550 Administrative prohibition")

    # --- the recipient, or the message

    def test_an_address_that_leads_nowhere(self):
        self.exim(rcpt="  require verify = recipient", local_parts="!ben : *")
        self.assert_carried_without_blame("550 Unrouteable address")

    def test_an_unknown_user_fails(self):
        self.exim(rcpt="  deny message = Unknown user")
        self.assert_fails("550.*Unknown user")

    def test_greylisting_waits_and_then_arrives(self):
        self.exim(
            rcpt="""
  defer condition = ${if exists{$spool_directory/seen}{no}{yes}}
        message = greylisted, please try again later
"""
        )
        message = self.assert_waits()
        self.own.put("spool/seen", "")
        self.assert_arrives_later(message, self.own)

    def test_a_message_that_is_too_big(self):
        self.exim(options="message_size_limit = 300")
        self.assert_fails("552.*Message size exceeds maximum permitted")

    def test_spam_fails(self):
        self.exim(data="  deny message = This message scored 12.3 spam points.")
        self.assert_fails("550.*12.3 spam points")


@tagged("post_install", "-at_install")
class TestSystemMailAtExim(MtaCase):
    """Ana's own mailbox is down, and System Mail is at an Exim."""

    def exim(self, **options):
        self.system_mail_at(self.mtas.exim(**options))

    def test_a_company_server_carries(self):
        self.exim()
        self.assert_arrives_once_by_system_mail(self.mention())

    def test_a_wrong_password_too(self):
        self.system_server.smtp_pass = "old"
        self.exim()
        message = self.assert_waits_for_system_mail("535", "disconnected", "password_rejected")
        self.system_server.smtp_pass = "neutral"
        self.assert_arrives_later(message, self.system)

    def test_an_address_that_does_not_exist_there(self):
        self.exim(rcpt="  require verify = sender", local_parts="!hello : *")
        self.assert_waits_for_system_mail(
            "550 .*Sender verify failed", "unstable", "send_as_denied"
        )

    def test_it_relays_for_nobody(self):
        self.exim(rcpt="  deny message = relay not permitted")
        self.assert_waits_for_system_mail("550 relay not permitted", "unstable", "relay_denied")

    def test_it_says_no_and_not_why(self):
        self.exim(rcpt="  deny")
        self.assert_waits()

    def test_a_table_that_cannot_be_read(self):
        self.exim(rcpt="  deny condition = ${lookup{x}lsearch{/nowhere}}")
        self.assert_waits()

    def test_an_unknown_user_fails(self):
        self.exim(rcpt="  deny message = Unknown user")
        self.assert_fails("550.*Unknown user")


@tagged("post_install", "-at_install")
class TestBothRefuse(MtaCase):
    """Ana's server refuses in words that nobody knows, and System Mail's is asked."""

    def setUp(self):
        super().setUp()
        self.author_at(self.mtas.exim(rcpt="  deny"))

    def system_mail_says(self, answer):
        ask = f"check_recipient_access inline:{{ {{ben@company.test={answer}}} }}"
        self.system = self._move(
            self.system_server, self.mtas.postfix(smtpd_recipient_restrictions=ask)
        )

    def test_it_fails_with_both_answers(self):
        self.system_mail_says("REJECT")
        self.assert_fails("550.*Administrative prohibition", "554 5.7.1.*Access denied")

    def test_it_waits_where_system_mail_says_later(self):
        self.system_mail_says("DEFER_IF_PERMIT Come back later")
        self.assert_waits()

    def test_it_waits_where_the_authors_server_says_later(self):
        self.author_at(self.mtas.exim(rcpt="  defer message = Policy rejection"))
        self.system_mail_says("REJECT")
        self.assert_waits()


@tagged("post_install", "-at_install")
class TestBouncesOfExim(MtaCase):
    """System Mail's Exim accepts what it cannot deliver, and sends a bounce."""

    def test_the_message_is_marked(self):
        self.system_mail_at(self.mtas.exim(local_parts="!ben : *"))
        message = self.mention()
        self.assert_arrives_once_by_system_mail(message)
        self.assert_bounced(message, self.system.bounce())
