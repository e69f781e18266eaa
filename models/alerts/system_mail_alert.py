import contextlib
import datetime
import logging
from collections import Counter

from markupsafe import Markup

from odoo import api, fields, models
from odoo.api import SUPERUSER_ID
from odoo.fields import Domain

from ...constants import BATCH, GROUP
from ...failover.rules import COMPROMISED
from ...failover.words import RECONNECTABLE
from ...tools.moments import moment_in_words

_logger = logging.getLogger(__name__)

DOWN_AFTER = datetime.timedelta(minutes=5)
"""System Mail may be unstable for so long before the Super Users hear of it."""
REMIND_AFTER = datetime.timedelta(days=1)
FORGET_AFTER = datetime.timedelta(days=400)
MANY = 3
"""So many mailboxes must be disconnected before their share of all says anything."""
HOME = "/odoo/system-mail"
CONNECTIONS = "/odoo/system-mail-connections"
ACTIVITY = "/odoo/system-mail-activity"
RECONNECT = "/odoo/reconnect-mailbox"


class SystemMailAlert(models.Model):
    """What people have been told, so that they are told once. Always in-app: Super Users in their
    Discuss channel, owners by OdooBot; never by a mailbox that may be the one that fails.
    """

    _name = "system.mail.alert"
    _inherit = "system.mail.unnamed"
    _description = "System Mail Alert"
    _log_access = False

    key = fields.Char(required=True, readonly=True)
    told_at = fields.Datetime(required=True, readonly=True)

    _key_uniq = models.Constraint("UNIQUE(key)", "An alert is told once.")

    # --- memory

    @api.model
    def _is_new(self, key, again_after=None):
        """Whether it is to be told now; of several workers, one hears yes.

        :param timedelta again_after: tell it again after this long
        """
        now = fields.Datetime.now()
        self.env.cr.execute(
            """INSERT INTO system_mail_alert (key, told_at) VALUES (%s, %s)
               ON CONFLICT (key) DO UPDATE SET told_at = EXCLUDED.told_at
                     WHERE system_mail_alert.told_at <= %s
            RETURNING id""",
            [key, now, datetime.datetime.min if again_after is None else now - again_after],
        )
        return bool(self.env.cr.fetchone())

    @api.model
    def _is_over(self, key):
        """Whether it was told and is to be taken back now."""
        self.env.cr.execute("DELETE FROM system_mail_alert WHERE key = %s RETURNING id", [key])
        return bool(self.env.cr.fetchone())

    @api.autovacuum
    def _gc_alerts(self):
        old = [("told_at", "<", fields.Datetime.now() - FORGET_AFTER)]
        rows = self.search(old, limit=BATCH)
        rows.unlink()
        return len(rows), int(len(rows) == BATCH)

    # --- telling

    @api.model
    @api.private
    def tell_super_users(self, body):
        """Post in the Super Users' channel, which is never sent by mail.

        :param str body: text, or Markup
        """
        channel = self.env.ref("system_mail.channel_alerts", raise_if_not_found=False)
        if not channel:
            return
        group = self.env.ref(GROUP)
        channel.sudo().channel_member_ids.filtered(
            lambda member: group not in member.partner_id.user_ids.all_group_ids
        ).unlink()  # who is no Super User any more would hear of it by a push
        self._post(channel, body)
        self.env["system.mail.webhook"].look_soon()

    @api.model
    def _tell_user(self, user, body):
        """Have OdooBot write to the user."""
        channels = self.env["discuss.channel"].with_user(SUPERUSER_ID)
        self._post(channels._get_or_create_chat(user.partner_id.ids), body)

    @staticmethod
    def _post(channel, body):
        # as OdooBot: whoever creates a message may read it
        odoobot = channel.env["res.users"].browse(SUPERUSER_ID)
        channel.with_user(odoobot).message_post(
            author_id=odoobot.sudo().partner_id.id,
            body=body,
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
        )

    @staticmethod
    def _link(address, text):
        return Markup('<a href="%s">%s</a>') % (address, text)

    @api.model
    @api.private
    def ask_to_reconnect(self, user):
        """Ask a user to reconnect their mailbox, with what they read of it in My Preferences."""
        alert = self.with_context(lang=user.lang, tz=user.tz or self.env.context.get("tz"))
        trouble = user.with_env(alert.env).with_user(user).system_mail_message
        link = self._link(RECONNECT, alert.env._("Reconnect"))
        alert._tell_user(user, Markup("%s %s") % (trouble, link))

    @api.model
    @api.private
    def note_asked(self, servers):
        """Note that the owners of these mailboxes have just been asked to reconnect them: they are
        not asked again before the next reminder is due.
        """
        for key in self._keys_of_owners(servers):
            self._is_new(key, again_after=datetime.timedelta())

    @api.model
    @api.private
    def asked_at(self, servers):
        """When the owner of each mailbox was last asked to reconnect it.

        :return: ``{server id: datetime}``
        """
        keys = self._keys_of_owners(servers)
        asked = self.search([("key", "in", list(keys))])
        return {keys[alert.key]: alert.told_at for alert in asked}

    @api.model
    def _keys_of_owners(self, servers):
        """The key of what an owner is told in each present outage: ``{key: server id}``."""
        outages = self.env["system.mail.outage"].search(
            [("server_id", "in", servers.ids), ("ended_at", "=", False)]
        )
        return {f"owner:{outage.id}": outage.server_id.id for outage in outages}

    # --- what is the case now

    @api.model
    def _cron_tell(self):
        """Tell what began and what is over. It looks at how things are, not at how they came to be
        so: nothing is lost with a worker that dies. What can't be told now is tried next time.
        """
        alerts = self.with_context(**self._of_super_users())
        tell = (
            alerts._tell_system_mail,
            alerts._tell_servers,
            alerts._tell_blocked,
            alerts._tell_limits,
            alerts._tell_pace,
            alerts._tell_ends,
            alerts._tell_drills,
            alerts._tell_many,
            alerts._tell_owners,
            alerts._tell_reviews,
        )
        cron = self.env["ir.cron"]
        cron._commit_progress(remaining=len(tell) + 1)
        for told in tell:
            with self._apart():
                told()
            cron._commit_progress(1)
        alerts.env["system.mail.webhook"].post_new()
        cron._commit_progress(1)

    @contextlib.contextmanager
    def _apart(self):
        """An error undoes what is told within, and nothing else."""
        try:
            with self.env.cr.savepoint():
                yield
        except Exception:
            _logger.exception("an alert could not be told")

    @api.model
    def _of_super_users(self):
        """The language and the time zone that most Super Users have, as a context."""
        users = self.env.ref(GROUP).all_user_ids.filtered("active")
        counts = {name: Counter(filter(None, users.mapped(name))) for name in ("lang", "tz")}
        return {name: count.most_common(1)[0][0] for name, count in counts.items() if count}

    @api.model
    @api.private
    def look_soon(self):
        """Something changed: look soon, and once more when it has lasted."""
        cron = self.env.ref("system_mail.ir_cron_tell", raise_if_not_found=False)
        if cron:
            now = fields.Datetime.now()
            cron._trigger([now, now + DOWN_AFTER])

    def _tell_system_mail(self):
        for policy in self.env["res.company"].system_mail_policies().values():
            for mailbox in policy.mailboxes:
                self._tell_mailbox(policy, mailbox)

    def _tell_mailbox(self, policy, mailbox):
        """Tell that a mailbox of System Mail fails or works again.

        :param Policy policy: the company's System Mail
        :param SystemMailbox mailbox: one of its mailboxes
        """
        key = f"system_mail:{mailbox.server_id}"
        health = self.env["system.mail.health"].search([("server_id", "=", mailbox.server_id)])
        if not health.state or health.state in ("connected", "not_connected"):
            if self._is_over(key):
                self.tell_super_users(
                    self.env._(
                        "System Mail %(address)s of %(company)s works again.",
                        address=mailbox.address,
                        company=policy.company_name,
                    )
                )
            return
        lasted = fields.Datetime.now() - health.since
        if (health.state == "disconnected" or lasted >= DOWN_AFTER) and self._is_new(key):
            what = self.env._(
                "System Mail %(address)s of %(company)s has not worked since %(since)s: "
                "%(reason)s. %(meanwhile)s %(remedy)s",
                address=mailbox.address,
                company=policy.company_name,
                since=moment_in_words(self.env, health.since),
                reason=health.reason,
                meanwhile=self._meanwhile(policy, mailbox),
                remedy=health.remedy,
            )
            self.tell_super_users(
                Markup("%s %s") % (what, self._link(HOME, self.env._("Open System Mail")))
            )

    def _meanwhile(self, policy, mailbox):
        """What becomes of mail while a mailbox of System Mail does not work, as a sentence."""
        carrier = self.env["res.company"].browse(policy.company_id).system_mail_carrier()
        if not carrier:
            return self.env._(
                "When a person's mailbox fails, their messages to colleagues wait until System "
                "Mail works again."
            )
        if policy.mailboxes.index(carrier) < policy.mailboxes.index(mailbox):
            return self.env._("It is needed only when the mailboxes before it do not work.")
        return self.env._(
            "Meanwhile, %(address)s sends what people's own mailboxes can't send.",
            address=carrier.address,
        )

    def _tell_servers(self):
        """A server that many mailboxes share, or our own network: once, not for each mailbox."""
        servers = self.env["system.mail.server.health"].search([])  # pylint: disable=no-search-all
        for server in servers:
            key = f"server:{server.key}"
            if not server.is_down():
                if self._is_over(key):
                    self.tell_super_users(server.back_in_words())
                continue
            lasted = fields.Datetime.now() - server.since
            if server.is_shared() and lasted >= DOWN_AFTER and self._is_new(key):
                link = self._link(CONNECTIONS, self.env._("Connections"))
                self.tell_super_users(Markup("%s %s") % (server.in_words(), link))

    def _tell_blocked(self):
        healths = self.env["system.mail.health"]
        for health in healths.search([("rule", "in", COMPROMISED)]):
            if not self._is_new(f"blocked:{health.server_id.id}:{health.since}"):
                continue
            address = health.server_id.from_filter or health.server_id.name
            if owner := health.server_id.owner_user_id:  # anybody may call any address their own
                address = f"{address} ({owner.name})"
            what = self.env._(
                "The provider blocked the mailbox %(address)s: it may be compromised. Have its "
                "password changed and ask the provider to unblock it.",
                address=address,
            )
            self.tell_super_users(
                Markup("%s %s") % (what, self._link(CONNECTIONS, self.env._("Connections")))
            )

    def _tell_limits(self):
        """Once a day and company; how many wait, and for which limits, is what is so now."""
        today = fields.Date.today()
        domain = [
            ("kind", "=", "deferred"),
            ("create_date", ">=", today),
            ("rule", "=", "over_limit"),
        ]
        for [company] in self.env["system.mail.event"]._read_group(domain, ["company_id"]):
            if self._is_new(f"limit:{company.id}:{today}"):
                reached = self.env["system.mail.usage"].waiting(company).get(company, [])
                count = sum(number for _limit, number, _until in reached)
                limits = ", ".join(limit for limit, _number, _until in reached)
                waiting = {
                    0: self.env._("No message waits any more."),
                    1: self.env._("1 message waits and is sent later."),
                }.get(
                    count,
                    self.env._("%(count)s messages wait and are sent later.", count=count),
                )
                text = self.env._(
                    "System Mail of %(company)s reached one of its limits%(limits)s. "
                    "%(waiting)s If you don't expect this, look in Activity who sends so much.",
                    company=company.name,
                    limits=f" ({limits})" if limits else "",
                    waiting=waiting,
                )
                link = self._link(ACTIVITY, self.env._("Open Activity"))
                self.tell_super_users(Markup("%s %s") % (text, link))

    def _tell_pace(self):
        """Where the pace of the last hours leads to the daily limit; once a day and company, and
        not before half of the limit is used.
        """
        for policy in self.env["res.company"].system_mail_policies().values():
            if not policy.limit_day:
                continue
            served, expected = self.env["system.mail.usage"].forecast(policy.company_id)
            half = policy.limit_day / 2
            if half <= served < policy.limit_day <= expected and self._is_new(
                f"pace:{policy.company_id}", again_after=REMIND_AFTER
            ):
                self.tell_super_users(
                    self.env._(
                        "System Mail of %(company)s has sent to %(served)s recipients within a "
                        "day. At this pace it reaches its limit of %(limit)s in the next hours. "
                        "Then messages wait and are sent later. If this is not expected, look in "
                        "Activity who sends so much.",
                        company=policy.company_name,
                        served=served,
                        limit=policy.limit_day,
                    )
                )

    def _tell_many(self):
        """Many mailboxes at once: the cause is then rarely their owners'."""
        share = self.env["ir.config_parameter"].system_mail_number("system_mail.alert_share")
        personal = Domain("server_id.owner_user_id.active", "=", True)
        personal &= Domain("server_id.active", "=", True)
        groups = self.env["system.mail.health"]._read_group(personal, ["state"], ["__count"])
        counts = dict(groups)
        disconnected, total = counts.get("disconnected", 0), sum(counts.values())
        if share and disconnected >= MANY and disconnected * 100 > share * total:
            if self._is_new("many"):
                what = self.env._(
                    "%(count)s of %(total)s mailboxes are disconnected. When many disconnect at "
                    "once, look for one cause: a new provider rule, an expired client secret or a "
                    "server change.",
                    count=disconnected,
                    total=total,
                )
                self.tell_super_users(
                    Markup("%s %s") % (what, self._link(CONNECTIONS, self.env._("Connections")))
                )
        elif self._is_over("many") and share:
            self.tell_super_users(
                self.env._(
                    "Disconnected mailboxes: %(count)s of %(total)s. You are told again when it is "
                    "more than %(share)s percent.",
                    count=disconnected,
                    total=total,
                    share=share,
                )
            )

    def _tell_owners(self):
        """If the setting says so: when it begins, each day, and when it is over."""
        outages = self.env["system.mail.outage"]
        owned = Domain("user_id.active", "=", True) & Domain("state", "=", "disconnected")
        over = owned & Domain("ended_at", ">=", fields.Datetime.now() - REMIND_AFTER)
        for outage in outages.search(over):
            with self._apart():
                self._tell_owner_it_is_over(outage)
        if not self.env["ir.config_parameter"].system_mail_number("system_mail.alert_owners"):
            return
        for outage in outages.search(owned & Domain("ended_at", "=", False)):
            with self._apart():
                self._tell_owner(outage)

    def _tell_owner(self, outage):
        health = outage.server_id.system_mail_health_ids
        can_mend = (
            health.state == "disconnected"
            and health.remedy_key in RECONNECTABLE
            and outage.server_id.active
        )
        if can_mend and self._is_new(f"owner:{outage.id}", again_after=REMIND_AFTER):
            self.ask_to_reconnect(outage.user_id)

    def _tell_owner_it_is_over(self, outage):
        works = outage.server_id.system_mail_health_ids.state == "connected"
        if self._is_over(f"owner:{outage.id}") and works:
            alert = self.with_context(lang=outage.user_id.lang, tz=outage.user_id.tz)
            alert._tell_user(
                outage.user_id,
                alert.env._("Your mailbox %(address)s works again.", address=outage.server_name),
            )
