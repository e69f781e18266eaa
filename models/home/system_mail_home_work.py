import datetime

from odoo import fields, models

from ...failover.failure import Effect
from ...failover.rules import RULES
from ...tools.moments import day_in_words, moment_in_words
from .system_mail_home import BROKEN

LASTED = datetime.timedelta(minutes=5)
"""A System Mail that is unstable for a shorter time works again by itself, most often."""
SOON = datetime.timedelta(days=30)
"""What ends is shown so long before the day."""
SHOWN = 10
"""Mailboxes that have a line of their own."""
WORST_FIRST = (*BROKEN, "not_connected")
MENDS_ITSELF = {r.decision.rule for r in RULES if r.decision.effect is Effect.TRANSIENT}
OF_PROVIDER = sorted(
    {r.decision.rule for r in RULES if r.decision.effect is Effect.PROVIDER_MISCONFIGURED}
)
"""Rules of failures that all mailboxes of a registration have: its own line names them once."""


class SystemMailHome(models.AbstractModel):
    """The work list: a line for each thing that somebody has to do, the worst first, System Mail
    before people.
    """

    _inherit = "system.mail.home"

    def _tasks(self, rows, drills, mailboxes, queue):
        """The lines, and how many things there are to do, also those without a line of their own.

        :param rows: as ``_rows`` finds them
        :param dict drills: as ``last_drills`` finds them
        :param list mailboxes: as ``_mailbox_counts`` has them
        :param dict queue: as ``system_mail_counts`` of ``mail.mail`` has them
        :rtype: tuple[list, int]
        """
        others = [
            *self._system_tasks(rows, drills),
            *self._server_tasks(),
            *self._incoming_tasks(mailboxes),
            *self._limit_tasks(),
            *self._queue_tasks(queue),
            *self._provider_tasks(),
            *self._ending_tasks(mailboxes),
        ]
        others.sort(key=lambda task: WORST_FIRST.index(task["state"]))
        broken = sum(group.count for group in self._broken(mailboxes))
        lines = self._mailbox_tasks(rows.filtered(lambda row: row.kind != "system"))
        if hidden := max(broken - len(lines), 0):
            text = self.env._("%(count)s more mailboxes need attention.", count=hidden)
            button = self._button(self.env._("Show All"), self, "action_open", "needs_attention")
            lines.append(self._task("unstable", text, button, is_mailbox=True))
        return [*others, *lines], len(others) + broken

    @staticmethod
    def _broken(mailboxes):
        """Those of the mailboxes that send, without System Mail, that somebody has to mend one by
        one.
        """
        return [
            group
            for group in mailboxes
            if group.needs_attention
            and group.kind not in ("system", "incoming")
            and group.state in BROKEN
            and group.rule not in OF_PROVIDER
        ]

    def _first_broken(self, mailboxes):
        """The ids of those that have a line of their own: what is broken for the longest time."""
        broken = [id_ for group in self._broken(mailboxes) for id_ in group.server_ids]
        longest = (
            self.env["system.mail.health"]
            .sudo()  # the user may see them: they were counted
            .search_fetch([("server_id", "in", broken)], ["server_id"], order="since", limit=SHOWN)
        )
        return list(dict.fromkeys([*longest.server_id.ids, *broken]))[:SHOWN]

    @staticmethod
    def _task(state, text, button, note="", is_mailbox=False):
        """A line.

        :param str state: how bad it is, as the state of a mailbox
        :param str note: what was done about it
        :param bool is_mailbox: whether it is about one mailbox
        """
        return {
            "state": state,
            "text": text,
            "button": button,
            "note": note,
            "is_mailbox": is_mailbox,
        }

    # --- System Mail

    def _system_tasks(self, rows, drills):
        systems = rows.filtered(lambda row: row.kind == "system")
        for company in self.env.companies.filtered("system_mail_address"):
            own = systems.filtered(lambda row, company=company: row.company_id == company)
            if not own:
                yield self._not_connected(company)
            for row in own:
                yield from self._system_trouble(row, own)
            working = own.filtered(lambda row: row.state == "connected")
            for row in working:
                yield from self._drill_trouble(row, drills)
            wrong = working.filtered(lambda row: self._domain_status(row) == "bad")
            for domain in dict.fromkeys(a.rpartition("@")[2] for a in wrong.mapped("address")):
                yield self._domain_trouble(company, domain)

    def _not_connected(self, company):
        return self._task(
            "disconnected",
            self.env._(
                "System Mail %(address)s is not connected: it sends nothing.",
                address=company.system_mail_address,
            ),
            self._button(self.env._("Connect"), company, "action_system_mail_connect"),
            is_mailbox=True,
        )

    def _system_trouble(self, row, own):
        """What is the matter with an address of System Mail.

        :param own: all of the company's, in their order
        """
        if row.state == "not_connected":
            text = self.env._("System Mail %(address)s was not tried yet.", address=row.address)
            button = self._button(self.env._("Test"), row, "action_test")
            yield self._task("not_connected", text, button, is_mailbox=True)
            return
        lasted = row.since and fields.Datetime.now() - row.since > LASTED
        if not row.needs_attention and not (row.state == "unstable" and lasted):
            return
        text = self._trouble(row, self.env._("System Mail %(address)s", address=row.address))
        text = f"{text} {self._meanwhile(row, own)}"
        if row.needs_attention and row.rule not in MENDS_ITSELF:
            button = self._button(self.env._("Reconnect"), row, "action_connect")
        else:
            button = self._button(self.env._("Test"), row, "action_test")
        yield self._task(row.state, text, button, is_mailbox=True)

    def _meanwhile(self, row, own):
        """What becomes of mail while an address of System Mail does not work."""
        carrier = next((each for each in own - row if each.state == "connected"), None)
        if not carrier:
            return self.env._(
                "When a person's mailbox fails, their messages to colleagues wait until System "
                "Mail works again."
            )
        if [*own].index(carrier) < [*own].index(row):
            return self.env._("It is needed only when the mailboxes before it do not work.")
        return self.env._(
            "Meanwhile, %(address)s sends what people's own mailboxes can't send.",
            address=carrier.address,
        )

    def _drill_trouble(self, row, drills):
        """A drill of a mailbox of System Mail that did not pass; of the first mailbox, also that
        there was none.
        """
        event, backup = drills.get(row.server_id), row.backup_id
        if (event and event.drill == "passed") or (backup and not event):
            return
        if event:
            text = self.env._(
                "The last drill of System Mail %(address)s did not pass.", address=row.address
            )
        else:
            text = self.env._(
                "System Mail %(address)s has had no drill yet. A drill sends one real "
                "notification, only to you.",
                address=row.address,
            )
        label = self.env._("Run Drill")
        if backup:
            button = self._button(label, backup, "action_drill")
        else:
            button = self._button(label, row.company_id, "action_system_mail_run_drill")
        yield self._task("unstable" if event else "not_connected", text, button)

    @staticmethod
    def _domain_status(row):
        return row.backup_id.domain_status or row.company_id.system_mail_domain_status

    def _domain_trouble(self, company, domain):
        text = self.env._(
            "Mail from %(domain)s may be taken for spam: its DNS needs a change.", domain=domain
        )
        button = self._button(self.env._("Open Settings"), company, "action_system_mail_settings")
        return self._task("unstable", text, button)

    # --- servers

    def _server_tasks(self):
        """Servers that many mailboxes share, each named once."""
        servers = self.env["system.mail.server.health"].search([])  # pylint: disable=no-search-all
        for server in servers:
            if server.is_down():
                button = self._button(self.env._("Show Mailboxes"), self, "action_open", "unstable")
                yield self._task("unstable", server.in_words(), button)

    # --- incoming mail

    def _incoming_tasks(self, mailboxes):
        groups = [row for row in mailboxes if row.kind == "incoming" and row.needs_attention]
        count = sum(group.count for group in groups)
        if not count:
            return
        text = (
            self.env._("Odoo can't fetch mail from 1 incoming mail server: replies don't arrive.")
            if count == 1
            else self.env._(
                "Odoo can't fetch mail from %(count)s incoming mail servers: replies don't arrive.",
                count=count,
            )
        )
        states = {group.state for group in groups}
        state = "disconnected" if "disconnected" in states else "unstable"
        button = self._button(self.env._("Show Servers"), self, "action_open", "incoming")
        yield self._task(state, text, button)

    # --- the queue

    def _queue_tasks(self, queue):
        if queue["late"]:
            yield self._task(
                "disconnected",
                self.env._(
                    "Mail has been due for more than 2 hours, and Odoo's mail queue has not sent "
                    "it. See whether the scheduled action for it runs."
                ),
                self._button(self.env._("Show Scheduled Action"), self, "action_open_scheduler"),
            )
        if held := queue["held"]:
            text = (
                self.env._("1 message may have been delivered. Send it again?")
                if held == 1
                else self.env._(
                    "%(count)s messages may have been delivered. Send them again?",
                    count=held,
                )
            )
            button = self._button(self.env._("Decide"), self, "action_open", "held")
            yield self._task("unstable", text, button)

    def _limit_tasks(self):
        """The limits of System Mail for which mail waits for longer than a moment."""
        soon = fields.Datetime.now() + LASTED
        for company, waiting in self.env["system.mail.usage"].waiting(self.env.companies).items():
            for limit, count, until in waiting:
                if until > soon:
                    yield self._limit_task(company, limit, count, until)

    def _limit_task(self, company, limit, count, until):
        values = {
            "address": company.system_mail_address,
            "limit": limit,
            "count": count,
            "time": moment_in_words(self.env, until),
        }
        text = (
            self.env._(
                "A limit of System Mail %(address)s is reached (%(limit)s). 1 message waits until "
                "%(time)s.",
                **values,
            )
            if count == 1
            else self.env._(
                "A limit of System Mail %(address)s is reached (%(limit)s). %(count)s messages "
                "wait, the last until %(time)s.",
                **values,
            )
        )
        button = self._button(self.env._("Show Messages"), self, "action_open", "waiting")
        return self._task("unstable", text, button)

    def action_open_scheduler(self):
        """Open the scheduled action that sends Odoo's mail queue."""
        self.env.company.check_system_mail_access()
        return self.env.ref("mail.ir_cron_mail_scheduler_action").get_formview_action()

    # --- providers

    def _provider_tasks(self):
        soon = fields.Date.today() + SOON
        for provider in self.env["system.mail.oauth.provider"].search([("client_id", "!=", False)]):
            button = self._button(self.env._("Renew"), provider, "get_formview_action")
            ending = "certificate" if provider.certificate_ends_on else "client_secret"
            ends_on = provider[f"{ending}_ends_on"]
            if provider.client_rejected_at:
                text = self.env._(
                    "%(provider)s has rejected this system since %(time)s. The mailboxes "
                    "connected there can't send.",
                    provider=provider.name,
                    time=moment_in_words(self.env, provider.client_rejected_at),
                )
                yield self._task("disconnected", text, button)
            elif ends_on and ends_on <= soon:
                yield self._end_task(provider.name, ending, ends_on, button)

    def _ending_tasks(self, mailboxes):
        """What ends for many mailboxes at once, each a line."""
        for ending in ("passwords", "server_certificate"):
            groups = [group for group in mailboxes if group.ending == ending]
            if not groups:
                continue
            count = sum(group.count for group in groups)
            subject = (
                self.env._("1 mailbox")
                if count == 1
                else self.env._("%(count)s mailboxes", count=count)
            )
            button = self._button(self.env._("Show Mailboxes"), self, "action_open", "ends")
            ends_on = min(group.ends_on for group in groups)
            yield self._end_task(subject, ending, ends_on, button)

    def _end_task(self, subject, ending, ends_on, button):
        connections = self.env["system.mail.connection"]
        text = self.env._(
            "%(subject)s: %(what)s on %(day)s.",
            subject=subject,
            what=connections.end_in_words(ending, ends_on),
            day=day_in_words(self.env, ends_on),
        )
        is_over = ends_on < fields.Date.today()
        return self._task("disconnected" if is_over else "unstable", text, button)

    # --- mailboxes

    def _mailbox_tasks(self, rows):
        now = fields.Datetime.now()
        worst_first = rows.sorted(lambda row: (row.state != "disconnected", row.since or now))
        return [self._mailbox_task(row) for row in worst_first]

    def _mailbox_task(self, row):
        user = row.user_id
        who = f"{user.name} ({row.address})" if user else row.address
        text = " ".join(filter(None, [self._trouble(row, who), self._carried(row)]))
        if user == self.env.user:
            label = self.env._("Reconnect")
            button = self._button(label, user, "action_system_mail_reconnect")
        elif row.can_ask:
            label = self.env._("Ask %(name)s to Reconnect", name=user.name)
            button = self._button(label, row, "action_ask_to_reconnect")
        else:
            opened = row if user else row.server_id
            button = self._button(self.env._("Open"), opened, "get_formview_action")
        return self._task(row.state, text, button, row.asked or "", is_mailbox=True)

    def _trouble(self, row, who):
        """What is the matter with a mailbox, since when, and what to do."""
        what = (
            self.env._(
                "%(who)s: %(reason)s, since %(time)s.",
                who=who,
                reason=row.reason,
                time=moment_in_words(self.env, row.since),
            )
            if row.since
            else self.env._("%(who)s: %(reason)s.", who=who, reason=row.reason)
        )
        says_enough = row.can_ask and row.remedy_key in ("reconnect", "password")  # by its button
        return f"{what} {row.remedy}" if row.remedy and not says_enough else what

    def _carried(self, row):
        if not row.fallback_count:
            return ""
        return self.env._("Fallbacks in 7 days: %(count)s.", count=row.fallback_count)
