"""What installing and removing the addon leave behind."""


def uninstall_hook(env):
    """Remove every System Mail: left alone it would become an ordinary server that sends anybody's
    mail.
    """
    env["res.company"].sudo().search([])._system_mail_forget()
