from odoo import api, fields, models
from odoo.tools import email_domain_extract

from ...connect.detection import PATIENCE, detect
from ...providers import known_at
from ...tools.addresses import is_plain
from .system_mail_connect import PASSWORD, PORTS


class SystemMailConnectDetection(models.TransientModel):
    """Detects the provider of an address, and fills in the server and the way to connect."""

    _inherit = "system.mail.connect"

    wants_sign_in = fields.Boolean(readonly=True)
    provider_id = fields.Integer(readonly=True, help="The detected provider to sign in with.")
    service_host = fields.Char(readonly=True, help="The server of the detected service.")
    asks_address = fields.Boolean(readonly=True, help="The first step: only the address is asked.")
    detected = fields.Char(readonly=True, help="What the address says of its provider.")
    proposed = fields.Json(readonly=True, help="What was filled in for the address.")

    @api.onchange("address")
    def _onchange_address(self):
        """Detect the provider from the address. Only the button asks the DNS, which takes time."""
        if not self.asks_address:
            self._propose(0)

    def action_detect(self):
        """Detect the provider with the help of the DNS."""
        if not is_plain((self.address or "").strip()):
            return self._show_failure(self._not_plain())
        if self.asks_address:
            self.write({"asks_address": False, "state": "draft"})
        self._propose(PATIENCE)
        return self.reopen()

    def _propose(self, seconds):
        """Fill in what is known of the address, but keep what somebody typed.

        :param float seconds: the longest that the DNS may take; 0: don't ask it
        """
        address = (self.address or "").strip()
        services = self.env["system.mail.oauth.provider"].sudo().all_services()
        found = detect(address, services, seconds)
        service = found.service
        self._fill_in(self._proposal(address, service))
        self.provider_id = service.provider_id if service else 0
        self.service_name = service.name if service else False
        self.service_host = service.smtp_host if service else False
        self.app_password = bool(service and service.app_password)
        self.detected = self._describe_detected(address, found, asked=bool(seconds))
        self._propose_method(service)
        self._forget_domain()
        if seconds and found.looked_up and self.company_id and "@" in address:
            self._look_at_domain()

    @api.onchange("method")
    def _onchange_method_limits(self):
        """Propose the limits of a provider that was chosen, not detected."""
        services = self.env["system.mail.oauth.provider"].sudo().all_services()
        host = self._provider().smtp_host or self.service_host
        service = next((service for service in services if service.smtp_host == host), None)
        address = (self.address or "").strip()
        domain = email_domain_extract(address)
        self._fill_in(self._proposed_limits(self._server(address), service, domain))

    def _fill_in(self, values):
        """Fill in what is proposed, but keep what somebody typed.

        :param dict values: fields of this dialog
        """
        before, self.proposed = self.proposed or {}, {**(self.proposed or {}), **values}
        for name, value in values.items():
            if not self[name] or self[name] == before.get(name, self[name]):
                self[name] = value

    def _propose_method(self, service):
        """Choose how to connect: the way that is in use, else an application or a sign-in that is
        set up, else what takes the place of passwords, else by password.

        :param Service service: the detected one, or None
        """
        methods, others = self.offered, [key for key in self.offered if key != PASSWORD]
        signed_in_by = service and service.provider_id
        used = self._server(self.address).sudo().system_mail_provider_id
        application = service and self._ready_application(service.smtp_host)
        if str(used.id) in methods:
            self.method = str(used.id)
            self.by_https = self._server(self.address).sudo().system_mail_https
        elif application:
            self.method = str(application.id)
        elif self._has_client(signed_in_by):
            self.method = str(signed_in_by)
        elif self.wants_sign_in and others:
            self.method = str(signed_in_by) if str(signed_in_by) in others else others[0]
        elif instead := self._instead_of_password(service):
            self.method = instead
        elif self.method not in methods or not (service or self._provider().is_application()):
            self.method = PASSWORD

    def _instead_of_password(self, service):
        """The way to connect where the provider stops taking passwords, set up or not: as an
        application, otherwise by a sign-in. Empty if passwords stay, or nobody here can set it up.

        :param Service service: the detected one, or None
        """
        known, _server = known_at(service.smtp_host) if service else (None, None)
        if not (known and known.passwords_end):
            return ""
        applications = self._applications().filtered(
            lambda provider: provider.smtp_host == service.smtp_host
        )
        is_of_organisation = email_domain_extract(self.address) not in service.domains
        keys = [*applications.ids] if is_of_organisation else []
        return next(
            (str(key) for key in (*keys, service.provider_id) if str(key) in self.offered), ""
        )

    def _has_client(self, provider_id):
        """Whether people can sign in with a provider: a Super User has set up a client for it."""
        provider_sudo = self.env["system.mail.oauth.provider"].sudo().browse(provider_id or [])
        return bool(provider_sudo.client_id)

    def _describe_detected(self, address, found, asked):
        if self.wants_sign_in and self.offered == [PASSWORD]:
            return self.env._(
                "No sign-in is set up here. Ask a Super User to set one up, or connect by user "
                "name and password."
            )
        if found.service:
            return self.env._("Detected: %(service)s.", service=found.service.name)
        if not address or not asked:
            return False
        if not found.looked_up:
            return self.env._(
                "The provider of this address isn't known: the DNS did not answer. Type the server "
                "name."
            )
        if len(self.offered) == 1:
            return self.env._("The provider of this address isn't known. Check the server name.")
        return self.env._(
            "The provider of this address isn't known. Check the server name, or choose another "
            "way to connect."
        )

    def _proposal(self, address, service):
        """The account's settings: those in use, or those of the service, or usual ones.

        :rtype: dict
        """
        server = self._server(address)
        server_sudo = server.sudo()
        if server_sudo.system_mail_https:  # its server is none of SMTP
            server_sudo = server = server.browse()
        domain = email_domain_extract(address)
        host = service.smtp_host if service else domain and f"smtp.{domain}"
        encryption = service.smtp_encryption if service else "starttls_strict"
        port = service.smtp_port if service else PORTS[encryption]
        return {
            "smtp_host": server_sudo.smtp_host or host,
            "smtp_encryption": server_sudo.smtp_encryption if server else encryption,
            "smtp_port": server_sudo.smtp_port if server else port,
            "smtp_user": server_sudo.system_mail_login or server_sudo.smtp_user or address,
            **self._proposed_limits(server, service, domain),
        }

    def _proposed_limits(self, server, service, domain):
        """The limits to propose: those in use, or for a new System Mail those of the service."""
        company, backup = self.company_id, self.backup_id
        if backup and server:
            return {"limit_minute": backup.limit_minute, "limit_day": backup.limit_day}
        if company and not self.is_backup and (server or not service):
            return {
                "limit_minute": company.system_mail_limit_minute,
                "limit_day": company.system_mail_limit_day,
            }
        return {
            "limit_minute": service.limit_minute if service else 0,
            "limit_day": service.limit_day_of(domain) if service else 0,
        }
