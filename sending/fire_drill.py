"""A drill: one notification for which every mailbox but System Mail is treated as down."""

from ..failover.drill_check import Copy
from ..failover.failure import Failure, Kind, Phase
from ..failover.rules import classify
from ..failover.session import RouteClosed, Undelivered
from .send_run import SendRun

DOWN = Failure(Phase.CONNECT, kind=Kind.DRILL)


class FireDrill:
    """Goes with the notification, in the context, and keeps what is learnt on the way."""

    def __init__(self):
        self.mailbox = ""
        """The name of the author's own mailbox; blank where they have none."""
        self.report = None
        """The ``Report`` of the message, or None where no message was made."""
        self.copies: list[Copy] = []
        """What System Mail's server accepted."""

    @classmethod
    def of(cls, env):
        """The drill in hand, or None. Only an object of ours counts: a context key that came by
        RPC is plain data.
        """
        drill = env.context.get("system_mail_drill")
        return drill if isinstance(drill, cls) else None

    @property
    def trouble(self):
        """Why System Mail did not carry it, or None."""
        troubles = self.report.all_troubles if self.report else ()
        return next((t for t in troubles if t.failure.kind is not Kind.DRILL), None)


class FireDrillRun(SendRun):
    """Touches no mailbox but System Mail, nor what is known of it, and writes no events."""

    def __init__(self, drill, *args):
        self._drill = drill
        super().__init__(*args)

    def session(self, server, smtp_from, connect):
        if self._is_mailbox(server, smtp_from):
            self._drill.mailbox = server.sudo().name
        try:
            return super().session(server, smtp_from, connect)
        except Undelivered as exc:
            self._drill.report = exc.report
            raise

    def is_closed(self, server):
        return True  # asked of people's mailboxes alone

    def _look(self, server):
        if server.id != self.policy.server_id:
            raise RouteClosed(DOWN, classify(DOWN))
        # a drill is asked for to try it, not to hear what is known
        self._seen[server.id] = self._health.snapshot(server)

    def _route(self, server, connect, **options):
        def connect_and_listen():
            connection = connect()
            connection.on_accepted = lambda *sent: self._drill.copies.append(Copy(*sent))
            return connection

        return super()._route(server, connect_and_listen, **options)

    def _note(self, report):
        super()._note(report)
        self._drill.report = report

    def _note_events(self, events):
        """Whoever asked for the drill writes it down, as a test."""
