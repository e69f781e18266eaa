"""A fire drill: one notification is sent as if only one mailbox worked, of System Mail."""

from ..failover.budget import Budget
from ..failover.drill_check import Copy
from ..failover.failure import Failure, Kind, Phase
from ..failover.rules import classify
from ..failover.session import RouteClosed, Undelivered
from .send_run import SendRun

DOWN = Failure(Phase.CONNECT, kind=Kind.DRILL)


class FireDrill:
    """The results of a drill. It is passed in the context of the notification."""

    def __init__(self, system):
        """
        :param SystemMailbox system: the mailbox of System Mail that is tried
        """
        self.system = system
        self.mailbox = ""
        """The name of the author's own mailbox; empty if there is none."""
        self.report = None
        """The ``Report`` of the message; None if none was built."""
        self.copies: list[Copy] = []
        """What System Mail's server accepted."""

    @classmethod
    def of(cls, env):
        """The current drill, or None. A context key that came by RPC is not one: that is plain
        data, and this must be an object of ours.
        """
        drill = env.context.get("system_mail_drill")
        return drill if isinstance(drill, cls) else None

    @property
    def trouble(self):
        """The Trouble because of which System Mail did not send it, or None."""
        troubles = self.report.all_troubles if self.report else ()
        return next((t for t in troubles if t.failure.kind is not Kind.DRILL), None)


class FireDrillRun(SendRun):
    """A run that uses only one mailbox, of System Mail. It changes no other mailbox's health,
    and writes no events.
    """

    def __init__(self, drill, *args):
        self._drill = drill
        super().__init__(*args)

    @staticmethod
    def _budget_of(_env):
        return Budget()  # whoever runs a drill waits for its result

    def session(self, server, smtp_from, connect):
        if self._is_mailbox(server, smtp_from):
            self._drill.mailbox = server.sudo().name
        try:
            return super().session(server, smtp_from, connect)
        except Undelivered as exc:
            self._drill.report = exc.report
            raise

    def is_out_of_order(self, server):
        return True  # only called for people's mailboxes

    def _require_available(self, server, _budget):
        if server.id != self._drill.system.server_id:
            raise RouteClosed(DOWN, classify(DOWN))
        # try it even if it is known to be out of order; its success is always written
        self._seen[server.id] = self._health.snapshot(server)._replace(last_success=None)

    def _route(self, server, connect, budget, **options):
        def connect_and_listen():
            connection = connect()
            connection.on_accepted = lambda *sent: self._drill.copies.append(Copy(*sent))
            return connection

        return super()._route(server, connect_and_listen, budget, **options)

    def _note(self, report):
        super()._note(report)
        self._drill.report = report

    def _note_events(self, events):
        """Write nothing: the dialog records the drill as a test."""
