import { registry } from "@web/core/registry";

import { expectAccessible, isAccessible, violations } from "./accessible";

const DIALOG = ".modal:not(.o_inactive_modal)";
const HELP = "/system_mail/static/description/index.html";

function env() {
    return odoo.__WOWL_DEBUG__.root.env;
}

/** Open an action, wait until its page shows something, and look at it. */
function screen(name, action, shown) {
    return [
        {
            trigger: "body",
            run: () => env().services.action.doAction(action, { clearBreadcrumbs: true }),
        },
        { trigger: shown },
        isAccessible(name),
    ];
}

/** The form of the first record. */
function form(name, model, domain, shown) {
    return [
        {
            trigger: "body",
            async run() {
                const { action, orm } = env().services;
                const [id] = await orm.search(model, domain, { limit: 1 });
                await action.doAction(
                    {
                        type: "ir.actions.act_window",
                        res_model: model,
                        res_id: id,
                        views: [[false, "form"]],
                    },
                    { clearBreadcrumbs: true },
                );
            },
        },
        { trigger: shown },
        isAccessible(name),
    ];
}

function closed() {
    return [
        { trigger: `${DIALOG} footer button[special=cancel]`, run: "click" },
        { trigger: "body:not(:has(.modal))" },
    ];
}

/**
 * Look at a page that is not of the web client.
 *
 * @param {string} name
 * @param {{src: string} | {srcdoc: string}} page its address or its content
 * @returns {Promise<string[]>} the pages that it lists
 */
async function visit(name, page) {
    const frame = document.createElement("iframe");
    frame.className = "position-fixed top-0 start-0 w-100 h-100";
    Object.assign(frame, page);
    const loaded = new Promise((resolve) => frame.addEventListener("load", resolve));
    document.body.append(frame);
    await loaded;
    await expectAccessible(name, "html", frame.contentDocument);
    const listed = frame.contentDocument.querySelectorAll("nav[aria-label=Pages] a");
    const addresses = [...listed].map((link) => link.href);
    frame.remove();
    return addresses;
}

registry.category("web_tour.tours").add("system_mail_screens", {
    steps: () => [
        {
            content: "what is wrong is found",
            trigger: ".o_system_mail_home",
            async run({ anchor }) {
                const button = document.createElement("button");
                anchor.append(button);
                const found = await violations(document, ".o_system_mail_home");
                button.remove();
                if (window.axe && found.length !== 1) {
                    throw new Error("a button without a name was not found");
                }
            },
        },
        ...form(
            "a line of Activity",
            "system.mail.event",
            [["kind", "=", "held"]],
            ".o_form_view [name=kind] .badge",
        ),
        ...screen(
            "Fallbacks",
            "system_mail.system_mail_event_action_fallbacks",
            ".o_graph_renderer canvas",
        ),
        ...screen(
            "Webhooks",
            "system_mail.system_mail_webhook_action",
            ".o_list_view .o_data_row:contains(hooks.slack.com)",
        ),
        ...form("a webhook", "system.mail.webhook", [], ".o_form_view [name=url_input] input"),
        ...screen(
            "Providers",
            "system_mail.system_mail_oauth_provider_action",
            ".o_list_view .o_data_row",
        ),
        ...["authorization_code", "client_credentials", "service_account"].flatMap((grant) =>
            form(
                `a provider by ${grant}`,
                "system.mail.oauth.provider",
                [["grant", "=", grant]],
                ".o_form_view [name=token_endpoint] input",
            ),
        ),
        ...screen(
            "the settings, with a further mailbox",
            {
                type: "ir.actions.act_window",
                res_model: "res.config.settings",
                views: [[false, "form"]],
                target: "inline",
                context: { module: "system_mail" },
            },
            "#system_mail_backups_setting .o_kanban_record:contains(second@other.test)",
        ),
        {
            trigger: "#system_mail_announcement_setting button",
            run: "click",
        },
        { trigger: `${DIALOG} [name=text]:contains(hello@company.test)` },
        isAccessible("the announcement"),
        ...closed(),
        {
            trigger: "#system_mail_backups_setting > * button:contains(Add Mailbox)",
            run: "click",
        },
        { trigger: `${DIALOG} [name=address] input:focus` },
        isAccessible("the dialog for a further mailbox"),
        ...closed(),
        {
            trigger: "#system_mail_connection_setting button[name=action_system_mail_test]",
            run: "click",
        },
        { trigger: `${DIALOG} [name=recipient] input` },
        isAccessible("a test"),
        ...closed(),
        {
            content: "the pages beside the web client are accessible",
            trigger: "body",
            timeout: 30000,
            async run() {
                for (const src of await visit("the front page", { src: HELP })) {
                    await visit(src, { src });
                }
                await visit("a refused sign-in", { src: "/system_mail/oauth/return?state=other" });
                const demo = await fetch("/system_mail/demo");
                await visit("the demo", { srcdoc: await demo.text() });
            },
        },
    ],
});

registry.category("web_tour.tours").add("system_mail_phone", {
    steps: () => [
        { trigger: ".o_system_mail_home_tasks" },
        isAccessible("the home page"),
        {
            trigger: ".o_system_mail_home_system button[name=action_connect]",
            run: "click",
        },
        { trigger: `${DIALOG} [name=smtp_pass] input` },
        isAccessible("the connect dialog"),
        ...closed(),
        ...screen(
            "Connections",
            "system_mail.system_mail_connection_action",
            ".o_kanban_view .o_kanban_record:contains(ana@company.test)",
        ),
        ...screen(
            "Activity",
            "system_mail.system_mail_event_action",
            ".o_kanban_view .o_kanban_record:contains(ana@company.test)",
        ),
        ...screen(
            "Outages",
            "system_mail.system_mail_outage_action",
            ".o_kanban_view .o_kanban_record:contains(ana@company.test)",
        ),
        ...screen(
            "the settings",
            {
                type: "ir.actions.act_window",
                res_model: "res.config.settings",
                views: [[false, "form"]],
                target: "inline",
                context: { module: "system_mail" },
            },
            "#system_mail_backups_setting .o_kanban_record:contains(second@other.test)",
        ),
    ],
});

registry.category("web_tour.tours").add("system_mail_phone_preferences", {
    steps: () => [
        { trigger: "[name=system_mail_own] .badge:contains(Disconnected)" },
        isAccessible("the preferences", "[name=system_mail_own]"),
    ],
});
