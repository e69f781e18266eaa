"""Microsoft 365 (Exchange Online) and Outlook.com.

Passwords: message centre MC786329 of 27 January 2026. At the end of December 2026 they are switched
off by default in organisations that have them; an administrator can switch them on again. When that
ends is to be announced in 2027. Outlook.com has taken none since September 2024. High Volume Email
takes them until September 2028.
Replies: https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online
Sending by HTTPS: https://learn.microsoft.com/graph/outlook-send-mime-message,
https://learn.microsoft.com/graph/errors and
https://learn.microsoft.com/exchange/client-developer/web-service-reference/responsecode
Limits: https://learn.microsoft.com/office365/servicedescriptions/exchange-online-service-description/exchange-online-limits
and https://support.microsoft.com/office/sending-limits-in-outlook-com-279ee200-594c-40f0-9ec8-bb6af7735c2e
(subscribers have more; without a subscription, about 300 are known)
"""

import datetime

from .provider import Api, Application, Provider, Server, SignIn, _lt

_NO_ACCESS = ("ErrorAccessDenied", "Authorization_RequestDenied")

PROVIDER = Provider(
    name="Microsoft 365",
    servers=(
        Server(
            "smtp.office365.com",
            domains=(
                "outlook.com",
                "hotmail.com",
                "live.com",
                "msn.com",
                "hotmail.fr",
                "hotmail.co.uk",
                "outlook.fr",
                "outlook.de",
            ),
            mail_hosts=("mail.protection.outlook.com", "mx.microsoft"),
            other_hosts=("office365.com", "outlook.com", "hotmail.com", "graph.microsoft.com"),
            spf_includes=("spf.protection.outlook.com",),
        ),
    ),
    limit_minute=30,
    limit_day=10000,
    own_limit_day=300,
    passwords_end=datetime.date(2026, 12, 31),
    passwords_stay_at=("smtp-hve.office365.com",),
    sign_in=SignIn(
        authorization_endpoint="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
        token_endpoint="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",  # noqa: S106
        scope="openid email profile offline_access https://outlook.office.com/SMTP.Send",
        tenant="common",
        refresh_days=90,
        odoo_parameter="microsoft_outlook",
        odoo_authentication="outlook",
    ),
    application=Application(
        name=_lt("Microsoft 365 (application)"),
        grant="client_credentials",
        token_endpoint="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",  # noqa: S106
        scope="https://outlook.office365.com/.default",
        guide="https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth",
        commands="""\
Connect-ExchangeOnline
New-ServicePrincipal -AppId {client_id} -ObjectId {object_id}
Add-MailboxPermission -Identity {mailbox} -User {object_id} -AccessRights FullAccess
Add-RecipientPermission -Identity {mailbox} -Trustee {object_id} -AccessRights SendAs \
-Confirm:$false
Set-CASMailbox -Identity {mailbox} -SmtpClientAuthenticationDisabled $false""",
        narrow_commands="""\
Connect-ExchangeOnline
New-ServicePrincipal -AppId {client_id} -ObjectId {object_id}
New-ManagementScope -Name {scope_name} -RecipientRestrictionFilter {scope_filter}
New-ManagementRoleAssignment -App {object_id} -Role 'Application SMTP.SendAsApp' \
-CustomResourceScope {scope_name}
Set-CASMailbox -Identity {mailbox} -SmtpClientAuthenticationDisabled $false
Test-ServicePrincipalAuthorization -Identity {object_id} -Resource {mailbox}""",
    ),
    api=Api(
        name="Microsoft Graph",
        form="graph",
        endpoint="https://graph.microsoft.com/v1.0/users/{mailbox}/sendMail",
        scope="openid email profile offline_access https://graph.microsoft.com/Mail.Send",
        application_scope="https://graph.microsoft.com/.default",
        # A request has 4 MB at most, and the message in it is a third longer, in base64.
        megabytes=2.9,
        codes={
            "quota_reached": ("ErrorExceededMessageLimit",),
            "too_fast": ("ApplicationThrottled", "TooManyRequests", "ErrorTooManyRequests"),
            "send_as_denied": ("ErrorSendAsDenied",),
            "sender_blocked": ("ErrorMessageSubmissionBlocked",),
            "account_blocked": ("ErrorAccountSuspend", "ErrorAccountSuspendShowTierUpgrade"),
            "mailbox_full": ("ErrorQuotaExceeded",),
            "too_big": ("ErrorMessageSizeExceeded",),
            "bad_recipient": ("ErrorInvalidRecipients",),
            "https_disabled": ("MailboxNotEnabledForRESTAPI", "MailboxNotSupportedForRESTAPI"),
            "application_mailbox": (
                "ErrorInvalidUser",
                "ErrorNonExistentMailbox",
                "Request_ResourceNotFound",
                "ResourceNotFound",
            ),
            "application_no_access": _NO_ACCESS,
            "oauth_rejected": _NO_ACCESS,
            "temporary": (
                "ErrorInternalServerTransientError",
                "ErrorMailboxStoreUnavailable",
                "ErrorServerBusy",
            ),
        },
        permission="Microsoft Graph ▸ Application permissions ▸ Mail.Send",
        narrow_commands="""\
Connect-ExchangeOnline
New-ServicePrincipal -AppId {client_id} -ObjectId {object_id}
New-ManagementScope -Name {scope_name} -RecipientRestrictionFilter {scope_filter}
New-ManagementRoleAssignment -App {object_id} -Role 'Application Mail.Send' \
-CustomResourceScope {scope_name}
Test-ServicePrincipalAuthorization -Identity {object_id} -Resource {mailbox}""",
    ),
    dkim_keys={"selector1": "", "selector2": ""},
    dkim_type="CNAME",
    replies={
        "application_clock": (r"AADSTS700024\b",),
        "application_key": (r"AADSTS700027\b",),
        "application_unknown": (r"AADSTS(700016|7000112|90002|900023|50059)\b",),
        "application_not_allowed": (r"AADSTS(65001|65004|50105|53\d{3}|500011)\b",),
        "basic_auth_retired": (r"^5\d\d 5\.7\.30\b",),
        "smtp_auth_disabled": (
            r"SmtpClientAuthentication",
            r"\b5\.7\.139\b(?!.*credentials were incorrect)",
        ),
        "password_rejected": (r"\b5\.7\.139\b.*credentials were incorrect",),
        "not_authenticated": (r"^5\d\d 5\.7\.57\b",),
        "send_as_denied": (r"^5\d\d 5\.(7\.60|2\.252)\b", r"SendAsDenied"),
        "sender_blocked": (
            r"^5\d\d 5\.7\.(50[1-3]|508|511|705|708|750)\b",
            r"bad outbound sender",
            r"verdict is (Suspend|HipSend)",
        ),
        "quota_reached": (
            r"^5\d\d 5\.(1\.9[0-2]|7\.23[23])\b",
            r"Submission ?Quota|RefuseQuota",
        ),
        "too_many_connections": (r"^4.*sender thread limit",),
        "spam": (
            r"STOREDRV\.Submission\.Exception:OutboundSpamException; Failed to process message due "
            r"to a permanent exception",
        ),
        "bad_recipient": (
            r"RESOLVER\.ADR\.Recip(ient)?NotFound; (recipient )?not found"
            r"( by smtp address lookup)?",
        ),
        "recipient_restricted": (
            r"delivery restriction check failed because the sender was not authenticated when "
            r"sending to this group",
        ),
        "recipient_busy": (r"^432 4\.3\.2 STOREDRV\.Deliver; recipient thread limit exceeded",),
    },
    pages={
        "smtp_auth": "https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/authenticated-client-smtp-submission",
        "send_as": "https://learn.microsoft.com/exchange/recipients-in-exchange-online/manage-permissions-for-recipients",
        "compromised": "https://security.microsoft.com/restrictedentities",
    },
)
