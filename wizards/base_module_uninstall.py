from odoo import api, fields, models

from ..constants import GROUP, HELD, WAITING

NAMED = 20
"""The most mailboxes whose addresses are listed."""


class BaseModuleUninstall(models.TransientModel):
    """Says, before this module is uninstalled, what happens to mailboxes and messages."""

    _inherit = "base.module.uninstall"

    system_mail_consequences = fields.Text(
        "What Becomes of Mailboxes and Messages",
        compute="_compute_system_mail_consequences",
        groups=GROUP,
    )

    @api.depends("module_ids")
    def _compute_system_mail_consequences(self):
        for wizard in self:
            goes = "system_mail" in wizard._get_modules().mapped("name")
            wizard.system_mail_consequences = goes and "\n".join(wizard._system_mail_sentences())

    def _system_mail_sentences(self):
        """Each consequence of uninstalling this module, as a sentence."""
        policies = self.env["res.company"].system_mail_policies().values()
        if policies:
            yield self.env._(
                "System Mail ends at %(companies)s. When a person's mailbox fails, their "
                "messages to colleagues then fail, too.",
                companies=", ".join(
                    f"{p.company_name} ({', '.join(m.address for m in p.mailboxes)})"
                    for p in policies
                ),
            )
        going_on, others = self.env["ir.mail_server"].system_mail_dependents()
        if others:
            yield self.env._(
                "Mailboxes that sign in through System Mail and will be removed: %(count)s "
                "(%(addresses)s). Odoo's own server then sends their mail.",
                count=len(others),
                addresses=self._system_mail_addresses(others),
            )
        if going_on:
            yield self.env._(
                "Mailboxes that go on: %(count)s (%(addresses)s). Their passwords are then kept as "
                "Odoo keeps them, not encrypted.",
                count=len(going_on),
                addresses=self._system_mail_addresses(going_on),
            )
        yield from self._system_mail_sentences_on_messages()

    def _system_mail_sentences_on_messages(self):
        notifications_sudo = self.env["mail.notification"].sudo()
        if count := notifications_sudo.search_count([("failure_type", "=", WAITING)]):
            yield self.env._(
                "Notifications that wait: %(count)s. They stay in the queue, and Odoo sends them.",
                count=count,
            )
        if count := notifications_sudo.search_count([("failure_type", "=", HELD)]):
            yield self.env._(
                "Notifications that may have been delivered: %(count)s. They stay as failed, to be "
                "sent again or ignored.",
                count=count,
            )

    def _system_mail_addresses(self, servers):
        """The addresses of mailboxes as a list in one line, shortened if there are many."""
        names = [server.from_filter or server.name for server in servers[:NAMED]]
        return ", ".join([*names, "…"] if len(servers) > NAMED else names)
