from odoo import api, fields, models
from odoo.tools.urls import urljoin

EXPLANATION = "/system_mail/static/doc/use.html#why-a-message-comes-from-another-address"


class SystemMailAnnouncement(models.AbstractModel):
    """Shows a text for colleagues, to copy and send: why a message may come from System Mail. It
    has no table: nothing of it is stored.
    """

    _name = "system.mail.announcement"
    _description = "Announcement of System Mail"

    id = fields.Id()  # the web client reads it
    text = fields.Text(readonly=True)

    @api.model
    @api.private
    def show(self, company):
        """The action that shows the text for a company."""
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Announcement for Colleagues"),
            "res_model": self._name,
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_text": self._text(company), "dialog_size": "medium"},
        }

    @api.model
    def _text(self, company):
        address = company.system_mail_address
        steward = company.system_mail_steward_id or self.env.user
        paragraphs = (
            self.env._(
                "When your mailbox fails, Odoo sends your messages to colleagues, such as mentions "
                "and assignments, from %(address)s. Nothing changes while your mailbox works. If "
                "you have not connected a mailbox in Odoo, they always come from %(address)s.",
                address=address,
            ),
            self.env._(
                "A message from %(address)s shows the name of its author. If you reply, "
                "your answer reaches the author or the discussion in Odoo, as usual.",
                address=address,
            ),
            self.env._(
                "If your own mailbox is disconnected, open My Preferences in Odoo and reconnect it."
            ),
            self.env._("More about it: %(link)s", link=urljoin(self.get_base_url(), EXPLANATION)),
            self.env._("Questions? Ask %(user)s.", user=steward.name),
        )
        return "\n\n".join(paragraphs)
