"""What installing and removing the addon leave behind."""

from .models.ir_mail_server import OAUTH
from .models.system_mail_monitoring import TOKEN_PARAMETER


def uninstall_hook(env):
    """Remove every System Mail: left alone it would become an ordinary server that sends anybody's
    mail. People's mailboxes go on where Odoo alone can log in to them; others are archived.
    """
    env["res.company"].sudo().search([])._system_mail_forget()
    env["ir.config_parameter"].sudo().set_param(TOKEN_PARAMETER, False)
    servers = env["ir.mail_server"].sudo().with_context(active_test=False)
    for server in servers.search([("system_mail_password", "!=", False)]):
        server.write(
            {
                "smtp_pass": server.system_mail_password,
                "smtp_user": server.system_mail_login or server.smtp_user,
            }
        )
    servers.search([("smtp_authentication", "=", OAUTH)]).active = False
