"""What servers say: patterns searched, whatever the case, in ``535 5.7.8 The server's own words``.

Taken from the sources of Postfix, Exim and Dovecot and from public reports; what only one provider
says is in its file of ``providers/``. Enhanced codes: RFC 3463, 4954, 5248, 7372. A pattern that
starts with ``^5`` trusts its words only in a permanent reply. Patterns have no nested repetition:
reading a reply takes time in proportion to its length. What proves that the message or the
recipient is at fault counts only where nothing else is said (``plain_words``).
"""

import re

from ..providers import replies
from .plain_words import BIG, NOBODY, UNKNOWN, WHOM


def said(rule, *patterns):
    """The pattern of a rule: these, or what any provider says then.

    :param str rule: id of the rule
    """
    return "|".join(f"(?:{pattern})" for pattern in (*patterns, *replies(rule)))


def _any_of(*words):
    return "|".join(sorted(frozenset().union(*words)))


ABOUT_RECIPIENT = (  # what it says may sound like the mailbox's fault
    r"^[45](?!21).*(\b(by|of|to|for|at) (the|this) (recipients?|persons?|addressee|list|group)\b"
    r"|\brecipient('s)? (has|is|exceeded|reached|mailbox|own|asked|quota|accepts|requires|server)\b"
    r"|\b(the|this) (person|list|group|recipient) |\bmembers may\b|banned recipient|tenant allow"
    r"|\bmailbox (gets|receives|takes)\b|\breceived messages\b|\bdestination (server|host)\b"
    r"|\b(mail|message) contains\b|\b(mail|message)\b.{0,30}\b(as|is) spam\b"
    r"|\b(the body|in the text|links? in|url|uribl|dbl)\b|\breply-to\b|body contains"
    r"|(mailbox|user) quota exceeded|\brecipient\Ws\b|\bpersonal (black|block|deny)"
    r"|(?<=^[45]\d\d )[45]\.2\.[12]\b(?!.*(\bsen[dt]|\bout(going|bound)|\bsubmi|\bdaily|\bhour"
    r"|\byour?\b|STOREDRV)))"
)

# --- reaching the server
STARTTLS_REFUSED = r"^50[0-4]"
TLS_MISMATCH = (  # OpenSSL's names: TLS spoken to a plain port, or an outdated server
    r"WRONG[_ ]VERSION[_ ]NUMBER|RECORD[_ ]LAYER[_ ]FAILURE|UN(SUPPORTED|KNOWN)[_ ]PROTOCOL"
    r"|PROTOCOL[_ ]VERSION|HTTP[_ ]REQUEST|KEY[_ ]TOO[_ ]SMALL|NO[_ ]PROTOCOLS"
    r"|ALERT[_ ]HANDSHAKE[_ ]FAILURE|NO[_ ]SHARED[_ ]CIPHER|PACKET[_ ]LENGTH[_ ]TOO[_ ]LONG"
    r"|waits for TLS to begin"  # our own, see connection
)
CERTIFICATE_EXPIRED = r"certificate has expired"

# --- getting a token as an application
ASSERTION_TIME = r"\b(iat|nbf|exp)\b|valid time range"
KEY_REJECTED = r"invalid jwt signature|assertion failed signature validation"
MAILBOX_UNKNOWN = r"invalid email or user id"
APPLICATION_UNKNOWN = (
    r"^(\d+ )?(disabled|deleted)_client\b"
    r"|\b(client|account|application|tenant)\b.{0,90}\bnot found\b"
)
CLIENT_CREDENTIAL_REJECTED = r"client[ _]secret"
APPLICATION_NOT_ALLOWED = (
    r"^(\d+ )?(unauthorized_client|access_denied|consent_required|admin_policy_enforced)\b"
)

# --- logging in
ENCRYPTION_REQUIRED = (
    r"^5(23(?!.*\b(length|size)\b)|38)|^5\d\d 5\.7\.1[01]\b"
    r"|^5.*(must issue a STARTTLS|STARTTLS (is )?required"
    r"|encryption (is )?required|without (SSL|TLS|encryption))"
)
_NOT_NOW = r"temporar|try again later|too many|rate limit|connection lost|internal error"
XOAUTH2_UNAVAILABLE = r"\bstatus=(5\d\d|408|429)\b"
XOAUTH2_REJECTED = r"\bstatus=[34]\d\d\b.*"
APPLICATION_REFUSED = rf"^535( 5\.7\.139(?!.*SmtpClientAuthentication).*)?|{XOAUTH2_REJECTED}"
SECURITY_DEFAULTS = r"security defaults"
BASIC_AUTH_RETIRED = r"^5.*basic authentication is (not supported|disabled|blocked)"
APP_LOGIN_REQUIRED = (
    r"^5.*(app(lication)?[ -]?password"
    r"|authori[sz]ation code|password for (third[ -]party|external) )"
)
WEB_LOGIN_REQUIRED = r"^53[45].*(in (with|through|via) your web browser)"
SMTP_AUTH_DISABLED = (
    r"^5(?!.*\b(maintenance|temporar|this network)).*"
    r"(SMTP (access|service|auth\w*) (is |has been )?(not enabled|disabled|switched off|off\b)"
    r"|not have access rights to this service|has no permission"
    r"|enable (SMTP|POP3/IMAP|IMAP/SMTP|external access))"
)
LOGIN_BUSY = rf"^53[45].*({_NOT_NOW})"  # a 535 that does not reject the credentials
CREDITS_USED = r"(maximum|daily) (\w+ )?credits? exceeded|exceeded (your )?(maximum|daily) credits?"
ACCOUNT_BLOCKED = (
    r"^5\d\d 5\.7\.13\b|^5\d\d 5\.1\.8\b.*blocked"
    r"|^5(?!.*too many).*"
    r"\baccount\b.{0,20}\b(blocked|suspended|disabled|locked|frozen|not (yet )?activated)\b"
)
UNKNOWN_COMMAND = r"^50[0234]|^534.*mechanism"
IP_NOT_ALLOWED = r"^5.*(unauthori[sz]ed IP|IP( address)? (is )?not (allowed|authori[sz]ed))"
CREDENTIALS_REJECTED = (  # where no trouble is told of: see plain_words
    r"^535|\(reason unavailable\)|restarting authentication process|^5\d\d 5\.7\.8\b"
    r"|^5\d\d (?=.*(authentication (credentials )?(failed|failure|invalid|rejected|unsuccessful)"
    r"|(invalid|incorrect|bad|wrong) (login|credentials|user ?name|user|password)))"
)
LATE_CREDENTIALS_REJECTED = r"^535"
NOT_AUTHENTICATED = (  # not what is said of the mail's own authentication, RFC 7372
    r"^5(?!\d\d 5\.7\.2\d\b)(?!.*\b(spf|dkim|dmarc)\b)"
    r"(?!.*\bdomain\b.{0,40}\b(not|un)[ -]?authenticated).*(must (be authenticated|authenticate"
    r"|log ?in)|\b(not|un)[ -]?(authenticated|logged ?in)\b|authentication (is )?required)"
)

# --- who may send, and how much
SEND_AS_DENIED = (
    r"permissions? to send (as|on behalf)"
    r"|relaying disallowed as|^5\d\d 5\.1\.[78]\b.*sender"
    r"|^5.*sender (address )?(rejected|(is )?invalid|.{0,9} not allowed)"
    r"|^4.*sender address rejected|^5.*not owned by (auth )?user"
    r"|\b(domain|address|identity) (is )?not verified|domain\b.{0,40}\b(not|un)[ -]?authenticated"
    r"|not authori[sz]ed to send (from|as|mail)"
    r"|^5.*from this header address"
    r"|sender verify failed|(incorrect|invalid) (sender|from) header|\bmail from invalid"
    r"|from/sender name is not valid|mail from\W.{0,30}conform|sender domain not verified"
    r"|unregistered domains?"
)
SEND_AS_DENIED_AT_DOT = r"request failed; mailbox unavailable"
SENDER_BLOCKED = (
    r"outgoing (e?mail|messages?|smtp)\b(?!.*(attach|virus|malware|macro|contain|\bdlp\b))"
    r".{0,40}\b(blocked|suspended|disabled)"
    r"|sender\b.{0,12}\b(is |was |has been )(blocked|suspended)\b(?! by\b)"
    r"|^5\d\d 5\.1\.8\b.*blocked"
    r"|unusual (sending )?(activity|amount of (unsolicited|outgoing|mail))|^5.*mail sending denied"
    r"|\byour account\b.{0,20}\b(blocked|suspended|disabled|locked|frozen|deactivated)\b"
    r"|not allowed to send: please activate"
)
QUOTA_REACHED = (
    r"\bdaily\b.{0,40}\b(limit|quota)|(maximum|daily) credits? exceeded"
    r"|reached your limit for the number of messages"
)
TOO_FAST = (  # a limit of unknown length is not taken for a day's
    r"(per|an) hour\b|hourly (limit|quota)|maximum sending rate"
    r"|\b(sending|send|outgoing|submission|messaging|message|mail|e-?mail|rate|smtp)s? "
    r"?(rate )?(limits?|quota)\b(?!.*\b(size|bytes|[km]i?b)\b).{0,30}\b(reached|exceeded|hit)"
    r"|exceeded.{0,20}\b(messaging|sending|e?mail|outgoing|rate) ?(limits?|quota)"
    r"|rate (limit|overlimit|exceeds)|quota exceeded|over quota for sending|too much mail"
    r"|too many (e-?mails|requests|messages (in|per|from)|recipients (in|per|this|from)"
    r"(?! (the |this |a |one )?(to|cc|header|message|e?mail)\b))"
    r"|allowed outgoing messages"
    r"|wait to send more|throttl|slow down|sending too (fast|quickly|much)"
    r"|support\.forpsi"
)
PEAK_LIMIT = r"peak smtp relay limit"
TOO_MUCH_AT_MAIL = r"^4.*too much mail from"  # Postfix's anvil counts what one client sends
TOO_MANY_CONNECTIONS = (
    r"^432|^4.*(too many (concurrent )?(smtp )?(connections|sessions)|concurrent connection)"
)
OWN_MAILBOX_FULL = r"STOREDRV\.Submission\.Exception:QuotaExceeded|full.{0,9}STOREDRV\.Submission"
OWN_MAILBOX_CLOSED = r"mailbox logon failure|STOREDRV\.Submission.*LogonFailed"
HELO_REFUSED = (
    r"\b(helo|ehlo)\b.{0,20}\b(rejected|denied|refused|invalid|required)|\binvalid (helo|ehlo)"
)
CLIENT_REFUSED = (
    r"client (host|address)?.{0,20}\b(rejected|blocked|denied|refused|banned)"
    r"|^[45]\d\d [45]\.7\.25\b|^5\d\d 5\.7\.(60[6-9]|6[1-4]\d|511)\b|banned sending ip"
    r"|(blocked|listed|found) (using|by|at|in|on) \S{0,80}(\b[sxp]bl\b|blocklist|blacklist)"
    r"|spamhaus|spamcop|dnsbl|\brbl\b|barracudacentral"
    r"|(your )?(ip|host|server)( address)? .{0,30}(is |was |has been )?(black|block) ?listed"
    r"|(reverse dns|\bptr\b|rdns).{0,60}(missing|required|not|no\b|fail|lookup)"
    r"|(cannot|can't|could not|unable to) find your (reverse )?hostname"
    r"|connections? (from|of) (this|your) (ip|host|address)"
)
SERVER_TROUBLE = (
    r"^4\d\d 4\.3\.\d|^5\d\d 5\.3\.[0235]\b|^4\d\d 4\.4\.\d|^5\d\d 5\.4\.[0235]\b(?!.*\bhops?\b)"
    r"|server configuration (problem|error)|insufficient (system )?(storage|resources)"
    r"|local error in processing|temporary (lookup|system|server|service|local)"
    r"|(service|server) (is )?(temporarily )?(unavailable|overloaded|shutting down|busy)"
    r"|internal (server )?error|out of (memory|disk)|account is not available in bridge"
    r"|timeout waiting for data"
)
SERVER_TROUBLE_AT_RCPT = (  # X.4: the way to this recipient, maybe
    r"^4\d\d 4\.3\.\d|^5\d\d 5\.3\.[235]\b|server configuration (problem|error)"
    r"|insufficient (system )?(storage|resources)|local error in processing"
)

# --- surely the message's or the recipient's, where nothing else is said: see plain_words
CODE_OF_MAILBOX = re.compile(  # of the connection, the log-in, the sender or the server itself
    r"\d(2[135]|3\d)\b|\d{3} [45]\.(1\.[7-9]\d?|[34]\.\d+|7\.([2-9]|\d{2,}))\b"
)
_MESSAGE = r"\b(message|e?mail|request|nachricht|bericht|mensaje|messaggio)\b"
_SIGNATURE = r"\S*[\d_.-]\S*"  # the name of a virus
TOO_BIG = (
    rf"(?<=^5\d\d )5\.(3\.4|2\.3)\b(?=.*{_MESSAGE})(?=.*\b({_any_of(BIG)}|bytes)\b)"
    rf"|^(?=5\d\d .*{_MESSAGE})(?=.*\b({_any_of(BIG)})\b)"
)
UNWRITABLE = (
    r"bare (newline|<?lf>?|<?cr>?|line ?feed)|(line|header)s?( \w+)? (is |are )?too long"
    r"|(multiple|duplicate|missing|malformed|invalid|illegal|bad) (subject|date|message-id|mime"
    r"|header)|non-?ascii|\bnul character|subject is mandatory"
)
SPAM = (
    r"spam message discarded. if you feel we mistreat you, do contact us"
    r"|\b(as|of|is|like|likely) (spam|unsolicited|junk)\b( by content filtering)?"
    r"|\bspam (message|content|score|points)|\bblocked by spamassassin\b"
    r"|\breject, id=\S+ - spam\b"
    r"|our system has detected that this message is likely unsolicited mail"
)
CONTENT = (
    r"(?<=^5\d\d )5\.6\.\d\b(?=.*\b(content|mime|header|body|attachment)\b)"
    r"|message content (?=rejected|refused)|content refused"
    r"|\b(invalid|forbidden|prohibited|illegal|banned) (message )?(content|attachment|file)"
    r"|\battachment (is )?(forbidden|prohibited|not allowed|banned)"
    r"|this message violates \S+ e?mail policy"
    r"|(was )?blocked because its content presents (a )?potential security issue"
    r"|\bcontain\w* (an? )?(virus|malware|trojan|worm)\b( \(\S+\))?"
    r"|\breject, id=\S+ - infected: \S+"
    rf"|\b(virus|malware|trojan)( {_SIGNATURE})? (detected|found)(: {_SIGNATURE})?"
    r"( by (clamav|zoho mail))?"
)
_PROBED = (  # by Postfix, after which it says what the recipient's server said
    r"recipient address rejected: (unverified|undeliverable) address\b(: address verification in "
    r"progress|: connect to \S+: connection (timed out|refused)|: host \S+ said:)?"
)
_FULL = r"quota exceeded \(mailbox for user is full\)"  # by Dovecot, after the dot
_NOT_IN_TABLE = (
    r"user unknown in (virtual (mailbox|alias)|(local|relay) recipient|local) table"
    r"|no mailbox here by that name|invalid mailbox name"
    r"|\b(user|recipient) not local(?=\W*please try)"
)
BAD_RECIPIENT = (
    rf"^556\b|(?<=^5\d\d )5\.1\.([126]|10|3(?=\W*$|.*\b({_any_of(WHOM)})\b))\b"
    rf"|{_NOT_IN_TABLE}|{_PROBED}|{_FULL}"
    r"|bad destination (mailbox|system) address( syntax)?|no forwarding address"
    r"|(?<=^5\d\d )5\.4\.1 recipient address rejected: access denied"
    rf"|\b({_any_of(NOBODY)})\b"
    rf"|^(?=5\d\d .*\b({_any_of(WHOM)})\b)(?=.*\b({_any_of(UNKNOWN)}|null ?mx)\b)"
)
BAD_MAILBOX = r"(?<=^5\d\d )5\.2\.[12]\b"
RESTRICTED = (  # a list or a group that takes mail only from some
    r"(?<=^5\d\d )5\.7\.1(2[3-9]|3[0-8])\b(?=.*(group|list|member|moderat)|\W*restrict\w*\W*$)"
    r"|\bRESOLVER\.RST\.\w+"
)
RECIPIENT_BUSY = rf"\bgr[ea]y-?list\w*|(?<=^4\d\d )4\.1\.[136]\b|{_PROBED}((?<=said:).*)?|{_FULL}"
MAILBOX_BUSY = r"(?<=^4\d\d )4\.2\.\d\b"

# --- recipients
TOO_MANY_RECIPIENTS = (  # 552 of old, RFC 5321 4.5.3.1.10
    r"^[45]\d\d [45]\.5\.3\b|^[45]52.*too many recipients|separate transaction"
)
RELAY_DENIED = (
    r"relay(ing)? (access )?(is )?(denied|not (permitted|allowed)|prohibited|refused)"
    r"|credentials for relay|(unable|not (permitted|allowed|authori[sz]ed)) to relay"
    r"|(not in|isn't in) my list of allowed rcpthosts|forwarding denied|no relaying"
    r"|we do not relay|relaying (from|to|for)?.{0,40}(denied|disallowed|prohibited)"
)
