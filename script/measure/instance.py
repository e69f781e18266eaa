"""Odoo in this process, on one database, and the people and mailboxes that its company has."""

import contextlib
import logging

from odoo import SUPERUSER_ID, api, sql_db
from odoo.modules.registry import Registry
from odoo.service.server import load_server_wide_modules
from odoo.tools import config

HERE = "127.0.0.1"


def load(config_file: str, log_file: str):
    """Load Odoo into this process, once; its log goes to the file."""
    options = ["-c", config_file, "--logfile", log_file, "--log-level", "warn"]
    config.parse_config(options, setup_logging=True)
    load_server_wide_modules()
    logging.getLogger("odoo.addons.mail.models.mail_mail").addFilter(_is_news)
    Registry(database())


def _is_news(record):
    # Odoo tells each mail that fails, with a traceback: here they are thousands.
    return not str(record.msg).startswith("failed sending mail")


def database():
    """:rtype: str"""
    return config["db_name"][0]


@contextlib.contextmanager
def environment():
    """An environment of the superuser; committed at the end."""
    with Registry(database()).cursor() as cr:
        yield api.Environment(cr, SUPERUSER_ID, {})


def rest():
    """Close all connections: no fork may inherit one."""
    sql_db.close_all()


def domain(env, name, notifications):
    """The company's alias domain, whose default sender is the address ``notifications``."""
    env["ir.config_parameter"].set_param("base_setup.default_external_email_server", True)
    record = env["mail.alias.domain"].create(
        {
            "name": name,
            "default_from": notifications.partition("@")[0],
            "company_ids": [(6, 0, env.company.ids)],
        }
    )
    env.company.alias_domain_id = record
    return record


def user(env, name, email):
    """A colleague, who is notified by e-mail."""
    return (
        env["res.users"]
        .with_context(no_reset_password=True)
        .create(
            {
                "name": name,
                "login": name,
                "email": email,
                "notification_type": "email",
                "group_ids": [(6, 0, env.ref("base.group_user").ids)],
            }
        )
    )


def server(env, mailbox, port, owner=None, host=HERE):
    """The ``ir.mail_server`` of a mailbox; personal if it has an owner."""
    return env["ir.mail_server"].create(
        {
            "name": mailbox.name,
            "smtp_host": host,
            "smtp_port": port,
            "smtp_encryption": mailbox.encryption or "none",
            "smtp_user": mailbox.address,
            "smtp_pass": mailbox.password,
            "from_filter": mailbox.address,
            "owner_user_id": owner.id if owner else False,
        }
    )


def use_system_mail(env, mailbox, port, host=HERE):
    """Make the mailbox the company's System Mail."""
    env.company.write(
        {
            "system_mail_address": mailbox.address,
            "system_mail_server_id": server(env, mailbox, port, host=host).id,
        }
    )


def add_backup(env, mailbox, port):
    """Put the mailbox behind the company's System Mail."""
    env["system.mail.backup"].create(
        {
            "company_id": env.company.id,
            "address": mailbox.address,
            "server_id": server(env, mailbox, port).id,
        }
    )
