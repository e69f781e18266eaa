"""The page of what providers answer: the engine's own rules and words, with what providers really
said.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from system_mail.failover.failure import Effect, Failure, Kind, Phase, Verdict
from system_mail.failover.rules import RULES, Rule, match
from system_mail.failover.words import REASONS, REMEDIES

from .tables import cells

PATH = "docs/answers.rst"
TESTS = Path(__file__).resolve().parents[2] / "tests"
MOST_EXAMPLES = 3
LONGEST_EXAMPLE = 76
HEAD = """\
.. Made by "script/lint --fix" of failover/rules.py, failover/words.py and
   tests/failure_rules.csv and provider_replies.tsv: change it there.

======================
What providers answer
======================

This page lists each failure that System Mail tells apart: the reason, as *Connections*, *Activity*
and the chatter show it, examples of what providers say, the state of the mailbox, what happens to
the message, and what to do. `Troubleshooting <troubleshooting.rst>`__ explains the states.

"System Mail sends it" applies to mail within its scope (`What It Sends
<configure.rst#what-it-sends>`__). Other mail waits for a mailbox that recovers by itself. It fails
where somebody has to act.

"System Mail decides" means that nobody knows yet whose fault the refusal is. For notifications to
colleagues, System Mail tries the same message. If System Mail's server accepts it, the message is
sent. If both servers refuse it for good, it fails with both answers. If one of them says "later",
or System Mail itself does not work, the message waits. For other mail, a refusal fails as in Odoo,
and "later" waits. Only the server's own words count: addresses, the subject and what other servers
said are ignored.
"""
TITLES = {  # by the step that fails, the last one that it may be
    "Signing in with the provider": Phase.TOKEN,
    "Reaching the server": Phase.EHLO,
    "Logging in": Phase.AUTH,
    "Sending": Phase.QUIT,
}
STATES = {
    Effect.NONE: "as it was",
    Effect.TRANSIENT: "Unstable",
    Effect.THROTTLED: "Unstable",
    Effect.MISCONFIGURED: "Unstable, needs attention",
    Effect.PROVIDER_MISCONFIGURED: "Unstable, needs attention",
    Effect.DISCONNECTED: "Disconnected",
}
FATES = {
    Verdict.FALLBACK: "System Mail sends it",
    Verdict.DEFER: "it waits, and is tried again",
    Verdict.REFUSE: "it fails, as in Odoo",
    Verdict.SPLIT: "it goes in several sendings",
    Verdict.UNCERTAIN: "to colleagues: System Mail sends it; to others: held",
}
_NEVER_TOLD = {Kind.DRILL, Kind.AWAITED}
NO_ANSWER = "\N{EN DASH}"


def make() -> str:
    """The page."""
    rules, answers = _rules_by_name(), _answers()
    text = [HEAD]
    for title, last in TITLES.items():
        names = [name for name, alike in rules.items() if _step(alike[0]) <= last]
        text += ["", title, "=" * len(title), "", *_table()]
        for name in names:
            text += _row(rules.pop(name), answers.get(name, []))
    return "\n".join(text) + "\n"


def _rules_by_name() -> dict[str, list[Rule]]:
    """The rules that tell of a trouble, by their name, in the order in which they are tried."""
    rules: dict[str, list[Rule]] = {}
    for rule in RULES:
        if rule.decision.verdict is not Verdict.ACCEPTED and not rule.kinds <= _NEVER_TOLD:
            rules.setdefault(rule.decision.rule, []).append(rule)
    return rules


def _step(rule: Rule) -> Phase:
    """The first step that may fail so; at a sign-in only where nothing else may."""
    return min(rule.phases - {Phase.TOKEN}, default=Phase.TOKEN)


def _answers() -> dict[str, list[str]]:
    """What providers said, by the name of the rule that knows it."""
    answers: dict[str, list[str]] = {}
    for failure in _examples():
        said = answers.setdefault(match(failure).decision.rule, [])
        if (shown := _shown(failure)) not in said:
            said.append(shown)
    return answers


def _examples() -> Iterator[Failure]:
    """The failures that the tests know from providers' own words."""
    with (TESTS / "failure_rules.csv").open(newline="") as file:
        yield from filter(None, map(_failure, csv.DictReader(file)))
    for line in (TESTS / "provider_replies.tsv").read_text().splitlines():
        if line and not line.startswith("#"):
            _verdicts, _rules, phase, flags, reply, _source = line.split("\t")
            given = {"all": "all_recipients", "app": "application"}.get(flags, "")
            example = f"HTTP {reply}" if phase == "token" else reply.replace("\\n", " ")
            if failure := _failure({"phase": phase, "example": example, "given": given}):
                yield failure


def _failure(row: dict[str, str]) -> Failure | None:
    """The failure that the example makes, if a provider said it."""
    first, _, rest = row["example"].partition(" ")
    phase = Phase(row["phase"])
    fields = {
        "accepted_before": {"accepted_before": 1},
        "all_recipients": {"all_recipients": True},
        "application": {"application": True},
    }
    given = fields.get(row["given"], {})
    if first.isdigit():
        return Failure.from_reply(phase, int(first), rest.encode(), **given)
    if first == "HTTP":
        status, _, body = rest.partition(" ")
        return Failure.from_token_response(int(status), body.encode(), **given)
    if first == "HTTPS":
        status, code, text = rest.split(" ", 2)
        return Failure.from_answer(int(status), code.strip("-"), text, **given)
    return None


def _shown(failure: Failure) -> str:
    by_http = failure.phase is Phase.TOKEN or failure.kind is Kind.ANSWER
    code = f"HTTP {failure.code}" if by_http else str(failure.code)
    text = " ".join(filter(None, (code, failure.enhanced, failure.text)))
    if len(text) <= LONGEST_EXAMPLE:
        return text
    return text[:LONGEST_EXAMPLE].rpartition(" ")[0] + " …"


def _table() -> Iterator[str]:
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield "   :widths: 24 34 14 14 24"
    yield ""
    yield from cells(["Why", "What the provider says", "State", "The message", "What to do"])


def _row(rules: list[Rule], answers: list[str]) -> Iterator[str]:
    decisions = [rule.decision for rule in rules]
    reason = REASONS[decisions[0].rule]
    said = [f"``{answer}``" for answer in answers[:MOST_EXAMPLES]]
    yield from cells(
        [
            f"{reason[0].upper()}{reason[1:]}",
            said or [NO_ANSWER],
            _listed(STATES[decision.effect] for decision in decisions),
            _listed(
                ("System Mail decides" if decision.is_open else FATES[decision.verdict])
                + (", only to colleagues" if decision.internal_only else "")
                for decision in decisions
            ),
            [REMEDIES[name] for name in dict.fromkeys(d.remedy for d in decisions)],
        ]
    )


def _listed(words: Iterator[str]) -> str:
    text = ", or: ".join(dict.fromkeys(words))
    return f"{text[0].upper()}{text[1:]}"
