"""Who writes what to whom in a chaos run. Pure: the same seed gives the same messages."""

from typing import NamedTuple

from .storm import Mailbox
from .weather import generator

DOMAIN = "company.test"
SYSTEM = Mailbox("system", f"hello@{DOMAIN}", "neutral", None)
NOTIFICATIONS = Mailbox("notifications", f"notifications@{DOMAIN}", "plain", None, pipelining=False)
"""Odoo's own sender, for authors without a mailbox."""
SHARED = Mailbox("sales", f"sales@{DOMAIN}", "sold", None)
"""No owner: it is Sam's by its from_filter."""
PERSONAL = [
    Mailbox("ana", f"ana@{DOMAIN}", "secret-a", None),
    Mailbox("bob", f"bob@{DOMAIN}", "secret-b", "starttls", pipelining="forgets"),
    Mailbox("cleo", f"cleo@{DOMAIN}", "secret-c", "ssl", pipelining="closes"),
    Mailbox("client", f"client@{DOMAIN}", "secret-d", None, neighbour="ana"),
]
MAILBOXES = [SYSTEM, NOTIFICATIONS, SHARED, *PERSONAL]

USERS = {
    **{mailbox.name: mailbox.address for mailbox in PERSONAL},
    "sales": SHARED.address,
    "nora": f"nora@{DOMAIN}",
    "relay": f"relay@{DOMAIN}",
    "helo": f"helo.sender@{DOMAIN}",
}
"""Colleagues: their names and their addresses. Some have words in them by which servers tell whose
fault it is.
"""
COLLEAGUES = set(USERS.values())
AUTHORS = [*(mailbox.name for mailbox in PERSONAL), "sales", "nora"]
OWN_MAILBOX = {mailbox.name: mailbox for mailbox in (*PERSONAL, SHARED)} | {"nora": NOTIFICATIONS}
"""By author: the only mailbox that is theirs."""
ADDRESSES = {mailbox.name: mailbox.address for mailbox in MAILBOXES}
CUSTOMERS = {f"customer{n}": f"customer{n}@elsewhere.test" for n in range(4)} | {
    "pia": "pia@elsewhere.test, pia.second@elsewhere.test",
    "quota": "daily-limit-exceeded@account-suspended.test",
    "nullmx": "relay.access.denied@nullmx-relay.test",
}
"""Pia has two addresses; the last two chose theirs to do harm."""
PARTNERS = USERS | CUSTOMERS
SUBJECTS = (*["Protocol"] * 9, "Relay access denied: daily sending limit exceeded")
LIMIT = 600
"""Recipients a minute that System Mail may serve while it storms."""


class Mail(NamedTuple):
    """One mail.mail."""

    tag: str
    worker: int
    partners: list[str]
    email_to: list[str]
    email_cc: list[str]
    notification: bool
    auto_delete: bool

    @property
    def addresses(self):
        """Everybody's."""
        of_partners = [a for name in self.partners for a in PARTNERS[name].split(", ")]
        return [*of_partners, *self.email_to, *self.email_cc]


class Message(NamedTuple):
    """One message, in one or two mails that may be sent by different workers."""

    number: int
    message_id: str
    author: str
    subject: str
    internal: bool
    mails: list[Mail]


def message(seed: int, number: int, workers: int) -> Message:
    """The message of that number."""
    rng = generator(seed, "message", number)
    author = rng.choice(AUTHORS)
    message_id = f"<chaos-{seed}-{number}@{DOMAIN}>"
    colleagues = rng.sample([name for name in USERS if name != author], 5)
    internal = rng.random() < 0.65
    recipients = _inside(rng, colleagues) if internal else [_outside(rng, number, colleagues)]
    notifies = internal and bool(recipients[0][0])
    mails = [
        Mail(
            f"m{number}.{part}",
            rng.randrange(workers),
            *names_and_addresses,
            notification=notifies,
            auto_delete=rng.random() < (0.8 if notifies else 0.3),
        )
        for part, names_and_addresses in enumerate(recipients)
    ]
    return Message(number, message_id, author, rng.choice(SUBJECTS), internal, mails)


def posted(seed: int, number: int) -> Message:
    """The message of that number, which its author posts to people that Odoo knows."""
    planned, rng = message(seed, number, 1), generator(seed, "posted", number)
    group = USERS if planned.internal else CUSTOMERS
    names = [name for name in group if name != planned.author]
    mail = planned.mails[0]._replace(
        partners=rng.sample(names, rng.choice((1, 1, 2, 3))),
        email_to=[],
        email_cc=[],
        notification=True,
        auto_delete=True,
    )
    return planned._replace(mails=[mail])


def _inside(rng, colleagues):
    """The colleagues as partners, in one mail or in two; or one by nothing but the address."""
    if rng.random() < 0.1:
        return [([], [USERS[colleagues[0]]], [])]
    two = rng.random() < 0.25
    groups = (colleagues[:2], colleagues[2:]) if two else (colleagues,)
    return [(names[: rng.choice((1, 1, 2, 3))], [], []) for names in groups]


def _outside(rng, number, colleagues):
    """Customers, addresses that are nobody's, or both and a colleague."""
    kind = rng.choice(("partners", "plain", "both"))
    plain = [f"lead{number}.{n}@elsewhere.test" for n in range(rng.choice((1, 2, 4)))]
    partners = rng.sample(list(CUSTOMERS), rng.choice((1, 2, 3)))
    if kind == "partners":
        return partners, [], []
    partners = [*partners, colleagues[0]] if kind == "both" else []
    return partners, plain[:2], plain[2:]
