"""What went wrong with a mailbox, as data: nothing is decided here (see ``rules``).

Names follow RFC 5321 (commands, replies), RFC 3463 (enhanced codes), RFC 4954 (AUTH) and RFC 6749
(token errors).
"""

import dataclasses
import enum
import functools
import re
import smtplib
import socket
import ssl
from email.errors import MessageError
from http import HTTPStatus

from .own_words import OwnWords, own_words
from .text import challenge, clean, decode, json_object, without_secrets


@functools.total_ordering
class Phase(enum.Enum):
    """The step of the conversation that failed, in the order in which the steps happen.

    ``BODY`` lasts until the write that holds the final dot begins; from then on it is ``DOT``: the
    server may have accepted the message.
    """

    TOKEN = "token"  # noqa: S105
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    BANNER = "banner"
    EHLO = "ehlo"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    DOT = "dot"
    QUIT = "quit"

    @property
    def before_mail(self):
        """True while nothing of a message has been sent: the failure is the mailbox's own."""
        return self < Phase.MAIL

    def __lt__(self, other):
        if not isinstance(other, Phase):
            return NotImplemented
        return _PHASES.index(self) < _PHASES.index(other)


_PHASES = list(Phase)


class Word(str, enum.Enum):
    """An enum that is stored, logged and compared as its word."""

    __str__ = str.__str__


class Kind(Word):
    """How the failure showed itself."""

    REPLY = "reply"  # the server answered, with a code
    ANSWER = "answer"  # it answered by HTTPS: the code is the status
    GARBAGE = "garbage"  # it answered, but not in SMTP
    DROP = "drop"  # the connection broke or was closed
    TIMEOUT = "timeout"  # it went silent, or too slow
    REFUSED = "refused"  # no connection: refused or unreachable
    UNKNOWN_HOST = "unknown_host"
    CERTIFICATE = "certificate"
    HANDSHAKE = "handshake"  # TLS could not be agreed on
    NOT_OFFERED = "not_offered"  # an extension we need: STARTTLS, AUTH, SMTPUTF8 (the phase tells)
    INVALID = "invalid"  # a value of ours cannot be put on the wire
    INVALID_GRANT = "token:invalid_grant"
    INVALID_CLIENT = "token:invalid_client"
    SIGN_IN_UNAVAILABLE = "token:unavailable"
    UNUSABLE_KEY = "unusable_key"  # the private key or certificate by which we sign in
    NO_KEY = "no_key"  # the stored credentials are encrypted, and we have no key
    PERSONAL_OFF = "personal_off"  # from here on: Odoo does not even connect to the mailbox
    ARCHIVED = "archived"
    FROM_FILTER = "from_filter"  # its FROM Filtering is not exactly its owner's e-mail address
    USER_NAME = "user_name"  # its user name is not its owner's e-mail address
    OTHER_SENDER = "other_sender"  # it was chosen for a message that is not from its owner
    CLIENT_CERTIFICATE = "client_certificate"  # ours, or its private key, cannot be read
    UNUSABLE = "unusable"  # Odoo's own words say why
    OVER_LIMIT = "over_limit"  # a limit that we keep ourselves
    OVER_MAILBOX_LIMIT = "over_mailbox_limit"  # likewise of one mailbox: the next one has room
    MORE_THAN_LIMIT = "more_than_limit"  # it alone has more recipients than such a limit
    DRILL = "drill"  # nothing failed: the mailbox is treated as down
    NO_TIME = "no_time"  # nothing failed: a person waits, and no longer for this mailbox
    BUSY = "busy"  # nothing failed: the server still owes the reply to another message
    AWAITED = "awaited"  # nothing failed: no reply to the dot yet, and a person waits no longer
    UNKNOWN = "unknown"


class OverLimit(Exception):
    """A limit that we keep ourselves is reached: the message waits its turn until ``retry_at``."""

    def __init__(self, text, retry_at=None):
        super().__init__(text)
        self.retry_at = retry_at


class OverMailboxLimit(OverLimit):
    """A limit that we keep ourselves for one mailbox is reached: another mailbox may send it."""


class MoreThanLimit(OverLimit):
    """One message has more recipients than a limit that we keep ourselves: it can never be sent."""


class Verdict(Word):
    """What becomes of the message (of the recipient, at RCPT)."""

    FALLBACK = "fallback"  # System Mail carries it
    DEFER = "defer"  # the same mailbox, later
    REFUSE = "refuse"  # the message's or recipient's own fault: fails as in Odoo
    UNCERTAIN = "uncertain"  # it may have been accepted
    SPLIT = "split"  # the same mailbox, in another message
    ACCEPTED = "accepted"


class Effect(Word):
    """What the failure does to its mailbox's state."""

    NONE = "none"
    TRANSIENT = "transient"
    THROTTLED = "throttled"
    MISCONFIGURED = "misconfigured"
    PROVIDER_MISCONFIGURED = "provider_misconfigured"
    DISCONNECTED = "disconnected"

    @property
    def state(self):
        """The mailbox's state after it, or None where the state stays as it was."""
        if self is Effect.NONE:
            return None
        return "disconnected" if self is Effect.DISCONNECTED else "unstable"


@dataclasses.dataclass(frozen=True)
class Failure:
    """One failure. ``text`` is the provider's, on one line, cut and without secrets."""

    phase: Phase
    code: int | None = None
    enhanced: str | None = None
    text: str = ""
    kind: Kind = Kind.UNKNOWN
    accepted_before: int = 0
    """Messages accepted on this connection before it failed."""
    all_recipients: bool = False
    """At RCPT: every recipient of the message was refused in the same way."""
    application: bool = False
    """The mailbox is used by an application: no person's sign-in could mend it."""
    retry_after: float | None = None
    """Seconds for which the server asks to be left alone."""
    read: OwnWords | None = dataclasses.field(default=None, repr=False, compare=False)
    """What the rules read of it, where that is not ``text``."""

    @property
    def is_for_good(self):
        """Whether the server said so for good: with 5xx by SMTP, with 4xx by HTTPS."""
        return bool(self.code) and (self.code >= _FOR_GOOD) is (self.kind is not Kind.ANSWER)

    @property
    def own_words(self):
        """The server's own words, without what it repeats.

        :rtype: OwnWords
        """
        return self.read or OwnWords(self.text, self.text, self.text)

    @classmethod
    def from_reply(cls, phase, code, reply=b"", *, secrets=(), addresses=(), mail=None, **fields):
        """A reply, as smtplib's ``(code, lines)``. Never raises, whatever the server sent.

        :param secrets: strings that must not survive in the text (password, token)
        :param addresses: of the mail that it answers; no rule searches what repeats them
        :param MailText mail: what else of the mail a server could repeat
        :param fields: ``accepted_before``, ``all_recipients``
        """
        raw = decode(reply[:LONGEST_REPLY] if isinstance(reply, (bytes, str)) else reply)
        if not (isinstance(code, int) and code in _CODES):
            return cls(phase, text=clean(raw, secrets), kind=Kind.GARBAGE, **fields)
        if code == _CHALLENGE:
            raw = challenge(raw)
        raw = without_secrets(raw, secrets)
        own = own_words(raw, mail, addresses)
        match = _ENHANCED.search(own.without_quotes)
        enhanced = (match["start"] or match["qmail"]) if match else None
        if enhanced:  # repeated on each line of a reply (RFC 2034)
            repeated = re.compile(rf"(?m)^[^\w\n]{{0,4}}{re.escape(enhanced)}[ \t]*")
            raw = repeated.sub("", raw)
            given = (*addresses, *mail.addresses, *mail.headers) if mail else addresses
            own = OwnWords(
                *(repeated.sub("", text) for text in own[:3]),
                proves_code=not any(enhanced in text for text in given),
            )
        return cls(phase, code, enhanced, clean(raw, secrets), Kind.REPLY, read=own, **fields)

    @classmethod
    def from_answer(cls, status, code, text, *, secrets=(), **fields):
        """An answer by HTTPS that is no yes (RFC 9110 15). The rules read the status and the
        provider's code for the error, never the text.

        :param str code: such as ``ErrorSendAsDenied``; empty where there is none
        :param fields: as of ``from_reply``; ``retry_after``
        """
        phase = Phase.AUTH if status == HTTPStatus.UNAUTHORIZED else Phase.DOT
        code = clean(code, secrets)[:LONGEST_CODE] or None
        own = OwnWords("", "")
        return cls(phase, status, code, clean(text, secrets), Kind.ANSWER, read=own, **fields)

    @classmethod
    def from_refusals(cls, refusals, **fields):
        """The dict of refused recipients ``{address: (code, reply)}`` as one failure.

        A 421 speaks for the connection and wins. ``all_recipients`` is set where the server said
        the same to each; pass it where some recipients were accepted.
        """
        failures = [cls.from_reply(Phase.RCPT, *reply, **fields) for reply in refusals.values()]
        if not failures:
            return cls(Phase.RCPT, **{k: v for k, v in fields.items() if k not in _OF_REPLIES})
        closing = next((failure for failure in failures if failure.code == _CLOSING), None)
        if closing or "all_recipients" in fields:
            return closing or failures[0]
        same = len({(f.code, f.enhanced, _UNALIKE.sub("", f.text)) for f in failures}) == 1
        return dataclasses.replace(failures[0], all_recipients=same)

    @classmethod
    def from_token_response(cls, status, body, *, secrets=(), **fields):
        """The token endpoint's answer (RFC 6749 5.2).

        :param status: HTTP status, or None
        :param body: the decoded JSON, or the raw text or bytes
        """
        if not isinstance(body, dict):
            body = json_object(decode(body)) or {"error_description": decode(body)}
        error = decode(body.get("error"))
        text = f"{error} {decode(body.get('error_description'))}".strip()
        if status in _UNAVAILABLE:
            kind = Kind.SIGN_IN_UNAVAILABLE
        elif error in _CLIENT_ERRORS or _AADSTS_CLIENT.search(text):
            kind = Kind.INVALID_CLIENT
        elif error in _GRANT_ERRORS or _AADSTS_GRANT.search(text):
            kind = Kind.INVALID_GRANT
        else:
            kind = Kind.SIGN_IN_UNAVAILABLE
        return cls(Phase.TOKEN, status, text=clean(text, secrets), kind=kind, **fields)

    @classmethod
    def from_exception(cls, phase, exc, *, secrets=(), mail=None, addresses=(), **fields):
        """Whatever smtplib, ssl, socket or an HTTP client raised; one it does not know is
        ``Kind.UNKNOWN``.
        """
        if isinstance(exc, smtplib.SMTPRecipientsRefused) and isinstance(exc.recipients, dict):
            return cls.from_refusals(exc.recipients, secrets=secrets, mail=mail, **fields)
        if isinstance(exc, smtplib.SMTPResponseException):
            code = None if _is_line_too_long(exc) else exc.smtp_code
            return cls.from_reply(
                phase,
                code,
                exc.smtp_error,
                secrets=secrets,
                mail=mail,
                addresses=addresses,
                **fields,
            )
        if phase is Phase.TOKEN:
            response = getattr(exc, "response", None)  # requests
            error = getattr(exc, "error", None)  # oauthlib
            if response is not None:
                status = getattr(response, "status_code", None)
                body = getattr(response, "content", b"")
                return cls.from_token_response(status, body, secrets=secrets, **fields)
            if isinstance(error, str):
                body = {"error": error, "error_description": getattr(exc, "description", "")}
                return cls.from_token_response(None, body, secrets=secrets, **fields)
        kind = _kind(phase, exc)
        # a UnicodeError or smtplib's ValueError quotes what it could not send: a password at AUTH
        text = getattr(exc, "reason", "") if kind is Kind.INVALID else exc
        return cls(
            phase, text=clean(decode(text) or type(exc).__name__, secrets), kind=kind, **fields
        )


@dataclasses.dataclass(frozen=True)
class Decision:
    """What to do about a failure."""

    verdict: Verdict
    effect: Effect
    rule: str
    """Stable id of the rule that matched; key of ``words.REASONS``."""
    remedy: str = "none"
    """Key of ``words.REMEDIES``."""
    retry_forced_token: bool = False
    """If the mailbox signs in with OAuth: fetch a new access token and try once more first."""
    reconnect_first: bool = False
    """Connect to the same mailbox once more first; fall back if that fails too."""
    internal_only: bool = False
    """Of the mail, System Mail may carry only notifications to internal users."""
    quota: bool = False
    """A limit of the day: nothing to try before it resets."""
    is_open: bool = False
    """Nobody knows yet whose fault it is: a second mailbox is asked, for colleagues' mail."""

    @property
    def is_mailboxs_own(self):
        """Whether the mailbox itself is surely at fault."""
        return self.verdict is Verdict.FALLBACK and not self.is_open

    def without_blame(self):
        """The same for one recipient among others: it says nothing of the mailbox.

        :rtype: Decision
        """
        return dataclasses.replace(self, effect=Effect.NONE)

    def untried(self):
        """The same mailbox's trouble for a message that was not even tried: System Mail may carry
        it, whatever became of the message that found out.

        :rtype: Decision
        """
        return dataclasses.replace(self, verdict=Verdict.FALLBACK, is_open=False)


_OF_REPLIES = {"secrets", "addresses", "mail"}
LONGEST_REPLY = 16_384
"""Bytes of a reply that are read at all."""
LONGEST_CODE = 64
"""Characters of a provider's code for an error."""
_FOR_GOOD = 500
_CODES = range(200, 600)  # smtplib gives -1 for what is no SMTP at all
_CHALLENGE = 334
_CLOSING = 421
_UNAVAILABLE = {HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)}
# At the start, as RFC 2034 wants it, or after a #, as qmail writes it. Not an IP address.
_ENHANCED = re.compile(
    r"(?:\A[^\w\n]{0,2}(?P<start>[245]\.\d{1,3}\.\d{1,3})|#(?P<qmail>[245]\.\d{1,3}\.\d{1,3}))"
    r"(?!\.?\d)"
)
# What differs between two answers of one kind: addresses, identifiers.
_UNALIKE = re.compile(r"\S*[@\d]\S*")
_CLIENT_ERRORS = {  # the registration is at fault, whoever signs in there
    "invalid_client",
    "unauthorized_client",
    "deleted_client",
    "disabled_client",
    "admin_policy_enforced",
    "org_internal",
    "invalid_request",
    "invalid_resource",
    "invalid_scope",
    "unsupported_grant_type",
}
_GRANT_ERRORS = {
    "invalid_grant",
    "interaction_required",
    "login_required",
    "consent_required",
    "account_selection_required",
    "access_denied",
}
# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_AADSTS_CLIENT = re.compile(
    r"AADSTS(?:7000(?:16|24|27|112|215|222|229)|70011|90002|90013|50011|500011|50020\d|6500[45]\d?"
    r"|650052|650053|1003031)\b"
)
_AADSTS_GRANT = re.compile(r"AADSTS(?:7000[08]|70043|70008[24]|50\d{3}|53\d{3}|65001)\b")


def _is_line_too_long(exc):
    """smtplib makes up a 500 when a line never ends: no server said it."""
    return type(exc) is smtplib.SMTPResponseException and exc.smtp_error == "Line too long."


_KINDS = (  # first match wins: SMTPException is an OSError, a certificate error a ValueError too
    (MoreThanLimit, Kind.MORE_THAN_LIMIT),
    (OverMailboxLimit, Kind.OVER_MAILBOX_LIMIT),
    (OverLimit, Kind.OVER_LIMIT),
    (smtplib.SMTPServerDisconnected, Kind.DROP),
    (smtplib.SMTPNotSupportedError, Kind.NOT_OFFERED),
    (smtplib.SMTPException, Kind.UNKNOWN),
    (ssl.SSLCertVerificationError, Kind.CERTIFICATE),
    (ssl.SSLError, Kind.HANDSHAKE),
    (socket.gaierror, Kind.UNKNOWN_HOST),
    (socket.herror, Kind.UNKNOWN_HOST),
    (TimeoutError, Kind.TIMEOUT),
    (ConnectionResetError, Kind.DROP),
    (OSError, Kind.REFUSED),
    ((ValueError, MessageError), Kind.INVALID),
    (BaseException, Kind.UNKNOWN),
)


def _kind(phase, exc):
    """The kind of an exception that carries no reply."""
    kind = next(kind for cls, kind in _KINDS if isinstance(exc, cls))
    if kind is Kind.DROP and isinstance(exc.__context__, TimeoutError):
        return Kind.TIMEOUT  # smtplib turns a read timeout into a disconnection
    if kind is Kind.UNKNOWN and phase is Phase.AUTH and isinstance(exc, smtplib.SMTPException):
        return Kind.NOT_OFFERED  # login() knows none of the mechanisms that the server offers
    lost_at = {Kind.HANDSHAKE: Phase.TLS, Kind.REFUSED: Phase.CONNECT}.get(kind)
    return Kind.DROP if lost_at and phase > lost_at else kind
