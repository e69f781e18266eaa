from odoo import api, fields, models
from odoo.tools.translate import LazyTranslate

from ...connect.domain import PATIENCE, Status, check

_lt = LazyTranslate(__name__)

STATUSES = [status.value for status in Status]
"""From the best to the worst."""
UNANSWERED = _lt("Not checked: the DNS did not answer.")
TEXTS = {
    ("provider", "own_host"): _lt(
        "%(domain)s belongs to %(service)s, which looks after it: there is nothing to add."
    ),
    ("provider", "foreign_host"): _lt(
        "Addresses of %(domain)s belong to %(service)s: others are likely to reject what %(host)s "
        "sends for them. Connect it by the server of %(service)s."
    ),
    ("mx", "receives"): _lt("Replies and bounces arrive: %(hosts)s receives the domain's mail."),
    ("mx", "implicit"): _lt(
        "The domain names no host that receives its mail (MX): replies and bounces may get lost. "
        "Add the MX record that your mail provider gives you."
    ),
    ("mx", "none"): _lt(
        "The domain receives no mail (no MX record): replies and bounces get lost, and some "
        "servers reject what it sends. Add the MX record that your mail provider gives you."
    ),
    ("mx", "null"): _lt(
        "The domain says that it takes no mail (null MX): replies and bounces get lost, and some "
        "servers reject what it sends. Put the MX record of your mail provider in its place."
    ),
    ("spf", "allowed"): _lt("%(service)s is allowed to send for the domain."),
    ("spf", "open"): _lt(
        "Everybody is allowed to send for the domain, spammers too. End the record by “~all” in "
        "place of what lets everybody in (“+all”)."
    ),
    ("spf", "none"): _lt(
        "The domain does not say who may send for it: its mail is more easily taken for spam. Add "
        "an SPF record."
    ),
    ("spf", "not_named"): _lt(
        "%(service)s may not be allowed to send for the domain: its mail is more easily taken for "
        "spam. Put this in place of the SPF record."
    ),
    ("spf", "forbidden"): _lt(
        "The domain forbids %(service)s to send for it: others are likely to reject its mail. Put "
        "this in place of the SPF record."
    ),
    ("spf", "other_host"): _lt(
        "%(host)s may not be allowed to send for the domain: its own addresses are not in the SPF "
        "record. If mail leaves from it, put this in place of the record; if it hands mail "
        "on, ask whoever runs it for the right entry."
    ),
    ("spf", "several"): _lt(
        "The domain has %(subject)s SPF records: others then heed none of them. Make them one."
    ),
    ("spf", "syntax"): _lt(
        "Others cannot read the SPF record: “%(subject)s” is wrong. Correct it."
    ),
    ("spf", "lookups"): _lt(
        "The SPF record takes more than 10 look-ups in the DNS: others give it up. Remove what no "
        "longer sends for the domain."
    ),
    ("spf", "void"): _lt(
        "The SPF record names hosts that do not exist: others give it up. Remove them."
    ),
    ("spf", "included"): _lt(
        "The SPF record includes that of %(subject)s, which has none: others give it up. Correct "
        "or remove it."
    ),
    ("spf", "macros"): _lt("Not checked: the SPF record depends on each message (macros)."),
    ("spf", "no_address"): _lt(
        "Not checked: the address from which others see %(host)s is not known here."
    ),
    ("dkim", "found"): _lt(
        "%(service)s can sign the domain's mail: its key “%(selector)s” is there."
    ),
    ("dkim", "none"): _lt(
        "No key of %(service)s is at the usual place: mail that is not signed is more easily taken "
        "for spam. Switch DKIM on at %(service)s, and add the record that it shows you."
    ),
    ("dkim", "withdrawn"): _lt(
        "The key “%(selector)s” of %(service)s was withdrawn: what it signs counts as forged. "
        "Switch DKIM on at %(service)s, and put the record that it shows you in its place."
    ),
    ("dkim", "no_selector"): _lt(
        "Not checked: the name of %(service)s's key is not known here. Ask whoever runs it whether "
        "the domain's mail is signed."
    ),
    ("dmarc", "policy_none"): _lt(
        "There is a policy (at %(at)s): it only asks for reports on mail that others send in the "
        "domain's name."
    ),
    ("dmarc", "policy_quarantine"): _lt(
        "There is a policy (at %(at)s): mail that others send in the domain's name goes to spam."
    ),
    ("dmarc", "policy_reject"): _lt(
        "There is a policy (at %(at)s): mail that others send in the domain's name is rejected."
    ),
    ("dmarc", "strict_quarantine"): _lt(
        "The policy (at %(at)s) sends to spam what neither SPF nor DKIM proves, and neither seems "
        "to prove the mail of %(host)s. Put one of them right."
    ),
    ("dmarc", "strict_reject"): _lt(
        "The policy (at %(at)s) has everything rejected that neither SPF nor DKIM proves, and "
        "neither seems to prove the mail of %(host)s. Put one of them right."
    ),
    ("dmarc", "none"): _lt(
        "The domain does not say what others should do with mail that is not its own; large "
        "providers ask for that. Add this record: it only asks for reports."
    ),
    ("dmarc", "several"): _lt(
        "The domain has %(count)s DMARC records: others then heed none of them. Remove all but one."
    ),
    ("dmarc", "invalid"): _lt(
        "Others cannot read the DMARC record: its policy is neither p=none, p=quarantine nor "
        "p=reject. Correct it."
    ),
}
"""The sentence for each finding, by its kind and key."""


class SystemMailDomainFinding(models.Model):
    """One result of the domain check of a company's System Mail: of its MX, SPF, DKIM or DMARC
    records, or of its provider.
    """

    _name = "system.mail.domain.finding"
    _description = "Sending Domain"
    _order = "id"
    _rec_name = "kind"

    company_id = fields.Many2one(
        "res.company", required=True, readonly=True, ondelete="cascade", index=True
    )
    backup_id = fields.Many2one(
        "system.mail.backup",
        readonly=True,
        ondelete="cascade",
        index="btree_not_null",
        help="The further mailbox that it is about; empty: the first one.",
    )
    kind = fields.Selection(
        [
            ("provider", "Provider"),
            ("mx", "Receiving (MX)"),
            ("spf", "Right to send (SPF)"),
            ("dkim", "Signature (DKIM)"),
            ("dmarc", "Policy (DMARC)"),
        ],
        required=True,
        readonly=True,
    )
    status = fields.Selection("statuses", required=True, readonly=True)
    known_status = fields.Char(readonly=True, help="The last one that the DNS had an answer for.")
    key = fields.Char(readonly=True)
    facts = fields.Json(readonly=True)
    domain = fields.Char(readonly=True)
    smtp_host = fields.Char(readonly=True)
    text = fields.Char(compute="_compute_text", help="What was found, and what to do.")
    record_name = fields.Char(readonly=True)
    record_type = fields.Char(readonly=True)
    record_value = fields.Char(readonly=True, help="Empty: only the provider knows it.")
    checked_at = fields.Datetime("Checked", readonly=True)

    _mailbox_kind_uniq = models.UniqueIndex(
        "(company_id, COALESCE(backup_id, 0), kind)", "One finding of each kind."
    )

    @api.model
    @api.private
    def statuses(self):
        """The statuses with their labels, for a selection field."""
        return [
            ("good", self.env._("In order")),
            ("unknown", self.env._("Not checked")),
            ("warning", self.env._("To improve")),
            ("bad", self.env._("Wrong")),
        ]

    @api.depends("kind", "key", "facts", "domain", "smtp_host")
    @api.depends_context("lang")
    def _compute_text(self):
        for finding in self:
            facts = {"domain": finding.domain, "host": finding.smtp_host, **(finding.facts or {})}
            text = self.env._(TEXTS.get((finding.kind, finding.key), UNANSWERED))
            finding.text = text % facts

    @api.model
    @api.private
    def worst(self, statuses):
        """The worst of these statuses; False where there is none."""
        return max(statuses, key=STATUSES.index, default=False)

    @api.model
    @api.private
    def look(self, address, smtp_host, seconds=PATIENCE):
        """Check a domain in the DNS. Stores nothing.

        :param str address: the address that mail is sent from
        :param str smtp_host: the server that it is sent by
        :param float seconds: the longest that it may take
        :return: values for new findings, without their company
        :rtype: list[dict]
        """
        domain, host = address.rpartition("@")[2], smtp_host or ""
        services = self.env["system.mail.oauth.provider"].sudo().all_services()
        return [
            {
                "kind": finding.kind,
                "status": finding.status.value,
                "key": finding.key,
                "facts": finding.facts,
                "domain": domain,
                "smtp_host": host,
                "record_name": finding.record and finding.record.name,
                "record_type": finding.record and finding.record.type,
                "record_value": finding.record and finding.record.value,
                "checked_at": fields.Datetime.now(),
                **({"known_status": finding.status.value} if finding.status.is_known else {}),
            }
            for finding in check(domain, host, services, seconds=seconds)
        ]

    def _check(self, holder, address, server):
        """Check the domain of one mailbox of System Mail, and store the findings.

        :param dict holder: the values that say which mailbox these findings are of
        :return: the findings that are worse than when the DNS last answered
        """
        return self._update(holder, self.look(address or "", server.smtp_host))

    def _update(self, holder, found):
        """Replace the findings of a mailbox by those of a new check.

        :param dict holder: the values that say which mailbox the findings are of
        :param list found: what ``look`` returned
        :return: the findings that are worse than when the DNS last answered
        """
        old, worse = {finding.kind: finding for finding in self}, self.browse()
        for values in found:
            finding = old.pop(values["kind"], None)
            if not finding:
                self.create(values | holder)
                continue
            before = finding.known_status or values["status"]
            if STATUSES.index(values.get("known_status", before)) > STATUSES.index(before):
                worse |= finding
            finding.write(values)
        self.browse().concat(*old.values()).unlink()
        return worse

    def _tell_worse(self):
        """Tell the Super Users in Discuss that these findings became worse."""
        for domain, findings in self.grouped("domain").items():
            self.env["system.mail.alert"].tell_super_users(
                self.env._(
                    "The DNS of %(domain)s, from which System Mail of %(company)s sends, changed "
                    "for the worse. %(findings)s System Mail goes on sending. What to add is in "
                    "Settings ▸ System Mail ▸ Sending Domain.",
                    domain=domain,
                    company=self.company_id.name,
                    findings=" ".join(f"{each._label()}: {each.text}" for each in findings),
                )
            )

    def _label(self, name="kind"):
        """The label on screen of a selection field's value."""
        return dict(self._fields[name]._description_selection(self.env))[self[name]]

    @api.private
    def as_text(self):
        """The finding as text: one line, and a second one with the DNS record to add, if any."""
        line = f"{self._label()} · {self._label('status')}: {self.text}"
        if not self.record_value:
            return line
        return f"{line}\n{self.record_type} {self.record_name}: {self.record_value}"
