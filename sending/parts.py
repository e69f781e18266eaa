"""The recipients of one mail, by what they came to."""

import dataclasses
import typing

from odoo.tools import email_normalize
from odoo.tools.mail import email_normalize_all, email_split_and_format_normalize

from odoo.addons.base.models.ir_mail_server import extract_rfc2822_addresses

from ..failover.policy import Fate
from ..failover.session import explain
from .ledger import Why

_OF_PARTNER = (Fate.ACCEPTED, Fate.HELD, Fate.DEFERRED, Fate.FAILED)
"""What a partner with several addresses comes to: the first of what these came to."""
_INVALID = "invalid"
"""Failed, too, but no server said so; Odoo deletes what has no valid address."""
_MOST_TO_COME = (Fate.DEFERRED, Fate.HELD, Fate.FAILED, _INVALID, Fate.ACCEPTED)


@dataclasses.dataclass
class Part:
    """The recipients of a mail that share one fate."""

    fate: Fate
    mail: typing.Any
    partners: typing.Any
    by_address: typing.Any
    """Partners of whom only some addresses share it, and whom it tells of in the chatter."""
    email_to: list = dataclasses.field(default_factory=list)
    email_cc: list = dataclasses.field(default_factory=list)
    reason: str = ""
    """Of the first of them; ``reasons`` has each partner's and address's own."""
    reasons: dict = dataclasses.field(default_factory=dict)
    failure_type: str | None = None
    retry_at: typing.Any = None
    served: list = dataclasses.field(default_factory=list)
    """Addresses that need nothing more of what other addons add to the mail."""

    def concerns(self, notification):
        """Whether the notification is of one of these recipients."""
        if notification.res_partner_id:
            return notification.res_partner_id in self.partners | self.by_address
        entries = ", ".join((*self.email_to, *self.email_cc))
        return notification.mail_email_address in email_normalize_all(entries)

    def values(self):
        """The recipients, as fields of mail.mail."""
        return {
            "recipient_ids": [(6, 0, self.partners.ids)],
            "email_to": ", ".join(self.email_to) or False,
            "email_cc": ", ".join(self.email_cc) or False,
            "system_mail_served": ", ".join(self.served) or False,
        }


def parts_of(mail, units, failure_type, failure_reason):
    """Sort the recipients of a mail by fate, the one with most to come first.

    :param units: its e-mails, as ``SendRun.units`` returns them
    :param failure_type: what core made of those without a valid address, or not tried
    :param failure_reason: the same in words
    :rtype: list[Part]
    """
    nobody = mail.env["res.partner"]
    parts = {
        key: Part(Fate.FAILED if key is _INVALID else key, mail, nobody, nobody)
        for key in _MOST_TO_COME
    }
    for unit in units:
        if unit.sent_otherwise:
            _add_whole(parts[Fate.ACCEPTED], mail, unit)
        elif unit.report is None:
            part = parts[_INVALID]
            part.failure_type = part.failure_type or failure_type
            part.reason = (
                part.reason or failure_reason or mail.env["ir.mail_server"].NO_VALID_RECIPIENT
            )
            _add_whole(part, mail, unit)
        elif unit.partner:
            _add_partner(parts, unit)
    _add_addresses(parts, mail, [unit for unit in units if unit.report and not unit.partner])
    return [part for part in parts.values() if part.partners or part.email_to or part.email_cc] or [
        parts[_INVALID]
    ]


def _add_whole(part, mail, unit):
    if unit.partner:
        part.partners |= unit.partner
    else:
        part.email_to += email_split_and_format_normalize(mail.email_to or "")
        part.email_cc += email_split_and_format_normalize(mail.email_cc or "")


def _add_partner(parts, unit):
    """A partner with several addresses is reached when one of them is; the others go on alone. One
    who waits is sent to at all of them again, those that were refused included; so nobody waits
    who has an address where it is uncertain: that one is held, and the others wait alone.
    """
    by_fate = {}
    for address in unit.report.recipients:
        by_fate.setdefault(unit.report.fate(address), []).append(address)
    main = min(by_fate, key=_OF_PARTNER.index)
    alone = {fate for fate in by_fate if fate not in (main, Fate.ACCEPTED)}
    if main is Fate.HELD and Fate.DEFERRED in by_fate:
        parts[main].by_address |= unit.partner
        alone.add(main)
    else:
        parts[main].partners |= unit.partner
    if main is Fate.DEFERRED:
        alone.discard(Fate.FAILED)
    for fate, addresses in by_fate.items():
        if fate is main or fate in alone:
            _explain(parts[fate], unit.report, addresses, unit.partner)
        if fate in alone:
            parts[fate].email_to += addresses


def _add_addresses(parts, mail, units):
    """The mail's own addresses, and those of e-mails that other addons added. Which of the two an
    e-mail is, its addresses tell.
    """
    reports = {address: unit.report for unit in units for address in unit.report.recipients}
    is_own = any(unit.partner is not None for unit in units)
    for field in ("email_to", "email_cc"):
        for entry in email_split_and_format_normalize(mail[field] or ""):
            for address in extract_rfc2822_addresses(entry)[-1:]:
                if report := reports.pop(address, None):
                    part = parts[report.fate(address)]
                    _explain(part, report, [address], email_normalize(address))
                    getattr(part, field).append(entry)
                elif is_own:  # Odoo itself left it out
                    part = parts[_INVALID]
                    part.reason = part.reason or mail.env["ir.mail_server"].NO_VALID_RECIPIENT
                    part.failure_type = part.failure_type or "mail_email_invalid"
                    getattr(part, field).append(entry)
    _add_others(parts, mail, reports)


def _add_others(parts, mail, reports):
    """The addresses of e-mails that other addons added. They add them again at the mail's next try:
    those that wait wait with the mail, and the others are left out then.

    :param dict reports: what became of each address
    """
    waiting = parts[Fate.DEFERRED]
    waits = waiting.partners or waiting.email_to or waiting.email_cc
    served = email_normalize_all(mail.system_mail_served or "")
    for address, report in reports.items():
        fate = report.fate(address)
        if fate is Fate.DEFERRED and waits:
            continue
        served.append(address)
        if fate is not Fate.ACCEPTED:
            _explain(parts[fate], report, [address], email_normalize(address))
            parts[fate].email_to.append(address)
    for part in parts.values():
        part.served = served


def _explain(part, report, addresses, recipient):
    """Why: in the words of the first failure, and Odoo's type of it."""
    troubles = next(filter(None, (report.troubles.get(a) for a in addresses)), None)
    if troubles and not troubles[-1].retry_at:
        part.retry_at = None  # who can go out sooner does not wait for the turn of another
    if part.fate is Fate.ACCEPTED or not troubles:
        return
    reason = part.reasons[recipient] = explain(troubles)
    if part.reason:
        return
    part.reason = reason
    part.retry_at = troubles[-1].retry_at
    if part.fate is Fate.HELD:
        part.failure_type = "system_mail_held"
    elif troubles[-1].decision.rule == "spam":
        part.failure_type = "mail_spam"
    else:
        mailbox_fault = troubles[-1].decision.effect.state is not None
        part.failure_type = "mail_smtp" if mailbox_fault else "unknown"


def tales_of(run, units):
    """What the chatter tells of recipients whom their mailbox did not simply reach: System Mail's
    address where that carried the message, and why.

    :return: ``{partner or address: (sent_from, Why)}``, and what all others tell
    """
    tales = {}
    recipients = set()
    for unit in units:
        recipients.add(unit.partner)
        for address, troubles in unit.report.troubles.items() if unit.report else ():
            carried = run.carried(unit.report, address)
            recipient = unit.partner or email_normalize(address)
            if carried or recipient not in tales:
                sent_from = carried and run.policy.address
                tales[recipient] = (sent_from, run.why(troubles, unit.report.fate(address)))
    if recipients == tales.keys() and len(set(tales.values())) == 1:
        return {}, tales.popitem()[1]  # nobody need be told apart
    return tales, (False, Why())
