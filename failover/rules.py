"""What a failure means: one ordered table, first match wins.

Rows that know a provider's words stand above rows that know only codes: providers reuse codes
freely, words less so. Sources: RFC 5321 4.2.1, 4.3.2, 4.5.3.1.10; RFC 3463; RFC 4954 4 and 6.
"""

import dataclasses
import re

from . import reply_words as says
from .failure import Decision, Effect, Kind, Phase, Verdict
from .words import REMEDIES, describe

__all__ = ["REMEDIES", "RULES", "Rule", "classify", "classify_recipients", "describe", "match"]


@dataclasses.dataclass(frozen=True)
class Rule:
    """One row of the table: where it holds, for which failures, and the decision."""

    phases: frozenset
    kinds: frozenset
    says: re.Pattern
    decision: Decision
    all_recipients: bool | None = None
    """At RCPT: only if every recipient was refused (True), or only if some were not (False)."""
    after_accepted: bool = False
    """Only on a connection that has already accepted a message."""

    def matches(self, failure, said):
        return bool(
            failure.phase in self.phases
            and failure.kind in self.kinds
            and (failure.accepted_before or not self.after_accepted)
            and self.all_recipients in (None, failure.all_recipients)
            and self.says.search(said)
        )


def match(failure):
    """The first rule that holds; there always is one."""
    said = " ".join(filter(None, (str(failure.code or ""), failure.enhanced, failure.text)))
    return next(rule for rule in RULES if rule.matches(failure, said))


def classify(failure):
    """The decision on a failure. Pure and total: always decides, never raises."""
    return match(failure).decision


def classify_recipients(failures):
    """The decisions on a message's refused recipients, ``{address: Decision}``.

    Refusals speak for the mailbox only if no recipient was accepted and all say so: one recipient's
    "relaying denied" next to another's "user unknown" is a matter of recipients.

    :param dict failures: ``{address: Failure}``
    """
    decisions = {address: classify(failure) for address, failure in failures.items()}
    if len({decision.rule for decision in decisions.values()}) > 1:
        return {
            address: classify(dataclasses.replace(failure, all_recipients=False))
            for address, failure in failures.items()
        }
    return decisions


ANY = frozenset(Kind)
REPLY = frozenset({Kind.REPLY})
TOKEN, DNS, CONNECT, TLS, BANNER, EHLO, AUTH, MAIL, RCPT, DATA, BODY, DOT, QUIT = Phase
SETUP = {phase for phase in Phase if phase.before_mail}
LOGIN = {AUTH, MAIL}  # MAIL: the late answer to an AUTH whose reply nobody read
SENDING = {MAIL, DATA, BODY, DOT}
TRANSACTION = SENDING | {RCPT}

FALLBACK, DEFER, REFUSE = Verdict.FALLBACK, Verdict.DEFER, Verdict.REFUSE
UNCERTAIN, SPLIT, ACCEPTED = Verdict.UNCERTAIN, Verdict.SPLIT, Verdict.ACCEPTED
NONE, TRANSIENT, THROTTLED = Effect.NONE, Effect.TRANSIENT, Effect.THROTTLED
MISCONFIGURED, DISCONNECTED = Effect.MISCONFIGURED, Effect.DISCONNECTED


def _on(phases, outcome, name, remedy="none", said="", **options):
    """A row. ``options``: ``kinds`` (replies by default), the Rule's conditions, the Decision's
    flags.
    """
    kinds = options.pop("kinds", REPLY)
    conditions = {key: options.pop(key) for key in _CONDITIONS & options.keys()}
    return Rule(
        frozenset({phases} if isinstance(phases, Phase) else phases),
        frozenset({kinds} if isinstance(kinds, Kind) else kinds),
        re.compile(said, re.IGNORECASE),
        Decision(*outcome, name, remedy, **options),
        **conditions,
    )


_CONDITIONS = {"all_recipients", "after_accepted"}
_FORCE = {"retry_forced_token": True}
_ABUSED = {"internal_only": True, "compromised": True}

RULES = (
    _on(QUIT, (ACCEPTED, NONE), "quit", kinds=ANY),
    _on({RCPT, DOT}, (ACCEPTED, NONE), "accepted", said=r"^2"),
    _on(MAIL, (DEFER, NONE), "over_limit", kinds=Kind.OVER_LIMIT),
    # The access token (RFC 6749 5.2)
    _on({TOKEN, AUTH}, (FALLBACK, MISCONFIGURED), "no_key", "no_key", kinds=Kind.NO_KEY),
    _on(TOKEN, (FALLBACK, DISCONNECTED), "token_revoked", "reconnect", kinds=Kind.INVALID_GRANT),
    _on(
        TOKEN,
        (FALLBACK, Effect.PROVIDER_MISCONFIGURED),
        "token_client",
        "client_secret",
        kinds=Kind.INVALID_CLIENT,
    ),
    _on(TOKEN, (FALLBACK, TRANSIENT), "token_unavailable", kinds=ANY),
    # The way to the server
    _on(CONNECT, (FALLBACK, NONE), "drill", kinds=Kind.DRILL),
    _on(
        {DNS, CONNECT}, (FALLBACK, MISCONFIGURED), "host_invalid", "server_name", kinds=Kind.INVALID
    ),
    _on(SETUP, (FALLBACK, TRANSIENT), "unknown_host", "server_name", kinds=Kind.UNKNOWN_HOST),
    _on(SETUP, (FALLBACK, MISCONFIGURED), "certificate", "encryption", kinds=Kind.CERTIFICATE),
    _on(
        {CONNECT, TLS, BANNER, EHLO},
        (FALLBACK, MISCONFIGURED),
        "tls_not_offered",
        "no_encryption",
        kinds=Kind.NOT_OFFERED,
    ),
    _on(TLS, (FALLBACK, MISCONFIGURED), "tls_not_offered", "no_encryption", says.STARTTLS_REFUSED),
    _on(
        SETUP,
        (FALLBACK, MISCONFIGURED),
        "tls_mismatch",
        "encryption",
        says.TLS_MISMATCH,
        kinds=Kind.HANDSHAKE,
    ),
    _on(TLS, (FALLBACK, TRANSIENT), "tls_broken", kinds=ANY),
    _on({DNS, CONNECT}, (FALLBACK, TRANSIENT), "unreachable", "unreachable", kinds=ANY),
    _on({BANNER, EHLO}, (FALLBACK, TRANSIENT), "unavailable", "unavailable", kinds=ANY),
    # The log-in (RFC 4954)
    _on(AUTH, (FALLBACK, MISCONFIGURED), "login_not_offered", "no_login", kinds=Kind.NOT_OFFERED),
    _on(AUTH, (FALLBACK, MISCONFIGURED), "login_invalid", "login_characters", kinds=Kind.INVALID),
    _on(
        LOGIN,
        (FALLBACK, MISCONFIGURED),
        "encryption_required",
        "encryption_on",
        says.ENCRYPTION_REQUIRED,
    ),
    _on(AUTH, (FALLBACK, TRANSIENT), "login_unavailable", said=says.XOAUTH2_UNAVAILABLE),
    _on(
        AUTH,
        (FALLBACK, DISCONNECTED),
        "oauth_rejected",
        "reconnect",
        says.XOAUTH2_REJECTED,
        **_FORCE,
    ),
    _on(
        LOGIN, (FALLBACK, DISCONNECTED), "basic_auth_retired", "use_oauth", says.BASIC_AUTH_RETIRED
    ),
    _on(
        LOGIN,
        (FALLBACK, DISCONNECTED),
        "app_password_required",
        "app_password",
        says.APP_LOGIN_REQUIRED,
    ),
    _on(
        LOGIN, (FALLBACK, DISCONNECTED), "web_login_required", "web_login", says.WEB_LOGIN_REQUIRED
    ),
    _on(
        LOGIN,
        (FALLBACK, DISCONNECTED),
        "smtp_auth_disabled",
        "smtp_auth",
        says.SMTP_AUTH_DISABLED,
        **_FORCE,
    ),
    _on(LOGIN, (FALLBACK, TRANSIENT), "login_unavailable", said=says.LOGIN_BUSY),
    _on(
        AUTH, (FALLBACK, DISCONNECTED), "account_blocked", "provider_blocked", says.ACCOUNT_BLOCKED
    ),
    _on(AUTH, (FALLBACK, MISCONFIGURED), "ip_not_allowed", "ip_allow", says.IP_NOT_ALLOWED),
    _on(AUTH, (FALLBACK, MISCONFIGURED), "login_not_offered", "no_login", says.UNKNOWN_COMMAND),
    _on(LOGIN, (FALLBACK, DISCONNECTED), "app_password_required", "app_password", r"^534"),
    _on(
        AUTH,
        (FALLBACK, DISCONNECTED),
        "password_rejected",
        "password",
        says.CREDENTIALS_REJECTED,
        **_FORCE,
    ),
    _on(AUTH, (FALLBACK, THROTTLED), "too_many_connections", said=says.TOO_MANY_CONNECTIONS),
    _on(AUTH, (FALLBACK, TRANSIENT), "login_unavailable", kinds=ANY),
    _on(
        MAIL,
        (FALLBACK, DISCONNECTED),
        "password_rejected",
        "reconnect",
        says.LATE_CREDENTIALS_REJECTED,
        **_FORCE,
    ),
    _on(
        MAIL,
        (FALLBACK, DISCONNECTED),
        "not_authenticated",
        "reconnect",
        says.NOT_AUTHENTICATED,
        **_FORCE,
    ),
    # Who may send, and how much
    _on(SENDING, (FALLBACK, MISCONFIGURED), "send_as_denied", "send_as", says.SEND_AS_DENIED),
    _on(
        RCPT,
        (FALLBACK, MISCONFIGURED),
        "send_as_denied",
        "send_as",
        says.SEND_AS_DENIED,
        all_recipients=True,
    ),
    _on(SENDING, (FALLBACK, THROTTLED), "quota_reached", "quota", says.QUOTA_REACHED, quota=True),
    _on(
        SENDING,
        (FALLBACK, DISCONNECTED),
        "sender_blocked",
        "compromised",
        says.SENDER_BLOCKED,
        **_ABUSED,
    ),
    _on(SENDING, (FALLBACK, MISCONFIGURED), "relay_denied", "relay", says.RELAY_DENIED_AT_ALL),
    _on(SENDING, (DEFER, THROTTLED), "too_fast", said=says.SENDING_RATE),
    _on(SENDING, (FALLBACK, THROTTLED), "too_fast", said=says.TOO_FAST),
    _on({DATA, BODY, DOT}, (DEFER, NONE), "recipient_busy", said=says.RECIPIENT_BUSY),
    # The line closed between two messages (RFC 5321 3.8): a limit per connection, or idle
    _on(
        MAIL,
        (FALLBACK, NONE),
        "line_closed",
        said=r"^421",
        after_accepted=True,
        reconnect_first=True,
    ),
    _on(
        MAIL,
        (FALLBACK, NONE),
        "line_closed",
        kinds=Kind.DROP,
        after_accepted=True,
        reconnect_first=True,
    ),
    _on(SENDING, (FALLBACK, THROTTLED), "too_many_connections", said=says.TOO_MANY_CONNECTIONS),
    # The message's own fault
    _on(TRANSACTION, (REFUSE, NONE), "too_big", "too_big", says.TOO_BIG),
    _on(TRANSACTION, (REFUSE, NONE), "no_smtputf8", "no_smtputf8", kinds=Kind.NOT_OFFERED),
    _on(TRANSACTION - {DOT}, (REFUSE, NONE), "unwritable", "unwritable", kinds=Kind.INVALID),
    _on({DATA, BODY, DOT}, (REFUSE, NONE), "spam", "spam", says.SPAM),
    _on({DATA, BODY, DOT}, (REFUSE, NONE), "bad_recipient", "recipient", says.BAD_RECIPIENT),
    _on({DATA, BODY, DOT}, (REFUSE, NONE), "content", "content", says.CONTENT),
    # The recipient's: never the mailbox's, unless the server says the same to all
    _on(RCPT, (FALLBACK, TRANSIENT), "temporary", said=r"^421"),
    _on(RCPT, (FALLBACK, NONE), "quota_reached", "quota", says.QUOTA_REACHED, all_recipients=True),
    _on(
        RCPT,
        (SPLIT, NONE),
        "too_many_recipients",
        said=says.TOO_MANY_RECIPIENTS,
        all_recipients=False,
    ),
    _on(
        RCPT,
        (FALLBACK, MISCONFIGURED),
        "relay_denied",
        "relay",
        says.RELAY_DENIED,
        all_recipients=True,
    ),
    _on(RCPT, (DEFER, NONE), "recipient_busy", said=r"^[34]"),
    _on(RCPT, (REFUSE, NONE), "bad_recipient", "recipient", r"^5"),
    # Whatever else
    _on(DOT, (UNCERTAIN, TRANSIENT), "unanswered", "uncertain", kinds=ANY - REPLY),
    _on(DOT, (UNCERTAIN, TRANSIENT), "unanswered", "uncertain", r"^3"),
    _on(TRANSACTION, (REFUSE, NONE), "refused", "refused", r"^5"),
    _on(TRANSACTION, (FALLBACK, TRANSIENT), "temporary", kinds=ANY),
)
