from odoo import api, models
from odoo.fields import Domain

from .mail_mail_queue import UNDECIDED


class ResPartner(models.Model):
    _inherit = "res.partner"

    @api.ondelete(at_uninstall=True)  # always: any caller can say that it is an uninstallation
    def _unlink_with_undecided_mail(self):
        """Log that mail to these contacts was held or waited: nobody can decide on it any more."""
        if self.env["res.company"].system_mail_policies():
            theirs = Domain("recipient_ids", "in", self.ids) & UNDECIDED
            self.env["mail.mail"].sudo().search(theirs)._system_mail_log_decision(
                self.env._("Deleted a contact to whom mail was held or waited")
            )
