from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from ..common import SystemMailCase

REJECTED = "535 5.7.8 Username and Password not accepted"


@tagged("post_install", "-at_install")
class TestQueueJob(SystemMailCase, HttpCase):
    """Mail that a job sends, as the job runner starts it: by a request of nobody."""

    def job(self, **values):
        """A job that mentions Ben, about to be run."""
        delayed, body = self.record.with_user(self.ana).sudo().with_delay(), "From a job"
        job = delayed.message_post(
            body=body,
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
            partner_ids=self.ben.partner_id.ids,
            **values,
        )
        self.env.cr.execute("UPDATE queue_job SET state = 'enqueued' WHERE uuid = %s", [job.uuid])
        self.env.invalidate_all()
        return job

    def run_job(self, job):
        with mute_logger("odoo.addons.queue_job.controllers.main"):
            answer = self.url_open(f"/queue_job/runjob?db={self.env.cr.dbname}&job_uuid={job.uuid}")
        self.assertEqual(answer.status_code, 200)
        self.env.invalidate_all()
        self.assertEqual(job.db_record().state, "done")
        return self.record.message_ids[0]

    def test_a_healthy_mailbox_sends_it(self):
        self.run_job(self.job())
        [delivery] = self.received("ben@company.test")
        self.assertIn(delivery, self.own.accepted)

    def test_it_falls_back(self):
        self.own.fail("auth", reply=REJECTED)
        self.assert_arrives_once_by_system_mail(self.run_job(self.job()))

    def test_what_neither_can_send_waits_and_the_job_is_done(self):
        self.own.fail("auth", reply=REJECTED)
        self.system.stop()
        message = self.run_job(self.job())
        self.assertEqual(message.notification_ids.failure_type, "system_mail_waiting")
        self.system.heal()
        self.health(self.system_server).give_new_chance()
        self.run_queue(message.notification_ids.mail_mail_id)
        self.assert_arrives_once_by_system_mail(message)

    def test_a_server_that_is_silent_after_the_dot_gets_one_copy(self):
        self.own.fail("dot", action="hang", accept=True, times=1)
        self.env["ir.config_parameter"].set_param("system_mail.person_seconds", "1")
        message = self.run_job(self.job())
        self.assertEqual(len(self.received("ben@company.test")), 1)
        self.assertEqual(message.notification_ids.notification_status, "ready")
