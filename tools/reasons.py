"""Translate rule ids to text, in the language of the environment. Only the ids are stored."""

import re

from ..failover.words import KILLED, REASONS, REMEDIES, with_codes

_WORDS = "|".join(map(re.escape, (KILLED, *REASONS.values())))
_STORED = re.compile(rf"(?m)(?:(?<=: )|^)(?:{_WORDS})(?=$| \(\d)")
"""Where a text gives a reason, as ``explain`` and ``describe`` write it."""


def reasons(env):
    """The text of each rule, as a Selection field needs it: ``[(id, text)]``."""
    return [(rule, env._(words)) for rule, words in REASONS.items()]


def in_words(env, rule, *codes):
    """Why something failed, for a person: ``the password was rejected (535 5.7.8)``.

    :param rule: a stored id, or False if nothing failed. A rule that no longer exists shows its id
    :param codes: the server's code and enhanced code, if there are any
    """
    return rule and with_codes(env._(REASONS.get(rule, rule)), *codes)


def translated(env, text):
    """A stored text that gives reasons, in the language of the environment: for each mailbox, a
    line ``name: reason``, and what its server said.
    """
    return _STORED.sub(lambda reason: env._(reason[0]), text)


def as_stored(env, words):
    """The reasons, as they are stored, that have these words in the language of the environment."""
    words = words.casefold()
    shown = ((stored, env._(stored)) for stored in (KILLED, *REASONS.values()))
    return [stored for stored, text in shown if text != stored and words in text.casefold()]


def at_server(env, host, reason):
    """A reason that speaks for the server, not for one mailbox: it names the server."""
    return env._("%(server)s: %(reason)s", server=host, reason=reason)


def reason_of(env, failure, decision):
    """Why a mailbox failed just now, for a person."""
    return in_words(env, decision.rule, failure.code, failure.enhanced)


def remedy_in_words(env, remedy):
    """What to do about a mailbox, for a person. Whether one message arrived is asked there.

    :param remedy: a stored id, or False. A remedy that no longer exists shows its id
    """
    return _in_words(env, "unavailable" if remedy == "uncertain" else remedy)


def remedy_of(env, decision):
    """What to do about what failed just now, for a person."""
    return _in_words(env, decision.remedy)


def _in_words(env, remedy):
    return remedy and env._(REMEDIES.get(remedy, remedy))
