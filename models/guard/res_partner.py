from odoo import api, models

from ...sending.fire_drill import FireDrill


class ResPartner(models.Model):
    _inherit = "res.partner"

    @api.constrains("email")
    def _check_system_mail_address(self):
        for partner in self.filtered("user_ids"):
            self.env["res.company"].check_system_mail_not_taken([partner.email], partner.name)

    def _notify_get_recipients(self, message, msg_vals=False, **kwargs):
        recipients = super()._notify_get_recipients(message, msg_vals, **kwargs)
        if FireDrill.of(self.env):
            for recipient in recipients:  # by e-mail, even to users who read theirs in Odoo
                recipient["notif"] = "email"
        return recipients

    def write(self, vals):
        # A user's e-mail address is the partner's. A new one could receive the password reset link.
        if "email" in vals and self.env["res.groups"]._system_mail_is_outsider():
            changed = self.sudo().filtered(lambda p: (p.email or "") != (vals["email"] or ""))
            changed.system_mail_users().system_mail_protect()
        return super().write(vals)

    @api.private
    def system_mail_users(self):
        """The users of these contacts, archived ones included."""
        return self.with_context(active_test=False).user_ids

    def _generate_signup_token(self, *args, **kwargs):
        """Give an outsider no sign-up token of a Super User, who could be impersonated with it: the
        link then leads to the log-in page. Extends the module auth_signup.
        """
        if self.env["res.groups"]._system_mail_is_outsider():
            users = self.sudo().system_mail_users()
            if users and users._system_mail_super_users():
                return None
        return super()._generate_signup_token(*args, **kwargs)
