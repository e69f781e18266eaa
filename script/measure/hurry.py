"""Less patience than in production, so that a run sees many failures in a few minutes."""

from odoo.addons.base.models import ir_mail_server
from odoo.addons.system_mail.failover import breaker
from odoo.addons.system_mail.models.mail import mail_mail_reply
from odoo.addons.system_mail.sending import queue_run

TIMEOUT = 0.4
"""Seconds, in place of Odoo's 60: a silent server costs this, and ten times this after the dot."""
HURRY = {
    (ir_mail_server, "SMTP_TIMEOUT"): TIMEOUT,
    (queue_run, "TURN"): 3.0,
    (queue_run, "WINDOW"): 2.0,
    (queue_run, "LAST_TURN"): 4.0,
    (queue_run, "AFTER_DOT"): 1.0,
    (mail_mail_reply, "STORING"): 14,
}
"""Odoo's and our patience, in seconds: the storm changes faster than the weather outside."""
HURRY_OF_HOSTS = {
    (ir_mail_server, "SMTP_TIMEOUT"): 1.0,
    (mail_mail_reply, "STORING"): 14,
    (breaker, "LEASE"): 15,
}
"""Likewise, where hosts fail rather than mail servers."""


def hurry(patience=HURRY):
    """Be less patient than in production, in this process."""
    for (module, name), seconds in patience.items():
        setattr(module, name, seconds)
