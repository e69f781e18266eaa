"""Outages came after the health of mailboxes: those that have lasted since before get theirs."""

from odoo import SUPERUSER_ID, api


def migrate(cr, _version):
    env = api.Environment(cr, SUPERUSER_ID, {})
    outages, events = env["system.mail.outage"], env["system.mail.event"]
    for health in env["system.mail.health"].search([("state", "in", ("unstable", "disconnected"))]):
        server = health.server_id
        if outages._current(server):
            continue
        outages.note_failure(health)
        outages._current(server).started_at = health.since
        env.flush_all()
        outages._count_in(
            events.search([("server_id", "=", server.id), ("create_date", ">=", health.since)])
        )
