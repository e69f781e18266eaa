"""Splits the recipients of a mail by their fate."""

import dataclasses
import typing

from odoo.tools import email_normalize
from odoo.tools.mail import email_normalize_all, email_split_and_format_normalize

from odoo.addons.base.models.ir_mail_server import extract_rfc2822_addresses

from ..failover.policy import Fate
from ..failover.session import Report, explain
from .ledger import Why

_OF_PARTNER = (Fate.ACCEPTED, Fate.AWAITED, Fate.HELD, Fate.DEFERRED, Fate.FAILED)
"""The fate of a partner with several addresses is the first of these that one address has."""
_INVALID = "invalid"
"""Failed as well, but no server refused it: it was not tried, or has no valid address."""
_MOST_TO_COME = (Fate.DEFERRED, Fate.AWAITED, Fate.HELD, Fate.FAILED, _INVALID, Fate.ACCEPTED)


@dataclasses.dataclass
class Part:
    """The recipients of a mail that share one fate."""

    fate: Fate
    mail: typing.Any
    partners: typing.Any
    by_address: typing.Any
    """Partners of whom only some addresses are in this part, but whose notification shows its
    fate."""
    email_to: list = dataclasses.field(default_factory=list)
    email_cc: list = dataclasses.field(default_factory=list)
    reason: str = ""
    """The first reason; ``reasons`` has the reason for each partner or address."""
    reasons: dict = dataclasses.field(default_factory=dict)
    failure_type: str | None = None
    retry_at: typing.Any = None
    report: Report | None = None
    """Whose reply is awaited."""
    served: list = dataclasses.field(default_factory=list)
    """Addresses that need no further e-mail of another addon."""

    def concerns(self, notification):
        """Whether the notification belongs to a recipient of this part."""
        if notification.res_partner_id:
            return notification.res_partner_id in self.partners | self.by_address
        entries = ", ".join((*self.email_to, *self.email_cc))
        return notification.mail_email_address in email_normalize_all(entries)

    def values(self):
        """The recipients, as values of ``mail.mail``."""
        return {
            "recipient_ids": [(6, 0, self.partners.ids)],
            "email_to": ", ".join(self.email_to) or False,
            "email_cc": ", ".join(self.email_cc) or False,
            "system_mail_served": ", ".join(self.served) or False,
        }


def parts_of(mail, units, failure_type, failure_reason):
    """Split the recipients of a mail by fate, in the order of _MOST_TO_COME.

    :param units: its e-mails, as ``Ledger.settle`` returns them
    :param failure_type: of the recipients that were not tried, or have no valid address
    :param failure_reason: of the same
    :return: at least one part
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
    """Add a partner, who may have several addresses with different fates.

    1. The partner joins the part of one fate: the first of _OF_PARTNER that an address has.
    2. Addresses with another fate are kept as plain addresses, each in the part of its fate.
    3. If the partner waits, refused addresses are not kept: the next try goes to all addresses of
       the partner.
    4. If some addresses wait and others are held, or their reply is awaited, the partner joins no
       part: the next try must not go to these. All addresses are kept as plain addresses, and the
       partner's notification shows that the message is held, or awaited.
    """
    by_fate = {}
    for address in unit.report.recipients:
        by_fate.setdefault(unit.report.fate(address), []).append(address)
    main = min(by_fate, key=_OF_PARTNER.index)
    kept_as_plain_addresses = {fate for fate in by_fate if fate not in (main, Fate.ACCEPTED)}
    if main in (Fate.AWAITED, Fate.HELD) and Fate.DEFERRED in by_fate:
        parts[main].by_address |= unit.partner
        kept_as_plain_addresses.add(main)
    else:
        parts[main].partners |= unit.partner
    if main is Fate.DEFERRED:
        kept_as_plain_addresses.discard(Fate.FAILED)
    for fate, addresses in by_fate.items():
        if fate is main or fate in kept_as_plain_addresses:
            _explain(parts[fate], unit.report, addresses, unit.partner)
        if fate in kept_as_plain_addresses:
            parts[fate].email_to += addresses


def _add_addresses(parts, mail, units):
    """Add the mail's own plain addresses, then those of e-mails that other addons added. An address
    is the mail's own if it is in its ``email_to`` or ``email_cc``.
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
                elif is_own:  # core left it out
                    part = parts[_INVALID]
                    part.reason = part.reason or mail.env["ir.mail_server"].NO_VALID_RECIPIENT
                    part.failure_type = part.failure_type or "mail_email_invalid"
                    getattr(part, field).append(entry)
    _add_others(parts, mail, reports)


def _add_others(parts, mail, reports):
    """Add the addresses of e-mails that other addons added.

    The addons add their e-mails again at the mail's next try. Addresses that wait then wait with
    the mail. All others are stored as ``served``, and are left out at the next try.

    :param dict reports: ``{address: Report}``
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
    """Set the reason, Odoo's failure type and the time of the next try.

    :param addresses: of the recipient; the first one with troubles gives the reason
    :param recipient: the partner or address that gets the reason
    """
    troubles = next(filter(None, (report.troubles.get(a) for a in addresses)), None)
    if troubles and not troubles[-1].retry_at:
        part.retry_at = None  # a recipient that could go sooner must not wait for one over a limit
    if part.fate is Fate.AWAITED:
        part.report = report
    if part.fate in (Fate.ACCEPTED, Fate.AWAITED) or not troubles:
        return
    reason = part.reasons[recipient] = explain(troubles)
    if part.reason:
        if part.retry_at and troubles[-1].retry_at:
            part.retry_at = min(part.retry_at, troubles[-1].retry_at)
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


def notification_values(run, units):
    """What the chatter shows of the recipients that the first mailbox did not accept: System Mail's
    address if it sent the message, and why the mailbox failed.

    :param units: as ``Ledger.settle`` returns them
    :return: ``{partner or address: (sent_from, Why)}``, and the values of all other recipients
    """
    values = {}
    recipients = set()
    for unit in units:
        recipients.add(unit.partner)
        for address, troubles in unit.report.troubles.items() if unit.report else ():
            carried = run.carried(unit.report, address)
            recipient = unit.partner or email_normalize(address)
            if carried or recipient not in values:
                values[recipient] = (carried or False, run.why(troubles, unit.report.fate(address)))
    if recipients == values.keys() and len(set(values.values())) == 1:
        return {}, values.popitem()[1]  # the same for all
    return values, (False, Why())
