"""The words for people: why it failed and what to do. Plain literals, to be translated as they are.

A reason completes "… is disconnected: " or "… is unstable: "; a remedy is a sentence.
"""

_lt = str
"""Marks what is to be translated, for the tools that collect it."""

BY_SYSTEM_MAIL = "system_mail"
"""A reason that is no rule: what an author reads where System Mail keeps a message waiting."""

KILLED = _lt("The mail queue was stopped while it sent this.")
"""Why a mail waits that had its worker killed."""

REASONS = {  # by rule
    "quit": _lt("the server broke off after it had accepted the message"),
    "accepted": _lt("the server accepted it"),
    "token_revoked": _lt("the provider revoked the access"),
    "token_client": _lt("the provider rejected this system's client secret"),
    "application_clock": _lt("the clocks of this server and of the provider differ"),
    "application_key": _lt("its private key or certificate cannot be used"),
    "application_mailbox": _lt("the provider knows no mailbox with this address"),
    "application_no_access": _lt("the provider does not let the application use this mailbox"),
    "application_not_allowed": _lt("the provider does not allow the application to send"),
    "application_rejected": _lt("the provider rejected the application"),
    "application_unknown": _lt("the provider does not know the application, or has disabled it"),
    "token_unavailable": _lt("the provider's sign-in service did not answer"),
    "drill": _lt("the mailbox was treated as down, for a drill"),
    "personal_off": _lt("personal mailboxes are switched off"),
    "archived": _lt("the mailbox is archived"),
    "from_filter": _lt("its FROM Filtering is not its owner's e-mail address"),
    "user_name": _lt("its user name is not its owner's e-mail address"),
    "other_sender": _lt("the message is not from the mailbox's owner"),
    "client_certificate": _lt("its SSL certificate or private key cannot be read"),
    "unusable": _lt("Odoo cannot use the mailbox with these settings"),
    "host_invalid": _lt("the server name is not valid"),
    "unknown_host": _lt("the server name was not found"),
    "certificate_expired": _lt("the server's certificate has expired"),
    "certificate": _lt("the server's certificate is not valid for it"),
    "tls_not_offered": _lt("the server offers no encryption"),
    "tls_mismatch": _lt("the server does not speak this kind of encryption"),
    "tls_broken": _lt("the encrypted connection could not be set up"),
    "unreachable": _lt("the server could not be reached"),
    "unavailable": _lt("the server is not available"),
    "login_not_offered": _lt("the server does not accept this kind of log-in"),
    "login_invalid": _lt("the user name or password holds characters that cannot be sent"),
    "encryption_required": _lt("the server asks for encryption"),
    "oauth_rejected": _lt("the provider rejected the access token"),
    "basic_auth_retired": _lt("the provider no longer accepts passwords"),
    "app_password_required": _lt("the provider asks for an app password"),
    "web_login_required": _lt("the provider asks the owner to sign in on the web"),
    "smtp_auth_disabled": _lt("sending by SMTP is disabled for this mailbox"),
    "https_disabled": _lt("the provider does not let programs send from this mailbox by HTTPS"),
    "account_blocked": _lt("the provider blocked the account"),
    "ip_not_allowed": _lt("the provider does not accept log-ins from this server"),
    "no_key": _lt("its credentials are encrypted with a key that this server does not have"),
    "password_rejected": _lt("the password was rejected"),
    "login_unavailable": _lt("the log-in did not work for the moment"),
    "not_authenticated": _lt("the server did not accept the log-in"),
    "send_as_denied": _lt("this log-in may not send from this address"),
    "mailbox_full": _lt("the sending mailbox is full"),
    "recipient_restricted": _lt("the recipient accepts mail only from certain senders"),
    "helo_refused": _lt("the server does not accept the name that this host gives itself"),
    "client_refused": _lt("the server does not accept mail from this host"),
    "no_time": _lt("sending takes too long, so the mail queue goes on with it"),
    "busy": _lt("the server hasn't confirmed an earlier message yet"),
    "awaited": _lt("the server hasn't confirmed the message yet"),
    "over_limit": _lt("the limit set for System Mail is reached"),
    "over_mailbox_limit": _lt("the limit set for this mailbox of System Mail is reached"),
    "more_than_limit": _lt("the message has more recipients than a limit of System Mail allows"),
    "quota_reached": _lt("the daily sending limit is reached"),
    "sender_blocked": _lt("the provider blocked this sender"),
    "recipient_busy": _lt("the recipient's side asks to try again later"),
    "too_fast": _lt("the provider asks to send more slowly"),
    "line_closed": _lt("the server closed the connection between two messages"),
    "too_many_connections": _lt("too many connections are open to this mailbox"),
    "too_big": _lt("the message is too big"),
    "no_smtputf8": _lt("the server does not accept addresses with such characters"),
    "unwritable": _lt("the message or an address cannot be sent as it is"),
    "spam": _lt("the provider took the message for spam"),
    "bad_recipient": _lt("the recipient's address was refused"),
    "content": _lt("the message was refused for its content"),
    "too_many_recipients": _lt("the message has too many recipients for one sending"),
    "relay_denied": _lt("the server does not send to other domains for this log-in"),
    "unanswered": _lt("the connection was lost before the server confirmed a message"),
    BY_SYSTEM_MAIL: _lt("System Mail can't send it at the moment"),
    "refused": _lt("the server refused the message"),
    "postponed": _lt("the server asks to try again later"),
    "unproven": _lt("the server refused the message, and its words could mean several things"),
    "refused_here": _lt("the server refuses mail from this mailbox"),
    "temporary": _lt("the server had a temporary problem"),
    "own_network": _lt("Odoo's own network seems down"),
    "log_ins_paced": _lt("the server rejected several passwords, and the next log-ins there wait"),
}

REMEDIES = {
    "none": _lt("Nothing to do: it is tried again automatically."),
    "own_network": _lt("Nothing to do in Odoo: its mail is sent when the network is back."),
    "reconnect": _lt("Reconnect the mailbox."),
    "client_secret": _lt("A Super User must renew the provider's client secret."),
    "registration": _lt(
        "A Super User must check the application's registration: client ID, tenant and scope."
    ),
    "application_key": _lt(
        "A Super User must make a new key for the application and register it with the provider."
    ),
    "application_access": _lt(
        "An administrator of the provider must give the application access to this mailbox. It can "
        "take an hour until that works."
    ),
    "admin_consent": _lt(
        "An administrator of the provider must allow the application to send. The connect dialog "
        "shows the steps."
    ),
    "mailbox_address": _lt("Check that this mailbox exists at the provider."),
    "clock": _lt("Ask the administrator of this server to set its clock."),
    "personal_off": _lt(
        "To use it, delete mail.disable_personal_mail_servers in System Parameters."
    ),
    "unarchive": _lt("Unarchive the mailbox in Outgoing Mail Servers, or choose another one."),
    "from_filter": _lt(
        "Reconnect the mailbox, or set FROM Filtering in Outgoing Mail Servers to its owner's "
        "e-mail address only, in small letters."
    ),
    "user_name": _lt(
        "Reconnect the mailbox, or set Username in Outgoing Mail Servers to its owner's e-mail "
        "address."
    ),
    "other_sender": _lt("Choose another outgoing mail server for messages from this address."),
    "client_certificate": _lt(
        "Upload SSL Certificate and SSL Private Key in Outgoing Mail Servers again: two PEM files "
        "without a passphrase."
    ),
    "unusable": _lt("Check the mailbox in Outgoing Mail Servers."),
    "server_name": _lt("Check the server name."),
    "encryption": _lt("Check the server name and the encryption setting."),
    "encryption_on": _lt("Switch the encryption on."),
    "no_encryption": _lt("Choose another port or server."),
    "unreachable": _lt("It is tried again automatically."),
    "unavailable": _lt("It is tried again automatically."),
    "no_login": _lt(
        "The server doesn't allow this log-in on this port. Try port 587 or 465, or another way to "
        "log in."
    ),
    "login_characters": _lt("Use a user name and password of plain letters, digits and signs."),
    "certificate_expired": _lt(
        "Ask the administrator of the mail server to renew its certificate."
    ),
    "security_defaults": _lt(
        "Your organization's security defaults don't allow passwords here. Sign in with Microsoft, "
        "or ask an administrator of Microsoft 365 to change the security defaults."
    ),
    "use_oauth": _lt("Connect the mailbox by signing in with the provider."),
    "app_password": _lt("Create an app password at the provider and reconnect with it."),
    "web_login": _lt("Sign in to the mailbox on the provider's website, then reconnect it."),
    "smtp_auth": _lt("Enable SMTP AUTH for the mailbox at the provider, then reconnect it."),
    "https_on": _lt(
        "An administrator of the provider must allow programs to send by HTTPS. Then reconnect the "
        "mailbox."
    ),
    "provider_blocked": _lt("Ask the provider to unblock the account, then reconnect it."),
    "ip_allow": _lt("Allow this server's IP address in the provider's settings."),
    "no_key": _lt("Give this server the key in its configuration file, or reconnect the mailbox."),
    "password": _lt("Reconnect with the new password."),
    "send_as": _lt("Allow this log-in to send from this address, or use another address."),
    "quota": _lt("The daily limit is reached; sending is tried again when it resets."),
    "fewer_recipients": _lt("Send it to fewer recipients, or ask a Super User to raise the limit."),
    "compromised": _lt(
        "The provider blocked this mailbox: it may be compromised. "
        "Change its password and ask the provider to unblock it."
    ),
    "too_big": _lt("Make the message smaller, or send a link instead of an attachment."),
    "no_smtputf8": _lt("Use an address of plain letters, digits and signs."),
    "unwritable": _lt("Check the addresses and the content of the message."),
    "spam": _lt("Change the message: the provider took it for spam."),
    "content": _lt("Change the message: its content was refused."),
    "recipient": _lt("Check the recipient's address."),
    "recipient_restricted": _lt("Ask the recipient to accept mail from this sender."),
    "mailbox_full": _lt("Delete messages from the mailbox, or ask for more space."),
    "helo": _lt(
        "Give Odoo's host a full name, such as odoo.company.com, or ask the administrator of the "
        "mail server to accept it."
    ),
    "client": _lt("Ask the administrator of the mail server to accept mail from Odoo's host."),
    "refused_here": _lt("Read the server's own words and check the mailbox at its provider."),
    "relay": _lt("Check the log-in: the server does not relay mail for it."),
    "uncertain": _lt("It may have been delivered: ask the recipient before you send it again."),
    "refused": _lt("Read the server's own words and change the message or the address."),
}

RECONNECTABLE = {
    "app_password",
    "compromised",
    "encryption",
    "encryption_on",
    "from_filter",
    "login_characters",
    "no_encryption",
    "no_login",
    "password",
    "provider_blocked",
    "reconnect",
    "security_defaults",
    "server_name",
    "smtp_auth",
    "use_oauth",
    "user_name",
    "web_login",
}
"""Remedies that a mailbox's owner can follow, and that end with reconnecting it."""


def describe(failure, decision):
    """Why, in plain words, with the codes: ``the password was rejected (535 5.7.8)``."""
    return with_codes(REASONS[decision.rule], failure.code, failure.enhanced)


def with_codes(reason, *codes):
    """A reason, in any language, followed by those of the server's codes that there are."""
    given = " ".join(str(code) for code in codes if code)
    return f"{reason} ({given})" if given else reason
