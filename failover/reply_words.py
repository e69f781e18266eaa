"""What servers say: patterns searched, whatever the case, in ``535 5.7.8 The server's text``.

Here is what many servers say, from the sources of Postfix, Exim and Dovecot and the enhanced codes
of RFC 3463, 4954, 5248 and 7372. What only one provider says stands in its file in ``providers/``.
A pattern that starts with ``^5`` trusts its words only in a permanent reply.
"""

from ..providers import replies


def _said(rule, generic):
    """One pattern for what many servers and single providers say when a rule applies.

    :param str rule: the rule's id
    :param str generic: a regular expression for what many servers say
    """
    return "|".join((generic, *replies(rule)))


# --- logging in
STARTTLS_REFUSED = r"^50[0-4]"
TLS_MISMATCH = (  # OpenSSL's names: TLS spoken to a plain port, or an outdated server
    r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|UN(SUPPORTED|KNOWN)_PROTOCOL|PROTOCOL_VERSION"
    r"|HTTP_REQUEST|KEY_TOO_SMALL|NO_PROTOCOLS"
)
ENCRYPTION_REQUIRED = _said(
    "encryption_required",
    r"^5(23|38)|^5\d\d 5\.7\.1[01]\b|^5.*(must issue a STARTTLS|STARTTLS (is )?required"
    r"|encryption (is )?required)",
)
XOAUTH2_UNAVAILABLE = r"\bstatus=5\d\d\b"
XOAUTH2_REJECTED = r"\bstatus=[34]\d\d\b"
BASIC_AUTH_RETIRED = _said(
    "basic_auth_retired", r"^5.*basic authentication is (not supported|disabled|blocked)"
)
APP_LOGIN_REQUIRED = _said("app_password_required", r"^5.*app(lication)?[ -]?password")
WEB_LOGIN_REQUIRED = _said(
    "web_login_required", r"^53[45].*(in (with|through|via) your web browser)"
)
SMTP_AUTH_DISABLED = _said("smtp_auth_disabled", r"\bsmtp auth(entication)? is disabled")
LOGIN_BUSY = _said(  # a 535 that does not reject the credentials
    "login_unavailable",
    r"^53[45].*(temporar|try again later|too many|rate limit|connection lost|internal error)",
)
ACCOUNT_BLOCKED = _said(
    "account_blocked",
    r"^5\d\d 5\.7\.13\b"
    r"|^5.*\baccount\b.{0,20}\b(blocked|suspended|disabled|locked|frozen|not (yet )?activated)\b",
)
UNKNOWN_COMMAND = r"^50[0234]|^534.*mechanism"
IP_NOT_ALLOWED = _said("ip_not_allowed", r"^5.*unauthori[sz]ed IP")
CREDENTIALS_REJECTED = _said(
    "password_rejected",
    r"^535|^5\d\d 5\.7\.8\b|^5.*(authentication (credentials )?(failed|failure|invalid|rejected"
    r"|unsuccessful)|(invalid|incorrect|bad|wrong) (login|credentials|user ?name|user|password))",
)
LATE_CREDENTIALS_REJECTED = _said("password_rejected", r"^535")
NOT_AUTHENTICATED = _said("not_authenticated", r"^530")

# --- who may send, and how much
SEND_AS_DENIED = _said(
    "send_as_denied",
    r"permissions? to send (as|on behalf)"
    r"|^5.*sender address( rejected|.{0,9} not allowed)|^5.*not owned by (auth )?user"
    r"|not authori[sz]ed to send (from|as|mail)|^5.*from this header address",
)
SENDER_BLOCKED = _said(
    "sender_blocked",
    r"outgoing (e?mail )?(is |was )?blocked"
    r"|sender (address )?(is |was |has been )?(blocked|suspended)"
    r"|unusual (sending )?activity|^5.*mail sending denied",
)
QUOTA_REACHED = _said("quota_reached", r"\bdaily\b.{0,40}\b(limit|quota)")
SENDING_RATE = r"maximum sending rate"
TOO_FAST = _said(  # a limit of unknown length is not taken for a day's
    "too_fast",
    r"per hour|hourly (limit|quota)|\b(sending|send|outgoing|submission) (limit|quota)",
)
TOO_MANY_CONNECTIONS = _said(
    "too_many_connections",
    r"^432|^4.*(too many (concurrent )?(smtp )?(connections|sessions)|concurrent connection)",
)

# --- the message
TOO_BIG = _said(
    "too_big",
    r"^5\d\d 5\.(3\.4|2\.3)\b"
    r"|^5.*(\bsize (exceeds|limit)|exceed\w*.{0,30}\bsize|message (is )?too (big|large|long))",
)
SPAM = _said("spam", r"^5.*(\bspam|unsolicited)")
CONTENT = _said("content", r"^5\d\d 5\.6\.\d|^5.*(virus|malware|policy|content|attachment)")

# --- recipients
RECIPIENT_BUSY = _said("recipient_busy", r"^4\d\d 4\.2\.\d|^4.*gr[ea]y-?list")
TOO_MANY_RECIPIENTS = _said(  # 552 of old, RFC 5321 4.5.3.1.10
    "too_many_recipients",
    r"^[45]\d\d [45]\.5\.3\b|^[45]52.*too many recipients|separate transaction",
)
RELAY_DENIED = (  # not what is said of the mail's own authentication, RFC 7372
    r"^(454|5\d\d)(?! 5\.7\.2\d\b)(?!.*\b(spf|dkim|dmarc)\b).*(relay|authenticat)"
)
RELAY_DENIED_AT_ALL = (  # outside RCPT it cannot be one recipient's
    r"^(454|5\d\d).*(relay(ing)? (access )?denied|credentials for relay|unable to relay"
    r"|relay(ing)? (is )?not (permitted|allowed))"
)
BAD_RECIPIENT = r"^5\d\d 5\.1\.[1236]\b|^5\d\d 5\.2\.[12]\b"
