from odoo import api, models
from odoo.fields import Domain

from .mail_mail_queue import UNDECIDED

SENT = {"name", "raw", "datas", "db_datas", "mimetype", "type", "url"}
"""Fields that a mail takes from an attachment."""


class IrAttachment(models.Model):
    """Guards what is attached to mail that is held or waits. It belongs to the document, and Odoo
    lets everybody change it who may change the document. Lets nobody guess a password.
    """

    _inherit = "ir.attachment"

    @api.model
    def _search(self, domain, *args, bypass_access=False, **kwargs):
        """Check the domain with the rights of who searches: Odoo searches here as superuser, so
        that everybody could guess a mailbox's password, letter by letter, from what is found. Who
        may see an attachment remains Odoo's to say: visitors of a website have no right to any.
        """
        if not (self.env.su or bypass_access):
            # makes a query, and doesn't run it
            models.BaseModel._search(self, domain, bypass_access=True)
        return super()._search(domain, *args, bypass_access=bypass_access, **kwargs)

    def write(self, vals):
        if not self.env.su and SENT & vals.keys():
            self._system_mail_check_undecided()
        return super().write(vals)

    def unlink(self):
        """Odoo deletes attachments with their document, as superuser."""
        self._system_mail_check_undecided()
        return super().unlink()

    def _delete_and_notify(self, message=None):
        # the chatter calls it as superuser for the current user
        self.sudo(False)._system_mail_check_undecided()
        return super()._delete_and_notify(message)

    def _system_mail_check_undecided(self):
        """Check and log as for mails, where mail with these attachments is held or waits.

        :raises AccessError: the current user may not decide on it
        """
        companies, servers = self.env["res.company"], self.env["ir.mail_server"]
        if servers.system_mail_run() or not companies.system_mail_policies():
            return  # no query: Odoo deletes attachments of healthy mail too
        mails_sudo = self.env["mail.mail"].sudo()
        undecided_sudo = mails_sudo.search(Domain("attachment_ids", "in", self.ids) & UNDECIDED)
        undecided_sudo.with_env(self.env)._system_mail_check_undecided()
