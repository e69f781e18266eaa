import ast
import collections
import datetime
import typing

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import format_date

from ...tools.moments import moment_in_words

DAYS = 7
"""The page counts what System Mail carried in so many days, today among them."""
FIELDS = (
    "kind",
    "company_id",
    "user_id",
    "server_id",
    "address",
    "state",
    "needs_attention",
    "reason",
    "remedy",
    "remedy_key",
    "can_ask",
    "asked",
    "since",
    "last_success",
    "fallback_count",
)
"""What the page reads of a line of *Connections*, in one query."""
STATES = ("connected", "unstable", "disconnected", "not_connected")
BROKEN = ("disconnected", "unstable")
QUEUE = ("waiting", "held", "failed")
"""Numbers of mails in Odoo's queue."""


class Mailboxes(typing.NamedTuple):
    """How many mailboxes are alike in what the page tells of them."""

    kind: str
    state: str
    needs_attention: bool
    rule: str
    ending: str
    ends_on: datetime.date
    """The first day of theirs."""
    count: int
    server_ids: list
    """None for people without a mailbox."""


class SystemMailHome(models.AbstractModel):
    """The home page: one sentence, System Mail itself, what somebody has to do, and numbers that
    lead to lists. It only reads.
    """

    _name = "system.mail.home"
    _description = "System Mail Home Page"

    @api.model
    def get_page(self):
        """Everything that the page shows, in the user's language, for the companies they work in.

        A button is ``{"label", "model", "ids", "method", "args"}``: the method that it calls.

        :raises AccessError: the current user is no Super User
        :rtype: dict
        """
        self.env.company.check_system_mail_access()
        mailboxes = self._mailbox_counts()
        queue = self.env["mail.mail"].system_mail_counts()
        carried = self._carried_by_day()
        rows = self._rows(mailboxes)
        systems = rows.filtered(lambda row: row.kind == "system")
        drills = self.env["system.mail.event"].last_drills(systems.server_id)
        tasks, needed = self._tasks(rows, drills, mailboxes, queue)
        is_set_up = any(self.env.companies.mapped("system_mail_address"))
        return {
            "is_set_up": is_set_up,
            "headline": self._headline(is_set_up, systems, mailboxes, tasks, needed),
            "figures": self._figures(carried[-1][1], queue) if is_set_up else "",
            "checked": self.env._(
                "As of %(time)s.", time=moment_in_words(self.env, fields.Datetime.now())
            ),
            "systems": [self._system(company, rows, drills) for company in self.env.companies],
            "tasks": tasks,
            "numbers": [
                number
                for number in self._numbers(mailboxes, queue, carried)
                if is_set_up or number["key"] in STATES  # the queue is that of all companies
            ],
            "days": [
                {"label": format_date(self.env, day, date_format="EEE d"), "count": count}
                for day, count in carried
            ],
        }

    # --- counts

    def _mailbox_counts(self):
        """How many mailboxes there are of each sort.

        :rtype: list[Mailboxes]
        """
        groups = self.env["system.mail.connection"]._read_group(
            [],
            ["kind", "state", "needs_attention", "rule", "ending"],
            ["ends_on:min", "__count", "server_id:array_agg"],
        )
        return [Mailboxes(*group) for group in groups]

    def _carried_by_day(self):
        """How many e-mails System Mail carried on each of the last days, today last.

        :return: ``[(date, count)]``
        """
        today = fields.Date.context_today(self)
        days = [today - datetime.timedelta(days=ago) for ago in reversed(range(DAYS))]
        groups = self.env["system.mail.event"]._read_group(
            [("kind", "=", "fallback"), ("create_date", ">=", f"today -{DAYS - 1}d")],
            ["create_date:day"],
            ["__count"],
        )
        counts = {begin.date(): count for begin, count in groups}
        return [(day, counts.get(day, 0)) for day in days]

    # --- in a sentence

    def _headline(self, is_set_up, systems, mailboxes, tasks, needed):
        """Whether somebody has to do something; first of all, whether System Mail works.

        :param systems: the lines of System Mail
        :param list mailboxes: as ``_mailbox_counts`` has them
        :param int needed: how many things there are, also those without a line
        """
        if not is_set_up:
            has_sent = [("kind", "in", ("fallback", "test"))]
            was_set_up = self.env["system.mail.event"].search_count(has_sent, limit=1)
            return (
                self.env._("System Mail is off.")
                if was_set_up
                else self.env._("System Mail is not set up yet.")
            )
        works = not any(group.state in BROKEN for group in mailboxes)
        by_company = [{*rows.mapped("state")} for rows in systems.grouped("company_id").values()]
        trouble = ""
        if {"disconnected"} in by_company:
            trouble = self.env._("System Mail doesn't work.")
        elif any(states <= {*BROKEN} for states in by_company):
            trouble = self.env._("System Mail can't send at the moment.")
        if tasks:
            needs = self._needs(tasks, needed, of_mailboxes=not trouble)
        else:
            needs = self.env._("Everything works.") if works else self.env._("Nothing needs you.")
        return f"{trouble} {needs}".strip()

    def _needs(self, tasks, needed, of_mailboxes):
        if of_mailboxes and all(task["is_mailbox"] for task in tasks):
            if needed == 1:
                return self.env._("1 mailbox needs you.")
            return self.env._("%(count)s mailboxes need you.", count=needed)
        if needed == 1:
            return self.env._("1 thing needs you.")
        return self.env._("%(count)s things need you.", count=needed)

    def _figures(self, carried, queue):
        """For what System Mail stood in today, and what is not sent."""
        if carried == 1:
            today = self.env._("System Mail sent 1 e-mail today that another mailbox could not.")
        elif carried:
            today = self.env._(
                "System Mail sent %(count)s e-mails today that other mailboxes could not.",
                count=carried,
            )
        else:
            today = self.env._("System Mail sent nothing for other mailboxes today.")
        waiting = {
            0: self.env._("No message waits."),
            1: self.env._("1 message waits."),
        }.get(queue["waiting"], self.env._("%(count)s messages wait.", count=queue["waiting"]))
        failed = {
            0: self.env._("No failed message needs you."),
            1: self.env._("1 message failed in 7 days."),
        }.get(
            queue["failed"],
            self.env._("%(count)s messages failed in 7 days.", count=queue["failed"]),
        )
        return f"{today} {waiting} {failed}"

    # --- System Mail itself

    def _rows(self, mailboxes):
        """The lines of *Connections* that the page shows, in their order: those of System Mail, and
        the first ones of other mailboxes that somebody has to mend.
        """
        shown = Domain("kind", "=", "system")
        shown |= Domain("server_id", "in", self._first_broken(mailboxes))
        return self.env["system.mail.connection"].search_fetch(shown, FIELDS)

    def _system(self, company, rows, drills):
        """System Mail of a company.

        :param rows: as ``_rows`` finds them
        :param dict drills: as ``last_drills`` finds them
        """
        own = rows.filtered(lambda row: row.kind == "system" and row.company_id == company)
        settings = self._button(self.env._("Settings"), company, "action_system_mail_settings")
        if own:
            button = self._button(self.env._("Run Drill"), company, "action_system_mail_run_drill")
        else:
            label = self.env._("Set Up System Mail")
            button = self._button(label, company, "action_system_mail_connect")
            button["primary"] = True
        return {
            "id": company.id,
            "company": company.name if len(self.env.companies) > 1 else "",
            "mailboxes": [self._mailbox(row) for row in own] or self._unconnected(company),
            "drill": self._last_drill(drills.get(company.system_mail_server_id)) if own else "",
            "clash": company.system_mail_clash or "",
            "buttons": [button, settings],
        }

    def _last_drill(self, event):
        return event.drill_in_words() if event else self.env._("No drill yet.")

    def _mailbox(self, row):
        states = dict(row.states())
        worked = row.last_success and moment_in_words(self.env, row.last_success)
        said = [self.env._("Last success: %(time)s.", time=worked)] if worked else []
        if row.state == "unstable":
            said += [self.env._("Now: %(reason)s.", reason=row.reason), row.remedy or ""]
        return {
            "id": row.id,
            "address": row.address,
            "state": row.state,
            "state_label": states[row.state],
            "facts": " ".join(said),
            "buttons": [
                self._button(self.env._("Test"), row, "action_test"),
                self._button(self.env._("Reconnect"), row, "action_connect"),
            ],
        }

    def _unconnected(self, company):
        """The address of a company that is not connected."""
        if not company.system_mail_address:
            return []
        return [
            {
                "id": company.id,
                "address": company.system_mail_address,
                "state": company.system_mail_state,
                "state_label": dict(self.env["system.mail.health"].states())["not_connected"],
                "facts": "",
                "buttons": [],
            }
        ]

    # --- numbers

    def _numbers(self, mailboxes, queue, carried):
        """What is counted, each with the list that it leads to."""
        states = collections.Counter()
        for group in mailboxes:
            states[group.state] += group.count
        counts = {
            "carried": (self.env._("Fallbacks in 7 days"), sum(count for _day, count in carried)),
            "waiting": (self.env._("Waiting"), queue["waiting"]),
            "held": (self.env._("May have been delivered"), queue["held"]),
            "failed": (self.env._("Failed in 7 days"), queue["failed"]),
            **{state: (label, states[state]) for state, label in self._labels(states).items()},
        }
        return [
            {"key": key, "count": count, **self._button(label, self, "action_open", key)}
            for key, (label, count) in counts.items()
        ]

    def _labels(self, states):
        one = {
            "connected": self.env._("Connected mailbox"),
            "unstable": self.env._("Unstable mailbox"),
            "disconnected": self.env._("Disconnected mailbox"),
            "not_connected": self.env._("Mailbox not connected"),
        }
        several = {
            "connected": self.env._("Connected mailboxes"),
            "unstable": self.env._("Unstable mailboxes"),
            "disconnected": self.env._("Disconnected mailboxes"),
            "not_connected": self.env._("Mailboxes not connected"),
        }
        return {state: (one if states[state] == 1 else several)[state] for state in one}

    def action_open(self, key):
        """Open the list behind a number.

        :param str key: of a number, or a filter of *Connections*
        """
        self.env.company.check_system_mail_access()
        actions = self.env["ir.actions.act_window"]
        if key == "carried":
            return actions._for_xml_id("system_mail.system_mail_event_action_fallbacks")
        name = "mail_mail_action" if key in QUEUE else "system_mail_connection_action"
        action = actions._for_xml_id(f"system_mail.{name}")
        if key in QUEUE:
            theirs = self.env["mail.mail"].system_mail_of_companies()
            action["domain"] = list(Domain(ast.literal_eval(action["domain"])) & theirs)
        return {**action, "context": {f"search_default_{key}": 1}}

    @staticmethod
    def _button(label, records, method, *args):
        """What the page shows as a button."""
        return {
            "label": label,
            "model": records._name,
            "ids": records.ids,
            "method": method,
            "args": list(args),
        }
