"""Accessors for what Odoo 20 moves or renames: to support it, change only this file.

``SUPERUSER_ID`` needs none: import it from ``odoo.api``, where both versions have it.
"""


def parameter(env, key):
    """The value of a system parameter, read with all rights; "" if it is not set.

    :rtype: str
    """
    return env["ir.config_parameter"].sudo().get_param(key) or ""


def set_parameter(env, key, value):
    """Write a system parameter with all rights; False deletes it."""
    env["ir.config_parameter"].sudo().set_param(key, value)


def clear_caches(env, *names):
    """Clear caches of ``ormcache``, in all workers.

    :param names: of Odoo's caches; the default one if none is given
    """
    env.registry.clear_cache(*names)


def with_max_email_size(megabytes):
    """The values that limit the e-mails of a mailbox: Odoo sends larger attachments as links.

    :param float megabytes: 0 for Odoo's own limit
    """
    return {"max_email_size": megabytes}


def max_email_size(server):
    """The largest e-mail that a mailbox may send, in MB; 0 if it is not set."""
    return server.max_email_size
