"""What happens when the addon is uninstalled."""

from .constants import PARAMETERS


def uninstall_hook(env):
    """Remove each System Mail, which would become an ordinary server that sends anybody's mail, and
    all settings. People's mailboxes stay if Odoo without this addon can log in to them.
    """
    archived_too = env(su=True, context={**env.context, "active_test": False})
    archived_too["res.company"].search([]).system_mail_forget()
    archived_too["ir.mail_server"].system_mail_release()
    archived_too["ir.config_parameter"].search([("key", "=like", f"{PARAMETERS}%")]).unlink()
    archived_too["ir.filters"].search([("model_id", "=like", "system.mail.%")]).unlink()
