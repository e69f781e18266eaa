"""What a failure means: one ordered table, first match wins.

Rows that know a provider's words stand above rows that know only codes, since text beats digit:
providers reuse codes freely, words less so. ``DESIGN`` of a row: the phases it holds in, the kinds
of failure, and a pattern searched in the reply as a server would write it, ``535 5.7.8 The text``.
Sources: RFC 5321 4.2.1, 4.3.2, 4.5.3.1.10; RFC 3463; RFC 4954 4 and 6; RFC 5248; RFC 6749 5.2; the
providers' own error lists.
"""

import dataclasses
import re

from .failure import Decision, Effect, Kind, Phase, Verdict
from .words import REMEDIES, describe

__all__ = ["REMEDIES", "RULES", "Decision", "Rule", "classify", "describe"]


@dataclasses.dataclass(frozen=True)
class Rule:
    """One row of the table. ``None`` matches anything."""

    name: str
    phases: frozenset
    decision: Decision
    kinds: frozenset
    says: re.Pattern | None = None
    all_recipients: bool | None = None
    after_accepted: bool = False

    def matches(self, failure, said):
        return (
            failure.phase in self.phases
            and failure.kind in self.kinds
            and (not self.after_accepted or failure.accepted_before > 0)
            and (self.all_recipients in (None, failure.all_recipients))
            and (self.says is None or self.says.search(said) is not None)
        )


def classify(failure):
    """The decision on a failure. Pure and total: never raises, always decides."""
    said = " ".join(filter(None, (str(failure.code or ""), failure.enhanced, failure.text)))
    return next(rule.decision for rule in RULES if rule.matches(failure, said))


P = Phase
REPLY = frozenset({Kind.REPLY})
LOST = frozenset({Kind.DROP, Kind.TIMEOUT})
ANY = frozenset(Kind)
SETUP = frozenset(phase for phase in Phase if phase.before_mail)
LOGIN = frozenset({P.AUTH, P.MAIL})  # MAIL: the late answer to an AUTH that nobody read
MESSAGE = frozenset({P.MAIL, P.DATA, P.BODY, P.DOT})
TRANSACTION = MESSAGE | {P.RCPT}


def _rule(name, phases, verdict, effect, remedy="none", says=None, kinds=REPLY, **options):
    conditions = {
        key: options.pop(key) for key in ("all_recipients", "after_accepted") if key in options
    }
    phases = frozenset(phases) if not isinstance(phases, Phase) else frozenset({phases})
    kinds = frozenset(kinds) if not isinstance(kinds, Kind) else frozenset({kinds})
    decision = Decision(verdict, effect, name, remedy, **options)
    return Rule(name, phases, decision, kinds, says and re.compile(says, re.I), **conditions)


ACCEPTED, DEFER, REFUSE = Verdict.ACCEPTED, Verdict.DEFER, Verdict.REFUSE
SPLIT, UNCERTAIN = Verdict.SPLIT, Verdict.UNCERTAIN
FALLBACK, NONE, TRANSIENT = Verdict.FALLBACK, Effect.NONE, Effect.TRANSIENT
THROTTLED, MISCONFIGURED = Effect.THROTTLED, Effect.MISCONFIGURED
DISCONNECTED, PROVIDER = Effect.DISCONNECTED, Effect.PROVIDER_MISCONFIGURED

# This login may not use this From address.
NOT_THE_SENDER = (
    r"^5\d\d 5\.(7\.60|2\.252)\b|SendAsDenied|send(ing)? on behalf|permissions? to send as"
    r"|relaying disallowed as|relaying disallowed"
    r"|^5.*sender address (rejected|is not allowed|not allowed)|^5.*not owned by (auth )?user"
    r"|(email address|domain|identity) is not verified|identities failed the check"
    r"|verified sender identity|not authori[sz]ed to send (from|as)|not authori[sz]ed to perform"
    r"|from:? address (is )?not (one of your addresses|verified)|sender is not allowed to send"
)
# The provider stopped this account from sending.
SENDER_BLOCKED = (
    r"^5\d\d 5\.7\.(50[1-3]|705)\b|bad outbound sender|outgoing (mail |email )?(is |was )?blocked"
    r"|sender (address |account )?(is |was |has been )?(blocked|suspended|disabled)"
    r"|unusual (sending )?activity|verdict is (Suspend|HipSend)"
    r"|sending (is |was |has been )?(suspended|paused) for this account|account.{0,20} suspended"
    r"|mail sending denied"
)
QUOTA = (
    r"^5\d\d 5\.(4\.5|1\.90|7\.23[23])\b|daily\b.{0,40}\b(limit|quota)"
    r"|(sending|send|outgoing|submission) ?(limit|quota)|SubmissionQuotaExceeded|RefuseQuota"
)
TOO_FAST = r"per hour|hourly (limit|quota)|peak smtp relay limit|sender thread limit"
TOO_BIG = (
    r"^5\d\d 5\.(3\.4|2\.3)\b|size (exceeds|limit)|exceed\w*.{0,30}\bsize|message (is )?too (big|l)"
)

RULES = (
    _rule("quit", P.QUIT, ACCEPTED, NONE, kinds=ANY),
    _rule("accepted", {P.RCPT, P.DOT}, ACCEPTED, NONE, says=r"^2"),
    # --- token (RFC 6749)
    _rule(
        "token_revoked", P.TOKEN, FALLBACK, DISCONNECTED, "reconnect", kinds=Kind.TOKEN_INVALID_GRANT
    ),
    _rule(
        "token_client", P.TOKEN, FALLBACK, PROVIDER, "client_secret",
        kinds=Kind.TOKEN_INVALID_CLIENT,
    ),
    _rule("token_unavailable", P.TOKEN, FALLBACK, TRANSIENT, kinds=ANY),
    # --- getting there
    _rule("host_invalid", {P.DNS, P.CONNECT}, FALLBACK, MISCONFIGURED, "server_name",
          kinds=Kind.INVALID),
    _rule("unknown_host", SETUP, FALLBACK, TRANSIENT, "server_name", kinds=Kind.UNKNOWN_HOST),
    _rule("certificate", SETUP, FALLBACK, MISCONFIGURED, "encryption", kinds=Kind.CERTIFICATE),
    _rule("tls_not_offered", {P.CONNECT, P.TLS, P.BANNER, P.EHLO}, FALLBACK, MISCONFIGURED,
          "no_encryption", kinds=Kind.NOT_OFFERED),
    _rule("tls_not_offered", P.TLS, FALLBACK, MISCONFIGURED, "no_encryption", r"^50[0-4]"),
    _rule("tls_mismatch", SETUP, FALLBACK, MISCONFIGURED, "encryption",
          r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|UNSUPPORTED_PROTOCOL|UNKNOWN_PROTOCOL"
          r"|PROTOCOL_VERSION|HTTP_REQUEST|KEY_TOO_SMALL|NO_PROTOCOLS", kinds=Kind.HANDSHAKE),
    _rule("tls_broken", P.TLS, FALLBACK, TRANSIENT, kinds=ANY),
    _rule("unreachable", {P.DNS, P.CONNECT}, FALLBACK, TRANSIENT, "unreachable", kinds=ANY),
    _rule("unavailable", {P.BANNER, P.EHLO}, FALLBACK, TRANSIENT, "unavailable", kinds=ANY),
    # --- logging in (RFC 4954)
    _rule("encryption_required", LOGIN, FALLBACK, MISCONFIGURED, "encryption_on",
          r"^5[23][0-9] 5\.7\.1[01]\b|^538|^523|must issue a STARTTLS|STARTTLS (is )?required"
          r"|encryption required"),
    _rule("login_not_offered", P.AUTH, FALLBACK, MISCONFIGURED, "no_login", kinds=Kind.NOT_OFFERED),
    _rule("login_invalid", P.AUTH, FALLBACK, MISCONFIGURED, "login_characters", kinds=Kind.INVALID),
    _rule("oauth_unavailable", P.AUTH, FALLBACK, TRANSIENT, says=r"^334 .*status=5"),
    _rule("oauth_rejected", P.AUTH, FALLBACK, DISCONNECTED, "reconnect", r"^334 .*status=4",
          retry_forced_token=True),
    _rule("basic_retired", LOGIN, FALLBACK, DISCONNECTED, "use_oauth",
          r"^5\d\d 5\.7\.30\b|^5.*basic authentication is (not supported|disabled)"),
    _rule("app_password", LOGIN, FALLBACK, DISCONNECTED, "app_password",
          r"^5.*(application[ -]specific password|app(lication)? ?password|InvalidSecondFactor)"),
    _rule("web_login", LOGIN, FALLBACK, DISCONNECTED, "web_login",
          r"^534 5\.7\.14\b|^53[45].*log ?in (with|through|via) your web browser"),
    _rule("password", LOGIN, FALLBACK, DISCONNECTED, "password",
          r"^53.*\b5\.7\.139\b.*credentials were incorrect|^535 5\.7\.139.*incorrect", retry_forced_token=True),
    _rule("smtp_auth_disabled", LOGIN, FALLBACK, DISCONNECTED, "smtp_auth",
          r"^535 5\.7\.139\b|SmtpClientAuthentication", retry_forced_token=True),
    _rule("login_busy", LOGIN, FALLBACK, TRANSIENT,
          says=r"^53[45].*(temporar|try again later|too many|connection lost|unavailable at)"),
    _rule("account_blocked", LOGIN, FALLBACK, DISCONNECTED, "provider_blocked",
          r"credits? (exceeded|expired|blocked)|^5\d\d 5\.7\.13\b|^554 5\.1\.8\b.*block"
          r"|^5.*\baccount\b.{0,20}\b(blocked|suspended|disabled|locked|frozen|not (yet )?activated)"
          ),
    _rule("mechanism", P.AUTH, FALLBACK, MISCONFIGURED, "no_login",
          r"^50[234]|^534.*mechanism"),
    _rule("app_password", P.AUTH, FALLBACK, DISCONNECTED, "app_password", r"^534"),
    _rule("password", LOGIN, FALLBACK, DISCONNECTED, "password", r"^535",
          retry_forced_token=True),
    _rule("password", P.AUTH, FALLBACK, DISCONNECTED, "password",
          r"^5\d\d 5\.7\.8\b|^5.*(authentication (credentials )?(failed|failure|invalid|rejected"
          r"|unsuccessful)|(invalid|incorrect|bad|wrong) (login|credentials|user|password))",
          retry_forced_token=True),
    _rule("login_unavailable", P.AUTH, FALLBACK, TRANSIENT, kinds=ANY),
    _rule("not_authenticated", P.MAIL, FALLBACK, DISCONNECTED, "reconnect",
          r"^530|^5\d\d 5\.7\.57\b|^5.*unauthenticated senders not allowed",
          retry_forced_token=True),
    # --- who may send, and how much
    _rule("sender_not_allowed", MESSAGE, FALLBACK, MISCONFIGURED, "send_as", NOT_THE_SENDER),
    _rule("sender_not_allowed", P.RCPT, FALLBACK, MISCONFIGURED, "send_as", NOT_THE_SENDER,
          all_recipients=True),
    _rule("quota", MESSAGE, FALLBACK, THROTTLED, "quota", QUOTA, quota=True),
    _rule("quota_recipient", P.RCPT, FALLBACK, NONE, "quota", QUOTA, all_recipients=True),
    _rule("sender_blocked", MESSAGE, FALLBACK, DISCONNECTED, "compromised", SENDER_BLOCKED,
          internal_only=True, compromised=True),
    _rule("recipient_busy", {P.DATA, P.DOT}, DEFER, NONE, "recipient_busy",
          r"^432.*\bDeliver\b|recipient thread limit|^4\d\d 4\.2\.\d|gr[ea]y-?list"),
    _rule("sending_rate", {P.DATA, P.DOT}, DEFER, THROTTLED, says=r"maximum sending rate"),
    _rule("too_fast", MESSAGE, FALLBACK, THROTTLED, says=TOO_FAST),
    # --- lines that close between two messages (RFC 5321 3.8)
    _rule("line_closed", P.MAIL, FALLBACK, NONE, says=r"^421", after_accepted=True,
          reconnect_first=True),
    _rule("line_closed", P.MAIL, FALLBACK, NONE, kinds=Kind.DROP, after_accepted=True,
          reconnect_first=True),
    _rule("connections", MESSAGE, FALLBACK, THROTTLED,
          says=r"^432|^4.*(too many (concurrent )?(smtp )?connections|concurrent connection)"),
    # --- the message's own fault
    _rule("too_big", TRANSACTION, REFUSE, NONE, "too_big", TOO_BIG),
    _rule("no_smtputf8", TRANSACTION, REFUSE, NONE, "no_smtputf8", kinds=Kind.NOT_OFFERED),
    _rule("unwritable", TRANSACTION - {P.DOT}, REFUSE, NONE, "unwritable", kinds=Kind.INVALID),
    _rule("spam", P.DOT, REFUSE, NONE, "spam",
          r"OutboundSpamException|^5.*(\bspam\b|unsolicited|spamm)"),
    _rule("content", {P.DATA, P.DOT}, REFUSE, NONE, "content",
          r"^5\d\d 5\.6\.\d|^5.*(virus|malware|policy|content|attachment)"),
    # --- recipients (RFC 5321 4.5.3.1.10: 452, of old 552, when there are too many)
    _rule("recipient_421", P.RCPT, FALLBACK, TRANSIENT, says=r"^421"),
    _rule("too_many_recipients", P.RCPT, SPLIT, NONE,
          says=r"^[45]\d\d [45]\.5\.3\b|^[45]52.*too many recipients|separate transaction"
          r"|multiple destination domains", all_recipients=False),
    _rule("relay_denied", P.RCPT, FALLBACK, MISCONFIGURED, "relay",
          r"^(454|5\d\d)(?! 5\.7\.2\d\b)(?!.*\b(spf|dkim|dmarc)\b).*(relay|authenticat)",
          all_recipients=True),
    _rule("recipient_later", P.RCPT, DEFER, NONE, "recipient_busy", r"^[34]"),
    _rule("recipient_refused", P.RCPT, REFUSE, NONE, "recipient", r"^5"),
    _rule("recipient_refused", {P.DATA, P.DOT}, REFUSE, NONE, "recipient", r"^55\d 5\.1\.[1-36]\b"),
    # --- whatever else
    _rule("unanswered", P.DOT, UNCERTAIN, TRANSIENT, "uncertain", kinds=ANY - REPLY),
    _rule("unanswered", P.DOT, UNCERTAIN, TRANSIENT, "uncertain", r"^3"),
    _rule("refused", TRANSACTION, REFUSE, NONE, "refused", r"^5"),
    _rule("temporary", TRANSACTION, FALLBACK, TRANSIENT, kinds=ANY),
)
