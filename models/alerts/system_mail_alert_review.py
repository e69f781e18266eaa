import datetime

from markupsafe import Markup

from odoo import fields, models

HOME = "/odoo/system-mail"


class SystemMailAlert(models.Model):
    """The day of a review is told."""

    _inherit = "system.mail.alert"

    def _tell_reviews(self):
        """On the day of each company's review. The settings may say how many days later the next
        one is; without a first day, they are counted from today.
        """
        days = self.env["ir.config_parameter"].system_mail_number("system_mail.review_days")
        today = fields.Date.today()
        following = days and today + datetime.timedelta(days=days)
        companies = self.env["res.company"]
        for company in companies.browse(companies.system_mail_policies()):
            review_on = company.system_mail_review_on
            is_due = review_on and review_on <= today
            if is_due:
                self._tell_review(company)
            if is_due or (following and not review_on):
                company.system_mail_review_on = following

    def _tell_review(self, company):
        what = self.env._(
            "It is time to review System Mail of %(company)s. See which mailboxes need attention, "
            "what System Mail sent, whether its drill passes, and who is a Super User.",
            company=company.name,
        )
        if steward := company.system_mail_steward_id:
            what = self.env._("%(what)s Steward: %(user)s.", what=what, user=steward.name)
        self.tell_super_users(Markup("%s %s") % (what, self._link(HOME, self.env._("Open"))))
