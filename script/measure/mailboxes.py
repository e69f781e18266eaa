"""The mail servers of a bench: a process of their own, which counts what they accept.

Each case has the author's server and System Mail's, so that one case's failure is nobody else's.
"""

from multiprocessing.connection import Connection
from typing import NamedTuple

from smtp_lab import SmtpLab, SmtpServer

from .far_away import far_away
from .storm import Mailbox

DOMAIN = "company.test"
OWN = Mailbox("author", f"author@{DOMAIN}", "secret", None)
SYSTEM = Mailbox("system", f"hello@{DOMAIN}", "neutral", None)
BACKUP = Mailbox("backup", f"backup@{DOMAIN}", "neutral", None)
NOTIFICATIONS = f"notifications@{DOMAIN}"


class Accepted(NamedTuple):
    """What a case's servers accepted since they were asked last."""

    own: int
    system: int
    first_at: float
    """``time.monotonic()``, which all processes share; 0 for nothing."""


class CountingServer(SmtpServer):
    """A server that remembers how many messages it accepted, and when the first."""

    count, first_at = 0, 0.0

    async def accept(self, connection, *, at, **values):
        self.count += 1
        self.first_at = self.first_at or at
        await super().accept(connection, at=at, **values)


class Mailboxes:
    """The servers of all cases, by case.

    :param float round_trip: seconds to them
    """

    def __init__(self, lab, cases, round_trip):
        self._lab, self._round_trip = lab, round_trip
        self.servers = {
            case: [
                lab.server(
                    mailbox.name,
                    kind=CountingServer,
                    logins={mailbox.address: mailbox.password},
                    keep=False,
                )
                for mailbox in (OWN, SYSTEM)
            ]
            for case in cases
        }

    def ports(self):
        """:return: the author's and System Mail's, by case"""
        return {case: [*map(self._port, pair)] for case, pair in self.servers.items()}

    def _port(self, server):
        if self._round_trip:
            return self._lab.run(far_away(server.port, self._round_trip))
        return server.port

    def fail(self, case):
        """From now on, the author's mailbox is as the case has it."""
        own = self.servers[case][0]
        if case in ("rejected", "backed"):
            own.fail("auth", reply="535 5.7.8 Username and Password not accepted")
        elif case == "refused":
            own.stop()
        elif case == "silent":
            own.fail("connect", action="hang")

    def accepted(self, case):
        """:rtype: Accepted"""
        own, system = self.servers[case]
        first = min((s.first_at for s in (own, system) if s.first_at), default=0.0)
        answer = Accepted(own.count, system.count, first)
        for server in (own, system):
            server.count, server.first_at = 0, 0.0
        return answer


def serve(line: Connection, cases: list[str], round_trip: float = 0):
    """The process: does what it is asked by name, until it is told nothing."""
    with SmtpLab() as lab:
        mailboxes = Mailboxes(lab, cases, round_trip)
        for name, *arguments in iter(line.recv, None):
            line.send(getattr(mailboxes, name)(*arguments))
