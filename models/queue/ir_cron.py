from odoo import models

from ...tools.worker import scheduled_action


class IrCron(models.Model):
    """Notes since when a worker has been at work: Odoo kills it after a while."""

    _inherit = "ir.cron"

    @classmethod
    def _process_job(cls, cron_cr, job):
        with scheduled_action(cron_cr):
            return super()._process_job(cron_cr, job)
