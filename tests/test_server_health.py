import datetime
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged

from odoo.addons.base.models import ir_mail_server
from odoo.addons.http_routing.tests.common import MockRequest

from ..constants import GROUP
from ..failover import pace
from .common import AlertsCase

REJECTED = "535 5.7.8 Rejected"


class ServersCase(AlertsCase):
    """Ana, Dora and Emil have mailboxes at one server; System Mail is at another one."""

    def setUp(self):
        super().setUp()
        self.startPatcher(patch.object(ir_mail_server, "SMTP_TIMEOUT", 1))
        self.authors, self.mailboxes = [self.ana], self.own_server
        for name in ("dora", "emil"):
            self.join(name, self.own)
        # it served nobody within the last minute
        self.served = self.startPatcher(
            patch.dict("odoo.addons.system_mail.models.mailboxes.system_mail_server_health._served")
        )
        self.served.clear()

    def join(self, name, smtp):
        address = f"{name}@company.test"
        self.authors.append(self._user(name.title(), address))
        smtp.logins[address] = "secret"
        mailbox = self.mailbox(smtp, address, "secret", owner_user_id=self.authors[-1].id)
        self.mailboxes |= mailbox
        return mailbox

    def all_write(self):
        """:return: the mails, one of each author"""
        mails = self.env["mail.mail"].union(*(self.mail(author=a) for a in self.authors))
        mails.send()
        return mails

    def row(self, mailbox=None):
        """What is known of a mailbox's server, or of our own network."""
        rows = self.env["system.mail.server.health"]
        key = rows.place(mailbox).key if mailbox else "network"
        row = rows.search([("key", "=", key)])
        row.invalidate_recordset()
        return row

    def states(self):
        return [self.health(mailbox).state for mailbox in self.mailboxes]

    def probe(self, row):
        """Its probe is due, and the scheduled action runs."""
        row.next_probe_at = fields.Datetime.now() - datetime.timedelta(minutes=1)
        self.env.flush_all()
        self.env.ref("system_mail.ir_cron_probe").method_direct_trigger()
        self.env.invalidate_all()


@tagged("post_install", "-at_install")
class TestServer(ServersCase):
    """What fails before the log-in is the server's: one mailbox finds out for all."""

    def silence(self):
        return self.own.fail("banner", action="hang")

    def test_the_first_time_out_tells_all_mailboxes_there(self):
        self.all_write()
        self.assertEqual(self.states(), ["connected"] * 3)
        connections = len(self.own.connections)
        self.forget_served()
        self.silence()
        self.all_write()
        self.assertEqual(len(self.own.connections), connections + 1)
        self.assertEqual(len(self.system.accepted), 3)
        self.assertEqual(self.states(), ["unstable"] * 3)
        for mailbox in self.mailboxes:
            self.assertIn("127.0.0.1", self.health(mailbox).reason)
        outages = self.env["system.mail.outage"].search([])
        self.assertEqual(outages.server_id, self.mailboxes)
        self.assertEqual(outages.mapped("message_count"), [1, 1, 1])

    def forget_served(self):
        """A minute passes."""
        patcher = patch.dict(
            "odoo.addons.system_mail.models.mailboxes.system_mail_server_health._served"
        )
        self.startPatcher(patcher).clear()

    def test_a_server_that_served_somebody_within_the_last_minute_is_tried_once_more(self):
        self.all_write()
        connections = len(self.own.connections)
        self.silence()
        self.all_write()
        self.assertEqual(len(self.own.connections), connections + 2)
        self.assertEqual(self.row(self.own_server).breaker_state, "open")

    def test_one_probe_frees_all_and_wakes_what_waits(self):
        self.all_write()
        fault = self.silence()
        self.forget_served()
        self.system.fail("mail", reply="451 4.3.0 Not now")
        mails = self.all_write()
        self.assertEqual(set(mails.mapped("state")), {"outgoing"})
        self.own.heal(fault)
        connections = len(self.own.connections)
        self.probe(self.row(self.own_server))
        self.assertEqual(len(self.own.connections), connections + 1)
        self.assertEqual(self.states(), ["connected"] * 3)
        now = mails._system_mail_now()
        late = mails.filtered(lambda mail: mail.scheduled_date and mail.scheduled_date > now)
        self.assertFalse(late, late.mapped("failure_reason"))
        self.assertFalse(
            self.env["system.mail.outage"].search([("ended_at", "=", False)])
            - (self.env["system.mail.outage"].search([("server_id", "=", self.system_server.id)]))
        )
        mails.send()
        self.assertEqual(len(self.own.accepted), 6)

    def test_a_mailbox_whose_server_failed_once_is_checked_soon(self):
        self.all_write()
        self.own.stop()
        self.mail(author=self.ana).send()
        self.own.start()
        health = self.health(self.own_server)
        self.assertEqual((health.state, health.breaker_state), ("unstable", "closed"))
        health.last_success = health.last_failure = "2020-01-01"
        self.env.flush_all()
        self.env.ref("system_mail.ir_cron_sweep").method_direct_trigger()
        self.env.invalidate_all()
        self.assertEqual(self.states(), ["connected"] * 3)

    def test_the_probe_that_finds_a_wrong_password_frees_the_others(self):
        self.all_write()
        fault = self.silence()
        self.forget_served()
        self.all_write()
        self.own.heal(fault)
        self.own.fail("auth", reply=REJECTED)
        self.probe(self.row(self.own_server))
        self.assertEqual(sorted(self.states()), ["connected", "connected", "disconnected"])

    def test_a_probe_that_fails_waits_longer_and_is_the_only_one(self):
        self.silence()
        self.all_write()
        row = self.row(self.own_server)
        for _ in range(2):
            connections = len(self.own.connections)
            self.probe(row)
            self.assertEqual(len(self.own.connections), connections + 1)
        self.assertEqual((row.breaker_state, row.delay), ("open", 240))
        self.assertEqual(self.health(self.own_server).next_probe_at, row.next_probe_at)

    def test_other_encryption_or_another_port_is_another_server(self):
        other = self.smtp("other")
        mailbox = self.join("fay", other)
        self.own.fail("banner", action="hang")
        strict = self.join("gil", self.own)
        strict.smtp_encryption = "starttls_strict"
        self.env.flush_all()
        self.all_write()
        self.assertEqual(self.health(mailbox).state, "connected")
        self.assertFalse(self.row(mailbox))
        self.assertEqual(self.row(strict).host, self.row(self.own_server).host)
        self.assertNotEqual(self.row(strict), self.row(self.own_server))

    def test_one_wrong_setting_harms_nobody_else(self):
        self.own_server.smtp_encryption = "starttls"  # which the server does not offer
        self.all_write()
        self.assertEqual(self.states(), ["unstable", "connected", "connected"])

    def test_a_log_in_that_fails_is_the_mailboxs_alone(self):
        self.own.logins["ana@company.test"] = "changed"
        self.all_write()
        self.assertEqual(self.states(), ["disconnected", "connected", "connected"])

    def test_disconnected_outlasts_a_probe_in_an_outage_and_is_tried_again_soon(self):
        self.own.logins["ana@company.test"] = "changed"
        self.all_write()
        health = self.health(self.own_server)
        health.next_probe_at = "2020-01-01"
        self.forget_served()
        self.silence()
        self.env.flush_all()
        self.env.ref("system_mail.ir_cron_probe").method_direct_trigger()
        health = self.health(self.own_server)
        self.assertEqual((health.state, health.rule), ("disconnected", "password_rejected"))
        soon = fields.Datetime.now() + datetime.timedelta(hours=1, minutes=1)
        self.assertLess(health.next_probe_at, soon)
        self.assertEqual(self.states()[1:], ["unstable", "unstable"])

    def test_a_person_who_ran_out_of_time_before_the_log_in_tells_all(self):
        self.env["ir.config_parameter"].set_param("system_mail.person_seconds", "1")
        self.startPatcher(patch.object(ir_mail_server, "SMTP_TIMEOUT", 3))
        self.silence()
        self.http_request_allow_all = True  # the mocked one has no cookies
        for author in self.authors:
            with MockRequest(self.env):
                self.mail(author=author).send()
        self.assertEqual(len(self.own.connections), 1)
        self.own.heal()
        self.env["mail.mail"].search([("state", "=", "outgoing")]).send()
        self.assertFalse(self.row(self.own_server).slow_seconds)

    def test_a_healthy_mailbox_asks_and_writes_no_more(self):
        self.all_write()
        looked = []
        execute = type(self.env.cr).execute

        def note(cursor, query, *args, **kwargs):
            looked.append(str(getattr(query, "code", query)))
            return execute(cursor, query, *args, **kwargs)

        with patch.object(type(self.env.cr), "execute", note):
            self.mail().send()
        of_ours = [query for query in looked if "system_mail_" in query and "health" in query]
        self.assertEqual(len(of_ours), 2, "one for the mailbox, one for its server")
        self.assertTrue(all("SELECT" in query for query in of_ours))

    def test_a_server_that_no_mailbox_can_probe_is_used_again(self):
        self.silence()
        self.all_write()
        row = self.row(self.own_server)
        self.env["system.mail.health"].search([]).by_server = False
        self.probe(row)
        self.assertTrue(row.exists(), "a sender may be about to read why it is down")
        self.assertFalse(row.is_down())

    def test_a_server_that_nobody_uses_is_forgotten(self):
        self.silence()
        self.all_write()
        self.mailboxes.unlink()
        self.env["system.mail.server.health"]._gc_servers()
        self.assertFalse(self.env["system.mail.server.health"].search([("host", "!=", False)]))

    # --- who is told

    def test_connections_and_alerts_name_it_once(self):
        self.all_write()
        self.forget_served()
        fault = self.silence()
        self.all_write()
        row = self.row(self.own_server)
        row.since -= datetime.timedelta(minutes=6)
        [line] = self.env["system.mail.connection"].get_overview()["servers"]
        self.assertEqual(line, "127.0.0.1: the server is not available. Mailboxes: 3.")
        self.tell()
        [told] = self.told()
        self.assertIn(line, told)
        self.tell()
        self.assertFalse(self.told())
        self.own.heal(fault)
        self.probe(row)
        self.tell()
        [told] = self.told()
        self.assertIn("127.0.0.1 answers again.", told)
        self.assertFalse(self.env["system.mail.connection"].get_overview()["servers"])


@tagged("post_install", "-at_install")
class TestOwnNetwork(ServersCase):
    """Two servers that fail with nothing served between: nobody is blamed, and all mail waits."""

    def setUp(self):
        super().setUp()
        self.third = self.smtp("third")
        self.fay_mailbox = self.join("fay", self.third)
        self.all_write()

    def lose(self):
        """The way to all servers, each of another name, and some seconds after they served: the
        database keeps whole ones.
        """
        for key in self.served:
            self.served[key] -= 2
        for number, mailbox in enumerate(self.mailboxes | self.system_server, 2):
            mailbox.smtp_host = f"127.0.0.{number}"
        for smtp in (self.own, self.system, self.third):
            smtp.stop()
        self.env.flush_all()

    def further(self, password):
        """A further mailbox of System Mail."""
        address = "second@company.test"
        self.third.logins[address] = "secret"
        server = self.mailbox(self.third, address, password)
        self.env["system.mail.backup"].create(
            {"company_id": self.company.id, "address": address, "server_id": server.id}
        )
        return server

    def connection_count(self):
        return sum(len(smtp.connections) for smtp in (self.own, self.system, self.third))

    def test_nobody_is_blamed_and_it_is_said_once(self):
        self.lose()
        with self.assertLogs("odoo.addons.system_mail", "WARNING") as log:
            mails = self.all_write()
            self.all_write()
        self.assertEqual(set(mails.mapped("state")), {"outgoing"})
        self.assertEqual(len([line for line in log.output if "own network" in line]), 1)
        self.assertEqual(self.states(), ["connected"] * 4)
        self.assertEqual(self.row().breaker_state, "open")
        self.row().since -= datetime.timedelta(minutes=6)
        self.tell()
        [told] = self.told()
        self.assertIn("Odoo's own network seems down", told)
        [line] = self.env["system.mail.connection"].get_overview()["servers"]
        self.assertIn(line, told)

    def test_a_test_of_all_mailboxes_tells_one_story(self):
        self.lose()
        outages = self.env["system.mail.outage"].search([])
        rows = self.env["system.mail.connection"].search(
            [("server_id", "in", (self.mailboxes | self.system_server).ids)]
        )
        results = rows.test_chunk()["results"]
        self.assertTrue(results)
        for result in results:
            self.assertIn("Odoo's own network seems down", result["text"])
        self.assertEqual(self.states(), ["connected"] * 4)
        self.assertEqual(self.env["system.mail.outage"].search([]), outages, "of no minutes")

    def test_who_tries_one_mailbox_hears_the_same_story(self):
        self.lose()
        self.all_write()
        preferences = self.ana.with_user(self.ana)
        with self.assertRaisesRegex(UserError, "own network seems down.*sent when the network"):
            preferences.action_test_outgoing_mail_server()
        self.assertIn("Odoo's own network seems down", preferences.system_mail_message)
        self.ben.group_ids += self.env.ref(GROUP)
        company = self.company.with_user(self.ben)
        test = company.env["system.mail.test"].browse(company.action_system_mail_test()["res_id"])
        test.action_send()
        self.assertIn("Odoo's own network seems down", test.problem)
        drill = company.env["system.mail.drill"].create({"company_id": company.id})
        drill.action_send()
        self.assertIn("Odoo's own network seems down", drill.verdict)
        self.assertEqual(drill.remedy, "Try again when the network is back.")
        self.assertEqual(self.states(), ["connected"] * 4)

    def test_an_outage_with_a_reason_of_its_own_stays(self):
        rejected = self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.mailboxes[0].system_mail_check()
        self.own.heal(rejected)
        [outage] = self.env["system.mail.outage"].search([])
        self.lose()
        self.all_write()
        self.assertEqual(self.row().breaker_state, "open")
        self.assertEqual(self.env["system.mail.outage"].search([]), outage)

    def test_what_did_not_work_before_is_not_taken_for_connected(self):
        failing = self.health(self.fay_mailbox)
        hours_ago = fields.Datetime.now() - datetime.timedelta(hours=3)
        failing.write({"state": "unstable", "since": hours_ago, "rule": "unreachable"})
        self.lose()
        self.fay_mailbox.system_mail_check()
        self.all_write()
        self.assertEqual(self.row().breaker_state, "open")
        self.assertEqual(self.states(), ["connected"] * 3 + ["unstable"])
        self.assertEqual(self.health(self.fay_mailbox).since, hours_ago)

    def test_one_probe_finds_that_it_is_back_and_wakes_all(self):
        self.lose()
        mails = self.all_write()
        for mailbox in self.mailboxes | self.system_server:
            mailbox.smtp_host = "127.0.0.1"
        for smtp in (self.own, self.system, self.third):
            smtp.start()
        before = self.connection_count()
        self.probe(self.row())
        self.assertEqual(self.connection_count(), before + 1)
        self.assertEqual(self.row().breaker_state, "closed")
        now = mails._system_mail_now()
        late = mails.filtered(lambda mail: mail.scheduled_date and mail.scheduled_date > now)
        self.assertFalse(late, late.mapped("failure_reason"))

    def test_servers_of_one_person_each_say_nothing_of_the_network(self):
        """Their owners may have switched them off."""
        self.lose()
        own = self.own_server | self.fay_mailbox
        for mailbox in own:
            mailbox.system_mail_check()
        self.assertFalse(self.row().is_down())
        self.assertEqual({self.health(mailbox).state for mailbox in own}, {"unstable"})
        self.system_server.system_mail_check()
        self.assertTrue(self.row().is_down(), "that one is the company's")

    def test_servers_of_several_people_say_nothing_of_it_while_system_mail_works(self):
        """Three who switch theirs off together would have all mail wait."""
        self.lose()
        self.mailboxes[1].smtp_host = self.own_server.smtp_host  # two of them share one
        for mailbox in self.mailboxes:
            mailbox.system_mail_check()
        self.mailbox(
            self.third, "sales@company.test", "x", smtp_host="127.0.0.9"
        ).system_mail_check()
        self.assertFalse(self.row().is_down())
        self.system_server.system_mail_check()
        self.assertTrue(self.row().is_down())

    def test_a_further_mailbox_of_system_mail_is_tried_before_the_network_is_suspected(self):
        self.further("secret")
        self.lose()
        self.third.start()
        mails = self.all_write()
        self.assertEqual({*mails.mapped("state")}, {"sent"})
        self.assertFalse(self.row().is_down())
        self.third.stop()
        self.served.clear()
        self.all_write()
        self.assertTrue(self.row().is_down(), "now nobody gets through")

    def test_system_mail_that_nobody_uses_is_checked_before_the_network_is_suspected(self):
        """A company may not have sent for hours, and its mail would wait for another's servers."""
        server = self.mailbox(
            self.third, "hello@second.test", "secret", from_filter="hello@second.test"
        )
        self.third.logins["hello@second.test"] = "secret"
        second = self.env["res.company"].create({"name": "Second"})
        second.write(
            {"system_mail_address": "hello@second.test", "system_mail_server_id": server.id}
        )
        self.assertFalse(server.system_mail_check())
        sweep = self.env.ref("system_mail.ir_cron_sweep")
        ago = fields.Datetime.now() - datetime.timedelta(hours=1)
        self.health(server).last_success = ago
        self.lose()
        server.smtp_host = "127.0.0.9"
        self.env["ir.cron.trigger"].search([("cron_id", "=", sweep.id)]).unlink()
        self.all_write()
        self.assertFalse(self.row().is_down(), "it may work")
        self.assertTrue(self.env["ir.cron.trigger"].search([("cron_id", "=", sweep.id)]))
        sweep.method_direct_trigger()
        self.assertTrue(self.row().is_down())
        self.assertEqual(self.states(), ["connected"] * 4, "nobody is blamed any more")

    def test_one_of_system_mail_that_cannot_log_in_is_not_waited_for(self):
        server = self.further("wrong")
        server.system_mail_check()
        self.assertEqual(self.health(server).state, "disconnected")
        self.lose()
        server.smtp_host = "127.0.0.9"
        self.all_write()
        self.assertTrue(self.row().is_down())

    def test_a_mailbox_of_system_mail_that_was_down_before_says_neither(self):
        server = self.further("secret")
        server.smtp_host = "127.0.0.9"
        self.third.stop()
        for _ in range(3):
            server.system_mail_check()
        row = self.row(server)
        self.assertTrue(row.is_down())
        row.first_failure_at -= datetime.timedelta(hours=1)
        self.third.start()
        self.lose()
        self.all_write()
        self.assertTrue(self.row().is_down())

    def test_who_tries_meanwhile_makes_nobody_wait_longer(self):
        self.lose()
        self.all_write()
        before = self.row().delay, self.row().next_probe_at
        for _ in range(4):
            self.fay_mailbox.system_mail_check()
        self.assertEqual((self.row().delay, self.row().next_probe_at), before)
        self.probe(self.row())
        self.assertEqual(self.row().delay, 2 * before[0])

    def test_nobodys_silent_server_keeps_the_network_down(self):
        """Not even one whose probe was due first, and whose success was the last one."""
        self.lose()
        mails = self.all_write()
        for mailbox in (self.mailboxes | self.system_server) - self.fay_mailbox:
            mailbox.smtp_host = "127.0.0.1"
        self.own.start()
        self.system.start()
        hostile = {"next_probe_at": "2020-01-01", "last_success": fields.Datetime.now()}
        self.health(self.fay_mailbox).write(hostile)
        for _ in range(30):
            if self.row().breaker_state == "closed":
                break
            self.probe(self.row())
        self.assertEqual(self.row().breaker_state, "closed")
        now = mails._system_mail_now()
        late = mails.filtered(lambda mail: mail.scheduled_date and mail.scheduled_date > now)
        self.assertFalse(late, late.mapped("failure_reason"))


@tagged("post_install", "-at_install")
class TestPace(ServersCase):
    """Many wrong passwords at one server do not turn its own defence on the others."""

    def test_after_some_wrong_passwords_the_others_wait_and_keep_their_state(self):
        self.all_write()
        for author in self.authors[:2]:
            self.own.logins[author.email] = "changed"
        attempts = len(self.own.attempts)
        for author in self.authors:
            self.mail(author=author).send()
        self.assertEqual(len(self.own.attempts), attempts + pace.FREE)
        self.assertEqual(self.states(), ["disconnected", "disconnected", "connected"])
        self.assertEqual(self.events("fallback")[-1].rule, "log_ins_paced")
        self.row(self.own_server).next_login_at = fields.Datetime.now()
        self.env.flush_all()
        self.all_write()
        self.assertEqual(len(self.own.attempts), attempts + pace.FREE + 1)
        self.assertFalse(self.row(self.own_server).next_login_at)

    def test_system_mail_at_the_same_server_goes_on(self):
        self.own.logins["hello@company.test"] = "neutral"
        self.system_server.smtp_port = self.own.port
        for author in self.authors[:2]:
            self.own.logins[author.email] = "changed"
        self.env.flush_all()
        mails = self.all_write()
        self.assertEqual(set(mails.mapped("state")), {"sent"})

    def test_a_password_that_is_known_to_be_wrong_holds_up_nobody(self):
        for author in self.authors[:2]:
            self.own.logins[author.email] = "changed"
        self.all_write()
        row = self.row(self.own_server)
        row.write({"last_rejected_at": "2020-01-01", "next_login_at": False})
        for mailbox in self.mailboxes[:2]:
            self.health(mailbox).next_probe_at = "2020-01-01"
        attempts = len(self.own.attempts)
        self.env.flush_all()
        self.env.ref("system_mail.ir_cron_probe").method_direct_trigger()
        self.assertEqual(len(self.own.attempts), attempts + 1, "one of them at once")
        self.assertFalse(self.row(self.own_server).next_login_at)
