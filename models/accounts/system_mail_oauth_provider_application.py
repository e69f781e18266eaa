from odoo import fields, models

from ...tools.encrypted import Encrypted

SIGN_IN = "authorization_code"
CLIENT = "client_credentials"
SERVICE_ACCOUNT = "service_account"


class SystemMailOauthProvider(models.Model):
    """Connects mailboxes in this system's own name, without a person's consent: as an application
    of Microsoft Entra, or by a service account of Google Workspace.
    """

    _inherit = "system.mail.oauth.provider"

    grant = fields.Selection(
        [
            (SIGN_IN, "A person signs in"),
            (CLIENT, "Application (client credentials)"),
            (SERVICE_ACCOUNT, "Service account"),
        ],
        "Connects By",
        required=True,
        default=SIGN_IN,
    )
    for_people = fields.Boolean(
        "For People's Mailboxes",
        help="Super Users connect people's mailboxes with this registration. Without it, the "
        "registration connects System Mail only.",
    )
    object_id = fields.Char(
        "Object ID",
        copy=False,
        help="Of the enterprise application in Microsoft Entra, not of the app registration.",
    )
    client_secret_ends_on = fields.Date("Secret Ends On", copy=False)
    certificate = fields.Text(readonly=True, copy=False, help="PEM; the public part of the key.")
    certificate_ends_on = fields.Date("Certificate Ends On", readonly=True, copy=False)
    private_key = Encrypted("Stored Private Key", groups=fields.NO_ACCESS, copy=False)
    key_id = fields.Char(readonly=True, copy=False)
    issuer = fields.Char("Service Account", readonly=True, copy=False)
