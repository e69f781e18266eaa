"""The words for people: why it failed and what to do. Plain literals, to be translated as they are.

A reason completes "… is disconnected: " or "… is unstable: "; a remedy is a sentence.
"""

REASONS = {  # by rule
    "quit": "the server broke off after it had accepted the message",
    "accepted": "the server accepted it",
    "token_revoked": "the provider revoked the access",
    "token_client": "the provider rejected this system's client secret",
    "token_unavailable": "the provider's sign-in service did not answer",
    "drill": "the mailbox was treated as down, for a drill",
    "host_invalid": "the server name is not valid",
    "unknown_host": "the server name was not found",
    "certificate": "the server's certificate is not valid for it",
    "tls_not_offered": "the server offers no encryption",
    "tls_mismatch": "the server does not speak this kind of encryption",
    "tls_broken": "the encrypted connection could not be set up",
    "unreachable": "the server could not be reached",
    "unavailable": "the server is not available",
    "login_not_offered": "the server does not accept this kind of log-in",
    "login_invalid": "the user name or password holds characters that cannot be sent",
    "encryption_required": "the server asks for encryption",
    "oauth_rejected": "the provider rejected the access token",
    "basic_auth_retired": "the provider no longer accepts passwords",
    "app_password_required": "the provider asks for an app password",
    "web_login_required": "the provider asks the owner to sign in on the web",
    "smtp_auth_disabled": "sending by SMTP is disabled for this mailbox",
    "account_blocked": "the provider blocked the account",
    "ip_not_allowed": "the provider does not accept log-ins from this server",
    "no_key": "its credentials are encrypted with a key that this server does not have",
    "password_rejected": "the password was rejected",
    "login_unavailable": "the log-in did not work for the moment",
    "not_authenticated": "the server did not accept the log-in",
    "send_as_denied": "this log-in may not send from this address",
    "over_limit": "the limit set for System Mail is reached",
    "quota_reached": "the daily sending limit is reached",
    "sender_blocked": "the provider blocked this sender",
    "recipient_busy": "the recipient's side asks to try again later",
    "too_fast": "the provider asks to send more slowly",
    "line_closed": "the server closed the connection between two messages",
    "too_many_connections": "too many connections are open to this mailbox",
    "too_big": "the message is too big",
    "no_smtputf8": "the server does not accept addresses with such characters",
    "unwritable": "the message or an address cannot be sent as it is",
    "spam": "the provider took the message for spam",
    "bad_recipient": "the recipient's address was refused",
    "content": "the message was refused for its content",
    "too_many_recipients": "the message has too many recipients for one sending",
    "relay_denied": "the server does not send to other domains for this log-in",
    "unanswered": "the connection was lost before the server confirmed the message",
    "refused": "the server refused the message",
    "temporary": "the server had a temporary problem",
}

REMEDIES = {
    "none": "Nothing to do: it is tried again automatically.",
    "reconnect": "Reconnect the mailbox.",
    "client_secret": "A Super User must renew the provider's client secret.",
    "server_name": "Check the server name.",
    "encryption": "Check the server name and the encryption setting.",
    "encryption_on": "Switch the encryption on.",
    "no_encryption": "The server offers no encryption: choose another port or server.",
    "unreachable": "The server cannot be reached: it is tried again automatically.",
    "unavailable": "The server is unavailable: it is tried again automatically.",
    "no_login": "Check the port and the way to log in: the server accepts no such log-in here.",
    "login_characters": "Use a user name and password of plain letters, digits and signs.",
    "use_oauth": "Connect the mailbox by signing in with the provider.",
    "app_password": "Create an app password at the provider and reconnect with it.",
    "web_login": "Sign in to the mailbox on the provider's website, then reconnect it.",
    "smtp_auth": "Enable SMTP AUTH for the mailbox at the provider, then reconnect it.",
    "provider_blocked": "Ask the provider to unblock the account, then reconnect it.",
    "ip_allow": "Allow this server's IP address in the provider's settings.",
    "no_key": "Give this server the key in its configuration file, or reconnect the mailbox.",
    "password": "Reconnect with the new password.",
    "send_as": "Allow this log-in to send from this address, or use another address.",
    "quota": "The daily limit is reached; sending is tried again when it resets.",
    "compromised": (
        "The provider blocked this mailbox: it may be compromised. "
        "Change its password and ask the provider to unblock it."
    ),
    "too_big": "Make the message smaller, or send a link instead of an attachment.",
    "no_smtputf8": "Use an address of plain letters, digits and signs.",
    "unwritable": "Check the addresses and the content of the message.",
    "spam": "Change the message: the provider took it for spam.",
    "content": "Change the message: its content was refused.",
    "recipient": "Check the recipient's address.",
    "relay": "Check the log-in: the server does not relay mail for it.",
    "uncertain": "It may have been delivered: ask the recipient before you send it again.",
    "refused": "Read the server's own words and change the message or the address.",
}


def describe(failure, decision):
    """Why, in plain words, with the codes: ``the password was rejected (535 5.7.8)``."""
    reason = REASONS[decision.rule]
    codes = " ".join(filter(None, (str(failure.code or ""), failure.enhanced)))
    return f"{reason} ({codes})" if codes else reason
