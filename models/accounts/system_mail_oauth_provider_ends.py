from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ...tools.moments import day_in_words

MOST_YEARS = 10
"""No provider gives a secret that lives longer: a later day is a slip of the keyboard."""


class SystemMailOauthProvider(models.Model):
    _inherit = "system.mail.oauth.provider"

    client_secret_ends_on = fields.Date(
        "Secret Ends On",
        copy=False,
        help="The last day of the client secret, as the provider shows it. Super Users are told "
        "30, 7 and 1 days ahead. Leave it empty if the secret doesn't expire.",
    )

    @api.constrains("client_secret_ends_on")
    def _check_client_secret_ends_on(self):
        today = fields.Date.context_today(self)
        latest = fields.Date.add(today, years=MOST_YEARS)
        for provider in self.filtered("client_secret_ends_on"):
            day = day_in_words(self.env, provider.client_secret_ends_on)
            if provider.client_secret_ends_on < today:
                raise ValidationError(
                    self.env._(
                        "The client secret cannot end on %(day)s: that day is over. Enter the last "
                        "day of the new secret.",
                        day=day,
                    )
                )
            if provider.client_secret_ends_on > latest:
                raise ValidationError(
                    self.env._(
                        "The client secret cannot end on %(day)s: that is more than %(years)s "
                        "years ahead. Check the year.",
                        day=day,
                        years=MOST_YEARS,
                    )
                )
