import contextlib

from odoo import api, models
from odoo.tools import email_normalize, formataddr

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ...failover.session import Undelivered
from ...sending.send_run import SendRun, Treatment
from ...tools.odoo_20 import clear_caches

NEW_SERVER = {"smtp_pass": False, "sequence": 100, "owner_user_id": False}
"""Values of a new System Mail's server. It sorts after all others: another module that takes the
first server must not take this one.
"""


class TryFailed(Exception):
    """Raised inside a savepoint to roll back an attempt that failed."""


class ResCompany(models.Model):
    """Connects, tests and disconnects a company's System Mail."""

    _inherit = "res.company"

    def action_system_mail_connect(self, address=None):
        """Open the connect dialog.

        :param str address: a new address; None: the present one
        """
        self.ensure_one()
        self.check_system_mail_access()
        address = (address or self.system_mail_address or "").strip()
        return self.env["system.mail.connect"].open_dialog(
            {"company_id": self.id, "address": address}
        )

    def action_system_mail_connect_backup(self, backup=None):
        """Open the connect dialog for a further mailbox.

        :param backup: the ``system.mail.backup``; None: a new one
        """
        self.ensure_one()
        self.check_system_mail_access()
        values = {"company_id": self.id, "is_backup": True}
        if backup:
            values |= {"backup_id": backup.id, "address": backup.address}
        return self.env["system.mail.connect"].open_dialog(values)

    def _system_mail_connect(self, address, server_values, tokens=None):
        """Try an account and, if it works, make it the company's System Mail. Where the address is
        the same as before, the server keeps its record and its history.

        :param dict server_values: fields of ``ir.mail_server``
        :param Tokens tokens: from a sign-in; None for a password
        :return: why it failed and what that means; None if it worked
        :rtype: tuple[Failure, Decision] | None
        """
        self.ensure_one()
        self.check_system_mail_access()
        names = "system_mail_address", "system_mail_server_id"
        return self.system_mail_try(self, names, address, server_values, tokens)

    @api.private
    def system_mail_try(self, holder, names, address, server_values, tokens):
        """Try an account and, if it works, give it to the record that keeps the mailbox.

        :param holder: the record: a company, or a ``system.mail.backup``
        :param names: the names of its fields for the address and for the server
        """
        address = (address or "").strip()
        values = {
            "name": self.env._("System Mail %(address)s", address=address),
            "from_filter": address,
            "smtp_authentication": "login",
            "active": True,
            **server_values,
        }
        address_name, server_name = names
        same = address == holder[address_name]
        old = holder.sudo().with_context(active_test=False)[server_name]
        with contextlib.suppress(TryFailed), self.env.cr.savepoint():
            server = old if same and old else old.create({**values, **NEW_SERVER})
            holder.write({address_name: address, server_name: server.id})
            trouble = server.system_mail_set_up(values, tokens)
            if trouble:
                raise TryFailed
            (old - server).system_mail_drop_unused()
            return None
        clear_caches(self.env)  # they may hold what was rolled back
        return trouble

    @api.private
    def system_mail_send_test(self, recipient, server=None):
        """Send a test message by one mailbox of System Mail only, and log it.

        :param str recipient: an e-mail address
        :param server: the ``ir.mail_server`` of the mailbox; by default, of the first one
        :return: the From that was sent, and a sentence on the problem; one of them is empty
        :rtype: tuple[str, str]
        """
        self.ensure_one()
        self.check_system_mail_access()
        policy = self.system_mail_policies().get(self.id)
        mailbox = policy and policy.mailbox(server.id if server is not None else policy.server_id)
        if not mailbox:
            return "", self.env._("System Mail is not connected: connect it first.")
        address = email_normalize(recipient)
        if not address:
            return "", self.env._(
                "“%(address)s” is not an e-mail address: nothing was sent.", address=recipient
            )
        servers = self.env["ir.mail_server"]
        run = SendRun(servers, policy, Treatment(True, True, False, ""), raise_exception=True)
        message = servers._build_email__(
            email_from=formataddr((self.env.user.name, mailbox.address)),
            email_to=[address],
            subject=self.env._("System Mail test"),
            body=self.env._(
                "System Mail of %(company)s works: this message came from it.", company=self.name
            ),
        )
        problem = ""
        try:
            session = run.system_session(mailbox)
            servers.send_email(message, smtp_session=session)
        except (Undelivered, MailDeliveryException) as exc:
            problem = str(exc) if isinstance(exc, Undelivered) else str(exc.__context__)
        finally:
            run.close()
        sent_from = "" if problem else run.sent_from.get(mailbox, "")
        self.env["system.mail.event"].sudo().create(
            {
                "kind": "test",
                "company_id": self.id,
                "user_id": self.env.uid,
                "server_id": mailbox.server_id,
                "server_name": mailbox.address,
                "message_id": message["Message-Id"],
                "recipient_count": 0 if problem else 1,
                "original_from": str(message["From"]),
                "sent_from": sent_from or False,
                "note": problem or self.env._("A test message was sent."),
            }
        )
        return sent_from, problem

    def action_system_mail_disconnect(self):
        """Delete System Mail's server and credentials; keep the address, to connect it again."""
        self.check_system_mail_access()
        self.system_mail_forget()
        return {"type": "ir.actions.client", "tag": "reload"}

    def action_system_mail_test(self):
        """Open the dialog that sends a test message."""
        self.ensure_one()
        self.check_system_mail_access()
        wizard = self.env["system.mail.test"].create({"company_id": self.id})
        return wizard.reopen()

    def action_system_mail_drill(self):
        """Open the dialog that tries the fallback with one real notification to the user."""
        self.ensure_one()
        self.check_system_mail_access()
        return self.env["system.mail.drill"].create({"company_id": self.id}).reopen()

    def action_system_mail_run_drill(self):
        """Try the fallback at once, if the user has an e-mail address; else ask for one."""
        self.ensure_one()
        self.check_system_mail_access()
        drill = self.env["system.mail.drill"].create({"company_id": self.id})
        return drill.action_send() if drill.recipient else drill.reopen()
