import datetime

from odoo.exceptions import AccessError, ValidationError
from odoo.fields import Command
from odoo.tests import Form

from ..constants import GROUP
from .common import AlertsCase, SystemMailCase

ANA = "ana@company.test"
REJECTED = "535 5.7.8 Rejected"


class TestDrillSchedule(AlertsCase):
    """Ana is the steward, and a Super User with a mailbox of her own."""

    def setUp(self):
        super().setUp()
        self.ana.group_ids += self.env.ref(GROUP)
        self.company.system_mail_steward_id = self.ana
        self.env["ir.config_parameter"].set_param("system_mail.drill_days", "7")

    def run_drills(self):
        """Run the scheduled actions: the drills, and what they tell."""
        self.env.flush_all()
        self.env.invalidate_all()
        self.env.ref("system_mail.ir_cron_drill").method_direct_trigger()
        self.tell()

    def age(self, days):
        """Let some days pass since all that was written down."""
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE system_mail_event SET create_date = create_date - %s * interval '1 day'", [days]
        )
        self.env.invalidate_all()

    def drills(self):
        """The verdicts, the oldest first."""
        return self.events("test").mapped("drill")

    def test_it_goes_to_the_steward_as_often_as_the_settings_say(self):
        self.run_drills()
        [delivery] = self.system.accepted
        self.assertEqual(delivery.rcpt_to, ("ana@company.test",))
        self.assertIn("scheduled drill", delivery.message.get_body(("html",)).get_content())
        self.assertFalse(self.own.connections)
        event = self.events()
        self.assertEqual((event.kind, event.drill, event.user_id), ("test", "passed", self.ana))
        self.age(6)
        self.run_drills()
        self.assertEqual(len(self.system.accepted), 1, "not yet")
        self.age(1)
        self.run_drills()
        self.assertEqual(self.drills(), ["passed", "passed"])
        self.assertFalse(self.told())

    def test_there_is_none_when_it_is_off(self):
        self.env["ir.config_parameter"].set_param("system_mail.drill_days", "0")
        self.run_drills()
        self.assertFalse(self.system.connections)
        self.assertFalse(self.told())

    def test_there_is_none_in_a_copy_of_the_database(self):
        self.env["ir.config_parameter"].set_param("database.is_neutralized", "True")
        self.run_drills()
        self.assertFalse(self.system.connections)

    def test_a_drill_that_somebody_ran_counts(self):
        drill = self.env["system.mail.drill"].with_user(self.ana)
        drill.create({"company_id": self.company.id}).action_send()
        self.run_drills()
        self.assertEqual(self.drills(), ["passed"])

    def add_spare(self):
        """:return: the SMTP server of a further mailbox"""
        spare = self.smtp("spare", logins={"spare@company.test": "spare"})
        server = self.mailbox(spare, "spare@company.test", "spare")
        self.env["system.mail.backup"].create(
            {
                "company_id": self.company.id,
                "address": "spare@company.test",
                "server_id": server.id,
            }
        )
        return spare

    def test_each_further_mailbox_has_its_own(self):
        spare = self.add_spare()
        self.run_drills()
        self.run_drills()
        self.assertEqual(len(self.system.accepted), 1)
        self.assertEqual(len(spare.accepted), 1)
        servers = self.system_server + self.company.system_mail_backup_ids.server_id
        self.assertEqual(self.events("test").server_id, servers)

    def test_that_of_a_further_mailbox_is_told_by_its_address_once_and_taken_back(self):
        spare = self.add_spare()
        self.run_drills()
        self.age(7)
        self.told()
        spare.fail("rcpt", reply="550 5.1.1 User unknown", times=2)
        self.run_drills()
        self.tell()
        [body] = self.told()
        self.assertIn("The drill of System Mail spare@company.test on", body)
        self.assertIn("did not pass", body)
        self.assertEqual(self.drill_of_the_line_about("spare@company.test").recipient, ANA)
        self.age(1)
        self.run_drills()
        self.assertFalse(self.told(), "it is known")
        self.age(1)
        self.run_drills()
        self.tell()
        [body] = self.told()
        self.assertIn("The drill of System Mail spare@company.test passed", body)
        self.assertEqual((len(self.system.accepted), len(spare.accepted)), (2, 2))

    def drill_of_the_line_about(self, address):
        """The drill that the button of the home page opens, to which the alert links."""
        tasks = self.env["system.mail.home"].with_user(self.ana).get_page()["tasks"]
        [button] = [task["button"] for task in tasks if address in task["text"]]
        records = self.env[button["model"]].with_user(self.ana).browse(button["ids"])
        action = getattr(records, button["method"])(*button["args"])
        drill = self.env[action["res_model"]].with_user(self.ana).browse(action["res_id"])
        self.assertEqual(drill.backup_id.address, address)
        return drill

    def test_one_that_does_not_pass_is_told_once_and_taken_back(self):
        self.run_drills()
        self.age(7)
        self.system.fail("rcpt", reply="550 5.1.1 User unknown", times=2)
        self.run_drills()
        self.tell()
        [body] = self.told()
        self.assertIn("did not pass", body)
        self.assertIn("The notification was not sent. System Mail: ", body)
        self.assertIn("hello@company.test", body)
        self.age(1)
        self.run_drills()
        self.assertFalse(self.told(), "it is known")
        self.age(1)
        self.run_drills()
        self.assertEqual(self.drills(), ["passed", "failed", "failed", "passed"])
        [body] = self.told()
        self.assertIn("The drill of System Mail hello@company.test passed", body)

    def test_while_system_mail_is_down_its_own_alert_is_enough(self):
        self.run_drills()
        self.age(7)
        self.system.fail("auth", reply=REJECTED)
        self.system_server.system_mail_check()
        self.run_drills()
        self.assertEqual(self.drills(), ["passed", "failed"])
        [body] = self.told()
        self.assertIn("the password was rejected", body)
        self.assertNotIn("drill", body)

    def test_without_a_steward_nobody_gets_it_and_that_is_told(self):
        self.run_drills()
        self.age(7)
        self.ana.group_ids -= self.env.ref(GROUP)
        self.run_drills()
        self.tell()
        [body] = self.told()
        self.assertIn("Choose a steward", body)
        self.assertEqual(len(self.system.accepted), 1)
        self.ana.group_ids += self.env.ref(GROUP)
        self.tell()
        self.assertFalse(self.told(), "none has passed yet")
        self.run_drills()
        [body] = self.told()
        self.assertIn("passed", body)

    def test_an_overdue_drill_is_told(self):
        self.run_drills()
        self.age(8)
        self.tell()
        self.assertFalse(self.told())
        self.age(1)
        self.tell()
        self.tell()
        [body] = self.told()
        self.assertIn("overdue", body)

    def test_what_is_switched_off_is_not_told_to_have_passed(self):
        self.run_drills()
        self.age(9)
        self.tell()
        self.assertEqual(len(self.told()), 1)
        self.env["ir.config_parameter"].set_param("system_mail.drill_days", "0")
        self.tell()
        self.assertFalse(self.told())

    def test_a_company_where_the_steward_does_not_work_has_no_steward(self):
        self.assertEqual(self.company.system_mail_drill_user(), self.ana)
        branch = self.env["res.company"].create({"name": "Branch"})
        branch.system_mail_steward_id = self.ana
        self.assertFalse(branch.system_mail_drill_user())
        self.ana.company_ids += branch
        self.assertEqual(branch.system_mail_drill_user(), self.ana)

    def test_a_steward_is_a_super_user(self):
        with self.assertRaisesRegex(ValidationError, "not a Super User"):
            self.company.system_mail_steward_id = self.ben

    def test_a_steward_has_an_address_to_get_drills_at(self):
        self.company.system_mail_steward_id = False
        self.ana.email = False
        with self.assertRaisesRegex(ValidationError, "has no e-mail address"):
            self.company.system_mail_steward_id = self.ana

    def test_who_switches_drills_on_is_the_steward_unless_another_is_chosen(self):
        admin = self.env.ref("base.user_admin")
        admin.email = "admin@company.test"
        self.company.system_mail_steward_id = False
        self.env["ir.config_parameter"].set_param("system_mail.drill_days", "14")
        settings = self.env["res.config.settings"].with_user(admin)
        with Form(settings.with_company(self.company)) as form:
            self.assertEqual(form.system_mail_drill_days, "14", "a number that is no usual choice")
            form.system_mail_drill_days = "30"
            self.assertEqual(form.system_mail_steward_id, admin)
        form.record.execute()
        number = self.env["ir.config_parameter"].system_mail_number("system_mail.drill_days")
        self.assertEqual(number, 30)
        self.assertEqual(self.company.system_mail_steward_id, admin)

    def test_changes_are_written_down_but_the_note_is_not(self):
        self.company.with_user(self.ana).write(
            {"system_mail_note": "In the safe", "system_mail_review_on": datetime.date(2030, 1, 2)}
        )
        event = self.events("configured")[-1]
        self.assertEqual(event.user_id, self.ana)
        self.assertIn("Jan 2, 2030", event.reason)
        self.assertIn("System Mail Note changed", event.reason)
        self.assertNotIn("safe", event.reason)

    def test_only_super_users_read_or_change_them(self):
        outsider = self._user(
            "Otto",
            "otto@company.test",
            group_ids=[Command.set(self.env.ref("base.group_system").ids)],
        )
        company = self.company.with_user(outsider)
        for name in ("system_mail_steward_id", "system_mail_note", "system_mail_review_on"):
            self.assertNotIn(name, company.fields_get())
            with self.assertRaises(AccessError):
                company.read([name])
            with self.assertRaises(AccessError):
                company.write({name: False})


class TestAnnouncement(SystemMailCase):
    def test_it_tells_colleagues_in_a_text_to_copy(self):
        admin = self.env.ref("base.user_admin")
        action = self.company.with_user(admin).action_system_mail_announce()
        announcement = self.env[action["res_model"]].with_user(admin)
        text = announcement.with_context(**action["context"]).default_get(["text"])["text"]
        self.assertIn("from hello@company.test. Nothing changes", text)
        self.assertIn("use.html#why-a-message-comes-from-another-address", text)
        self.assertIn(f"Ask {admin.name}.", text)

    def test_only_super_users_see_it(self):
        with self.assertRaises(AccessError):
            self.company.with_user(self.ana).action_system_mail_announce()
