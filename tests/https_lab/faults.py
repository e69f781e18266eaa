"""What may go wrong between a client and an API, as data."""

from dataclasses import dataclass, field

#: Where a fault may strike, in the order in which the steps happen.
PHASES = (
    "connect",  # the TCP connection is accepted, no byte was said
    "tls",  # before the handshake
    "head",  # the head of the request was read
    "body",  # some bytes of its body were read
    "answer",  # the request was read, in place of the answer
    "rest",  # the status and the headers were said, in place of the body
)
#: What the server then does: give another answer, close the connection (drop: FIN, reset: RST),
#: stay silent until the client leaves, or say single bytes that never make an answer.
ACTIONS = ("answer", "drop", "reset", "hang", "drip")


@dataclass(eq=False)
class Fault:
    """One scripted fault.

    :param status: of the answer
    :param code: the provider's code for the error
    :param body: of the answer, instead of an error with the code
    :param headers: of the answer
    :param raw: an answer that is no HTTP
    :param accept: after the request, the server keeps the message whatever it then says
    :param recipient: only for a message to this address, once it was read
    :param after: only once this many messages were accepted on the connection
    :param times: strike only this often
    :param interval: seconds between the bytes of a drip
    """

    phase: str
    action: str = "answer"
    status: int | None = None
    code: str = "Fault"
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    accept: bool = False
    recipient: str | None = None
    after: int = 0
    times: int | None = None
    interval: float = 0.02
    struck: int = 0

    def __post_init__(self):
        if self.phase not in PHASES or self.action not in ACTIONS:
            raise ValueError(f"no such fault: {self.action} at {self.phase}")
        if (self.action == "answer") != bool(self.status or self.raw):
            raise ValueError("an answer, and only an answer, needs a status or what it is")
        if self.action == "answer" and self.phase in ("connect", "tls", "rest"):
            raise ValueError(f"at {self.phase} there is no answer")
        if (self.accept or self.recipient) and self.phase not in ("answer", "rest"):
            raise ValueError("a message is known once the request was read")

    def applies(self, phase, *, accepted=0, recipients=()) -> bool:
        """Whether the fault strikes here and now."""
        return (
            self.phase == phase
            and (self.times is None or self.struck < self.times)
            and self.after <= accepted
            and (self.recipient is None or self.recipient in recipients)
        )
