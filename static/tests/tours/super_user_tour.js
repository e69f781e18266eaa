import { cookie } from "@web/core/browser/cookie";
import { registry } from "@web/core/registry";

import { isAccessible } from "./accessible";

const ADDRESS = "hello@company.test";
const SETTING = "#system_mail_setting";
const CONNECTION = "#system_mail_connection_setting";
const DOMAIN = "#system_mail_domain_setting";
const DIALOG = ".modal:not(.o_inactive_modal)";

function badge(word, icon) {
    return {
        content: `the badge says ${word}`,
        trigger: `${SETTING} [name=system_mail_state] .badge:contains(${word}):has(.${icon})`,
    };
}

function openTab(name) {
    return {
        trigger: `.settings_tab .tab[data-key=${name}]`,
        run: "click",
    };
}

/** What somebody types who looks for it. */
function find(words) {
    return [
        {
            trigger: ".o_searchview input",
            run: `edit ${words}`,
        },
        {
            trigger: `${SETTING}:has(.o_form_label:contains(System Mail))`,
        },
    ];
}

function openDialog(label) {
    return [
        {
            trigger: `${SETTING} button[name=action_system_mail_connect]:contains(/^${label}$/)`,
            run: "click",
        },
        {
            content: "the dialog has the address that was typed on the page",
            trigger: `${DIALOG} [name=address] input:value(${ADDRESS})`,
        },
    ];
}

function describeServer() {
    return [
        {
            trigger: `${DIALOG} [name=smtp_host] input:value(smtp.company.test)`,
            run: "edit 127.0.0.1",
        },
        {
            trigger: `${DIALOG} [name=smtp_encryption] .o_select_menu input`,
            run: "click",
        },
        {
            trigger: ".o_select_menu_item:contains(/^None$/)",
            run: "click",
        },
        {
            trigger: `${DIALOG} [name=smtp_port] input:value(25)`,
            run: ({ edit }) => edit(cookie.get("system_mail_port")),
        },
    ];
}

function connect(password) {
    return [
        {
            trigger: `${DIALOG} [name=smtp_pass] input`,
            run: `edit ${password}`,
        },
        {
            trigger: `${DIALOG} footer button[name=action_connect]`,
            run: "click",
        },
    ];
}

function closeConnected() {
    return [
        {
            trigger: `${DIALOG} [role=status]:contains(Connected.):contains(${ADDRESS})`,
        },
        {
            trigger: `${DIALOG} footer button:contains(Done)`,
            run: "click",
        },
        badge("Connected", "fa-check"),
    ];
}

function openMenu(name) {
    return [
        {
            trigger: ".o_menu_sections button:contains(System Mail)",
            run: "click",
        },
        {
            trigger: `.o-dropdown--menu .dropdown-item:contains(/^${name}$/)`,
            run: "click",
        },
        {
            trigger: `.o_breadcrumb .active:contains(${name})`,
        },
    ];
}

registry.category("web_tour.tours").add("system_mail_super_user", {
    steps: () => [
        badge("Not connected", "fa-circle-o"),
        isAccessible("the setting in Emails", SETTING),
        {
            content: "it is as high as Odoo's settings beside it",
            trigger: SETTING,
            run({ anchor }) {
                const { height } = anchor.getBoundingClientRect();
                if (height > 260) {
                    throw new Error(`it is ${height} px high`);
                }
            },
        },
        ...["smtp", "fallback", "mail server", "system mail"].flatMap(find),
        {
            trigger: ".o_searchview input",
            run: "clear",
        },
        {
            trigger: `${SETTING} [name=system_mail_address] input`,
            run: `edit ${ADDRESS}`,
        },
        ...openDialog("Connect"),
        ...describeServer(),
        ...connect("wrong"),
        {
            content: "plain words, and what to do",
            trigger: `${DIALOG} [role=alert]:contains(password was rejected):contains(press Connect again)`,
        },
        {
            content: "the server's own words are there, folded away",
            trigger: `${DIALOG} [role=alert] details:not([open]) summary`,
        },
        {
            content: "what was typed stays",
            trigger: [
                `${DIALOG}:has([name=address] input:value(${ADDRESS}))`,
                ":has([name=smtp_host] input:value(127.0.0.1))",
                ":has([name=smtp_encryption] input:value(None))",
                `:has([name=smtp_port] input:value(${cookie.get("system_mail_port")}))`,
                `:has([name=smtp_user] input:value(${ADDRESS}))`,
            ].join(""),
        },
        ...connect("neutral"),
        ...closeConnected(),
        openTab("system_mail"),
        {
            trigger: `${DOMAIN} button[name=action_system_mail_check_domain]`,
            run: "click",
        },
        {
            content: "the domain has no DMARC record, and there is one to copy",
            trigger: `${DOMAIN} .o_kanban_record:contains(DMARC):has(.fa-exclamation-triangle):contains(To improve):contains(v=DMARC1)`,
        },
        isAccessible("the settings of System Mail"),
        {
            trigger: `${CONNECTION} button[name=action_system_mail_test]`,
            run: "click",
        },
        {
            content: "what is to be typed has the focus",
            trigger: `${DIALOG} [name=recipient] input:focus`,
            run: "edit ben@company.test",
        },
        {
            trigger: `${DIALOG} footer button[name=action_send]`,
            run: "click",
        },
        {
            content: "the From that was really used",
            trigger: `${DIALOG} [role=status]:contains(Sent):contains(<${ADDRESS}>):contains(ben@company.test)`,
        },
        isAccessible("a test that was sent"),
        {
            trigger: `${DIALOG} footer button:contains(Done)`,
            run: "click",
        },
        {
            content: "the address can be changed here, too",
            trigger: `${CONNECTION} [name=system_mail_address] input:value(${ADDRESS})`,
        },
        openTab("general_settings"),
        {
            trigger: `${SETTING} button:contains(Open System Mail)`,
            run: "click",
        },
        {
            content: "the home page",
            trigger: `.o_system_mail_home:contains(${ADDRESS})`,
        },
        ...openMenu("Connections"),
        {
            content: "System Mail is the first of the connections",
            trigger: `.o_data_row:first:contains(${ADDRESS}) [name=state] .badge:contains(Connected)`,
        },
        ...openMenu("Activity"),
        {
            content: "it opens on messages; everything is one click away",
            trigger: ".o_searchview_facet:contains(Messages) .o_facet_remove",
            run: "click",
        },
        {
            content: "the last thing that happened is the test",
            trigger: ".o_data_row:first [name=kind] .badge:contains(Test)",
        },
        {
            trigger: ".o_menu_sections [data-menu-xmlid='base_setup.menu_config']",
            run: "click",
        },
        openTab("system_mail"),
        {
            trigger: `${CONNECTION} button[name=action_system_mail_disconnect]`,
            run: "click",
        },
        {
            trigger: `${DIALOG} footer button:contains(Remove)`,
            run: "click",
            expectUnloadPage: true,
        },
        openTab("general_settings"),
        badge("Not connected", "fa-circle-o"),
        {
            content: "the address stays",
            trigger: `${SETTING} [name=system_mail_address] input:value(${ADDRESS})`,
        },
        ...openDialog("Connect"),
        ...describeServer(),
        ...connect("neutral"),
        ...closeConnected(),
        {
            trigger: `${SETTING} [name=system_mail_address] input`,
            run: "clear",
        },
        {
            trigger: ".o_form_button_save:enabled",
            run: "click",
        },
        {
            content: "it says what stops, and does nothing yet",
            trigger: `${DIALOG}:contains(Turn System Mail off?):contains(sends nothing more) footer button:contains(Cancel)`,
            run: "click",
        },
        {
            trigger: "body:not(:has(.modal)) .o_form_button_save:enabled",
            run: "click",
        },
        {
            trigger: `${DIALOG} footer button:contains(Turn Off)`,
            run: "click",
            expectUnloadPage: true,
        },
        badge("Not connected", "fa-circle-o"),
        {
            trigger: `${SETTING} [name=system_mail_address] input:value(/^$/)`,
        },
    ],
});
