from odoo import api, models


class IrAttachment(models.Model):
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
