from odoo import api, fields, models
from odoo.fields import Domain

from ...tools.reasons import in_words, reasons


class SystemMailFailure(models.AbstractModel):
    """Why something failed: stored as the rule that applied and the server's codes, shown in words
    of the reader's language.
    """

    _name = "system.mail.failure"
    _inherit = "system.mail.unnamed"
    _description = "Failure"

    rule = fields.Selection(lambda self: reasons(self.env), "Reason without Codes", readonly=True)
    smtp_code = fields.Integer("SMTP Code", readonly=True, aggregator=None)
    enhanced_code = fields.Char(readonly=True)
    reason = fields.Char(
        compute="_compute_reason",
        search="_search_reason",
        help="Why, in plain words.",
    )

    @api.depends("rule", "smtp_code", "enhanced_code")
    @api.depends_context("lang")
    def _compute_reason(self):
        for record in self:
            codes = record.smtp_code, record.enhanced_code
            record.reason = in_words(self.env, record.rule, *codes)

    def _search_reason(self, operator, value):
        if operator not in ("in", "ilike"):
            return NotImplemented
        texts = value if operator == "in" else [value]
        return Domain.OR(self._reason_says(text) for text in texts)

    @api.model
    def _reason_says(self, text):
        """The domain of records whose reason has these words in the reader's language, or a code.

        :param text: a part of a reason, a reason with any codes, a code; or False: no reason
        """
        if not text:
            return Domain("rule", "=", False)
        wanted = text.strip().casefold()
        shown = [(rule, words.casefold()) for rule, words in reasons(self.env)]
        rules = [rule for rule, words in shown if wanted in words or words in wanted]
        says = Domain("rule", "in", rules) | Domain("enhanced_code", "=", wanted)
        if wanted.isdecimal() and len(wanted) == 3:  # noqa: PLR2004
            says |= Domain("smtp_code", "=", int(wanted))
        return says
