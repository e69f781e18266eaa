"""What may go wrong between an OAuth2 client and its provider, as data."""

import json
from dataclasses import dataclass
from typing import NamedTuple

ENDPOINTS = ("authorize", "token", "userinfo")
#: What the provider then does: give another answer, close the connection without one (drop), stay
#: silent until the client leaves, or say single bytes that never make an answer.
ACTIONS = ("answer", "drop", "hang", "drip")


class Answer(NamedTuple):
    """One HTTP response, but for what HTTP itself adds."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(eq=False)
class Fault:
    """One scripted fault.

    :param status: of the answer; by default 401 for invalid_client, 400 for other errors
    :param body: of the answer, instead of an error
    :param error: the code of RFC 6749, 4.1.2.1 and 5.2; at `authorize` it travels by redirect
    :param description: the error's `error_description`
    :param times: strike only this often
    :param accept: the provider first does what it was asked: only its answer is lost
    :param interval: seconds between the bytes of a drip
    """

    endpoint: str
    action: str = "answer"
    status: int | None = None
    body: bytes = b""
    error: str | None = None
    description: str | None = None
    times: int | None = None
    accept: bool = False
    interval: float = 0.02
    struck: int = 0

    def __post_init__(self):
        if self.endpoint not in ENDPOINTS or self.action not in ACTIONS:
            raise ValueError(f"no such fault: {self.action} at {self.endpoint}")
        if (self.action == "answer") != bool(self.status or self.error):
            raise ValueError("an answer, and only an answer, needs a status or an error")
        if self.error and self.body:
            raise ValueError("an error makes its own body")

    @property
    def answer(self) -> Answer:
        """The answer in place of the provider's own."""
        if not self.error:
            return Answer(self.status, {"Content-Type": "text/html; charset=utf-8"}, self.body)
        told = {"error": self.error}
        if self.description:
            told["error_description"] = self.description
        status = self.status or (401 if self.error == "invalid_client" else 400)
        return Answer(status, {"Content-Type": "application/json"}, json.dumps(told).encode())

    def applies(self, endpoint: str) -> bool:
        """Whether the fault strikes here and now."""
        return self.endpoint == endpoint and (self.times is None or self.struck < self.times)
