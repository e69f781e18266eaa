import datetime

from odoo import fields
from odoo.tests import TransactionCase

from ..tools.moments import day_in_words, moment_in_words


class TestMoments(TransactionCase):
    """The same form as in Odoo's lists: a year is named only if it is another one."""

    def setUp(self):
        super().setUp()
        self.env = self.env(context={"lang": "en_US", "tz": "Asia/Tokyo"})
        self.moment = fields.Datetime.now().replace(month=3, day=9, hour=3, minute=5)

    def in_words(self, moment):
        return " ".join(moment_in_words(self.env, moment).split())

    def test_a_time_is_local(self):
        self.assertEqual(self.in_words(self.moment), "Mar 9, 12:05 PM")

    def test_another_year_is_named(self):
        self.assertEqual(self.in_words(self.moment.replace(year=2019)), "Mar 9, 2019, 12:05 PM")
        self.assertEqual(day_in_words(self.env, datetime.date(2019, 3, 9)), "Mar 9, 2019")

    def test_it_speaks_the_readers_language(self):
        self.env["res.lang"]._activate_lang("de_DE")
        german = self.env(context={"lang": "de_DE"})
        self.assertEqual(day_in_words(german, datetime.date(2019, 3, 9)), "9. März 2019")
