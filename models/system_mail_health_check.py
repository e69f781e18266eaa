from odoo import api, fields, models
from odoo.tools import split_every

from ..failover import breaker as circuit
from .ir_mail_server_check import CHECKS_OF_A_HOST


class SystemMailHealth(models.Model):
    _inherit = "system.mail.health"

    @api.model
    def _may_check(self):
        """Whether any mailbox may be tried unasked: not before System Mail is in use, and never in
        a copy of the database, which would log in as real people.
        """
        parameters_sudo = self.env["ir.config_parameter"].sudo()
        in_use = self.env["res.company"]._system_mail_policies()
        return bool(in_use) and not parameters_sudo.get_param("database.is_neutralized")

    @api.model
    def _cron_probe(self):
        """Try the mailboxes whose time has come: by log-in alone, never with a person's mail."""
        due = self._due_for_probe() if self._may_check() else self.browse()
        cron = self.env["ir.cron"]
        seconds = cron._commit_progress(remaining=len(due))
        for ids in split_every(CHECKS_OF_A_HOST, due.ids):
            if not seconds:
                break
            leased = self.browse(ids).exists().filtered(lambda health: health._lease_apart())
            seconds = cron._commit_progress(len(ids) - len(leased))
            for _server, _trouble in leased.server_id._system_mail_check_in_parallel():
                seconds = cron._commit_progress(1)

    @api.model
    def _due_for_probe(self):
        return self.search(
            [
                ("breaker_state", "!=", circuit.State.CLOSED.value),
                ("next_probe_at", "<=", fields.Datetime.now()),
                ("server_id.active", "=", True),
            ],
            order="next_probe_at",
        )

    def _lease_apart(self):
        """The lease on a cursor of its own: the other workers must see it while this one probes."""
        now = fields.Datetime.now()

        def lease_if_due(health):
            return circuit.allows(health._breaker(), now) == "probe" and health._lease(now)

        return self._read(self.server_id, lease_if_due, otherwise=False)
