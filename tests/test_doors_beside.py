"""Records of Odoo that are nobody's in particular, and that change what a Super User sees, hears or
is sent.
"""

import base64

from odoo.tests import tagged

from .doors import NOTHING, OUTSIDERS, REFUSED, DoorsCase

EVENT = "system.mail.event"


@tagged("post_install", "-at_install")
class TestDoorsBeside(DoorsCase):
    def ref(self, name):
        return self.env.ref(f"system_mail.{name}")

    def test_push_notifications(self):
        """Alerts reach a Super User's browsers too."""
        device, push = "mail.push.device", "mail.push"
        partner_id = self.victim.partner_id.id
        new = {"partner_id": partner_id, "endpoint": "https://else.test/1", "keys": "{}"}
        theirs = self.env[device].create({**new, "endpoint": "https://push.test/secret"})
        mine = self.env[device].create(
            {**new, "partner_id": self.accomplice.partner_id.id, "endpoint": "https://else.test/2"}
        )
        queued = self.env[push].create({"mail_push_device_id": theirs.id, "payload": "An alert"})
        self.assert_closed(
            {
                "device.create": self.door(device, "create", [new]),
                "device.write endpoint": self.door(
                    device, "write", theirs.ids, {"endpoint": "https://else.test/3"}
                ),
                "device.write partner_id, away": self.door(
                    device, "write", theirs.ids, {"partner_id": self.accomplice.partner_id.id}
                ),
                "device.unlink": self.door(device, "unlink", theirs.ids),
                "push.write device": self.door(
                    push, "write", queued.ids, {"mail_push_device_id": mine.id}
                ),
                "push.unlink": self.door(push, "unlink", queued.ids),
                "push.create": self.door(
                    push, "create", [{"mail_push_device_id": theirs.id, "payload": "False"}]
                ),
            },
        )
        for role in OUTSIDERS:
            self.log_in(role)
            for record in (theirs, queued):
                with self.subTest(role=role, model=record._name):
                    read = self.door(record._name, "read", record.ids, [])
                    self.assertEqual(self.outcome(read), REFUSED)
        self.log_in("administrator")
        self.assertIn(mine.id, self.call(device, "search", []))
        self.assertNotIn(theirs.id, self.call(device, "search", []))

    def test_what_keeps_push_notifications_away(self):
        """Odoo forgets all browsers where its keys are gone, and disturbs nobody who is busy."""
        self.env["mail.push.device"].get_web_push_vapid_public_key()
        key, status = "mail.web_push_vapid_public_key", "manual_im_status"
        self.assert_closed(
            {
                "parameter.set_param": self.door("ir.config_parameter", "set_param", key, False),
                "users.write": self.door("res.users", "write", self.victim.ids, {status: "busy"}),
                "default.set": self.door("ir.default", "set", "res.users", status, "busy"),
            },
            super_user=NOTHING,  # of what is looked at
        )
        self.log_in("administrator")
        self.call("res.users", "write", self.people["administrator"].ids, {status: "busy"})

    def test_a_browser_that_two_people_share(self):
        self.log_in("administrator")
        key = self.call("mail.push.device", "get_web_push_vapid_public_key")
        browser = {"endpoint": "https://push.test/shared", "keys": {}, "vapid_public_key": key}
        for role in ("super user", "administrator"):
            self.log_in(role)
            self.call("mail.push.device", "register_devices", **{**browser, "keys": {"p": "1"}})
        device = self.env["mail.push.device"].search([("endpoint", "=", browser["endpoint"])])
        self.assertEqual(device.partner_id, self.people["administrator"].partner_id)

    def test_filters_of_a_super_user(self):
        """One that is shared and default would hide what a Super User looks for."""
        filters, hiding = "ir.filters", {"domain": "[('id', '=', 0)]", "is_default": True}
        new = {"name": "All", "model_id": EVENT, **hiding}
        theirs = self.env[filters].create(
            {"name": "Today", "model_id": EVENT, "user_ids": self.victim.ids}
        )
        shared = self.env[filters].create({"name": "Week", "model_id": EVENT})
        other = self.env[filters].create({"name": "Other", "model_id": "res.partner"})
        self.assert_closed(
            {
                "filters.create": self.door(filters, "create", [new]),
                "filters.create_filter": self.door(filters, "create_filter", new),
                "filters.create, of one": self.door(
                    filters, "create", [{**new, "user_ids": [[4, self.victim.id]]}]
                ),
                "filters.write": self.door(filters, "write", theirs.ids, hiding),
                "filters.write, shared": self.door(filters, "write", shared.ids, hiding),
                "filters.write model_id": self.door(
                    filters, "write", other.ids, {"model_id": EVENT}
                ),
                "filters.unlink": self.door(filters, "unlink", shared.ids),
                "filters.create, of mails": self.door(
                    filters, "create", [{**new, "model_id": "mail.mail"}]
                ),
            }
        )
        self.log_in("employee")
        self.call(filters, "create", [{**new, "model_id": "res.partner"}])
        self.call(filters, "create", [{**new, "model_id": "mail.mail", "is_default": False}])

    def test_embedded_actions(self):
        embedded, action = "ir.embedded.actions", self.ref("system_mail_event_action")
        new = {
            "name": "Look here",
            "parent_action_id": action.id,
            "parent_res_model": EVENT,
            "python_method": "unlink",
        }
        elsewhere = {**new, "parent_res_model": "res.partner"}
        mails = {**new, "parent_action_id": self.ref("mail_mail_action").id}
        self.assert_closed(
            {
                "embedded.create": self.door(embedded, "create", [new]),
                "embedded.create, of another model": self.door(embedded, "create", [elsewhere]),
                "embedded.create, of mails": self.door(
                    embedded, "create", [{**mails, "parent_res_model": "mail.mail"}]
                ),
            }
        )

    def test_when_scheduled_actions_run(self):
        cron = self.ref("ir_cron_tell")
        trigger = self.env["ir.cron.trigger"].create(
            {"cron_id": cron.id, "call_at": "2026-01-01 00:00:00"}
        )
        progress = self.env["ir.cron.progress"].create({"cron_id": cron.id})
        given_up = {"cron_id": cron.id, "timed_out_counter": 3}
        self.assert_closed(
            {
                "trigger.unlink": self.door("ir.cron.trigger", "unlink", trigger.ids),
                "trigger.write": self.door(
                    "ir.cron.trigger", "write", trigger.ids, {"call_at": "2099-01-01 00:00:00"}
                ),
                "progress.create": self.door("ir.cron.progress", "create", [given_up]),
                "progress.write": self.door(
                    "ir.cron.progress", "write", progress.ids, {"timed_out_counter": 3}
                ),
            }
        )

    def test_whether_a_super_user_hears_of_messages(self):
        settings = self.env["res.users.settings"]._find_or_create_for_user(self.victim)
        quiet = {"channel_notifications": "no_notif"}
        self.assert_closed(
            {
                "settings.write": self.door(settings._name, "write", settings.ids, quiet),
                "settings.unlink": self.door(settings._name, "unlink", settings.ids),
                "users.write settings": self.door(
                    "res.users",
                    "write",
                    self.victim.ids,
                    {"res_users_settings_ids": [[1, settings.id, quiet]]},
                ),
            }
        )
        for role in ("administrator", "employee"):
            self.log_in(role)
            mine = self.env["res.users.settings"]._find_or_create_for_user(self.people[role])
            self.call(settings._name, "write", mine.ids, quiet)

    def test_when_the_check_of_domains_runs(self):
        cron = {"cron_id": self.ref("ir_cron_domain_check").id, "call_at": "2026-01-01 00:00:00"}
        self.assert_closed(
            {
                "trigger.create, of domains": self.door("ir.cron.trigger", "create", [cron]),
                "progress.create, of domains": self.door(
                    "ir.cron.progress",
                    "create",
                    [{"cron_id": cron["cron_id"], "timed_out_counter": 3}],
                ),
            }
        )

    def test_what_is_limited_to_a_group(self):
        """A rule that has a group holds for nobody else; a menu that has one is hidden."""
        linked = {
            "rule_groups": self.ref("ir_mail_server_rule_system_mail"),
            "menu_access": self.ref("menu_system_mail_events"),
            "view_access": self.ref("system_mail_event_view_list"),
        }
        doors = {}
        for name, record in linked.items():
            values = {name: [[4, record.id]]}
            doors[f"groups.write {name}"] = self.door(
                "res.groups", "write", self.vassal.ids, values
            )
            doors[f"groups.create {name}"] = self.door(
                "res.groups", "create", [{"name": "Mine", **values}]
            )
        self.assert_closed(doors)
        other = self.env.ref("base.res_partner_rule")
        self.log_in("access rights")
        self.call("res.groups", "write", self.vassal.ids, {"rule_groups": [[4, other.id]]})

    def test_screens(self):
        action, menu = self.ref("system_mail_event_action"), self.ref("menu_system_mail_events")
        view = self.ref("system_mail_event_view_list")
        self.assert_closed(
            {
                "action.write domain": self.door(
                    action._name, "write", action.ids, {"domain": "[('id', '=', 0)]"}
                ),
                "action.unlink": self.door(action._name, "unlink", action.ids),
                "actions.unlink": self.door("ir.actions.actions", "unlink", action.ids),
                "actions.write": self.door(
                    "ir.actions.actions", "write", action.ids, {"path": "elsewhere"}
                ),
                "actions.write, of Reconnect": self.door(
                    "ir.actions.actions",
                    "write",
                    self.ref("system_mail_reconnect_action").ids,
                    {"path": "elsewhere"},
                ),
                "menu.write active": self.door(menu._name, "write", menu.ids, {"active": False}),
                "menu.unlink": self.door(menu._name, "unlink", menu.ids),
                "view.write arch": self.door(
                    view._name, "write", view.ids, {"arch": "<list><field name='kind'/></list>"}
                ),
                "view.write active": self.door(view._name, "write", view.ids, {"active": False}),
                "view.create, in its place": self.door(
                    view._name,
                    "create",
                    [
                        {
                            "name": "Mine",
                            "model": EVENT,
                            "priority": 1,
                            "arch": "<list><field name='kind'/></list>",
                        }
                    ],
                ),
            }
        )

    def test_screens_of_odoo_that_have_a_part_of_ours(self):
        doors = {}
        for name in (
            "base_module_uninstall_view_form",
            "mail_mail_view_list",
            "mail_mail_view_kanban",
            "mail_mail_view_search",
            "res_config_settings_view_form",
            "res_users_view_form_preferences",
            "sign_in_refused",
            "summary",
        ):
            view = self.ref(name)
            doors[f"view.write active, {name}"] = self.door(
                view._name, "write", view.ids, {"active": False}
            )
        views = self.env["ir.model.data"].search(
            [("module", "=", "system_mail"), ("model", "=", "ir.ui.view")]
        )
        elsewhere = (
            self.env["ir.ui.view"]
            .browse(views.mapped("res_id"))
            .filtered(lambda view: not (view.model or "").startswith("system.mail."))
        )
        self.assertEqual(len(doors), len(elsewhere), "each is in the rule, and here")
        template = {"name": "Mine", "type": "qweb", "arch": "<t><p>Look here</p></t>"}
        inherited = {**template, "arch": "<data><xpath expr='//*[1]' position='inside'/></data>"}
        doors |= {
            "view.create, of the same key": self.door(
                "ir.ui.view", "create", [{**template, "key": "system_mail.summary", "priority": 1}]
            ),
            "view.create, inherited": self.door(
                "ir.ui.view", "create", [{**inherited, "inherit_id": self.ref("summary").id}]
            ),
        }
        self.assert_closed(doors)

    def test_what_is_written_on_screens(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        view, action = self.ref("system_mail_event_view_list"), self.ref("system_mail_event_action")
        fields, models = self.env["ir.model.fields"], self.env["ir.model"]
        scope = fields._get("res.company", "system_mail_scope")
        heading = self.env.ref("system_mail.privilege_system_mail")
        french = {"fr_FR": "Look here"}

        def translate(record, name):
            return self.door(record._name, "update_field_translations", record.ids, name, french)

        self.assert_closed(
            {
                "view.translate": self.door(
                    view._name,
                    "update_field_translations",
                    view.ids,
                    "arch_db",
                    {"fr_FR": {view.get_field_translations("arch_db")[0][0]["source"]: "X"}},
                ),
                "menu.translate": translate(self.ref("menu_system_mail_events"), "name"),
                "action.translate": translate(action, "name"),
                "model.translate": translate(models._get(EVENT), "name"),
                "field.translate": translate(scope, "field_description"),
                "field.write": self.door(
                    scope._name, "write", scope.ids, {"field_description": "Look here"}
                ),
                "selection.write": self.door(
                    "ir.model.fields.selection",
                    "write",
                    scope.selection_ids[:1].ids,
                    {"name": "Look here"},
                ),
                "privilege.write": self.door(
                    heading._name, "write", heading.ids, {"name": "Look here"}
                ),
                "window.view.create": self.door(
                    "ir.actions.act_window.view",
                    "create",
                    [{"act_window_id": action.id, "view_mode": "pivot", "sequence": 0}],
                ),
                "window.view.create, of mails": self.door(
                    "ir.actions.act_window.view",
                    "create",
                    [{"act_window_id": self.ref("mail_mail_action").id, "view_mode": "pivot"}],
                ),
            }
        )

    def test_importing_translations(self):
        """Odoo writes these by SQL."""
        names = {
            "ir.ui.menu,name:system_mail.menu_system_mail_events": "Activity",
            "ir.model.fields,field_description:system_mail.field_res_company__system_mail_scope": (
                self.env["ir.model.fields"]
                ._get("res.company", "system_mail_scope")
                .field_description
            ),
            "ir.ui.menu,name:base.menu_administration": "Settings",
        }

        def imported(code, *places):
            text = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n' + "".join(
                f'\n#. module: x\n#: model:{p}\nmsgid "{names[p]}"\nmsgstr "Look here"\n'
                for p in places
            )
            values = {
                "name": "X",
                "code": code,
                "filename": "x.po",
                "data": base64.b64encode(text.encode()).decode(),
            }

            def door():
                [id_] = self.call("base.language.import", "create", [values])
                self.call("base.language.import", "import_lang", [id_])

            return door

        menu, field, of_odoo = names
        self.assert_closed(
            {
                "language.import, menu": imported("en_US", menu),
                "language.import, field": imported("fr_FR", field),
                "language.import, both": imported("fr_FR", of_odoo, menu),
            }
        )
        self.log_in("administrator")
        imported("fr_FR", of_odoo)()
        root = self.env.ref("base.menu_administration").with_context(lang="fr_FR")
        self.assertEqual(root.name, "Look here")

    def test_installing_a_language_anew(self):
        """Odoo writes these by SQL, too. Ours stay; the others are an administrator's to renew."""
        self.env["res.lang"]._activate_lang("fr_FR")
        ours = self.ref("menu_system_mail_events").with_context(lang="fr_FR")
        theirs = self.env.ref("base.menu_administration").with_context(lang="fr_FR")
        ours.name = theirs.name = "Ici"
        values = {
            "lang_ids": self.env["res.lang"].search([("code", "=", "fr_FR")]).ids,
            "overwrite": True,
        }
        self.log_in("administrator")
        [id_] = self.call("base.language.install", "create", [values])
        self.call("base.language.install", "lang_install", [id_])
        self.env.invalidate_all()
        self.assertEqual(ours.name, "Ici")
        self.assertNotEqual(theirs.name, "Ici")

    def test_calling_a_mail_server(self):
        """Odoo would connect to any server, or log in to anybody's mailbox, before it looks at the
        message.
        """
        server, call = "ir.mail_server", {"From": "ana@company.test", "To": "ben@company.test"}
        self.assert_closed(
            {
                "send_email, by a host": self.door(
                    server, "send_email", call, smtp_server=self.own.host, smtp_port=self.own.port
                ),
                "send_email, by a mailbox": self.door(
                    server, "send_email", call, mail_server_id=self.own_server.id
                ),
            },
            super_user=REFUSED,
        )
        self.assertFalse(self.own.attempts)

    def test_following_the_alerts(self):
        channel = self.ref("channel_alerts")
        partner = self.people["administrator"].partner_id
        new = {"res_model": channel._name, "res_id": channel.id, "partner_id": partner.id}
        self.env["mail.followers"].create(new)
        self.env["system.mail.alert"].tell_super_users("Look")
        message = channel.message_ids[0]
        self.assertNotIn(partner, message.notified_partner_ids)
        self.assertFalse(self.received(partner.email))
