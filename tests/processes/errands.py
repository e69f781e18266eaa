"""What ``Installation.do`` has done in Odoo's shell: from ``env`` to plain values."""

from odoo.modules import get_module_path

from measure import instance

AUTHOR, READER = ("Ana Author", "ana@company.test"), ("Ben Reader", "ben@company.test")
SIGNED_IN = ("Carla Signs-in", "carla@company.test")
SYSTEM = "hello@company.test"
CUSTOMER = "cora@customer.test"
TEXT = "See this"
PASSWORDS = {AUTHOR[1]: "secret", SYSTEM: "neutral"}


class _Mailbox:
    encryption = None

    def __init__(self, address):
        self.name = self.address = address
        self.password = PASSWORDS[address]


def found(env, own=1, system=1):
    """The company's people, and the author's mailbox, connected as the addon does; System Mail.

    :param int own: port of the mailbox's server
    :param int system: of System Mail's
    """
    env["ir.config_parameter"].set_param("base_setup.default_external_email_server", True)
    author, _reader = (instance.user(env, *person) for person in (AUTHOR, READER))
    server = instance.server(env, _Mailbox(AUTHOR[1]), own, author)
    server.write({"smtp_pass": False, "system_mail_password": PASSWORDS[AUTHOR[1]]})
    env["res.partner"].create({"name": "Cora Customer", "email": CUSTOMER})
    use_system_mail(env, system)


def tell_path(_env):
    """Where the addon lies."""
    return get_module_path("system_mail")


def use_system_mail(env, port):
    instance.use_system_mail(env, _Mailbox(SYSTEM), port)


def mention(env, address=READER[1]):
    """The author mentions somebody; returns the notification's status and type of failure."""
    author = env["res.users"].search([("login", "=", AUTHOR[0])])
    partner = env["res.partner"].search([("email", "=", address)])
    message = (
        author.partner_id.with_user(author)
        .sudo()
        .message_post(
            body=TEXT,
            message_type="comment",
            subtype_xmlid="mail.mt_comment",
            partner_ids=partner.ids,
        )
    )
    env.cr.commit()  # then it is sent
    env.invalidate_all()
    [notification] = message.with_env(env).notification_ids
    return notification.notification_status, notification.failure_type


def run_queue(env):
    """Send what waits, as if its time had come.

    :return: how many mails are left
    """
    waiting = env["mail.mail"].search([("state", "=", "outgoing")])
    waiting.scheduled_date = False
    env["mail.mail"].process_email_queue()
    return env["mail.mail"].search_count([("state", "=", "outgoing")])


def live_on(env):
    """Leave traces wherever people and the addon may: a mailbox that signs in, settings, rows."""
    user = instance.user(env, *SIGNED_IN)
    provider = env.ref("system_mail.oauth_provider_google")
    provider.client_secret_input = "secret"
    server = env["ir.mail_server"].create(
        {
            "name": user.email,
            "smtp_host": "127.0.0.1",
            "smtp_user": user.email,
            "from_filter": user.email,
            "owner_user_id": user.id,
            "smtp_authentication": "system_mail_oauth",
            "system_mail_provider_id": provider.id,
        }
    )
    env["system.mail.oauth.token"].create({"server_id": server.id, "access_token": "token"})
    env["ir.config_parameter"].set_param("system_mail.retention_days", 90)
    env["system.mail.monitoring"].new_token()
    env["system.mail.alert"]._cron_tell()
    env["ir.filters"].create(
        {
            "name": "Mine",
            "model_id": "system.mail.event",
            "context": "{'group_by': ['rule']}",
            "sort": '["rule desc"]',
        }
    )
    env.ref("system_mail.group_super_user").user_ids += user
    env.ref("system_mail.ir_cron_sweep").interval_number = 45


def be_of_before(env):
    """As version 19.0.1.0.0 left it, which kept no outages: the author's mailbox has been out of
    order for a day. Another one's is kept already.
    """
    other = env["ir.mail_server"].search([("from_filter", "=", SIGNED_IN[1])])
    other.system_mail_check()
    author = env["ir.mail_server"].search([("from_filter", "=", AUTHOR[1])])
    env.cr.execute(
        """UPDATE ir_module_module SET latest_version = '19.0.1.0.0' WHERE name = 'system_mail';
           UPDATE system_mail_health SET since = since - interval '1 day'
            WHERE server_id = %(author)s;
           DELETE FROM system_mail_outage WHERE server_id = %(author)s""",
        {"author": author.id},
    )


def store_sentences(env):
    """As versions up to 19.0.1.0.1 stored why a password was rejected, and what they called what
    people group and sort by.
    """
    env.flush_all()
    env.cr.execute(
        """UPDATE ir_module_module SET latest_version = LEAST(latest_version, '19.0.1.0.1')
            WHERE name = 'system_mail';
           UPDATE ir_filters SET context = '{''group_by'': [''reason'']}', sort = '["reason desc"]'
            WHERE model_id = 'system.mail.event';

           ALTER TABLE system_mail_event RENAME rule TO reason;
           UPDATE system_mail_event SET reason = COALESCE(note, %(sentence)s)
            WHERE note IS NOT NULL OR reason = 'password_rejected';
           ALTER TABLE system_mail_event DROP note;

           ALTER TABLE system_mail_health RENAME rule TO reason;
           ALTER TABLE system_mail_health RENAME remedy_key TO remedy;
           UPDATE system_mail_health
              SET reason = %(sentence)s, remedy = 'Reconnect with the new password.'
            WHERE reason = 'password_rejected';

           ALTER TABLE system_mail_outage RENAME rule TO reason;
           ALTER TABLE system_mail_outage DROP smtp_code, DROP enhanced_code;
           UPDATE system_mail_outage SET reason = %(sentence)s WHERE reason = 'password_rejected';

           ALTER TABLE mail_notification RENAME system_mail_rule TO system_mail_reason;
           ALTER TABLE mail_notification DROP system_mail_smtp_code,
                                         DROP system_mail_enhanced_code;
           UPDATE mail_notification SET system_mail_reason = %(sentence)s
            WHERE system_mail_reason = 'password_rejected'""",
        {"sentence": "the password was rejected (535 5.7.8)"},
    )


def forget_apis(env):
    """As versions up to 19.0.1.2.0 left it, which knew no APIs of providers."""
    env.cr.execute(
        """ALTER TABLE system_mail_oauth_provider
            DROP COLUMN api_form, DROP COLUMN api_endpoint, DROP COLUMN api_scope;
           ALTER TABLE ir_mail_server DROP COLUMN system_mail_https"""
    )


def tell_apis(env):
    """The API of each provider that has one, and whether any mailbox uses it."""
    providers = env["system.mail.oauth.provider"].with_context(active_test=False)
    return {
        "apis": {p.name: p.api_form for p in providers.search([]) if p.api_form},
        "used": env["ir.mail_server"].search_count([("system_mail_https", "=", True)]),
    }


def tell_reasons(env):
    """Each model's reasons, with what they are made of, and the filter that people keep."""
    healths = env["system.mail.health"].search([])
    filters = env["ir.filters"].search([("model_id", "=", "system.mail.event")])
    return {
        "health": [[*_stored(h), h.remedy_key, h.reason, h.remedy] for h in healths if h.rule],
        "event": [
            [*_stored(event), event.note, event.reason]
            for event in env["system.mail.event"].search([])
        ],
        "outage": [[*_stored(o), o.reason] for o in env["system.mail.outage"].search([])],
        "notification": [
            [
                notification.system_mail_rule,
                notification.system_mail_smtp_code,
                notification.system_mail_enhanced_code,
                notification.system_mail_reason,
            ]
            for notification in env["mail.notification"].search([("system_mail_rule", "!=", False)])
        ],
        "filter": [filters.context, filters.sort],
    }


def _stored(record):
    return record.rule, record.smtp_code, record.enhanced_code


def tell_settings(env):
    """The version, and what people changed in what the addon brought."""
    from odoo.addons.system_mail.tools.encrypted import in_clear  # noqa: PLC0415

    google_sudo = env.ref("system_mail.oauth_provider_google").sudo()
    return {
        "version": env.ref("base.module_system_mail").latest_version,
        "cron": env.ref("system_mail.ir_cron_sweep").interval_number,
        "retention": env["ir.config_parameter"].get_param("system_mail.retention_days"),
        "secret": in_clear(google_sudo, "client_secret"),
        "address": env.company.system_mail_address,
        "events": env["system.mail.event"].search_count([]),
    }


def have_one_mailbox(env):
    """As versions up to 19.0.1.2.0 had it: System Mail has no further mailbox, and a company has
    one finding of each kind about its domain.
    """
    env.cr.execute(
        """UPDATE ir_module_module SET latest_version = '19.0.1.2.0' WHERE name = 'system_mail';
           DROP INDEX system_mail_domain_finding_mailbox_kind_uniq;
           ALTER TABLE system_mail_domain_finding DROP backup_id,
                 ADD CONSTRAINT system_mail_domain_finding_kind_uniq UNIQUE (company_id, kind);
           ALTER TABLE system_mail_usage DROP server_id;
           DROP TABLE system_mail_backup CASCADE"""
    )


def add_mailbox(env):
    """Give System Mail a further mailbox, and check the domains of both.

    :return: how many findings there are of each
    """
    company = env.company
    server = company.system_mail_server_id.copy({"name": "Second", "from_filter": "b@other.test"})
    backup = env["system.mail.backup"].create(
        {"company_id": company.id, "address": "b@other.test", "server_id": server.id}
    )
    company._system_mail_check_domain()
    return len(company.system_mail_finding_ids), len(backup.finding_ids)


def keep_defaults(env):
    """As older versions let people: defaults that nobody may have, and one that they may."""
    defaults = env["ir.default"]
    changing = [[1, env.user.partner_id.id, {"name": "Other"}]]
    defaults.set("mail.compose.message", "partner_ids", changing)
    defaults.set("mail.mail", "mail_message_id", env["mail.message"].search([], limit=1).id)
    defaults.set("res.partner", "comment", "Mine")
    env.flush_all()
    env.cr.execute(
        "UPDATE ir_module_module SET latest_version = '19.0.2.0.0' WHERE name = 'system_mail'"
    )


def tell_defaults(env):
    """The names of the fields that have a default."""
    return env["ir.default"].search([]).field_id.mapped("name")


def tell_outages(env):
    """``{mailbox: (it began when the mailbox broke, it is over, messages carried)}``"""
    return {
        outage.server_name: (
            outage.started_at == outage.server_id.system_mail_health_ids.since,
            bool(outage.ended_at),
            outage.message_count,
        )
        for outage in env["system.mail.outage"].search([])
    }


def tell_remains(env):
    """What is left of the addon, where, and what Odoo alone makes of its mailboxes and messages."""
    servers = env["ir.mail_server"].with_context(active_test=False).search([])
    failures = env["mail.notification"]._read_group([], ["failure_type"], ["__count"])
    return {
        "named in": [column for column in _columns_of_text(env) if _names_addon(env, *column)],
        "tables, columns and indexes": _own_names(env),
        "mailboxes": {server.from_filter: server.smtp_pass for server in servers},
        "failures": dict(failures),
    }


def _columns_of_text(env):
    env.cr.execute(
        """SELECT c.table_name, c.column_name FROM information_schema.columns c
             JOIN information_schema.tables t USING (table_schema, table_name)
            WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
              AND data_type IN ('text', 'character varying', 'jsonb')"""
    )
    return env.cr.fetchall()


def _names_addon(env, table, column):
    env.cr.execute(f"""SELECT 1 FROM "{table}" WHERE "{column}"::text ~* 'system.mail' LIMIT 1""")
    return bool(env.cr.fetchone())


def _own_names(env):
    env.cr.execute(
        """SELECT relname FROM pg_class WHERE relname LIKE '%system_mail%'
            UNION ALL
           SELECT attname FROM pg_attribute
            WHERE attname LIKE '%system_mail%' AND NOT attisdropped"""
    )
    return [name for (name,) in env.cr.fetchall()]


def tell_demo(env):
    """What the demo data has, as a Super User sees it."""
    admin = env.ref("base.user_admin")
    theirs = env(user=admin, context={"allowed_company_ids": admin.company_ids.ids})
    connections = theirs["system.mail.connection"]
    events, outages = (
        theirs["system.mail.event"].search([]),
        theirs["system.mail.outage"].search([]),
    )
    health = theirs["system.mail.health"].search([])
    servers = env["ir.mail_server"].with_context(active_test=False).search([])
    crons = env["ir.cron"].search([("cron_name", "=like", "System Mail%")])
    return {
        "companies": {c.name: c.system_mail_state for c in admin.company_ids},
        "states": connections.get_overview()["counts"],
        "people": [[c.user_id.name, c.state, c.fallback_count] for c in connections.search([])],
        "days of events": sorted({(events[0].create_date - e.create_date).days for e in events}),
        "kinds": sorted(set(events.mapped("kind"))),
        "owners": [
            [s.owner_user_id.name, s.owner_user_id.outgoing_mail_server_id == s]
            for s in servers
            if s.owner_user_id
        ],
        "last tests": [system["last_test"] for system in connections.get_overview()["systems"]],
        "miscounted": [o.server_name for o in outages if not _adds_up(o, events)],
        "judged otherwise": [h.server_id.name for h in health if h.phase and not _is_judged_so(h)],
        "hosts": sorted({server.smtp_host for server in servers}),
        "crons at work": sorted(crons.mapped("cron_name")),
        "mails in the queue": env["mail.mail"].search_count([("state", "=", "outgoing")]),
    }


def _adds_up(outage, events):
    carried = events.filtered(
        lambda event: (
            event.kind == "fallback"
            and event.server_id == outage.server_id
            and outage.started_at <= event.create_date
        )
    )
    return (outage.message_count, outage.recipient_count) == (
        len(carried),
        sum(carried.mapped("recipient_count")),
    )


def _is_judged_so(health):
    from odoo.addons.system_mail.failover import rules  # noqa: PLC0415

    failure = health._last_failure()
    decision = rules.classify(failure)
    return (health.state, health.effect, health.rule, health.remedy_key) == (
        decision.effect.state,
        decision.effect.value,
        decision.rule,
        decision.remedy,
    )
