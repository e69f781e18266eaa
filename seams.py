"""The private parts of Odoo, and of the Python packages that it brings, on which this addon stands.

A new release may move any of them without notice. ``tests/test_seams.py`` compares this list with
what is installed, and says for each that moved which file to look at, and why.
"""

from typing import NamedTuple


class Seam(NamedTuple):
    """One name that others own."""

    owner: str
    """The name of a model of Odoo, or the path of a module or class to import."""
    name: str
    signature: str
    """The arguments, without ``self`` and annotations; "" for what is not called."""
    where: str
    """Our file that relies on it; the folder where there are several."""
    why: str
    """What it is used for, and what must stay true."""
    module: str = ""
    """The module of Odoo that has it, where that need not be installed."""


SEAMS = (
    # --- How Odoo chooses a mailbox, connects and sends
    Seam(
        "ir.mail_server",
        "_find_mail_server",
        "(email_from, mail_servers=None)",
        "models/mail/ir_mail_server.py",
        "The run asks Odoo which mailbox it would take, to put System Mail behind it.",
    ),
    Seam(
        "ir.mail_server",
        "_find_mail_server_allowed_domain",
        "()",
        "models/mail/ir_mail_server.py",
        "Keeps System Mail's mailboxes out of Odoo's own choice.",
    ),
    Seam(
        "ir.mail_server",
        "_check_forced_mail_server",
        "(mail_server, allow_archived, smtp_from)",
        "models/mail/ir_mail_server.py",
        "Refuses a message that forces System Mail's mailbox; Odoo's own refusals come by "
        "it before anything is opened.",
    ),
    Seam(
        "ir.mail_server",
        "_connect__",
        "(host=None, port=None, user=None, password=None, encryption=None, smtp_from=None, "
        "ssl_certificate=None, ssl_private_key=None, smtp_debug=False, mail_server_id=None,"
        " allow_archived=False)",
        "models/mail/ir_mail_server.py",
        "Opens the session of a batch; the engine's session takes the place of Odoo's connection.",
    ),
    Seam(
        "ir.mail_server",
        "_smtp_login__",
        "(connection, smtp_user, smtp_password)",
        "models/accounts/ir_mail_server.py",
        "Logs in with the password or token that the addon keeps, and tells which step failed.",
    ),
    Seam(
        "base",
        "_sql_error_to_message",
        "(exc)",
        "models/accounts/base.py",
        "Odoo calls it with each row that PostgreSQL refused, before it tells anybody.",
    ),
    Seam(
        "base",
        "_fetch_query",
        "(query, fields)",
        "models/mail",
        "Reads rows into the cache; what a search, an order or a group needs doesn't come by it.",
    ),
    Seam(
        "mail.message",
        "_make_access_error",
        "(operation)",
        "models/watch/mail_message.py",
        "The refusal of Odoo's own access rights.",
    ),
    Seam(
        "ir.mail_server",
        "_disable_send",
        "()",
        "models/mail",
        "Where Odoo sends nothing (tests, neutralized), neither do we.",
    ),
    Seam(
        "ir.mail_server",
        "_get_max_email_size",
        "()",
        "models/mail/ir_mail_server.py",
        "The smaller limit of the two mailboxes counts.",
    ),
    Seam(
        "ir.mail_server",
        "_prepare_email_message__",
        "(message, smtp_session)",
        "models/mail/ir_mail_server.py",
        "Is called with the session right before it sends: the last moment at which the "
        "From is the author's.",
    ),
    Seam(
        "ir.mail_server",
        "_prepare_smtp_to_list",
        "(message, smtp_session)",
        "models/mail/ir_mail_server.py",
        "To whom a message goes, without the addresses of the context's send_smtp_skip_to.",
    ),
    Seam(
        "ir.mail_server",
        "_build_email__",
        "(email_from, email_to, subject, body, email_cc=None, email_bcc=None, "
        "reply_to=False, attachments=None, message_id=None, references=None, "
        "object_id=False, subtype='plain', headers=None, body_alternative=None, "
        "subtype_alternative='plain')",
        "models/accounts",
        "Makes the test messages, as Odoo makes its own.",
    ),
    Seam(
        "ir.mail_server",
        "_get_default_from_address",
        "()",
        "models/mail/mail_mail.py",
        "The address that Odoo falls back to.",
    ),
    Seam(
        "ir.mail_server",
        "_get_default_from_filter",
        "()",
        "sending/send_run.py",
        "The senders that the server of Odoo's configuration file is for.",
    ),
    Seam(
        "ir.mail_server",
        "_match_from_filter",
        "(email_from, from_filter)",
        "sending/send_run.py",
        "Whether a mailbox may send a From, and a bounce address.",
    ),
    Seam(
        "ir.mail_server",
        "_parse_from_filter",
        "(from_filter)",
        "models/mailboxes/ir_mail_server.py",
        "The addresses that a mailbox is for.",
    ),
    Seam(
        "ir.mail_server",
        "NO_VALID_RECIPIENT",
        "",
        "models/mail/ir_mail_server.py",
        "An AssertionError with this text is the only exception after which Odoo still "
        "tries a mail's other recipients.",
    ),
    Seam(
        "ir.mail_server",
        "send_email",
        "(message, mail_server_id=None, smtp_server=None, smtp_port=None, smtp_user=None, "
        "smtp_password=None, smtp_encryption=None, smtp_ssl_certificate=None, "
        "smtp_ssl_private_key=None, smtp_debug=False, smtp_session=None)",
        "models/mail/ir_mail_server.py",
        "Is called once for each e-mail, with the session as smtp_session; wraps what the "
        "session raises, which stays in __context__.",
    ),
    Seam(
        "odoo.addons.base.models.ir_mail_server",
        "MailDeliveryException",
        "",
        "models/mail/ir_mail_server.py",
        "What send_email raises; the error of SMTP is its __context__.",
    ),
    Seam(
        "odoo.addons.base.models.ir_mail_server",
        "SMTP_TIMEOUT",
        "",
        "sending/send_run.py",
        "Odoo's time-out, of which the patience with a mailbox is reckoned.",
    ),
    Seam(
        "odoo.addons.base.models.ir_mail_server",
        "extract_rfc2822_addresses",
        "(text)",
        "sending",
        "The addresses of a header, read as Odoo reads them.",
    ),
    Seam(
        "mail.mail",
        "send",
        "(auto_commit=False, raise_exception=False, post_send_callback=None)",
        "models/mail/mail_mail.py",
        "The mails are grouped here, and each group gets its run in the context.",
    ),
    Seam(
        "mail.mail",
        "_filter_mail_mail_servers",
        "(mail_servers)",
        "models/mail/mail_mail.py",
        "Keeps System Mail out of what a message or a template may choose.",
    ),
    Seam(
        "mail.mail",
        "_split_by_mail_configuration",
        "()",
        "models/mail/mail_mail.py",
        "Yields the batches; each ends with the ids of its mails.",
    ),
    Seam(
        "mail.mail",
        "_split_by_delayed_batch",
        "(mail_server)",
        "models/mail/mail_mail.py",
        "Puts off what a personal mailbox may not send yet, and copies mails to do so.",
    ),
    Seam(
        "mail.mail",
        "_prepare_outgoing_list",
        "(mail_server=False, doc_to_followers=None)",
        "models/mail/mail_mail.py",
        "Tells which mail is sent next, and whom each of its e-mails is for.",
    ),
    Seam(
        "mail.mail",
        "_postprocess_sent_message",
        "(success_pids, success_emails, failure_reason=False, failure_type=None)",
        "models/mail/mail_mail.py",
        "Is told what became of a mail; here it goes back to the queue, or is split.",
    ),
    Seam(
        "ir.cron",
        "_trigger",
        "(at=None)",
        "models",
        "Has the queue and our scheduled actions looked at in time.",
    ),
    Seam(
        "ir.cron",
        "_commit_progress",
        "(processed=0, *, remaining=None, deactivate=False)",
        "models",
        "Commits after each step of a scheduled action; returns the seconds that are left.",
    ),
    # --- Odoo's OAuth modules
    Seam(
        "ir.mail_server",
        "_fetch_gmail_access_token",
        "(refresh_token)",
        "models/accounts/ir_mail_server.py",
        "Odoo calls it for a new token; in our connections we ask, so that the answer can be read.",
        "google_gmail",
    ),
    Seam(
        "ir.mail_server",
        "_fetch_outlook_access_token",
        "(refresh_token)",
        "models/accounts/ir_mail_server.py",
        "The same at Microsoft.",
        "microsoft_outlook",
    ),
    Seam(
        "ir.mail_server",
        "_get_microsoft_endpoint",
        "()",
        "models/accounts/ir_mail_server.py",
        "Where Odoo asks Microsoft for tokens.",
        "microsoft_outlook",
    ),
    Seam(
        "ir.mail_server",
        "_raise_iap_error",
        "(error)",
        "models/accounts/ir_mail_server.py",
        "Is given the error of Odoo's in-app purchase, which answers 200.",
        "google_gmail",
    ),
    # --- What becomes of a message, in the chatter
    Seam(
        "mail.notification",
        "_filtered_for_web_client",
        "()",
        "models/mail/mail_notification.py",
        "Which notifications the chatter is told of: also those that wait or that System "
        "Mail carried.",
    ),
    Seam(
        "mail.notification",
        "_to_store_defaults",
        "(target)",
        "models/mail/mail_notification.py",
        "What the chatter is told of each.",
    ),
    Seam(
        "odoo.addons.mail.tools.discuss",
        "Store",
        "",
        "models/mail/mail_notification.py",
        "Carries it to the browser.",
    ),
    Seam(
        "res.partner",
        "_notify_get_recipients",
        "(message, msg_vals=False, **kwargs)",
        "models/guard/res_partner.py",
        "Has a drill's notification go by e-mail.",
    ),
    Seam(
        "res.users",
        "_get_company_ids",
        "()",
        "models/mail/mail_message.py",
        "The companies that a user works in, from a cache.",
    ),
    Seam(
        "ir.attachment",
        "_search",
        "(domain, offset=0, limit=None, order=None, *, active_test=True, bypass_access=False)",
        "models/accounts/ir_attachment.py",
        "Checks the domain with the user's rights: Odoo searches as superuser.",
    ),
    Seam(
        "ir.attachment",
        "_delete_and_notify",
        "(message=None)",
        "models/mail/ir_attachment.py",
        "The chatter deletes as superuser what is attached to mail that is held or waits.",
    ),
    Seam(
        "mail.thread",
        "_message_route_process",
        "(message, message_dict, routes)",
        "models/mail/mail_thread.py",
        "Creates documents of mail that comes in as superuser, as whoever it says it is from.",
    ),
    Seam(
        "mail.thread",
        "_message_update_content",
        "(message, /, *, body, attachment_ids=None, partner_ids=None, strict=True, **kwargs)",
        "models/mail/mail_thread.py",
        "Edits a message as superuser, also one whose mail is held or waits.",
    ),
    Seam(
        "mail.thread",
        "_notify_cancel_by_type_generic",
        "(notification_type)",
        "models/mail/mail_thread.py",
        "Somebody dismisses all their failures at once: what is held stays.",
    ),
    Seam(
        "mail.message",
        "_notify_message_notification_update",
        "()",
        "models/mail/mail_thread.py",
        "Shows in the browser what stays.",
    ),
    Seam(
        "base",
        "_mail_get_companies",
        "(default=False)",
        "models/mail/mail_message.py",
        "The company of a message's document.",
    ),
    Seam(
        "res.users",
        "_bus_send",
        "(notification_type, message, /, *, subchannel=None)",
        "models/accounts/res_users.py",
        "Has the owner's browser ask anew for the banner.",
    ),
    Seam(
        "discuss.channel",
        "_get_or_create_chat",
        "(partners_to, pin=True)",
        "models/alerts/system_mail_alert.py",
        "OdooBot's chat with the owner of a mailbox.",
    ),
    Seam(
        "ir.qweb",
        "_render",
        "(template, values=None, **options)",
        "models/watch/system_mail_summary.py",
        "Renders the weekly summary.",
    ),
    Seam(
        "ir.http",
        "session_info",
        "()",
        "models/watch/ir_http.py",
        "Brings the banner's words to the web client.",
    ),
    # --- Personal mailboxes in the preferences
    Seam(
        "res.users",
        "_get_mail_server_values",
        "(server_type)",
        "models/accounts/res_users.py",
        "The values of a new personal mailbox, by its type.",
    ),
    Seam(
        "res.users",
        "_compute_outgoing_mail_server_id",
        "()",
        "models/mailboxes/res_users.py",
        "Finds a user's mailbox; ours looks again for one that only capitals keep from the user.",
    ),
    Seam(
        "res.users",
        "_get_mail_server_setup_end_action",
        "(smtp_server)",
        "models/accounts/res_users.py",
        "What opens after a personal mailbox was made: nothing where the addon connected it.",
    ),
    Seam(
        "res.users",
        "action_setup_outgoing_mail_server",
        "(server_type)",
        "models/accounts/res_users.py",
        "The choice of a type in the preferences; our types open the connect dialog.",
    ),
    Seam(
        "res.users",
        "action_test_outgoing_mail_server",
        "()",
        "models/accounts/res_users.py",
        "The test in the preferences.",
    ),
    Seam(
        "res.users",
        "_is_internal",
        "()",
        "models/accounts/res_users.py",
        "Only employees connect a mailbox.",
    ),
    # --- Who is a Super User
    Seam(
        "res.users",
        "_has_group",
        "(group_ext_id)",
        "models/guard/res_groups.py",
        "Asked without sudo, which would make anybody one.",
    ),
    Seam(
        "res.users",
        "_is_system",
        "()",
        "controllers/home.py",
        "Who may press “Become Superuser”.",
    ),
    Seam(
        "res.users",
        "_get_session_token_fields",
        "()",
        "models/guard/res_users.py",
        "What a session depends on decides who can sign in as a user.",
    ),
    Seam(
        "res.users",
        "_action_reset_password",
        "(signup_type='reset')",
        "models/guard/res_users.py",
        "A link to choose a Super User's password goes to their own address.",
        "auth_signup",
    ),
    Seam(
        "res.partner",
        "_generate_signup_token",
        "(expiration=None)",
        "models/guard/res_partner.py",
        "Others get no token to sign in as a Super User.",
        "auth_signup",
    ),
    Seam(
        "res.groups",
        "_get_group_definitions",
        "()",
        "models/guard/res_groups.py",
        "Which groups imply Super User.",
    ),
    Seam(
        "ir.model.data",
        "_xmlid_to_res_id",
        "(xmlid, raise_if_not_found=False)",
        "models/guard/res_groups.py",
        "The group's id, cached.",
    ),
    Seam(
        "ir.model.data",
        "_update_xmlids",
        "(data_list, update=False)",
        "models/guard/ir_model_data.py",
        "Imports write external IDs here, by SQL: create() and write() don't see it.",
    ),
    Seam(
        "base.partner.merge.automatic.wizard",
        "_merge",
        "(partner_ids, dst_partner=None, extra_checks=True)",
        "wizards/base_partner_merge.py",
        "Merging contacts gives a user another address, by SQL.",
    ),
    Seam(
        "odoo.addons.web.controllers.home.Home",
        "switch_to_admin",
        "()",
        "controllers/home.py",
        "“Become Superuser” in the debug menu.",
    ),
    Seam(
        "odoo.http",
        "STORED_SESSION_BYTES",
        "",
        "wizards/connect/sign_in.py",
        "The part of a session's id that stays when the rest changes.",
    ),
    # --- Screens and actions
    Seam(
        "ir.actions.act_window",
        "_get_action_dict",
        "()",
        "models/watch/ir_actions.py",
        "Connections opens on what needs attention.",
    ),
    Seam(
        "ir.actions.act_window",
        "_for_xml_id",
        "(full_xml_id)",
        "models",
        "An action's values, by its name.",
    ),
    Seam(
        "base.module.uninstall",
        "_get_modules",
        "()",
        "wizards/base_module_uninstall.py",
        "Which modules go, to tell what becomes of mailboxes.",
    ),
    # --- The ORM
    Seam(
        "odoo.fields.Char",
        "_insert_cache",
        "(records, values)",
        "tools/encrypted.py",
        "Is given each value that a query read: a secret is decrypted here.",
    ),
    Seam(
        "odoo.fields.Char",
        "convert_to_column",
        "(value, record, values=None, validate=True)",
        "tools/encrypted.py",
        "Is given each value that is written: a secret is encrypted here.",
    ),
    Seam(
        "odoo.fields.Field",
        "_update_cache",
        "(records, cache_value, dirty=False)",
        "models",
        "Puts a value in the cache without marking it to be written.",
    ),
    Seam(
        "odoo.fields.Field",
        "convert_to_cache",
        "(value, record, validate=True)",
        "models/mailboxes/ir_mail_server.py",
        "Makes a written value one of the cache.",
    ),
    Seam(
        "odoo.fields.Selection",
        "_description_selection",
        "(env)",
        "models",
        "The choices of a field in the reader's language.",
    ),
    Seam(
        "odoo.fields.Field",
        "_description_string",
        "(env)",
        "tools/changes.py",
        "The label of a field in the reader's language.",
    ),
    Seam(
        "odoo.models.BaseModel",
        "_check_field_access",
        "(field, operation)",
        "models/watch/system_mail_connection.py",
        "Whether the reader may see a field that we look up.",
    ),
    Seam(
        "odoo.models.BaseModel",
        "_compute_display_name",
        "()",
        "models/watch",
        "The name of an event.",
    ),
    Seam(
        "odoo.models.BaseModel",
        "_field_to_sql",
        "(alias, field_expr, query=None)",
        "models/watch/system_mail_connection.py",
        "Looks a field up in a subquery, for the rows that are shown.",
    ),
    Seam(
        "odoo.models.BaseModel",
        "_load_records",
        "(data_list, update=False)",
        "models/accounts/system_mail_oauth_provider.py",
        "Makes the providers' records with their external IDs, as a data file would.",
    ),
    Seam(
        "odoo.models.BaseModel",
        "_order_to_sql",
        "(order, query, alias=None, reverse=False)",
        "models/watch/system_mail_connection.py",
        "Puts System Mail first, whatever the list is sorted by.",
    ),
    Seam(
        "odoo.models.BaseModel",
        "_table_query",
        "",
        "models/watch/system_mail_connection.py",
        "The query behind the status view.",
    ),
    Seam(
        "odoo.models.BaseModel",
        "_read_group",
        "(domain, groupby=(), aggregates=(), having=(), offset=0, limit=None, order=None)",
        "models",
        "Sums and counts.",
    ),
    Seam(
        "odoo.sql_db",
        "BaseCursor",
        "",
        "tools/own_cursor.py",
        "Base of the cursor that borrows a connection for each statement.",
    ),
    Seam(
        "odoo.modules.module",
        "current_test",
        "",
        "models/mailboxes/ir_mail_server_check.py",
        "In a test all cursors are one, which other threads may not use.",
    ),
    # --- Python's smtplib
    Seam(
        "smtplib.SMTP",
        "_get_socket",
        "(host, port, timeout)",
        "failover/connection.py",
        "Replaced: the only place between a name and a socket, where a deadline can begin.",
    ),
    Seam(
        "smtplib.SMTP",
        "_print_debug",
        "(*args)",
        "failover/connection.py",
        "Silenced while a mailbox logs in: it prints passwords.",
    ),
    Seam(
        "smtplib.SMTP",
        "putcmd",
        "(cmd, args='')",
        "failover/connection.py",
        "Every command but a message's envelope goes by it: the phase is read off here.",
    ),
    Seam(
        "smtplib.SMTP",
        "getreply",
        "()",
        "failover/connection.py",
        "Every reply comes by it, read from the attribute file.",
    ),
    Seam(
        "smtplib.SMTP",
        "file",
        "",
        "failover/connection.py",
        "What replies are read from; smtplib makes its own only where it is None.",
    ),
    Seam(
        "smtplib.SMTP",
        "sock",
        "",
        "failover/connection.py",
        "The socket; None once it is closed.",
    ),
    Seam(
        "smtplib.SMTP",
        "sendmail",
        "(from_addr, to_addrs, msg, mail_options=(), rcpt_options=())",
        "failover/connection.py",
        "send_message calls it with the flattened message and returns what it returns.",
    ),
    # --- requests, urllib3 and requests_oauthlib
    Seam(
        "requests.adapters.HTTPAdapter",
        "init_poolmanager",
        "(connections, maxsize, block=False, **pool_kwargs)",
        "connect/bounded.py",
        "The pool of connections is made here.",
    ),
    Seam(
        "requests.adapters.HTTPAdapter",
        "proxy_manager_for",
        "(proxy, **proxy_kwargs)",
        "connect/bounded.py",
        "The same, by a proxy.",
    ),
    Seam(
        "requests.adapters.HTTPAdapter",
        "send",
        "(request, stream=False, timeout=None, verify=True, cert=None, proxies=None)",
        "connect/bounded.py",
        "The answer is read here, up to a limit.",
    ),
    Seam(
        "urllib3.connectionpool.HTTPConnectionPool",
        "ConnectionCls",
        "",
        "connect/bounded.py",
        "The class of a pool's connections.",
    ),
    Seam(
        "urllib3.connection.HTTPConnection",
        "_new_conn",
        "()",
        "connect/bounded.py",
        "Returns the new socket, which is kept to end what another thread waits for.",
    ),
    Seam(
        "urllib3.connection.HTTPConnection",
        "host",
        "",
        "connect/bounded.py",
        "Reads _dns_host, to which _new_conn connects: it is another one meanwhile.",
    ),
    Seam(
        "requests_oauthlib.OAuth2Session",
        "fetch_token",
        "(token_url, code=None, authorization_response=None, body='', auth=None, "
        "username=None, password=None, method='POST', force_querystring=False, "
        "timeout=None, headers=None, verify=None, proxies=None, include_client_id=None, "
        "client_secret=None, cert=None, **kwargs)",
        "connect/oauth.py",
        "Exchanges a code for tokens, or an application's proof for one.",
    ),
    Seam(
        "requests_oauthlib.OAuth2Session",
        "refresh_token",
        "(token_url, refresh_token=None, body='', auth=None, timeout=None, headers=None, "
        "verify=None, proxies=None, **kwargs)",
        "connect/oauth.py",
        "Asks for new tokens.",
    ),
    Seam(
        "oauthlib.oauth2.WebApplicationClient",
        "create_code_verifier",
        "(length)",
        "connect/oauth.py",
        "The proof that it is the same browser (PKCE).",
    ),
    Seam(
        "oauthlib.oauth2.WebApplicationClient",
        "create_code_challenge",
        "(code_verifier, code_challenge_method=None)",
        "connect/oauth.py",
        "The same, as the provider is told it.",
    ),
    Seam(
        "oauthlib.oauth2.BackendApplicationClient",
        "grant_type",
        "",
        "connect/oauth.py",
        "The name of the grant, in place of which a service account says its own.",
    ),
)
