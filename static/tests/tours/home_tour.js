import { registry } from "@web/core/registry";

import { isAccessible } from "./accessible";

const HOME = ".o_system_mail_home";
const TASKS = ".o_system_mail_home_tasks";
const DIALOG = ".modal:not(.o_inactive_modal)";

registry.category("web_tour.tours").add("system_mail_home", {
    steps: () => [
        {
            trigger: ".o_menu_sections button:contains(System Mail)",
            run: "click",
        },
        {
            content: "the first thing of the menu",
            trigger: ".o-dropdown--menu .dropdown-item:first:contains(/^Home$/)",
            run: "click",
        },
        {
            content: "one sentence",
            trigger: `${HOME} h1:contains(3 things need you)`,
        },
        {
            content: "System Mail itself",
            trigger: `${HOME} .o_system_mail_home_system:contains(hello@company.test):has(.badge:contains(Connected) .fa-check)`,
        },
        isAccessible("the home page, with things to do"),
        {
            content: "Ana's mailbox is to be mended, and she is asked",
            trigger: `${TASKS} li:contains(Ana Author (ana@company.test): the password was rejected) button:contains(Ask Ana Author to Reconnect)`,
            run: "click",
        },
        {
            content: "which the line says from now on",
            trigger: `${TASKS} li:contains(Ana Author):contains(Asked today)`,
        },
        {
            trigger: `${HOME} .o_system_mail_home_system button:contains(Run Drill)`,
            run: "click",
        },
        {
            content: "the verdict, without a further question",
            trigger: `${DIALOG} [role=status]:contains(It works)`,
        },
        {
            trigger: `${DIALOG} footer button:contains(Done)`,
            run: "click",
        },
        {
            content: "the page knows of it",
            trigger: `${HOME}:not(:has(${TASKS}:contains(drill))) .o_system_mail_home_system:contains(Last drill):contains(passed)`,
        },
        {
            content: "a number leads to its list",
            trigger: `${HOME} .o_system_mail_home_numbers button[name=disconnected]:contains(1)`,
            run: "click",
        },
        {
            trigger: ".o_list_view .o_data_row:contains(ana@company.test)",
        },
        {
            content: "and the breadcrumb leads back",
            trigger: ".o_breadcrumb a:contains(System Mail), .o_back_button",
            run: "click",
        },
        {
            content: "the settings open with their own tab",
            trigger: `${HOME} .o_system_mail_home_system button:contains(Settings)`,
            run: "click",
        },
        {
            trigger: ".settings_tab .tab.selected[data-key=system_mail]",
        },
        {
            trigger: ".o_breadcrumb a:contains(System Mail), .o_back_button",
            run: "click",
        },
        {
            content: "what is held is decided on",
            trigger: `${TASKS} li:contains(1 message may have been delivered) button:contains(Decide)`,
            run: "click",
        },
        {
            trigger:
                ".o_list_view .o_data_row:contains(Ana Author) button[name=action_system_mail_drop]",
        },
        isAccessible("Messages"),
        {
            trigger: ".o_data_row button[name=action_system_mail_drop]",
            run: "click",
        },
        {
            trigger: `${DIALOG} footer button.btn-primary`,
            run: "click",
        },
        {
            trigger: ".o_list_view:not(:has(.o_data_row)), .o_view_nocontent",
        },
    ],
});

registry.category("web_tour.tours").add("system_mail_other_company", {
    steps: () => [
        {
            trigger: `${HOME} .o_system_mail_home_system:contains(Harbour Foods) button:contains(Settings)`,
            run: "click",
            expectUnloadPage: true,
        },
        {
            content: "its company is the current one",
            trigger: ".o_switch_company_menu:contains(Harbour Foods)",
        },
        {
            content: "and the tab is open",
            trigger:
                "#system_mail_connection_setting [name=system_mail_address] input:value(hello@harbour.test)",
        },
    ],
});
