"""Reasons were stored as English sentences with codes: now the rule's id and the codes are."""

import json

from odoo.tools.sql import column_exists

RULES = {
    "the server broke off after it had accepted the message": "quit",
    "the server accepted it": "accepted",
    "the provider revoked the access": "token_revoked",
    "the provider rejected this system's client secret": "token_client",
    "the provider's sign-in service did not answer": "token_unavailable",
    "the mailbox was treated as down, for a drill": "drill",
    "the server name is not valid": "host_invalid",
    "the server name was not found": "unknown_host",
    "the server's certificate is not valid for it": "certificate",
    "the server offers no encryption": "tls_not_offered",
    "the server does not speak this kind of encryption": "tls_mismatch",
    "the encrypted connection could not be set up": "tls_broken",
    "the server could not be reached": "unreachable",
    "the server is not available": "unavailable",
    "the server does not accept this kind of log-in": "login_not_offered",
    "the user name or password holds characters that cannot be sent": "login_invalid",
    "the server asks for encryption": "encryption_required",
    "the provider rejected the access token": "oauth_rejected",
    "the provider no longer accepts passwords": "basic_auth_retired",
    "the provider asks for an app password": "app_password_required",
    "the provider asks the owner to sign in on the web": "web_login_required",
    "sending by SMTP is disabled for this mailbox": "smtp_auth_disabled",
    "the provider blocked the account": "account_blocked",
    "the provider does not accept log-ins from this server": "ip_not_allowed",
    "its credentials are encrypted with a key that this server does not have": "no_key",
    "the password was rejected": "password_rejected",
    "the log-in did not work for the moment": "login_unavailable",
    "the server did not accept the log-in": "not_authenticated",
    "this log-in may not send from this address": "send_as_denied",
    "the limit set for System Mail is reached": "over_limit",
    "the daily sending limit is reached": "quota_reached",
    "the provider blocked this sender": "sender_blocked",
    "the recipient's side asks to try again later": "recipient_busy",
    "the provider asks to send more slowly": "too_fast",
    "the server closed the connection between two messages": "line_closed",
    "too many connections are open to this mailbox": "too_many_connections",
    "the message is too big": "too_big",
    "the server does not accept addresses with such characters": "no_smtputf8",
    "the message or an address cannot be sent as it is": "unwritable",
    "the provider took the message for spam": "spam",
    "the recipient's address was refused": "bad_recipient",
    "the message was refused for its content": "content",
    "the message has too many recipients for one sending": "too_many_recipients",
    "the server does not send to other domains for this log-in": "relay_denied",
    "the connection was lost before the server confirmed the message": "unanswered",
    "the server refused the message": "refused",
    "the server had a temporary problem": "temporary",
}
"""The sentences of 19.0.1.0.1, and the rules that they stood for."""
REMEDIES = {
    "Nothing to do: it is tried again automatically.": "none",
    "Reconnect the mailbox.": "reconnect",
    "A Super User must renew the provider's client secret.": "client_secret",
    "Check the server name.": "server_name",
    "Check the server name and the encryption setting.": "encryption",
    "Switch the encryption on.": "encryption_on",
    "The server offers no encryption: choose another port or server.": "no_encryption",
    "The server cannot be reached: it is tried again automatically.": "unreachable",
    "The server is unavailable: it is tried again automatically.": "unavailable",
    "Check the port and the way to log in: it takes no such log-in here.": "no_login",
    "Use a user name and password of plain letters, digits and signs.": "login_characters",
    "Connect the mailbox by signing in with the provider.": "use_oauth",
    "Create an app password at the provider and reconnect with it.": "app_password",
    "Sign in to the mailbox on the provider's website, then reconnect it.": "web_login",
    "Enable SMTP AUTH for the mailbox at the provider, then reconnect it.": "smtp_auth",
    "Ask the provider to unblock the account, then reconnect it.": "provider_blocked",
    "Allow this server's IP address in the provider's settings.": "ip_allow",
    "Give this server the key in its configuration file, or reconnect the mailbox.": "no_key",
    "Reconnect with the new password.": "password",
    "Allow this log-in to send from this address, or use another address.": "send_as",
    "The daily limit is reached; sending is tried again when it resets.": "quota",
    "The provider blocked this mailbox: it may be "
    "compromised. Change its password and ask the provider to unblock it.": "compromised",
    "Make the message smaller, or send a link instead of an attachment.": "too_big",
    "Use an address of plain letters, digits and signs.": "no_smtputf8",
    "Check the addresses and the content of the message.": "unwritable",
    "Change the message: the provider took it for spam.": "spam",
    "Change the message: its content was refused.": "content",
    "Check the recipient's address.": "recipient",
    "Check the log-in: the server does not relay mail for it.": "relay",
    "It may have been delivered: ask the recipient before you send it again.": "uncertain",
    "Read the server's own words and change the message or the address.": "refused",
}
GROUPED = ("system.mail.connection", "system.mail.event", "system.mail.outage")


def migrate(cr, _version):
    if not column_exists(cr, "system_mail_health", "reason"):
        return
    _create_functions(cr)
    _move_events(cr)
    _move_health(cr)
    if column_exists(cr, "system_mail_outage", "reason"):
        _move_outages(cr)
    _move_notifications(cr)
    _follow_in_filters(cr)


def _create_functions(cr):
    """What a stored sentence stands for: its rule, which is NULL for any other text, its codes, and
    a remedy's id.
    """
    cr.execute(
        r"""CREATE FUNCTION pg_temp.rule(text) RETURNS text LANGUAGE sql AS $$
                SELECT %s::jsonb ->> split_part($1, ' (', 1) $$;
            CREATE FUNCTION pg_temp.smtp_code(text) RETURNS integer LANGUAGE sql AS $$
                SELECT substring($1 FROM ' \((\d{3})[ )]')::integer $$;
            CREATE FUNCTION pg_temp.enhanced_code(text) RETURNS text LANGUAGE sql AS $$
                SELECT substring($1 FROM '[( ]([245]\.\d+\.\d+)\)$') $$;
            CREATE FUNCTION pg_temp.remedy(text) RETURNS text LANGUAGE sql AS $$
                SELECT %s::jsonb ->> $1 $$""",
        [json.dumps(RULES), json.dumps(REMEDIES)],
    )


def _move_events(cr):
    """There may be a million of them: the table is written once, as a whole. An UPDATE of each row
    would take five times as long and leave it twice as large.
    """
    cr.execute(
        # what is no sentence of ours was written for people: a test, a changed setting
        """ALTER TABLE system_mail_event ADD COLUMN note varchar;
           UPDATE system_mail_event SET note = reason
            WHERE reason IS NOT NULL AND pg_temp.rule(reason) IS NULL;
           ALTER TABLE system_mail_event RENAME reason TO rule;
           ALTER TABLE system_mail_event ALTER rule TYPE varchar USING pg_temp.rule(rule)"""
    )


def _move_health(cr):
    cr.execute(
        """ALTER TABLE system_mail_health RENAME reason TO rule;
           ALTER TABLE system_mail_health RENAME remedy TO remedy_key;
           UPDATE system_mail_health
              SET rule = pg_temp.rule(rule), remedy_key = pg_temp.remedy(remedy_key)
            WHERE rule IS NOT NULL"""
    )


def _move_outages(cr):
    cr.execute(
        """ALTER TABLE system_mail_outage RENAME reason TO rule;
           ALTER TABLE system_mail_outage ADD COLUMN smtp_code integer,
                                          ADD COLUMN enhanced_code varchar;
           UPDATE system_mail_outage
              SET rule = pg_temp.rule(rule), smtp_code = pg_temp.smtp_code(rule),
                  enhanced_code = pg_temp.enhanced_code(rule)
            WHERE rule IS NOT NULL"""
    )


def _move_notifications(cr):
    """Odoo's table, of which few rows are ours: only these are written."""
    cr.execute(
        """ALTER TABLE mail_notification RENAME system_mail_reason TO system_mail_rule;
           ALTER TABLE mail_notification ADD COLUMN system_mail_smtp_code integer,
                                         ADD COLUMN system_mail_enhanced_code varchar;
           UPDATE mail_notification
              SET system_mail_rule = pg_temp.rule(system_mail_rule),
                  system_mail_smtp_code = pg_temp.smtp_code(system_mail_rule),
                  system_mail_enhanced_code = pg_temp.enhanced_code(system_mail_rule)
            WHERE system_mail_rule IS NOT NULL"""
    )


def _follow_in_filters(cr):
    """Views that people keep may be grouped or sorted by the reason."""
    cr.execute(
        r"""UPDATE ir_filters
               SET context = regexp_replace(context, '\yreason\y', 'rule', 'g'),
                   sort = regexp_replace(sort, '\yreason\y', 'rule', 'g')
             WHERE model_id IN %s""",
        [GROUPED],
    )
