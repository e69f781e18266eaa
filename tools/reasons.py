"""The engine's words, in the language of whoever reads them; they are kept in English."""

import re

from odoo import fields

from ..failover.words import REMEDIES, describe

CODES = re.compile(r"(.*?)( \([\d. ]+\))?", re.DOTALL)
"""A reason, and the codes that end it."""


def in_words(env, text):
    """What the engine says, translated; anything else as it is.

    :param text: a reason or a remedy, or False
    """
    if not text:
        return text
    reason, codes = CODES.fullmatch(text).groups("")
    return env._(reason) + codes


def reason_of(env, failure, decision):
    """Why, for a person: ``the password was rejected (535 5.7.8)``."""
    return in_words(env, describe(failure, decision))


def remedy_of(env, decision):
    """What to do, for a person."""
    return env._(REMEDIES[decision.remedy])


class Words(fields.Char):
    """A Char of the engine's words: English for the code, translated where it is read."""

    def convert_to_read(self, value, record, use_display_name=True):
        return in_words(record.env, super().convert_to_read(value, record, use_display_name))
