"""The result of each e-mail, and the events that record it."""

import collections
import contextlib
import dataclasses
import logging
import typing

from odoo.api import SUPERUSER_ID
from odoo.tools.mail import email_normalize_all

from ..failover.failure import Verdict
from ..failover.late_reply import LateReply
from ..failover.policy import Fate
from ..failover.session import AT_ONCE, Report, Undelivered
from ..failover.words import BY_SYSTEM_MAIL, describe

_logger = logging.getLogger(__name__)

EVENTS_AT_ONCE = 100
HEADER = "X-System-Mail-Unit"
"""A header with the number of the e-mail in its mail: other addons may reorder or change the list
of e-mails. It is removed before the message is sent, as core does with its ``X-Msg-To-Add``.
"""


class MailInfo(typing.NamedTuple):
    """What an event says of a mail. It is read before the sending, as the transaction may fail."""

    message_id: str
    mail_message_id: int
    original_from: str
    author_id: int
    """The id of the author's partner."""
    writer_id: int
    """The id of the user who wrote it; the author may be somebody else."""

    @classmethod
    def of(cls, mail):
        """Read it from a mail."""
        message_sudo = mail.sudo().mail_message_id
        return cls(
            mail.message_id,
            message_sudo.id,
            mail.email_from,
            mail.author_id.id or 0,
            message_sudo.create_uid.id,
        )


def writes_for_others(user):
    """Whether this user's messages may be written by others: true for OdooBot, portal and public
    users.
    """
    return user.share or user.id == SUPERUSER_ID


class Why(typing.NamedTuple):
    """Why a mailbox failed: fields of ``system.mail.failure``; all False if none failed."""

    rule: str | bool = False
    smtp_code: int | bool = False
    enhanced_code: str | bool = False

    @classmethod
    def of(cls, trouble):
        """Read it from a Trouble."""
        return cls(
            trouble.decision.rule, trouble.failure.code or False, trouble.failure.enhanced or False
        )


@dataclasses.dataclass(frozen=True)
class Awaited:
    """A message whose reply comes later than a person waits, and what to store of it then."""

    reply: LateReply
    server_id: int | bool
    """Of the mailbox; False for Odoo's configuration file."""
    name: str
    """The mailbox's name for people."""
    internal: bool
    sent_from: str | bool
    """System Mail's address, where it stands in for a mailbox that failed."""
    why: Why
    """Why that mailbox failed."""
    fallback: dict | None
    """The event to write if System Mail's server has accepted the message in its place."""
    held: dict
    """The event to write if it is held. It has no reason yet."""


@dataclasses.dataclass
class Unit:
    """One e-mail of a mail: core sends one to each partner, and one to the plain addresses."""

    partner: typing.Any = None
    """False for the plain addresses; None for an e-mail that another addon added."""
    addresses: frozenset[str] = frozenset()
    tried: bool = False
    """Core has sent it, or tried."""
    report: Report | None = None
    """None: it was not tried, has no valid address, or was not sent by our session."""
    sent_otherwise: bool = False
    """Another addon sent it by a session of its own."""

    def note(self, report):
        """Store its report. If it has one already, the two are merged: an addon sent it twice. Who
        was accepted once stays accepted.
        """
        self.tried = True
        if before := self.report:
            report = dataclasses.replace(
                report,
                recipients=tuple(dict.fromkeys(before.recipients + report.recipients)),
                accepted=before.accepted | report.accepted,
                troubles=before.troubles | report.troubles,
            )
        self.report = report

    @property
    def went_well(self):
        """Whether every recipient was accepted by the first mailbox."""
        return self.sent_otherwise or bool(self.report and not self.report.troubles)

    @property
    def reached(self):
        """Whether at least one recipient was accepted."""
        return self.sent_otherwise or bool(self.report and self.report.accepted)


class Ledger:
    """Collects the results of the e-mails while they are sent, and writes events."""

    left_line = "%s message(s) are left to the mail queue: a person waits no longer for %s"
    """The line of the log that says how many were left, and because of which mailbox."""

    def __init__(self, events, policy, raise_exception):
        """
        :param events: the ``system.mail.event`` model
        :param Policy policy: the company's System Mail
        :param bool raise_exception: errors are raised to the caller; no mail waits or is held
        """
        self.policy, self.raise_exception = policy, raise_exception
        self.systems = {}
        """The routes of System Mail, with their mailboxes; none if it may not send these mails."""
        self.refusal: Undelivered | None = None
        """Why no session could be opened for the current batch; None if one was."""
        self.sent_from = {}
        """The From of the last message that each mailbox of System Mail sent."""
        self.batch = events.env["mail.mail"]
        """The mails for which a session is opened next."""
        self.bodies = {}
        """What they have to say, by their ids, before any addon adds to it while it is sent."""
        self.last_report: Report | None = None
        """Of the message that is being sent, or was sent last; None until it is sent."""
        self._carried, self._left = [], []
        self.over_ids = []
        """The ids of the mails that were sent, and are to be deleted."""
        self.notified_ids = set()
        """The ids of the notifications that have values of ours."""
        self._values = None
        self._event_model, self._events, self._noted = events, [], False
        self._mail_infos, self._units = {}, {}
        self._unit: Unit | None = None
        self._mail = events.env["mail.mail"]

    def begin(self, mail, email_list):
        """Register the e-mails of a mail that is about to be sent. Later, other addons may add
        e-mails, or change them.

        :param list email_list: of dicts as ``_prepare_outgoing_list`` returns them; each is marked
        """
        self._mail = mail
        self._mail_infos[mail.id] = MailInfo.of(mail)
        units = self._units[mail.id] = {None: Unit()}
        for number, email in enumerate(email_list):
            addresses = frozenset(email.get("email_to_normalized") or ())
            units[str(number)] = Unit(email.get("partner_id"), addresses)
            email["headers"] = {**(email.get("headers") or {}), HEADER: str(number)}

    def begin_email(self, message):
        """Find out which e-mail the message is that is about to be sent. Removes its HEADER.

        :return: whether another addon added this e-mail
        """
        self.last_report = None
        number = message[HEADER]
        del message[HEADER]
        self._unit = self._units.get(self._mail.id, {}).get(number and str(number))
        if self._unit is None or self._unit.partner is None:
            return True
        self._unit.tried = True
        return False

    def served(self):
        """The addresses that need no further e-mail of another addon for the current mail."""
        return email_normalize_all(self._mail.system_mail_served or "")

    @property
    def has_carried(self):
        """Whether System Mail sent a message of this batch in place of another mailbox."""
        return bool(self._carried)

    def reports_of_mail(self):
        """The reports of the messages of the current mail."""
        units = self._units.get(self._mail.id, {}).values()
        return [unit.report for unit in units if unit.report]

    def _end_batch(self):
        """Write the events and the lines of the log that are about the batch."""
        self._flush()
        left = self._left
        if self.refusal and self.refusal.report.troubles[""][-1].retry_at == AT_ONCE:
            left = [self.refusal.report.troubles[""][-1]] * len(self.batch)
        if self._carried:
            address, trouble = self._carried[0]
            _logger.info(
                "System Mail %s carried %s message(s) of %s: %s",
                address,
                len(self._carried),
                trouble.route.name,
                describe(trouble.failure, trouble.decision),
            )
        if left:
            _logger.info(self.left_line, len(left), left[0].route.name)
        self._carried, self._left = [], []

    def _note_for_log(self, report):
        self.last_report = report
        carried = [
            (by, report.troubles[a][0]) for a in report.accepted if (by := self.carried(report, a))
        ]
        left = [t[-1] for a, t in report.troubles.items() if a not in report.accepted]
        self._carried += carried[:1]
        self._left += [trouble for trouble in left if trouble.retry_at == AT_ONCE][:1]

    def _note(self, report):
        self._note_for_log(report)
        units = self._units.get(self._mail.id)
        if units is None:  # a test message, which has no mail
            return
        unit, self._unit = self._unit, None
        if unit is None or unit.partner is None:
            # without HEADER: another addon built the message anew, or sends it a second time
            to_same = [u for u in units.values() if u.addresses.issuperset(report.recipients)]
            unit = min(to_same, key=lambda u: u.tried, default=units[None])
        unit.note(report)

    def settle(self, mail_id, mail=None, sent=(), failed=True):
        """End a mail: write its events, and return the results of its e-mails.

        :param mail: the mail; None if the transaction has failed
        :param sent: the partners and addresses that core counts as sent to
        :param bool failed: core met an error; otherwise it tried all e-mails
        :return: the e-mails; none, if all were accepted by the first mailbox, or none was sent by
            our session
        :rtype: list[Unit]
        """
        units, mail_info = self._units.pop(mail_id, {}), self._mail_infos.pop(mail_id, None)
        self.last_report = None
        added = units.pop(None, None)
        units = [*units.values(), *([added] if added and added.report else [])]
        for unit in units:
            reached = unit.partner in sent if unit.partner else not unit.addresses.isdisjoint(sent)
            unit.sent_otherwise = reached and not unit.report
        if not failed:  # another addon removed those that were not tried
            units = [unit for unit in units if unit.tried or unit.sent_otherwise]
        if all(unit.went_well for unit in units):
            return []
        if not any(unit.report or unit.sent_otherwise for unit in units):
            return []
        counts, examples = collections.Counter(), {}
        for report in filter(None, (unit.report for unit in units)):
            for address, troubles in report.troubles.items():
                if kind := self._kind(report, address, mail):
                    counts[kind] += 1
                    examples.setdefault(kind, (troubles, report.accepted.get(address)))
        # at most one event of each kind for the mail
        self._note_events(
            [self._event(kind, *examples[kind], mail_info, count) for kind, count in counts.items()]
        )
        return units

    def settle_refused(self, mails):
        """Write the events of mails that could not be sent: no mailbox could be connected."""
        report = self.refusal.report
        kinds = {mail: self._kind(report, "", mail) for mail in mails}
        self._note_events(
            [
                self._event(
                    kind,
                    report.troubles[""],
                    None,
                    MailInfo.of(mail),
                    len(mail.recipient_ids) or 1,
                )
                for mail, kind in kinds.items()
                if kind
            ]
        )

    def _kind(self, report, address, mail):
        """The kind of the event for a recipient with troubles.

        :param mail: as for ``settle``
        :return: None for no event: the failure is the recipient's or the message's own fault, or
            nothing failed
        """
        troubles = report.troubles[address]
        fate = report.fate(address)
        if fate is Fate.AWAITED or (fate is Fate.DEFERRED and troubles[-1].retry_at == AT_ONCE):
            return None
        tries_again = fate is Fate.DEFERRED and not troubles[-1].retry_at
        if tries_again and mail and mail.system_mail_gives_up():
            return "failed"
        if fate in (Fate.DEFERRED, Fate.HELD) and self.raise_exception:
            return "failed"
        if fate is Fate.ACCEPTED:
            return "fallback" if self.carried(report, address) else None
        if fate is Fate.FAILED:
            ours = troubles[-1].route in self.systems
            last = troubles[-1].decision
            of_mailbox = not (last.verdict is Verdict.REFUSE or last.is_open)
            return "failed" if ours or of_mailbox else None
        return fate.value

    def carried(self, report, address):
        """The address from which System Mail sent to this recipient because another mailbox, which
        may be its own first one, failed; empty if it did not.

        :rtype: str
        """
        mailbox = self.systems.get(report.accepted.get(address))
        return mailbox.address if mailbox and report.troubles.get(address) else ""

    def why(self, troubles, fate):
        """What the author reads as the reason: why their mailbox failed. If the mail waits for
        System Mail, the reason only says so, or that it waits for a limit: what is wrong with
        System Mail is for Super Users.

        :rtype: Why
        """
        last = troubles[-1]
        if fate is Fate.AWAITED or (fate is Fate.DEFERRED and last.retry_at == AT_ONCE):
            return Why()
        if fate is Fate.DEFERRED and last.route in self.systems:
            return Why.of(last) if last.retry_at else Why(BY_SYSTEM_MAIL)
        own = (Why.of(trouble) for trouble in troubles if trouble.route not in self.systems)
        return next(own, Why())

    def awaited(self, mail, report):
        """What is to be stored when the late reply to a message has come.

        :param mail: of the recipients whose reply it is
        :rtype: Awaited
        """
        troubles = next(t for t in report.troubles.values() if t[-1].is_awaited)
        count = sum(t[-1].is_awaited for t in report.troubles.values())
        route = troubles[-1].route
        mailbox = self.systems.get(route)
        is_carried = bool(mailbox and troubles[:-1])
        of_mail = MailInfo.of(mail), count
        return Awaited(
            report.late,
            route.mailbox.id,
            route.name,
            report.internal,
            sent_from=is_carried and mailbox.address,
            why=self.why(troubles[:-1], Fate.ACCEPTED) if troubles[:-1] else Why(),
            fallback=self._event("fallback", troubles, route, *of_mail) if is_carried else None,
            held=self._event("held", troubles, None, *of_mail),
        )

    @contextlib.contextmanager
    def writing_notifications(self, values, default):
        """Give these values to the notifications that are written inside this block.

        :param dict values: by recipient, as ``notification_values`` returns them
        :param default: the values of all other recipients
        """
        self._values = values, default
        try:
            yield
        finally:
            self._values = None

    def values_for(self, notifications):
        """Group notifications by the values that they get; empty outside ``writing_notifications``.

        :return: ``{(sent_from, Why): notifications}``
        """
        if self._values is None:
            return {}
        self.notified_ids.update(notifications.ids)
        values, default = self._values
        if not values:  # the same for all: the notifications need not be read
            return {default: notifications}
        return notifications.grouped(
            lambda n: values.get(n.res_partner_id or n.mail_email_address, default)
        )

    def _event(self, kind, troubles, sent_by, mail_info, recipient_count):
        # if System Mail sent it, why the first mailbox failed; otherwise why the last one did
        shown = troubles[0] if kind == "fallback" else troubles[-1]
        server_sudo = shown.route.mailbox.sudo()
        return {
            **mail_info._asdict(),
            "kind": kind,
            "company_id": self.policy.company_id,
            "server_id": server_sudo.id,
            "server_name": shown.route.name,
            "recipient_count": recipient_count,
            "sent_from": self.sent_from.get(self.systems.get(sent_by), False),
            "phase": shown.failure.phase.value,
            **Why.of(shown)._asdict(),
            "answer": shown.failure.text,
        }

    def _note_events(self, events):
        """Keep events until the batch ends, or until there are EVENTS_AT_ONCE. The first ones of a
        run are written at once.
        """
        first = not self._noted
        self._noted = self._noted or bool(events)
        self._events += events
        if first or len(self._events) >= EVENTS_AT_ONCE:
            self._flush()

    def _flush(self):
        events, self._events = self._events, []
        self._event_model.write_down(events)
