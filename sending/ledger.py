"""What became of each e-mail of a run, and the events that tell it."""

import collections
import contextlib
import dataclasses
import typing

from odoo.api import SUPERUSER_ID
from odoo.tools.mail import email_normalize_all

from ..failover.failure import Verdict
from ..failover.policy import Fate
from ..failover.session import Report, Undelivered
from ..failover.words import BY_SYSTEM_MAIL

EVENTS_AT_ONCE = 100
HEADER = "X-System-Mail-Unit"
"""Tells which e-mail of its mail a message is, whatever other addons do to the list of e-mails. It
is removed before the message is sent, as core does with its ``X-Msg-To-Add``.
"""


class Letter(typing.NamedTuple):
    """What an event says of a mail, kept apart from a transaction that may break."""

    message_id: str
    mail_message_id: int
    original_from: str
    author_id: int
    """The author's partner."""
    writer_id: int
    """The user who wrote it, whomever they name as its author."""

    @classmethod
    def of(cls, mail):
        """The letter that the mail is."""
        message_sudo = mail.sudo().mail_message_id
        return cls(
            mail.message_id,
            message_sudo.id,
            mail.email_from,
            mail.author_id.id or 0,
            message_sudo.create_uid.id,
        )


def writes_for_others(user):
    """Whether it is others who write in this user's name: OdooBot's, or a customer's."""
    return user.share or user.id == SUPERUSER_ID


class Why(typing.NamedTuple):
    """Why a mailbox failed: fields of ``system.mail.failure``, all false where it did not."""

    rule: str | bool = False
    smtp_code: int | bool = False
    enhanced_code: str | bool = False

    @classmethod
    def of(cls, trouble):
        """Why this attempt failed."""
        return cls(
            trouble.decision.rule, trouble.failure.code or False, trouble.failure.enhanced or False
        )


@dataclasses.dataclass
class Unit:
    """One e-mail of a mail: core sends one per partner, and one for the plain addresses."""

    partner: typing.Any = None
    """False for the plain addresses; None for what another addon added."""
    addresses: frozenset[str] = frozenset()
    tried: bool = False
    """Core came to it."""
    report: Report | None = None
    """None: it was not tried, core found no valid address in it, or it did not go our way."""
    sent_otherwise: bool = False
    """Another addon sent it, by a way of its own."""

    def note(self, report):
        """It was sent; maybe not for the first time, then whoever accepted it once has it."""
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
        """Whether there is nothing to tell of it."""
        return self.sent_otherwise or bool(self.report and not self.report.troubles)

    @property
    def reached(self):
        """Whether it left for anybody."""
        return self.sent_otherwise or bool(self.report and self.report.accepted)


class Ledger:
    """Which e-mail of which mail came to what."""

    def __init__(self, events, policy, raise_exception):
        """
        :param events: the ``system.mail.event`` model
        :param Policy policy: the company's System Mail
        :param bool raise_exception: whoever sends is told at once: nothing waits, nothing is held
        """
        self.policy, self.raise_exception = policy, raise_exception
        self.system = None
        """The route of System Mail, where it may carry these mails."""
        self.refusal: Undelivered | None = None
        """Why no session could be opened for the batch in hand."""
        self.sent_from = ""
        """The From of the last message that System Mail carried."""
        self.batch = events.env["mail.mail"]
        """The mails for which a session is opened next."""
        self.told = set()
        """The ids of the notifications that tell something."""
        self._tales = None
        self._event_model, self._events, self._noted = events, [], False
        self._letters, self._units = {}, {}
        self._unit: Unit | None = None
        self._mail = events.env["mail.mail"]

    def begin(self, mail, email_list):
        """The e-mails of this mail are about to be sent; others may add to them or change them.

        :param list email_list: of dicts as ``_prepare_outgoing_list`` returns them; each is marked
        """
        self._mail = mail
        self._letters[mail.id] = Letter.of(mail)
        units = self._units[mail.id] = {None: Unit()}
        for number, email in enumerate(email_list):
            addresses = frozenset(email.get("email_to_normalized") or ())
            units[str(number)] = Unit(email.get("partner_id"), addresses)
            email["headers"] = {**(email.get("headers") or {}), HEADER: str(number)}

    def begin_email(self, message):
        """A message is about to be sent: find out which e-mail it is, and remove the mark.

        :return: whether another addon added it
        """
        number = message[HEADER]
        del message[HEADER]
        self._unit = self._units.get(self._mail.id, {}).get(number and str(number))
        if self._unit is None or self._unit.partner is None:
            return True
        self._unit.tried = True
        return False

    def served(self):
        """The addresses of the mail in hand that other addons' e-mails had reached before."""
        return email_normalize_all(self._mail.system_mail_served or "")

    def _note(self, report):
        units = self._units.get(self._mail.id)
        if units is None:  # a test belongs to no mail
            return
        unit, self._unit = self._unit, None
        if unit is None or unit.partner is None:
            # another addon may have built the message anew, or sends it a second time
            to_same = [u for u in units.values() if u.addresses.issuperset(report.recipients)]
            unit = min(to_same, key=lambda u: u.tried, default=units[None])
        unit.note(report)

    def settle(self, mail_id, mail=None, sent=(), failed=True):
        """What became of the mail's e-mails: notes it as events, and forgets it.

        :param mail: None where the transaction is broken
        :param sent: the partners and addresses that core counts as reached
        :param bool failed: core met an error; otherwise it tried each e-mail of the list
        :return: the e-mails, or nothing where all went well, or did not go our way
        :rtype: list[Unit]
        """
        units, letter = self._units.pop(mail_id, {}), self._letters.pop(mail_id, None)
        added = units.pop(None, None)
        units = [*units.values(), *([added] if added and added.report else [])]
        for unit in units:
            reached = unit.partner in sent if unit.partner else not unit.addresses.isdisjoint(sent)
            unit.sent_otherwise = reached and not unit.report
        if not failed:  # what was not tried was taken from the list
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
                    examples.setdefault(kind, troubles)
        # at most one event of each kind for the mail
        self._note_events(
            [self._event(kind, examples[kind], letter, count) for kind, count in counts.items()]
        )
        return units

    def settle_refused(self, mails):
        """None of these mails could be sent: there was no mailbox to send them by."""
        report = self.refusal.report
        self._note_events(
            [
                self._event(
                    self._kind(report, "", mail),
                    report.troubles[""],
                    Letter.of(mail),
                    len(mail.recipient_ids) or 1,
                )
                for mail in mails
            ]
        )

    def _kind(self, report, address, mail):
        """The kind of event that a troubled address is, or None for the recipient's own fault.

        :param mail: as for ``settle``
        """
        troubles = report.troubles[address]
        fate = report.fate(address)
        tries_again = fate is Fate.DEFERRED and not troubles[-1].retry_at
        if tries_again and mail and mail.system_mail_gives_up():
            return "failed"
        if fate in (Fate.DEFERRED, Fate.HELD) and self.raise_exception:
            return "failed"
        if fate is Fate.ACCEPTED:
            return "fallback" if self.carried(report, address) else None
        if fate is Fate.FAILED:
            ours = troubles[-1].route is self.system
            last = troubles[-1].decision
            of_mailbox = not (last.verdict is Verdict.REFUSE or last.is_open)
            return "failed" if ours or of_mailbox else None
        return fate.value

    def carried(self, report, address):
        """Whether System Mail stood in, for this recipient, for a mailbox that failed."""
        if self.system is None or report.accepted.get(address) is not self.system:
            return False
        return any(trouble.route is not self.system for trouble in report.troubles.get(address, ()))

    def why(self, troubles, fate):
        """What the author reads of the reason: why the mailbox failed. What waits for System Mail
        says just that: how System Mail is, only Super Users know.

        :rtype: Why
        """
        last = troubles[-1]
        if fate is Fate.DEFERRED and last.route is self.system and not last.retry_at:
            return Why(BY_SYSTEM_MAIL)
        own = (Why.of(trouble) for trouble in troubles if trouble.route is not self.system)
        return next(own, Why())

    @contextlib.contextmanager
    def telling(self, tales, default):
        """What the notifications written meanwhile tell: see ``tales_of``."""
        self._tales = tales, default
        try:
            yield
        finally:
            self._tales = None

    def tell(self, notifications):
        """What these notifications tell, if anything.

        :return: ``{(sent_from, Why): notifications}``
        """
        if self._tales is None:
            return {}
        self.told.update(notifications.ids)
        tales, default = self._tales
        if not tales:  # so that the notifications need not be read
            return {default: notifications}
        return notifications.grouped(
            lambda n: tales.get(n.res_partner_id or n.mail_email_address, default)
        )

    def _event(self, kind, troubles, letter, recipient_count):
        # for what was carried, the mailbox that failed; else what keeps it from being sent
        told = troubles[0] if kind == "fallback" else troubles[-1]
        server_sudo = told.route.mailbox.sudo()
        return {
            **letter._asdict(),
            "kind": kind,
            "company_id": self.policy.company_id,
            "server_id": server_sudo.id,
            "server_name": told.route.name,
            "recipient_count": recipient_count,
            "sent_from": self.sent_from if kind == "fallback" else False,
            "phase": told.failure.phase.value,
            **Why.of(told)._asdict(),
            "answer": told.failure.text,
        }

    def _note_events(self, events):
        """Keep the events until the batch ends; the first of the run is written at once."""
        first = not self._noted
        self._noted = self._noted or bool(events)
        self._events += events
        if first or len(self._events) >= EVENTS_AT_ONCE:
            self._flush()

    def _flush(self):
        events, self._events = self._events, []
        self._event_model.write_down(events)
