import datetime
import os
from unittest.mock import patch

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import ValidationError

from ..constants import MASK, OAUTH
from ..tools.encrypted import in_clear
from .common import AlertsCase
from .made_up_provider import made_up_provider
from .test_oauth import HELLO, OAuthCase

LAST_DAY = datetime.date(2035, 12, 31)


class EndsCase(AlertsCase):
    """What ends on a day that is known, on a clock that is moved."""

    def row(self, server):
        """The mailbox's line in Connections, fresh."""
        self.env.flush_all()
        self.env.invalidate_all()
        return self.env["system.mail.connection"].search([("server_id", "=", server.id)])

    def told_on(self, *days):
        """What the scheduled action tells on each of these days, where it runs twice a day."""
        told = []
        for day in days:
            with freeze_time(day):
                self.tell()
                self.tell()
                told.append(self.told())
        return told


class TestPasswordsEnd(EndsCase):
    """A provider that stops taking passwords on a day that is known: each mailbox at 127.0.0.1."""

    def setUp(self):
        super().setUp()
        self.enterContext(made_up_provider(passwords_end=LAST_DAY))

    def test_each_mailbox_that_logs_in_by_password_is_shown_at_once(self):
        shared = self.mailbox(self.own, "sales@company.test", "secret")
        for server in self.own_server | self.system_server | shared:
            row = self.row(server)
            self.assertTrue(row.needs_attention, row.kind)
            self.assertEqual(row.ends_on, LAST_DAY)
            self.assertIn("will switch off passwords (Dec 31, 2035)", row.reason)
            self.assertIn("by signing in, or as an application", row.remedy)
        self.assertFalse(self.told(), "it is years ahead")

    def test_a_mailbox_without_a_password_or_elsewhere_or_of_the_provider_itself_is_not_shown(self):
        for values in (
            {"smtp_user": "", "smtp_pass": False},
            {"smtp_authentication": "cli"},
            {"smtp_host": "mail.company.test"},
            {"smtp_host": "1127.0.0.1"},
            {"smtp_user": "ana@PIGEON.example"},
            {"active": False},
        ):
            server = self.mailbox(self.own, "other@company.test", "secret")
            self.assertTrue(self.row(server).needs_attention)
            server.write(values)
            self.assertFalse(self.row(server).needs_attention, values)
            self.assertFalse(self.row(server).reason, values)

    def test_what_fails_now_is_shown_before_what_ends_later(self):
        self.own.fail("auth", reply="535 5.7.8 Rejected")
        self.own_server.system_mail_check()
        row = self.row(self.own_server)
        self.assertIn("the password was rejected", row.reason)
        self.assertEqual(row.remedy, "Reconnect with the new password.")
        self.assertEqual(row.ends_on, LAST_DAY)

    def test_after_the_day_it_is_said_in_other_words(self):
        self.own_server.system_mail_check()
        with freeze_time(LAST_DAY):
            self.assertIn("will switch off", self.row(self.own_server).reason)
        with freeze_time("2036-01-01"):
            self.assertIn("has switched off", self.row(self.own_server).reason)

    def test_a_mailbox_that_works_by_password_after_the_day_is_left_alone(self):
        self.own_server.system_mail_check()
        health = self.health(self.own_server)
        for last_success, ended in (("2035-12-31 23:59:59", True), ("2036-01-01", False)):
            health.last_success = last_success
            with freeze_time("2036-01-02"):
                self.assertEqual(self.row(self.own_server).needs_attention, ended)
                self.assertEqual(bool(self.row(self.own_server).reason), ended)

    def test_it_is_found_by_its_words(self):
        connections = self.env["system.mail.connection"]
        for text in ("switch off PASSWORDS", self.row(self.own_server).reason):
            found = connections.search([("reason", "ilike", text)])
            self.assertEqual(found.server_id, self.own_server | self.system_server)
        without = connections.search([("reason", "=", False)])
        self.assertNotIn(self.own_server, without.server_id)

    def test_connections_opens_on_it(self):
        action = self.env["ir.actions.act_window"].with_user(self.env.ref("base.user_admin"))
        name = "system_mail.system_mail_connection_action"
        self.env.flush_all()
        self.assertIn("needs_attention", action._for_xml_id(name)["context"])

    def test_super_users_are_told_30_7_and_1_days_ahead_once_each_in_one_message(self):
        told = self.told_on(
            "2035-11-30", "2035-12-01", "2035-12-02", "2035-12-24", "2035-12-25", "2035-12-30",
            "2035-12-31", "2036-01-01",
        )  # fmt: skip
        self.assertEqual([len(bodies) for bodies in told], [0, 1, 0, 1, 0, 1, 0, 0])
        [body] = told[1]
        for words in ("Dec 31", "Pigeon Post, mailboxes: 2", "will switch off passwords"):
            self.assertIn(words, body)
        self.assertIn("/odoo/system-mail-connections", body)

    def test_what_fell_into_a_time_when_odoo_was_down_is_told_by_the_next_run(self):
        told = self.told_on("2035-12-05", "2035-12-29", "2036-01-03")
        self.assertEqual([len(bodies) for bodies in told], [1, 1, 1])
        self.assertIn("has switched off passwords", told[2][0])


class TestMicrosoftsPasswordsEnd(EndsCase):
    def test_at_the_end_of_december_2026_in_organisations_and_at_their_own_servers_only(self):
        for host, user, shown in (
            ("SMTP.office365.com", "ana@company.test", True),
            ("outlook.office365.com", "ana@company.test", True),
            ("smtp-hve.office365.com", "ana@company.test", False),
            ("smtp-mail.outlook.com", "ana@outlook.com", False),
            ("office365.com.company.test", "ana@company.test", False),
        ):
            self.own_server.write({"smtp_host": host, "smtp_user": user})
            with freeze_time("2026-11-20"):
                ends_on = self.row(self.own_server).ends_on
            self.assertEqual(ends_on, shown and datetime.date(2026, 12, 31), host)


class TestRegistrationsEnd(EndsCase):
    """The client secret and the certificate of a provider's registration."""

    def setUp(self):
        super().setUp()
        self.provider = self.env.ref("system_mail.oauth_provider_microsoft")
        self.other = self.env.ref("system_mail.oauth_provider_google")
        self.provider.write({"client_id": "us", "client_secret_input": "old"})
        self.own_server.write(
            {"smtp_authentication": OAUTH, "system_mail_provider_id": self.provider.id}
        )

    def end_on(self, day, name="client_secret", provider=None):
        """Have the secret, or the certificate, end on a day."""
        with freeze_time("2035-01-01"):
            (provider or self.provider)[f"{name}_ends_on"] = day

    def test_all_are_told_once_each_30_7_and_1_days_ahead_in_one_message(self):
        self.end_on("2035-12-31")
        self.other.client_id = "us"
        self.end_on("2035-12-31", "certificate", self.other)
        told = self.told_on(
            "2035-11-30", "2035-12-01", "2035-12-02", "2035-12-24", "2035-12-30", "2036-01-02"
        )  # fmt: skip
        self.assertEqual([len(bodies) for bodies in told], [0, 1, 0, 1, 1, 0])
        [body] = told[1]
        self.assertIn("Dec 31, Microsoft 365: the provider's client secret will", body)
        self.assertIn("the certificate of the provider's registration will expire", body)
        self.assertIn(f"/odoo/system-mail-providers/{self.provider.id}", body)

    def test_a_certificate_takes_the_place_of_the_secret(self):
        self.end_on("2035-12-31")
        self.end_on("2037-12-31", "certificate")
        self.assertEqual(self.told_on("2035-12-20"), [[]])
        with freeze_time("2035-12-20"):
            self.assertFalse(self.row(self.own_server).needs_attention)
        with freeze_time("2037-12-20"):
            self.assertIn("the certificate of the", self.row(self.own_server).reason)

    def test_a_registration_that_is_not_in_use_is_not_told(self):
        self.end_on("2035-12-31")
        self.provider.client_id = False
        self.assertEqual(self.told_on("2035-12-20"), [[]])

    def test_the_mailboxes_that_sign_in_there_are_shown_from_30_days_ahead_until_it_is_renewed(
        self,
    ):
        self.end_on("2035-12-31")
        for day, shown in (("2035-11-30", False), ("2035-12-01", True), ("2036-01-05", True)):
            with freeze_time(day):
                self.assertEqual(self.row(self.own_server).needs_attention, shown, day)
                self.assertFalse(self.row(self.system_server).ending)
        with freeze_time("2035-12-05"):
            self.assertIn("client secret will expire (Dec 31)", self.row(self.own_server).reason)
            self.assertIn("Create a new client secret", self.row(self.own_server).remedy)
            self.provider.client_secret_input = "new"
            self.assertFalse(self.row(self.own_server).needs_attention)
        self.assertEqual(self.told_on("2035-12-06"), [[]])

    def test_a_mailbox_that_logs_in_by_password_is_not_shown(self):
        self.end_on("2035-12-31")
        self.own_server.smtp_authentication = "login"
        with freeze_time("2035-12-05"):
            self.assertNotEqual(self.row(self.own_server).ending, "client_secret")

    def test_a_new_secret_has_another_day_than_the_old_one(self):
        self.end_on("2035-12-31")
        self.provider.write({"client_secret_input": MASK, "name": "Ours"})
        self.assertEqual(self.provider.client_secret_ends_on, datetime.date(2035, 12, 31))
        self.provider.client_secret_input = "new"
        self.assertFalse(self.provider.client_secret_ends_on)
        day = fields.Date.add(fields.Date.today(), years=1)
        self.provider.write({"client_secret_input": "newer", "client_secret_ends_on": day})
        self.assertEqual(self.provider.client_secret_ends_on, day)

    def test_a_day_that_cannot_be_right_is_refused_in_words(self):
        with freeze_time("2035-01-01"):
            for day, words in (
                ("2034-12-31", "that day is over"),
                ("2053-01-01", "Check the year"),
            ):
                with self.assertRaisesRegex(ValidationError, words):
                    self.provider.client_secret_ends_on = day
            self.provider.client_secret_ends_on = "2035-01-01"


class TestServerCertificatesEnd(EndsCase):
    """A mail server of the organisation's own, whose certificate somebody has to renew."""

    def setUp(self):
        super().setUp()
        self.enterContext(patch.dict(os.environ, SSL_CERT_FILE=self.lab.cafile))
        self.today = fields.Date.today()

    def connect(self, certificate, encryption="ssl", **values):
        """Ana's mailbox at a server that shows one of the lab's certificates."""
        self.own = self.smtp(
            f"at {certificate}",
            encryption=encryption,
            certificate=certificate,
            logins={"ana@company.test": "secret"},
        )
        self.own_server.write(
            {"smtp_port": self.own.port, "smtp_encryption": f"{encryption}_strict", **values}
        )

    def days_ahead(self, *numbers):
        """What is told in so many days, where the mailbox worked in the night before."""
        told = []
        for number in numbers:
            day = self.today + datetime.timedelta(days=number)
            self.health(self.own_server).last_success = day
            told += self.told_on(day)
        return told

    def test_a_certificate_that_ends_in_20_days_is_seen_by_a_check_and_by_a_message(self):
        for encryption in ("ssl", "starttls"):
            for use in (self.own_server.system_mail_check, self.mention):
                self.connect("ends-soon", encryption)
                self.health(self.own_server).unlink()
                self.env.flush_all()
                use()
                row = self.row(self.own_server)
                self.assertEqual(row.ends_on, self.today + datetime.timedelta(days=20))
                self.assertEqual((row.state, row.needs_attention), ("connected", True))
                self.assertIn("the mail server's certificate will expire", row.reason)
                self.assertIn("administrator of the mail server", row.remedy)

    def test_it_is_told_once_each_time_with_the_server(self):
        self.connect("ends-soon")
        self.own_server.system_mail_check()
        told = self.days_ahead(0, 1, 12, 13, 14, 19, 20)
        self.assertEqual([len(bodies) for bodies in told], [1, 0, 0, 1, 0, 1, 0])
        self.assertIn(f"{self.own.host}: the mail server's certificate will", told[0][0])

    def test_once_it_is_renewed_nothing_more_is_shown_or_told(self):
        self.connect("ends-soon")
        self.own_server.system_mail_check()
        self.assertTrue(self.row(self.own_server).needs_attention)
        self.connect("fresh")
        self.row(self.own_server).action_test()
        self.assertFalse(self.row(self.own_server).needs_attention)
        self.assertEqual(self.days_ahead(0, 13, 19), [[], [], []])

    def test_a_certificate_that_was_not_seen_lately_is_not_told(self):
        self.connect("ends-soon")
        self.own_server.system_mail_check()
        self.assertEqual(self.told_on(self.today + datetime.timedelta(days=13)), [[]])

    def test_what_a_program_renews_is_told_where_it_is_late(self):
        self.connect("short-lived")
        self.own_server.system_mail_check()
        self.assertFalse(self.row(self.own_server).needs_attention)
        self.connect("short-lived-late")
        self.own_server.system_mail_check()
        self.assertTrue(self.row(self.own_server).needs_attention)

    def test_a_known_providers_certificate_is_its_own_concern(self):
        with made_up_provider():
            self.connect("ends-soon")
            self.own_server.system_mail_check()
            self.assertEqual(self.row(self.own_server).state, "connected")
            self.assertFalse(self.row(self.own_server).needs_attention)

    def test_a_certificate_that_is_not_verified_stops_nothing(self):
        self.connect("ends-soon", smtp_encryption="ssl")
        self.own_server.system_mail_check()
        self.assertEqual(self.row(self.own_server).state, "connected")
        self.assertFalse(self.row(self.own_server).needs_attention)


class TestIdleTokens(OAuthCase):
    """A refresh token that nobody uses lapses."""

    def setUp(self):
        super().setUp()
        self.enterContext(made_up_provider(sign_in=True))  # where it lapses in 90 days
        self.sign_in(self.dialog())
        self.signed_in = self.system_server
        self.asked = len(self.oauth.requests)

    def idle_for(self, days):
        """Nobody used the token for so long, and the scheduled action runs.

        :return: how often the provider was asked for a new one
        """
        self.token(self.signed_in).expires_at = fields.Datetime.now() - datetime.timedelta(days)
        self.env.flush_all()
        self.env.ref("system_mail.ir_cron_sweep").method_direct_trigger()
        self.env.invalidate_all()
        asked, self.asked = len(self.oauth.requests) - self.asked, len(self.oauth.requests)
        return asked

    def test_it_is_renewed_long_before_it_lapses_and_nobody_is_told(self):
        before = in_clear(self.token(self.system_server), "refresh_token")
        self.assertEqual(self.idle_for(29), 0)
        self.assertEqual(self.idle_for(31), 1)
        token = self.token(self.system_server)
        self.assertGreater(token.expires_at, fields.Datetime.now())
        self.assertNotEqual(in_clear(token, "refresh_token"), before)
        self.assertEqual(self.health(self.system_server).state, "connected")
        self.assertFalse(self.events("disconnected"))

    def test_it_is_renewed_also_without_a_system_mail(self):
        self.signed_in = self.own_server
        self.own_server.write(
            {"smtp_authentication": OAUTH, "system_mail_provider_id": self.provider.id}
        )
        self.token(self.system_server).server_id = self.own_server
        self.company.system_mail_address = False
        self.assertEqual(self.idle_for(31), 1)
        self.assertFalse(self.own.connections, "it is asked for nothing else")

    def test_one_that_was_revoked_disconnects_the_mailbox_and_is_not_asked_for_again(self):
        self.oauth.revoke(HELLO)
        self.assertEqual(self.idle_for(31), 1)
        health = self.health(self.system_server)
        self.assertEqual((health.state, health.rule), ("disconnected", "token_revoked"))
        self.health(self.system_server).last_failure -= datetime.timedelta(days=2)
        self.assertEqual(self.idle_for(33), 0)

    def test_a_sign_in_service_that_is_down_is_asked_again_in_a_day(self):
        self.oauth.fail("token", status=503)
        self.assertEqual(self.idle_for(31), 1)
        self.assertEqual(self.health(self.system_server).state, "unstable")
        self.assertEqual(self.idle_for(31), 0)
        self.health(self.system_server).last_failure -= datetime.timedelta(days=1)
        self.oauth.heal()
        self.assertEqual(self.idle_for(32), 1)
        self.assertGreater(self.token(self.system_server).expires_at, fields.Datetime.now())

    def test_a_copy_of_the_database_and_a_mailbox_that_is_not_in_use_renew_none(self):
        self.env["ir.config_parameter"].set_param("database.is_neutralized", True)
        self.assertEqual(self.idle_for(31), 0)
        self.env["ir.config_parameter"].set_param("database.is_neutralized", False)
        self.system_server.active = False
        self.assertEqual(self.idle_for(31), 0)
        self.system_server.active = True
        self.assertEqual(self.idle_for(31), 1)


class TestPace(EndsCase):
    """A daily limit that the pace of the last hours will reach."""

    def setUp(self):
        super().setUp()
        self.company.system_mail_limit_day = 100

    def serve(self, hours_ago, recipients, **values):
        moment = fields.Datetime.now() - datetime.timedelta(hours=hours_ago - 0.5)
        self.env["system.mail.usage"].create(
            {
                "company_id": self.company.id,
                "minute": moment,
                "recipient_count": recipients,
                **values,
            }
        )

    def test_it_is_told_once_a_day(self):
        for hour in range(1, 7):
            self.serve(hour, 10)
        self.tell()
        self.tell()
        [body] = self.told()
        self.assertIn("60 recipients within a day", body)
        self.assertIn("limit of 100", body)
        alert = self.env["system.mail.alert"].search([("key", "like", "pace:")])
        alert.told_at -= datetime.timedelta(days=1)
        self.tell()
        self.assertEqual(len(self.told()), 1)

    def test_what_is_no_pace_is_not_told(self):
        for name, served in {
            "one burst": {1: 90},
            "two bursts": {1: 45, 4: 45},
            "less than half of the limit": dict.fromkeys(range(1, 4), 16),
            "it will not do": dict.fromkeys(range(1, 9), 7),
            "the limit is reached: that is told otherwise": dict.fromkeys(range(1, 7), 17),
            "what leaves the day makes room": dict.fromkeys(range(19, 25), 8)
            | dict.fromkeys(range(1, 7), 8),
        }.items():
            with self.subTest(name):
                self.env["system.mail.usage"].search([]).unlink()
                for hour, recipients in served.items():
                    self.serve(hour, recipients)
                self.serve(2, 50, waits_for="minute")
                self.tell()
                self.assertFalse(self.told())

    def test_without_a_daily_limit_nothing_is_told(self):
        self.company.system_mail_limit_day = 0
        for hour in range(1, 7):
            self.serve(hour, 1000)
        self.tell()
        self.assertFalse(self.told())
