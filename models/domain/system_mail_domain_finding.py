from odoo import api, fields, models
from odoo.tools.translate import LazyTranslate

from ...connect.domain import PATIENCE, Status, check

_lt = LazyTranslate(__name__)

STATUSES = [status.value for status in Status]
"""From the best to the worst."""
UNANSWERED = _lt("The DNS did not answer.")
TEXTS = {
    ("provider", "own_host"): _lt(
        "%(domain)s belongs to %(service)s, which looks after it. You have nothing to do."
    ),
    ("provider", "foreign_host"): _lt(
        "Addresses of %(domain)s belong to %(service)s. Other servers are likely to reject what "
        "%(host)s sends for them. Connect the address with the server of %(service)s."
    ),
    ("mx", "receives"): _lt("Replies and bounces arrive, at %(hosts)s."),
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
        "The SPF record allows everybody to send for the domain, spammers too. Replace what "
        "allows everybody (“+all”) with “~all”, at the end."
    ),
    ("spf", "none"): _lt(
        "The domain doesn't say who may send for it, so its mail is more easily taken for spam. "
        "Add an SPF record."
    ),
    ("spf", "not_named"): _lt(
        "%(service)s may not be allowed to send for the domain, so its mail is more easily taken "
        "for spam. Replace the SPF record with this."
    ),
    ("spf", "forbidden"): _lt(
        "The domain forbids %(service)s to send for it, so other servers are likely to reject its "
        "mail. Replace the SPF record with this."
    ),
    ("spf", "other_host"): _lt(
        "%(host)s may not be allowed to send for the domain: its own addresses are not in the SPF "
        "record. If it sends the mail itself, replace the record with this. If it hands mail on, "
        "ask its administrator for the right entry."
    ),
    ("spf", "several"): _lt(
        "The domain has %(subject)s SPF records, so other servers use none of them. Merge them "
        "into one."
    ),
    ("spf", "syntax"): _lt(
        "Other servers can't read the SPF record: “%(subject)s” is wrong. Correct it."
    ),
    ("spf", "lookups"): _lt(
        "The SPF record needs more than 10 DNS look-ups, so other servers don't use it. Remove "
        "what no longer sends for the domain."
    ),
    ("spf", "void"): _lt(
        "The SPF record names hosts that don't exist, so other servers don't use it. Remove them."
    ),
    ("spf", "included"): _lt(
        "The SPF record includes the record of %(subject)s, which has none. So other servers don't "
        "use it. Correct or remove this part."
    ),
    ("spf", "macros"): _lt("The SPF record depends on each message (macros)."),
    ("spf", "no_address"): _lt("Odoo doesn't know which address %(host)s sends from."),
    ("dkim", "found"): _lt(
        "%(service)s can sign the domain's mail: its key “%(selector)s” is there."
    ),
    ("dkim", "none"): _lt(
        "No key of %(service)s was found. Mail that is not signed is more easily taken for spam. "
        "Switch DKIM on at %(service)s, and add the record that it shows you."
    ),
    ("dkim", "withdrawn"): _lt(
        "The key “%(selector)s” of %(service)s was withdrawn, so what it signs counts as forged. "
        "Switch DKIM on at %(service)s, and replace the record with the one that it shows you."
    ),
    ("dkim", "no_selector"): _lt(
        "Odoo doesn't know the name of %(service)s's key. Ask the administrator of %(service)s "
        "whether the domain's mail is signed."
    ),
    ("dmarc", "policy_none"): _lt(
        "There is a policy (at %(at)s). It only asks for reports on mail that others send in the "
        "domain's name."
    ),
    ("dmarc", "policy_quarantine"): _lt(
        "There is a policy (at %(at)s). Mail that others send in the domain's name goes to spam."
    ),
    ("dmarc", "policy_reject"): _lt(
        "There is a policy (at %(at)s). Mail that others send in the domain's name is rejected."
    ),
    ("dmarc", "strict_quarantine"): _lt(
        "The policy (at %(at)s) sends mail without a valid SPF or DKIM to spam. Mail from %(host)s "
        "seems to have neither. Correct one of them."
    ),
    ("dmarc", "strict_reject"): _lt(
        "The policy (at %(at)s) has mail without a valid SPF or DKIM rejected. Mail from %(host)s "
        "seems to have neither. Correct one of them."
    ),
    ("dmarc", "none"): _lt(
        "The domain doesn't say what other servers should do with forged mail. Large providers ask "
        "for that. Add this record: it only asks for reports."
    ),
    ("dmarc", "several"): _lt(
        "The domain has %(count)s DMARC records, so other servers use none of them. Keep only one."
    ),
    ("dmarc", "invalid"): _lt(
        "Other servers can't read the DMARC record: its policy is neither p=none, p=quarantine nor "
        "p=reject. Correct it."
    ),
}
"""The sentence for each finding, by its kind and key."""


class SystemMailDomainFinding(models.Model):
    """One result of the domain check of a company's System Mail: of its MX, SPF, DKIM or DMARC
    records, or of its provider.
    """

    _name = "system.mail.domain.finding"
    _inherit = "system.mail.unnamed"
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
                    "for the worse. %(findings)s System Mail goes on sending. System Mail's "
                    "settings say under Sending Domain what to add.",
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
