"""What Odoo 20 moves or renames, one accessor each: for the port, change this file.

``SUPERUSER_ID`` needs none: import it from ``odoo.api``, where both versions have it.
"""


def parameter(env, key):
    """The value of a system parameter, read with all rights; "" where it is not set.

    :rtype: str
    """
    return env["ir.config_parameter"].sudo().get_param(key) or ""


def set_parameter(env, key, value):
    """Write a system parameter with all rights; False removes it."""
    env["ir.config_parameter"].sudo().set_param(key, value)


def clear_caches(env, *names):
    """Forget what ``ormcache`` keeps, in every worker.

    :param names: of Odoo's caches; without any, the default one
    """
    env.registry.clear_cache(*names)


def max_email_size(server):
    """The largest e-mail that a mailbox takes, in MB; 0 where nobody set it."""
    return server.max_email_size
