from odoo import api, models
from odoo.exceptions import AccessError
from odoo.fields import Domain

from odoo.addons.mail.tools.discuss import Store

from ...constants import GROUP
from ...sending.ledger import writes_for_others
from .mail_mail_queue import HELD_MAIL, UNDECIDED, WAITING_MAIL

TAKEN = {
    *("subject", "body", "attachment_ids", "author_id", "email_from", "reply_to"),
    *("model", "res_id", "parent_id"),
}
"""What a mail takes from its message, and where that is."""


class MailMessage(models.Model):
    _inherit = "mail.message"

    @api.model_create_multi
    def create(self, vals_list):
        """A module may give a message that names no server the first one of its company, as OCA's
        mail_multicompany does: where that is System Mail's, Odoo chooses, as if there was none.
        """
        open_choices = [not vals.get("mail_server_id") for vals in vals_list]
        messages = super().create(vals_list)
        if reserved := self.env["res.company"].system_mail_server_ids():
            for message_sudo, is_open in zip(messages.sudo(), open_choices, strict=True):
                if is_open and message_sudo.mail_server_id.id in reserved:
                    message_sudo.mail_server_id = False
        return messages

    def write(self, vals):
        """Odoo lets everybody write to a message that was sent to them. A mail takes its subject,
        sender and attachments from there; its company decides who may know why it was not sent.
        """
        if TAKEN & vals.keys():  # a constraint sees only what is an alert afterwards
            self.sudo().system_mail_check_alerts()
            self.sudo().system_mail_check_place(vals)
        if not self.env.su or TAKEN & vals.keys():
            self._system_mail_check_undecided()
        is_moved = "record_company_id" in vals and not self.env.su
        if is_moved and self.env["res.company"].system_mail_policies():
            self._system_mail_check_decision()
        return super().write(vals)

    def unlink(self):
        """Odoo deletes the mail with its message, and messages with their document."""
        self._system_mail_check_undecided()
        return super().unlink()

    def _system_mail_check_undecided(self):
        """Check and log as for mails, where mail of these messages is held or waits.

        :raises AccessError: the current user may not decide on it
        """
        companies, servers = self.env["res.company"], self.env["ir.mail_server"]
        if servers.system_mail_run() or not companies.system_mail_policies():
            return  # no query: Odoo deletes messages of healthy mail too
        mails_sudo = self.env["mail.mail"].sudo()
        undecided_sudo = mails_sudo.search(Domain("mail_message_id", "in", self.ids) & UNDECIDED)
        undecided_sudo.with_env(self.env)._system_mail_check_undecided()

    def action_system_mail_send_again(self):
        """Send again what may have been delivered: whoever clicks accepts a second copy.

        :return: the action that tells what became of it
        """
        mails = self._system_mail_held_mails()
        mails._system_mail_log_decision(self.env._("Tried again what may have been delivered"))
        return mails.system_mail_send_again()

    def action_system_mail_drop(self):
        """Leave it at that: it may have been delivered, and nothing more is sent."""
        mails = self._system_mail_held_mails()
        mails._system_mail_log_decision(self.env._("Dropped what may have been delivered"))
        return mails.system_mail_drop()

    def action_system_mail_send_now(self):
        """Try at once what waits for its next try.

        :return: the action that tells what became of it
        """
        mails = self._system_mail_mails(WAITING_MAIL)
        mails._system_mail_log_decision(self.env._("Tried at once what waited for its next try"))
        return mails.system_mail_send_again()

    def system_mail_outcome(self):
        """What became of these messages, for whoever had them sent.

        :return: ``{"text", "is_good", "store"}``; the last is what the web client keeps of those
            messages that the user may read
        :rtype: dict
        :raises AccessError: the current user may not decide on them
        """
        messages = self.exists()
        messages._system_mail_check_decision()
        mails = self.env["mail.mail"].sudo()
        left = mails.search(
            [("mail_message_id", "in", messages.ids), ("state", "in", ("outgoing", "exception"))]
        )
        marks = messages._filtered_access("read").notification_ids._filtered_for_web_client()
        return {
            "text": " ".join(left.system_mail_outcome_in_words(len(self))),
            "is_good": not left,
            "store": Store().add(marks).get_result(),
        }

    def _system_mail_hides_reasons(self, viewer):
        """Whether a user may not know why mail of the message was not sent: System Mail has to do
        with it, and they neither wrote it nor are Super Users.
        """
        policies = self.env["res.company"].system_mail_policies()
        if not policies or self._system_mail_may_decide(viewer):
            return False
        company = self._system_mail_company()
        return not company or company.id in policies

    def _system_mail_company(self):
        """The company whose System Mail is responsible: the record's, otherwise the writer's.
        Whoever posts can name any company, document and author. So the company that the message
        names counts where its writer works there. Where somebody writes for others, its document's
        does, and its author.

        :return: empty if it is unknown
        """
        company, writer = self.record_company_id, self.sudo().create_uid
        for_others = writes_for_others(writer)
        if company and not self._system_mail_works_in(writer, company):
            company = company.browse()
            if for_others:
                company = self._system_mail_document_company()
        author = self.author_id.main_user_id if for_others else writer
        return company or author.company_id or writer.company_id

    @staticmethod
    def _system_mail_works_in(writer, company):
        if company.id in writer._get_company_ids():
            return True
        return company in writer.with_context(active_test=False).company_ids  # an archived one

    def _system_mail_document_company(self):
        unknown, document_sudo = self.env["res.company"], self.system_mail_document()
        if not document_sudo:
            return unknown
        return document_sudo._mail_get_companies().get(self.res_id, unknown)

    @api.private
    def system_mail_document(self):
        """The document of the message, as superuser; None if there is none."""
        return self._system_mail_documents(self.model, [self.res_id])

    def _system_mail_documents(self, model, ids):
        """The records of a model that exist, as superuser; None if there are none. Whoever writes a
        message may name what has no table.
        """
        ids = [id_ for id_ in ids if id_]
        if model not in self.env or not self.env[model]._auto or not ids:
            return None
        return self.env[model].sudo().browse(ids).exists() or None

    @api.model
    @api.private
    def system_mail_check_documents(self, model, ids):
        """Check that the current user may read the documents that they name for new messages: the
        System Mail of their company sends the messages, within that company's limits.

        :raises AccessError: they may not
        """
        if self.env.su or not self.env["res.company"].system_mail_policies():
            return
        if model in self.env and self.env[model]._auto:
            self.env[model].check_access("read")  # or an error would tell which records there are
        if documents_sudo := self._system_mail_documents(model, ids):
            documents_sudo.sudo(False).check_access("read")

    def _system_mail_held_mails(self):
        return self._system_mail_mails(HELD_MAIL)

    def _system_mail_mails(self, domain):
        """The mails of these messages that are to be decided on.

        :raises AccessError: the current user may not decide on them
        """
        self.check_access("read")
        self._system_mail_check_decision()
        domain = Domain("mail_message_id", "in", self.ids) & domain
        return self.env["mail.mail"].sudo().search(domain)

    def _system_mail_check_decision(self):
        """:raises AccessError: the current user may not decide on the mail of these messages"""
        if not all(message._system_mail_may_decide(self.env.user) for message in self):
            raise AccessError(
                self.env._("Only who wrote it or a Super User decides on mail that was not sent.")
            )

    def _system_mail_may_decide(self, user):
        """Whether a user wrote the message or is a Super User of its company. Its author doesn't
        count: whoever can write to a message can name themselves.
        """
        self.ensure_one()
        if self.sudo().create_uid == user:
            return True
        return user.has_group(GROUP) and self._system_mail_company() <= user.company_ids
