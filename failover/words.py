"""The words for people: why (``REASONS``) and what to do (``REMEDIES``), plain English literals."""

REMEDIES = {
    "none": "Nothing to do: it is tried again automatically.",
}
REASONS = {}


def describe(failure, decision):
    """Why, in plain words, with the codes: ``the password was rejected (535 5.7.8)``."""
    reason = REASONS[decision.rule]
    codes = " ".join(filter(None, (str(failure.code or ""), failure.enhanced)))
    return f"{reason} ({codes})" if codes else reason
