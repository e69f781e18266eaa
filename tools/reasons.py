"""Where a rule becomes words, in the language of the environment: what is stored is its id."""

from ..failover.words import REASONS, REMEDIES, with_codes


def reasons(env):
    """What to show for each rule: ``[(id, words)]``, as a Selection field has it."""
    return [(rule, env._(words)) for rule, words in REASONS.items()]


def in_words(env, rule, *codes):
    """Why something failed, for a person: ``the password was rejected (535 5.7.8)``.

    :param rule: a stored id, or False: nothing failed. A rule that no longer exists shows its id
    :param codes: the server's, as far as there are any
    """
    return rule and with_codes(env._(REASONS.get(rule, rule)), *codes)


def reason_of(env, failure, decision):
    """Why a mailbox failed just now, for a person."""
    return in_words(env, decision.rule, failure.code, failure.enhanced)


def remedy_in_words(env, remedy):
    """What to do, for a person.

    :param remedy: a stored id, or False. A remedy that no longer exists shows its id
    """
    return remedy and env._(REMEDIES.get(remedy, remedy))


def remedy_of(env, decision):
    """What to do about what failed just now, for a person."""
    return remedy_in_words(env, decision.remedy)
