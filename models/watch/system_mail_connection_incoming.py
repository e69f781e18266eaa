import datetime
import re
import textwrap

from odoo import api, fields, models, modules
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL

from ...failover.parallel import run_within
from ...tools.own_cursor import waiting_environment
from ...tools.rows import rows

TEST_SECONDS = 15
"""A test waits no longer for incoming mail servers."""
PATIENCE = datetime.timedelta(hours=1)
"""Odoo fetches every five minutes: what fails for so long does not mend itself."""
SHOWN = 160
"""So much of a server's answer is part of the reason."""
REJECTED = r"\[(AUTHENTICATIONFAILED|AUTHORIZATIONFAILED|EXPIRED|AUTH)\]"
"""How IMAP (RFC 5530) and POP3 (RFC 3206) say that a log-in was rejected."""


class SystemMailConnection(models.Model):
    """Incoming mail servers, by what Odoo keeps of them. One that a script feeds has no connection,
    and no row.
    """

    _inherit = "system.mail.connection"
    _depends = {
        "fetchmail.server": [
            "active",
            "date",
            "error_date",
            "error_message",
            "name",
            "server",
            "server_type",
            "state",
            "user",
        ]
    }

    incoming_id = fields.Many2one("fetchmail.server", "Incoming Mail Server", readonly=True)
    incoming_trouble = fields.Selection("incoming_troubles", readonly=True)

    @api.model
    @api.private
    def incoming_troubles(self):
        return [
            ("stopped", self.env._("Odoo stopped fetching mail, after errors")),
            ("rejected", self.env._("the mail server rejected the log-in")),
            ("failing", self.env._("Odoo can't fetch mail")),
        ]

    def _incoming(self):
        """The rows, as a query with the columns of the view. Odoo's ``date`` is the last try; it
        was a success where no error is kept. After days of errors Odoo makes the server a draft.
        """
        return SQL(
            """
            SELECT 5 * f.id + 4, 'incoming', 1000, NULL, NULL, NULL, NULL,
                   COALESCE(f.user, f.name),
                   (CASE WHEN t.trouble IN ('stopped', 'rejected') THEN 'disconnected'
                         WHEN t.trouble = 'failing' THEN 'unstable'
                         WHEN f.state = 'done' THEN 'connected'
                         ELSE 'not_connected' END)::varchar,
                   NULL, NULL, NULL, NULL, f.error_message::varchar,
                   COALESCE(t.trouble IN ('stopped', 'rejected')
                            OR f.error_date < %(patience)s, FALSE),
                   f.error_date, CASE WHEN f.error_date IS NULL THEN f.date END,
                   NULL, NULL, NULL, NULL, NULL, f.id, t.trouble::varchar
              FROM %(servers)s f
        CROSS JOIN LATERAL (
                   SELECT CASE WHEN f.error_date IS NULL THEN NULL
                               WHEN f.state = 'draft' THEN 'stopped'
                               WHEN f.error_message ~ %(rejected)s THEN 'rejected'
                               ELSE 'failing' END AS trouble) t
             WHERE f.active AND f.server_type != 'local'""",
            servers=rows(self.env["fetchmail.server"], *self._depends["fetchmail.server"]),
            patience=fields.Datetime.now() - PATIENCE,
            rejected=REJECTED,
        )

    # --- in words

    def _incoming_reason(self):
        """What is the matter, with the server's own words."""
        reason = dict(self.incoming_troubles()).get(self.incoming_trouble)
        return ": ".join(filter(None, [reason, _shown(self.answer or "")]))

    def _incoming_remedy(self):
        if self.needs_attention:
            return self.env._("Correct the settings of the incoming mail server, then test it.")
        if self.incoming_trouble:
            return self.env._("Nothing to do: it is tried again automatically.")
        if self.state == "not_connected":
            return self.env._("Test this incoming mail server. Until then, Odoo fetches nothing.")
        return False

    @api.model
    def _incoming_says(self, text):
        """The domain of incoming mail servers whose reason has these words."""
        wanted = text.strip().casefold()
        troubles = [key for key, words in self.incoming_troubles() if wanted in words.casefold()]
        says = Domain("incoming_trouble", "in", troubles)
        says |= Domain("incoming_trouble", "!=", False) & Domain("answer", "ilike", text)
        return says

    # --- test

    def action_open_incoming(self):
        """Open the incoming mail server."""
        self.ensure_one()
        return self.incoming_id.get_formview_action()

    def _incoming_result(self, problem):
        """What a failed test says."""
        return self.env._("The test failed: %(reason)s", reason=_shown(problem))

    def _test_incoming(self):
        """Log in to the incoming mail servers of these rows, all at once, as Odoo's own *Test &
        Confirm* does, but no longer than ``TEST_SECONDS``. Those that work are fetched at once.

        :return: what is the matter with each of them, None where nothing is
        :rtype: dict[int, str | None]
        """
        servers = self.incoming_id
        servers.check_access("write")
        registry = self.env.registry

        def confirm(server_id):
            with waiting_environment(registry) as env:
                return _confirm(env["fetchmail.server"].browse(server_id))

        if modules.module.current_test:  # all its cursors are one, which this thread holds
            answers = {server.id: _confirm(server.sudo()) for server in servers}
        else:
            self.env.flush_all()
            answers = run_within(confirm, servers.ids, TEST_SECONDS)
        silent = self.env._("no answer in %(seconds)s seconds", seconds=TEST_SECONDS)
        problems = {server.id: answers.get(server.id, silent) for server in servers}
        self._note_incoming(problems)
        return problems

    def _note_incoming(self, problems):
        """Keep a failed test as Odoo keeps a failed fetch, and have Odoo fetch from what works."""
        now = fields.Datetime.now()
        self.invalidate_recordset()
        for server_sudo in self.incoming_id.sudo():
            problem = problems[server_sudo.id]
            if problem and server_sudo.state == "done":
                # a server that is just fetched from is locked, and says itself how it goes
                server_sudo.try_lock_for_update(allow_referencing=True).write(
                    {"error_date": server_sudo.error_date or now, "error_message": problem}
                )
        if not all(problems.values()):
            self.env.ref("mail.ir_cron_mail_gateway_action").sudo()._trigger()


def _shown(answer):
    """A server's words, without the marks of bytes that Odoo keeps with them."""
    plain = re.sub(r"\bb(['\"])(.*)\1", r"\2", answer)
    return textwrap.shorten(plain, SHOWN, placeholder="…")


def _confirm(server_sudo):
    """Odoo's own test of an incoming mail server. What is the matter, None if nothing is."""
    try:
        server_sudo.button_confirm_login()
    except UserError as exc:
        return str(exc)
    return None
