"""The words that a server may use beside a phrase which proves whose fault a refusal is.

A message is lost where the recipient or the message is held to be at fault, but the mailbox is. No
list of the words that would tell is ever complete. So the lists here are of the opposite kind: a
reply with any other word proves nothing. A word that is missing here costs a second opinion; a word
too many may cost a notification. Leave out what could be said of the sender, of the log-in, of an
amount of mail, or of a part of the server that does not work.
"""

import re

_LINK = re.compile(r"https?://|([\w-]+\.){2,}[a-z]{2,3}\Z")
"""A page or a host: ``https://…``, ``eur05.prod.outlook.com``."""
_TELLING = re.compile(
    r"spam(haus|cop)|[a-z]bl\b|barracuda|sorbs|uceprotect|senderscore|reputation"
    r"|(block|black|de)-?list|(?<!over)quota|limit|rate\b|throttl|suspen|account|sender|sending"
    r"|abus|relay|out(going|bound)|unlock|unblock|\bip\b"
)
_IP_ADDRESS = re.compile(r"(\d{1,3}\.){3}\d")
_PART = re.compile(r"[^\W_]+")
_DIGIT = re.compile(r"\d")


def _set(*texts):
    return frozenset(" ".join(texts).split())


PLAIN = _set(
    "a an the this that it its there here by of for to at in on as with and or",
    "is was be been are has have had does did do no not nor yet",
    "sorry permanent permanently please check see try visit go http https",
    "message mail email e rejected refused gcdp",
    "der die das dem den des ein eine einer dieser diese dieses ist wurde nicht kein keine und",
    "oder bitte nachricht abgelehnt",
    "le la les l un une de du d ce cet cette est a été ete n ne pas et ou refusé rejeté",
    "el los del este esta es y o por favor correo mensaje rechazado",
    "il lo di questo non è messaggio rifiutato het een dit deze niet geen en bericht geweigerd",
)
WHOM = _set(  # whom a message goes to
    "user recipient recipients addressee mailbox benutzer empfänger empfaenger postfach",
    "utilisateur destinataire usuario utente destinatario buzón casella utilizador destinatário",
    "ontvanger gebruiker yonghu shoujianren",
)
UNKNOWN = _set(
    "unknown exist exists existing nonexistent found known such",
    "unbekannt unbekannte unbekannter existiert gefunden bekannt inconnu inconnue existe",
    "introuvable desconocido desconocida encontrado sconosciuto sconosciuta inesistente esiste",
    "trovato onbekend onbekende bestaat bekend cunzai",
)
NOBODY = _set("用户不存在 该用户不存在 收件人不存在 收件人地址不存在 邮箱不存在")
BIG = _set("size big large long length groß gross grande groot gros")
OF_RECIPIENT = (
    PLAIN
    | WHOM
    | UNKNOWN
    | NOBODY
    | _set(
        "address addresses domain valid invalid null mx rfc longer moved any one s t doesn don",
        "rejecting requested action taken chkuser deliver delivered delivery undeliverable",
        "adresse adressen ungültig ungueltig invalide nom dirección indirizzo adres dizhi bu",
    )
)
OF_MAILBOX = OF_RECIPIENT | _set("full good")
OF_BUSY = OF_MAILBOX | _set(
    "busy temporarily temporary come back again later after soon retry resend time",
    "minute minutes second seconds moment",
)
OF_LIST = PLAIN | _set(
    "sender senders group list allowed member members restricted restriction moderated moderator",
    "authenticated authorized authentication authorization required distribution recipient address",
)
OF_SIZE = (
    PLAIN
    | BIG
    | _set(
        "too bytes kb mb psize exceed exceeds exceeded exceeding maximum max limit limits fixed",
        "system imposed administrative allowed permitted file request header than zu trop",
    )
)
OF_FORM = PLAIN | _set(
    "contain contains contained received header headers line lines subject date missing invalid",
    "bad illegal malformed multiple duplicate bare too long newline newlines mandatory content",
    "body mime character characters nul non ascii cr lf crlf feed id references",
)
OF_CONTENT = PLAIN | _set(
    "contain contains contained prohibited forbidden illegal banned invalid virus malware trojan",
    "content attachment attachments file found detected because blocked",
)
OF_SPAM = OF_CONTENT - _set("blocked") | _set(
    "due points spam score scored discarded classified identified considered marked tagged likely",
    "under suspicion looks like may delivered",
)
OF_LOGIN = PLAIN | _set(
    "authentication authenticate auth failed failure fail unsuccessful login log logon sign user",
    "username name password passwords credentials credential data accepted invalid wrong incorrect",
    "bad were unknown such account exist found again denied your",
    "benutzername passwort kennwort falsch ungültig ungueltig fehlgeschlagen anmeldung",
    "authentifizierung utilisateur nom mot passe identifiant identifiants incorrects invalide",
    "échec echec échoué échouée echouee usuario contraseña incorrecta incorrectos autenticación",
    "autenticazione fallita nome utente errata wachtwoord onjuist mislukt 用户名或密码错误",
)
_POINTERS = re.compile(
    r"(for )?more information|learn more|\b(error|fehler|erreur) ?:"
    r"|\(in reply to rcpt to command\)"
)


def only_says(text, allowed):
    """Whether a text has no words but these. Numbers, identifiers, links, names of hosts and single
    letters are no words; an IP address or an e-mail address is one that is never allowed.

    :param str text: on one line
    :param frozenset allowed: words in lower case
    """
    tokens = _POINTERS.sub("", text.lower()).split()
    if tokens[-2:] == ["-", "gsmtp"]:  # after Google's identifier of the session
        del tokens[-3:]
    return all(word in allowed for token in tokens for word in _words(token))


def has_telling_link(text):
    """Whether a link, or the name of a host, tells of the sender, the client or an amount of mail:
    ``https://www.spamhaus.org/query/ip/…``.
    """
    tokens = map(_stripped, text.lower().split())
    return any(_LINK.match(token) and _TELLING.search(token) for token in tokens)


def _words(token):
    token = _stripped(token)
    if _LINK.match(token):
        return []
    if "@" in token or "::" in token or token.count(":") > 4 or _IP_ADDRESS.search(token):
        return [token]
    return [part for part in _PART.findall(token) if len(part) > 1 and not _DIGIT.search(part)]


def _stripped(token):
    return token.strip("()[]<>{}.,;:!?\"'*#")
