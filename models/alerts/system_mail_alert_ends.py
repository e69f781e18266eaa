from markupsafe import Markup

from odoo import fields, models

from ...tools.moments import day_in_words

NOTICES = (1, 7, 30)
"""So many days before an end Super Users are told of it, each time once."""
PROVIDERS = "/odoo/system-mail-providers"
CONNECTIONS = "/odoo/system-mail-connections"


class SystemMailAlert(models.Model):
    """What ends on a day that is known is told before that day."""

    _inherit = "system.mail.alert"

    def _tell_ends(self):
        """In one message. After a time without the scheduled action, the last notice is told."""
        ends = [
            *self._ends_of_registrations(),
            *self._ends_of_passwords(),
            *self._ends_of_server_certificates(),
        ]
        told = [line for key, ends_on, line in ends if self._is_time_to_tell(key, ends_on)]
        if told:
            self.tell_super_users(
                Markup("<p>%s</p><ul>%s</ul>")
                % (
                    self.env._("Act before these days, or mailboxes stop sending:"),
                    Markup().join(Markup("<li>%s</li>") % line for line in told),
                )
            )

    def _is_time_to_tell(self, key, ends_on):
        """Whether a notice is due that was not told yet. A renewal has another day, so another one.

        :param str key: names what ends
        """
        left = (ends_on - fields.Date.today()).days
        notice = next((days for days in NOTICES if left <= days), None)
        return bool(notice) and self._is_new(f"end:{key}:{ends_on}:{notice}")

    def _ends_of_registrations(self):
        providers = self.env["system.mail.oauth.provider"].search([("client_id", "!=", False)])
        for provider in providers:
            # a certificate takes the place of the secret
            ending = "certificate" if provider.certificate_ends_on else "client_secret"
            if ends_on := provider[f"{ending}_ends_on"]:
                link = self._link(f"{PROVIDERS}/{provider.id}", self.env._("Providers"))
                line = self._end_line(ending, ends_on, provider.name, link)
                yield f"{ending}:{provider.id}", ends_on, line

    def _ends_of_passwords(self):
        groups = self.env["system.mail.connection"]._read_group(
            [("ending", "=", "passwords")], ["provider"], ["ends_on:min", "__count"]
        )
        link = self._link(CONNECTIONS, self.env._("Connections"))
        for name, ends_on, count in groups:
            subject = self.env._("%(provider)s, mailboxes: %(count)s", provider=name, count=count)
            yield f"passwords:{name}", ends_on, self._end_line("passwords", ends_on, subject, link)

    def _ends_of_server_certificates(self):
        ending = "server_certificate"
        connections = self.env["system.mail.connection"].search([("ending", "=", ending)])
        link = self._link(CONNECTIONS, self.env._("Connections"))
        shown = {(each.server_id.smtp_host, each.ends_on) for each in connections}
        for host, ends_on in sorted(shown):
            yield f"{ending}:{host}", ends_on, self._end_line(ending, ends_on, host, link)

    def _end_line(self, ending, ends_on, subject, link):
        """What ends and what to do, as a line of an alert.

        :param str subject: whose end it is
        :param Markup link: to where it is mended
        """
        connections = self.env["system.mail.connection"]
        what = self.env._(
            "%(day)s, %(subject)s: %(what)s. %(remedy)s",
            day=day_in_words(self.env, ends_on),
            subject=subject,
            what=connections.end_in_words(ending, ends_on),
            remedy=connections.way_out(ending),
        )
        return Markup("%s %s") % (what, link)
