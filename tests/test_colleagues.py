from odoo.tests import tagged

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from .common import SystemMailCase


@tagged("post_install", "-at_install")
class TestColleagues(SystemMailCase):
    """Mail to colleagues is what goes to their addresses, whoever it is addressed to."""

    def setUp(self):
        super().setUp()
        self.own.fail("auth", reply="535 5.7.8 Rejected")

    def is_carried(self, **values):
        """Whether System Mail carries a mail to them."""
        before = len(self.system.accepted)
        self.mail(**values).send()
        return len(self.system.accepted) > before

    def goes_to(self, *partners):
        return self.is_carried(recipient_ids=[(6, 0, [partner.id for partner in partners])])

    def contact(self, email, name="Ben privately"):
        return self.env["res.partner"].create({"name": name, "email": email})

    def test_a_contact_with_a_colleagues_address_is_one(self):
        self.assertTrue(self.goes_to(self.contact('"B." <Ben@Company.test>')))
        self.assertTrue(self.goes_to(self.contact("ben@company.test"), self.ben.partner_id))
        self.assertTrue(self.is_carried(recipient_ids=False, email_to="ben@company.test"))

    def test_whoever_else_gets_it_is_none(self):
        stranger = self.contact("stranger@elsewhere.test")
        self.assertFalse(self.goes_to(stranger))
        self.assertFalse(self.goes_to(self.ben.partner_id, stranger))
        self.assertFalse(self.is_carried(email_to=stranger.email))
        self.assertFalse(self.is_carried(email_cc=stranger.email))
        self.assertFalse(self.goes_to(self.contact("ben@company.test, stranger@elsewhere.test")))
        self.ben.active = False
        self.assertFalse(self.goes_to(self.contact("ben@company.test")), "no longer")

    def test_a_user_with_several_addresses_is_none(self):
        many = ", ".join(f"reader{number}@elsewhere.test" for number in range(50))
        for email in (f"ben@company.test, {many}", "list: ben@company.test, b@else.test;"):
            self.ben.email = email
            self.assertFalse(self.goes_to(self.ben.partner_id))
            self.assertFalse(self.goes_to(self.contact("ben@company.test")))

    def test_who_has_no_address_does_not_count(self):
        nil = self._user("Nil Nowhere", "nil@company.test")
        nil.email = False
        self.assertTrue(self.goes_to(nil.partner_id, self.ben.partner_id))
        nil.name = '"x" <stranger@elsewhere.test>'  # there Odoo would find one
        self.assertFalse(self.goes_to(nil.partner_id, self.ben.partner_id))

    def test_an_address_in_another_domain_counts_until_a_super_user_says_otherwise(self):
        self.ben.email = "ben@elsewhere.test"
        self.assertTrue(self.goes_to(self.ben.partner_id))
        self.env["res.config.settings"].create({"system_mail_own_domains_only": True}).execute()
        self.assertIn("own domains", self.events("configured")[-1].note)
        self.assertFalse(self.goes_to(self.ben.partner_id))
        self.company.email = "info@elsewhere.test"
        self.assertTrue(self.goes_to(self.ben.partner_id))
        self.ben.email = self.company.email = "ben@gmail.com"
        self.assertFalse(self.goes_to(self.ben.partner_id), "anybody can get an address there")
        self.ben.email = "ben@alias.test"
        self.assertFalse(self.goes_to(self.ben.partner_id))
        self.env["mail.alias.domain"].create({"name": "alias.test"})
        self.assertTrue(self.goes_to(self.ben.partner_id))

    def test_other_domains_of_the_companies_are_an_event(self):
        contact = self.contact("info@elsewhere.test")
        domain = self.env["mail.alias.domain"].create({"name": "alias.test"})
        company = self.env["res.company"].create({"name": "Another"})
        for change in (
            lambda: company.write({"partner_id": contact.id}),
            lambda: company.write({"active": False}),
            lambda: company.write({"active": True}),
            domain.unlink,
            lambda: company.create(
                {"name": "One more", "partner_id": self.contact("info@more.test").id}
            ),
        ):
            before = self.events("configured")
            change()
            notes = (self.events("configured") - before).mapped("note")
            self.assertTrue([note for note in notes if "own domains" in note], notes)

    def test_other_domains_are_an_event_in_each_company_with_system_mail(self):
        hidden = self.env["res.company"].create({"name": "Hidden"})
        before = self.events("configured")
        elsewhere = self.company.with_context(allowed_company_ids=(hidden | self.company).ids)
        elsewhere.email = "info@evil.test"
        told = (self.events("configured") - before).filtered(lambda e: "own domains" in e.note)
        self.assertEqual(told.company_id, self.company)

    def test_who_moves_their_own_address_to_another_domain_is_written_down(self):
        before = self.events("configured")
        own = self.ben.with_user(self.ben)
        own.write({"email": "ben.second@company.test"})
        self.assertEqual(self.events("configured"), before, "it is the company's")
        own.write({"email": "ben@elsewhere.test"})
        [event] = self.events("configured") - before
        self.assertEqual((event.user_id, event.company_id), (self.ben, self.company))
        self.assertIn("ben.second@company.test → ben@elsewhere.test", event.note)
        self.ben.email = "ben@other.test"
        self.assertEqual(self.events("configured") - before, event, "somebody else did it")
        self.company.system_mail_address = False
        after = self.events("configured")
        own.write({"email": "ben@third.test"})
        self.assertEqual(self.events("configured"), after, "without System Mail nothing is told")

    def test_an_endless_address_is_written_down_as_far_as_people_read(self):
        self.ben.with_user(self.ben).email = f"ben@{'x' * 100_000}.test"
        self.assertLess(len(self.events("configured")[-1].note), 3000)

    def test_who_makes_a_domain_the_companys_own_is_written_down(self):
        names = ("base.group_partner_manager", "base.group_erp_manager")
        self.ben.group_ids += self.env["res.groups"].union(*map(self.env.ref, names))
        before = self.events("configured")
        self.company.partner_id.with_user(self.ben).email = "info@evil.test"
        self.company.with_user(self.ben).email = "info@worse.test"
        self.env["res.company"].with_user(self.ben).create({"name": "N", "email": "n@new.test"})
        domain = self.env["mail.alias.domain"].with_user(self.ben).create({"name": "alias.test"})
        domain.name = "other.test"
        domain.catchall_alias = "everything"
        notes = (self.events("configured") - before).mapped("note")
        self.assertEqual(
            [note.rpartition(" → ")[2] for note in notes],
            [
                "company.test, evil.test",
                "company.test, worse.test",
                "company.test, new.test, worse.test",
                "alias.test, company.test, new.test, worse.test",
                "company.test, new.test, other.test, worse.test",
            ],
        )

    def test_a_followers_odd_address_takes_nothing_from_the_others(self):
        cleo = self._user("Cleo Reader", "cleo@company.test")
        odd = ("cleo@company.test, c@home.test", "=?utf-8?q?cleo=40company.test?=", False)
        for email in odd:
            with self.subTest(email=email):
                cleo.partner_id.write({"email": email, "name": email or "cleo@elsewhere.test"})
                message = self.mention(partners=self.ben.partner_id | cleo.partner_id)
                self.assertEqual(
                    {
                        each.res_partner_id: each.notification_status
                        for each in message.notification_ids
                    },
                    {self.ben.partner_id: "sent", cleo.partner_id: "exception"},
                )
                self.assertIn(
                    "password was rejected",
                    message.sudo()
                    .notification_ids.filtered(lambda each: each.res_partner_id == cleo.partner_id)
                    .failure_reason,
                )
        self.assertEqual(len(self.received("ben@company.test")), len(odd))
        self.own.heal()
        self.health(self.own_server).unlink()
        cleo.email = odd[0]
        message = self.mention(partners=self.ben.partner_id | cleo.partner_id)
        self.assertEqual(set(message.notification_ids.mapped("notification_status")), {"sent"})
        self.assertEqual(len(self.received("ben@company.test")), len(odd) + 1)
        self.assertEqual(len(self.received("cleo@company.test")), 1)
        mails = self.env["mail.mail"].search([("state", "!=", "outgoing")])
        self.assertTrue(mails)
        mails.sudo().write({"is_notification": True})
        mails.recipient_ids = self.ben.partner_id | cleo.partner_id
        mails.send()
        self.assertEqual(len(self.received("cleo@company.test")), 1, "what is over stays so")

    def test_addresses_beside_the_recipients_get_it_once(self):
        self.own.heal()
        both = self.ben.partner_id | self.contact("stranger@elsewhere.test")
        for values in ({"email_to": "to@third.test"}, {"email_cc": "cc@third.test"}, {}):
            with self.subTest(values):
                mail = self.mail(recipient_ids=[(6, 0, both.ids)], is_notification=True, **values)
                before = len(self.own.accepted)
                mail.send()
                reached = [
                    address for each in self.own.accepted[before:] for address in each.rcpt_to
                ]
                wanted = [*both.mapped("email"), *values.values()]
                self.assertEqual(sorted(reached), sorted(wanted))

    def test_nobody_gets_what_ends_in_an_error_for_another(self):
        """Whoever gets the error sends it again: colleagues would have it twice."""
        both = self.ben.partner_id | self.contact("stranger@elsewhere.test")
        mail = self.mail(recipient_ids=[(6, 0, both.ids)], is_notification=True)
        with self.assertRaises(MailDeliveryException):
            mail.send(raise_exception=True)
        self.assertFalse(self.received("ben@company.test"))
        self.assertEqual(mail.recipient_ids, both)

    def test_an_endless_address_is_read_by_nobody_and_is_nobodys(self):
        """Python takes minutes for one that somebody made up."""
        endless = "," * 100_000
        self.ben.partner_id.email = endless
        self.assertIn(endless, self.mail().system_mail_recipient_addresses())
        message = self.mention(
            partners=self.ben.partner_id | self._user("C", "c@company.test").partner_id
        )
        self.assertEqual(len(self.received("c@company.test")), 1)
        self.assertEqual(len(message.notification_ids), 2)

    def test_it_is_asked_once_for_all_mails(self):
        mails = self.env["mail.mail"].union(*(self.mail() for _ in range(20)))
        mails.recipient_ids.mapped("email")
        with self.assertQueryCount(2):  # as for one mail
            self.assertEqual(mails._system_mail_internal(), {*mails.ids})
