"""Odoo's mail queue: whose mail is next, how long that may take, and what killed its worker."""

from . import ir_cron, mail_mail, system_mail_queue_run
