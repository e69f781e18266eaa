from odoo import models


class IrActionsActWindow(models.Model):
    _name = "ir.actions.act_window"
    _inherit = ["ir.actions.act_window", "system.mail.guarded"]


class IrActionsServer(models.Model):
    _name = "ir.actions.server"
    _inherit = ["ir.actions.server", "system.mail.guarded"]


class IrCron(models.Model):
    _name = "ir.cron"
    _inherit = ["ir.cron", "system.mail.guarded"]
