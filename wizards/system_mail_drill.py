import contextlib
import time

from markupsafe import Markup

from odoo import api, fields, models
from odoo.tools import email_normalize

from ..failover.drill_check import Expected, examine
from ..failover.text import clean
from ..failover.words import RECONNECTABLE
from ..models.accounts.res_company import TryFailed
from ..sending.fire_drill import FireDrill
from ..tools.reasons import reason_of, remedy_of

CHECK = Markup(
    '<li class="d-flex gap-2">'
    '<i class="fa {} fa-fw flex-shrink-0 mt-1" aria-hidden="true"></i>'
    '<span class="text-break"><strong>{}:</strong> {}</span>'
    "</li>"
)

ONLY_IF_FAILED = ("remedy", "needs_reconnect", "answer")


class SystemMailDrill(models.TransientModel):
    """Tries the fallback: sends one real notification to the current user as if their own mailbox
    were down, and shows what System Mail sent.
    """

    _name = "system.mail.drill"
    _description = "Drill of the Fallback"

    company_id = fields.Many2one("res.company", required=True, ondelete="cascade", readonly=True)
    backup_id = fields.Many2one(
        "system.mail.backup",
        ondelete="cascade",
        readonly=True,
        help="The further mailbox that is tried; empty: the first one.",
    )
    recipient = fields.Char(default=lambda self: self.env.user.email_normalized, readonly=True)
    is_scheduled = fields.Boolean(readonly=True)
    reach = fields.Char(
        readonly=True, help="What came of the check how far an application reaches."
    )
    reach_is_wide = fields.Boolean(readonly=True)
    own_email = fields.Char(
        "Your E-mail Address",
        help="You have none yet. It is kept as yours, as in My Preferences.",
    )
    state = fields.Selection(
        [("draft", "Draft"), ("failed", "Failed"), ("wrong", "Wrong"), ("passed", "Passed")],
        default="draft",
        readonly=True,
    )
    needs_reconnect = fields.Boolean(readonly=True, help="To reconnect mends what failed.")
    verdict = fields.Text(readonly=True)
    remedy = fields.Text(readonly=True)
    checks = fields.Html(readonly=True, sanitize_attributes=False)
    sent_from = fields.Char("From", readonly=True)
    reply_to = fields.Char("Reply-To", readonly=True)
    envelope_from = fields.Char(
        "Envelope Sender", readonly=True, help="Where bounces go; the reader's Return-Path."
    )
    message_id = fields.Char("Message-ID", readonly=True)
    auto_submitted = fields.Char("Auto-Submitted", readonly=True)
    answer = fields.Char("Server's Answer", readonly=True)
    seconds = fields.Float(readonly=True, digits=(16, 2))
    headers = fields.Text(readonly=True)

    def action_send(self):
        """Send the notification and show the result."""
        self.ensure_one()
        self.check_access("write")
        self.company_id.check_system_mail_access()
        self._keep_own_email()
        self.write({**dict.fromkeys(ONLY_IF_FAILED, False), **self._outcome()})
        return self.reopen()

    def action_reconnect(self):
        """Open the dialog that connects the mailbox which the drill tried."""
        self.ensure_one()
        if self.backup_id:
            return self.backup_id.action_connect()
        return self.company_id.action_system_mail_connect()

    def _keep_own_email(self):
        """Give the current user, who has no e-mail address, the one that they typed."""
        if not self.env.user.email_normalized and email_normalize(self.own_email or ""):
            self.env.user.email = self.own_email
        self.recipient = self.env.user.email_normalized

    @api.private
    def reopen(self):
        """The action that shows this dialog."""
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Run Drill"),
            "res_model": self._name,
            "res_id": self.id,
            "views": [(False, "form")],
            "target": "new",
        }

    # --- the drill

    def _outcome(self):
        """Send the notification, and log it.

        :return: the values of this dialog that show the result
        :rtype: dict
        """
        company, user = self.company_id, self.env.user
        policy = company.system_mail_policies().get(company.id)
        backup = self.backup_id
        server = backup.server_id if backup else company.system_mail_server_id
        mailbox = policy and policy.mailbox(server.id)
        if not mailbox:
            return self._failed(
                self.env._("System Mail is not connected: connect it first."), needs_reconnect=True
            )
        if not user.email_normalized and self.own_email:
            return self._failed(
                self.env._(
                    "“%(address)s” is not an e-mail address: type another one.",
                    address=self.own_email,
                )
            )
        if not user.email_normalized:
            return self._failed(
                self.env._("You have no e-mail address to send it to: type one, then try again.")
            )
        drill, begin = FireDrill(mailbox), time.monotonic()
        message = self._send(drill)
        seconds = time.monotonic() - begin
        if not drill.copies:
            outcome = self._not_sent(drill)
            self._log(server, drill, message, outcome)
            return outcome
        expected = Expected(
            address=mailbox.address,
            name=user.name,
            own_address=user.email_normalized,
            replies=email_normalize(message.reply_to) or "",
            bounces=frozenset(
                filter(None, (mailbox.address, email_normalize(company.bounce_email)))
            ),
            message_id=message.message_id,
        )
        outcome = {**self._sent(drill, expected), "seconds": seconds}
        self._log(server, drill, message, outcome)
        return outcome

    def _send(self, drill):
        """Have Odoo notify the user by e-mail. If that isn't sent at once, roll it back, so that
        nothing waits in the queue.

        :param FireDrill drill: it gets a copy of what is sent
        :return: the message; empty if System Mail didn't send it
        """
        company, user = self.company_id, self.env.user
        document_sudo = user.partner_id.sudo().with_company(company)
        with contextlib.suppress(TryFailed), self.env.cr.savepoint():
            message_sudo = document_sudo.with_context(
                system_mail_drill=drill, mail_notify_force_send=False
            ).message_notify(
                author_id=user.partner_id.id,
                email_from=user.email_formatted,
                partner_ids=user.partner_id.ids,
                subject=self._subject(),
                body=self._body(),
                record_company_id=company.id,
                record_alias_domain_id=company.alias_domain_id.id,
            )
            message_sudo.mail_ids.with_context(system_mail_drill=drill).send()
            if not drill.copies:
                raise TryFailed
            return message_sudo
        return self.env["mail.message"]

    def _subject(self):
        return self.env._("A drill of System Mail")

    def _body(self):
        if self.is_scheduled:
            text = self.env._(
                "This is the scheduled drill of System Mail. Odoo sent this notification only to "
                "you, as if your own mailbox were down. It is in your inbox, so the fallback works."
            )
            return Markup("<p>{}</p>").format(text)
        return Markup("<p>{}</p>").format(
            self.env._(
                "You ran a drill of System Mail. Odoo sent this notification only to you, as if "
                "your own mailbox were down. It is in your inbox, so the fallback works."
            )
        )

    def _log(self, server, drill, message, outcome):
        """Log the drill as an event, whatever its result."""
        trouble = drill.trouble
        if not drill.copies or outcome["state"] != "passed":
            note = outcome["verdict"]
        elif drill.mailbox:
            note = self.env._(
                "A drill passed. The mailbox %(mailbox)s was treated as down.",
                mailbox=drill.mailbox,
            )
        else:
            note = self.env._("A drill passed. The author has no mailbox of their own.")
        self.env["system.mail.event"].write_down(
            [
                {
                    "kind": "test",
                    "company_id": self.company_id.id,
                    "author_id": self.env.user.partner_id.id,
                    "writer_id": self.env.uid,
                    "server_id": server.id,
                    "server_name": server.name,
                    "message_id": drill.report and drill.report.message_id,
                    "mail_message_id": message.id,
                    "recipient_count": len(drill.report.accepted) if drill.report else 0,
                    "original_from": self.env.user.email_formatted,
                    "sent_from": outcome.get("sent_from"),
                    "phase": trouble and trouble.failure.phase.value,
                    "smtp_code": trouble and trouble.failure.code,
                    "enhanced_code": trouble and trouble.failure.enhanced,
                    "note": note,
                    "drill": outcome["state"],
                    "answer": outcome.get("answer"),
                }
            ]
        )

    # --- the result, in words

    def _failed(self, verdict, **values):
        return {"state": "failed", "verdict": verdict, **values}

    def _not_sent(self, drill):
        """The values of this dialog if System Mail didn't send the notification."""
        if not drill.trouble:
            return self._failed(
                self.env._("Odoo made no e-mail from the notification, so nothing was sent."),
                remedy=self.env._("Check your e-mail address in My Preferences."),
            )
        server = self.env["ir.mail_server"].browse(drill.system.server_id)
        trouble = drill.trouble.failure, drill.trouble.decision
        failure, decision = self.env["system.mail.server.health"].sudo().put_down(server, trouble)
        later = self.env._("Try again in a few minutes.")
        remedies = {
            **dict.fromkeys(("none", "unavailable", "unreachable"), later),
            "own_network": self.env._("Try again when the network is back."),
            "recipient": self.env._("Check your e-mail address in My Preferences."),
            "uncertain": self.env._("It may have arrived anyway: look in your inbox."),
        }
        return self._failed(
            self.env._(
                "The notification was not sent. System Mail: %(reason)s.",
                reason=reason_of(self.env, failure, decision),
            ),
            remedy=remedies.get(decision.remedy, remedy_of(self.env, decision)),
            needs_reconnect=decision.remedy in RECONNECTABLE,
            answer=failure.text,
        )

    def _sent(self, drill, expected):
        """The values of this dialog if System Mail sent the notification.

        :param Expected expected: what the copy must look like
        """
        copy, found = drill.copies[0], examine(drill.copies, expected)
        headers = copy.headers
        return {
            "state": "passed" if all(found.values()) else "wrong",
            "verdict": self._verdict(drill, expected, all(found.values())),
            "checks": self._list_checks(found, copy, expected),
            "sent_from": str(headers["From"] or ""),
            "reply_to": str(headers["Reply-To"] or ""),
            "envelope_from": copy.envelope_from,
            "message_id": str(headers["Message-Id"] or ""),
            "auto_submitted": str(headers["Auto-Submitted"] or ""),
            "answer": clean(f"250 {drill.report.reply}"),
            "headers": copy.raw_headers,
        }

    def _verdict(self, drill, expected, passed):
        values = {**expected._asdict(), "mailbox": drill.mailbox}
        if not passed:
            return self.env._(
                "System Mail sent the notification, but not as it should be. See what is marked "
                "“No”. Another module may change what is sent."
            )
        if drill.mailbox:
            return self.env._(
                "It works: with your own mailbox %(mailbox)s treated as down, the notification "
                "was sent from %(address)s in your name, and replies reach %(replies)s. No mailbox "
                "changed.",
                **values,
            )
        return self.env._(
            "It works: the notification was sent from %(address)s in your name, and replies reach "
            "%(replies)s. You have no mailbox of your own, so System Mail is your ordinary sender "
            "for this.",
            **values,
        )

    def _list_checks(self, found, copy, expected):
        values = {**expected._asdict(), "envelope": copy.envelope_from}
        to_author = expected.replies == expected.own_address
        to_system = copy.envelope_from.lower() == expected.address
        sentences = {
            "sender": self.env._(
                "It comes from %(address)s, the address of System Mail.", **values
            ),
            "name": self.env._("It shows your name, %(name)s.", **values),
            "replies": self.env._("Replies reach you, at %(replies)s.", **values)
            if to_author
            else self.env._("Replies reach the document in Odoo, at %(replies)s.", **values),
            "bounces": self.env._("Bounces come to System Mail, at %(envelope)s.", **values)
            if to_system
            else self.env._("Bounces come to Odoo, at %(envelope)s.", **values),
            "one_copy": self.env._("One copy was sent, under one Message-ID."),
            "no_trace": self.env._("Your own address is nowhere named as the sender."),
        }
        words = {True: self.env._("Yes"), False: self.env._("No")}
        icons = {True: "fa-check text-success", False: "fa-times-circle text-danger"}
        lines = [
            CHECK.format(icons[passed], words[passed], sentences[check])
            for check, passed in found.items()
        ]
        return Markup('<ul class="list-unstyled mb-0">{}</ul>').format(Markup().join(lines))
