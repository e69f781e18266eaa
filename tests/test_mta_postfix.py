"""What Postfix answers, and what becomes of the mail: it says nearly all of it at RCPT."""

from unittest.mock import patch

from odoo.tests import tagged

from .mta_case import MtaCase
from .mta_lab import PolicyService

ANA, BEN = "ana@company.test", "ben@company.test"
NO_RELAY = "reject_unauth_destination"


def access(kind, address, answer):
    """The restriction by which Postfix gives that answer to an address.

    :param kind: recipient or sender
    """
    return f"check_{kind}_access inline:{{ {{{address}={answer}}} }}"


@tagged("post_install", "-at_install")
class TestAuthorAtPostfix(MtaCase):
    """Ana's mailbox is at a Postfix that is set up in many ways; System Mail is well."""

    def postfix(self, **settings):
        self.author_at(self.mtas.postfix(**settings))

    def postfix_with_a_filter(self, reply):
        """A Postfix that hands each message to a filter, which says this to its dot."""
        scanner = self.lab.server("filter")
        scanner.fail("dot", reply=reply)
        self.postfix(smtpd_proxy_filter=f"{scanner.host}:{scanner.port}")

    def test_a_company_server_sends(self):
        self.postfix()
        self.assert_sent()

    # --- the author's log-in and address

    def test_a_wrong_password(self):
        self.own_server.smtp_pass = "old"
        self.postfix()
        self.assert_carried(
            "535 5.7.8 .*authentication failed", "disconnected", "password_rejected"
        )

    def test_no_service_that_knows_the_passwords(self):
        auth = self.mtas.dovecot()
        self.postfix(auth=auth)
        auth.stop()
        self.assert_carried("Connection unexpectedly closed", "unstable", "unavailable")

    def test_a_service_that_knows_the_passwords_and_dies(self):
        auth = self.mtas.dovecot()
        self.postfix(auth=auth)
        self.mention(partners=self.cleo.partner_id)
        auth.stop()
        self.assert_carried("454 4.7.0 Temporary", "unstable", "login_unavailable")

    def test_passwords_that_cannot_be_read_are_answered_like_a_wrong_one(self):
        passdb = "driver = checkpassword\n  args = /nowhere"
        self.postfix(auth=self.mtas.dovecot(passdb=passdb))
        self.assert_carried(
            "535 5.7.8 .*authentication failed", "disconnected", "password_rejected"
        )

    def test_an_address_that_somebody_else_owns(self):
        self.postfix(
            smtpd_sender_login_maps="inline:{ana@company.test=eve@company.test}",
            smtpd_sender_restrictions="reject_sender_login_mismatch",
        )
        self.assert_carried("553 5.7.1 .*not owned by user", "unstable", "send_as_denied")

    def test_an_address_that_may_not_send(self):
        self.postfix(smtpd_sender_restrictions=access("sender", ANA, "REJECT"))
        self.assert_carried("554 5.7.1 .*Sender address rejected", "unstable", "send_as_denied")

    def test_an_address_that_is_being_verified_itself(self):
        verify = "450 4.1.7 unverified address: Address verification in progress"
        self.postfix(smtpd_sender_restrictions=access("sender", ANA, verify))
        self.assert_carried("450 4.1.7 .*Sender address rejected", "unstable", "send_as_denied")

    def test_a_domain_that_the_dns_does_not_know(self):
        self.postfix(smtpd_sender_restrictions="reject_unknown_sender_domain")
        self.assert_carried("450 4.1.8 .*Domain not found", "unstable", "send_as_denied")

    def test_an_address_that_does_not_exist_there(self):
        self.postfix(smtpd_reject_unlisted_sender="yes", relay_recipient_maps=f"inline:{{{BEN}=1}}")
        self.assert_carried(
            "550 5.1.0 .*Sender address rejected: User unknown", "unstable", "send_as_denied"
        )

    def test_no_log_in_without_encryption(self):
        self.postfix(smtpd_tls_auth_only="yes")
        self.assert_carried("AUTH extension not supported", "unstable", "login_not_offered")

    # --- Odoo's host

    def test_a_client_on_a_blocklist(self):
        self.postfix(smtpd_client_restrictions="reject_rbl_client dnsbl.test")
        self.own.put("dns", "A 1.0.0.127.dnsbl.test 127.0.0.2\n")
        self.assert_carried("554 5.7.1 .*blocked using dnsbl.test", "unstable", "client_refused")

    def test_a_client_that_is_not_wanted(self):
        self.postfix(smtpd_client_restrictions="check_client_access static:REJECT")
        self.assert_carried("554 5.7.1 .*Client host rejected", "unstable", "client_refused")

    def test_a_client_without_a_name(self):
        self.postfix(
            smtpd_peername_lookup="yes", smtpd_client_restrictions="reject_unknown_client_hostname"
        )
        self.assert_carried("450 4.7.25 .*cannot find your hostname", "unstable", "client_refused")

    def test_a_helo_that_is_no_name(self):
        self.postfix(smtpd_helo_restrictions="reject_unknown_helo_hostname")
        with patch("socket.getfqdn", return_value="odoo.internal"):
            self.assert_carried("450 4.7.1 .*Helo command rejected", "unstable", "helo_refused")

    def test_a_helo_that_is_refused(self):
        unqualified = "504 5.5.2 need fully-qualified hostname"
        self.postfix(smtpd_helo_restrictions=f"check_helo_access static:{{{unqualified}}}")
        self.assert_carried("504 5.5.2 .*Helo command rejected", "unstable", "helo_refused")

    # --- limits

    def test_a_quota_that_a_policy_service_keeps(self):
        quota = self.enterContext(PolicyService("450 4.7.1 Number recipients per hour exceeded"))
        self.postfix(smtpd_recipient_restrictions=quota.restriction)
        self.assert_carried("450 4.7.1 .*per hour exceeded", "unstable", "too_fast")

    def test_a_quota_of_the_day(self):
        quota = self.enterContext(PolicyService("REJECT Daily sending quota exceeded"))
        self.postfix(smtpd_recipient_restrictions=quota.restriction)
        self.assert_carried("554 5.7.1 .*quota exceeded", "unstable", "quota_reached")

    def test_too_many_recipients_in_a_while(self):
        self.postfix(smtpd_client_recipient_rate_limit="1")
        self.mention(partners=self.cleo.partner_id)
        self.assert_carried("450 4.7.1 .*too many recipients", "unstable", "too_fast")

    def test_too_much_mail_in_a_while(self):
        self.postfix(smtpd_client_message_rate_limit="1")
        self.mention(partners=self.cleo.partner_id)
        self.assert_carried("450 4.7.1 .*too much mail", "unstable", "too_many_connections")

    def test_too_many_log_ins_in_a_while(self):
        self.postfix(smtpd_client_auth_rate_limit="1")
        self.mention(partners=self.cleo.partner_id)
        self.assert_carried("450 4.7.1 .*too many AUTH", "unstable", "login_unavailable")

    def test_too_many_connections_in_a_while(self):
        self.postfix(smtpd_client_connection_rate_limit="1")
        self.mention(partners=self.cleo.partner_id)
        self.assert_carried("421 4.7.0 .*too many connections", "unstable", "unavailable")

    def test_a_quota_that_is_told_after_the_message(self):
        quota = self.enterContext(PolicyService("REJECT Hourly sending quota exceeded"))
        self.postfix(smtpd_end_of_data_restrictions=quota.restriction)
        self.assert_carried("554 5.7.1 .*quota exceeded", "unstable", "too_fast")

    def test_a_limit_that_a_filter_keeps(self):
        self.postfix_with_a_filter('451 4.7.1 Ratelimit "user" exceeded')
        self.assert_carried("451 4.7.1 Ratelimit", "unstable", "too_fast")

    # --- the server's own trouble

    def test_a_policy_service_that_is_down(self):
        with PolicyService("DUNNO") as service:
            restriction = service.restriction
        self.postfix(smtpd_recipient_restrictions=restriction, smtpd_policy_service_try_limit="1")
        self.assert_carried("451 4.3.5 .*Server configuration problem", "unstable", "temporary")

    def test_a_table_whose_server_is_down(self):
        self.postfix(relay_recipient_maps="fail:down")
        self.assert_carried("451 4.3.0 .*Temporary lookup failure", "unstable", "temporary")

    def test_a_table_that_is_not_there(self):
        self.postfix(smtpd_recipient_restrictions="check_recipient_access hash:/nowhere")
        self.assert_carried("451 4.3.5 .*Server configuration error", "unstable", "temporary")

    def test_a_restriction_that_is_misspelt(self):
        self.postfix(smtpd_recipient_restrictions="reject_nobody_knows_what")
        self.assert_carried("451 4.3.5 .*Server configuration", "unstable", "temporary")

    def test_a_full_disk(self):
        self.postfix(queue_minfree="1000000000000000")
        self.assert_carried("452 4.3.1 Insufficient system storage", "unstable", "temporary")

    def test_a_filter_that_is_down(self):
        self.postfix(smtpd_milters="inet:127.0.0.1:9", milter_connect_timeout="1s")
        self.assert_carried("454 4.3.0 Try again later", "unstable", "login_unavailable")

    def test_a_filter_behind_it_that_is_down(self):
        self.postfix(smtpd_proxy_filter="127.0.0.1:9")
        self.assert_carried("451 4.3.0 .*queue file write error", "unstable", "temporary")

    def test_a_filter_that_cannot_look_for_viruses(self):
        self.postfix_with_a_filter("451 4.5.0 Error in processing, id=1-1, virus_scan FAILED")
        self.assert_carried_without_blame("451 4.5.0 .*virus_scan FAILED")

    # --- what it may not do for Ana

    def test_it_relays_for_nobody(self):
        self.postfix(relay_domains="elsewhere.test", smtpd_relay_restrictions=NO_RELAY)
        self.assert_carried("554 5.7.1 .*Relay access denied", "unstable", "relay_denied")

    def test_it_relays_for_nobody_today(self):
        self.postfix(
            relay_domains="elsewhere.test", smtpd_relay_restrictions="defer_unauth_destination"
        )
        self.assert_carried("454 4.7.1 .*Relay access denied", "unstable", "relay_denied")

    # --- the recipient, or the message

    def test_an_unknown_user_fails(self):
        self.postfix(relay_recipient_maps="inline:{cleo@company.test=1}")
        self.assert_fails("550 5.1.1.*User unknown")

    def test_greylisting_waits_and_then_arrives(self):
        greylist = self.enterContext(
            PolicyService("DEFER_IF_PERMIT Greylisted, see http://postgrey.test/help", "DUNNO")
        )
        self.postfix(smtpd_recipient_restrictions=greylist.restriction)
        message = self.assert_waits()
        self.assert_arrives_later(message, self.own)

    def test_an_address_that_is_being_verified_waits(self):
        verify = "450 4.1.1 unverified address: Address verification in progress"
        self.postfix(smtpd_recipient_restrictions=access("recipient", BEN, verify))
        self.assert_waits()

    def test_a_restricted_list_fails(self):
        closed = "550 5.7.133 Sender not authenticated for group"
        self.postfix(smtpd_recipient_restrictions=access("recipient", BEN, closed))
        self.assert_fails("550 5.7.133")

    def test_a_recipient_refused_in_words_that_nobody_knows(self):
        self.postfix(smtpd_recipient_restrictions=access("recipient", BEN, "REJECT"))
        self.assert_carried_without_blame("554 5.7.1 .*Recipient address rejected: Access denied")

    def test_a_message_that_is_too_big(self):
        self.postfix(message_size_limit="300")
        self.assert_fails("552 5.3.4.*exceeds fixed limit")

    def test_spam_fails(self):
        self.postfix(header_checks="static:{REJECT Spam message rejected}")
        self.assert_fails("550 5.7.1.*Spam message rejected")

    def test_spam_in_the_words_of_a_filter_fails(self):
        self.postfix_with_a_filter("554 5.7.0 Reject, id=1-1 - spam")
        self.assert_fails("554 5.7.0.*spam")

    def test_a_virus_fails(self):
        self.postfix_with_a_filter("554 5.7.0 Reject, id=1-1 - INFECTED: Eicar-Test-Signature")
        self.assert_fails("554 5.7.0.*INFECTED")

    def test_forbidden_content_fails(self):
        self.postfix(header_checks="static:REJECT")
        self.assert_fails("550 5.7.1.*message content rejected")


@tagged("post_install", "-at_install")
class TestSystemMailAtPostfix(MtaCase):
    """Ana's own mailbox is down, and System Mail is at a Postfix: whatever is its own fault is
    told, and the mail waits.
    """

    def postfix(self, **settings):
        self.system_mail_at(self.mtas.postfix(**settings))

    def test_a_company_server_carries(self):
        self.postfix()
        self.assert_arrives_once_by_system_mail(self.mention())

    def test_a_wrong_password_too(self):
        self.system_server.smtp_pass = "old"
        self.postfix()
        message = self.assert_waits_for_system_mail("535", "disconnected", "password_rejected")
        self.system_server.smtp_pass = "neutral"
        self.assert_arrives_later(message, self.system)

    def test_a_client_that_is_not_wanted(self):
        self.postfix(smtpd_client_restrictions="check_client_access static:REJECT")
        self.assert_waits_for_system_mail(
            "554 5.7.1 .*Client host rejected", "unstable", "client_refused"
        )

    def test_a_helo_that_is_refused(self):
        self.postfix(smtpd_helo_restrictions="check_helo_access static:REJECT")
        self.assert_waits_for_system_mail(
            "554 5.7.1 .*Helo command rejected", "unstable", "helo_refused"
        )

    def test_an_address_that_it_does_not_own(self):
        self.postfix(
            smtpd_sender_login_maps="inline:{hello@company.test=eve@company.test}",
            smtpd_sender_restrictions="reject_sender_login_mismatch",
        )
        self.assert_waits_for_system_mail("553 5.7.1", "unstable", "send_as_denied")

    def test_a_quota(self):
        quota = self.enterContext(PolicyService("REJECT Daily sending quota exceeded"))
        self.postfix(smtpd_recipient_restrictions=quota.restriction)
        self.assert_waits_for_system_mail("554 5.7.1", "unstable", "quota_reached")

    def test_a_policy_service_that_is_down(self):
        with PolicyService("DUNNO") as service:
            restriction = service.restriction
        self.postfix(smtpd_recipient_restrictions=restriction, smtpd_policy_service_try_limit="1")
        self.assert_waits_for_system_mail("451 4.3.5", "unstable", "temporary")

    def test_it_relays_for_nobody(self):
        self.postfix(relay_domains="elsewhere.test", smtpd_relay_restrictions=NO_RELAY)
        self.assert_waits_for_system_mail("554 5.7.1 .*Relay", "unstable", "relay_denied")

    def test_an_unknown_user_fails(self):
        self.postfix(relay_recipient_maps="inline:{cleo@company.test=1}")
        self.assert_fails("550 5.1.1.*User unknown")

    def test_greylisting_waits_and_then_arrives(self):
        greylist = self.enterContext(
            PolicyService("DEFER_IF_PERMIT Greylisted, see http://postgrey.test/help", "DUNNO")
        )
        self.postfix(smtpd_recipient_restrictions=greylist.restriction)
        message = self.assert_waits()
        self.assert_arrives_later(message, self.system)

    def test_spam_fails(self):
        self.postfix(header_checks="static:{REJECT Spam message rejected}")
        self.assert_fails("550 5.7.1.*Spam message rejected")


@tagged("post_install", "-at_install")
class TestBouncesOfPostfix(MtaCase):
    """System Mail's Postfix accepts what it cannot deliver, and sends a bounce."""

    def test_the_message_is_marked(self):
        self.system_mail_at(self.mtas.postfix(unknown=BEN))
        message = self.mention()
        self.assertEqual(message.notification_ids.notification_status, "sent")
        self.assert_bounced(message, self.system.bounce())
