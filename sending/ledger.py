"""What became of each e-mail of a run, and the events that tell it."""

import collections
import contextlib
import typing

from odoo.api import SUPERUSER_ID

from ..failover.failure import Verdict
from ..failover.policy import Fate
from ..failover.session import Report, Undelivered
from ..failover.words import BY_SYSTEM_MAIL

EVENTS_AT_ONCE = 100


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


class Unit(typing.NamedTuple):
    """One e-mail of a mail: core sends one per partner, and one for the plain addresses."""

    partner: typing.Any
    report: Report | None
    """None: core found no valid address in it, or never came to it."""


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
        self.unwatched = False
        """They go by a connection of Odoo's own, which alone knows what becomes of them."""
        self.told = set()
        """The ids of the notifications that tell something."""
        self._tales = None
        self._event_model, self._events, self._noted = events, [], False
        self._letters, self._units = {}, collections.defaultdict(list)
        self._partners, self._mail = [], events.env["mail.mail"]

    def begin(self, mail, email_list):
        """The e-mails of this mail are about to be sent, in this order."""
        if self.unwatched:
            self._mail = self._mail.browse()
            return
        self._mail = mail
        self._letters[mail.id] = Letter.of(mail)
        self._units.pop(mail.id, None)
        self._partners = [email["partner_id"] for email in email_list]

    def next_unit(self):
        """The next e-mail of the mail begins."""
        units = self._units[self._mail.id]
        units.append(Unit(self._partners[len(units)], None))

    def _note(self, report):
        if units := self._units[self._mail.id]:  # a test belongs to no mail
            units[-1] = units[-1]._replace(report=report)

    def settle(self, mail_id, mail=None):
        """What became of the mail's e-mails: notes it as events, and forgets it.

        :param mail: None where the transaction is broken
        :return: the e-mails, or nothing where all went well
        :rtype: list[Unit]
        """
        units, letter = self._units.pop(mail_id, []), self._letters.pop(mail_id, None)
        if mail_id == self._mail.id:  # those that core never came to, for an error before
            units += [Unit(partner, None) for partner in self._partners[len(units) :]]
            self._partners = []
        if all(unit.report and not unit.report.troubles for unit in units):
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
