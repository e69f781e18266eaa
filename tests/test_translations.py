import collections
import re
from pathlib import Path

import polib

from odoo.tests import TransactionCase

from .translatable import reader

I18N = Path(__file__).parents[1] / "i18n"
LANGUAGES = ("de", "es", "fr", "nl", "vi")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd%]|\{\w*\}|</?\w+|▸|https?://\S+")
"""What a translation must keep as it is."""


class TestTranslations(TransactionCase):
    def test_the_template_has_all_that_people_read(self):
        with reader(self.env.cr) as rows:
            sources = {row[4] for row in rows}
        template = {entry.msgid for entry in polib.pofile(str(I18N / "system_mail.pot"))}
        self.assertFalse(sources ^ template, "script/translate collects them")

    def test_every_language_has_it_all(self):
        template = {entry.msgid for entry in polib.pofile(str(I18N / "system_mail.pot"))}
        for language in LANGUAGES:
            with self.subTest(language):
                file = polib.pofile(str(I18N / f"{language}.po"))
                self.assertFalse([entry.msgid for entry in file.untranslated_entries()])
                self.assertFalse([entry.msgid for entry in file.fuzzy_entries()])
                self.assertEqual({entry.msgid for entry in file}, template)

    def test_what_must_stay_stays(self):
        for language in LANGUAGES:
            for entry in polib.pofile(str(I18N / f"{language}.po")):
                with self.subTest(language, text=entry.msgid):
                    expected, given = (
                        collections.Counter(PLACEHOLDER.findall(text))
                        for text in (entry.msgid, entry.msgstr)
                    )
                    self.assertEqual(given, expected)
                    self.assertEqual(entry.msgstr.strip() == entry.msgstr, True)
