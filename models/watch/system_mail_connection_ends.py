import datetime

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ...constants import OAUTH
from ...providers import all_providers
from ...tools.moments import day_in_words
from ...tools.reasons import at_server

AHEAD = datetime.timedelta(days=30)
"""An end is shown so long before the day. That of passwords is shown at once."""
LATELY = datetime.timedelta(days=1)
"""A certificate that a server showed longer ago may have been renewed."""


class SystemMailConnection(models.Model):
    """What stops a mailbox on a day that is known, and the way out."""

    _inherit = "system.mail.connection"
    _depends = {
        "ir.mail_server": ["system_mail_login", "system_mail_provider_id"],
        "system.mail.oauth.provider": ["client_secret_ends_on", "certificate_ends_on"],
        "system.mail.health": ["certificate_ends_on"],
    }

    ending = fields.Selection("endings", "What Ends", readonly=True)
    ends_on = fields.Date(readonly=True)

    @api.model
    @api.private
    def endings(self):
        return [
            ("passwords", self.env._("Passwords")),
            ("client_secret", self.env._("Client secret")),
            ("certificate", self.env._("Certificate of the registration")),
            ("server_certificate", self.env._("Certificate of the mail server")),
        ]

    def _ends(self):
        """The ends of the mailboxes, as a query. What worked after its day has not ended."""
        return SQL(
            """
            SELECT server_id, ending, ends_on
              FROM (%(passwords)s
                     UNION ALL
                    SELECT s.id, 'client_secret', r.client_secret_ends_on
                      FROM %(servers)s s
                      JOIN system_mail_oauth_provider r ON r.id = s.system_mail_provider_id
                     WHERE s.smtp_authentication = %(oauth)s AND r.certificate_ends_on IS NULL
                       AND r.client_secret_ends_on <= %(soon)s
                     UNION ALL
                    SELECT s.id, 'certificate', r.certificate_ends_on
                      FROM %(servers)s s
                      JOIN system_mail_oauth_provider r ON r.id = s.system_mail_provider_id
                     WHERE s.smtp_authentication = %(oauth)s AND r.certificate_ends_on <= %(soon)s
                     UNION ALL
                    SELECT server_id, 'server_certificate', certificate_ends_on
                      FROM system_mail_health
                     WHERE certificate_ends_on <= %(soon)s AND last_success >= %(lately)s
                   ) AS known (server_id, ending, ends_on)
         LEFT JOIN system_mail_health h USING (server_id)
             WHERE COALESCE(h.last_success < ends_on + 1, TRUE)""",
            passwords=self._passwords_end(),
            servers=self._servers(),
            oauth=OAUTH,
            lately=fields.Datetime.now() - LATELY,
            soon=fields.Date.today() + AHEAD,
        )

    @api.model
    def _passwords_end(self):
        """The day on which its provider stops taking its password, for each mailbox that has one:
        a query of ids, endings and days.
        """
        queries = [
            SQL(
                """SELECT id, 'passwords', %(day)s
                     FROM %(servers)s s
                    WHERE active AND smtp_authentication = 'login' AND smtp_user <> ''
                      AND smtp_host = ANY(ARRAY(  -- many mailboxes, few hosts: OFFSET 0 keeps it so
                              SELECT host
                                FROM (SELECT smtp_host AS host FROM %(servers)s s
                                    GROUP BY smtp_host OFFSET 0) AS hosts
                               WHERE '.' || lower(host) LIKE ANY(%(hosts)s)
                                 AND '.' || lower(host) NOT LIKE ALL(%(others)s)))
                      AND lower(split_part(COALESCE(system_mail_login, smtp_user), '@', 2))
                          <> ALL(%(domains)s)""",
                servers=self._servers(),
                hosts=[f"%.{host}" for host in provider.hosts()],
                others=[f"%.{host}" for host in provider.passwords_stay_at],
                domains=[domain for server in provider.servers for domain in server.domains],
                day=provider.passwords_end,
            )
            for provider in all_providers().values()
            if provider.passwords_end
        ]
        nothing = SQL("SELECT NULL::int, NULL::varchar, NULL::date WHERE FALSE")
        return SQL(" UNION ALL ").join([nothing, *queries])

    # --- in words

    @api.private
    def end_in_words(self, ending, ends_on):
        """What ends, as the reason of a failure is told.

        :param str ending: one of ``endings``
        :param date ends_on: the day
        """
        before, after = {
            "passwords": (
                self.env._("the provider will switch off passwords"),
                self.env._("the provider has switched off passwords"),
            ),
            "client_secret": (
                self.env._("the provider's client secret will expire"),
                self.env._("the provider's client secret has expired"),
            ),
            "certificate": (
                self.env._("the certificate of the provider's registration will expire"),
                self.env._("the certificate of the provider's registration has expired"),
            ),
            "server_certificate": (
                self.env._("the mail server's certificate will expire"),
                self.env._("the mail server's certificate has expired"),
            ),
        }[ending]
        return after if ends_on < fields.Date.today() else before

    @api.private
    def way_out(self, ending):
        """What to do before the end, or after it."""
        return {
            "passwords": self.env._(
                "Connect the mailbox by signing in, or as an application. Your administrator at "
                "the provider may be able to switch passwords on again for some time."
            ),
            "client_secret": self.env._(
                "Create a new client secret at the provider. Enter it with its last day in "
                "Settings ▸ System Mail ▸ Providers."
            ),
            "certificate": self.env._(
                "Press Make a Certificate in Settings ▸ System Mail ▸ Providers, and upload it at "
                "the provider."
            ),
            "server_certificate": self.env._(
                "Ask the administrator of the mail server to renew its certificate."
            ),
        }[ending]

    @api.depends("ending", "ends_on", "failed_server", "incoming_trouble", "answer")
    def _compute_reason(self):
        super()._compute_reason()
        for connection in self.filtered("incoming_trouble"):
            connection.reason = connection._incoming_reason()
        for connection in self.filtered("failed_server"):
            connection.reason = at_server(self.env, connection.failed_server, connection.reason)
        for connection in self.filtered(lambda each: each.ending and not each.rule):
            what = self.end_in_words(connection.ending, connection.ends_on)
            day = day_in_words(self.env, connection.ends_on)
            connection.reason = f"{what} ({day})"

    @api.model
    def _reason_says(self, text):
        if not text:
            nothing = Domain("ending", "=", False) & Domain("incoming_trouble", "=", False)
            return super()._reason_says(text) & nothing
        wanted = text.strip().casefold()
        days = (datetime.date.min, datetime.date.max)  # after it, and before it
        endings = [
            ending
            for ending, _label in self.endings()
            for words in [self.end_in_words(ending, day).casefold() for day in days]
            if wanted in words or words in wanted
        ]
        ends = Domain("rule", "=", False) & Domain("ending", "in", endings)
        return super()._reason_says(text) | ends | self._incoming_says(text)
