"""What providers say: patterns searched, whatever the case, in ``535 5.7.8 The provider's text``.

Taken from the error lists of Gmail, Microsoft 365, Amazon SES, SendGrid, Yahoo, Zoho, Brevo, IONOS,
iCloud and Fastmail, and the sources of Postfix, Exim and Dovecot. Enhanced codes: RFC 3463, 4954,
5248, 7372. A pattern that starts with ``^5`` trusts its words only in a permanent reply.
"""

# --- logging in
STARTTLS_REFUSED = r"^50[0-4]"
TLS_MISMATCH = (  # OpenSSL's names: TLS spoken to a plain port, or an outdated server
    r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|UN(SUPPORTED|KNOWN)_PROTOCOL|PROTOCOL_VERSION"
    r"|HTTP_REQUEST|KEY_TOO_SMALL|NO_PROTOCOLS"
)
ENCRYPTION_REQUIRED = (
    r"^5(23|38)|^5\d\d 5\.7\.1[01]\b|^5.*(must issue a STARTTLS|STARTTLS (is )?required"
    r"|encryption (is )?required)"
)
XOAUTH2_UNAVAILABLE = r"\bstatus=5\d\d\b"
XOAUTH2_REJECTED = r"\bstatus=[34]\d\d\b"
BASIC_AUTH_RETIRED = (
    r"^5\d\d 5\.7\.30\b|^5.*basic authentication is (not supported|disabled|blocked)"
)
APP_LOGIN_REQUIRED = (
    r"^5.*(application[ -]specific|app(lication)?[ -]?password|InvalidSecondFactor)"
)
WEB_LOGIN_REQUIRED = r"^5\d\d 5\.7\.14\b|^53[45].*(in (with|through|via) your web browser)"
SMTP_AUTH_DISABLED = r"SmtpClientAuthentication|\b5\.7\.139\b(?!.*credentials were incorrect)"
LOGIN_BUSY = (  # a 535 that does not reject the credentials
    r"^53[45].*(temporar|try again later|too many|rate limit|connection lost|internal error)"
)
ACCOUNT_BLOCKED = (
    r"credits? (exceeded|expired|blocked)|^5\d\d 5\.7\.13\b|^5\d\d 5\.1\.8\b.*blocked"
    r"|^5.*\baccount\b.{0,20}\b(blocked|suspended|disabled|locked|frozen|not (yet )?activated)\b"
)
UNKNOWN_COMMAND = r"^50[0234]|^534.*mechanism"
IP_NOT_ALLOWED = r"^5.*unauthori[sz]ed IP"
CREDENTIALS_REJECTED = (
    r"^535|^5\d\d 5\.7\.8\b|^5.*(authentication (credentials )?(failed|failure|invalid|rejected"
    r"|unsuccessful)|(invalid|incorrect|bad|wrong) (login|credentials|user ?name|user|password))"
)
LATE_CREDENTIALS_REJECTED = r"^535|\b5\.7\.139\b.*credentials were incorrect"
NOT_AUTHENTICATED = r"^530|^5\d\d 5\.7\.57\b|^5.*unauthenticated senders not allowed"

# --- who may send, and how much
SEND_AS_DENIED = (
    r"^5\d\d 5\.(7\.60|2\.252)\b|SendAsDenied|permissions? to send (as|on behalf)"
    r"|relaying disallowed|verified sender identity"
    r"|^5.*sender address( rejected|.{0,9} not allowed)|^5.*not owned by (auth )?user"
    r"|(email address|domain|identity) is not verified|identities failed the check"
    r"|not authori[sz]ed to (send (from|as|mail)|perform)|^5.*from this header address"
    r"|from:? address (is )?not (one of your addresses|verified)"
)
SENDER_BLOCKED = (
    r"^5\d\d 5\.7\.(50[1-3]|705)\b|bad outbound sender|outgoing (e?mail )?(is |was )?blocked"
    r"|sender (address )?(is |was |has been )?(blocked|suspended)|^5\d\d 5\.1\.8\b.*blocked"
    r"|unusual (sending )?activity|verdict is (Suspend|HipSend)|^5.*mail sending denied"
    r"|sending (is |was |has been )?(suspended|paused) for this account"
)
QUOTA_REACHED = (
    r"^5\d\d 5\.(4\.5|1\.90|7\.23[23])\b|\bdaily\b.{0,40}\b(limit|quota)"
    r"|SubmissionQuotaExceeded|RefuseQuota"
)
SENDING_RATE = r"maximum sending rate"
TOO_FAST = (  # a limit of unknown length is not taken for a day's
    r"per hour|hourly (limit|quota)|peak smtp relay limit"
    r"|\b(sending|send|outgoing|submission) (limit|quota)"
)
TOO_MANY_CONNECTIONS = (
    r"^432|^4.*(too many (concurrent )?(smtp )?(connections|sessions)|concurrent connection"
    r"|sender thread limit)"
)

# --- the message
TOO_BIG = (
    r"^5\d\d 5\.(3\.4|2\.3)\b"
    r"|^5.*(\bsize (exceeds|limit)|exceed\w*.{0,30}\bsize|message (is )?too (big|large|long))"
)
SPAM = r"OutboundSpamException|^5.*(\bspam|unsolicited)"
CONTENT = r"^5\d\d 5\.6\.\d|^5.*(virus|malware|policy|content|attachment)"

# --- recipients
RECIPIENT_BUSY = r"^4.*recipient thread limit|^432.*\bDeliver\b|^4\d\d 4\.2\.\d|^4.*gr[ea]y-?list"
TOO_MANY_RECIPIENTS = (  # 552 of old, RFC 5321 4.5.3.1.10
    r"^[45]\d\d [45]\.5\.3\b|^[45]52.*too many recipients|separate transaction"
    r"|multiple destination domains"
)
RELAY_DENIED = (  # not what is said of the mail's own authentication, RFC 7372
    r"^(454|5\d\d)(?! 5\.7\.2\d\b)(?!.*\b(spf|dkim|dmarc)\b).*(relay|authenticat)"
)
RELAY_DENIED_AT_ALL = (  # outside RCPT it cannot be one recipient's
    r"^(454|5\d\d).*(relay(ing)? (access )?denied|credentials for relay|unable to relay"
    r"|relay(ing)? (is )?not (permitted|allowed))"
)
BAD_RECIPIENT = r"^5\d\d 5\.1\.[1236]\b|^5\d\d 5\.2\.[12]\b"
