from odoo import api, models


class IrAttachment(models.Model):
    _inherit = "ir.attachment"

    @api.model
    def _search(self, domain, *args, bypass_access=False, **kwargs):
        """Check the domain with the rights of who searches: Odoo searches here as superuser, so
        that everybody could guess a mailbox's password, letter by letter, from what is found.
        """
        if not (self.env.su or bypass_access):
            models.BaseModel._search(self, domain)  # makes a query, and doesn't run it
        return super()._search(domain, *args, bypass_access=bypass_access, **kwargs)
