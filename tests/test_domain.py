from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import Form, tagged
from odoo.tools import file_open

from ..constants import GROUP
from .common import SystemMailCase

OUTSIDE = "9.9.9.9"


class DomainCase(SystemMailCase):
    """System Mail sends by ``smtp.company.test``, in whose place a server of the lab stands."""

    def setUp(self):
        super().setUp()
        self.dns.clear()
        self.dns.publish("smtp.company.test", "A", OUTSIDE)
        self.publish("v=spf1 mx -all", "v=DMARC1; p=none")
        self.dns.publish("company.test", "MX", "10 smtp.company.test.")
        self.system_server.smtp_host = "smtp.company.test"
        self.cron = self.env.ref("system_mail.ir_cron_domain_check")

    def publish(self, spf, dmarc):
        self.dns.publish_text("company.test", spf)
        self.dns.publish_text("_dmarc.company.test", dmarc)

    def check(self):
        self.company.action_system_mail_check_domain()
        return self.findings()

    def findings(self):
        self.env.invalidate_all()
        return {f.kind: f for f in self.company.system_mail_finding_ids}

    def statuses(self):
        return [(kind, finding.status) for kind, finding in self.findings().items()]

    def run_cron(self):
        self.env.flush_all()
        self.cron.method_direct_trigger()
        self.env.invalidate_all()

    def age(self, days=7):
        """Let the findings be so old."""
        checked_at = fields.Datetime.subtract(fields.Datetime.now(), days=days)
        self.company.system_mail_finding_ids.write({"checked_at": checked_at})

    def alerts(self):
        channel = self.env.ref("system_mail.channel_alerts")
        return channel.message_ids.filtered(lambda m: "for the worse" in m.body).mapped("body")


@tagged("post_install", "-at_install")
class TestDomain(DomainCase):
    """System Mail's domain as its DNS presents it: stored, told, and never in the way."""

    def test_what_is_found_is_stored_and_said(self):
        self.check()
        self.assertEqual(
            self.statuses(),
            [("mx", "good"), ("spf", "good"), ("dkim", "unknown"), ("dmarc", "good")],
        )
        self.assertEqual(self.company.system_mail_domain_status, "unknown")
        spf = self.findings()["spf"]
        self.assertEqual(spf.text, "smtp.company.test is allowed to send for the domain.")
        self.assertFalse(spf.record_value)
        self.assertEqual(self.company.system_mail_domain_checked_at, spf.checked_at)

    def test_what_is_wrong_comes_with_the_record_to_add(self):
        self.system_server.smtp_host = "smtp.gmail.com"
        self.dns.publish_text("_spf.google.com", "v=spf1 ip4:8.8.8.8 ~all")
        spf = self.check()["spf"]
        self.assertEqual(self.company.system_mail_domain_status, "bad")
        self.assertIn("forbids Google to send", spf.text)
        self.assertEqual(
            (spf.record_type, spf.record_name, spf.record_value),
            ("TXT", "company.test", "v=spf1 mx include:_spf.google.com -all"),
        )
        self.dns.publish_text("company.test", spf.record_value)
        self.dns.publish_text("google._domainkey.company.test", "v=DKIM1; p=MIIB")
        self.check()
        self.assertEqual(self.company.system_mail_domain_status, "good")

    def test_a_providers_own_domain(self):
        self.company.system_mail_address = "hello.company@gmail.com"
        self.system_server.smtp_host = "smtp.gmail.com"
        found = self.check()
        self.assertEqual([*found], ["provider"])
        self.assertIn("nothing to do", found["provider"].text)

    def test_offline_nothing_is_checked_and_nobody_is_alarmed(self):
        self.check()
        self.dns.fail(".")
        self.age()
        self.run_cron()
        self.assertEqual({status for _kind, status in self.statuses()}, {"unknown"})
        for finding in self.findings().values():
            self.assertEqual(finding.status, "unknown")
        self.assertFalse(self.alerts())

    # --- when it is looked at

    def test_a_new_connection_is_looked_at_soon_and_what_was_found_before_is_over(self):
        self.check()
        triggers = self.env["ir.cron.trigger"].search([("cron_id", "=", self.cron.id)])
        triggers.unlink()
        self.company.system_mail_address = "hello@other.test"
        self.assertFalse(self.findings())
        self.assertTrue(self.env["ir.cron.trigger"].search([("cron_id", "=", self.cron.id)]))
        self.run_cron()
        self.assertEqual(self.findings()["mx"].domain, "other.test")

    def test_without_system_mail_nothing_is_looked_at(self):
        self.check()
        self.company.system_mail_address = False
        self.dns.questions.clear()
        self.run_cron()
        self.assertFalse(self.findings())
        self.assertFalse(self.dns.questions)

    def test_a_staging_copy_looks_at_nothing(self):
        self.env.flush_all()
        with file_open("base/data/neutralize.sql") as script:
            self.env.cr.execute(script.read())
        self.env.invalidate_all()
        self.env.registry.clear_cache()
        self.run_cron()
        self.assertFalse(self.findings())
        self.assertFalse(self.dns.questions)

    def test_the_weekly_check_passes_over_what_is_fresh(self):
        self.check()
        self.dns.questions.clear()
        self.run_cron()
        self.assertFalse(self.dns.questions)
        self.age()
        self.run_cron()
        self.assertTrue(self.dns.questions)

    def test_each_company_has_its_own(self):
        other = self.env["res.company"].create({"name": "Other"})
        server = self.mailbox(self.system, "hello@other.test", "neutral")
        other.write({"system_mail_address": "hello@other.test", "system_mail_server_id": server.id})
        self.run_cron()
        self.assertEqual(other.system_mail_finding_ids.mapped("domain"), ["other.test"] * 4)
        self.assertEqual(self.findings()["mx"].domain, "company.test")
        reader = self._user("Sue", "sue@company.test", group_ids=[(6, 0, self.env.ref(GROUP).ids)])
        seen = self.env["system.mail.domain.finding"].with_user(reader).search([])
        self.assertEqual(seen.company_id, self.company)

    # --- what is told

    def test_a_change_for_the_worse_is_told_once(self):
        self.check()
        self.publish("v=spf1 mx", "v=DMARC1; p=none")
        self.age()
        self.run_cron()
        self.assertFalse(self.alerts(), "nothing is worse")
        self.dns.publish("company.test", "MX")
        self.publish("v=spf1 -all", "v=DMARC1; p=none")
        self.age()
        self.run_cron()
        [body] = self.alerts()
        self.assertIn("company.test", body)
        self.assertIn("Receiving (MX): The domain receives no mail", body)
        self.assertIn("smtp.company.test may not be allowed to send", body)
        self.assertNotIn("DMARC", body)
        self.age()
        self.run_cron()
        self.assertEqual(len(self.alerts()), 1)

    def test_the_domain_of_a_further_mailbox_is_told_by_its_name(self):
        self.dns.publish("smtp.other.test", "A", OUTSIDE)
        self.dns.publish("other.test", "MX", "10 smtp.other.test.")
        self.dns.publish_text("other.test", "v=spf1 mx -all")
        server = self.mailbox(self.system, "second@other.test", "x", smtp_host="smtp.other.test")
        self.env["system.mail.backup"].create(
            {
                "company_id": self.company.id,
                "address": "second@other.test",
                "server_id": server.id,
            }
        )
        self.check()
        self.dns.publish_text("other.test", "v=spf1 -all")
        self.age()
        self.run_cron()
        [body] = self.alerts()
        self.assertIn("The DNS of other.test", body)
        self.assertIn("smtp.other.test may not be allowed to send", body)

    def test_a_week_offline_neither_hides_nor_repeats_a_change_for_the_worse(self):
        self.check()
        for told in (1, 1):
            self.dns.fail(".")
            self.age()
            self.run_cron()
            self.dns.clear()
            self.age()
            self.run_cron()
            self.assertEqual(len(self.alerts()), told)

    def test_whoever_looks_is_not_told(self):
        self.check()
        self.dns.clear()
        self.check()
        self.assertFalse(self.alerts())

    # --- who may see it

    def test_a_super_user_alone_sees_and_checks(self):
        finding = self.check()["spf"]
        administrator = self._user(
            "Otto", "otto@company.test", group_ids=[(6, 0, self.env.ref("base.group_system").ids)]
        )
        for user in (administrator, self.ana):
            with self.assertRaises(AccessError):
                finding.with_user(user).read(["text"])
            with self.assertRaises(AccessError):
                self.company.with_user(user).action_system_mail_check_domain()
            with self.assertRaises(AccessError):
                self.company.with_user(user).read(["system_mail_domain_status"])
        reader = self._user("Sue", "sue@company.test", group_ids=[(6, 0, self.env.ref(GROUP).ids)])
        self.company.with_user(reader).action_system_mail_check_domain()
        self.assertTrue(finding.with_user(reader).text)
        with self.assertRaises(AccessError):
            finding.with_user(reader).write({"status": "good"})
        with self.assertRaises(AccessError):
            finding.with_user(reader).unlink()

    # --- the connect dialog

    def dialog(self, **values):
        action = self.env["system.mail.connect"].open_dialog(
            {"company_id": self.company.id, "address": "hello@company.test", **values}
        )
        return self.env["system.mail.connect"].browse(action["res_id"])

    def test_the_dialog_shows_what_is_found_before_connecting(self):
        dialog = self.dialog()
        self.assertEqual(dialog.domain_status, "unknown")
        self.assertIn("smtp.company.test is allowed to send", dialog.domain_findings)
        self.dns.publish_text("company.test", "v=spf1 -all")
        dialog.action_detect()
        self.assertIn("TXT company.test: v=spf1 a:smtp.company.test -all", dialog.domain_findings)

    def test_the_dialog_asks_nothing_as_one_types(self):
        form = Form(self.dialog())
        self.dns.questions.clear()
        form.address = "hello@other.test"
        self.assertFalse(form.domain_status)
        self.assertFalse(self.dns.questions)

    def test_the_dialog_says_nothing_of_a_domain_without_dns(self):
        self.dns.fail(".")
        dialog = self.dialog()
        self.assertFalse(dialog.domain_status)
        self.assertIn("did not answer", dialog.detected)
        self.assertEqual({*self.dns.questions}, {("company.test", "MX")}, "asked for once")

    def test_the_dialog_of_ones_own_mailbox_says_nothing_of_the_domain(self):
        wizards = self.env["system.mail.connect"].with_user(self.ana)
        action = wizards.open_dialog({"user_id": self.ana.id, "address": "ana@company.test"})
        self.assertFalse(wizards.browse(action["res_id"]).domain_status)

    def test_connecting_asks_no_dns(self):
        dialog = self.dialog()
        self.dns.fail(".", silent=True)
        self.dns.questions.clear()
        dialog.write(
            {
                "smtp_host": "127.0.0.1",
                "smtp_port": self.system.port,
                "smtp_encryption": "none",
                "smtp_user": "hello@company.test",
                "smtp_pass": "neutral",
            }
        )
        dialog.action_connect()
        self.assertEqual(dialog.state, "connected", dialog.problem)
        self.assertFalse(self.dns.questions)
        self.assertFalse(dialog.domain_status, "it was about another host")
