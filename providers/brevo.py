"""Brevo, earlier Sendinblue."""

from .provider import Provider, Server

PROVIDER = Provider(
    name="Brevo",
    servers=(Server("smtp-relay.brevo.com", other_hosts=("smtp-relay.sendinblue.com",)),),
    dkim_keys={"brevo1": "", "brevo2": "", "mail": ""},
    dkim_type="CNAME",
    replies={"ip_not_allowed": (r"^5.*unauthori[sz]ed IP",)},
    pages={
        "ip_allow": "https://app.brevo.com/security/authorised_ips",
        "password": "https://app.brevo.com/settings/keys/smtp",
    },
)
