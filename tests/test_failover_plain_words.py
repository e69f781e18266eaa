"""What counts as a word that proves nothing, and what the lists of plain words never hold."""

import pytest

from ..failover import plain_words
from ..failover.plain_words import has_telling_link, only_says

VOCABULARIES = {name: words for name, words in vars(plain_words).items() if name.startswith("OF_")}
OF_NOBODY_ELSE = {  # what servers say of the sender, of an amount of mail, of their own trouble
    *("absender", "from", "envelope", "expéditeur", "remitente", "mittente", "afzender", "your"),
    *("client", "host", "ip", "helo", "relay", "submission", "outgoing", "outbound", "login"),
    *("quota", "messages", "mails", "emails", "per", "hour", "day", "month", "many", "total"),
    *("plan", "tenant", "licence", "license", "contract", "customer", "subscription", "policy"),
    *("service", "server", "database", "scanner", "daemon", "timeout", "ldap", "error", "lookup"),
    *("suspended", "locked", "disabled", "reputation", "spf", "dkim", "dmarc", "blacklisted"),
}


@pytest.mark.parametrize("name", VOCABULARIES)
def test_no_vocabulary_has_a_word_that_is_said_of_the_mailbox(name):
    own = {"OF_LOGIN": {"login", "your"}}.get(name, set())
    assert not VOCABULARIES[name] & OF_NOBODY_ELSE - own
    assert name == "OF_LIST" or "sender" not in VOCABULARIES[name]


@pytest.mark.parametrize(
    "text",
    [
        "User unknown",
        "<>: Recipient\taddress REJECTED, please see https://mx.example/why?quota=full (#5.1.1).",
        "user unknown [AM0PR02CA0012.eurprd02.prod.outlook.com 2026-01-01T10:00:00.000Z 08DC39]",
        "Error: user unknown",
        "For more information, see http://mx.example/",
        "user unknown d9443c01a7336-abc.12 - gsmtp",
        "",
    ],
)
def test_what_is_no_word_may_always_be_said(text):
    assert only_says(text, plain_words.OF_RECIPIENT)


@pytest.mark.parametrize(
    "text",
    [
        "user unknown 192.0.2.1",
        "user unknown [2001:db8::1]",
        "user ana@corp.example unknown",
        "user unknown.Quota full",
        "user-quota unknown",
        "no more messages",
        "User unknown: database error",
        "user unknown (in reply to MAIL FROM command)",
    ],
)
def test_what_is_a_word_must_be_a_plain_one(text):
    assert not only_says(text, plain_words.OF_RECIPIENT)


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ("Rejected: https://www.spamhaus.org/query/ip/192.0.2.1.", True),
        ("Rejected by (ZEN.spamhaus.org)", True),
        ("see https://kb.example/sending-limits", True),
        ("see https://support.google.com/mail/?p=NoSuchUser", False),
        ("see https://support.google.com/mail/?p=OverQuotaPerm", False),
        ("[AM0PR02CA0012.eurprd02.prod.outlook.com]", False),
        ("your account is over its limit", False),  # no link: plain words are for that
    ],
)
def test_a_link_may_tell_of_the_sender(text, tells):
    assert has_telling_link(text) is tells
