"""What removing the addon leaves behind."""

from .constants import PARAMETERS


def uninstall_hook(env):
    """Remove every System Mail: left alone it would become an ordinary server that sends anybody's
    mail. People's mailboxes go on where Odoo alone can log in to them. No setting is left.
    """
    archived_too = env(su=True, context={**env.context, "active_test": False})
    archived_too["res.company"].search([]).system_mail_forget()
    archived_too["ir.mail_server"].system_mail_release()
    archived_too["ir.config_parameter"].search([("key", "=like", f"{PARAMETERS}%")]).unlink()
    archived_too["ir.filters"].search([("model_id", "=like", "system.mail.%")]).unlink()
