from odoo import models

from ...tools.changes import changes_since, snapshot

SETTINGS = (
    "active",
    "owner_user_id",
    "from_filter",
    "smtp_host",
    "smtp_port",
    "smtp_encryption",
    "smtp_authentication",
    "smtp_user",
    "system_mail_login",
    "system_mail_provider_id",
    "system_mail_https",
)
SECRETS = ("smtp_pass", "system_mail_password")


class IrMailServer(models.Model):
    """Who connected, changed or disconnected a mailbox, as events that nobody can erase: of System
    Mail and of personal mailboxes, while there is any System Mail. Never what a secret is.
    """

    _inherit = "ir.mail_server"

    def _system_mail_log_connected(self):
        for server in self._system_mail_audited().filtered("active"):  # or it is not used yet
            server._system_mail_log(self.env._("Mailbox connected"))

    def _system_mail_log_removed(self):
        for server in self._system_mail_audited():
            server._system_mail_log(self.env._("Mailbox disconnected by hand"))

    def _system_mail_audit_snapshot(self, vals):
        """What the fields to be written say before they are."""
        names = [name for name in SETTINGS + SECRETS if name in vals]
        audited = self._system_mail_audited() if names else self.browse()
        return snapshot(audited.sudo(), names)

    def _system_mail_log_changes(self, before):
        for server_sudo, changes in changes_since(before, SECRETS):
            if changes.keys() >= set(SECRETS):  # one of them takes the other's place
                changes.pop("smtp_pass")
            if not before[server_sudo].get("system_mail_login") and (
                server_sudo.system_mail_login == server_sudo.smtp_user
            ):
                changes.pop("system_mail_login", None)  # it is written down, and is the same
            if not changes:
                continue
            server_sudo.with_env(self.env)._system_mail_log("; ".join(changes.values()))

    def _system_mail_audited(self):
        # also one that is archived at the moment: it is not in use, but it is there
        reserved = self.env["res.company"].system_mail_server_ids()
        if not reserved:
            return self.browse()
        return self.filtered(lambda server: server.owner_user_id or server.id in reserved)

    def _system_mail_log(self, what):
        self.ensure_one()
        server_sudo = self.sudo()
        self.env["system.mail.event"].note_change(
            what,
            self.system_mail_company(),
            server_id=self.id,
            server_name=server_sudo.from_filter or server_sudo.name,
        )
