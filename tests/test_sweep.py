import contextlib
import datetime
import time

from odoo import fields
from odoo.tests import HttpCase, tagged

from .common import SMTP_TIMEOUT, SystemMailCase


@tagged("post_install", "-at_install")
class TestSweep(SystemMailCase):
    """The mailboxes are checked before anybody's mail needs them. In parallel: tests/processes."""

    def setUp(self):
        super().setUp()
        self.env["ir.mail_server"].search([]).filtered(
            lambda server: server not in self.own_server | self.system_server
        ).active = False
        self.shared = self.smtp("shared", logins={"sales@company.test": "secret"})
        self.shared_server = self.mailbox(self.shared, "sales@company.test", "secret")
        self.mailboxes = self.own_server | self.shared_server | self.system_server

    def run_cron(self, name="sweep"):
        """As a person does it in the list of scheduled actions.

        :return: how many mailboxes it says that it did, and how many are left
        """
        self.env.flush_all()
        cron = self.env.ref(f"system_mail.ir_cron_{name}")
        cron.method_direct_trigger()
        self.env.invalidate_all()
        progress = self.env["ir.cron.progress"].search(
            [("cron_id", "=", cron.id)], order="id desc", limit=1
        )
        return progress.done, progress.remaining

    def logins(self):
        """How many log-ins each server has seen: the author's, the shared one, System Mail's."""
        return [len(server.attempts) for server in (self.own, self.shared, self.system)]

    def hours_pass(self, hours):
        ago = datetime.timedelta(hours=hours)
        for health in self.env["system.mail.health"].search([]):
            for name in ("last_success", "last_failure", "next_probe_at"):
                health[name] = health[name] and health[name] - ago

    # --- which

    def test_every_mailbox_in_use_is_checked_by_a_log_in_and_no_message(self):
        self.assertEqual(self.run_cron(), (3, 0))
        self.assertEqual(self.logins(), [1, 1, 1])
        for server in (self.own, self.shared, self.system):
            self.assertIn("NOOP", server.commands[0])
            self.assertFalse(server.accepted)
        self.assertEqual({self.health(s).state for s in self.mailboxes}, {"connected"})

    def test_a_server_without_a_name_has_a_reason_and_stops_no_other(self):
        self.shared_server.smtp_host = ""
        self.assertEqual(self.run_cron(), (3, 0))
        self.assertEqual(self.logins(), [1, 0, 1])
        health = self.health(self.shared_server)
        self.assertEqual((health.state, health.rule), ("unstable", "unusable"))

    def test_a_mailbox_nobody_uses_is_left_alone(self):
        self.shared_server.active = False
        self.ana.active = False
        self.assertEqual(self.run_cron(), (1, 0))
        self.assertEqual(self.logins(), [0, 0, 1])

    def test_a_mailbox_heard_of_lately_needs_no_check(self):
        self.mention()
        self.assertEqual(self.logins(), [1, 0, 0])
        self.assertEqual(self.run_cron(), (2, 0))
        self.assertEqual(self.logins(), [1, 1, 1])
        self.hours_pass(4)
        self.assertEqual(self.run_cron(), (0, 0))
        self.hours_pass(4)
        self.assertEqual(self.run_cron(), (3, 0))
        self.assertEqual(self.logins(), [2, 2, 2])

    def test_mailboxes_checked_together_once_drift_apart(self):
        for number in range(20):
            address = f"person{number}@company.test"
            self.shared.logins[address] = "secret"
            self.mailbox(self.shared, address, "secret")
        health = self.env["system.mail.health"]
        self.assertEqual(self.run_cron(), (23, 0))
        due = []
        for _hour in range(8):
            self.hours_pass(1)
            due.append(len(health._due_for_check()))
        self.assertEqual(due[:4], [0, 0, 0, 0])
        self.assertEqual(due, sorted(due))
        self.assertGreaterEqual(len(set(due)), 4)
        self.assertEqual(due[-1], 23)

    def test_those_longest_unheard_of_are_the_first(self):
        self.run_cron()
        self.hours_pass(10)
        self.health(self.shared_server).last_success -= datetime.timedelta(hours=2)
        self.health(self.system_server).last_success -= datetime.timedelta(hours=1)
        due = self.env["system.mail.health"]._due_for_check()
        self.assertEqual(due.ids, (self.shared_server + self.system_server + self.own_server).ids)

    # --- what it finds

    def test_a_dead_mailbox_is_known_before_its_mail_needs_it(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.run_cron()
        self.assertEqual(self.health(self.own_server).state, "disconnected")
        self.assert_arrives_once_by_system_mail(self.mention())
        self.assertEqual(len(self.own.attempts), 1)

    def test_a_disconnected_mailbox_is_tried_once_a_day_by_both_together(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        for _hour in range(24):
            self.run_cron()
            self.run_cron("probe")
            self.hours_pass(1)
        self.assertEqual(len(self.own.attempts), 1)
        self.run_cron()
        self.assertEqual(len(self.own.attempts), 1, "it is the probes'")
        self.run_cron("probe")
        self.assertEqual(len(self.own.attempts), 2)

    def test_a_passing_trouble_is_looked_at_again_soon(self):
        fault = self.own.fail("auth", reply="454 4.7.0 Temporary authentication failure")
        self.run_cron()
        self.assertEqual(self.health(self.own_server).state, "unstable")
        self.own.heal(fault)
        self.assertEqual(self.run_cron(), (0, 0))
        self.hours_pass(0.5)
        self.assertEqual(self.run_cron(), (1, 0))
        self.assertEqual(self.health(self.own_server).state, "connected")

    # --- when it keeps still

    def test_without_system_mail_nobody_is_checked(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.mention()
        self.hours_pass(48)
        logins = self.logins()
        self.company.system_mail_address = False
        for name in ("sweep", "probe"):
            self.assertEqual(self.run_cron(name), (0, 0))
        self.assertEqual(self.logins(), logins)

    def test_a_neutralized_copy_logs_in_nowhere(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.mention()
        self.hours_pass(48)
        logins = self.logins()
        self.env["ir.config_parameter"].set_param("database.is_neutralized", True)
        for name in ("sweep", "probe"):
            self.assertEqual(self.run_cron(name), (0, 0))
        self.assertEqual(self.logins(), logins)

    # --- how far it gets

    @contextlib.contextmanager
    def job(self, name, seconds):
        """A run of the scheduled action that has so many seconds left; yields its model and its
        progress.
        """
        self.env.flush_all()
        with self.registry.cursor() as cr:
            cron = self.env.ref(f"system_mail.ir_cron_{name}").with_env(self.env(cr=cr))
            cron, progress = cron._add_progress()
            end = time.monotonic() + seconds
            cron = cron.with_context(cron_id=cron.id, cron_end_time=end)
            yield cron.env["system.mail.health"], progress.with_env(self.env)
        self.env.invalidate_all()

    def test_when_time_is_up_no_other_check_begins_and_what_is_left_is_told(self):
        self.own.fail("banner", action="hang")
        with self.job("sweep", SMTP_TIMEOUT / 2) as (health, progress):
            health._cron_sweep()
        self.assertEqual((progress.done, progress.remaining), (1, 2))
        self.assertEqual(self.logins(), [0, 0, 0])

    def test_without_time_it_is_called_again_at_once(self):
        trigger = self.env["ir.cron.trigger"].search_count
        due = [
            ("cron_id", "=", self.env.ref("system_mail.ir_cron_sweep").id),
            ("call_at", "<=", fields.Datetime.now() + datetime.timedelta(minutes=1)),
        ]
        with self.job("sweep", 0) as (health, progress):
            health._cron_sweep()
        self.assertEqual((progress.done, progress.remaining), (0, 3))
        self.assertEqual(self.logins(), [0, 0, 0])
        self.assertEqual(trigger(due), 1)

    def test_probes_stop_when_time_is_up_too(self):
        self.run_cron()
        self.env["system.mail.health"].search([]).write(
            {"breaker_state": "open", "next_probe_at": "2020-01-01"}
        )
        with self.job("probe", 0) as (health, progress):
            health._cron_probe()
        self.assertEqual((progress.done, progress.remaining), (0, 3))
        self.assertEqual(self.logins(), [1, 1, 1])
        self.assertEqual(self.run_cron("probe"), (3, 0))
        self.assertEqual(self.logins(), [2, 2, 2])

    # --- in parallel

    def test_each_check_is_told_with_its_trouble(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        found = dict(self.mailboxes.system_mail_check_in_parallel())
        failure, decision = found.pop(self.own_server)
        self.assertEqual((failure.code, decision.rule), (535, "password_rejected"))
        self.assertEqual(found, {self.shared_server: None, self.system_server: None})

    def test_a_mailbox_that_is_no_more_is_no_trouble(self):
        gone = self.shared_server
        checks = (self.own_server + gone).system_mail_check_in_parallel()
        self.assertEqual(next(checks), (self.own_server, None))
        gone.unlink()
        self.assertEqual(list(checks), [(gone, None)])

    def test_a_mailbox_that_goes_as_its_probe_begins_is_left_out(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.own_server.system_mail_check()
        health = self.health(self.own_server)
        self.assertTrue(health.server_id)  # known to the one who probes
        self.env.cr.execute("DELETE FROM system_mail_health WHERE id = %s", [health.id])
        self.assertFalse(health._lease_apart())


@tagged("post_install", "-at_install")
class TestSweepByRequest(SystemMailCase, HttpCase):
    """Asked for in a browser, in the list of scheduled actions."""

    def test_the_checks_work_in_a_request(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.env.flush_all()
        self.authenticate("admin", "admin")
        sweep = self.env.ref("system_mail.ir_cron_sweep")
        self.make_jsonrpc_request(
            "/web/dataset/call_button/ir.cron/method_direct_trigger",
            {
                "model": "ir.cron",
                "method": "method_direct_trigger",
                "args": [sweep.ids],
                "kwargs": {},
            },
        )
        self.env.invalidate_all()
        self.assertEqual(self.health(self.own_server).state, "disconnected")
        self.assertEqual(self.health(self.system_server).state, "connected")
