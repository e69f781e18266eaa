import contextlib
import re

from odoo import api, fields, models
from odoo.exceptions import AccessError, ConcurrencyError, ValidationError
from odoo.tools import email_normalize

from ...connect.detection import PATIENCE
from ...constants import MASK
from ...models.accounts.res_company import TryFailed
from ...providers import known_at
from ...tools.addresses import is_plain
from ...tools.encrypted import Encrypted, in_clear
from ...tools.own_cursor import own_environment
from ...tools.reasons import reason_of, remedy_of

PORTS = {"none": 25, "starttls": 587, "starttls_strict": 587, "ssl": 465, "ssl_strict": 465}
HOST = re.compile(r"[^\s/@:]+|[0-9A-Fa-f:]+")
LONGEST_PASSWORD = 4096
"""Characters. Some people use an access token as the password: these have about 2,000."""
PASSWORD = "password"  # noqa: S105
OF_PASSWORD = ("password", "reconnect", "app_password")
"""What a new password mends."""
ACCOUNT = ("smtp_host", "smtp_port", "smtp_encryption", "smtp_user")


class SystemMailConnect(models.TransientModel):
    """The connect dialog, for a company's System Mail or for a user's own mailbox. It tries the
    account first, and changes the mailbox only if that works.
    """

    _name = "system.mail.connect"
    _description = "Connect a Mailbox"

    company_id = fields.Many2one("res.company", ondelete="cascade", readonly=True)
    is_backup = fields.Boolean(readonly=True, help="It is a further mailbox of System Mail.")
    backup_id = fields.Many2one(
        "system.mail.backup", ondelete="cascade", readonly=True, help="Empty until it works."
    )
    user_id = fields.Many2one("res.users", "Owner", ondelete="cascade", readonly=True)
    address = fields.Char()
    replaced_address = fields.Char(compute="_compute_replaced_address")
    service_name = fields.Char(readonly=True)
    app_password = fields.Boolean(readonly=True)
    method = fields.Selection("_methods", "Connect By", default=PASSWORD, required=True)
    smtp_host = fields.Char("SMTP Server")
    smtp_encryption = fields.Selection(
        "_encryptions", "Encryption", default="starttls_strict", required=True
    )
    smtp_port = fields.Integer(
        "Port", compute="_compute_smtp_port", store=True, readonly=False, precompute=True
    )
    smtp_user = fields.Char("User")
    smtp_pass = fields.Char("Password", compute="_compute_smtp_pass", inverse="_inverse_smtp_pass")
    secret = Encrypted(groups=fields.NO_ACCESS)
    keeps_password = fields.Boolean(compute="_compute_keeps_password")
    password_hint = fields.Char(compute="_compute_keeps_password")
    password_page = fields.Char(compute="_compute_password_page")
    shows_server = fields.Boolean("Show Server and User")
    is_short = fields.Boolean(compute="_compute_is_short", help="It asks for the password only.")
    clash = fields.Char(compute="_compute_clash", help="Whose the address is as well.")
    person_behind = fields.Char(compute="_compute_clash", help="Whose account it signs in with.")
    must_accept = fields.Boolean(compute="_compute_clash")
    accepts_clash = fields.Boolean("Use this address anyway")
    limit_minute = fields.Integer("Recipients a Minute")
    limit_day = fields.Integer("Recipients a Day")
    runs_drill = fields.Boolean(
        readonly=True, help="It sets System Mail up: the drill at its end runs by itself."
    )
    stopped_attempt = fields.Char(readonly=True, help="The attempt that its user stopped.")
    state = fields.Selection(
        [("draft", "Draft"), ("failed", "Failed"), ("connected", "Connected")], default="draft"
    )
    problem = fields.Char(readonly=True)
    remedy = fields.Char(readonly=True)
    remedy_page = fields.Char("Next Step", readonly=True)
    answer = fields.Char("Provider's Answer", readonly=True)

    @api.model
    def _encryptions(self):
        field = self.env["ir.mail_server"]._fields["smtp_encryption"]
        return field._description_selection(self.env)

    @api.model
    def _methods(self):
        """The ways to connect: by password, or with a provider, whose id is the key. ``offered``
        has those of one dialog.
        """
        # pylint: disable-next=no-search-all
        providers_sudo = self.env["system.mail.oauth.provider"].sudo().search([])
        return [
            (PASSWORD, self.env._("User name and password")),
            *(
                (str(provider.id), self.env._("Sign in with %(name)s", name=provider.name))
                for provider in providers_sudo
                if not provider.is_application()
            ),
            # the names of those that come with the addon are words of it
            *((str(provider.id), self.env._(provider.name)) for provider in self._applications()),
        ]

    @api.constrains("company_id", "backup_id", "user_id", "method")
    def _check_target(self):
        """:raises AccessError: the current user may not connect this mailbox"""
        for dialog in self:
            if dialog.company_id or dialog.is_backup or dialog.backup_id:
                dialog.company_id.check_system_mail_access()
            elif dialog.user_id != self.env.user and not dialog._connects_for_other():
                raise AccessError(self.env._("Only its owner can connect a personal mailbox."))
            if dialog._provider().is_application() and not dialog._may_use_applications():
                raise AccessError(  # the ORM does not check such a selection
                    self.env._("Only Super Users connect mailboxes as an application.")
                )

    @api.model
    @api.private
    def open_dialog(self, values):
        """Create a dialog, detect the provider of its address, and open it.

        :param dict values: fields of the dialog
        :return: an action
        :rtype: dict
        """
        dialog = self.create({**values, **self._outage_of(values.get("user_id"))})
        mistyped = dialog.address and dialog.company_id and not is_plain(dialog.address.strip())
        if dialog.address and not mistyped:
            dialog._propose(PATIENCE)
        else:
            dialog.asks_address = True
            if mistyped:
                dialog._show_failure(dialog._not_plain())
            dialog.runs_drill = bool(dialog.company_id) and not dialog.is_backup
        health_sudo = dialog._server(dialog.address).sudo().system_mail_health_ids
        dialog.shows_server = health_sudo.rule and health_sudo.remedy_key not in OF_PASSWORD
        return dialog.reopen()

    def _present(self):
        """The address and the server of System Mail's mailbox that are in use now."""
        if self.is_backup:
            return self.backup_id.address, self.backup_id.server_id
        return self.company_id.system_mail_address, self.company_id.system_mail_server_id

    @api.private
    def reopen(self):
        """The action that shows this dialog."""
        return {
            "type": "ir.actions.act_window",
            "name": self._title(),
            "res_model": self._name,
            "res_id": self.id,
            "views": [(False, "form")],
            "target": "new",
            "context": {"dialog_size": "medium"},
        }

    def _title(self):
        if self.is_backup:
            return self.env._("Connect a Further Mailbox")
        is_known = bool(self.state != "connected" and self._server(self.address))
        if self.company_id and is_known:
            return self.env._("Reconnect System Mail")
        if self.company_id:
            return self.env._("Connect System Mail")
        if self.is_of_other:
            return self.env._("Connect the Mailbox of %(name)s", name=self.user_id.name)
        if is_known:
            return self.env._("Reconnect Your Mailbox")
        return self.env._("Connect Your Mailbox")

    # --- what is shown

    @api.depends("company_id", "backup_id", "user_id")
    def _compute_replaced_address(self):
        """The address that this dialog replaces. It doesn't depend on the typed address, or the
        form would move while somebody types or clicks.
        """
        for wizard in self:
            address, server = wizard._present() if wizard.company_id else (False, False)
            is_replaced = server and address and address != wizard.address
            wizard.replaced_address = address if is_replaced else False

    @api.depends("address", "company_id", "smtp_user")
    def _compute_clash(self):
        for wizard in self:
            wizard._check_target()
            company, address = wizard.company_id, (wizard.address or "").strip()
            wizard.person_behind = bool(company) and company.system_mail_person_behind(
                address, wizard.smtp_user
            )
            taken = bool(company) and company.system_mail_clash_of(address)
            wizard.must_accept = bool(taken)
            wizard.clash = taken or (bool(company) and company.system_mail_free_domain(address))

    @api.depends("smtp_encryption")
    def _compute_smtp_port(self):
        for wizard in self:
            if wizard.smtp_port in {0, *PORTS.values()}:
                wizard.smtp_port = PORTS.get(wizard.smtp_encryption)

    def _compute_smtp_pass(self):
        for wizard in self:
            wizard.smtp_pass = MASK if wizard.sudo().secret else False

    def _inverse_smtp_pass(self):
        for wizard in self.filtered(lambda wizard: wizard.smtp_pass != MASK):
            password = wizard.smtp_pass or ""
            # one character too many, so that _check_account sees that it was too long
            wizard.sudo().secret = password[: LONGEST_PASSWORD + 1]
        self.invalidate_recordset(["smtp_pass"])  # or the user who wrote it could read it

    @api.depends("address", *ACCOUNT)
    def _compute_keeps_password(self):
        """Keep the stored password only for the same server and user: it must not be sent to
        another server.
        """
        for wizard in self:
            server_sudo = wizard._server(wizard.address).sudo()
            stored = server_sudo.smtp_pass or server_sudo.system_mail_password
            login = server_sudo.system_mail_login or server_sudo.smtp_user
            wizard.keeps_password = (
                bool(stored)
                and wizard.smtp_user == login
                and all(wizard[name] == server_sudo[name] for name in ACCOUNT[:3])
            )
            health = server_sudo.system_mail_health_ids
            if wizard.keeps_password and health.remedy_key in OF_PASSWORD:
                wizard.password_hint = self.env._("The new password")
            elif wizard.keeps_password:
                wizard.password_hint = self.env._("Unchanged")
            elif wizard.app_password:
                wizard.password_hint = self.env._(
                    "%(service)s wants an app password", service=wizard.service_name
                )
            else:
                wizard.password_hint = self.env._("Password or app password")

    @api.depends("app_password", "smtp_host")
    def _compute_password_page(self):
        """Where the provider makes app passwords, if it wants one."""
        for dialog in self:
            provider, _server = known_at(dialog._sending_host())
            is_known = dialog.app_password and provider
            dialog.password_page = is_known and provider.pages.get("app_password")

    @api.depends("method", "keeps_password", "shows_server")
    def _compute_is_short(self):
        for dialog in self:
            known = dialog.method == PASSWORD and dialog.keeps_password
            dialog.is_short = known and not dialog.shows_server

    def _server(self, address):
        """The ``ir.mail_server`` that already has this address; empty if there is none."""
        self._check_target()  # no constraint looks at a dialog that is not saved
        server = self.env["ir.mail_server"]
        if self.user_id:
            own_sudo = server.sudo().search([("owner_user_id", "=", self.user_id.id)])
            same = own_sudo.from_filter == email_normalize(address or "")
            return own_sudo if same else server.sudo()
        present_address, present_server = self._present()
        same = address and address.strip() == present_address
        return present_server if same else server

    # --- trying the account

    def action_connect(self):
        """Try the account and, if it works, connect the mailbox. Show the result.

        ``system_mail_attempt`` of the context names the attempt, for ``action_stop``.
        """
        self.ensure_one()
        if self._is_stopped():
            return False
        try:
            self._check_address()
            if self._provider().is_application():
                self._check_application()
                values = self._oauth_server_values()
            else:
                self._check_account()
                values = self._server_values()
            trouble = self._try(values)
        except ValidationError as exc:
            self.shows_server = True
            return self._show_failure(str(exc))
        with own_environment(self.env) as env:  # sees what others wrote meanwhile
            if self.with_env(env(context=self.env.context))._is_stopped():
                raise ConcurrencyError("Its user stopped it.")  # Odoo rolls back, and tries again
        return self._show_outcome(trouble)

    def action_stop(self, attempt):
        """Have an attempt to connect, which another request is busy with, change nothing.

        That request also writes to this dialog at its end. If both write at the same time,
        PostgreSQL refuses the later one: Odoo rolls it back and runs it again, and it sees that it
        is over.

        :param str attempt: as in the context of ``action_connect``
        :return: the action that shows the dialog if it was too late, or False
        """
        self.ensure_one()
        self._check_target()
        if self.state == "connected":
            return self.reopen()
        self.stopped_attempt = attempt
        return False

    def _is_stopped(self):
        """Whether the user stopped the attempt that the context names."""
        attempt = self.env.context.get("system_mail_attempt")
        return bool(attempt) and self.stopped_attempt == attempt

    def _try(self, values, tokens=None):
        """Try the account and, if it works, use it.

        :param dict values: fields of ``ir.mail_server``
        :param tokens: as of ``_system_mail_connect`` of ``res.company``, whose result this returns
        """
        if self.is_backup and not self.backup_id:
            return self._try_new_backup(values, tokens)
        holder = self.backup_id or self.company_id or self.user_id
        return holder._system_mail_connect(self.address, values, tokens)

    def _try_new_backup(self, values, tokens):
        """The same for a new further mailbox of System Mail: it is created only if it works."""
        trouble, address = None, self.address.strip()
        accepts = self.accepts_clash and self.company_id.system_mail_clash_of(address)
        with contextlib.suppress(TryFailed), self.env.cr.savepoint():
            self.backup_id = self.env["system.mail.backup"].create(
                {
                    "company_id": self.company_id.id,
                    "address": address,
                    "accepted_clash": accepts and address,
                }
            )
            trouble = self.backup_id._system_mail_connect(address, values, tokens)
            if trouble:
                raise TryFailed
        return trouble

    def _show_outcome(self, trouble):
        """Show the result of trying the account.

        :param trouble: what ``_try`` returned
        """
        if self.domain_subject != self._domain_subject():
            self._forget_domain()
        self._propose_https(trouble)
        if trouble and self._hides_internal_servers(*trouble):
            self.shows_server = True
            return self._show_failure(*self._no_public_server())
        if trouble:
            failure, decision = trouble
            self.shows_server |= decision.remedy not in OF_PASSWORD
            problem = self._sentence(reason_of(self.env, failure, decision))
            page = self._remedy_page(decision)
            return self._show_failure(problem, self._remedy(failure, decision), failure.text, page)
        self._store_limits()
        self._look_at_reach()
        self.sudo().secret = False
        nothing = dict.fromkeys(("problem", "remedy", "remedy_page", "answer"), False)
        self.write({"state": "connected", **nothing})
        return self.reopen()

    def _store_limits(self):
        if self.backup_id:
            self.backup_id.write({"limit_minute": self.limit_minute, "limit_day": self.limit_day})
        elif self.company_id:
            self.company_id.write(
                {
                    "system_mail_limit_minute": self.limit_minute,
                    "system_mail_limit_day": self.limit_day,
                }
            )

    def _show_failure(self, problem, remedy="", answer="", page=""):
        self.write(
            {
                "state": "failed",
                "problem": problem,
                "remedy": remedy,
                "remedy_page": page,
                "answer": answer,
            }
        )
        return self.reopen()

    def _check_address(self):
        """Check the address and the limits before the account is tried.

        :raises ValidationError: with a sentence on what is wrong
        """
        address = (self.address or "").strip()
        if not address:
            raise ValidationError(self.env._("Type the address to send from."))
        if not is_plain(address):
            raise ValidationError(self._not_plain())
        clash = self.company_id and self.company_id.system_mail_clash_of(address)
        if clash and self.accepts_clash:
            self._accept_clash(address)
        elif clash:
            raise ValidationError(
                self.env._(
                    "%(clash)s System Mail needs a neutral address: type another one, or tick "
                    "“Use this address anyway”.",
                    clash=clash,
                )
            )
        if min(self.limit_minute, self.limit_day) < 0:
            raise ValidationError(self.env._("A limit is a number of recipients; 0 is no limit."))

    def _accept_clash(self, address):
        """Store that a Super User accepts that others read or write at this address."""
        if self.backup_id:
            self.backup_id.accepted_clash = address
        elif not self.is_backup:
            self.company_id.system_mail_accepted_clash = address

    def _not_plain(self):
        return self.env._(
            "“%(address)s” can't be connected. Type one plain address, such as hello@company.com.",
            address=(self.address or "").strip(),
        )

    def _check_account(self):
        """Check the server and the password before the account is tried.

        :raises ValidationError: with a sentence on what is wrong
        """
        self._check_public_port()
        if not HOST.fullmatch((self.smtp_host or "").strip()):
            raise ValidationError(
                self.env._(
                    "“%(host)s” is not the name of a server: it looks like smtp.company.com.",
                    host=self.smtp_host or "",
                )
            )
        if not 0 < self.smtp_port < 2**16:
            raise ValidationError(
                self.env._(
                    "%(port)s is not a port. Use a number from 1 to 65535, usually 587 or 465.",
                    port=self.smtp_port,
                )
            )
        secret = in_clear(self.sudo(), "secret") or ""
        if len(secret) > LONGEST_PASSWORD:
            self.sudo().secret = False
            raise ValidationError(
                self.env._(
                    "The password is longer than %(most)s characters: that is no password of a "
                    "mailbox. Copy it again.",
                    most=LONGEST_PASSWORD,
                )
            )
        if self.smtp_user and not secret and not self.keeps_password:
            raise ValidationError(
                self.env._("Type the password: what is stored is for another server or user.")
                if self._server(self.address)
                else self.env._("Type the password of %(user)s.", user=self.smtp_user)
            )

    @staticmethod
    def _sentence(reason):
        return f"{reason[:1].upper()}{reason[1:]}."

    def _remedy(self, failure, decision):
        """Say what to do in this dialog, which tries nothing again by itself."""
        again = self.env._("Wait a minute and press Connect again.")
        unreachable = self.env._("Check the server name and the port, then press Connect again.")
        password = (
            self.env._("Check the password, then press Connect again.")
            if self.is_short
            else self.env._("Check the user name and the password, then press Connect again.")
        )
        if self._wants_app_password(decision):
            password = self.env._(
                "%(service)s wants an app password: create one in the account's security settings, "
                "and type it in place of the usual password.",
                service=self.service_name,
            )
        return {
            "none": again,
            "unavailable": again if failure.code else unreachable,  # silent: often a wrong port
            "quota": self.env._("The daily limit is reached: press Connect again when it resets."),
            "unreachable": unreachable,
            "password": password,
            "reconnect": password,
            "app_password": password,
        }.get(decision.remedy, remedy_of(self.env, decision))

    def _remedy_page(self, decision):
        """Where the provider of the server lets an owner do that, or nothing."""
        provider, _server = known_at(self._sending_host())
        remedy = "app_password" if self._wants_app_password(decision) else decision.remedy
        return provider.pages.get(remedy, "") if provider else ""

    def _wants_app_password(self, decision):
        return self.app_password and decision.remedy in OF_PASSWORD

    def _server_values(self):
        login = (self.smtp_user or "").strip()
        values = {
            "smtp_authentication": "login",
            "smtp_host": self.smtp_host.strip(),
            "smtp_port": self.smtp_port,
            "smtp_encryption": self.smtp_encryption,
            "smtp_user": login or False,
            "system_mail_login": login or False,
            "system_mail_provider_id": False,
            **self._https_values(),
        }
        secret = in_clear(self.sudo(), "secret")
        if secret or not values["smtp_user"]:
            values |= {"system_mail_password": secret, "smtp_pass": False}
        return values

    def action_drill(self):
        """Try the fallback with the System Mail that has just been connected."""
        self.ensure_one()
        self.runs_drill = False
        reach = {"default_reach": self.reach, "default_reach_is_wide": self.reach_is_wide}
        if self.backup_id:
            return self.backup_id.with_context(**reach).action_drill()
        action = self.company_id.with_context(**reach).action_system_mail_run_drill()
        return {**action, "context": {"system_mail_is_new": True}}

    def action_test(self):
        """Open the dialog that sends a test message."""
        self.ensure_one()
        test = self.env["system.mail.test"].create(
            {
                "company_id": self.company_id.id,
                "backup_id": self.backup_id.id,
                "user_id": self.user_id.id,
            }
        )
        return test.reopen()
