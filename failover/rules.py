"""What a failure means: one ordered table, first match wins.

The table knows the failures that are surely the recipient's, the message's or the mailbox's own
fault. For all others, it is not known yet whose fault they are: their decision is *open*, and a
second mailbox is asked (``session``, ``policy``).

Sources: RFC 5321 4.2.1, 4.3.2, 4.5.3.1.10; RFC 3463; RFC 4954 4 and 6.
"""

import dataclasses
import re

from ..providers import api_codes
from . import plain_words as plain
from . import reply_words as words
from .failure import Decision, Effect, Kind, Phase, Verdict


@dataclasses.dataclass(frozen=True)
class Rule:
    """One row of the table: the failures that it is for, and the decision on them."""

    phases: frozenset
    kinds: frozenset
    says: re.Pattern
    """Searched in the code, the enhanced code and the server's own words, on one line."""
    decision: Decision
    only_some: bool = False
    """At RCPT: only if other recipients were accepted."""
    after_accepted: bool = False
    """Only on a connection that has already accepted a message."""
    of_application: bool = False
    """Only for an application, where no person can sign in again."""
    beside: frozenset | None = None
    """The words that the whole reply may hold beside what ``says`` finds; None: any word."""

    def matches(self, failure, said):
        return bool(
            failure.phase in self.phases
            and failure.kind in self.kinds
            and (failure.accepted_before or not self.after_accepted)
            and not (self.only_some and failure.all_recipients)
            and (failure.application or not self.of_application)
            and self.says.search(said)
            and (self.beside is None or self._is_all_of(failure))
        )

    def _is_all_of(self, failure):
        """Whether the reply, with all that it repeats, says nothing else than this rule."""
        rest = self.says.sub(" ", _on_one_line(failure, failure.own_words.whole))
        verdict = self.decision.verdict
        if verdict in _CLASSES and (
            failure.code // 100 != _CLASSES[verdict]
            or words.CODE_OF_MAILBOX.match(rest.lstrip())
            or plain.has_telling_link(rest)
        ):
            return False
        return plain.only_says(rest, self.beside)


def match(failure):
    """The first rule that matches a failure; there always is one.

    UNPROVEN, if that rule matches only because of words that are also in the mail's addresses or
    headers: whoever wrote the mail may have chosen them.

    :rtype: Rule
    """
    own = failure.own_words
    said = _on_one_line(failure, own.without_quotes)
    proven = _on_one_line(failure, own.without_mail_words, with_code=own.proves_code)
    rule = next(rule for rule in RULES if rule.matches(failure, said))
    return rule if said == proven or rule.matches(failure, proven) else UNPROVEN


def _on_one_line(failure, text, *, with_code=True):
    """``535 5.7.8 The server's own words``, or without its enhanced code."""
    enhanced = with_code and failure.enhanced
    return " ".join(filter(None, (str(failure.code or ""), enhanced, " ".join(text.split()))))


def classify(failure):
    """The decision on a failure. There always is one: this never raises.

    If the server refused one recipient among others, the decision has no effect on the mailbox.

    :rtype: Decision
    """
    decision = match(failure).decision
    about_one = failure.phase is Phase.RCPT and not failure.all_recipients
    if about_one and failure.kind is Kind.REPLY and failure.code != CLOSING:
        return decision.without_blame()
    return decision


def classify_probe(failure):
    """The decision on a failure while no message was sent: whatever the server said, it says so of
    the mailbox.

    :rtype: Decision
    """
    decision = classify(failure)
    return decision if decision.effect.state else REFUSED_HERE


def classify_recipients(failures):
    """The decisions on the refused recipients of one message.

    They have an effect on the mailbox only if no recipient was accepted and the same rule matches
    all. If the server says "relaying denied" to one recipient and "user unknown" to another, the
    recipients are at fault.

    :param dict failures: ``{address: Failure}``
    :return: ``{address: Decision}``
    """
    decisions = {address: classify(failure) for address, failure in failures.items()}
    if len({decision.rule for decision in decisions.values()}) > 1:
        return {
            address: classify(dataclasses.replace(failure, all_recipients=False))
            for address, failure in failures.items()
        }
    return decisions


CLOSING = 421


ANY = frozenset(Kind) - {Kind.ANSWER}
REPLY = frozenset({Kind.REPLY})
TOKEN, DNS, CONNECT, TLS, BANNER, EHLO, AUTH, MAIL, RCPT, DATA, BODY, DOT, QUIT = Phase
SETUP = {phase for phase in Phase if phase.before_mail}
LOGIN = {AUTH, MAIL}  # a server may refuse the login as late as at MAIL
CONTENT = {DATA, BODY, DOT}
SENDING = {MAIL, *CONTENT}
TRANSACTION = {MAIL, RCPT, *CONTENT}  # by default, Postfix refuses a client or sender at RCPT

FALLBACK, DEFER, REFUSE = Verdict.FALLBACK, Verdict.DEFER, Verdict.REFUSE
UNCERTAIN, SPLIT, ACCEPTED = Verdict.UNCERTAIN, Verdict.SPLIT, Verdict.ACCEPTED
NONE, TRANSIENT, THROTTLED = Effect.NONE, Effect.TRANSIENT, Effect.THROTTLED
MISCONFIGURED, DISCONNECTED = Effect.MISCONFIGURED, Effect.DISCONNECTED
FOR_ALL = Effect.PROVIDER_MISCONFIGURED
_CLASSES = {DEFER: 4, REFUSE: 5}
"""The first digit of the replies that such a verdict is for."""


def _on(phases, outcome, name, remedy="none", *patterns, **options):
    """Create a row of the table.

    :param Phase phases: one, or a set of them
    :param outcome: the verdict and the effect
    :param str name: the rule's id; several rows may have the same
    :param str remedy: key of ``words.REMEDIES``
    :param patterns: regular expressions. The row matches replies in which one of them is found, or
        one that a provider has in its ``replies`` for this rule. Without patterns, every reply
        matches, and the providers' are not used
    :param options: ``kinds`` (only replies, by default), and fields of Rule and Decision
    """
    kinds = options.pop("kinds", REPLY)
    conditions = {key: options.pop(key) for key in _CONDITIONS & options.keys()}
    return Rule(
        frozenset({phases} if isinstance(phases, Phase) else phases),
        frozenset({kinds} if isinstance(kinds, Kind) else kinds),
        re.compile(words.said(name, *patterns) if patterns else "", re.IGNORECASE),
        Decision(*outcome, name, remedy, **options),
        **conditions,
    )


def _by_https(outcome, name, remedy="none", *statuses, **options):
    """Create a row for answers by HTTPS: those with one of the statuses, or with one of the codes
    that a provider's ``Api`` has for this rule.

    :param statuses: such as ``413`` or ``5..``
    """
    said = [rf"^{status}\b" for status in statuses]
    said += [rf"^\d+ {re.escape(code)}$" for code in api_codes(name)]
    row = _on({AUTH, DOT}, outcome, name, remedy, kinds=Kind.ANSWER, **options)
    return dataclasses.replace(row, says=re.compile("|".join(said)))


_CONDITIONS = {"only_some", "after_accepted", "of_application", "beside"}
_FORCE = {"retry_forced_token": True}
_ABUSED = {"internal_only": True}
_OPEN = {"is_open": True}
_REFUSED_APPLICATION = {
    "kinds": {Kind.INVALID_GRANT, Kind.INVALID_CLIENT},
    "of_application": True,
}

# fmt: off
RULES = (
    _on(set(Phase), (DEFER, NONE), "no_time", kinds=Kind.NO_TIME),
    _on(CONNECT, (DEFER, NONE), "busy", kinds=Kind.BUSY),
    _on(DOT, (UNCERTAIN, NONE), "awaited", kinds=Kind.AWAITED),
    _on(QUIT, (ACCEPTED, NONE), "quit", kinds=ANY),
    _on({RCPT, DOT}, (ACCEPTED, NONE), "accepted", "none", r"^2"),
    _on(MAIL, (DEFER, NONE), "over_limit", kinds=Kind.OVER_LIMIT),
    _on(MAIL, (FALLBACK, NONE), "over_mailbox_limit", kinds=Kind.OVER_MAILBOX_LIMIT),
    _on(MAIL, (REFUSE, NONE), "more_than_limit", "fewer_recipients", kinds=Kind.MORE_THAN_LIMIT),
    # The access token (RFC 6749 5.2)
    _on({TOKEN, AUTH}, (FALLBACK, MISCONFIGURED), "no_key", "no_key", kinds=Kind.NO_KEY),
    _on(TOKEN, (FALLBACK, FOR_ALL), "application_key", "application_key", kinds=Kind.UNUSABLE_KEY),
    _on(TOKEN, (FALLBACK, FOR_ALL), "application_clock", "clock", words.ASSERTION_TIME,
        **_REFUSED_APPLICATION),
    _on(TOKEN, (FALLBACK, FOR_ALL), "application_key", "application_key", words.KEY_REJECTED,
        **_REFUSED_APPLICATION),
    _on(TOKEN, (FALLBACK, MISCONFIGURED), "application_mailbox", "mailbox_address",
        words.MAILBOX_UNKNOWN, **_REFUSED_APPLICATION),
    _on(TOKEN, (FALLBACK, FOR_ALL), "application_unknown", "registration",
        words.APPLICATION_UNKNOWN, **_REFUSED_APPLICATION),
    _on(TOKEN, (FALLBACK, FOR_ALL), "token_client", "client_secret",
        words.CLIENT_CREDENTIAL_REJECTED, **_REFUSED_APPLICATION),
    _on(TOKEN, (FALLBACK, FOR_ALL), "application_not_allowed", "admin_consent",
        words.APPLICATION_NOT_ALLOWED, **_REFUSED_APPLICATION),
    _on(TOKEN, (FALLBACK, FOR_ALL), "application_rejected", "registration",
        **_REFUSED_APPLICATION),
    _on(TOKEN, (FALLBACK, DISCONNECTED), "token_revoked", "reconnect", kinds=Kind.INVALID_GRANT),
    _on(TOKEN, (FALLBACK, FOR_ALL), "token_client", "client_secret", kinds=Kind.INVALID_CLIENT),
    _on(TOKEN, (FALLBACK, TRANSIENT), "token_unavailable", kinds=ANY),
    # The way to the server
    _on(CONNECT, (FALLBACK, NONE), "drill", kinds=Kind.DRILL),
    # What Odoo refuses before it connects
    _on(CONNECT, (FALLBACK, NONE), "personal_off", "personal_off", kinds=Kind.PERSONAL_OFF),
    _on(CONNECT, (FALLBACK, MISCONFIGURED), "archived", "unarchive", kinds=Kind.ARCHIVED),
    _on(CONNECT, (FALLBACK, MISCONFIGURED), "from_filter", "from_filter", kinds=Kind.FROM_FILTER),
    _on(CONNECT, (FALLBACK, MISCONFIGURED), "user_name", "user_name", kinds=Kind.USER_NAME),
    _on(CONNECT, (FALLBACK, NONE), "other_sender", "other_sender", kinds=Kind.OTHER_SENDER),
    _on(CONNECT, (FALLBACK, MISCONFIGURED), "client_certificate", "client_certificate",
        kinds=Kind.CLIENT_CERTIFICATE),
    _on(CONNECT, (FALLBACK, MISCONFIGURED), "unusable", "unusable", kinds=Kind.UNUSABLE),
    _on({DNS, CONNECT}, (FALLBACK, MISCONFIGURED), "host_invalid", "server_name",
        kinds=Kind.INVALID),
    _on(SETUP, (FALLBACK, TRANSIENT), "unknown_host", "server_name", kinds=Kind.UNKNOWN_HOST),
    _on(SETUP, (FALLBACK, MISCONFIGURED), "certificate_expired", "certificate_expired",
        words.CERTIFICATE_EXPIRED, kinds=Kind.CERTIFICATE),
    _on(SETUP, (FALLBACK, MISCONFIGURED), "certificate", "encryption", kinds=Kind.CERTIFICATE),
    _on({CONNECT, TLS, BANNER, EHLO}, (FALLBACK, MISCONFIGURED), "tls_not_offered",
        "no_encryption", kinds=Kind.NOT_OFFERED),
    _on(TLS, (FALLBACK, MISCONFIGURED), "tls_not_offered", "no_encryption", words.STARTTLS_REFUSED),
    _on(SETUP, (FALLBACK, MISCONFIGURED), "tls_mismatch", "encryption", words.TLS_MISMATCH,
        kinds=Kind.HANDSHAKE),
    _on(TLS, (FALLBACK, TRANSIENT), "tls_broken", kinds=ANY),
    _on({DNS, CONNECT}, (FALLBACK, TRANSIENT), "unreachable", "unreachable", kinds=ANY),
    _on({BANNER, EHLO}, (FALLBACK, TRANSIENT), "unavailable", "unavailable", kinds=ANY),
    # The log-in (RFC 4954)
    _on(AUTH, (FALLBACK, MISCONFIGURED), "login_not_offered", "no_login", kinds=Kind.NOT_OFFERED),
    _on(AUTH, (FALLBACK, MISCONFIGURED), "login_invalid", "login_characters", kinds=Kind.INVALID),
    _on(LOGIN, (FALLBACK, MISCONFIGURED), "encryption_required", "encryption_on",
        words.ENCRYPTION_REQUIRED),
    _on(AUTH, (FALLBACK, TRANSIENT), "login_unavailable", "none", words.XOAUTH2_UNAVAILABLE),
    _on(LOGIN, (FALLBACK, MISCONFIGURED), "application_no_access", "application_access",
        words.APPLICATION_REFUSED, of_application=True, beside=plain.OF_LOGIN, **_FORCE),
    _on(AUTH, (FALLBACK, DISCONNECTED), "oauth_rejected", "reconnect", words.XOAUTH2_REJECTED,
        **_FORCE),
    _on(LOGIN, (FALLBACK, DISCONNECTED), "basic_auth_retired", "use_oauth",
        words.BASIC_AUTH_RETIRED),
    _on(LOGIN, (FALLBACK, DISCONNECTED), "basic_auth_retired", "security_defaults",
        words.SECURITY_DEFAULTS),
    _on(LOGIN, (FALLBACK, DISCONNECTED), "app_password_required", "app_password",
        words.APP_LOGIN_REQUIRED),
    _on(LOGIN, (FALLBACK, DISCONNECTED), "web_login_required", "web_login",
        words.WEB_LOGIN_REQUIRED),
    _on(LOGIN, (FALLBACK, DISCONNECTED), "smtp_auth_disabled", "smtp_auth",
        words.SMTP_AUTH_DISABLED, **_FORCE),
    _on(LOGIN, (FALLBACK, TRANSIENT), "login_unavailable", "none", words.LOGIN_BUSY),
    _on(AUTH, (FALLBACK, THROTTLED), "quota_reached", "quota", words.CREDITS_USED, quota=True),
    _on(AUTH, (FALLBACK, DISCONNECTED), "account_blocked", "provider_blocked",
        words.ACCOUNT_BLOCKED),
    _on(AUTH, (FALLBACK, MISCONFIGURED), "ip_not_allowed", "ip_allow", words.IP_NOT_ALLOWED),
    _on(AUTH, (FALLBACK, MISCONFIGURED), "login_not_offered", "no_login", words.UNKNOWN_COMMAND),
    _on(LOGIN, (FALLBACK, DISCONNECTED), "app_password_required", "app_password", r"^534"),
    _on(AUTH, (FALLBACK, DISCONNECTED), "password_rejected", "password",
        words.CREDENTIALS_REJECTED, beside=plain.OF_LOGIN, **_FORCE),
    _on(AUTH, (FALLBACK, THROTTLED), "too_many_connections", "none", words.TOO_MANY_CONNECTIONS),
    _on(AUTH, (FALLBACK, TRANSIENT), "login_unavailable", kinds=ANY),
    _on(MAIL, (FALLBACK, DISCONNECTED), "password_rejected", "reconnect",
        words.LATE_CREDENTIALS_REJECTED, beside=plain.OF_LOGIN, **_FORCE),
    _on(MAIL, (FALLBACK, DISCONNECTED), "not_authenticated", "reconnect", words.NOT_AUTHENTICATED,
        **_FORCE),
    # What sounds like the recipient's or the message's, but is the mailbox's
    _on(TRANSACTION - {MAIL}, (FALLBACK, MISCONFIGURED), "mailbox_full", "mailbox_full",
        words.OWN_MAILBOX_FULL),
    _on(CONTENT, (FALLBACK, MISCONFIGURED), "application_no_access", "application_access",
        words.OWN_MAILBOX_CLOSED, of_application=True),
    _on(CONTENT, (FALLBACK, TRANSIENT), "temporary", "none", words.OWN_MAILBOX_CLOSED),
    _on(CONTENT, (FALLBACK, THROTTLED), "too_fast", "none", words.PEAK_LIMIT),
    # Surely the recipient's: nothing else is said
    _on(TRANSACTION - {MAIL}, (REFUSE, NONE), "bad_recipient", "recipient",
        words.BAD_RECIPIENT, beside=plain.OF_RECIPIENT),
    _on(RCPT, (REFUSE, NONE), "bad_recipient", "recipient", words.BAD_MAILBOX,
        beside=plain.OF_MAILBOX),
    _on(TRANSACTION - {MAIL}, (REFUSE, NONE), "recipient_restricted", "recipient_restricted",
        words.RESTRICTED, beside=plain.OF_LIST),
    _on(TRANSACTION - {MAIL}, (DEFER, NONE), "recipient_busy", "none", words.RECIPIENT_BUSY,
        beside=plain.OF_BUSY),
    _on(RCPT, (DEFER, NONE), "recipient_busy", "none", words.MAILBOX_BUSY, beside=plain.OF_BUSY),
    _on(RCPT, (SPLIT, NONE), "too_many_recipients", "none", words.TOO_MANY_RECIPIENTS,
        only_some=True),
    # Surely the message's: nothing else is said
    _on(TRANSACTION, (REFUSE, NONE), "too_big", "too_big", words.TOO_BIG, beside=plain.OF_SIZE),
    _on(TRANSACTION, (REFUSE, NONE), "no_smtputf8", "no_smtputf8", kinds=Kind.NOT_OFFERED),
    _on(TRANSACTION - {DOT}, (REFUSE, NONE), "unwritable", "unwritable", kinds=Kind.INVALID),
    _on(CONTENT, (REFUSE, NONE), "spam", "spam", words.SPAM, beside=plain.OF_SPAM),
    _on(CONTENT, (REFUSE, NONE), "unwritable", "unwritable", words.UNWRITABLE,
        beside=plain.OF_FORM),
    _on(CONTENT, (REFUSE, NONE), "content", "content", words.CONTENT, beside=plain.OF_CONTENT),
    # The line closed between two messages (RFC 5321 3.8): a limit per connection, or idle
    _on(MAIL, (FALLBACK, NONE), "line_closed", "none", r"^421", after_accepted=True,
        reconnect_first=True),
    _on(MAIL, (FALLBACK, NONE), "line_closed", kinds=Kind.DROP, after_accepted=True,
        reconnect_first=True),
    _on({RCPT, *CONTENT}, (FALLBACK, NONE), "refused", "refused", rf"(?=5){words.ABOUT_RECIPIENT}",
        **_OPEN),
    _on({RCPT, *CONTENT}, (FALLBACK, NONE), "postponed", "none", words.ABOUT_RECIPIENT, **_OPEN),
    # Surely the mailbox's: who may send, and how much, at whatever phase it shows
    _on(TRANSACTION, (FALLBACK, THROTTLED), "quota_reached", "quota", words.QUOTA_REACHED,
        quota=True),
    _on(TRANSACTION, (FALLBACK, DISCONNECTED), "sender_blocked", "compromised",
        words.SENDER_BLOCKED, **_ABUSED),
    _on(TRANSACTION, (FALLBACK, MISCONFIGURED), "helo_refused", "helo", words.HELO_REFUSED),
    _on(TRANSACTION, (FALLBACK, MISCONFIGURED), "send_as_denied", "send_as", words.SEND_AS_DENIED),
    _on(CONTENT, (FALLBACK, MISCONFIGURED), "send_as_denied", "send_as",
        words.SEND_AS_DENIED_AT_DOT),
    _on(TRANSACTION, (FALLBACK, MISCONFIGURED), "client_refused", "client", words.CLIENT_REFUSED),
    _on(MAIL, (FALLBACK, THROTTLED), "too_many_connections", "none", words.TOO_MUCH_AT_MAIL),
    _on(TRANSACTION, (FALLBACK, THROTTLED), "too_fast", "none", words.TOO_FAST),
    _on(TRANSACTION, (FALLBACK, MISCONFIGURED), "relay_denied", "relay", words.RELAY_DENIED),
    _on(RCPT, (FALLBACK, MISCONFIGURED), "not_authenticated", "reconnect",
        words.NOT_AUTHENTICATED),
    _on(TRANSACTION, (FALLBACK, THROTTLED), "too_many_connections", "none",
        words.TOO_MANY_CONNECTIONS),
    # The server's own trouble
    _on(TRANSACTION - {RCPT}, (FALLBACK, TRANSIENT), "temporary", "none", words.SERVER_TROUBLE),
    _on(RCPT, (FALLBACK, TRANSIENT), "temporary", "none", words.SERVER_TROUBLE_AT_RCPT),
    _on(TRANSACTION, (FALLBACK, TRANSIENT), "temporary", "none", r"^421"),
    # By HTTPS
    _by_https((FALLBACK, THROTTLED), "quota_reached", "quota", quota=True),
    _by_https((FALLBACK, THROTTLED), "too_fast", "none", "429"),
    _by_https((FALLBACK, DISCONNECTED), "sender_blocked", "compromised", **_ABUSED),
    _by_https((FALLBACK, DISCONNECTED), "account_blocked", "provider_blocked"),
    _by_https((FALLBACK, MISCONFIGURED), "send_as_denied", "send_as"),
    _by_https((FALLBACK, MISCONFIGURED), "mailbox_full", "mailbox_full", "507"),
    _by_https((FALLBACK, MISCONFIGURED), "https_disabled", "https_on"),
    _by_https((FALLBACK, MISCONFIGURED), "application_mailbox", "mailbox_address"),
    _by_https((REFUSE, NONE), "too_big", "too_big", "413"),
    _by_https((REFUSE, NONE), "bad_recipient", "recipient"),
    _by_https((FALLBACK, MISCONFIGURED), "application_no_access", "application_access",
        of_application=True, **_FORCE),
    _by_https((FALLBACK, FOR_ALL), "application_rejected", "registration", "401",
        of_application=True, **_FORCE),
    _by_https((FALLBACK, DISCONNECTED), "oauth_rejected", "reconnect", "401", **_FORCE),
    _by_https((UNCERTAIN, TRANSIENT), "unanswered", "uncertain", "50[24]"),  # a gateway's
    _by_https((FALLBACK, TRANSIENT), "temporary", "none", "408", "5.."),
    _on(set(Phase), (FALLBACK, NONE), "refused", "refused", kinds=Kind.ANSWER, **_OPEN),
    # Whatever else: nobody knows yet whose fault it is
    _on(DOT, (UNCERTAIN, TRANSIENT), "unanswered", "uncertain", kinds=ANY - REPLY),
    _on(DOT, (UNCERTAIN, TRANSIENT), "unanswered", "uncertain", r"^3"),
    _on(TRANSACTION, (FALLBACK, NONE), "refused", "refused", r"^5", **_OPEN),
    _on({MAIL, DATA}, (FALLBACK, TRANSIENT), "temporary", "none", r"^4"),
    _on(TRANSACTION, (FALLBACK, NONE), "postponed", "none", r"^4", **_OPEN),
    _on(TRANSACTION, (FALLBACK, TRANSIENT), "temporary", kinds=ANY),
)
# fmt: on
UNPROVEN = _on(TRANSACTION, (FALLBACK, NONE), "unproven", "refused", **_OPEN)
"""Used when a rule matches only because of words that are also in the mail (see ``match``)."""
REFUSED_HERE = _on(TRANSACTION, (FALLBACK, TRANSIENT), "refused_here", "refused_here").decision
"""Used when a mailbox refused two messages, in words that no rule knows, that another accepted; or
when it refused a probe, which has no message, in words that are otherwise a message's fault."""
OWN_NETWORK = _on(CONNECT, (FALLBACK, TRANSIENT), "own_network", "own_network").decision
"""Used while our own network seems to be down: no mailbox is tried."""
PACED = _on(AUTH, (FALLBACK, TRANSIENT), "log_ins_paced", "none").decision
"""Used while log-ins wait at a server that rejected several passwords (see ``pace``)."""
COMPROMISED = {rule.decision.rule for rule in RULES if rule.decision.remedy == "compromised"}
"""The ids of the rules that tell that somebody may be abusing the account."""
