import datetime
import re

from odoo import fields
from odoo.tests import tagged
from odoo.tools import SQL

from .test_monitoring import HEALTH, METRICS, MonitoringCase

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
UNESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


def parse(text):
    """Prometheus' text format 0.0.4, of gauges, read strictly.

    :return: ``{(name, frozenset of labels and their values): value}``
    """
    *lines, end = text.split("\n")
    assert end == "", "the last line ends with a line feed"
    samples, known, typed, name = {}, set(), set(), None
    for line in lines:
        if match := re.fullmatch(rf"# HELP ({NAME}) (\S(?:[^\\]|\\[\\n])*)", line):
            name = match[1]
            assert name not in known, f"{name} is one group"
            known.add(name)
        elif line.startswith("#"):
            assert line == f"# TYPE {name} gauge", line
            assert name not in typed, f"{name} is typed twice"
            typed.add(name)
        else:
            match = re.fullmatch(rf"({NAME})\{{({LABEL}(?:,{LABEL})*)\}} (\d+)", line)
            assert match, line
            assert match[1] == name and name in typed, f"{line} is out of its group"
            pairs = re.findall(LABEL, match[2])
            labels = {
                label: re.sub(r"\\.", lambda m: UNESCAPED[m[0]], value) for label, value in pairs
            }
            assert len(labels) == len(pairs), f"a label comes twice: {line}"
            key = (name, frozenset(labels.items()))
            assert key not in samples, f"a sample comes twice: {line}"
            samples[key] = int(match[match.lastindex])
    return samples


@tagged("post_install", "-at_install")
class TestMonitoringFigures(MonitoringCase):
    """What a monitoring system reads, as JSON and as Prometheus reads it."""

    def setUp(self):
        super().setUp()
        # what the database has of before is not this test's
        self.env.cr.execute("UPDATE mail_mail SET state = 'cancel'")
        self.env.invalidate_all()

    def figures(self, token=None):
        """The company's, and those of what belongs to none."""
        token = token or self.monitoring.new_token()
        companies = {company["id"]: company for company in self.health(token)["companies"]}
        return companies[self.company.id], companies[None]

    def health(self, token):
        return self.get(HEALTH, token).json()

    def metrics(self, token):
        return parse(self.get(METRICS, token).text)

    def sample(self, samples, name, company=None, **labels):
        """The value of one sample."""
        company = company or self.company.browse()
        labels |= {"company_id": str(company.id or ""), "company": company.name or ""}
        return samples[name, frozenset(labels.items())]

    def connect_system_mail(self):
        """As if it had been connected in the dialog."""
        self.env["system.mail.health"]._connected(self.system_server)
        return self.system_server.system_mail_health_ids

    # --- the figures

    def test_mailboxes_by_state_and_kind(self):
        before = self.figures()[0]["mailboxes"]
        self.own.logins["ana@company.test"] = "changed"
        self.mention()
        shared = self.mailbox(self.own, "sales@company.test", "wrong")
        shared.system_mail_check()
        token = self.monitoring.new_token()
        ours, strays = self.figures(token)
        personal = ours["mailboxes"]["personal"]
        self.assertEqual(personal["disconnected"], before["personal"]["disconnected"] + 1)
        self.assertEqual(personal["not_connected"], before["personal"]["not_connected"] - 1)
        self.assertEqual(
            ours["mailboxes"]["system"],
            {"not_connected": 0, "connected": 1, "unstable": 0, "disconnected": 0},
        )
        self.assertEqual(strays["mailboxes"]["shared"]["disconnected"], 1)
        samples = self.metrics(token)
        for company, mailboxes in ((self.company, ours), (None, strays)):
            for kind, states in mailboxes["mailboxes"].items():
                for state, count in states.items():
                    labels = {"kind": kind, "state": state}
                    sample = self.sample(samples, "system_mail_mailboxes", company, **labels)
                    self.assertEqual(sample, count)

    def test_the_state_of_each_system_mail(self):
        other = self.env["res.company"].create({"name": "Other"})
        self.connect_system_mail().last_success = "2026-05-03 09:14:00"
        token = self.monitoring.new_token()
        companies = {company["id"]: company for company in self.health(token)["companies"]}
        self.assertEqual(
            companies[self.company.id]["system_mail"],
            {"state": "connected", "last_success": "2026-05-03T09:14:00Z"},
        )
        self.assertEqual(
            companies[other.id]["system_mail"], {"state": "not_connected", "last_success": None}
        )
        self.assertIsNone(companies[None]["system_mail"])
        samples = self.metrics(token)
        for company, actual in ((self.company, "connected"), (other, "not_connected")):
            for state in self.monitoring.states():
                value = self.sample(samples, "system_mail_state", company, state=state)
                self.assertEqual(value, int(state == actual))
        name = "system_mail_last_success_timestamp_seconds"
        self.assertEqual(self.sample(samples, name, self.company), 1777799640)
        self.assertEqual(len([key for key in samples if key[0] == name]), 1)

    def test_the_state_is_what_the_settings_page_says(self):
        states = []
        for change in ({}, {"system_mail_address": False}):
            self.connect_system_mail()
            self.company.write(change)
            states.append(self.company.system_mail_state)
            self.assertEqual(self.figures()[0]["system_mail"]["state"], states[-1])
        self.assertEqual(states, ["connected", "not_connected"])

    def test_an_archived_server_is_not_in_use(self):
        self.connect_system_mail()
        self.system_server.active = False
        self.assertEqual(self.figures()[0]["system_mail"]["state"], "not_connected")

    def test_the_queue_and_how_late_it_is(self):
        now = fields.Datetime.now()
        self.mail(scheduled_date=now + datetime.timedelta(days=1))
        token = self.monitoring.new_token()
        queue = {"mails": 1, "oldest_due_seconds": 0, "held": 0}
        self.assertEqual(self.figures(token)[0]["queue"], queue)
        self.mail(scheduled_date=now - datetime.timedelta(minutes=10))
        queued = self.mail()
        ours, strays = self.figures(token)
        self.assertEqual(ours["queue"]["mails"], 3)
        self.assertAlmostEqual(ours["queue"]["oldest_due_seconds"], 600, delta=60)
        self.assertEqual(strays["queue"], {"mails": 0, "oldest_due_seconds": 0, "held": 0})
        self.age(queued, hours=1)
        samples = self.metrics(token)
        self.assertEqual(self.sample(samples, "system_mail_queue_mails", self.company), 3)
        oldest = self.sample(samples, "system_mail_queue_oldest_due_seconds", self.company)
        self.assertAlmostEqual(oldest, 3600, delta=60)

    def test_a_mail_belongs_to_the_company_of_its_record_or_else_of_its_author(self):
        other = self.env["res.company"].create({"name": "Other"})
        self.mail(record_company_id=other.id)
        self.mail(author_id=self.record.id)
        companies = self.health(self.monitoring.new_token())["companies"]
        queues = {company["id"]: company["queue"]["mails"] for company in companies}
        self.assertEqual(queues[other.id], 1)
        self.assertEqual(queues[None], 1)
        self.assertEqual(queues[self.company.id], 0)

    def test_what_is_held_until_somebody_decides(self):
        self.own.fail("dot", action="drop", accept=True)
        customer = self.env["res.partner"].create({"name": "C", "email": "c@customer.test"})
        message = self.mention(partners=customer)
        token = self.monitoring.new_token()
        self.assertEqual(self.figures(token)[0]["queue"]["held"], 1)
        self.assertEqual(
            self.sample(self.metrics(token), "system_mail_held_mails", self.company), 1
        )
        self.env["mail.mail"].search([("mail_message_id", "=", message.id)]).system_mail_drop()
        self.assertEqual(self.figures(token)[0]["queue"]["held"], 0)

    def test_fallbacks_by_window(self):
        self.own.stop()
        for _turn in range(4):
            self.mention()
        for event, age in zip(
            self.events("fallback"), ({}, {"hours": 2}, {"days": 2}, {"days": 8}), strict=True
        ):
            self.age(event, **age)
        token = self.monitoring.new_token()
        windows = {"1h": 1, "24h": 2, "7d": 3}
        self.assertEqual(self.figures(token)[0]["fallbacks"], windows)
        samples = self.metrics(token)
        for window, count in windows.items():
            value = self.sample(samples, "system_mail_fallbacks", self.company, window=window)
            self.assertEqual(value, count)

    def age(self, record, **age):
        """Have the record created so long ago."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                "UPDATE %s SET create_date = create_date - %s WHERE id = %s",
                SQL.identifier(record._table),
                datetime.timedelta(**age),
                record.id,
            )
        )
        record.invalidate_recordset()

    def test_an_archived_company_is_none(self):
        gone = self.env["res.company"].create({"name": "Gone"})
        self.mail(record_company_id=gone.id)
        gone.active = False
        companies = self.health(self.monitoring.new_token())["companies"]
        self.assertNotIn(gone.id, [company["id"] for company in companies])
        self.assertEqual(companies[-1]["queue"]["mails"], 1)

    def test_any_name_of_a_company_can_be_read_back(self):
        self.company.name = 'Ünïcode & "Söhne" \\ Co.\n{x="1"} 2'
        token = self.monitoring.new_token()
        self.assertEqual(self.figures(token)[0]["name"], self.company.name)
        self.assertEqual(
            self.sample(self.metrics(token), "system_mail_held_mails", self.company), 0
        )

    def test_nothing_of_a_person(self):
        self.own.stop()
        self.mention(body="A secret of Ana's")
        self.mail(subject="Her subject")
        token = self.monitoring.new_token()
        text = self.get(HEALTH, token).text + self.get(METRICS, token).text
        for personal in ("@", "Ana", "Ben", "secret", "subject", "127.0.0.1"):
            self.assertNotIn(personal, text)

    def test_the_queries_are_four_however_much_there_is(self):
        self.assertEqual(self.queries(), 4)
        self.own.stop()
        for number in range(5):
            company = self.env["res.company"].create({"name": f"Company {number}"})
            company.system_mail_address = f"hello{number}@company.test"
            self.mail(record_company_id=company.id)
            self.mention()
            self._user(f"User {number}", f"user{number}@company.test")
        self.assertEqual(self.queries(), 4)

    def queries(self):
        """How many it takes to read the figures, where only what Odoo caches for all is known."""
        self.monitoring.figures()
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        self.monitoring.verdict(self.monitoring.figures())
        return self.env.cr.sql_log_count - before

    # --- the verdict

    def verdict(self):
        answer = self.health(self.monitoring.new_token())
        return answer["status"], answer["reasons"]

    def test_ok(self):
        self.connect_system_mail()
        self.assertEqual(self.verdict(), ("ok", []))
        self.own.logins["ana@company.test"] = "changed"
        self.mention()
        self.assertEqual(self.verdict(), ("ok", []), "one person's mailbox is not System Mail's")

    def test_without_system_mail_it_is_ok(self):
        self.company.system_mail_address = False
        self.assertEqual(self.verdict(), ("ok", []))

    def test_critical_where_system_mail_is_out_of_order(self):
        health = self.connect_system_mail()
        for state, words in (
            ("disconnected", "System Mail is disconnected. Reconnect it."),
            ("unstable", "System Mail is unstable. It is tried again by itself."),
        ):
            health.state = state
            self.assertEqual(self.verdict(), ("critical", [f"{self.company.name}: {words}"]))

    def test_critical_where_the_queue_stands_still(self):
        self.connect_system_mail()
        mail = self.mail()
        self.age(mail, minutes=110)
        self.assertEqual(self.verdict()[0], "ok")
        self.age(mail, minutes=20)
        status, [reason] = self.verdict()
        self.assertEqual(status, "critical")
        self.assertIn("due for 2 hours", reason)

    def test_warnings(self):
        status, [reason] = self.verdict()
        self.assertEqual(status, "warning")
        self.assertIn("has an address but is not connected", reason)
        health = self.connect_system_mail()
        self.mailbox(self.own, "sales@company.test", "wrong").system_mail_check()
        self.mail(state="exception", failure_type="system_mail_held")
        status, reasons = self.verdict()
        self.assertEqual(status, "warning")
        self.assertEqual(
            reasons,
            [
                f"{self.company.name}: Mails that may have been delivered: 1. Somebody has to "
                "decide on each.",
                "Shared mailboxes that are disconnected: 1. Reconnect them.",
            ],
        )
        health.state = "disconnected"
        status, reasons = self.verdict()
        self.assertEqual((status, len(reasons)), ("critical", 3))
