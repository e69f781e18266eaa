from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ...constants import GROUP


class ResCompany(models.Model):
    """Who looks after a company's System Mail, what they have to know, and when they review it."""

    _inherit = "res.company"

    system_mail_steward_id = fields.Many2one(
        "res.users",
        groups=GROUP,
        copy=False,
        help="The Super User who looks after System Mail and gets its scheduled drills.",
    )
    system_mail_note = fields.Text(
        groups=GROUP,
        copy=False,
        help="Where its password is kept, and what to do when it fails. Only Super Users read it. "
        "Don't write the password itself here.",
    )
    system_mail_review_on = fields.Date(
        "Next Review of System Mail",
        groups=GROUP,
        copy=False,
        help="Super Users are reminded on this day.",
    )

    @api.constrains("system_mail_steward_id")
    def _check_system_mail_steward(self):
        for company in self.filtered("system_mail_steward_id"):
            steward = company.system_mail_steward_id
            if not steward.has_group(GROUP):
                raise ValidationError(
                    self.env._("%(user)s is not a Super User. Choose one.", user=steward.name)
                )
            if not steward.email_normalized:
                raise ValidationError(
                    self.env._(
                        "%(user)s has no e-mail address, and the steward gets scheduled drills by "
                        "e-mail. Enter an address for them first, or choose somebody else.",
                        user=steward.name,
                    )
                )

    def action_system_mail_announce(self):
        """Show a text that tells colleagues about System Mail."""
        self.ensure_one()
        self.check_system_mail_access()
        return self.env["system.mail.announcement"].show(self)

    @api.private
    def system_mail_drill_user(self):
        """The steward, if scheduled drills can be sent to them: an active Super User of this
        company with an e-mail address. Otherwise empty.
        """
        steward = self.sudo().system_mail_steward_id
        is_ready = (
            steward.active
            and steward.has_group(GROUP)
            and self in steward.company_ids
            and steward.email_normalized
        )
        return steward if is_ready else steward.browse()
