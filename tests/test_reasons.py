"""What failed is stored as a rule and codes; words are made for whoever reads them."""

from odoo.addons.mail.tools.discuss import Store

from ..failover.words import KILLED
from .common import SystemMailCase

ENGLISH = "the password was rejected"
MODELS = (
    "system.mail.health",
    "system.mail.event",
    "system.mail.outage",
    "system.mail.connection",
)


class TestReasons(SystemMailCase):
    def setUp(self):
        super().setUp()
        self.env["res.lang"]._activate_lang("fr_FR")
        self.own.fail("auth", reply="535 5.7.8 Username and Password not accepted")
        self.message = self.mention()
        self.env["system.mail.event"].note_change("Port: 25 → 587", self.company)
        self.env.flush_all()
        self.french = self.words("system.mail.event", "fr_FR")

    def words(self, model, lang):
        """How the rule of a rejected password is called, in lists that are grouped by it."""
        [rule] = self.env[model].with_context(lang=lang).fields_get(["rule"]).values()
        return dict(rule["selection"])["password_rejected"]

    def found(self, model, *condition, lang="en_US"):
        """Whether a search finds what failed."""
        records = self.env[model].with_context(lang=lang).search([("reason", *condition)])
        return "password_rejected" in records.mapped("rule")

    def test_each_reader_has_it_in_their_language(self):
        self.assertNotEqual(self.french, ENGLISH)
        for model in MODELS:
            record = self.env[model].search([("rule", "=", "password_rejected")])[:1]
            for lang, words in (("en_US", ENGLISH), ("fr_FR", self.french)):
                with self.subTest(model, lang=lang):
                    reason = record.with_context(lang=lang).reason
                    self.assertEqual(reason, f"{words} (535 5.7.8)")

    def test_the_chatter_tells_it_in_the_language_of_whoever_looks(self):
        self.ana.lang = "fr_FR"
        data = Store(bus_channel=self.ana).add(self.message).get_result()
        [told] = data["mail.notification"]
        self.assertEqual(told["system_mail_reason"], f"{self.french} (535 5.7.8)")

    def test_it_is_grouped_by_rule_and_called_by_a_label_of_the_readers(self):
        for model in MODELS:
            with self.subTest(model):
                self.assertEqual(self.words(model, "en_US"), ENGLISH)
                self.assertEqual(self.words(model, "fr_FR"), self.french)
                groups = self.env[model].formatted_read_group([], ["rule"], ["__count"])
                self.assertIn("password_rejected", [group["rule"] for group in groups])

    def test_it_is_found_by_its_words_and_by_its_codes(self):
        for model in MODELS:
            for text in (ENGLISH, "Password was", "535", "5.7.8", f"{ENGLISH} (535 5.7.8)"):
                with self.subTest(model, text=text):
                    self.assertTrue(self.found(model, "ilike", text))
            with self.subTest(model):
                self.assertTrue(self.found(model, "=", f"{ENGLISH} (535 5.7.8)"))
                self.assertTrue(self.found(model, "ilike", self.french, lang="fr_FR"))
                self.assertTrue(self.found(model, "not ilike", "unreachable"))
                self.assertTrue(self.found(model, "!=", False))
                for condition in (("ilike", "unreachable"), ("ilike", "550"), ("=", False)):
                    self.assertFalse(self.found(model, *condition))

    def test_of_mail_in_the_queue_it_is_read_and_found_in_each_language(self):
        self.system.stop()
        mail = self.mention().notification_ids.mail_mail_id
        self.assertIn(f"ana@company.test: {ENGLISH} (535 5.7.8)", mail.failure_reason)
        reader = self.env["mail.mail"].with_user(self.env.ref("base.user_admin"))
        for lang, words in (("en_US", ENGLISH), ("fr_FR", self.french)):
            with self.subTest(lang):
                mails = reader.with_context(lang=lang)
                [told] = mails.search_read(
                    [("failure_reason", "ilike", words), ("id", "=", mail.id)], ["failure_reason"]
                )
                self.assertIn(f"ana@company.test: {words} (535 5.7.8)\n", told["failure_reason"])
                self.assertIn("\nUsername and Password not accepted", told["failure_reason"])
        self.assertFalse(reader.search([("failure_reason", "ilike", self.french)]))
        mail.failure_reason = KILLED
        [told] = mail.with_context(lang="fr_FR").read(["failure_reason"])
        self.assertNotEqual(told["failure_reason"], KILLED)
        self.assertTrue(told["failure_reason"])

    def test_what_was_changed_is_told_and_found_as_it_was_written(self):
        events = self.env["system.mail.event"]
        changed = events.search([("reason", "ilike", "587")])
        self.assertEqual(changed.mapped("reason"), ["Port: 25 → 587"])
        self.assertNotIn(changed, events.search([("reason", "=", False)]))

    def test_providers_of_ours_are_named_in_each_language_others_as_they_were_written(self):
        providers = self.env["system.mail.oauth.provider"].with_context(lang="fr_FR")
        named = providers.search([("name", "=", "Google Workspace (service account)")])
        self.assertNotIn("service account", named.display_name)
        named.name = "Notre fournisseur"
        self.assertEqual(named.display_name, "Notre fournisseur")

    def test_a_rule_that_no_longer_exists_shows_its_id(self):
        health = self.health(self.own_server)
        health.write({"rule": "of_last_year", "remedy_key": "call_them"})
        self.assertEqual(health.reason, "of_last_year (535 5.7.8)")
        self.assertEqual(health.remedy, "call_them")
