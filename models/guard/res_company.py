import contextlib
import itertools
import re

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.fields import Domain
from odoo.tools import email_domain_extract, email_normalize, escape_psql
from odoo.tools.mail import email_normalize_all

from ...constants import GROUP
from ...tools.changes import change

_QUOTED_PAIR = re.compile(r"\\(.)")


def _as_sent(address):
    """The form of an address that mail servers take for the same: no quotes around the local part
    (RFC 5321 4.1.2), no dot at the end of the domain, and there no letters but ASCII's.
    """
    local, _at, domain = address.rpartition("@")
    if len(local) > 1 and local[0] == local[-1] == '"':
        local = _QUOTED_PAIR.sub(r"\1", local[1:-1])
    with contextlib.suppress(UnicodeError):
        domain = domain.encode("idna").decode()
    return f"{local}@{domain.rstrip('.')}"


class ResCompany(models.Model):
    """Keeps System Mail's address apart from people's own addresses. If a person had it, mail could
    leave from the wrong account, and that person would read replies meant for others.
    """

    _inherit = "res.company"

    system_mail_accepted_clash = fields.Char(
        "Risk Accepted For",
        groups=GROUP,
        copy=False,
        help="The address that a Super User accepts although it is somebody's own.",
    )
    system_mail_clash = fields.Char(
        compute="_compute_system_mail_clash",
        groups=GROUP,
        help="Whose the address is as well, or what else speaks against it.",
    )

    @api.depends("system_mail_address", "system_mail_server_id")
    def _compute_system_mail_clash(self):
        for company in self:
            server_sudo = company.sudo().system_mail_server_id
            login = server_sudo.system_mail_login or server_sudo.smtp_user
            company.system_mail_clash = self.system_mail_objection(
                company.system_mail_address, login
            )

    @api.model
    @api.private
    def system_mail_objection(self, address, login):
        """Say in a sentence what speaks against an address for System Mail; empty if nothing does.

        :param str login: what its mailbox signs in with, at its provider
        """
        return (
            self.system_mail_clash_of(address)
            or self.system_mail_free_domain(address)
            or self.system_mail_person_behind(address, login)
        )

    @api.constrains("system_mail_address", "system_mail_accepted_clash")
    def _check_system_mail_clash(self):
        for company in self.filtered("system_mail_address"):
            self.check_system_mail_is_neutral(
                company.system_mail_address, company.system_mail_accepted_clash
            )

    @api.model
    @api.private
    def check_system_mail_is_neutral(self, address, accepted):
        """Check that an address for System Mail is nobody's own.

        :param str accepted: the address whose risk a Super User accepted, if any
        :raises ValidationError: it is somebody's, and that is not accepted
        """
        if address.lower() == (accepted or "").lower():
            return
        if clash := self.system_mail_clash_of(address):
            raise ValidationError(
                self.env._(
                    "%(clash)s System Mail needs a neutral address, such as hello@company.com. "
                    "If you accept that others read or write there, say so in the connect "
                    "dialog.",
                    clash=clash,
                )
            )

    @api.model
    @api.private
    def system_mail_clash_of(self, address):
        """Say in a sentence who or what already uses an address; empty if nobody does.

        :rtype: str
        """
        address = email_normalize(address or "")
        if not address:
            return ""
        return (
            self._system_mail_person_of(address)
            or self._system_mail_employee_of(address)
            or self._system_mail_alias_of(address)
        )

    @api.model
    @api.private
    def system_mail_person_behind(self, address, login):
        """Say in a sentence that System Mail signs in as a person; empty if it does not.

        :param str login: what it signs in with, at its provider
        """
        login = email_normalize(login or "")
        if not login or login == email_normalize(address or ""):
            return ""
        person = self._system_mail_person_of(login) or self._system_mail_employee_of(login)
        return person and self.env._(
            "%(person)s System Mail logs in to that account: its mail may land in that Sent "
            "folder, and it stops when the account ends or its password changes. Give it a mailbox "
            "of its own, or connect it as an application at its own address.",
            person=person,
        )

    @api.model
    def _system_mail_person_of(self, address):
        users_sudo, escaped = self.env["res.users"].sudo(), escape_psql(address)
        # two searches: no index serves both conditions at once
        user = users_sudo.search([("login", "=ilike", escaped)], limit=1)
        if user := user or users_sudo.search([("email_normalized", "=", address)], limit=1):
            return self.env._(
                "%(address)s is the address of the user %(name)s.", address=address, name=user.name
            )
        servers_sudo = self.env["ir.mail_server"].sudo()
        own = Domain("owner_user_id", "!=", False)
        own &= Domain("from_filter", "ilike", escaped) | Domain("smtp_user", "=ilike", escaped)
        for server in servers_sudo.search(own):
            addresses = [*server._parse_from_filter(server.from_filter), server.smtp_user or ""]
            if address not in map(str.lower, addresses):
                continue
            return self.env._(
                "%(address)s is the personal mailbox of %(name)s.",
                address=address,
                name=server.owner_user_id.name,
            )
        return ""

    @api.model
    def _system_mail_employee_of(self, address):
        if "hr.employee" not in self.env:
            return ""
        employees_sudo = self.env["hr.employee"].sudo()
        theirs = Domain("work_email", "=", address) | Domain("private_email", "=", address)
        if employee := employees_sudo.search(theirs, limit=1):
            return self.env._(
                "%(address)s is the address of the employee %(name)s.",
                address=address,
                name=employee.name,
            )
        return ""

    @api.model
    def _system_mail_alias_of(self, address):
        """Say which alias, catchall or bounce address of Odoo an address is. The default sender of
        an alias domain is allowed: it is nobody's own.
        """
        for domain in self.env["mail.alias.domain"].sudo().search([("name", "!=", False)]):
            if address in (domain.catchall_email, domain.bounce_email):
                return self.env._(
                    "%(address)s is where Odoo receives replies or bounces for %(domain)s.",
                    address=address,
                    domain=domain.name,
                )
        if self.env["mail.alias"].sudo().search_count([("alias_full_name", "=", address)], limit=1):
            return self.env._(
                "%(address)s is an alias: what is written to it creates documents in Odoo.",
                address=address,
            )
        return ""

    @api.model
    @api.private
    def system_mail_free_domain(self, address):
        """Warn of an address where anybody can get one, such as gmail.com; empty otherwise."""
        domain = email_domain_extract(address or "")
        services = self.env["system.mail.oauth.provider"].sudo().all_services()
        if not domain or not any(domain in service.domains for service in services):
            return ""
        return self.env._(
            "Anybody can get an address at %(domain)s. Recipients may take a message from there "
            "for private mail or for fraud. An address of your company's own domain is better.",
            domain=domain,
        )

    @api.model
    @api.private
    def system_mail_own_domains(self):
        """The domains in which only the companies give addresses: those of their own addresses, of
        System Mail's and of Odoo's aliases, without those that are open to everybody.

        :rtype: set[str]
        """
        companies_sudo = self.sudo().search_fetch([], ["email", "system_mail_address"])
        # pylint: disable-next=no-search-all
        backups_sudo = self.env["system.mail.backup"].sudo().search([])
        addresses = {
            *companies_sudo.mapped("email"),
            *companies_sudo.mapped("system_mail_address"),
            *backups_sudo.mapped("address"),
        }
        domains = {
            email_domain_extract(a) for a in addresses if not self.system_mail_free_domain(a)
        }
        aliases_sudo = self.env["mail.alias.domain"].sudo().search([("name", "!=", False)])
        return {*domains, *map(str.lower, aliases_sudo.mapped("name"))} - {False, ""}

    @api.model
    @api.private
    @contextlib.contextmanager
    def system_mail_log_own_domains(self):
        """Log whether other domains are the companies' own after the block, in each company with a
        System Mail: people there count as colleagues.
        """
        before = self.system_mail_own_domains() if self.system_mail_policies() else None
        yield
        if before is not None and (after := self.system_mail_own_domains()) != before:
            label = self.env._("The companies' own domains")
            domains = (", ".join(sorted(found)) for found in (before, after))
            self.env["system.mail.event"].note_change_for_all(change(label, *domains))

    @api.model
    @api.private
    def check_system_mail_not_taken(self, addresses, name):
        """Check that none of a person's new addresses is one of System Mail's. A Super User can
        accept that risk for an address.

        :param addresses: e-mail addresses, each as it was typed
        :param str name: the person, for the message
        :raises ValidationError: one of them is a company's System Mail address
        """
        taken = {
            _as_sent(mailbox.address): policy
            for policy in self.system_mail_policies().values()
            for mailbox in policy.mailboxes
            if not mailbox.is_clash_accepted
        }
        if not taken:
            return
        # parse each one separately: an open quote in one would hide the next
        given = itertools.chain(*map(email_normalize_all, filter(None, addresses)))
        for address in filter(taken.get, map(_as_sent, given)):
            if not self.env.user._is_internal():  # a visitor who signs up
                raise ValidationError(
                    self.env._("%(address)s can't be used. Choose another one.", address=address)
                )
            raise ValidationError(
                self.env._(
                    "%(address)s is System Mail's address at %(company)s: it cannot be the "
                    "address of %(name)s as well. Choose another one.",
                    address=address,
                    company=taken[address].company_name,
                    name=name,
                )
            )
