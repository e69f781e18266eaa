"""What may go wrong in an SMTP dialogue, as data."""

from dataclasses import dataclass

#: Where a fault may strike, in the order of RFC 5321's dialogue.
PHASES = (
    "connect",  # the TCP connection is accepted, no byte was said
    "tls",  # before the handshake: of an implicit TLS server, or after the 220 to STARTTLS
    "banner",
    "ehlo",  # also HELO
    "starttls",
    "auth",  # the client has given its credentials
    "mail",
    "rcpt",
    "data",  # in place of the 354
    "body",  # the message is being read
    "dot",  # the message was read, in place of the 250
    "rset",
    "noop",
    "quit",
)
#: What the server then does: give `reply` (and close after a 421), close the connection (drop: FIN,
#: reset: RST), stay silent until the client leaves, or say single bytes that never make a line.
#: Sockets buffer some 4 MB: only with a bigger body does a client notice while it still writes.
ACTIONS = ("reply", "drop", "reset", "hang", "drip")

_WITHOUT_REPLY = ("drop", "reset", "hang")


@dataclass(eq=False)
class Fault:
    """One scripted fault. All conditions must hold for it to strike.

    :param reply: one or more lines; a 2xx is a success in other words
    :param recipient: only for this RCPT address; at the dot, where it was the last one accepted
    :param nth: only for the n-th RCPT of the transaction, from 1
    :param login: only for a client that logs (or logged) in as this user
    :param after: only once this many messages were accepted on the connection
    :param times: strike only this often
    :param accept: at the dot, the server keeps the message whatever it then says
    :param after_bytes: in the body, strike once this much of it was read
    :param interval: seconds between the bytes of a drip
    :param delay: seconds before the server does it; with a success as its reply, it is only slow
    """

    phase: str
    action: str
    reply: str | None = None
    recipient: str | None = None
    nth: int | None = None
    login: str | None = None
    after: int = 0
    times: int | None = None
    accept: bool = False
    after_bytes: int = 0
    interval: float = 0.02
    delay: float = 0.0
    struck: int = 0

    def __post_init__(self):
        if self.phase not in PHASES or self.action not in ACTIONS:
            raise ValueError(f"no such fault: {self.action} at {self.phase}")
        if (self.action == "reply") != bool(self.reply):
            raise ValueError("a reply, and only a reply, needs its text")
        if self.phase in ("connect", "tls") and self.action not in _WITHOUT_REPLY:
            raise ValueError(f"at {self.phase} nothing can be said yet")
        if self.phase == "body" and self.reply and not self.closes:
            raise ValueError("within the body only 421 can be said")
        if self.accept and self.phase != "dot":
            raise ValueError("a message can be accepted at the dot only")
        if self.reply:
            self.reply = "\r\n".join(self.reply.splitlines())

    @property
    def closes(self) -> bool:
        """The reply announces that the server closes the connection."""
        return (self.reply or "").startswith("421")

    @property
    def keeps(self) -> bool:
        """The server takes what it was offered, in spite of the fault."""
        return self.accept or (self.reply or "").startswith("2")

    def applies(self, phase, *, accepted=0, login=None, recipient=None, nth=None) -> bool:
        """Whether the fault strikes here and now."""
        return (
            self.phase == phase
            and (self.times is None or self.struck < self.times)
            and self.after <= accepted
            and self.login in (None, login)
            and self.nth in (None, nth)
            and self.recipient in (None, recipient)
        )
