from odoo import api, models

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
)
SECRETS = ("smtp_pass", "system_mail_password")


class IrMailServer(models.Model):
    """Who connected, changed or disconnected a mailbox, as events that nobody can erase. Of System
    Mail and of personal mailboxes, while there is any System Mail; never what a secret is.
    """

    _inherit = "ir.mail_server"

    @api.model_create_multi
    def create(self, vals_list):
        servers = super().create(vals_list)
        for server in servers._system_mail_audited():
            server._system_mail_log(self.env._("Mailbox connected"))
        return servers

    def write(self, vals):
        names = [name for name in SETTINGS + SECRETS if name in vals]
        audited = self._system_mail_audited() if names else self.browse()
        before = {server: server._system_mail_values(names) for server in audited}
        result = super().write(vals)
        for server, old in before.items():
            new = server._system_mail_values(names)
            changes = [
                self.env._("%(setting)s changed", setting=label)
                if name in SECRETS
                else f"{label}: {old[name][1] or '-'} → {value or '-'}"
                for name, (label, value) in new.items()
                if value != old[name][1]
            ]
            if changes:
                server._system_mail_log("; ".join(changes))
        return result

    def unlink(self):
        for server in self._system_mail_audited():
            server._system_mail_log(self.env._("Mailbox disconnected by hand"))
        return super().unlink()

    def _system_mail_audited(self):
        # also one that is archived at the moment: it is not in use, but it is there
        reserved = self.env["res.company"]._system_mail_server_ids()
        if not reserved:
            return self.browse()
        return self.filtered(lambda server: server.owner_user_id or server.id in reserved)

    def _system_mail_values(self, names):
        """``{name: (label, value as people read it)}``"""
        self.ensure_one()
        server_sudo = self.sudo()
        values = {}
        for name in names:
            field = self._fields[name]
            value = server_sudo[name]
            if field.type == "many2one":
                value = value.display_name
            elif field.type == "selection":
                value = dict(field._description_selection(self.env)).get(value)
            values[name] = field._description_string(self.env), value
        return values

    def _system_mail_log(self, what):
        self.ensure_one()
        server_sudo = self.sudo()
        self.env["system.mail.event"]._note_change(
            what,
            self._system_mail_company(),
            server_id=self.id,
            server_name=server_sudo.from_filter or server_sudo.name,
        )
