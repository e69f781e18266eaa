import { registry } from "@web/core/registry";
import { rpc } from "@web/core/network/rpc";

import { isAccessible } from "./accessible";

const ANA = ".o_data_row:contains(ana@company.test)";

registry.category("web_tour.tours").add("system_mail_connections", {
    steps: () => [
        {
            content: "it opens on what needs attention",
            trigger:
                ".o_system_mail_tiles button[name=needs_attention][aria-pressed=true]:contains(1)",
        },
        {
            content: "which is one mailbox",
            trigger: `.o_list_view:has(${ANA}):not(:has(.o_data_row ~ .o_data_row))`,
        },
        {
            content: "System Mail is on top all the same",
            trigger: ".o_system_mail_system:contains(hello@company.test):contains(Connected)",
        },
        isAccessible("Connections"),
        {
            content: "a tile filters",
            trigger: ".o_system_mail_tiles button[name=not_connected]",
            run: "click",
        },
        {
            content: "Ben never connected a mailbox",
            trigger: ".o_data_row:contains(ben@company.test):contains(Not connected)",
        },
        {
            content: "the second click shows all",
            trigger: ".o_system_mail_tiles button[name=not_connected][aria-pressed=true]",
            run: "click",
        },
        {
            content: "System Mail is the first",
            trigger: ".o_data_row:first-child:contains(hello@company.test)",
        },
        {
            content: "its owner is asked, by a button with a name",
            trigger: `${ANA} button[name=action_ask_to_reconnect][aria-label="Ask to reconnect"]`,
            run: "click",
        },
        {
            content: "by OdooBot",
            trigger: ".o_notification:contains(Asked Ana Author to reconnect.)",
        },
        {
            content: "the line says so",
            trigger: `${ANA}:contains(Asked today)`,
        },
        {
            content: "all are chosen",
            trigger: ".o_list_record_selector input:first",
            run: "click",
        },
        {
            content: "and tested",
            trigger:
                ".o_control_panel button[name=action_test], .o_list_selection_box ~ button[name=action_test]",
            run: "click",
        },
        {
            content: "the page says how it went",
            trigger:
                ".o_system_mail_test_progress:has([role=status]:contains(2 of 2 mailboxes work))",
        },
        isAccessible("the results of a test"),
        {
            content: "and shows it",
            trigger: `${ANA}:contains(Connected)`,
        },
        {
            trigger: ".o_system_mail_test_progress .btn-close",
            run: "click",
        },
        {
            content: "a line opens",
            trigger: `${ANA} td[name=address]`,
            run: "click",
        },
        {
            content: "the mailbox's history",
            trigger:
                ".o_form_view .o_field_widget[name=event_ids]:contains(Mailbox reconnected):contains(Mailbox disconnected)",
        },
        isAccessible("a connection"),
        { trigger: ".nav-link[name=outages]", run: "click" },
        {
            content: "and its outage, which is over",
            trigger:
                ".o_field_widget[name=outage_ids] .o_data_row:contains(The password was rejected)",
        },
    ],
});

registry.category("web_tour.tours").add("system_mail_activity", {
    steps: () => [
        {
            content: "a line of what System Mail did",
            trigger: ".o_data_row:contains(Fallback):contains(Ana Author)",
        },
        isAccessible("Activity"),
        { content: "days and reasons", trigger: ".o_switch_view.o_graph", run: "click" },
        { trigger: ".o_graph_renderer canvas" },
        { trigger: ".o_switch_view.o_pivot", run: "click" },
        { trigger: ".o_pivot:contains(the password was rejected)" },
        { trigger: ".o_menu_sections button:contains(System Mail)", run: "click" },
        { trigger: ".dropdown-item:contains(Outages)", run: "click" },
        {
            content: "an outage with what it came to",
            trigger:
                ".o_data_row:contains(ana@company.test):contains(Disconnected) td[name=message_count]:contains(1)",
        },
        isAccessible("Outages"),
        { trigger: ".o_menu_sections button:contains(System Mail)", run: "click" },
        { trigger: ".dropdown-item:contains(Activity)", run: "click" },
        {
            content: "to the message in its document",
            trigger:
                ".o_data_row:contains(Fallback) button[name=action_open_document][aria-label=Document]",
            run: "click",
        },
        { trigger: ".o-mail-Message:contains(See this)" },
        {
            content: "and back to the list",
            trigger: ".o_breadcrumb .breadcrumb-item:contains(Activity) a",
            run: "click",
        },
        {
            content: "it shows messages: a connection is one filter away",
            trigger:
                ".o_list_view:has(.o_data_row:contains(Fallback)):not(:has(.o_data_row:contains(Mailbox disconnected)))",
        },
        { trigger: ".o_menu_sections button:contains(System Mail)", run: "click" },
        { trigger: ".dropdown-item:contains(Outages)", run: "click" },
        {
            content: "an outage opens",
            trigger: ".o_data_row:contains(ana@company.test) td[name=server_name]",
            run: "click",
        },
        {
            content: "to its messages, and whom they reached",
            trigger:
                ".o_form_view:has(.o_field_widget[name=partner_ids]:contains(Ben Reader)) .o_field_widget[name=event_ids] .o_data_row:contains(Fallback)",
        },
        isAccessible("an outage"),
    ],
});

registry.category("web_tour.tours").add("system_mail_no_connections", {
    steps: () => [
        {
            trigger: ".o_navbar",
            async run() {
                for (const [model, method, args] of [
                    ["system.mail.connection", "get_overview", []],
                    ["system.mail.connection", "test_chunk", [[1]]],
                    ["system.mail.event", "search", [[]]],
                    ["system.mail.outage", "search", [[]]],
                ]) {
                    const refused = await rpc(`/web/dataset/call_kw/${model}/${method}`, {
                        model,
                        method,
                        args,
                        kwargs: {},
                    }).then(
                        () => false,
                        (error) => error.exceptionName === "odoo.exceptions.AccessError",
                    );
                    if (!refused) {
                        throw new Error(`${model}.${method} is open`);
                    }
                }
            },
        },
    ],
});
